"""The seam to a place that is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from relay.model import Event, Feed, Post
from relay.ports.answers import Check, Gone, Refused, TryLater


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What a topic means at one source: the feeds to read, and how its posts are recognised.

    ``tag`` is the folded hashtag where the topic is one (a post with it is wanted whichever feed brings it); otherwise
    everything that the feeds bring is wanted.
    """

    feeds: tuple[str, ...]
    tag: str = ""
    title: str = ""
    """What was understood, for people."""
    account: bool = False
    """It is somebody's account, which is more than a page that has a feed."""
    note: str = ""
    """What is to be done about it, for people, though it can be read: the account has moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one poll brought, oldest first.

    ``cursor`` None: it did not move. ``wait``: the least time until the next poll that the other side asked for.
    ``more``: there is more to read at once. ``note``: a state worth telling the operator though the poll went well.
    """

    events: tuple[Event, ...] = ()
    past: tuple[Event, ...] = ()
    """What was there before anybody asked for it: kept for the pages, sent to nobody."""
    late: tuple[Event, ...] = ()
    """What is new here and was published long ago: at each destination it shares one message."""
    at_once: int | None = None
    """So many of ``events``, the newest, have messages of their own at a destination; the rest shares one. None: all.
    """
    cursor: str | None = None
    wait: timedelta | None = None
    more: bool = False
    note: str = ""


class Source(Protocol):
    """A kind of place that is read. Stateless: the core keeps the cursor."""

    name: str
    interval: timedelta
    """How often a feed is polled when nothing else is said."""

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        """Say what a topic means here. ``Refused``: it is nothing that this source reads (the reason is for people)."""
        ...

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        """Read what is new since ``feed.cursor``. A feed that was never seeded is asked for its present state only."""
        ...

    async def check(self) -> Sequence[Check]:
        """Ask each place that the configuration names whether it would work."""
        ...


@runtime_checkable
class ThreadedSource(Source, Protocol):
    """A source that can fetch the conversation around one post."""

    async def fetch_thread(self, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
        """All known posts of the conversation around ``ref`` (a uri, an alias or a web address), in any order.

        The first one is the post that was asked for. ``Refused``: the address is nothing that this source knows.
        """
        ...


@runtime_checkable
class RecheckingSource(Source, Protocol):
    """A source that can say whether posts were edited or deleted since."""

    sweep: timedelta

    async def recheck(self, posts: Sequence[Post]) -> Batch | TryLater | Gone:
        """Say what became of up to 20 posts of one origin; posts that did not change bring no event."""
        ...


class Watched(Protocol):
    """What is listened for, as it is at this moment."""

    feeds: Mapping[str, Feed]
    """The source's feeds that somebody wants, by address; none that was never seeded: its first poll comes before."""
    tags: Set[str]
    """The folded hashtags that somebody wants of this source."""

    async def changed(self) -> None:
        """Return when feeds or tags are others than they were when this was called."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """What a stream brought. Given on at once, written in one transaction; the next is asked for when it is kept."""

    events: tuple[tuple[str, Event], ...] = ()
    """Each with the address of the feed that it belongs to; "" where it belongs to none: then its hashtags decide."""
    cursor: str | None = None
    """How far the stream has been read, with this; None: as it was. Only the source can read it."""
    missed: tuple[str, ...] = ()
    """Addresses of feeds of which something may have been missed: they are polled at once."""
    note: str = ""
    """What does not work, for people; empty: all is well."""


@runtime_checkable
class StreamingSource(Source, Protocol):
    """A source that is told of posts as they happen. Polling goes on besides, and finds what a stream lost."""

    def streams(self) -> Sequence[str]:
        """The streams that there are, by name (an instance, a firehose). Of several processes one listens to each."""
        ...

    def stream(self, name: str, watched: Watched, cursor: str) -> AsyncIterator[Streamed]:
        """Listen until closed. To connect again, at a pace of its own, is the stream's business."""
        ...
