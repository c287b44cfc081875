"""Pages as they were read a moment ago: what takes long to read is not read for each visitor anew.

The store does one thing at a time where it is a file, and a thread of ten thousand posts keeps it for a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from relay.ports import Page

_SHORT = 0.05
"""Seconds of a reading that nobody notices; its page is not kept."""
_KEPT, _LONGEST = 10, 20.0
"""For how many times as long as it took a page is kept, and for how many seconds at most: what is taken out is gone
within a minute."""
_MOST = 4

_AT_ONCE = 2

T = TypeVar("T")


class Turns:
    """What visitors ask of the store, two things at a time: the relay's own work waits behind these two alone."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def take(self, ask: Callable[..., Awaitable[T]], *what: object) -> T:
        async with self._room:
            return await ask(*what)


class Pages(Protocol):
    """The store, as far as it is asked here."""

    async def get_page(self, slug: str) -> Page | None: ...


class RecentPages:
    """Who asks while a page is being read waits for the same reading."""

    def __init__(self, store: Pages, turns: Turns, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._turns, self._clock = store, turns, clock
        self._reading: dict[str, asyncio.Task[Page | None]] = {}
        self._kept: dict[str, tuple[Page | None, float]] = {}
        """Until when each is good."""

    async def get(self, slug: str) -> Page | None:
        if slug in self._kept:
            page, until = self._kept[slug]
            if self._clock() < until:
                return page
            del self._kept[slug]
        if slug not in self._reading:
            self._reading[slug] = asyncio.create_task(self._ask(slug), name="read a page")
            self._reading[slug].add_done_callback(self._done)
        return await asyncio.shield(self._reading[slug])

    def stop(self) -> None:
        for task in self._reading.values():
            task.cancel()

    def _done(self, task: asyncio.Task[Page | None]) -> None:
        self._reading = {slug: other for slug, other in self._reading.items() if other is not task}
        if not task.cancelled():
            task.exception()  # who waits is told; perhaps nobody does any more

    async def _ask(self, slug: str) -> Page | None:
        page, took = await self._turns.take(self._timed, slug)
        if took > _SHORT:
            while len(self._kept) >= _MOST:
                del self._kept[next(iter(self._kept))]
            self._kept[slug] = page, self._clock() + min(_KEPT * took, _LONGEST)
        return page

    async def _timed(self, slug: str) -> tuple[Page | None, float]:
        begun = self._clock()
        return await self._store.get_page(slug), self._clock() - begun
