"""Polls accounts, and hashtags where there is an account to search with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec

from relay.model import Feed, Post, Published
from relay.ports import Batch, Gone, TryLater
from relay.sources.bluesky import list_cursor
from relay.sources.bluesky.address import did_of, is_did, tag_of
from relay.sources.bluesky.answers import Asleep, Failure, settled
from relay.sources.bluesky.labels import Withheld
from relay.sources.bluesky.list_cursor import PAGE, ListCursor, ListItem
from relay.sources.bluesky.records import answers_others, read_author, read_time, read_view
from relay.sources.bluesky.shapes import Raw, read
from relay.sources.bluesky.xrpc import XrpcApi
from relay.sources.kit import Missing, Ok, Unexpected
from relay.sources.limits import ITEMS, RECORD
from relay.sources.off_loop import off_loop

_PAGES = 10
"""So many are read at most in one poll."""
_SELDOM = timedelta(hours=1)


class _Page(msgspec.Struct):
    """``feed`` of an account, ``posts`` of a search."""

    feed: list[Raw] | None = None
    posts: list[Raw] | None = None
    cursor: str | None = None


class _Entry(msgspec.Struct):
    """What stands in an account's feed; with a ``reason`` it is there for another one than that it was written."""

    post: Raw
    reason: Raw = Raw()


class _Reason(msgspec.Struct):
    indexed: str = msgspec.field(name="indexedAt")


class _Written(msgspec.Struct):
    created: str | None = msgspec.field(name="createdAt", default=None)


class _Dated(msgspec.Struct):
    uri: str
    record: Raw = Raw()
    author: Raw = Raw()
    indexed: str | None = msgspec.field(name="indexedAt", default=None)


@dataclass(slots=True)
class _Reading:
    """The pages of one poll."""

    items: list[ListItem] = field(default_factory=list)
    views: dict[str, Raw] = field(default_factory=dict)
    onward: str = ""
    """Where the page below the last one begins; empty: there is none, or it was read before."""
    wait: timedelta | None = None
    closed: str = ""
    """Why the author wants none of it shown outside."""


async def poll(api: XrpcApi, feed: Feed) -> Batch | TryLater | Gone:
    """Read from the top down to what is known, or on from where the last poll stopped."""
    if tag_of(feed.address):
        if api.session is None:  # a visitor may not search: hashtags come from the stream alone
            return Batch(wait=_SELDOM)
    elif not is_did(feed.address):
        return Gone(f"{feed.address} is no feed of Bluesky's")
    kept = list_cursor.read_place(feed.cursor) if feed.seeded else None
    reading = await _read(api, feed.address, kept)
    if not isinstance(reading, _Reading):
        return _failed(reading, kept)
    now = datetime.now(UTC)
    step = list_cursor.read_pages(kept, reading.items, reading.onward, now) if kept else None
    after = step.place if step else list_cursor.begin(reading.items, now)
    # A first page is shown to who asks for it; a feed whose cursor was lost has relayed its like before.
    shown = step.new if step else () if feed.seeded else tuple(reading.views)
    views = [reading.views[uri] for uri in reversed(shown)]
    posts = await off_loop(sum(map(len, views)), lambda: [post for one in views if (post := _post(one, feed.address))])
    return Batch(
        events=tuple(Published(post) for post in posts),
        cursor=str(after) if str(after) != feed.cursor else None,
        wait=reading.wait,
        more=bool(after.onward) and reading.wait is None,
        note=reading.closed,
    )


async def _read(api: XrpcApi, address: str, kept: ListCursor | None) -> _Reading | Failure:
    reading = _Reading(onward=kept.onward if kept else "")
    for number in range(_PAGES if kept else 1):
        answer = await _ask(api, address, reading.onward)
        if not isinstance(answer, Ok):
            return reading if number and isinstance(answer, TryLater) else answer
        page = await off_loop(len(answer.body), partial(read, answer.body, _Page)) or _Page()
        items = page.posts if tag_of(address) else page.feed
        if items is None:
            return Unexpected(answer.host)
        found = await off_loop(len(answer.body), partial(_found, items[:ITEMS], address, reading))
        reading.items += found
        reading.wait = answer.wait
        reading.onward = page.cursor or "" if items else ""
        if not reading.onward or kept is None or list_cursor.reaches(kept, found):
            reading.onward = ""
            break
        if reading.wait is not None:
            break
    return reading


async def _ask(api: XrpcApi, address: str, cursor: str) -> Ok | Failure:
    params = [("limit", str(PAGE)), *([("cursor", cursor)] if cursor else [])]
    tag = tag_of(address)
    if tag and api.session:
        search = [("q", f"#{tag}"), ("tag", tag), ("sort", "latest"), *params]
        return await api.session.ask("app.bsky.feed.searchPosts", search)
    feed = [("actor", address), ("filter", "posts_with_replies"), *params]
    return await api.ask("app.bsky.feed.getAuthorFeed", feed)


def _found(items: list[Raw], address: str, reading: _Reading) -> list[ListItem]:
    return list(_entries(items, address, reading))


def _entries(items: list[Raw], address: str, reading: _Reading) -> Iterator[ListItem]:
    """What stands on a page; the views of posts that were written by whom the feed is about are kept."""
    for raw in items:
        entry = _Entry(raw) if tag_of(address) else read(raw, _Entry)
        dated = read(entry.post, _Dated) if entry and len(entry.post) <= RECORD else None
        if entry is None or dated is None:
            continue
        if reason := read(entry.reason, _Reason):
            if at := read_time(reason.indexed):
                yield ListItem(int(at.timestamp()), "")
        elif not _has_reason(entry) and _is_by(dated, address) and (at := _sorted_at(dated)):
            closed = read_author(dated.author)
            reading.closed = closed.reason if isinstance(closed, Withheld) and is_did(address) else ""
            reading.views.setdefault(dated.uri, entry.post)
            yield ListItem(int(at.timestamp()), dated.uri)


def _has_reason(entry: _Entry) -> bool:
    """One without a time: it is pinned, or what we do not know; out of its order either way."""
    return bytes(entry.reason) not in {b"", b"null"}


def _is_by(dated: _Dated, address: str) -> bool:
    return bool(tag_of(address)) or did_of(dated.uri) == address


def _sorted_at(dated: _Dated) -> datetime | None:
    """By what the lists of the AppView are ordered: when it was written, as far as that is before it became known."""
    written = read(dated.record, _Written)
    times = [read_time(written.created) if written else None, read_time(dated.indexed)]
    return min((time for time in times if time), default=None)


def _post(view: Raw, address: str) -> Post | None:
    """What may be relayed. An account's answers to others are no part of what it has to say to everybody."""
    post = read_view(view)
    if not isinstance(post, Post) or (is_did(address) and answers_others(post)):
        return None
    return post


def _failed(trouble: Failure, kept: ListCursor | None) -> Batch | TryLater | Gone:
    if (
        isinstance(trouble, Unexpected) and kept and kept.onward
    ):  # it may not know its own word any more: from the top again
        return Batch(cursor=str(list_cursor.from_the_top(kept)))
    match trouble:
        case Missing(host):
            return Gone(f"{host} knows no such account any more")
        case Asleep():
            return trouble.later()
        case _:
            return settled(trouble, "it is gone")
