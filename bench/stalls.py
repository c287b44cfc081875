"""How long the event loop was held, and by whom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import IO

from bench.figures import Figure

STATS = Path("/proc/thread-self/schedstat")


class Watch:
    """The longest time, in ms, for which a task that wants to run each millisecond could not."""

    late = 0.0
    """By the clock: the machine may have done something else."""
    held = 0.0
    """Of that, while this process was working, in whatever thread, and its loop was not waiting for a processor."""

    async def run(self, stats: IO[bytes]) -> None:
        while True:
            waited = _waited(stats)
            clock, spent = time.perf_counter(), time.process_time()
            await asyncio.sleep(0.001)
            late, worked = time.perf_counter() - clock - 0.001, time.process_time() - spent
            self.late = max(self.late, late * 1e3)
            if late > 0.002:
                self.held = max(self.held, min(late - (_waited(stats) - waited), worked) * 1e3)


def _waited(stats: IO[bytes]) -> float:
    """Seconds for which the thread could have run and had no processor (sched-stats of Linux)."""
    stats.seek(0)
    return int(stats.read(100).split()[1]) / 1e9


async def watched(work: Awaitable[object]) -> Watch:
    """Watch the running loop while it does this work."""
    watch = Watch()
    with STATS.open("rb", buffering=0) as stats:  # noqa: ASYNC230 - no disk behind it
        watching = asyncio.create_task(watch.run(stats))
        await asyncio.sleep(0.02)
        await work
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return watch


def figure(what: str, runs: Sequence[Watch], idle: Sequence[Watch], most: float) -> Figure:
    """The longest stall in the middle one of several runs; ``most`` is for all of them, in ms."""
    held, late = sorted(watch.held for watch in runs), sorted(watch.late for watch in runs)
    middle = len(runs) // 2
    return Figure(
        name=f"the longest stall of the loop by its own process while {what}; the middle one of {len(runs)} runs (the "
        f"worst: {held[-1]:.1f}; by the clock, with what else the machine did: {late[middle]:.1f}, {late[-1]:.1f})",
        value=held[middle],
        unit="ms",
        target=f"≤ {most:g} ms, also the worst",
        met=held[-1] <= most,
        floor=sorted(watch.late for watch in idle)[len(idle) // 2],
        floor_name="ms by the clock, a loop with nothing to do",
    )
