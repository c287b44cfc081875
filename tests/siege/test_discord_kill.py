"""The relay is killed again and again while it posts to Discord, which takes some messages and says nothing."""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.servers.discord import LOST, DiscordServer, text_of
from tests.servers.mastodon import Draft, Mastodon
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
lease = "2s"
timeout = "1500ms"
[sources.mastodon]
instances = ["{instance}"]
interval = "150ms"
sweep = "1h"
[adapters.discord]
token = "{token}"
api_url = "{api}"
gateway_url = "{gateway}"
"""
SUBSCRIPTION = """
[[subscriptions]]
topic = "#{tag}"
to = "discord:{channel}"
"""


_NAME = re.compile(r"Post number \d+ ")


class Siege:
    """So many channels, each with a hashtag of its own, and posts by turns to all of them."""

    def __init__(self, folder: Path, stage: Mastodon, server: DiscordServer, channels: int) -> None:
        self.stage, self.server = stage, server
        self.dice = random.Random(11)
        self.channels = {f"ayllu{number}": server.add_channel(f"ayllu{number}") for number in range(channels)}
        self.posted: dict[str, list[str]] = {tag: [] for tag in self.channels}
        self.store = database(folder)
        self.config = folder / "relay.toml"
        self.config.write_text(
            CONFIG.format(
                store=self.store,
                instance=stage.url,
                token=server.token,
                api=server.api_url,
                gateway=server.gateway_url,
            )
            + "".join(SUBSCRIPTION.format(tag=tag, channel=channel.id) for tag, channel in self.channels.items())
        )

    async def publish(self, posts: int, *, seconds: float) -> None:
        tags = list(self.channels)
        for number in range(posts):
            tag = tags[number % len(tags)]
            self.stage.post(Draft(author="illa", text=f"Post number {number} of #{tag}"))
            self.posted[tag].append(f"Post number {number} ")
            await asyncio.sleep(seconds / posts * self.dice.uniform(0, 2))

    async def harass(self, relay: RelayProcess, kills: int, *, alive: tuple[float, float]) -> None:
        """SIGKILL at random moments after it runs; each time one answer is lost after the message was taken."""
        for _ in range(kills):
            await relay.running.wait()
            self.server.faults.add("POST /channels/*/messages", LOST, count=1)
            await asyncio.sleep(self.dice.uniform(*alive))
            await relay.kill()
            await relay.start()

    def arrived(self) -> dict[str, list[str]]:
        """What stands in each channel, in its order."""
        return {
            tag: [found[0] for message in self.server.messages(channel) if (found := _NAME.search(text_of(message)))]
            for tag, channel in self.channels.items()
        }

    def complete(self) -> bool:
        return all(
            len(self.server.messages(channel)) >= len(self.posted[tag]) for tag, channel in self.channels.items()
        )

    def waiting(self) -> list[tuple[object, ...]]:
        """What has not been settled, for whoever asks why."""
        with sqlite3.connect(self.store.removeprefix("sqlite:///")) as connection:
            query = """SELECT deliveries.destination, state, attempts, note, paused, (due - ?) / 1000000.0
                FROM deliveries JOIN destinations ON destinations.name = destination
                WHERE settled IS NULL ORDER BY deliveries.id LIMIT 20"""
            return connection.execute(query, (time.time_ns() // 1000,)).fetchall()

    def verdict(self) -> None:
        """0 lost, 0 twice, in order in every channel."""
        for tag, wanted in self.posted.items():
            got = self.arrived()[tag]
            assert [one for one, count in Counter(got).items() if count > 1] == [], f"twice in {tag}"
            assert set(wanted) - set(got) == set(), f"lost in {tag}"
            assert got == wanted, f"out of order in {tag}"


async def besiege(folder: Path, *, channels: int, posts: int, kills: int, seconds: float) -> None:
    async with DiscordServer(window=0.3) as server, Mastodon([ILLA]) as stage:
        siege = Siege(folder, stage, server, channels)
        async with RelayProcess(siege.config) as relay:
            await seeded(siege.store, channels)
            await asyncio.gather(
                siege.publish(posts, seconds=seconds), siege.harass(relay, kills, alive=(0.1, seconds / kills / 2))
            )
            try:
                await server.wait_until(siege.complete, seconds=60)
            except AssertionError as error:
                raise AssertionError(f"{error}; waiting: {siege.waiting()}; log:\n{''.join(relay.log[-40:])}") from None
            await relay.stop()
        siege.verdict()
        assert server.too_many == 0


@pytest.mark.siege
@pytest.mark.timeout(120)
async def test_a_killed_relay_loses_nothing_and_sends_nothing_twice(tmp_path: Path) -> None:
    """30 posts to 3 channels, 2 kills; the long siege is below."""
    await besiege(tmp_path, channels=3, posts=30, kills=2, seconds=2)


@pytest.mark.siege
@pytest.mark.real
@pytest.mark.timeout(600)
async def test_the_long_siege_of_twenty_channels(tmp_path: Path) -> None:
    """1,000 posts to 20 channels, SIGKILL at 20 random moments, as many answers lost."""
    await besiege(tmp_path, channels=20, posts=1000, kills=20, seconds=90)
