"""What visitors bring and wait for, a step at a time: however many they are, the relay's own work has its turns.

One post of the relay's own needs some eight turns of the event loop, and its transaction needs the interpreter in a
thread beside it. Were all visitors served who are ready, each of these turns would last as long as all of them need.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

_BUSY, _PAUSE, LONGEST = 0.002, 0.001, 0.010
"""Seconds of steps without a pause, of the pause after them, and of a pause in which there is other work to be done."""

Step = Callable[[], None]


class Pacer:
    """Takes one step in each turn of the event loop, first come, first served.

    ``is_busy`` tells whether threads have work of the relay's own to do, which needs the interpreter: steps that go on
    without a pause would let them have it for a statement at a time.
    """

    def __init__(self, is_busy: Callable[[], bool] = lambda: False, longest: float = LONGEST) -> None:
        self._is_busy, self._longest = is_busy, longest
        self._waiting: deque[Step] = deque()
        self._next: asyncio.Handle | None = None
        self._busy_since = 0.0

    def submit(self, step: Step) -> None:
        self._waiting.append(step)
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._take_step)

    async def turn(self) -> None:
        """Wait for all that was submitted before."""
        reached = asyncio.get_running_loop().create_future()
        self.submit(lambda: None if reached.done() else reached.set_result(None))
        await reached

    def _take_step(self) -> None:
        try:
            self._waiting.popleft()()
        finally:  # an error over what one visitor brought keeps nobody else waiting
            self._next = self._plan()

    def _plan(self) -> asyncio.Handle | None:
        """Visitors who never pause are given pauses: the store's threads have the interpreter in these."""
        if not self._waiting:
            self._busy_since = 0.0
            return None
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._busy_since = self._busy_since or now
        if now - self._busy_since < _BUSY:
            return loop.call_soon(self._take_step)
        return loop.call_later(_PAUSE, self._go_on, now + self._longest)

    def _go_on(self, at_last: float) -> None:
        loop = asyncio.get_running_loop()
        if self._is_busy() and loop.time() < at_last:
            self._next = loop.call_later(_PAUSE, self._go_on, at_last)
        else:
            self._busy_since = 0.0
            self._take_step()
