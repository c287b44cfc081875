"""One post at a time, twenty a second: from before a server streams it to the moment its POST has reached another one.

`relay run` listens to a Mastodon stream by websocket and delivers through an adapter that POSTs; both servers are in
this process, so both clocks are one. The floor is a program that does what nobody can do without: it reads the same
stream, keeps the post and its delivery in one commit, inline, and POSTs.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import uvloop
from aiohttp import web

from bench.figures import Figure
from bench.stores import bare, bare_insert
from tests.servers.mastodon import fediverse
from tests.servers.mastodon.fediverse import Fediverse
from tests.servers.sink import install_adapter

APART = 0.05
WARM, POSTS = 40, 400
TURNS = 2
"""Floor and relay, one after the other, so often."""
TOKEN = "t0ken"  # noqa: S105 - our own server's
TAG = "bridge"
WORDS = "The bridge of grass is woven anew by four villages, and nobody may cross it before the third day. " * 4

CONFIG = """\
[store]
url = "sqlite:///{folder}/relay.sqlite3"
[web]
port = 0
[http]
allow_private = ["127.0.0.0/8"]
[outbox]
budget = 0
[sources.mastodon]
instances = ["{instance}"]
[sources.mastodon.tokens]
"{instance}" = "{token}"
[adapters.plain]
url = "{sink}"
[[subscriptions]]
topic = "#{tag}"
to = "plain:room"
"""


@dataclass
class Arrivals:
    """Takes POSTs, and notes when each was there."""

    at: dict[str, float] = field(default_factory=dict)
    url: str = ""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __aenter__(self) -> Arrivals:
        app = web.Application()
        app.router.add_post("/deliver", self._note)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def hold(self, uris: AbstractSet[str]) -> None:
        """Wait until all of them have arrived."""
        async with self._news:
            await self._news.wait_for(lambda: self.at.keys() >= uris)

    async def _note(self, request: web.Request) -> web.Response:
        now = time.perf_counter()
        self.at[(await request.json())["uri"]] = now
        async with self._news:
            self._news.notify_all()
        return web.Response(text="m1")


@dataclass(frozen=True, slots=True)
class Measured:
    latencies: list[float]
    spent: float
    """Seconds of the processor's time for each post."""


async def _told(stage: Fediverse, arrivals: Arrivals, process: asyncio.subprocess.Process) -> Measured:
    """Post, one at a time, and wait until all have arrived; what came first is not counted."""
    begun: dict[str, float] = {}
    used = 0.0
    async with asyncio.timeout(100):
        async with stage.streams.news:  # a relay that has just been installed makes its tables first
            await stage.streams.news.wait_for(lambda: bool(stage.streams.ears))
        await asyncio.sleep(1)
        for number in range(WARM + POSTS):
            if number == WARM:
                used = _used(process.pid)
            now = time.perf_counter()
            begun[stage.post(f"{WORDS} #{TAG} {number}")["uri"]] = now
            await asyncio.sleep(APART)
        await arrivals.hold(begun.keys())
    spent = (_used(process.pid) - used) / POSTS
    return Measured([arrivals.at[uri] - at for uri, at in [*begun.items()][WARM:]], spent)


def _used(pid: int) -> float:
    """Seconds of the processor's time, of all threads (Linux: proc(5))."""
    numbers = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def _running(*command: str, pythonpath: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
    if pythonpath:
        env["PYTHONPATH"] = pythonpath
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=env, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ours() -> Measured:
    async with fediverse.run(Fediverse(tokens={TOKEN})) as stage, Arrivals() as arrivals:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            config = folder / "relay.toml"
            config.write_text(
                CONFIG.format(folder=folder, instance=stage.base, sink=arrivals.url, token=TOKEN, tag=TAG)
            )
            config.chmod(0o600)
            plugins = install_adapter(folder)
            command = ("-m", "relay.cli", "run", "-c", str(config))
            async with _running(*command, pythonpath=str(plugins)) as process:
                return await _told(stage, arrivals, process)


async def _least() -> Measured:
    async with fediverse.run(Fediverse(tokens={TOKEN})) as stage, Arrivals() as arrivals:
        with tempfile.TemporaryDirectory() as folder:
            program = f"import bench.single as b; b.floor({stage.base!r}, {arrivals.url!r}, {folder!r})"
            async with _running("-c", program) as process:
                return await _told(stage, arrivals, process)


def floor(instance: str, sink: str, folder: str) -> None:
    """The program that does the least."""
    uvloop.run(_relay(instance, sink, Path(folder)))


async def _relay(instance: str, sink: str, folder: Path) -> None:
    connection = bare(folder / "floor.sqlite3")
    address = f"{instance}/api/v1/streaming?stream=hashtag&tag={TAG}"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession() as session, session.ws_connect(address, headers=headers) as socket:
        number = 0
        async for message in socket:
            status = json.loads(json.loads(message.data)["payload"])
            bare_insert(connection, number, 1)
            number += 1
            async with session.post(f"{sink}/deliver", json={"uri": status["uri"], "words": status["content"]}):
                pass


def _at(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


async def _turns() -> tuple[list[Measured], list[Measured]]:
    ours: list[Measured] = []
    least: list[Measured] = []
    for _ in range(TURNS):
        least.append(await _least())
        ours.append(await _ours())
    return ours, least


def measure() -> list[Figure]:
    ours, least = uvloop.run(_turns())
    mine = [latency * 1000 for one in ours for latency in one.latencies]
    floors = [latency * 1000 for one in least for latency in one.latencies]
    figures = [
        Figure(
            name=f"one post of a stream at 20 a second → its POST at the platform, {name}",
            value=_at(mine, share),
            unit="ms",
            target="≤ 2 × floor",
            met=_at(mine, share) <= 2 * _at(floors, share),
            floor=_at(floors, share),
            floor_name="ms, the stream read, one commit inline, one POST",
        )
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]
    spent, bottom = (sum(one.spent for one in some) / len(some) * 1000 for some in (ours, least))
    return [
        *figures,
        Figure(
            name="the same, the processor's time for each post",
            value=spent,
            unit="ms CPU",
            target="≤ 3 ms",
            met=spent <= 3,
            floor=bottom,
            floor_name="ms CPU, the same",
        ),
    ]
