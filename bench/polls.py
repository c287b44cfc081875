"""CPU of a poll that answers 304, keep-alive, its state stored; the floor is the same request without a relay."""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing.connection import Connection

import aiohttp
import uvloop
from aiohttp import web

from bench.figures import Figure, interleaved
from relay.app import clock
from relay.http import Http, HttpSettings
from relay.log import Trouble
from relay.model import Destination, Feed
from relay.pipeline.ingest import Ingest
from relay.pipeline.subscriptions import Subscriptions
from relay.pipeline.worker import Worker
from relay.plugins import Host
from relay.ports import Batch, Check, Gone, Refused, Resolved, Source, TryLater
from relay.records import Wanted
from relay.sources.rss import plugin
from relay.store import open_store

FEEDS = 1_000
ENTRY = "<item><guid>{n}</guid><title>Item {n}</title><link>https://ayllu.example/{n}</link></item>"
FEED = (
    '<?xml version="1.0"?><rss version="2.0"><channel><title>Ayllu</title>'
    + "".join(ENTRY.format(n=n) for n in range(3))
    + "</channel></rss>"
)


def _serve(told: Connection) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304, headers={"ETag": '"1"'})
        return web.Response(text=FEED, content_type="application/rss+xml", headers={"ETag": '"1"'})

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/{name}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told.send(f"http://127.0.0.1:{runner.addresses[0][1]}")
        await asyncio.Event().wait()

    uvloop.run(main())


async def _floor(url: str) -> float:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit_per_host=2)) as session:
        begun = time.process_time()

        async def fetch(numbers: range) -> None:
            for number in numbers:
                async with session.get(f"{url}/{number}", headers={"If-None-Match": '"1"'}) as answer:
                    await answer.read()

        await asyncio.gather(fetch(range(0, FEEDS, 2)), fetch(range(1, FEEDS, 2)))
        return (time.process_time() - begun) / FEEDS * 1e3


class Counted:
    """The RSS source, counting its polls."""

    def __init__(self, inner: Source) -> None:
        self._inner = inner
        self.name = inner.name
        self.interval = timedelta(milliseconds=1)
        self.polls = 0
        self.reached: dict[int, asyncio.Event] = {}

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        return await self._inner.resolve(topic)

    async def check(self) -> Sequence[Check]:
        return ()

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        answer = await self._inner.poll(feed)
        self.polls += 1
        if (event := self.reached.get(self.polls)) is not None:
            event.set()
        return answer

    async def until(self, polls: int) -> None:
        await self.reached.setdefault(polls, asyncio.Event()).wait()


async def _ours(url: str, folder: str) -> float:
    """Seed all feeds and poll them once more, then measure the CPU of two whole rounds of 304."""
    settings = HttpSettings.model_validate({"allow_private": ["127.0.0.0/8"], "pace": "0s"})
    store = await open_store(f"sqlite:///{folder}/polls.sqlite3")
    worker = Worker(owner="bench", lease=timedelta(seconds=60), clock=clock, trouble=Trouble())
    async with Http(settings, user_agent="bench") as http:
        source = Counted(plugin.build(plugin.settings(), Host(http=http, name="bench")))
        ingest = Ingest(store=store, sources={"rss": source}, worker=worker)
        subscriptions = Subscriptions(
            store=store, sources={"rss": source}, worker=worker, origin="bench", changed=ingest.refresh
        )
        wanted = [Wanted(topic=f"{url}/{n}", destination=Destination("console")) for n in range(FEEDS)]
        await subscriptions.run(wanted)
        loop = asyncio.create_task(ingest.run())
        await source.until(2 * FEEDS)
        begun = time.process_time()
        await source.until(4 * FEEDS)
        spent = time.process_time() - begun
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await ingest.stop()
    await store.close()
    return spent / (2 * FEEDS) * 1e3


def measure() -> list[Figure]:
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    server.start()
    url = here.recv()

    def ours() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return uvloop.run(_ours(url, folder))

    try:
        value, floor = interleaved(3, ours, lambda: uvloop.run(_floor(url)))
    finally:
        server.terminate()
        server.join()
    return [
        Figure(
            name="a poll that answers 304, keep-alive, state stored",
            value=value,
            unit="ms CPU",
            target="≤ 0.3 ms",
            met=value <= 0.3,
            floor=floor,
            floor_name="ms CPU, aiohttp alone",
        )
    ]
