"""How long the event loop was held, told apart from a machine that was busy with something else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

TICK = 0.01


@dataclass
class Watch:
    """Seconds of the longest hold."""

    own: float = 0.0
    """Processor's time of the loop's thread between two turns of a task that only sleeps."""
    blocked: float = 0.0
    """Time without such a turn in which this process was working, in whatever thread: it may have kept the loop out."""

    @property
    def held(self) -> float:
        return max(self.own, self.blocked)


@asynccontextmanager
async def watched() -> AsyncIterator[Watch]:
    """Watch the running loop until the block ends."""
    watch = Watch()
    task = asyncio.create_task(_watch(watch), name="watch the loop")
    try:
        await asyncio.sleep(2 * TICK)
        yield watch
        await asyncio.sleep(2 * TICK)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch(watch: Watch) -> None:
    while True:
        wall, process, thread = time.monotonic(), time.process_time(), time.thread_time()
        await asyncio.sleep(TICK)
        late, worked = time.monotonic() - wall - TICK, time.process_time() - process
        watch.own = max(watch.own, time.thread_time() - thread)
        watch.blocked = max(watch.blocked, min(late, worked))


@dataclass
class Turns:
    """Counts the turns of the event loop, until it is ended."""

    count: int = 0
    ended: bool = False

    def go_on(self) -> None:
        self.count += 1
        if not self.ended:
            asyncio.get_running_loop().call_soon(self.go_on)
