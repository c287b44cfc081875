"""The seam to a source in which people can speak to the relay: by mentioning its account in a post."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from relay.model import Author
from relay.ports.answers import Gone, Refused, TryLater
from relay.ports.source import Source


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


# --- what the store keeps of them ---


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
class Asked:
    """A mention that waits to be looked at, and how often it was put off."""

    mention: Mention
    state: RequestState
    tries: int = 0
    effect: Effect | None = None
    """Of a stop, or its undoing: None until it was carried out."""
