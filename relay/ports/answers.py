"""What the outside world may answer: values, so that nobody forgets one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from relay.model import Destination, MessageId


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
