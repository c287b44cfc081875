"""From a post arriving to `deliver`: source → match → store → outbox → adapter, with a POST at the end.

The floor does what nobody can do without: one commit of post and delivery, inline, and one POST.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import aiohttp
import uvloop
from aiohttp import web

from bench.figures import Figure
from bench.stores import bare, bare_insert
from relay.app import clock
from relay.log import Trouble
from relay.model import Delivery, Destination, Feed, Published
from relay.pipeline.ingest import Ingest
from relay.pipeline.outbox import Outbox
from relay.pipeline.subscriptions import Subscriptions
from relay.pipeline.worker import Worker
from relay.ports import Batch, Gone, Outcome, Sent, TryLater
from relay.records import Wanted
from relay.store import open_store
from relay.testing import FakeAdapter, FakeSource, post

MESSAGES = 400
APART = 0.008


class Receiver:
    """A loopback server that notes when each POST has been read."""

    def __init__(self) -> None:
        self.read: dict[str, float] = {}

    async def __aenter__(self) -> Receiver:
        app = web.Application()
        app.router.add_post("/{name}", self._note)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        await self._runner.cleanup()

    async def _note(self, request: web.Request) -> web.Response:
        self.read[request.match_info["name"]] = time.perf_counter()
        return web.Response()

    async def post(self, name: str) -> None:
        async with self.session.post(f"{self.url}/{name}", data=b"x" * 900):
            pass


class Pushed(FakeSource):
    """A source whose poll returns the moment a post arrives."""

    def __init__(self) -> None:
        super().__init__(interval=timedelta(0))
        self.arriving: asyncio.Queue[Batch] = asyncio.Queue()

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        return await self.arriving.get() if feed.seeded else Batch(more=True)


class Posting(FakeAdapter):
    """An adapter that does one POST."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__()
        self._receiver = receiver

    async def deliver(self, delivery: Delivery) -> Outcome:
        await self._receiver.post(delivery.uri.rsplit("/", 1)[1])
        return Sent(delivery.messages)


async def _ours(folder: Path) -> Sequence[float]:
    store = await open_store(f"sqlite:///{folder}/ours.sqlite3")
    worker = Worker(owner="bench", lease=timedelta(seconds=60), clock=clock, trouble=Trouble())
    source = Pushed()
    async with Receiver() as receiver:
        outbox = Outbox(store=store, adapters={"fake": Posting(receiver)}, worker=worker)
        ingest = Ingest(store=store, sources={"fake": source}, worker=worker, claimed=outbox.take, claim=outbox.claim)
        subscriptions = Subscriptions(
            store=store, sources={"fake": source}, worker=worker, origin="bench", changed=ingest.refresh
        )
        await subscriptions.run([Wanted(topic="#bridge", destination=Destination("fake", "room"))])
        loops = [asyncio.create_task(ingest.run()), asyncio.create_task(outbox.run())]
        await asyncio.sleep(0.3)
        arrived: dict[str, float] = {}
        for number in range(MESSAGES):
            event = Published(post(number, tags=("bridge",)))
            arrived[str(number)] = time.perf_counter()
            source.arriving.put_nowait(Batch(events=(event,), more=True))
            await asyncio.sleep(APART)
        await asyncio.sleep(0.3)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await ingest.stop()
        await outbox.stop(timedelta(seconds=1))
        latencies = [receiver.read[name] - at for name, at in arrived.items()]
    await store.close()
    return latencies


async def _floor(folder: Path) -> Sequence[float]:
    connection = bare(folder / "floor.sqlite3")
    latencies: list[float] = []
    async with Receiver() as receiver:
        for number in range(MESSAGES):
            begun = time.perf_counter()
            bare_insert(connection, number, 1)
            await receiver.post(str(number))
            latencies.append(receiver.read[str(number)] - begun)
            await asyncio.sleep(APART)
    connection.close()
    return latencies


def measure() -> list[Figure]:
    ours: list[float] = []
    floor: list[float] = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            floor += uvloop.run(_floor(Path(folder)))
            ours += uvloop.run(_ours(Path(folder)))
    value, least = statistics.median(ours) * 1e6, statistics.median(floor) * 1e6
    return [
        Figure(
            name="a post arriving → its POST read by the platform, p50",
            value=value,
            unit="µs",
            target="≤ 2 × floor",
            met=value <= 2 * least,
            floor=least,
            floor_name="µs, one commit inline + one POST",
        )
    ]
