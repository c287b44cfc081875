"""How often one account may post: learned from what the homeserver refuses, over all rooms together.

Pure: the clock is an argument, in seconds. A homeserver counts what an account sends in a leaky bucket (Synapse's
``rc_message``: 0.2 a second, ten at once) and tells neither its rate nor its size. But each refusal tells the moment
at which the bucket takes one more, and each message that is taken moves that moment by the time in which one leaks. So
two refusals with a message between them tell the rate, however late their answers come: Synapse holds a refusal for
half a second, and its wait counts from before that. From then on the moment is kept here as well. What was learned is
forgotten when nothing was refused for a while: an admin may have lifted the limit, and some more refusals cost little.

Rooms that wait stand in a queue, so that each has its turn.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED = 600.0
"""Seconds without a refusal until the limit is tried again."""
LATE = 2.0
"""So many seconds after its turn a room that did not come has lost it."""
MANY = 500
"""Messages that are remembered until the first refusal; no bucket is that large."""
AT_ONCE = 3
"""Messages that may be on their way at a time: so many are refused together at first."""
LONG = 1.0
"""Seconds after which a message on its way holds up no other one: its room is slow, or the homeserver."""
SOON = 0.001
"""Seconds that are no wait."""
SLACK, SHARE = 0.1, 0.1
"""Seconds by which a message comes later than it might, and no more than such a share of the gap: ways differ. What is
late is not lost, as the bucket leaks meanwhile."""
JITTER = 0.03
"""Seconds by which two ways differ; what is learned errs on the quick side, which the next refusal tells."""
HELD_UP = 0.1
"""A refusal that took so many seconds longer than others says nothing exact: nobody knows when it was decided."""
RESTED = 1.0
"""Seconds without a message after which the bucket may have run dry, where nobody knows how fast it leaks."""
LATENESS = 0.25
"""A share of what is measured, from which on it counts."""
QUICKLY = 1.25
"""So many times as slow, where a bucket that cannot have held more was full again."""
CHANGED = 1.1
"""So many times as slow as it was, and somebody else uses the account too, or the limit is another one."""
LEAST = 2.0
"""What a bucket holds at least; one that holds less makes itself known as a slower one."""


@dataclass(slots=True, eq=False)
class Attempt:
    """A message on its way."""

    at: float
    alone: bool
    """No other one was on its way meanwhile."""


class MatrixPace:
    """Whether one more message may go out now."""

    def __init__(self) -> None:
        self._free: float | None = None
        """When the bucket takes one more, what is on its way counted in; None: nothing was refused."""
        self._gap = 0.0
        """Seconds in which the bucket loses one message; 0: not known."""
        self._size = LEAST
        self._rested = False
        """What was saved up in the bucket was used since the last refusal."""
        self._base: float | None = None
        """What was free at a refusal since which the bucket has never been empty."""
        self._since_base, self._last, self._since_last = 0, 0.0, 0
        """Messages taken since then; the same of the last refusal."""
        self._late = 0.0
        """How long after it might have the first message since then came: a refusal was held back for longer."""
        self._refused, self._quickest = 0.0, float("inf")
        """When that was, and how quickly one came at best."""
        self._flying: list[Attempt] = []
        self._single = False
        self._first: list[float] = []
        """When messages were sent before the first refusal."""
        self._full = (0.0, 0.0)
        """When that was decided, and what was free then."""
        self._turns: OrderedDict[str, float] = OrderedDict()
        """Rooms that wait, the first to go first, and when their turn comes."""

    # --- may I? ---

    def is_busy(self, now: float) -> bool:
        """So many messages are on their way that the next one waits until one of them has arrived, or takes long.

        While the rate is being learned it is one: else nobody knows what was counted before what.
        """
        unknown = self._single or (self._free is not None and not self._gap)
        return sum(now - one.at < LONG for one in self._flying) >= (1 if unknown else AT_ONCE)

    def wait(self, room: str, now: float) -> float:
        """Seconds until the room's turn; it stands in the queue for it from now on. 0: now."""
        self._forget(now)
        before = list(self._turns).index(room) if room in self._turns else len(self._turns)
        turn = self._turn(now, before)
        if turn <= now:
            self._turns.pop(room, None)
            return 0.0
        self._turns[room] = turn
        return turn - now

    def wait_for_people(self, now: float) -> float:
        """Seconds until somebody may go who stands in no queue; 0: now."""
        self._forget(now)
        return max(0.0, self._turn(now, 0) - now)

    def next_wait(self, now: float) -> float:
        """Seconds after which a room that has just posted may come again: behind those who wait.

        It has no place in the queue yet: perhaps it has nothing more to say.
        """
        self._forget(now)
        return max(0.0, self._turn(now, len(self._turns)) - now)

    # --- one message ---

    def take(self, now: float) -> Attempt:
        """A message goes out."""
        attempt = Attempt(now, alone=not self._flying)
        for other in self._flying:
            other.alone = False
        self._flying.append(attempt)
        if self._free is None:
            self._first.append(now)
            del self._first[:-MANY]
        else:
            saved = self._saved(now)
            first = not self._gap and not self._since_last
            if first:
                self._late = now - self._free
            if saved > self._free or (first and self._late > RESTED):
                self._rested, self._base = True, None
            self._free = max(self._free, saved) + self._gap
        return attempt

    def took(self, attempt: Attempt) -> None:
        """It was taken."""
        self._flying.remove(attempt)
        self._since_base += 1
        self._since_last += 1

    def unsent(self, attempt: Attempt) -> None:
        """It never came there, or was not taken for a reason of its own."""
        self._flying.remove(attempt)
        if self._free is not None:
            self._free -= self._gap
        if attempt.at in self._first:
            self._first.remove(attempt.at)

    def refused(self, attempt: Attempt, after: float, now: float) -> None:
        """It was one too many; the next one may come in ``after`` seconds, counted from when it went out."""
        known = self._free is not None
        self.unsent(attempt)
        free = attempt.at + after
        if not known:
            self._full = attempt.at, free
        self._quickest = min(self._quickest, now - attempt.at)
        exact = attempt.alone and now - attempt.at - self._quickest < HELD_UP
        if self._rested and self._gap and self._free is not None and free - self._free > self._gap / 2:
            if self._size > LEAST:  # less was saved up than was thought
                self._size = max(LEAST, self._size - (free - self._free) / self._gap)
            else:  # nothing was: it leaks more slowly
                self._gap *= QUICKLY
        if exact:
            self._measure(free)
        self._single = not exact
        self._free = free if attempt.alone or self._free is None else max(self._free, free)
        self._refused, self._rested = now, False

    # --- inside ---

    def _measure(self, free: float) -> None:
        """Learn the gap: by so much each message that was taken has moved the moment at which one more fits."""
        if self._base is None:
            self._base, self._since_base, self._late = free, 0, 0.0
        elif self._since_base:
            before, base = self._gap, self._base
            if not before and self._late > (free - base) * LATENESS:
                base += self._late  # it may have run dry meanwhile: rather too quick than too slow
            self._gap = max(0.0, free - base - JITTER) / self._since_base
            lately = max(0.0, free - self._last - JITTER) / self._since_last if self._since_last else 0.0
            if before and self._since_last >= LEAST and lately > self._gap * CHANGED:
                self._gap, self._base, self._since_base = lately, free, 0
            if not before and self._gap:
                self._size = max(self._size, self._held())
        self._last, self._since_last = free, 0

    def _held(self) -> float:
        """How much the bucket held at the first refusal, by what was sent before it."""
        level, seen = 0.0, 0.0
        decided, free = self._full
        for at in [*self._first, decided]:
            level, seen = max(0.0, level - (at - seen) / self._gap) + 1, at
        return level - (free - decided) / self._gap

    def _saved(self, now: float) -> float:
        """The bucket runs dry, and saves up no more than it holds."""
        return now - (self._size - 1) * self._gap if self._gap else float("-inf")

    def _turn(self, now: float, before: int) -> float:
        """When one more may go, with so many before it."""
        if self._free is None:
            return now
        turn = (
            max(self._free, self._saved(now))
            + before * self._gap
            + (min(SLACK, SHARE * self._gap) if self._gap else SLACK)
        )
        return turn if turn > now + SOON else now

    def _forget(self, now: float) -> None:
        for room in [room for room, turn in self._turns.items() if turn + LATE + self._gap / 2 < now]:
            del self._turns[room]
        if self._free is not None and now - self._refused > REMEMBERED:
            self._free, self._gap, self._base, self._single = None, 0.0, None, False
            self._first.clear()
