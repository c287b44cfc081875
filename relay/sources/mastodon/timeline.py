"""Polls hashtags and accounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from relay.model import Feed, Post, Published
from relay.ports import Batch, Gone, TryLater
from relay.sources.mastodon import place
from relay.sources.mastodon.address import host_of, instance_of, is_tag_feed
from relay.sources.mastodon.answers import Closed, Missing, Odd
from relay.sources.mastodon.api import Api, Listed
from relay.sources.mastodon.parse import read_post, read_time
from relay.sources.mastodon.place import PAGE, Place, Step
from relay.sources.mastodon.shapes import Status, read

_PROBE = 60
"""Every so many polls, a server that showed only its own posts is asked for all again."""


@dataclass(frozen=True, slots=True)
class _Reading:
    page: Listed
    local: bool
    """Of the server's own posts only: the rest is closed to visitors."""


async def poll(api: Api, feed: Feed) -> Batch | TryLater | Gone:
    """Read one page: the newest, or the next of a gap. Does not know what was relayed."""
    kept = place.read_place(feed.cursor) if feed.seeded else None
    reading = await _read(api, feed.address, kept)
    if not isinstance(reading, _Reading):
        return reading
    step = _step(kept, reading, datetime.now(UTC))
    # A first page is shown to who asks for it; a feed whose cursor was lost has relayed its like before.
    shown = step.new if feed.seeded else place.ordered(reading.page.items)
    cursor = str(replace(step.place, local=_countdown(kept, reading)))
    return Batch(
        events=tuple(Published(post) for post in _posts(feed.address, reading.page, shown) if api.believes(post)),
        cursor=cursor if cursor != feed.cursor else None,
        wait=reading.page.wait,
        more=step.more and reading.page.wait is None,
        note=f"{host_of(feed.address)} shows visitors only the posts of its own users" if reading.local else "",
    )


async def _read(api: Api, address: str, kept: Place | None) -> _Reading | TryLater | Gone:
    """One request; a second one where a hashtag turns out to be closed, for the part that may be open."""
    page: Listed | Missing | Closed | Odd | TryLater | Gone
    page = Closed("") if _is_local(kept) else await api.get_list(address, _params(address, kept))
    if local := isinstance(page, Closed) and is_tag_feed(address):
        page = await api.get_list(address, [*_params(address, kept), ("local", "true")])
    match page:
        case Listed():
            return _Reading(page, local)
        case Missing(status=404, sure=True) if is_tag_feed(address):  # a hashtag that this server has never met
            return _Reading(Listed({}), local)
        case Missing(host, status, sure=True):
            return Gone(f"{host} says that this is gone for good (HTTP {status})")
        case Missing() | Closed() | Odd():
            return page.later()
        case _:
            return page


def _is_local(kept: Place | None) -> bool:
    return kept is not None and (kept.local > 1 or bool(kept.local and kept.behind))


def _countdown(kept: Place | None, reading: _Reading) -> int:
    if not reading.local:
        return 0
    return max(kept.local - 1, 1) if kept and _is_local(kept) else _PROBE


def _params(address: str, kept: Place | None) -> list[tuple[str, str]]:
    params = [("limit", str(PAGE))]
    if not is_tag_feed(address):
        params.append(("exclude_reblogs", "true"))
    if kept and kept.behind:
        params.append(("min_id", kept.min_id))
    return params


def _step(kept: Place | None, reading: _Reading, now: datetime) -> Step:
    ids = reading.page.items
    opened = kept is not None and kept.local and not reading.local
    if kept is None or (opened and ids):
        return Step(place.begin(ids, now))
    if kept.behind:
        return place.read_above(kept, ids)
    if kept.began and place.was_hidden(kept, ids, _oldest(reading.page) or now):
        return Step(place.begin(ids, now))
    return place.read_newest(kept, ids)


def _oldest(page: Listed) -> datetime | None:
    statuses = (read(raw, Status) for raw in page.items.values())
    return min((at for status in statuses if status and (at := read_time(status.created_at))), default=None)


def _posts(feed: str, page: Listed, shown: Iterable[str]) -> Iterator[Post]:
    """What may be relayed. An account's answers to others are no part of what it has to say to everybody."""
    for identifier in shown:
        post = read_post(page.items[identifier], instance_of(feed))
        if post and not post.unlisted and (is_tag_feed(feed) or not _answers_others(post)):
            yield post


def _answers_others(post: Post) -> bool:
    return bool(post.reply_to) and post.reply_to_author != post.author.uri
