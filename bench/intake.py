"""Outbox intake on SQLite: posts with three deliveries each, in one transaction for a hundred of them."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, interleaved
from bench.stores import bare, bare_insert, intake, lease
from relay.store import open_store

BATCH = 100
BATCHES = 60


def _floor() -> float:
    with tempfile.TemporaryDirectory() as folder:
        connection = bare(Path(folder) / "floor.sqlite3")
        begun = time.perf_counter()
        for number in range(BATCHES):
            bare_insert(connection, number * BATCH, BATCH)
        spent = time.perf_counter() - begun
        connection.close()
    return BATCH * BATCHES / spent


async def _fill(url: str, batch: int, batches: int) -> float:
    store = await open_store(url)
    intakes = [intake(number * batch, batch) for number in range(batches)]
    begun = time.perf_counter()
    for one in intakes:
        await store.add_intakes([one], lease())
    spent = time.perf_counter() - begun
    await store.close()
    return batch * batches / spent


def _ours() -> float:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_fill(f"sqlite:///{folder}/ours.sqlite3", BATCH, BATCHES))


def measure() -> list[Figure]:
    value, floor = interleaved(5, _ours, _floor)
    return [
        Figure(
            name="outbox intake, SQLite, 3 deliveries a post, batches of 100",
            value=value,
            unit="posts/s",
            target="≥ 20,000/s and ≥ 0.50 × floor",
            met=value >= 20_000 and value >= 0.5 * floor,
            floor=floor,
            floor_name="posts/s, bare sqlite3",
        )
    ]
