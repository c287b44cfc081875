"""Each call that shows something, in its turn: the pace is waited for here, for a second at most, and learned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from adapters.matrix.api import Failed
from adapters.matrix.pace import Pace
from relay.log import get_logger
from relay.ports import TryLater

log = get_logger(__name__)

HOLD = 1.0
"""Seconds for which a hand of the outbox may be held back here; what takes longer waits in the outbox."""
EARLY = 0.15
"""So much of a second the next one may come too early: it waits here then, as the outbox cannot hit the moment."""
PATIENCE = 30.0
"""Seconds for which an answer to a person may wait for its turn."""
REFUSED_FOR = timedelta(minutes=5)
UNTOLD = 1.0
"""Seconds to wait where the homeserver does not say how long."""
DEAD = "set adapters.matrix.token (or password) to one that the homeserver takes, then restart"

T = TypeVar("T")


class Calls:
    """Lets calls through at the pace that the homeserver allows. What it limits holds up nothing else."""

    def __init__(self, *, hold: float = HOLD, clock: Callable[[], float] = time.monotonic) -> None:
        self.pace, self._hold, self._clock = Pace(), hold, clock
        self._dead_until = 0.0

    async def paced(self, room: str, act: Callable[[], Awaitable[T | Failed]]) -> T | Failed | TryLater:
        """Make a call that shows something in a room, when it is the room's turn."""
        if self._clock() < self._dead_until:
            return TryLater(f"the homeserver refuses the token: {DEAD}", REFUSED_FOR)
        until = self._clock() + self._hold
        while (wait := self.pace.wait(room, self._clock())) > 0:
            if self._clock() + wait > until:
                return TryLater("the pace of the homeserver", timedelta(seconds=wait), paced=True)
            await asyncio.sleep(wait)
        told = await self._made(act)
        if isinstance(told, Failed) and told.limited:  # it was one too many, which is no failure of this one
            return TryLater(told.reason, timedelta(seconds=self.pace.wait(room, self._clock())), paced=True)
        return told

    async def at_once(self, room: str, act: Callable[[], Awaitable[T | Failed]]) -> T | Failed:
        """Make a call for which a person waits: it stands in no queue. A limit is waited for, within reason."""
        until = self._clock() + PATIENCE
        while True:
            while (wait := self.pace.wait_for_people(self._clock())) > 0:
                if self._clock() + wait > until:
                    return Failed("it would be too late for an answer", "M_LIMIT_EXCEEDED", 429)
                await asyncio.sleep(wait)
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

    async def _made(self, act: Callable[[], Awaitable[T | Failed]]) -> T | Failed:
        self.pace.take(self._clock())
        try:
            told = await act()
        except asyncio.CancelledError:
            self.pace.took(self._clock())  # who knows; the next refusal tells
            raise
        self._learn(told)
        return told

    def _learn(self, told: object) -> None:
        now = self._clock()
        if not isinstance(told, Failed):
            self._dead_until = 0.0
            self.pace.took(now)
        elif told.limited:
            self.pace.refused(UNTOLD if told.after is None else told.after.total_seconds(), now)
        else:
            if told.unauthorized:
                self.refuse(told.reason)
            self.pace.unsent()
