"""Polls hashtags and accounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from msgspec.structs import replace

from relay.model import Feed, Post, Published
from relay.ports import Batch, Gone, TryLater
from relay.sources.kit import Denied, Missing, Unexpected
from relay.sources.mastodon import tag_rss, tags, timeline_cursor
from relay.sources.mastodon.address import host_of, instance_of, read_notes_feed
from relay.sources.mastodon.answers import CLOSED
from relay.sources.mastodon.api import Listed, MastodonApi
from relay.sources.mastodon.budget import NOTHING
from relay.sources.mastodon.home import Homes
from relay.sources.mastodon.kinds import UNKNOWN, ServerKind, Speech, refusal
from relay.sources.mastodon.misskey import api as misskey
from relay.sources.mastodon.misskey.notes import read_note
from relay.sources.mastodon.moved import moved
from relay.sources.mastodon.parse import read_post
from relay.sources.mastodon.reading import TimelineReading
from relay.sources.mastodon.reply_parents import with_answered
from relay.sources.mastodon.shapes import Status, read
from relay.sources.mastodon.tags import TagQuery
from relay.sources.mastodon.timeline_cursor import PAGE, How, TimelineCursor
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
        cursor = str(replace(step.place, local=_countdown(kept, reading), how=reading.how))
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
