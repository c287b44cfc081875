"""A relay that is killed while it forgets what is old: the rest goes at the next start, and nothing else with it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from relay.model import Destination
from relay.store import Store, open_store
from relay.store.tables import aliases, deliveries, posts
from relay.testing import post
from tests.servers.mastodon import Mastodon
from tests.servers.sink import Sink
from tests.support.kills import MastodonNetwork
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA
from tests.support.siege import Siege
from tests.support.store_cases import ROOM, carry, publish, uri

OLD, WAITING, THREAD = 3_000, 20, 3
KILLS = 4
HELD = Destination("held", "room")
"""Nobody serves it: what waits there is kept, however old it is."""
BATCH = 150


@pytest.mark.siege
@pytest.mark.timeout(170)
async def test_a_relay_that_is_killed_while_it_forgets_keeps_all_that_it_should_and_no_halves(
    tmp_path: Path, sink: Sink, plugins: Path, store_url: str
) -> None:
    """Each kill falls into the time in which it forgets, while new posts come in."""
    store = await open_store(store_url)
    async with Mastodon([ILLA]) as stage:
        siege = Siege(MastodonNetwork(stage), sink, tmp_path, store_url, plugins, keep="1d")
        async with siege.relay() as relay:
            await seeded(store_url, 3)
            await relay.kill()
            await _fill(store)
            await asyncio.gather(siege.publish(30, seconds=4), _harass(siege, relay, store))
            await siege.settle(seconds=30)
            async with asyncio.timeout(60):
                while await _left(store):
                    await asyncio.sleep(0.05)
            assert await relay.stop() == 0
    siege.verdict()
    await _is_sound(store)
    await store.close()


async def _fill(store: Store) -> None:
    """Threads of three posts, which were sent, and posts that wait for a place that nobody serves."""
    for first in range(0, OLD, BATCH):
        numbers = range(first, first + BATCH)
        some = [
            replace(post(one), reply_to=uri(one - 1), reply_to_author=post(one).author.uri)
            if one % THREAD
            else post(one)
            for one in numbers
        ]
        await publish(store, *some, to=(ROOM,))
        await carry(store)
    await publish(store, *(post(number) for number in range(OLD, OLD + WAITING)), to=(HELD,))


async def _harass(siege: Siege, relay: RelayProcess, store: Store) -> None:
    """Kill it a random moment after it has begun to forget, and look at what is left."""
    for _ in range(KILLS):
        left = await _left(store)
        await relay.start()
        async with asyncio.timeout(60):
            while await _left(store) == left:
                await asyncio.sleep(0.002)
        await asyncio.sleep(siege.dice.uniform(0, 0.03))
        await relay.kill()
        siege.kills += 1
        assert await _left(store), "it was killed too late to show anything"
        await _is_sound(store)
    await relay.start()


async def _left(store: Store) -> int:
    """How many of the old posts are there that are to be forgotten."""
    return len(await store._db.read(_numbers)) - WAITING


def _numbers(connection: Connection) -> set[int]:
    old = {uri(number): number for number in range(OLD + WAITING)}
    return {old[one] for one in connection.execute(select(posts.c.uri)).scalars() if one in old}


async def _is_sound(store: Store) -> None:
    there = await store._db.read(_numbers)
    assert there >= set(range(OLD, OLD + WAITING)), "what waits is kept"
    threads = [there & set(range(root, root + THREAD)) for root in range(0, OLD, THREAD)]
    assert [some for some in threads if len(some) not in {0, THREAD}] == []
    assert await store._db.read(_orphans) == []
    if store._db._is_sqlite:
        with closing(sqlite3.connect(str(store._db._engine.url.database))) as other:
            assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _orphans(connection: Connection) -> list[int]:
    """Rows of posts that are no more."""
    known = select(posts.c.id)
    return [
        *connection.execute(select(aliases.c.post).where(aliases.c.post.not_in(known))).scalars(),
        *connection.execute(select(deliveries.c.post).where(deliveries.c.post.not_in(known))).scalars(),
    ]
