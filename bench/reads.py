"""Reads beside writes, on a SQLite file: pages while intake runs flat out, and intake while pages are read.

Each is measured alone first, which is its floor: what is lost beside the other is what the two wait for each other,
and the processor that they share.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import uvloop

from bench.figures import Figure
from bench.stores import intake, lease
from relay.model import Post, PostUri, Published
from relay.records import Intake
from relay.store import Store, open_store
from relay.testing import post

THREADS, LENGTH, LONG = 200, 8, 3_000
POSTS, BATCH = 30_000, 100
SECONDS = 5.0

Work = Callable[[], Awaitable[object]]


def _thread(name: str, length: int) -> list[Post]:
    uris = [PostUri(f"https://ayllu.example/{name}/{step}") for step in range(length)]
    return [
        replace(post(step), uri=uri, url=uri, aliases=(), reply_to=uris[step - 1] if step else "")
        for step, uri in enumerate(uris)
    ]


class _Filled:
    """A store with threads to read, into which more can be written."""

    def __init__(self, store: Store, log: Path) -> None:
        self._store, self._log = store, log
        self._slugs: list[str] = []
        self._long = ""
        self._written, self._read = 10**6, 0
        self.longest_log = 0

    async def fill(self) -> None:
        for number in range(THREADS):
            self._slugs.append(await self._add(_thread(f"{number}", LENGTH)))
        self._long = await self._add(_thread("long", LONG))
        for _ in range(POSTS // BATCH):
            await self.write()
        self.longest_log = 0

    async def _add(self, posts: list[Post]) -> str:
        await self._store.add_intakes([Intake(feed=None, events=tuple(map(Published, posts)))], lease())
        page = await self._store.get_page_of(posts[0].uri)
        assert page is not None
        return page.slug

    async def write(self) -> None:
        self._written += BATCH
        await self._store.add_intakes([intake(self._written, BATCH)], lease())
        self.longest_log = max(self.longest_log, os.stat(self._log).st_size)  # noqa: PTH116 - as little as can be

    async def read(self) -> None:
        self._read += 1
        await self._store.get_page(self._slugs[self._read % THREADS])

    async def read_long(self) -> None:
        await self._store.get_page(self._long)


async def _timed(work: Work, seconds: float) -> list[float]:
    """Seconds of each time, one after the other."""
    spent: list[float] = []
    until = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < until:
        await work()
        spent.append(time.perf_counter() - begun)
    return spent


@asynccontextmanager
async def _beside(*works: Work) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(_timed(work, 1e9)) for work in works]
    yield
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


async def _measured() -> tuple[dict[str, list[float]], int]:
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(f"sqlite:///{folder}/reads.sqlite3")
        filled = _Filled(store, Path(folder) / "reads.sqlite3-wal")
        await filled.fill()
        runs: dict[str, tuple[Work, tuple[Work, ...]]] = {
            "page": (filled.read, ()),
            "page beside intake": (filled.read, (filled.write,)),
            "page beside a long thread": (filled.read, (filled.read_long,)),
            "intake": (filled.write, ()),
            "intake beside pages": (filled.write, (filled.read, filled.read, filled.read_long)),
        }
        found: dict[str, list[float]] = {}
        for name, (work, others) in runs.items():
            async with _beside(*others):
                found[name] = await _timed(work, SECONDS)
        await store.close()
        return found, filled.longest_log


def _p99(some: list[float]) -> float:
    return statistics.quantiles(some, n=100)[98] * 1e3


def measure() -> list[Figure]:
    found, log = uvloop.run(_measured())
    p50 = {name: statistics.median(some) * 1e3 for name, some in found.items()}
    rate = {name: BATCH * len(some) / sum(some) for name, some in found.items()}
    pages = [
        Figure(
            name=f"a thread of {LENGTH} posts read from SQLite beside {what}, p50 (p99: {_p99(found[name]):.3g} ms,"
            f" alone {_p99(found['page']):.3g} ms)",
            value=p50[name],
            unit="ms",
            target="≤ 3 × floor",
            met=p50[name] <= 3 * p50["page"],
            floor=p50["page"],
            floor_name="ms, alone",
        )
        for name, what in (
            ("page beside intake", "intake that never rests"),
            ("page beside a long thread", f"one of {LONG:,} posts, again and again"),
        )
    ]
    beside = "intake beside pages"
    return [
        *pages,
        Figure(
            name=f"intake, batches of {BATCH}, beside three that read threads without a rest, one of {LONG:,} posts",
            value=rate[beside],
            unit="posts/s",
            target="≥ 0.25 × floor, the share of one in four",
            met=rate[beside] >= rate["intake"] / 4,
            floor=rate["intake"],
            floor_name="posts/s, alone",
        ),
        Figure(
            name="SQLite's write-ahead log meanwhile, at its longest",
            value=log / 2**20,
            unit="MB",
            target="≤ 160 MB",
            met=log <= 160 * 2**20,
        ),
    ]
