"""What a feed says, and what the relay and the process that reads feeds say to each other of it: values alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from relay.model import Edited, Post, Published

NOTHING = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class TypedText:
    """A text and how it is written."""

    text: str = ""
    html: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A file that belongs to an entry; ``type`` is a media type or one of Media RSS's words (image, video, audio)."""

    url: str
    type: str = ""
    alt: str = ""
    width: int | None = None
    height: int | None = None
    preview: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One entry as the document has it: nothing is resolved, cleaned or trusted."""

    guid: str = ""
    link: str = ""
    original: str = ""
    """The page that ``link`` only leads on to, where the feed goes through a counting service."""
    title: TypedText = TypedText()
    body: TypedText = TypedText()
    base: str = ""
    """``xml:base`` of the body, absolute or not."""
    author: str = ""
    language: str = ""
    published: datetime | None = None
    updated: datetime | None = None
    tags: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    thumbnail: str = ""
    adult: bool = False
    reply_to: str = ""
    """The id of the entry that this one answers (RFC 4685)."""
    slice: str = ""
    """A digest of its bytes; empty where it is not known which are its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedDocument:
    """A whole feed. Without ``version`` and entries it was none."""

    version: str = ""
    title: TypedText = TypedText()
    link: str = ""
    ttl: int = 0
    """Minutes for which the publisher says the document holds."""
    truncated: bool = False
    """The document breaks off; its last, partial entry is not among ``entries``."""
    hubs: tuple[str, ...] = ()
    """Where news can be had at once (WebSub), and ``topic``, the name that the feed has there."""
    topic: str = ""
    skip_hours: frozenset[int] = frozenset()
    """Hours of the day, in UTC, and days of the week (Monday is 0) at which the publisher wants nobody to ask."""
    skip_days: frozenset[int] = frozenset()
    language: str = ""
    pictures: tuple[str, ...] = ()
    """What the feed shows for all of its entries, by address."""
    found: int = 0
    """Entries in the document, which may be more than ``entries``."""
    slices: tuple[str, ...] | None = None
    """Digests of all entries' bytes, in their order, also of those that were not read; None where it was not cut."""
    around: str = ""
    """A digest of what the entries' meaning depends on beside their own bytes."""
    entries: tuple[FeedEntry, ...] = ()


class KnownFeed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
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
    """By name the marks of entries (:class:`relay.sources.feed_identity.EntryDigests`), as JSON."""
    gone: str = ""
    slices: msgspec.Raw = NOTHING
    """A :class:`relay.sources.feed_changes.KnownSlices`, as JSON."""


class EntryChange(msgspec.Struct, frozen=True, array_like=True):
    """One entry that is new, or reads differently."""

    post: Post
    edited: bool = False
    late: bool = False
    """It is new here and was published long ago."""

    def event(self) -> Published | Edited:
        return Edited(self.post) if self.edited else Published(self.post)


class FeedChanges(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a document says of itself, and what is to be remembered of its entries."""

    document: FeedDocument
    """Without its entries. Without a version and entries that were found it was no feed."""
    note: str = ""
    dates: list[int] = []
    """When its entries were published, as far as they say so: seconds of Unix time."""
    items: msgspec.Raw = NOTHING
    gone: str = ""
    slices: msgspec.Raw = NOTHING
    """These three for the next time (:class:`KnownFeed`)."""
