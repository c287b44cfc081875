"""What a running relay does besides: looks after its memory and its database's file."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from relay.log import get_logger
from relay.pipeline.worker import Worker
from relay.records import StoreError, StoreLostError
from relay.store import Store

# --- the loop that erases what was hidden by a stop, when the time for undoing it has passed ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasing:
    """Looks for what is due, until cancelled. A relay that was down meanwhile erases it when it is up again."""

    store: Store
    worker: Worker
    sure: Callable[[], bool] = lambda: True
    """Whether the clock can be believed: what is erased does not come back."""
    every: timedelta = timedelta(minutes=1)
    compact_every: timedelta = timedelta(hours=6)
    """The database's file is written anew so often at most: of a large one that takes seconds."""

    async def run(self) -> None:
        time = asyncio.get_running_loop().time
        compact = time()
        while True:
            count = await self.erase()
            if count:
                log.info("what authors took back was erased", posts=count)
            if time() >= compact and await self._compact():
                compact = time() + self.compact_every.total_seconds()
            await asyncio.sleep(self.every.total_seconds())

    async def erase(self) -> int | None:
        """Erase what one stop hides, where one is due: how many posts."""
        if not self.sure():
            return None
        return await self.worker.persist(lambda: self.store.save_erased(self.worker.clock()))

    async def _compact(self) -> bool:
        """Whether the file was written anew."""
        try:
            return await self.store.save_compact()
        except StoreError as error:
            log.warning("the database could not be written anew; that is tried again", reason=str(error))
            return False


# --- housekeeping ---

log = get_logger(__name__)

WATCH_EVERY = timedelta(seconds=5)


async def watch_store(store: Store) -> None:
    """Raise :class:`StoreLostError` when the database's file is gone; the loops would wait for it for ever."""
    while True:
        await asyncio.sleep(WATCH_EVERY.total_seconds())
        try:
            await store.get_next_due(())
        except StoreLostError as error:
            log.error("the database is lost, and the relay stops", reason=str(error))  # noqa: TRY400 - no bug of ours
            raise
        except StoreError:
            pass  # the loops tell of it


SWITCH = timedelta(milliseconds=1)
"""After which a thread that computes gives way to the event loop; by Python's own choice after five."""
THRESHOLDS = 1_000, 5, 400
"""New objects until the youngest are looked through for circles, until the younger ones are, until all are.

A look through a hundred thousand objects holds the loop for ten milliseconds, and by Python's own choice there is one
whenever a quarter of all are new: while a feed of a thousand entries is read, several. Circles are made of few of ours.
"""


TRIM_EVERY = timedelta(seconds=30)
"""How often memory that the C library keeps for itself is handed back: after many feeds came at once it is 10 MB."""
QUICK = 0.005
"""Seconds in which that is done as a rule; of hundreds of megabytes in pieces it may take a tenth of one."""


def hand_back(program: Callable[[None], Any] = ctypes.CDLL) -> None:
    """Hand back what the C library keeps of freed memory; only glibc can be asked to."""
    with suppress(OSError, AttributeError, TypeError):  # the last on Windows, where the program is no library
        program(None).malloc_trim(0)


def until_next(took: float) -> timedelta:
    """How long to wait after it took so many seconds, in which nothing else ran: a large heap is asked rarely."""
    return TRIM_EVERY * max(1.0, took / QUICK)


async def tend_memory(settled: timedelta = timedelta(seconds=5), started: asyncio.Event | None = None) -> None:
    """Until cancelled, no thread and no search for garbage holds the event loop for long.

    The program itself is never looked through, not even once: that holds the loop for a tenth of a second, and finds
    next to nothing. What a start or a burst of work took and nobody needs any more is handed back, where the C library
    keeps it; ``settled`` is how long a start goes on after ``started``, which may be long: a million subscriptions are
    read.
    """
    before = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(SWITCH.total_seconds())
    gc.set_threshold(*THRESHOLDS[:2], 1_000_000)  # of what a start makes, most stays: all of it is not looked through
    gc.freeze()
    try:
        if started is not None:
            await started.wait()
        await asyncio.sleep(settled.total_seconds())
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
        while True:
            begun = time.perf_counter()
            hand_back()
            await asyncio.sleep(until_next(time.perf_counter() - begun).total_seconds())
    finally:  # this process may go on to something else
        gc.unfreeze()
        sys.setswitchinterval(before[0])
        gc.set_threshold(*before[1])
