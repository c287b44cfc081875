"""What a feed's bytes say that the last polls did not know: from the document to its news in one step. Pure.

It takes as long as feedparser takes, and as what people wrote takes to become posts: not for the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from relay.model import Edited, Post, Published
from relay.sources import feed_standing
from relay.sources.feed_news import News, compare
from relay.sources.feed_parse import Document
from relay.sources.feed_posts import note, read_items, setting_of
from relay.sources.feed_read import read
from relay.sources.feed_standing import Slices

T = TypeVar("T")
NOTHING = msgspec.Raw(b"null")


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A feed, where it was read, and what the last polls left behind (:class:`relay.sources.rss.cursor.Cursor`)."""

    name: str
    """The first of its addresses: what is compared between polls is named after it."""
    feed: str
    """All that is subscribed to."""
    url: str
    """Where the document was read."""
    now: datetime
    content_type: str = ""
    newest: int = 0
    """The newest date that any document had, seconds of Unix time; 0 where there is none to compare with."""
    stood: bool = False
    items: msgspec.Raw = NOTHING
    """By name the marks of entries (:class:`relay.sources.feed_identity.Mark`), as JSON."""
    gone: str = ""
    slices: msgspec.Raw = NOTHING
    """A :class:`relay.sources.feed_standing.Slices`, as JSON."""


class Change(msgspec.Struct, frozen=True, array_like=True):
    """One entry that is new, or reads differently."""

    post: Post
    edited: bool = False
    late: bool = False
    """It is new here and was published long ago."""

    def event(self) -> Published | Edited:
        return Edited(self.post) if self.edited else Published(self.post)


class Changes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a document says of itself, and what is to be remembered of its entries."""

    document: Document
    """Without its entries. Without a version and entries that were found it was no feed."""
    note: str = ""
    dates: list[int] = []
    """When its entries were published, as far as they say so: seconds of Unix time."""
    items: msgspec.Raw = NOTHING
    gone: str = ""
    slices: msgspec.Raw = NOTHING
    """These three for the next time (:class:`Known`)."""


Read = Callable[[bytes, str, str, Collection[str]], Document]


def find_changes(body: bytes, known: Known, read: Read = read) -> tuple[Changes, Sequence[Change]]:
    """The news are oldest first. What of the document stands there as before is not read again.

    All of it is read where that has to do with the rest.
    """
    seen, slices = _decoded(known.items, dict[str, str]) or {}, _decoded(known.slices, Slices)
    before = feed_standing.known(slices, known.url, seen) if slices else {}
    while True:
        document = read(body, known.content_type, slices.around if slices else "", before)
        if not document.version and not document.found:
            return Changes(document=replace(document, entries=())), ()
        setting = setting_of(document, address=known.name, url=known.url, now=known.now, feed=known.feed)
        items = read_items(document, setting)
        others = feed_standing.others(document, before)
        rest = others.values()
        if not others or (feed_standing.are_few(items, rest) and feed_standing.are_apart(items, rest)):
            break
        before = {}
    news = compare(
        items,
        seen,
        known.gone,
        newest=datetime.fromtimestamp(known.newest, UTC) if known.newest else None,
        unchanged=[one.name for one in rest],
        stood=known.stood,
    )
    changes = Changes(
        document=replace(document, entries=(), slices=None, around=""),
        note=note(document),
        dates=feed_standing.dates(items, rest),
        items=_encoded(news.items),
        gone=news.gone,
        slices=_encoded(feed_standing.remembered(document, items, others, known.url)),
    )
    return changes, _told(news)


def _told(news: News) -> list[Change]:
    late = [Change(event.post, late=True) for event in news.late]
    return late + [Change(event.post, edited=isinstance(event, Edited)) for event in news.events]


def _decoded(text: msgspec.Raw, kind: type[T]) -> T | None:
    """What cannot be read is nothing."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError:
        return None


def _encoded(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
