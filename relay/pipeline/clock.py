"""The time that the loops go by, and what is done when the machine's clock jumps.

The loops do not see a jump before the database has been brought in line with it: otherwise nothing would be polled or
delivered for as long as a clock was set back, and leases would lapse under work that is being done.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from relay.pipeline.worker import Worker
from relay.records import Lease
from relay.store import Store

SMALL = timedelta(seconds=5)
"""A difference that is followed without a word."""
SKEW = timedelta(minutes=1)
"""So far may the clocks of machines that share a database be apart."""
LONG_AWAY = timedelta(days=7)
"""After so long without a poll either the relay was off, or the clock is wrong."""
SETTLED = timedelta(days=1)
"""For so long after a jump nothing is erased for its age: what a wrong clock erases does not come back."""
SWEEP = timedelta(hours=1)
CLOCK = "the clock"


def steady() -> float:
    """Seconds that nobody sets, and that go on while the machine sleeps where the system can tell."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


class Clock:
    """The machine's time, in which a jump counts when :meth:`adopt` is called."""

    def __init__(self, wall: Callable[[], datetime], steady: Callable[[], float] = steady) -> None:
        self.steady = steady
        self._wall = wall
        self._base, self._at = wall(), steady()

    def __call__(self) -> datetime:
        return self._base + timedelta(seconds=self.steady() - self._at)

    @property
    def jump(self) -> timedelta:
        """How far the machine's clock is ahead of this one."""
        return self._wall() - self()

    def adopt(self, jump: timedelta) -> None:
        self._base += jump


@dataclass(kw_only=True)
class Timekeeper:
    """Notices jumps, brings the database in line, and tells of them. ``longest``: no pause is longer than that."""

    store: Store
    clock: Clock
    worker: Worker
    longest: timedelta
    _offset: timedelta = field(default=timedelta(0), init=False)
    _disturbed: float | None = field(default=None, init=False)
    _doubted: float | None = field(default=None, init=False)
    """When the relay started with a clock that is far ahead of what the database has seen."""
    _swept: float = field(default=0.0, init=False)
    _set_back: tuple[timedelta, datetime] | None = field(default=None, init=False)
    """A step back and when it was, until what was under way meanwhile is brought in line, too."""
    started: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set once it is known whether the clock was set while the relay was off."""
    told: str = field(default="", init=False)
    """What the clock did, for people; empty where all is well."""

    @property
    def is_settled(self) -> bool:
        """Whether what is old by this clock may be erased."""
        return self._disturbed is None or self.clock.steady() - self._disturbed >= SETTLED.total_seconds()

    @property
    def is_sure(self) -> bool:
        """Whether what was appointed may be erased: a jump moved that along, but a start ahead may be a wrong clock."""
        return self._doubted is None or self.clock.steady() - self._doubted >= SETTLED.total_seconds()

    async def run(self) -> None:
        """Look on until cancelled."""
        await self.start()
        while True:
            await asyncio.sleep(1)
            await self.look()

    async def start(self) -> None:
        """The clock may have been set while the relay was off."""
        last = await self.worker.persist(self.store.get_last_poll)
        away = self.clock() - last if last else timedelta(0)
        is_behind = away < -SKEW
        if is_behind:
            self._tell(f"it is {_span(away)} behind what the database has seen; what waits is brought in line with it")
        elif away > LONG_AWAY:
            self._disturbed = self.clock.steady()
        if away > SETTLED:
            self._doubted = self.clock.steady()
        await self._bring_in_line(away if is_behind else timedelta(0), self.clock())
        self.started.set()

    async def look(self) -> None:
        """Call it every second or so."""
        await self._bring_late_writes_in_line()
        jump = self.clock.jump
        if abs(jump) < SMALL:
            self.clock.adopt(jump)
            if self.told and self.is_settled:
                self._settle()
            if self.clock.steady() - self._swept > SWEEP.total_seconds():
                await self._bring_in_line(timedelta(0), self.clock())
            return
        self._offset += jump
        direction = "back" if jump < timedelta(0) else "forward"
        since = self.clock() + jump
        await self._bring_in_line(jump, since)
        self.clock.adopt(jump)
        self._set_back = (jump, since) if jump < -SKEW else None
        if abs(self._offset) < SMALL:
            self._settle()
        else:
            self._tell(f"it jumped {direction} by {_span(jump)}; for a day nothing is erased for its age")

    async def _bring_in_line(self, jump: timedelta, now: datetime) -> None:
        lease = Lease(owner=self.worker.owner, now=now, until=now + self.worker.lease)
        await self.worker.persist(lambda: self.store.save_jump(jump, lease, self.longest))
        self._swept = self.clock.steady()

    async def _bring_late_writes_in_line(self) -> None:
        """What was under way as the clock was set back may have been written by the time from before."""
        if self._set_back is None:
            return
        jump, since = self._set_back
        now = self.clock()
        lease = Lease(owner=self.worker.owner, now=now, until=now + self.worker.lease)
        await self.worker.persist(lambda: self.store.save_late_writes(jump, since, lease))
        self._set_back = None

    def _tell(self, told: str) -> None:
        self.told, self._disturbed = told, self.clock.steady()
        self.worker.trouble.broke(CLOCK, told)

    def _settle(self) -> None:
        self.told, self._disturbed, self._offset = "", None, timedelta(0)
        self.worker.trouble.works(CLOCK)


def _span(jump: timedelta) -> str:
    seconds = round(abs(jump).total_seconds())
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {clock}" if days else f"{clock} h"
