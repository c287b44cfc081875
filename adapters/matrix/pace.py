"""How often one account may post: learned from what the homeserver refuses, over all rooms together.

Pure: the clock is an argument, in seconds. A homeserver counts what an account sends in a leaky bucket (Synapse's
``rc_message``: 0.2 a second, ten at once) and does not tell its size. So nothing is held back until the first refusal.
That one says when the next message may come, and so how fast the bucket leaks; how many went well before says how large
it is. From then on the bucket is kept here as well. What was learned is forgotten when nothing was refused for a while:
an admin may have lifted the limit, and one more refusal costs little.

Rooms that wait stand in a queue, so that each has its turn.
"""

from __future__ import annotations

from collections import OrderedDict

REMEMBERED = 600.0
"""Seconds without a refusal until the limit is tried again."""
LATE = 2.0
"""So many seconds after its turn a room that did not come has lost it."""
MANY = 500
"""Messages that are remembered until the first refusal; no bucket is that large."""
SLACK = 0.01
"""A share of the time between two messages that is waited longer: clocks and ways differ."""
SMALLEST, LARGEST = 0.02, 0.4
"""What is learned errs on the quick side: each further refusal makes the time between two messages so much longer."""
FEW = 3
"""So few messages between two refusals, and the step doubles."""
SURE = 1.05
"""Learned anew and hardly changed: then it says something of the bucket's size, too."""


class Pace:
    """Whether one more message may go out now."""

    def __init__(self) -> None:
        self._gap = 0.0
        """Seconds in which the bucket loses one message; 0: not known, nothing is held back."""
        self._size = 0.0
        """How many it holds; 0: not known."""
        self._before, self._since = 0.0, 0.0
        """How full the bucket was at the last refusal, and when that was."""
        self._after, self._step = 0.0, SMALLEST
        """What it asked to wait, and how much longer the gap became."""
        self._taken: list[float] = []
        """When messages were sent since then."""
        self._level, self._seen = 0.0, 0.0
        """How full the bucket was when the last of them was sent."""
        self._well = 0.0
        """When a message was last known to be taken; 0: never."""
        self._closed = 0.0
        self._turns: OrderedDict[str, float] = OrderedDict()
        """Rooms that wait, the first to go first, and when their turn comes."""

    # --- may I? ---

    def wait(self, room: str, now: float) -> float:
        """Seconds until the room's turn; it stands in the queue for it from now on. 0: now."""
        self._forget(now)
        before = list(self._turns).index(room) if room in self._turns else len(self._turns)
        turn = self._free(now, before)
        if turn <= now:
            self._turns.pop(room, None)
            return 0.0
        self._turns[room] = turn
        return turn - now

    def wait_for_people(self, now: float) -> float:
        """Seconds until somebody may go who stands in no queue; 0: now."""
        self._forget(now)
        return max(0.0, self._free(now, 0) - now)

    def next_wait(self, now: float) -> float:
        """Seconds after which a room that has just posted may come again: behind those who wait.

        It has no place in the queue yet: perhaps it has nothing more to say.
        """
        self._forget(now)
        return max(0.0, self._free(now, len(self._turns)) - now)

    # --- one message ---

    def take(self, now: float) -> None:
        """A message goes out."""
        self._taken.append(now)
        del self._taken[:-MANY]
        if self._gap:
            self._level, self._seen = self._left(now) + 1, now

    def took(self, now: float) -> None:
        """It was taken."""
        self._well = now

    def unsent(self) -> None:
        """It never came there, or was not taken for a reason of its own."""
        if self._taken:
            self._taken.pop()
        self._level = max(0.0, self._level - 1)

    def refused(self, after: float, now: float) -> None:
        """It was one too many; the next one may come in ``after`` seconds."""
        self.unsent()
        before, self._gap = self._gap, max(self._slower(after, now), self._observed(after, now))
        self._after = after
        self._closed = max(self._closed, now + after)
        if self._gap:
            # The bucket is full but for what leaks meanwhile: so large it is, and so full from here on.
            if not self._size or (before and self._gap < before * SURE):
                seen = max(1.0, self._simulated(now) + 1 - after / self._gap)
                self._size = min(self._size or seen, seen)
            self._level = max(0.0, self._size - 1 + after / self._gap)
        self._before, self._since, self._seen = self._level, now, now
        self._taken.clear()

    # --- inside ---

    def _observed(self, after: float, now: float) -> float:
        """How long the bucket takes for one message, at least: from the last that went well to the next that may go.

        Where others use the account too, the last one was perhaps theirs: then the step is a small one.
        """
        if not self._well:
            return 0.0
        return min(now + after - self._well, max(2 * after, self._gap + after))

    def _slower(self, after: float, now: float) -> float:
        """A gap that is a step longer than the last, but not longer than what went well between two refusals tells.

        Refused again after hardly a message, the steps grow: what was learned was far too quick.
        """
        if not self._taken:  # it went out together with the one that was refused before
            return self._gap
        step = self._step if len(self._taken) <= FEW else SMALLEST
        self._step = min(2 * step, LARGEST)
        counted = (now + after - self._since - self._after) / len(self._taken)
        return min(self._gap * (1 + step), max(self._gap * (1 + SMALLEST), counted))

    def _simulated(self, now: float) -> float:
        """How full the bucket is, by what was sent since the last refusal."""
        level, seen = self._before, self._since
        for at in self._taken:
            level, seen = max(0.0, level - (at - seen) / self._gap) + 1, at
        return max(0.0, level - (now - seen) / self._gap)

    def _free(self, now: float, before: int) -> float:
        """When one more may go, with so many before it."""
        closed = max(now, self._closed)
        if not self._gap:
            return closed
        surplus = self._left(now) + 1 + before - self._size
        return max(closed, now + surplus * self._gap * (1 + SLACK))

    def _left(self, now: float) -> float:
        return max(0.0, self._level - (now - self._seen) / self._gap)

    def _forget(self, now: float) -> None:
        for room in [room for room, turn in self._turns.items() if turn + LATE + self._gap / 2 < now]:
            del self._turns[room]
        if self._gap and now - self._since > REMEMBERED:
            self._gap, self._before, self._since = 0.0, 0.0, now
            self._taken.clear()
