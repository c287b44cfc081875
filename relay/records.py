"""What the store is given, and what it gives; of no concern to sources and adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
    Post,
    PostUri,
    Removed,
    Subscription,
    SubscriptionId,
)
from relay.options import NO_FILTERS, USUAL_DELIVERY, DeliveryOptions, Filters
from relay.ports import Mention, Resolved

STREAMS = "stream"
"""Whose notes the cursors of streams are."""


class StoreError(Exception):
    """The database did not take it (full disk, locked, gone). Nothing of the transaction was kept; try again later."""

    def __init__(self, message: str, trouble: str = "does not do what was asked") -> None:
        super().__init__(message)
        self.trouble = trouble
        """The rest of a sentence that begins with the database: without its place, and without a driver's words."""


class StoreBusyError(StoreError):
    """Another program kept something locked for longer than is waited for."""


class StoreLostError(StoreError):
    """The database's file is no longer where it was: there is no use in trying again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "is no longer where it was")


class Subscriber(Protocol):
    """What is told of a subscription with what it wants."""

    @property
    def id(self) -> SubscriptionId: ...

    @property
    def topic(self) -> str: ...

    @property
    def delivery_options(self) -> DeliveryOptions: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSend:
    """The sends that the match decided on: one post, to all who want it."""

    uri: PostUri
    by: Mapping[str, Subscriber]
    """For each destination, as it is written, the subscription that wants the post there."""
    place: str = ""
    """Where the post was read, for people."""
    late: bool = False
    """It was published long before it came, and shares a message with others of its kind."""

    def reason(self, subscription: Subscriber) -> str:
        """Why the post is there, for people: the topic, and the place where the topic does not name it."""
        topic = subscription.topic
        return f"{topic} · {self.place}" if self.place and self.place not in topic else topic


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many new messages a destination takes within an hour, and how many at once; a budget of 0: any number."""

    budget: int = 0
    burst: int = 10
    unedited: frozenset[str] = frozenset()
    """The adapters whose messages stay as they were sent (:attr:`relay.ports.Limits.edits`)."""
    undeleted: frozenset[str] = frozenset()
    """The adapters whose messages cannot be deleted."""

    @property
    def fixes(self) -> bool:
        """Whether there are places where something that was sent cannot be changed."""
        return bool(self.unedited or self.undeleted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What holds for everything that a store takes in."""

    allowance: Allowance = Allowance()
    """What a destination takes, where a subscription says nothing of its own; by default any number."""
    looks: tuple[timedelta, ...] = ()
    """How long after a thread grew its source is asked again whether it grew on; empty: never."""
    threaded: frozenset[str] = frozenset()
    """The sources that can be asked for threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """All that one poll means, decided by pure code, written in one transaction."""

    feed: FeedId | None
    """None where the events did not come from a feed (a re-check, a look at a thread); then no cursor moves."""
    events: tuple[Event, ...] = ()
    planned_sends: tuple[PlannedSend, ...] = ()
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
    at_once: int | None = None
    """So many of the posts that a destination is to get, the newest, have messages of their own there; None: all."""
    stream: tuple[str, str] | None = None
    """A stream and its cursor, kept with what it brought: the note of that name, whose owner is :data:`STREAMS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What became of subscriptions since their number was another."""

    version: int
    """The number to ask from next; the same as before: nothing changed."""
    subscriptions: tuple[Subscription, ...] = ()
    """Those that were added, changed or linked otherwise, as they are now."""
    gone: tuple[SubscriptionId, ...] = ()


@dataclass(frozen=True, slots=True)
class Unlinked:
    """A subscription that is not linked to all that it needs."""

    id: SubscriptionId
    topic: str
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Linking:
    """What sources answered to subscriptions that want the same, by the sources' names."""

    subscriptions: tuple[SubscriptionId, ...]
    resolved: Mapping[str, Resolved]
    complete: bool
    """No source is left to be asked."""


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
    until: datetime | None = None
    """When the lease of what was claimed lapses."""
    due: datetime | None = None
    """When the next of the destinations may be served that were given something to do and are not served yet."""


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
    delivery_options: DeliveryOptions = USUAL_DELIVERY
    filters: Filters = NO_FILTERS
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
    action: str
    """The command."""
    detail: str = ""
    """What it was about: the topic, and what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingUser:
    """Who changes something, when, and by which command: what an audit row needs to know."""

    user: str
    action: str
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
    listed: bool = False
    """Others may see which hashtags it follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the store knows of one thread (or of a single post): its chain, oldest first, all by one author."""

    slug: str
    root: PostUri
    posts: tuple[Post | Removed, ...]
    looked: datetime | None
    """When the source was last asked for the whole thread."""
    updated: datetime
    asides: tuple[tuple[Post, ...], ...] = ()
    """Other chains of the author's answers to themselves, that branch off."""
    asked: bool = False
    """The author asked for the page."""
    visited: datetime | None = None
    """When it was last read, or asked for, to within a day."""
    listed: bool = True
    """Its author has not said no to lists since."""
    seen: datetime | None = None
    """When a source last published something of it, to within a day: a feed may bring what was written long ago."""
    more: int = 0
    """Posts of it besides these, where it was read for a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What a stop hid: how many posts, and how many messages that are to be deleted because of it.

    ``erased`` is when the rest follows.
    """

    posts: int = 0
    messages: int = 0
    erased: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What was a stop and is none any more: how many posts can be read again."""

    posts: int = 0
    erased: bool = False
    """It came too late for what was there before."""


class StopKind(StrEnum):
    """What was taken out, and who decided it."""

    OWN = "own"
    """An author, who asked for it and may undo it."""
    AUTHOR = "author"
    """An author, by the operator's decision, which nobody else undoes."""
    POST = "post"
    """The thread of a post, by the operator's decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Somebody, or something, that is taken out."""

    kind: StopKind
    ref: str
    """Who or what; empty once it is erased."""
    at: datetime
    erased: datetime | None
    """When that happens; None: it has happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many there are of each; for pages, summaries and health."""

    posts: int = 0
    unknown: int = 0
    """Attempts of which nobody knows whether they arrived."""
    deliveries: Mapping[tuple[Action, State], int] = field(default_factory=dict)


# --- lists of threads, and what tells that a page or a list shows something else by now ---


@dataclass(frozen=True, slots=True, kw_only=True)
class PageVersion:
    """What tells that a page shows something else than before: then it is not equal to what it was.

    It says nothing of what is shown, and so may be compared with one that was read in another process.
    """

    root: PostUri
    number: int
    """Counts the changes of the thread."""
    looked: datetime | None = None
    asked: bool = False
    visited: datetime | None = None
    seen: datetime | None = None
    stops: int = 0
    """Counts what was taken out or let back in: anything may quote it."""


class ListKind(StrEnum):
    """The lists of threads that a database keeps."""

    LATEST = "latest"
    """Of all, those that grew last."""
    TAG = "tag"
    """What was relayed on a hashtag that is followed in public."""
    AUTHOR = "author"
    """By the author of a page."""
    DIGEST = "fold"
    """What shares a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPart:
    """Some of a list of threads, the latest first: at most ``limit``, of those that come after ``after``."""

    kind: ListKind
    name: str = ""
    """A folded hashtag; the slug of one of the author's pages; the slug of a digest."""
    after: str = ""
    """The mark that :attr:`ThreadList.older` gave; empty: the list's beginning."""
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListVersion:
    """What tells that a part of a list shows something else, like :class:`PageVersion`."""

    pages: tuple[object, ...] = ()
    older: str = ""
    about: tuple[object, ...] = ()
    """What else is shown beside the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadList:
    """Some of a list of threads, newest first."""

    pages: tuple[Page, ...] = ()
    older: str = ""
    """A mark of the place where the list goes on, which tells nothing to a reader; empty: these are the last."""
    topic: str = ""
    """Of a digest: what it is about."""

    @property
    def more(self) -> bool:
        """Whether there are others after these."""
        return bool(self.older)


# --- what people asked for in mentions ---


class RequestState(StrEnum):
    """The life of what somebody asked in a mention: new → answering → answered, or one of the others."""

    NEW = "new"
    ANSWERING = "answering"
    """An answer was begun; until it is settled nobody knows whether it stands there."""
    ANSWERED = "answered"
    REPEATED = "repeated"
    """The same person has an answer about the same thread."""
    IGNORED = "ignored"
    """It asks for nothing, or a bot asks."""
    FAILED = "failed"
    """It could not be answered; the reason was logged."""


class Effect(StrEnum):
    """What became of a stop, or of its undoing, before it is answered."""

    DONE = "done"
    NOTHING = "nothing"
    """There was nothing to undo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A mention to be kept. ``urgent``: a stop, or its undoing, which waits behind nothing else.

    ``host`` is where the thread that it asks about is read; empty where that is not known by its address.
    """

    mention: Mention
    urgent: bool = False
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many mentions are looked at at once: in all, about threads of one host, and by one asker."""

    total: int
    host: int
    asker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingMention:
    """A mention that waits to be looked at, and how often it was put off."""

    mention: Mention
    state: RequestState
    tries: int = 0
    effect: Effect | None = None
    """Of a stop, or its undoing: None until it was carried out."""
