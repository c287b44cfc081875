"""What the pages say of the place where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from relay.core.consent import UNDO_FOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A channel that readers may join."""

    name: str
    url: str
    about: str = ""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One relay, as its readers see it."""

    name: str = "Chasqui"
    public_url: str = ""
    """Where readers reach the pages; empty: where they are served."""
    language: str = "en"
    contact: str = ""
    """A mail or web address of a person."""
    joins: tuple[Join, ...] = ()
    expire: timedelta = timedelta(days=30)
    """How long a page stays that nobody reads, unless its author allows more; 0: for good."""
    accounts: Callable[[], Sequence[str]] = tuple
    """Whom to mention to be answered with a page (``@who@host``), as far as is known by now."""
    ask: str = "unroll"
    """The word that asks for a page."""
    stop: str = "stop"
    """The word by which authors take everything of theirs out."""
    undo: str = "undo stop"
    """The words by which they take that back."""
    undo_for: timedelta = UNDO_FOR
    """How long they can."""
    clock: Callable[[], datetime] = _now
    clock_trouble: Callable[[], str] = str
    """What is wrong with the machine's clock; empty where nothing is."""
