"""The seam to what is kept: the store, what it is given and what it gives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from relay.model import (
    Action,
    Delivery,
    DeliveryId,
    Destination,
    Event,
    Feed,
    FeedId,
    MessageId,
    Only,
    Post,
    PostUri,
    Removed,
    Subscription,
    SubscriptionId,
)
from relay.ports.source import Resolved
from relay.sieve import OPEN, Sieve

STREAMS = "stream"
"""Whose notes the cursors of streams are."""


class StoreError(Exception):
    """The database did not take it (full disk, locked, gone). Nothing of the transaction was kept; try again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The sends that the match decided on: one post, to all who want it."""

    uri: PostUri
    by: Mapping[str, Subscription]
    """For each destination, as it is written, the subscription that wants the post there."""
    place: str = ""
    """Where the post was read, for people."""

    def reason(self, subscription: Subscription) -> str:
        """Why the post is there, for people: the topic, and the place where the topic does not name it."""
        topic = subscription.topic
        return f"{topic} · {self.place}" if self.place and self.place not in topic else topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """All that one poll means, decided by pure code, written in one transaction."""

    feed: FeedId | None
    """None where the events did not come from a feed (a re-check, a look at a thread); then no cursor moves."""
    events: tuple[Event, ...] = ()
    wishes: tuple[Wish, ...] = ()
    cursor: str | None = None
    """None: it did not move."""
    next_poll: datetime | None = None
    seeded: bool | None = True
    """None: as it was."""
    failures: int = 0
    stopped: str = ""
    """The reason why the feed is polled no more."""
    note: str = ""
    """The feed's state for people; empty: all is well."""
    next_check: datetime | None = None
    """When relayed posts among the events are first to be re-checked; None: never."""
    rechecked: tuple[tuple[PostUri, datetime | None], ...] = ()
    """Posts that were re-checked, with the next time (None: never again)."""
    looked: PostUri | None = None
    """The root of the thread that was looked at."""
    stream: tuple[str, str] | None = None
    """A stream and its cursor, kept with what it brought: the note of that name, whose owner is :data:`STREAMS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who claims, when, until when. A lapsed lease is anybody's, and its former holder's later writes are refused."""

    owner: str
    now: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """How many deliveries to claim at most, for which adapters."""

    adapters: tuple[str, ...]
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of intakes: the posts that were new, the feeds whose lease was lost, what was claimed at once."""

    posts: int = 0
    stale: tuple[FeedId, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


class State(StrEnum):
    """The life of a delivery: due → sending → one of the others (or due again)."""

    DUE = "due"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    """Refused for good; the reason is kept."""
    SKIPPED = "skipped"
    """Nothing to do any more, or unknown whether it arrived and the policy says not to send again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What becomes of a claimed delivery and its destination after one outcome; decided by ``schedule.settle``."""

    delivery: DeliveryId
    destination: Destination
    state: State
    due: datetime
    """When the destination may be served again."""
    reason: str = ""
    messages: tuple[MessageId, ...] = ()
    pause: str = ""
    """The reason to serve the destination no more; the delivery then stays due."""
    moved: Destination | None = None
    """The destination's new address: its subscriptions and deliveries go there; the delivery then stays due."""
    unknown: bool = False
    """Nobody knows whether this attempt arrived; such attempts are counted."""
    paced: bool = False
    """It was no failure: it lengthens no wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A subscription as the configuration or a person in a chat asks for it; see :class:`relay.model.Subscription`."""

    topic: str
    destination: Destination
    networks: tuple[str, ...] = ()
    mode: str = "posts"
    languages: tuple[str, ...] = ()
    only: Only = Only.ALL
    sieve: Sieve = OPEN
    options: str = ""
    community: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How many subscriptions people may make in the chats; those of the configuration count, but are never refused."""

    destination: int
    community: int


@dataclass(frozen=True, slots=True)
class Added:
    """The subscription that was asked for. Not ``new``: the destination had it already, and nothing was changed."""

    id: SubscriptionId
    new: bool = True


@dataclass(frozen=True, slots=True)
class Full:
    """No more subscriptions fit: ``limit`` of them are at the destination, or (``community``) in its community."""

    limit: int
    community: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One change that a person made in a chat."""

    at: datetime
    user: str
    """Who, as the platform calls them for good."""
    destination: Destination
    deed: str
    """The command."""
    detail: str = ""
    """What it was about: the topic, and what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who changes something, when, and by which command: what an audit row needs to know."""

    user: str
    deed: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """A feed as people see it."""

    feed: Feed
    polled: datetime | None
    next_poll: datetime | None
    stopped: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationState:
    destination: Destination
    waiting: int
    paused: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the store knows of one thread (or of a single post): its chain, oldest first, all by one author."""

    slug: str
    root: PostUri
    posts: tuple[Post | Removed, ...]
    looked: datetime | None
    """When the source was last asked for the whole thread."""
    updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many there are of each; for pages, summaries and health."""

    posts: int = 0
    unknown: int = 0
    """Attempts of which nobody knows whether they arrived."""
    deliveries: Mapping[tuple[Action, State], int] = field(default_factory=dict)


class Store(Protocol):
    """One method = one transaction; verbs: add get list claim save delete. All of them raise :class:`StoreError`."""

    async def add_intakes(self, intakes: Sequence[Intake], lease: Lease, claim: Claim | None = None) -> Taken:
        """Write posts, deliveries and cursors together, and claim of the destinations that they touch.

        An intake whose feed is no longer leased to ``lease.owner`` is left out whole and named in ``Taken.stale``.
        """
        ...

    async def claim_feeds(self, sources: Sequence[str], lease: Lease, limit: int) -> Sequence[Feed]:
        """Lease feeds that are due, longest overdue first."""
        ...

    async def get_next_poll(self, sources: Sequence[str]) -> datetime | None:
        """When the next feed is due or its lease lapses."""
        ...

    async def save_due(self, due: Sequence[FeedId], now: datetime) -> Sequence[FeedId]:
        """Have feeds polled now; those that are being polled already, which are answered, stay as they are."""
        ...

    async def save_feed_leases(self, held: Sequence[FeedId], lease: Lease) -> None:
        """Hold on to feeds whose poll is still under way."""
        ...

    async def claim_rechecks(self, source: str, lease: Lease, limit: int) -> Sequence[Post]:
        """Posts of one origin that are due to be re-checked; they are due again when the lease lapses."""
        ...

    async def claim_deliveries(self, claim: Claim, lease: Lease) -> Sequence[Delivery]:
        """The head of the queue of each due, unpaused, unleased destination; at most one delivery per destination."""
        ...

    async def save_settlements(
        self, settlements: Sequence[Settlement], lease: Lease, claim: Claim | None = None
    ) -> Sequence[Delivery]:
        """Write outcomes, free the destinations, claim what comes next. A lost lease's settlement changes nothing."""
        ...

    async def get_next_due(self, adapters: Sequence[str]) -> datetime | None:
        """When the next destination may be served or its lease lapses."""
        ...

    async def delete_leases(self, owner: str) -> None:
        """Give back what this owner still holds; deliveries in flight come back as interrupted."""
        ...

    async def save_subscriptions(self, origin: str, wanted: Sequence[Wanted]) -> Sequence[SubscriptionId]:
        """Make the subscriptions of this origin be exactly these; ids in the order of ``wanted``."""
        ...

    async def save_resolved(
        self, subscription: SubscriptionId, resolved: Mapping[str, Resolved], now: datetime
    ) -> None:
        """Link a subscription to its feeds (due at once where they are new or were stopped) and hashtags, by source."""
        ...

    async def add_subscription(self, wanted: Wanted, quota: Quota, by: By) -> Added | Full:
        """Add a subscription of origin ``chat``, with its audit row.

        ``Added.new`` is False where the destination has the same topic already, from whichever origin.
        """
        ...

    async def save_subscription(self, subscription: Subscription, by: By) -> bool:
        """Write its mode, languages, only, sieve, options and pause, with an audit row; False where it is gone."""
        ...

    async def delete_subscription(self, subscription: SubscriptionId, by: By) -> bool:
        """Delete one, and its feeds where nobody else reads them; False where it is gone.

        With the destination's last subscription goes what waits there and was not begun; while another is left, what
        waits may be its own, and is sent.
        """
        ...

    async def list_subscriptions(self, destination: Destination | None = None) -> Sequence[Subscription]: ...

    async def list_tags(self, limit: int) -> Sequence[str]:
        """Hashtags of the latest posts and of the subscriptions, as they were written, the most recent first."""
        ...

    async def list_audit(self, limit: int, destination: Destination | None = None) -> Sequence[Audit]:
        """The latest changes, newest first."""
        ...

    async def claim_lease(self, name: str, lease: Lease) -> bool:
        """Take or hold on to what only one process may own; False: another one has it until its lease lapses."""
        ...

    async def list_feeds(self) -> Sequence[FeedState]: ...

    async def list_destinations(self) -> Sequence[DestinationState]: ...

    async def save_destination(
        self, destination: Destination, paused: str, now: datetime, by: By | None = None
    ) -> None:
        """Pause with a reason, or resume with an empty one; with an audit row where a person in a chat did it."""
        ...

    async def save_lost(self, destinations: Collection[Destination], reason: str, now: datetime) -> Sequence[str]:
        """Pause those to which something is or was relayed, but for those that are paused already; which they are."""
        ...

    async def get_page(self, slug: str) -> Page | None: ...

    async def get_page_of(self, ref: str) -> Page | None:
        """The page of the thread in which ``ref`` (uri, alias or web address) stands."""
        ...

    async def list_pages(self, limit: int) -> Sequence[Page]:
        """The latest threads of two posts or more whose authors allow lists, newest growth first."""
        ...

    async def get_counts(self) -> Counts: ...

    async def get_note(self, owner: str, key: str, now: datetime) -> str | None:
        """What ``owner`` noted under ``key``; None of nothing, and of what was over by ``now``."""
        ...

    async def save_note(self, owner: str, key: str, value: str, until: datetime) -> None:
        """Note ``value`` until then, in the place of what stood there."""
        ...

    async def delete_old(self, before: datetime) -> int:
        """Forget posts from before with their settled deliveries, what people changed then, notes that were over then.

        How many posts.
        """
        ...

    async def close(self) -> None: ...
