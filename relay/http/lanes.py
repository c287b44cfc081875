"""One queue for each host: so many requests at once, so much time between two starts, whoever waited longest first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

_MANY_LANES = 1000
_MANY_NAMES = 1000
"""Addresses of one host that are remembered as slow, or as waiting."""
_STEP = 0.1
_SLOW = 1.0
"""Seconds after which a request that is not answered holds up no other one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPolicy:
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

    def further(self, here: str, there: str) -> HostPolicy:
        """For the next hop of a redirect: it is waited for, or the first one was in vain, again and again.

        Within one host of ``gaps`` both hops are one request: there it would never get its turn within the patience.
        """
        within = self.host(here) == self.host(there)
        return replace(self, patience=None, gaps={} if within else self.gaps)


USUAL = HostPolicy()


class CrowdedError(Exception):
    """The turn does not come soon; ``after`` is when to come back, ``why`` who is before."""

    def __init__(self, after: timedelta, why: str) -> None:
        super().__init__()
        self.after, self.why = after, why


class Slots:
    """So many at a time; who has waited longest comes next. Knows nothing of hosts."""

    def __init__(self, width: int) -> None:
        self._width = width
        self.taken = 0
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def ahead(self, since: float) -> int:
        """How many come before one who has been waiting since then, beyond those who have a place."""
        longer = sum(other <= since for other, _, _ in self._waiting)
        return max(self.taken + longer - self._width, 0)

    async def take(self, since: float, patience: float | None = None) -> None:
        """Wait for a place, with those who have been waiting since then. Raises ``TimeoutError``."""
        if self.taken < self._width:
            self.taken += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = since, next(self._numbers), place
        heappush(self._waiting, waiting)
        try:
            async with asyncio.timeout(patience):
                await place
        except BaseException:
            if place.done() and not place.cancelled():
                self.leave()
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
                heapify(self._waiting)
            raise

    def leave(self) -> None:
        self.taken -= 1
        while self._waiting and self.taken < self._width:
            _, _, place = heappop(self._waiting)
            if not place.done():  # else whoever waited was cancelled in this very turn of the loop
                self.taken += 1
                place.set_result(None)


class Lane:
    """One host's queue: whoever waited longest comes next, whatever hangs lets others pass, nobody waits for ever.

    A request that has no answer within ``slow`` seconds gives its place away and goes on beside the others; what was
    slow is asked among its like from then on, until it is quick again. What is asked is known by its name (an address).
    """

    def __init__(self, width: int, pace: float, *, beside: int = 1, slow: float = _SLOW) -> None:
        self._width = width
        self._quick, self._slow, self._grace = Slots(width), Slots(beside), slow
        self._pace = pace
        self._free_at = 0.0
        self._promised = 0.0
        self._known_slow: OrderedDict[str, None] = OrderedDict()
        self._since: OrderedDict[str, float] = OrderedDict()
        """Since when those wait who were turned away."""

    @asynccontextmanager
    async def turn(self, patience: timedelta | None = None, name: str = "") -> AsyncIterator[None]:
        """Wait for the turn and have it. Raises :class:`CrowdedError`."""
        places = self._slow if name in self._known_slow else self._quick
        await self._take_place(places, None if patience is None else patience.total_seconds(), name)
        stay = _Stay(places)
        try:
            if self._pace:
                await self._keep_pace()
            late = asyncio.get_running_loop().call_later(self._grace, self._let_pass, stay, name)
            try:
                yield
            finally:
                late.cancel()
            if not stay.is_long:
                self._known_slow.pop(name, None)
        finally:
            stay.places.leave()

    def _let_pass(self, stay: _Stay, name: str) -> None:
        """It takes long: what waits behind it comes now, and next time it waits for its like alone."""
        stay.is_long = True
        if name:
            _keep(self._known_slow, name, None)
        if stay.places is self._quick:
            self._slow.taken += 1
            stay.places = self._slow
            self._quick.leave()

    async def _take_place(self, places: Slots, patience: float | None, name: str) -> None:
        now = asyncio.get_running_loop().time()
        since = self._since.get(name, now)
        if patience is not None and self._expected(places, now, since) - now > patience:
            raise self._crowded(places, now, name)
        try:
            await places.take(since, patience)
        except TimeoutError:
            raise self._crowded(places, now, name) from None
        self._since.pop(name, None)

    def _expected(self, places: Slots, now: float, since: float) -> float:
        """When one who comes now would start, if no answer took any time; ``since``: from when on it has waited."""
        return max(now, self._free_at) + places.ahead(since) * self._pace

    def _crowded(self, places: Slots, now: float, name: str) -> CrowdedError:
        """Everybody who is turned away is promised a time of their own: who came together do not come back together."""
        self._promised = max(self._promised + max(self._pace, _STEP), self._expected(places, now, now))
        if name:
            self._since.setdefault(name, now)
            _forget_oldest(self._since)
        waits = asyncio.get_running_loop().time() - self._since.get(name, now)
        return CrowdedError(timedelta(seconds=self._promised - now), self._why(places, waits))

    def _why(self, places: Slots, waits: float) -> str:
        if places is self._slow:
            return f"it was slow, and {places.taken} others that are slow are asked there now"
        hang = f", {self._slow.taken} of which do not answer" if self._slow.taken else ""
        return (
            f"others wait there already ({len(places) + places.taken + self._slow.taken}{hang}); for {waits:.0f} s now"
        )

    async def _keep_pace(self) -> None:
        now = asyncio.get_running_loop().time()
        start = max(now, self._free_at)
        self._free_at = start + self._pace
        if start > now:
            await asyncio.sleep(start - now)

    def is_idle(self, now: float) -> bool:
        free = not (self._quick.taken or self._slow.taken or len(self._quick) or len(self._slow))
        return free and self._free_at <= now and self._promised <= now


@dataclass(slots=True)
class _Stay:
    """Where a request has its place, and whether it had it for long."""

    places: Slots
    is_long: bool = False


def _keep(kept: OrderedDict[str, None], name: str, value: None) -> None:
    kept[name] = value
    kept.move_to_end(name)
    _forget_oldest(kept)


def _forget_oldest(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > _MANY_NAMES:
        kept.popitem(last=False)


class Lanes:
    """All queues, by manner and host; those that nobody needs any more are forgotten.

    ``least``: so many connections every manner has.
    """

    def __init__(self, connections: int, pace: timedelta, *, least: int = 1) -> None:
        self._connections, self._least = connections, least
        self._pace = pace
        self._lanes: dict[tuple[str, str, timedelta], Lane] = {}

    def of(self, name: str, manner: HostPolicy) -> Lane:
        host = manner.host(name)
        key = manner.name, host, max(self._pace, manner.gaps.get(host, timedelta(0)))
        lane = self._lanes.get(key)
        if lane is None:
            self._forget()
            width = max(min(manner.connections or self._connections, self._connections), self._least)
            lane = self._lanes[key] = Lane(width, key[2].total_seconds(), beside=self._connections)
        return lane

    def _forget(self) -> None:
        if len(self._lanes) >= _MANY_LANES:
            now = asyncio.get_running_loop().time()
            self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.is_idle(now)}

    def __len__(self) -> int:
        return len(self._lanes)
