"""The kill test's harness: a network that keeps posting, a relay that keeps being killed, and a sink that counts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.servers.sink import Sink
from tests.support.processes import RelayProcess

STEADY, PLAIN = "steady:room", "plain:room"
DESTINATIONS = (STEADY, PLAIN)
LEASE = 2.0

CONFIG = """\
[relay]
name = "siege"
[store]
url = "{store}"
keep = "{keep}"
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
interval = "50ms"
sweep = "1h"
[sources.rss]
interval = "50ms"
at_once = 1000
[adapters.steady]
url = "{sink}"
[adapters.plain]
url = "{sink}"
[[subscriptions]]
topic = "#bridge"
to = ["steady:room", "plain:room"]
[[subscriptions]]
topic = "#harvest"
to = ["steady:room", "plain:room"]
[[subscriptions]]
topic = "{feed}"
to = ["steady:room", "plain:room"]
"""


class Network(Protocol):
    """Something that posts: by turns on two hashtags and in a feed."""

    instance: str
    feed: str

    async def post(self, lane: int, number: int) -> str:
        """Publish post ``number`` in one of the three lanes; a piece of text by which its uri is known."""
        ...


@dataclass
class Siege:
    network: Network
    sink: Sink
    folder: Path
    store: str
    plugins: Path
    seed: int = 7
    lease: float = LEASE
    keep: str = "90d"

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.posted: dict[int, list[str]] = {0: [], 1: [], 2: []}
        self.kills = 0
        self.relays: list[RelayProcess] = []
        self.config = self.folder / "relay.toml"

    def relay(self) -> RelayProcess:
        self.config.write_text(
            CONFIG.format(
                store=self.store,
                keep=self.keep,
                lease=self.lease,
                timeout=self.lease / 2,
                instance=self.network.instance,
                feed=self.network.feed,
                sink=self.sink.url,
            )
        )
        self.relays.append(RelayProcess(self.config, pythonpath=self.plugins))
        return self.relays[-1]

    def arrived(self, name: str) -> bool:
        return all(any(name in uri for uri in self.sink.sent(to)) for to in DESTINATIONS)

    async def publish(self, posts: int, *, seconds: float, first: int = 0) -> None:
        """Post steadily, one lane after the other; ``first`` is the number of the first post."""
        for number in range(first, first + posts):
            lane = number % 3
            self.posted[lane].append(await self.network.post(lane, number))
            await asyncio.sleep(seconds / posts * self.dice.uniform(0, 2))

    async def harass(self, relay: RelayProcess, kills: int, *, alive: tuple[float, float]) -> None:
        """Kill the relay at random moments after it runs, and start it again, so many times."""
        for _ in range(kills):
            await relay.running.wait()
            await asyncio.sleep(self.dice.uniform(*alive))
            await relay.kill()
            self.kills += 1
            await relay.start()

    async def settle(self, *, seconds: float) -> None:
        """Wait until everything has arrived everywhere."""
        try:
            async with asyncio.timeout(seconds):
                while self.lost():
                    self.sink.changed.clear()
                    await self.sink.changed.wait()
        except TimeoutError:
            pass  # the verdict tells what is missing

    def lost(self) -> list[str]:
        return [
            f"{name} at {to}"
            for to in DESTINATIONS
            for sent in [set(self.sink.sent(to))]
            for names in self.posted.values()
            for name in names
            if not any(uri.endswith(name) for uri in sent)
        ]

    def disorder(self) -> list[str]:
        """Lanes whose first arrivals are not in the order of posting."""
        wrong = []
        for to in DESTINATIONS:
            for lane, names in self.posted.items():
                firsts = _firsts(self.sink.sent(to), names)
                if firsts != names:
                    wrong.append(f"lane {lane} at {to}")
        return wrong

    def _told(self) -> str:
        """The end of what each relay said, and how far the lanes came."""
        sent = {to: len(set(self.sink.sent(to))) for to in DESTINATIONS}
        posted = {lane: len(names) for lane, names in self.posted.items()}
        logs = ["".join(relay.log[-40:]) for relay in self.relays]
        return "\n".join([f"posted {posted}, sent {sent}", *logs])

    def verdict(self) -> None:
        """0 lost, 0 twice where ids are honoured, at most one per kill where they are not, in order."""
        lost, disorder = self.lost(), self.disorder()
        assert lost == [], f"{len(lost)} lost: {lost[:9]} … {lost[-9:]}\n{self._told()}"
        assert self.sink.repeats(STEADY) == 0
        assert self.sink.repeats(PLAIN) <= self.kills, self._told()
        assert disorder == [], f"out of order: {disorder}"


def _firsts(sent: Sequence[str], names: Sequence[str]) -> list[str]:
    wanted = set(names)
    found: dict[str, None] = {}
    for uri in sent:
        name = uri.rsplit("/", 1)[-1]
        if name in wanted:
            found.setdefault(name)
    return list(found)
