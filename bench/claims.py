"""Claim and settle on SQLite, in batches of ten destinations."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, interleaved
from bench.stores import DESTINATIONS, bare, bare_insert, intake, lease
from relay.model import MessageId
from relay.records import Claim, Settlement, State
from relay.store import open_store

POSTS = 2_000
BATCH = 10


def _floor() -> float:
    """Two transactions for ten deliveries; the queue is read from memory, as the fastest design would."""
    with tempfile.TemporaryDirectory() as folder:
        connection = bare(Path(folder) / "floor.sqlite3")
        bare_insert(connection, 0, POSTS)
        ids = [row[0] for row in connection.execute("SELECT id FROM delivery ORDER BY id")]
        begun = time.perf_counter()
        for first in range(0, len(ids), BATCH):
            batch = [(one,) for one in ids[first : first + BATCH]]
            for state in (1, 2):
                connection.execute("BEGIN")
                connection.executemany(f"UPDATE delivery SET state={state} WHERE id=?", batch)
                connection.execute("COMMIT")
        spent = time.perf_counter() - begun
        connection.close()
    return len(ids) / spent


async def drain(url: str) -> float:
    """Deliveries a second that the store claims and settles."""
    store = await open_store(url)
    for number in range(POSTS // 100):
        await store.add_intakes([intake(number * 100, 100)], lease())
    claim = Claim(adapters=("chat",), limit=BATCH)
    settled = 0
    begun = time.perf_counter()
    while claimed := await store.claim_deliveries(claim, lease()):
        now = lease()
        await store.save_settlements(
            [
                Settlement(
                    delivery=one.id,
                    destination=one.destination,
                    state=State.SENT,
                    due=now.now,
                    messages=(MessageId("1"),),
                )
                for one in claimed
            ],
            now,
        )
        settled += len(claimed)
    spent = time.perf_counter() - begun
    await store.close()
    assert settled == POSTS * 3 >= DESTINATIONS
    return settled / spent


def _ours() -> float:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(drain(f"sqlite:///{folder}/ours.sqlite3"))


def measure() -> list[Figure]:
    value, floor = interleaved(3, _ours, _floor)
    return [
        Figure(
            name="claim + settle, SQLite, batches of 10",
            value=value,
            unit="deliveries/s",
            target="≥ 10,000/s",
            met=value >= 10_000,
            floor=floor,
            floor_name="deliveries/s, two bare sqlite3 updates",
        )
    ]
