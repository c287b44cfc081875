"""One queue for each host: so many requests at once, so much time between two starts, first come first served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

_MANY_LANES = 1000
_STEP = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one kind of caller treats hosts. Callers of another manner stand in other queues."""

    name: str = ""
    connections: int | None = None
    """Requests to one host at the same time; None: as the operator has it."""
    gaps: Mapping[str, timedelta] = field(default_factory=dict)
    """Hosts that want more time between two requests than the operator gives. All names below one are the same host."""
    patience: timedelta | None = None
    """Whose turn does not come within this time is told when to come back, each at another time; None: wait on."""

    def host(self, name: str) -> str:
        """The host that counts: the one of ``gaps`` that ``name`` is, or is below of; else ``name`` itself."""
        name = name.lower().rstrip(".")
        return next((place for place in self.gaps if f".{name}".endswith(f".{place}")), name)

    def further(self, here: str, there: str) -> Manner:
        """For the next hop of a redirect: it is waited for, or the first one was in vain, again and again.

        Within one host of ``gaps`` both hops are one request: there it would never get its turn within the patience.
        """
        within = self.host(here) == self.host(there)
        return replace(self, patience=None, gaps={} if within else self.gaps)


USUAL = Manner()


class CrowdedError(Exception):
    """The turn does not come soon; ``after`` is when to come back."""

    def __init__(self, after: timedelta) -> None:
        super().__init__()
        self.after = after


class Lane:
    """One host's queue; of a host that hurries or hangs nobody waits longer than they like."""

    def __init__(self, width: int, pace: float) -> None:
        self._width = width
        self._places = asyncio.Semaphore(width)
        self._pace = pace
        self._free_at = 0.0
        self._promised = 0.0
        self._users = 0

    @asynccontextmanager
    async def turn(self, patience: timedelta | None = None) -> AsyncIterator[None]:
        """Wait for the turn and have it. Raises :class:`CrowdedError`."""
        await self._take_place(None if patience is None else patience.total_seconds())
        try:
            if self._pace:
                await self._keep_pace()
            yield
        finally:
            self._users -= 1
            self._places.release()

    async def _take_place(self, patience: float | None) -> None:
        now = asyncio.get_running_loop().time()
        if patience is not None and self._expected(now) - now > patience:
            raise self._crowded(now)
        self._users += 1
        if not self._places.locked():  # most hosts are asked one thing at a time: no timer is set for what is there
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(patience):
                await self._places.acquire()
        except TimeoutError:
            self._users -= 1
            raise self._crowded(now) from None
        except BaseException:
            self._users -= 1
            raise

    def _expected(self, now: float) -> float:
        """When the next one who comes would start, if no answer took any time."""
        return max(now, self._free_at) + max(self._users - self._width, 0) * self._pace

    def _crowded(self, now: float) -> CrowdedError:
        """Everybody who is turned away is promised a time of their own: who came together do not come back together."""
        self._promised = max(self._promised + max(self._pace, _STEP), self._expected(now))
        return CrowdedError(timedelta(seconds=self._promised - now))

    async def _keep_pace(self) -> None:
        now = asyncio.get_running_loop().time()
        start = max(now, self._free_at)
        self._free_at = start + self._pace
        if start > now:
            await asyncio.sleep(start - now)

    def is_idle(self, now: float) -> bool:
        return not self._users and self._free_at <= now and self._promised <= now


class Lanes:
    """All queues, by manner and host; those that nobody needs any more are forgotten."""

    def __init__(self, connections: int, pace: timedelta) -> None:
        self._connections = connections
        self._pace = pace
        self._lanes: dict[tuple[str, str, timedelta], Lane] = {}

    def of(self, name: str, manner: Manner) -> Lane:
        host = manner.host(name)
        key = manner.name, host, max(self._pace, manner.gaps.get(host, timedelta(0)))
        lane = self._lanes.get(key)
        if lane is None:
            self._forget()
            width = min(manner.connections or self._connections, self._connections)
            lane = self._lanes[key] = Lane(width, key[2].total_seconds())
        return lane

    def _forget(self) -> None:
        if len(self._lanes) >= _MANY_LANES:
            now = asyncio.get_running_loop().time()
            self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.is_idle(now)}

    def __len__(self) -> int:
        return len(self._lanes)
