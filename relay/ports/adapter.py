"""The seam to a chat platform."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from relay.model import Delivery, Destination
from relay.ports.answers import Check, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a platform allows; declared, not discovered by failing."""

    text: int | None = None
    """Characters in one message, as the platform counts them."""
    media: int | None = None
    edits: bool = True
    deletions: bool = True
    idempotent: bool = False
    """A second try with the same delivery id is the same message, for at least as long as a restart takes."""
    gap: timedelta = timedelta(0)
    """The least time between two messages at one destination."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One line that a person wrote to the relay in a chat."""

    text: str
    destination: Destination
    user: str
    may_manage: bool


Inbox = Callable[[Command], Awaitable[str]]


class Adapter(Protocol):
    """A chat platform. One attempt per call; the outbox owns order, pace and retries."""

    name: str
    limits: Limits
    remote: bool
    """Its readers are elsewhere: a page that only this machine can reach is no use to them."""

    async def run(self, inbox: Inbox) -> None:
        """Receive commands until cancelled. An adapter without commands returns at once."""
        ...

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Carry out one delivery, once."""
        ...

    async def check(self) -> Sequence[Check]:
        """Ask the platform whether a delivery would work."""
        ...
