"""Polls hashtags and accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import unquote

from msgspec import structs

from relay.model import Feed, Post, Published
from relay.ports import Batch, Gone, TryLater
from relay.rich import Role
from relay.sources.kit import Denied, Missing, Ok, Unexpected
from relay.sources.mastodon import tag_rss, tags, timeline_cursor
from relay.sources.mastodon.address import host_of, instance_of, read_notes_feed
from relay.sources.mastodon.api import CLOSED, Listed, MastodonApi
from relay.sources.mastodon.budget import NOTHING
from relay.sources.mastodon.home import Homes
from relay.sources.mastodon.kinds import UNKNOWN, ServerKind, Speech, refusal
from relay.sources.mastodon.misskey import api as misskey
from relay.sources.mastodon.misskey.notes import read_note
from relay.sources.mastodon.moved import moved
from relay.sources.mastodon.parse import local_id, read_post
from relay.sources.mastodon.shapes import Raw, Status, read
from relay.sources.mastodon.tags import TagQuery
from relay.sources.mastodon.timeline_cursor import PAGE, How, TimelineCursor, TimelineStep
from relay.sources.off_loop import off_loop

_PROBE = 60
"""Every so many polls, a server that showed only its own posts is asked for all again."""
_HOURS = timedelta(hours=6)
"""How long to leave alone what only another configuration can change."""
_NOTES = {
    How.WHOLE: "",
    How.LOCAL: "{host} shows visitors only the posts of its own users",
    How.RSS: "{host} shows visitors hashtags only as RSS, which tells no language, no polls and no edits",
}


@dataclass(slots=True)
class Timelines:
    """Reads pages. ``live`` are the feeds that a stream tells of, so that polls may be rarer."""

    homes: Homes
    interval: timedelta
    live: set[str]

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        """Read one page: the newest, or the next of a gap. Does not know what was relayed."""
        base, wanted = instance_of(feed.address), tags.read_address(feed.address)
        about, api = self.homes.about, self.homes.about.api
        kind = await about.kind(base) if wanted else UNKNOWN
        if wanted and (reason := refusal(kind, base, token=bool(api.token(base)))):
            return TryLater(reason, _HOURS)
        kept = timeline_cursor.read_place(feed.cursor) if feed.seeded else None
        budget = api.budgets.of(base)
        if kept and kept.behind and (wait := budget.wait(api.clock(), paging=True)):
            return Batch(wait=wait)
        share = budget.share(feed.address, api.clock())
        reading = await _read(api, feed.address, wanted, kept, kind)
        if not isinstance(reading, TimelineReading):
            return reading
        return await self._batch(feed, wanted, kept, reading, share)

    async def _batch(
        self,
        feed: Feed,
        wanted: TagQuery | None,
        kept: TimelineCursor | None,
        reading: TimelineReading,
        share: timedelta,
    ) -> Batch | TryLater:
        now = self.homes.about.api.clock()
        step = await off_loop(reading.size(reading.page.items), partial(reading.step, kept, now))
        # A first page is shown to who asks for it; a feed whose cursor was lost has relayed its like before.
        shown = step.new if feed.seeded else timeline_cursor.ordered(reading.page.items)
        cursor = str(structs.replace(step.place, local=_countdown(kept, reading), how=reading.how))
        read = await off_loop(reading.size(shown), lambda: list(_posts(feed.address, wanted, reading, shown)))
        found = await with_answered(self.homes.about.api, instance_of(feed.address), read, reading)
        if isinstance(found, TryLater):
            return found
        # an account's answers to others are no part of what it has to say to everybody
        told = [(feed.address, Published(post)) for post in found if wanted or not _answers_others(post)]
        confirmed = await self.homes.confirm(told)
        if not (confirmed.is_whole or wanted):  # who has this hashtag at home brings it; of an account this is all
            return TryLater(f"{host_of(feed.address)} tells of an account whose own server could not be asked")
        rest = self.interval * 5 if feed.address in self.live else NOTHING
        waits = [wait for wait in (reading.page.wait, rest, share if share > self.interval else None) if wait]
        return Batch(
            events=tuple(event for _, event in confirmed.events),
            cursor=cursor if cursor != feed.cursor else None,
            wait=max(waits, default=None),
            more=step.more and reading.page.wait is None,
            note=_NOTES[reading.how].format(host=host_of(feed.address)) or ("" if wanted else _moved(feed, reading)),
        )


async def _read(
    api: MastodonApi, feed: str, wanted: TagQuery | None, kept: TimelineCursor | None, kind: ServerKind
) -> TimelineReading | TryLater | Gone:
    """One request; more where a hashtag turns out to be closed, for the part that may be open."""
    if kind.speech is Speech.MISSKEY and wanted:
        return _judged(
            feed, await misskey.read_tag(api, instance_of(feed), wanted, kept), TimelineReading(read=read_note)
        )
    if whose := read_notes_feed(feed):
        return _judged(
            feed, await misskey.read_account(api, instance_of(feed), whose, kept), TimelineReading(read=read_note)
        )
    url, params = feed.partition("?")[0], _params(wanted, kept)
    how = kept.how if kept and _is_shut(kept) else How.WHOLE
    page: Listed | Missing | Denied | Unexpected | TryLater | Gone = Denied(host_of(feed), CLOSED)
    if how is How.WHOLE:
        page = await api.get_list(url, params)
    if isinstance(page, Denied) and wanted and how is not How.RSS and not page.token:
        how = How.LOCAL
        page = await api.get_list(url, [*params, ("local", "true")])
    if isinstance(page, Denied) and wanted and not page.token:
        how = How.RSS
        page = await tag_rss.read_page(api, instance_of(feed), wanted.tag) or page
    read = tag_rss.read_item if how is How.RSS else partial(read_post, configured=api.instances)
    return _judged(feed, page, TimelineReading(how=how, read=read))


def _judged(
    feed: str, page: Listed | Missing | Denied | Unexpected | TryLater | Gone, reading: TimelineReading
) -> TimelineReading | TryLater | Gone:
    match page:
        case Listed():
            return reading.of(page)
        case Missing(status=404, sure=True) if tags.read_address(feed):  # a hashtag that this server has never met
            return reading.of(Listed({}))
        case Missing(host, status, sure=True):
            return Gone(f"{host} says that this is gone for good (HTTP {status})")
        case Missing() | Denied() | Unexpected():
            return page.later()
        case _:
            return page


def _is_shut(kept: TimelineCursor) -> bool:
    return kept.local > 1 or bool(kept.local and kept.behind)


def _countdown(kept: TimelineCursor | None, reading: TimelineReading) -> int:
    if reading.how is How.WHOLE:
        return 0
    return max(kept.local - 1, 1) if kept and _is_shut(kept) else _PROBE


def _params(wanted: TagQuery | None, kept: TimelineCursor | None) -> list[tuple[str, str]]:
    params = [("limit", str(PAGE))]
    params += wanted.params() if wanted else [("exclude_reblogs", "true")]
    if kept and kept.behind:
        params.append(("min_id", kept.min_id))
    return params


def _posts(feed: str, wanted: TagQuery | None, reading: TimelineReading, shown: Iterable[str]) -> Iterator[Post]:
    """What may be relayed, as far as its server says whom it answers."""
    for identifier in shown:
        post = reading.read(reading.page.items[identifier], instance_of(feed))
        if post and not post.unlisted and (wanted is None or wanted.wants(post.tags)):
            yield post


def _moved(feed: Feed, reading: TimelineReading) -> str:
    """Whether the account has moved, as the server says beside its newest post."""
    newest = max(reading.page.items, key=timeline_cursor.age, default=None)
    status = read(reading.page.items[newest], Status) if newest and reading.read is not read_note else None
    return moved(status.account, instance_of(feed.address)) if status else ""


def _answers_others(post: Post) -> bool:
    return bool(post.reply_to) and post.reply_to_author != post.author.uri


# --- whom a post answers, where its server does not say: what it answers is looked up ---


_MOST = 20
"""Posts that are asked for after one poll."""


async def with_answered(
    api: MastodonApi, base: str, posts: Sequence[Post], reading: TimelineReading
) -> list[Post] | TryLater:
    """The posts, each that answers another one with the author of that.

    Where nobody knows that one, a post that mentions nobody goes on with what its own author wrote; not so on Misskey,
    where an answer need not mention whom it answers.
    """
    lookup = _Lookup(api, base, reading)
    found: list[Post] = []
    for post in posts:
        whom = await lookup.whom(post)
        if isinstance(whom, TryLater):
            return whom
        found.append(post if whom == post.reply_to_author else replace(post, reply_to_author=whom))
    return found


class _Lookup:
    """What stands on one page, and what was asked for besides."""

    def __init__(self, api: MastodonApi, base: str, reading: TimelineReading) -> None:
        self._api, self._base, self._reading = api, base, reading
        self._known: dict[str, Post | None] = {}

    async def whom(self, post: Post) -> str | TryLater:
        """As Mastodon tells it: of a chain under somebody else's post that somebody all the way down."""
        here, passed = post, set[str]()
        while here.reply_to and not here.reply_to_author and here.reply_to not in passed:
            passed.add(here.reply_to)
            above = await self._find(here.reply_to)
            if isinstance(above, TryLater):
                return above
            if above is None:
                return post.author.uri if self._reading.read is not read_note and not _mentions(post) else ""
            if above.author.uri != post.author.uri:
                return above.author.uri
            here = above
        return here.reply_to_author or (post.author.uri if post.reply_to else "")

    async def _find(self, name: str) -> Post | TryLater | None:
        if name not in self._known:
            raw = self._reading.page.items.get(unquote(local_id(name, self._base)))
            if raw is None and len(self._known) >= _MOST:
                return None
            read = self._reading.read(raw, self._base) if raw is not None else await self._ask(name)
            if isinstance(read, TryLater):
                return read
            self._known[name] = read
        return self._known[name]

    async def _ask(self, name: str) -> Post | TryLater | None:
        """Only our own pace is waited for: a server that fails here would keep the whole feed back."""
        if self._reading.read is read_note:
            answer = await misskey.show(self._api, self._base, unquote(local_id(name, self._base)))
        else:
            answer = await self._api.get(name)
        if isinstance(answer, TryLater) and answer.paced:
            return answer
        if not isinstance(answer, Ok):
            return None
        return await off_loop(len(answer.body), partial(self._reading.read, answer.body, self._base))


def _mentions(post: Post) -> bool:
    return any(span.role is Role.MENTION for block in post.body for span in block.spans)


# --- a page as it was read, and what it means for the place in the timeline. Pure ---


Read = Callable[[bytes | Raw, str], Post | None]
"""How an item becomes a post, None where it is none for everybody; with the server's base address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineReading:
    """``how`` much of the timeline is open to us, and how its items are read."""

    page: Listed = field(default_factory=lambda: Listed({}))
    how: How = How.WHOLE
    read: Read = read_post

    def of(self, page: Listed) -> TimelineReading:
        return replace(self, page=page)

    def size(self, names: Iterable[str]) -> int:
        """The bytes of some of its items."""
        return sum(len(self.page.items[name]) for name in names)

    def step(self, kept: TimelineCursor | None, now: datetime) -> TimelineStep:
        """Where the reading stands after this page. What opens all at once, or was hidden, is no news."""
        ids = self.page.items
        if kept is None or (kept.how is not How.RSS and self.how is How.WHOLE and kept.local and ids):
            return TimelineStep(timeline_cursor.begin(ids, now))
        if How.RSS in {kept.how, self.how} and kept.how is not self.how:
            return self._other_names(kept, now)
        if kept.behind:
            return timeline_cursor.read_above(kept, ids)
        if kept.began and timeline_cursor.was_hidden(kept, ids, self._oldest() or now):
            return TimelineStep(timeline_cursor.begin(ids, now))
        return timeline_cursor.read_newest(kept, ids)

    def _other_names(self, kept: TimelineCursor, now: datetime) -> TimelineStep:
        """In RSS posts have other ids: those that were written since the last one that was read are new."""
        since = timeline_cursor.moment(kept.recent[-1]) if kept.recent else None
        times = {name: self._time(raw) for name, raw in self.page.items.items()}
        new = [name for name, at in times.items() if since is not None and at and at > since]
        return TimelineStep(timeline_cursor.begin(times, now), timeline_cursor.ordered(new))

    def _oldest(self) -> datetime | None:
        return min((at for raw in self.page.items.values() if (at := self._time(raw))), default=None)

    def _time(self, raw: Raw) -> datetime | None:
        post = self.read(raw, "")
        return post.published if post else None
