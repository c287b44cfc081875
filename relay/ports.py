"""The seams: what a source and an adapter promise, and what they may answer: all that a plugin is written against.

An answer that the outside world may give is a value; an exception is a bug.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol, runtime_checkable

from relay.model import Author, Card, Delivery, Destination, Event, Feed, MessageId, Post
from relay.rich import Text

# --- what the outside world may answer ---


@dataclass(frozen=True, slots=True)
class TryLater:
    """Not now: ``after`` is what the other side asked for, None where it said nothing."""

    reason: str
    after: timedelta | None = None
    paced: bool = False
    """Nothing failed and nobody was asked in vain: our own pace wants it ``after`` that time."""
    cursor: str | None = None
    """Of a poll: what is to be remembered though nothing was read; None: as it was."""


@dataclass(frozen=True, slots=True)
class Refused:
    """This one thing will never work; others may."""

    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The place itself is gone or closed to us: stop until a person says otherwise."""

    reason: str


@dataclass(frozen=True, slots=True)
class Sent:
    """Done. ``messages`` are the ids that an edit or a deletion will need.

    ``wait`` is how long the platform wants the next delivery at this destination to wait: pace that is kept here holds
    no hand of the outbox, and is not broken by a restart.
    """

    messages: tuple[MessageId, ...] = ()
    wait: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Moved:
    """The place has another address from now on: whatever goes there goes to the new one, this delivery too.

    Ids of messages stay as they are: the adapter knows the old address in them.
    """

    destination: Destination


@dataclass(frozen=True, slots=True)
class Unknown:
    """The platform may or may not have taken it (a time-out after the request was written)."""

    reason: str


Outcome = Sent | TryLater | Refused | Gone | Moved | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of ``relay check``. ``note`` says what is wrong and what to do, or what is good to know."""

    name: str
    ok: bool
    note: str = ""


# --- chat platforms ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a platform allows; declared, not discovered by failing."""

    text: int | None = None
    """Characters in one message, as the platform counts them."""
    media: int | None = None
    threads: bool = False
    """One message may show a whole thread: it is told all that is there of it (:attr:`relay.model.Card.posts`)."""
    edits: bool = True
    deletions: bool = True
    idempotent: bool = False
    """A second try with the same delivery id is the same message, for at least as long as a restart takes."""
    gap: timedelta = timedelta(0)
    """The least time between two messages at one destination."""
    on_unknown: Literal["resend", "skip"] | None = None
    """What to do when nobody knows whether a message arrived; None: as ``[outbox]`` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a person asked the relay for in a chat: a command of ``relay.commands.TABLE`` with its arguments.

    The adapter has found out what only the platform knows: which destination is meant, whether the person may manage
    it, and whether the relay may post there.
    """

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    """As they were typed, by the parameter's name; what was left out is not there."""
    destination: Destination
    """The channel, chat or room that it is about: another one that was named, or the one in which it was asked."""
    community: str = ""
    """What the destination is a part of (a guild, a homeserver), as the platform calls it."""
    user: str
    """Who asked, as the platform calls them for good: an id, not a name."""
    language: str = "en"
    """The language tag of the person, or of the room."""
    may_manage: bool = False
    """The platform was asked, for this call, whether the person may manage the destination."""
    obstacle: str = ""
    """Why the relay could not post at the destination, in words for people; empty: it could, or nobody knows."""
    options: str = ""
    """Options of the adapter's own that were given, as a JSON object (:attr:`relay.model.Subscription.options`)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to do next, at the press of a button: ``line`` is a command line of at most 60 bytes."""

    label: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the relay answers to a command: for the asker alone where the platform can do that."""

    text: Text
    cards: tuple[Card, ...] = ()
    """Posts to show, as they would be sent."""
    choices: tuple[Choice, ...] = ()
    failed: bool = False
    """Nothing was done; the text says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A person is typing an argument: what could it become?"""

    command: str
    parameter: str
    typed: str
    destination: Destination
    community: str = ""
    """As in :class:`Command`: what people of other communities follow is not suggested."""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``value`` is what the argument becomes, ``label`` what the person sees."""

    label: str
    value: str


class Inbox(Protocol):
    """Where an adapter brings what people ask and what the platform tells. Nothing here raises."""

    async def answer(self, command: Command) -> Answer:
        """Carry out a command. May take seconds where a source must be asked."""
        ...

    async def suggest(self, question: Question) -> Sequence[Suggestion]:
        """At most 25, the likeliest first; answers at once."""
        ...

    async def lost(self, destinations: Collection[Destination], reason: str) -> None:
        """These are gone or closed to us, the platform says: whatever is relayed there is paused with the reason."""
        ...


class Adapter(Protocol):
    """A chat platform. One attempt per call; the outbox owns order, pace and retries."""

    name: str
    limits: Limits
    remote: bool
    """Its readers are elsewhere: a page that only this machine can reach is no use to them."""

    async def run(self, inbox: Inbox) -> None:
        """Receive commands until cancelled. An adapter without commands returns at once.

        Of several processes with one account only one runs this at a time; ``deliver`` works without it.
        """
        ...

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Carry out one delivery, once."""
        ...

    async def check(self, destinations: Collection[Destination] = ()) -> Sequence[Check]:
        """Ask the platform whether a delivery would work, in general and at each of these destinations of ours."""
        ...

    async def close(self) -> None:
        """Let go of connections. A second call does nothing."""
        ...


# --- places that are read ---


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


# --- sources at which people can speak to the relay, by mentioning its account in a post ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The relay's own account on a network."""

    uri: str
    """As it stands in :attr:`Author.uri`."""
    handle: str
    """What people write to mention it: ``@who@host``."""
    url: str = ""
    note: str = ""
    """What a person should mend, for people (it cannot be marked as a bot, …); empty: all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A post in which somebody mentions the relay's account; read by anybody or only by us, as its author chose."""

    uri: str
    """Of that post: it is answered once, however often it is told."""
    asker: Author
    """Who wrote it, as their network vouches for; ``bot`` is what they say of themselves."""
    text: str
    """Plain, with all that they wrote."""
    at: datetime
    about: str = ""
    """What it answers, or else quotes, as ``fetch_thread`` of the source understands it; empty: neither."""
    language: str = ""
    reply: str = ""
    """What only the source can read: all that it needs to answer, after a restart too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions:
    """What was said to an account since the cursor, oldest first. ``cursor`` None: it did not move."""

    mentions: tuple[Mention, ...] = ()
    cursor: str | None = None
    more: bool = False
    """There is more to read at once."""
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer stands there. ``wait``: how long the network wants the account to be silent now."""

    uri: str
    """Of the answer; never empty."""
    wait: timedelta = timedelta(0)


@runtime_checkable
class MentionedSource(Source, Protocol):
    """A source at which the relay may have accounts that people mention. It keeps nothing: the core does."""

    listen: timedelta
    """How often to ask for mentions."""
    posting: tuple[int, timedelta]
    """How many answers an account may give in what time."""

    def accounts(self) -> Sequence[str]:
        """The accounts that the configuration names, each by a name that stays; none: nobody is to be answered."""
        ...

    async def account(self, name: str) -> Account | TryLater | Gone:
        """Who that is. The account is marked as a bot's where it can be. ``Gone``: it is closed to us."""
        ...

    async def mentions(self, name: str, cursor: str) -> Mentions | TryLater | Gone:
        """Read on from the cursor; with an empty one nothing is told, but where the reading stands from now on.

        What the account itself wrote is left out; so is what is no mention in words (a boost, a like).
        """
        ...

    async def answer(
        self, name: str, mention: Mention, text: str, *, key: str, again: bool
    ) -> Answered | TryLater | Refused | Gone:
        """Post one answer below the mention, to those who could read the mention and nobody else.

        ``text`` is plain, in the language of ``mention``, with at most one web address, at its end; whom it answers is
        put before it by the source where the network wants that. ``key`` is the same for each try of one answer.
        ``again``: an earlier try began, and nobody knows how it ended; then the source makes sure that there is no
        second answer. ``Refused``: it may not be answered (deleted, closed to replies). ``Gone``: the account is closed
        to us; the mention stays open.
        """
        ...
