"""Killing the process at any instant loses nothing, and sends nothing twice that can be helped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.servers.feeds import FeedServer
from tests.servers.masto import Masto
from tests.servers.mastodon import Mastodon
from tests.servers.sink import Sink
from tests.support.kills import MastodonNetwork
from tests.support.processes import seeded
from tests.support.relay_runs import ILLA
from tests.support.siege import LEASE, PLAIN, Siege


@pytest.mark.siege
@pytest.mark.timeout(170)
async def test_a_relay_that_is_killed_again_and_again_loses_nothing(
    tmp_path: Path, sink: Sink, plugins: Path, store_url: str
) -> None:
    """60 posts, 3 kills, on both databases; the long siege is ``test_the_long_siege``."""
    async with Mastodon([ILLA]) as stage:
        siege = Siege(MastodonNetwork(stage), sink, tmp_path, store_url, plugins)
        async with siege.relay() as relay:
            await seeded(siege.store, 3)
            await asyncio.gather(siege.publish(60, seconds=3), siege.harass(relay, 3, alive=(0.1, 0.8)))
            await siege.settle(seconds=30)
            await relay.stop()
    siege.verdict()


@pytest.mark.siege
@pytest.mark.timeout(170)
async def test_two_relays_share_the_work_and_take_over_from_each_other(
    tmp_path: Path, sink: Sink, plugins: Path, postgres_url: str
) -> None:
    async with Mastodon([ILLA]) as stage:
        siege = Siege(MastodonNetwork(stage), sink, tmp_path, postgres_url, plugins)
        async with siege.relay() as victim, siege.relay() as survivor:
            await seeded(siege.store, 3)
            await asyncio.gather(siege.publish(60, seconds=5), siege.harass(victim, 3, alive=(0.1, 0.8)))
            await siege.settle(seconds=30)
            siege.verdict()
            await victim.kill()
            await _takes_over(siege)
            await survivor.stop()


async def _takes_over(siege: Siege) -> None:
    """What is posted after a kill arrives within the dead one's lease (and a little for the work itself)."""
    fresh = [await siege.network.post(lane, 1000) for lane in range(3)]
    async with asyncio.timeout(LEASE + 3):
        while not all(siege.arrived(name) for name in fresh):
            await asyncio.sleep(0.02)


SHOWN = 60
"""How many items the feed shows: more than it grows by while the relay is down."""


# --- the long siege, against somebody else's server ---


class MockNetwork:
    """mastodon-mock and a feed."""

    def __init__(self, masto: Masto, feeds: FeedServer) -> None:
        self._masto, self._feeds = masto, feeds
        self.instance = masto.base
        self.feed = feeds.feed

    async def post(self, lane: int, number: int) -> str:
        if lane == 2:
            guid = f"https://village.example/n{number}"
            self._feeds.add_item(f"News {number}", guid=guid)
            del self._feeds.items[SHOWN:]
            return guid.rsplit("/", 1)[1]
        tag = ("bridge", "harvest")[lane]
        status = await self._masto.post(f"Post {number} #{tag}")
        return str(status["id"])


@pytest.mark.real
@pytest.mark.timeout(900)
async def test_the_long_siege(tmp_path: Path, sink: Sink, plugins: Path, store_url: str, masto: Masto) -> None:
    """1,000 posts, SIGKILL at 50 random moments, on SQLite and on PostgreSQL."""
    async with FeedServer() as feeds:
        siege = Siege(MockNetwork(masto, feeds), sink, tmp_path, store_url, plugins)
        async with siege.relay() as relay:
            await seeded(siege.store, 3)
            await asyncio.gather(siege.publish(1000, seconds=90), siege.harass(relay, 50, alive=(0.05, 1.5)))
            await siege.settle(seconds=180)
            await relay.stop()
    siege.verdict()
    print(f"{siege.kills} kills; repeats where ids are not honoured: {sink.repeats(PLAIN)}")


@pytest.mark.real
@pytest.mark.timeout(900)
async def test_the_long_siege_of_one_of_two(
    tmp_path: Path, sink: Sink, plugins: Path, postgres_url: str, masto: Masto
) -> None:
    """The same on PostgreSQL with two relays side by side, one of them killed again and again."""
    async with FeedServer() as feeds:
        siege = Siege(MockNetwork(masto, feeds), sink, tmp_path, postgres_url, plugins)
        async with siege.relay() as victim, siege.relay() as survivor:
            await seeded(siege.store, 3)
            await asyncio.gather(siege.publish(1000, seconds=90), siege.harass(victim, 50, alive=(0.05, 1.5)))
            await siege.settle(seconds=180)
            siege.verdict()
            await victim.kill()
            await _takes_over(siege)
            await survivor.stop()
    print(f"{siege.kills} kills; repeats where ids are not honoured: {sink.repeats(PLAIN)}")
