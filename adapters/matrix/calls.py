"""Each call that shows something, in its turn: the pace is waited for here, for a second at most, and learned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from adapters.matrix.api import Failed
from adapters.matrix.pace import REMEMBERED, Attempt, MatrixPace
from relay.log import get_logger
from relay.ports import TryLater

log = get_logger(__name__)

HOLD = 1.0
"""Seconds for which a hand of the outbox may be held back here; what takes longer waits in the outbox."""
EARLY = 0.15
"""So much of a second the next one may come too early: it waits here then, as the outbox cannot hit the moment."""
SOON = 0.001
"""Seconds past the end of a wait, so that it is over when it is looked at."""
PATIENCE = 30.0
"""Seconds for which an answer to a person may wait for its turn."""
REFUSED_FOR = timedelta(minutes=5)
UNTOLD = 1.0
"""Seconds to wait where the homeserver does not say how long."""
LIES = 10
"""Refusals in a row from which on it is not believed that the next message would be taken after so little time."""
SELDOM = 60.0
"""Seconds between two tries then, at last."""
DEAD = "set adapters.matrix.token (or password) to one that the homeserver takes, then restart"

T = TypeVar("T")


class MatrixCalls:
    """Lets calls through at the pace that the homeserver allows. What it limits holds up nothing else."""

    def __init__(self, *, hold: float = HOLD, clock: Callable[[], float] = time.monotonic) -> None:
        self.pace, self._hold, self._clock = MatrixPace(), hold, clock
        self._landed = asyncio.Event()
        """Set for a moment when a message has arrived, or has not."""
        self._dead_until = 0.0
        self._in_a_row = 0
        """Refusals since a message was taken."""

    async def paced(self, room: str, act: Callable[[], Awaitable[T | Failed]]) -> T | Failed | TryLater:
        """Make a call that shows something in a room, when it is the room's turn."""
        if self._clock() < self._dead_until:
            return TryLater(f"the homeserver refuses the token: {DEAD}", REFUSED_FOR)
        late = await self._turn(lambda now: self.pace.wait(room, now), self._hold)
        if late is not None:
            return TryLater("the pace of the homeserver", timedelta(seconds=late), paced=True)
        told = await self._made(act)
        if isinstance(told, Failed) and told.limited:  # it was one too many, which is no failure of this one
            return TryLater(told.reason, timedelta(seconds=self.pace.wait(room, self._clock())), paced=True)
        return told

    async def at_once(self, room: str, act: Callable[[], Awaitable[T | Failed]]) -> T | Failed:
        """Make a call for which a person waits: it stands in no queue. A limit is waited for, within reason."""
        until = self._clock() + PATIENCE
        while True:
            if await self._turn(self.pace.wait_for_people, until - self._clock()) is not None:
                return Failed("it would be too late for an answer", "M_LIMIT_EXCEEDED", 429)
            told = await self._made(act)
            if not (isinstance(told, Failed) and told.limited) or self._clock() > until:
                if isinstance(told, Failed):
                    log.warning("an answer was not taken", room=room, reason=told.reason)
                return told

    def gap(self) -> timedelta:
        """How long the outbox is to wait before the next one at a room that has just been served."""
        return timedelta(seconds=max(0.0, self.pace.next_wait(self._clock()) - EARLY))

    def refuse(self, reason: str) -> None:
        """The token is not good: nothing is sent for a while, and that is said once."""
        if not self._dead_until:
            log.error("token refused", reason=reason, todo=DEAD)
        self._dead_until = self._clock() + REFUSED_FOR.total_seconds()

    async def _turn(self, wait: Callable[[float], float], patience: float) -> float | None:
        """Wait for the turn; None: it is there. Else in how many seconds it comes: longer than ``patience``."""
        until = self._clock() + patience
        while True:
            now = self._clock()
            busy = self.pace.is_busy(now)
            left = 0.0 if busy else wait(now)
            if not busy and left <= 0:
                return None
            if now + left > until:
                return left or HOLD
            with suppress(TimeoutError):  # what is on its way tells more; or it takes long, and is waited for no more
                async with asyncio.timeout(min(left or HOLD, until - now) + SOON):
                    await (self._landed.wait() if busy else asyncio.sleep(left))

    async def _made(self, act: Callable[[], Awaitable[T | Failed]]) -> T | Failed:
        attempt = self.pace.take(self._clock())
        try:
            told = await act()
        except BaseException:
            self.pace.took(attempt)  # who knows; the next refusal tells
            raise
        else:
            self._learn(attempt, told)
            return told
        finally:
            self._landed.set()
            self._landed.clear()

    def _learn(self, attempt: Attempt, told: object) -> None:
        if not isinstance(told, Failed):
            self._dead_until, self._in_a_row = 0.0, 0
            self.pace.took(attempt)
        elif told.limited:
            self._in_a_row += 1
            after = UNTOLD if told.after is None else min(told.after.total_seconds(), REMEMBERED)
            least = min(2.0 ** (self._in_a_row - LIES), SELDOM) if self._in_a_row > LIES else 0.0
            self.pace.refused(attempt, max(after, least), self._clock())
        else:
            if told.unauthorized:
                self.refuse(told.reason)
            self.pace.unsent(attempt)
