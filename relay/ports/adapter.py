"""The seam to a chat platform."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Protocol

from relay.model import Card, Delivery, Destination
from relay.ports.answers import Check, Outcome
from relay.rich import Text


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
