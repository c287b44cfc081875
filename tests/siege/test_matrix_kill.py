"""The relay is killed again and again while it posts to Matrix, and so is the homeserver: nothing lost or twice."""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers.mastodon import Draft, Mastodon
from tests.servers.matrix import MatrixServer
from tests.servers.synapse import Synapse, running
from tests.support.matrix_homes import Home, Loopback, Real, seen
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA, database

CONFIG = """\
[store]
url = "{store}"
[web]
port = 0
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
[outbox]
budget = 0
lease = "{lease}s"
timeout = "{timeout}s"
[sources.mastodon]
instances = ["{instance}"]
interval = "150ms"
sweep = "1h"
[adapters.matrix]
homeserver = "{home}"
user = "{user}"
token = "{token}"
invites = ["{server}"]
"""
SUBSCRIPTION = """
[[subscriptions]]
topic = "#{tag}"
to = "matrix:{room}"
"""
_NAME = re.compile(r"Post number \d+ ")


class Siege:
    """So many rooms, each with a hashtag of its own, and posts by turns to all of them."""

    def __init__(
        self, folder: Path, stage: Mastodon, home: Home, rooms: dict[str, str], token: str, *, lease: float
    ) -> None:
        self.stage, self.home, self.rooms = stage, home, rooms
        self.dice = random.Random(17)
        self.posted: dict[str, list[str]] = {tag: [] for tag in rooms}
        self.store = database(folder)
        self.config = folder / "relay.toml"
        self.config.write_text(
            CONFIG.format(
                store=self.store,
                instance=stage.url,
                home=home.url,
                user=home.user,
                token=token,
                server=home.server,
                lease=lease,
                timeout=lease * 0.75,
            )
            + "".join(SUBSCRIPTION.format(tag=tag, room=room) for tag, room in rooms.items())
        )

    async def publish(self, posts: int, *, seconds: float) -> None:
        tags = list(self.rooms)
        for number in range(posts):
            tag = tags[number % len(tags)]
            self.stage.post(Draft(author="illa", text=f"Post number {number} of #{tag}"))
            self.posted[tag].append(f"Post number {number} ")
            await asyncio.sleep(seconds / posts * self.dice.uniform(0, 2))

    async def harass(self, relay: RelayProcess, kills: int, *, alive: tuple[float, float]) -> None:
        for _ in range(kills):
            await relay.running.wait()
            await asyncio.sleep(self.dice.uniform(*alive))
            await relay.kill()
            await relay.start()

    async def arrived(self) -> dict[str, list[str]]:
        """By hashtag, what is to be read in its room."""
        found = {}
        for tag, room in self.rooms.items():
            there = [_NAME.search(one.body) for one in await seen(self.home, "sami", room)]
            found[tag] = [name[0] for name in there if name]
        return found

    async def settle(self, *, seconds: float) -> None:
        """Wait until everything has arrived, or the time is up: the verdict tells."""
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            arrived = await self.arrived()
            if all(set(names) <= set(arrived[tag]) for tag, names in self.posted.items()):
                return
            await asyncio.sleep(2)  # each look costs the homeserver as much as many posts

    def waiting(self) -> list[tuple[object, ...]]:
        """What has not been settled."""
        with closing(sqlite3.connect(self.store.removeprefix("sqlite:///"))) as connection:
            query = """SELECT deliveries.destination, state, attempts, note, paused, (due - ?) / 1000000.0
                FROM deliveries JOIN destinations ON destinations.name = destination
                WHERE settled IS NULL ORDER BY deliveries.id LIMIT 20"""
            return connection.execute(query, (time.time_ns() // 1000,)).fetchall()

    async def verdict(self) -> None:
        """0 lost, 0 twice, in order."""
        arrived = await self.arrived()
        lost = [name for tag, names in self.posted.items() for name in names if name not in arrived[tag]]
        twice = [name for names in arrived.values() for name, count in Counter(names).items() if count > 1]
        assert lost == [], f"{len(lost)} lost; what waits, and why: {self.waiting()}"
        assert twice == []
        assert arrived == self.posted


async def besiege(
    folder: Path,
    home: Home,
    *,
    rooms: int,
    posts: int,
    kills: int,
    seconds: float,
    lease: float = 2,
    meanwhile: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Publish while the relay is killed so often, and while whatever else happens."""
    made = {}
    for number in range(rooms):
        made[f"ayllu{number}"] = await home.room("sami")
        await home.invite("sami", made[f"ayllu{number}"])
    async with Mastodon([ILLA]) as stage:
        siege = Siege(folder, stage, home, made, await home.token(), lease=lease)
        async with RelayProcess(siege.config) as relay:
            await seeded(siege.store, rooms)
            await asyncio.gather(
                siege.publish(posts, seconds=seconds),
                siege.harass(relay, kills, alive=(0.1, seconds / kills / 2)),
                *([meanwhile()] if meanwhile else []),
            )
            await siege.settle(seconds=150)
            await relay.running.wait()  # the last kill may have been a moment ago
            assert await relay.stop() == 0
        await siege.verdict()


@pytest.mark.siege
@pytest.mark.timeout(120)
async def test_a_killed_relay_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """30 posts to 3 rooms, 3 kills; the long siege of a real homeserver is below."""
    async with MatrixServer() as server:
        await besiege(tmp_path, Loopback(server), rooms=3, posts=30, kills=3, seconds=3)
        assert server.faulty == []


@pytest.mark.siege
@pytest.mark.real
@pytest.mark.timeout(600)
async def test_the_long_siege_of_a_real_homeserver(tmp_path: Path) -> None:
    """500 posts to 10 rooms, SIGKILL at 20 random moments of the relay and at 3 of Synapse."""
    with running(tmp_path / "hs") as synapse:
        await besiege(
            tmp_path,
            Real(synapse),
            rooms=10,
            posts=500,
            kills=20,
            seconds=90,
            lease=8,
            meanwhile=lambda: _crashes(synapse, 3, every=20),
        )


async def _crashes(synapse: Synapse, count: int, *, every: float) -> None:
    dice = random.Random(19)
    for _ in range(count):
        await asyncio.sleep(every * dice.uniform(0.5, 1.5))
        synapse.kill()
        await asyncio.sleep(dice.uniform(0.1, 2))
        await asyncio.to_thread(synapse.start)
