"""When: to poll next, to re-check next, to try again; and what becomes of a delivery after one outcome.

Pure: ``now`` and ``jitter`` (0 ≤ jitter < 1) are arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Literal, assert_never

from relay.model import Action, Delivery, Destination
from relay.ports import Gone, Limits, Moved, Outcome, Refused, Sent, TryLater, Unknown
from relay.records import FeedState, Settlement, State

OnUnknown = Literal["resend", "skip"]

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=15)
LONGEST_POLL = timedelta(hours=6)
LONGEST_WAIT = timedelta(days=2)
"""No server is left alone for longer, whatever it asks: what is due later was written by a clock that was wrong."""
LATE = timedelta(seconds=10)
"""How late a poll may be and yet have been in its slot, where what was asked for would lead just past the next one."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECHECKED_FOR = timedelta(days=37)
"""A week, in which people still read the message, and the thirty days that a page stays after it was read."""
_SELDOM = timedelta(days=7), timedelta(days=1)
"""From that age on posts are re-checked so seldom."""


def backoff(
    attempt: int, jitter: float, *, first: timedelta = FIRST_RETRY, longest: timedelta = LONGEST_RETRY
) -> timedelta:
    """How long to wait after the n-th failure in a row (n ≥ 1): doubling, capped, spread by up to a half.

    The spread keeps many that failed together from coming back together.
    """
    doubled = first * (1 << min(max(attempt, 1) - 1, 30))
    return min(doubled, longest) * (1 + jitter / 2)


def phase(name: str) -> float:
    """Where in the interval a thing has its slot: from 0 up to 1, ever the same of one name, even over many names."""
    return int.from_bytes(blake2b(name.encode(errors="replace"), digest_size=6).digest()) / 2**48


def next_poll(now: datetime, interval: timedelta, wait: timedelta | None, phase: float) -> datetime:
    """After a good poll: the slot that is an interval away, or a later one where the other side asked for ``wait``.

    Each feed has slots of its own, an interval apart, ``phase`` of it after the full ones: many feeds that were read
    at once (after a start) come apart again, and stay so. A poll that came late does not lose its next slot, so the
    first pause is between a half and one and a half intervals; but none is shorter than ``wait``.
    """
    asked = now + min(wait or timedelta(0), max(LONGEST_WAIT, interval))
    at = _slot(max(now + interval / 2, asked - min(interval / 2, LATE)), interval, phase)
    return max(at, asked)


def _slot(earliest: datetime, interval: timedelta, phase: float) -> datetime:
    """The first slot that is not before ``earliest``."""
    tick = timedelta(microseconds=1)
    width = max(interval // tick, 1)
    return earliest + ((int(phase * width) - (earliest - EPOCH) // tick) % width) * tick


def next_poll_after_failure(
    now: datetime, interval: timedelta, after: timedelta | None, failures: int, jitter: float
) -> datetime:
    """After the n-th failed poll in a row: doubling from the interval up to six hours, never before ``after``."""
    pause = backoff(failures, jitter, first=interval, longest=max(interval, LONGEST_POLL))
    return now + max(pause, min(after or timedelta(0), LONGEST_WAIT))


def is_waiting(state: FeedState, latest: datetime | None) -> bool:
    """Whether a feed has been due for long while another one was read, at ``latest``."""
    if state.stopped or state.next_poll is None or latest is None:
        return False
    return latest - state.next_poll > LATE


def spend(until: datetime | None, now: datetime, budget: int, burst: int) -> datetime | None:
    """Until when the budget is used up with one more message; None: there is no room for it.

    A leaky bucket whose whole state is one moment (the generic cell rate algorithm of ITU-T I.371): ``budget`` messages
    an hour leak, ``burst`` fit at once.
    """
    gap = timedelta(hours=1) / budget
    then = max(until or now, now) + gap
    return then if then - now <= burst * gap else None


def next_look(grew: datetime, now: datetime, looks: Sequence[timedelta]) -> datetime | None:
    """When to ask again whether a thread grew that last did so then; None: it has come to its end."""
    return next((grew + look for look in looks if grew + look > now), None)


def next_check(published: datetime, now: datetime, sweep: timedelta) -> datetime | None:
    """When to ask again whether a relayed post was edited or deleted: the newest most often, old ones once a day.

    None once its page has run out, as far as nobody goes on to read it.
    """
    age = now - published
    if age > RECHECKED_FOR:
        return None
    for limit, factor in ((timedelta(hours=1), 1), (timedelta(hours=6), 3), (timedelta(days=1), 12)):
        if age < limit:
            return now + sweep * factor
    age_of_old, seldom = _SELDOM
    return now + (sweep * 48 if age < age_of_old else max(seldom, sweep * 48))


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """What a destination's adapter allows, and what to do when it is unknown whether a message arrived."""

    limits: Limits
    on_unknown: OnUnknown = "resend"

    def repeats(self, action: Action) -> bool:
        """An attempt that may have arrived is made again: nobody would notice, or the policy is to risk it."""
        return self.limits.idempotent or action is not Action.SEND or self.on_unknown == "resend"

    @classmethod
    def of(cls, limits: Limits, on_unknown: OnUnknown) -> RetryPolicy:
        """The adapter's own word on the unknown comes before everybody's."""
        return cls(limits=limits, on_unknown=limits.on_unknown or on_unknown)


def unsure(delivery: Delivery, policy: RetryPolicy) -> bool:
    """An interrupted attempt may have arrived, and the policy is not to send twice."""
    return delivery.interrupted and not policy.repeats(delivery.action)


def impossible(delivery: Delivery, policy: RetryPolicy) -> str:
    """The reason why a delivery needs no attempt at all, or an empty string."""
    if unsure(delivery, policy):
        return "it is unknown whether an interrupted attempt arrived, and the policy is not to send twice"
    if delivery.action is Action.SEND:
        return ""
    if not delivery.messages:
        return "nothing was sent here that could be changed"
    if delivery.action in {Action.EDIT, Action.COUNT} and not policy.limits.edits:
        return "messages cannot be edited here"
    if delivery.action is Action.DELETE and not policy.limits.deletions:
        return "messages cannot be deleted here"
    return ""


def settle(delivery: Delivery, outcome: Outcome, policy: RetryPolicy, now: datetime, jitter: float) -> Settlement:
    """The whole retry policy, as a transition table.

    ========  =====================================  ==============================================
    outcome   the delivery                           its destination
    ========  =====================================  ==============================================
    Sent      sent                                   waits: the platform's gap or ``wait``, the longer
    TryLater  due again                              waits: ``after`` or the backoff, the longer;
                                                     ``after`` alone where it is ``paced``
    Refused   failed, the reason kept                next at once
    Gone      due again                              paused, the reason kept
    Moved     due again, at the new address          becomes the new one; next at once, or after
                                                     the backoff where this was no first attempt
    Unknown   due again; skipped where the platform  waits the backoff; next at once if skipped
              cannot tell a repeat and the policy
              says not to risk one; counted
    ========  =====================================  ==============================================
    """

    def to(
        state: State,
        *,
        wait: timedelta = timedelta(0),
        reason: str = "",
        pause: str = "",
        moved: Destination | None = None,
    ) -> Settlement:
        return Settlement(
            delivery=delivery.id,
            destination=delivery.destination,
            state=state,
            due=now + min(wait, LONGEST_WAIT),
            reason=reason,
            messages=outcome.messages if isinstance(outcome, Sent) else (),
            pause=pause,
            moved=moved,
            unknown=isinstance(outcome, Unknown),
            paced=isinstance(outcome, TryLater) and outcome.paced,
        )

    retry = backoff(delivery.attempts + 1, jitter)
    match outcome:
        case Sent(_, wait):
            return to(State.SENT, wait=max(policy.limits.gap, wait))
        case TryLater(reason, after, paced):
            least = timedelta(0) if paced else retry
            return to(State.DUE, wait=max(least, after or timedelta(0)), reason=reason)
        case Refused(reason):
            return to(State.FAILED, reason=reason)
        case Gone(reason):
            return to(State.DUE, reason=reason, pause=reason)
        case Moved(destination):
            again = retry if delivery.attempts else timedelta(0)  # two places that name each other are no hot loop
            return to(State.DUE, wait=again, reason=f"the place is {destination} now", moved=destination)
        case Unknown(reason):
            given_up = to(State.SKIPPED, reason=f"unknown whether it arrived: {reason}")
            return to(State.DUE, wait=retry, reason=reason) if policy.repeats(delivery.action) else given_up
        case _:
            assert_never(outcome)
