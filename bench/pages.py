"""Pages under load: fifty readers at once, and what the relay's own messages have to wait meanwhile.

The floor is aiohttp answering a body of the same size that it holds in memory, in the same process and asked by the
same readers, who are a process of their own. What is counted is the server's time on the processor.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Self

import aiohttp
import uvloop
from aiohttp import web

from bench.figures import Figure
from bench.hammer import CLIENTS, hammer
from bench.latency import Pushed, Receiver
from relay.app import clock
from relay.log import Trouble
from relay.model import Delivery, Destination, Post, PostUri, Published
from relay.pipeline.housekeeping import tend_memory
from relay.pipeline.ingest import Ingest
from relay.pipeline.outbox import Outbox
from relay.pipeline.subscriptions import Subscriptions
from relay.pipeline.worker import Worker
from relay.ports import Batch, Outcome, Resolved, Sent
from relay.records import Intake, Lease, Linking, PlannedSend, Wanted
from relay.store import Store, open_store
from relay.testing import FakeAdapter, author, post, rich_post
from relay.web import Web
from relay.web.site import Site

SECONDS = 4.0
TURNS, MESSAGES, APART = 8, 60, 0.05
"""Alone and beside each kind of page, in turns of three seconds: what else the machine does falls on all of them."""
THREADS, LENGTH, LONG, TAGGED = 50, 8, 300, 5_000
KINDS = (
    (f"a page of {LENGTH} posts", "thread", 3_000),
    (f"a page of {LONG} posts", "long", 1_000),
    (f"a hashtag's page, of {TAGGED:,} threads", "tag", 1_000),
)


def _thread(number: int, length: int) -> list[Post]:
    """Posts with a picture, a quote and a poll each."""
    posts: list[Post] = []
    for step in range(length):
        uri = PostUri(f"https://ayllu.example/{number}/{step}")
        above = posts[-1].uri if posts else ""
        posts.append(replace(rich_post(step), uri=uri, url=uri, aliases=(), author=author(), reply_to=above))
    return posts


async def _filled(folder: str) -> Store:
    store = await open_store(f"sqlite:///{folder}/pages.sqlite3")
    now = clock()
    lease = Lease(owner="bench", now=now, until=now)
    for number in range(THREADS):
        await store.add_intakes([Intake(feed=None, events=tuple(map(Published, _thread(number, LENGTH))))], lease)
    await store.add_intakes([Intake(feed=None, events=tuple(map(Published, _thread(999, LONG))))], lease)
    await store.save_subscriptions("config", [Wanted(topic="#rope", destination=Destination("quiet", "room"))])
    [one] = await store.list_subscriptions()
    linking = Linking((one.id,), {"fake": Resolved(feeds=("#rope",), tag="rope")}, complete=False)
    await store.save_links([linking], "", now)
    for start in range(0, TAGGED, 500):
        some = [post(number, tags=("rope",)) for number in range(start, start + 500)]
        planned_sends = tuple(PlannedSend(uri=each.uri, by={str(one.destination): one}) for each in some)
        await store.add_intakes(
            [Intake(feed=None, events=tuple(map(Published, some)), planned_sends=planned_sends)], lease
        )
    return store


class _Posting(FakeAdapter):
    """An adapter that does one POST to another process."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        super().__init__()
        self._session, self._url = session, url

    async def deliver(self, delivery: Delivery) -> Outcome:
        async with self._session.post(f"{self._url}/{delivery.uri.rsplit('/', 1)[1]}", data=b"x" * 900):
            return Sent(delivery.messages)


def _serve(told: Connection, receiver: str) -> None:
    """A relay with its pages, and plain bodies as large as theirs, until the other side ends."""

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = await _filled(folder)
            site = Web(store, None, Site())
            await site.start("127.0.0.1", 0)
            slugs = [
                page.slug for n in range(THREADS) if (page := await store.get_page_of(f"https://ayllu.example/{n}/0"))
            ]
            long = await store.get_page_of("https://ayllu.example/999/0")
            paths = {
                "thread": [f"/t/{slug}" for slug in slugs],
                "long": [f"/t/{long and long.slug}"],
                "tag": ["/tag/rope"],
            }
            bodies: dict[str, bytes] = {}
            async with aiohttp.ClientSession() as session:
                for kind, some in paths.items():
                    async with session.get(site.url + some[0]) as answer:
                        bodies[kind] = await answer.read()

            async def plain(request: web.Request) -> web.Response:
                return web.Response(body=bodies[request.match_info["name"]], content_type="text/html")

            app = web.Application()
            app.router.add_get("/{name}", plain)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            ports = int(site.url.rpartition(":")[2]), int(runner.addresses[0][1])
            told.send((ports, paths, {kind: len(body) for kind, body in bodies.items()}))
            async with aiohttp.ClientSession() as session:
                _loops.append(asyncio.create_task(tend_memory()))  # as a running relay does
                source = Pushed()
                await _start(store, source, _Posting(session, receiver))
                first = 100_000
                while True:
                    [wanted] = await asyncio.to_thread(told.recv)
                    if wanted == "time":
                        told.send(time.process_time())
                    else:
                        told.send(await _emit(source, first))
                        first += MESSAGES

    uvloop.run(main())


async def _start(store: Store, source: Pushed, adapter: FakeAdapter) -> None:
    worker = Worker(owner="bench", lease=timedelta(seconds=60), clock=clock, trouble=Trouble())
    outbox = Outbox(store=store, adapters={"fake": adapter}, worker=worker)
    ingest = Ingest(store=store, sources={"fake": source}, worker=worker, claimed=outbox.take, claim=outbox.claim)
    subscriptions = Subscriptions(
        store=store, sources={"fake": source}, worker=worker, origin="bench", changed=ingest.refresh
    )
    await subscriptions.run([Wanted(topic="#bridge", destination=Destination("fake", "room"))])
    _loops.extend((asyncio.create_task(ingest.run()), asyncio.create_task(outbox.run())))
    await asyncio.sleep(0.5)


_loops: list[asyncio.Task[None]] = []


async def _emit(source: Pushed, first: int) -> dict[str, float]:
    """When each post arrived, twenty a second."""
    arrived: dict[str, float] = {}
    for number in range(first, first + MESSAGES):
        arrived[str(number)] = time.perf_counter()
        source.arriving.put_nowait(Batch(events=(Published(post(number, tags=("bridge",))),), more=True))
        await asyncio.sleep(APART)
    return arrived


def _hammers(told: Connection) -> None:
    """The readers, until the other side ends."""
    while True:
        told.send(hammer(*told.recv()))


class _Process:
    """Another process, which answers what it is asked."""

    def __init__(self, work: Callable[..., None], *what: object) -> None:
        self._pipe, there = get_context("spawn").Pipe()
        self._process = get_context("spawn").Process(target=work, args=(there, *what), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()

    async def told(self) -> Any:
        return await asyncio.to_thread(self._pipe.recv)

    async def ask(self, *what: object) -> Any:
        self._pipe.send(what)
        return await self.told()


@dataclass
class _Bench:
    server: _Process
    readers: _Process
    receiver: Receiver

    async def rate(self, port: int, paths: Sequence[str]) -> float:
        """Answers for each second of the server's processor."""
        await self.readers.ask(port, paths, 0.5)
        before = await self.server.ask("time")
        answers = await self.readers.ask(port, paths, SECONDS)
        return float(answers / (await self.server.ask("time") - before))

    async def latencies(self, port: int, paths: Sequence[str]) -> list[float]:
        """Of some of the relay's own posts; no paths: while nobody reads."""
        reading = asyncio.create_task(self.readers.ask(port, paths, MESSAGES * APART)) if paths else None
        arrived = await self.server.ask("relay")
        if reading:
            await reading
        async with asyncio.timeout(60):
            while not arrived.keys() <= self.receiver.read.keys():  # noqa: ASYNC110 - it is not measured
                await asyncio.sleep(0.05)
        return [self.receiver.read[name] - at for name, at in arrived.items()]


def measure() -> list[Figure]:
    return uvloop.run(_measure())


async def _measure() -> list[Figure]:
    async with Receiver() as receiver:
        with _Process(_serve, receiver.url) as server, _Process(_hammers) as readers:
            (ours, plain), paths, sizes = await server.told()
            bench = _Bench(server, readers, receiver)
            figures = []
            for name, kind, target in KINDS:
                rate, floor = await bench.rate(ours, paths[kind]), await bench.rate(plain, [f"/{kind}"])
                title = f"{name} ({sizes[kind] / 1e3:.0f} kB) for {CLIENTS} readers, each second of the server's CPU"
                figures.append(_rate(title, rate, floor, target))
            took: dict[str, list[list[float]]] = {kind: [] for kind in ("", *paths)}
            for _ in range(TURNS):
                for kind, turns in took.items():
                    turns.append(await bench.latencies(ours, paths.get(kind, ())))
    return figures + [_beside(name, took[kind], took[""]) for name, kind, _ in KINDS]


def _rate(name: str, rate: float, floor: float, target: int) -> Figure:
    return Figure(
        name=name,
        value=rate,
        unit="pages/s",
        target=f"≥ {target:,}/s",
        met=rate >= target,
        floor=floor,
        floor_name="pages/s, aiohttp with the body in memory",
    )


def _beside(name: str, beside: Sequence[Sequence[float]], alone: Sequence[Sequence[float]]) -> Figure:
    """By the middle one of all turns: in some of them the machine stood still for everybody."""
    (worst, all_of_them), (usual, all_alone) = map(_p99, (beside, alone))
    return Figure(
        name=(
            f"a post → its POST while {CLIENTS} readers ask for {name}, p99 of a turn of {MESSAGES}, the middle one of "
            f"{TURNS} (of all together: p50 {all_of_them[49]:.1f}, p99 {all_of_them[98]:.1f}; alone {all_alone[49]:.1f}"
            f", {all_alone[98]:.1f})"
        ),
        value=worst,
        unit="ms",
        target="≤ 2 × alone",
        met=worst <= 2 * usual,
        floor=usual,
        floor_name="ms, alone",
    )


def _p99(turns: Sequence[Sequence[float]]) -> tuple[float, list[float]]:
    """In the middle one of these turns, and the percentiles of all together, in ms."""
    of_all = _percentiles([one for turn in turns for one in turn])
    return statistics.median(_percentiles(turn)[98] for turn in turns), of_all


def _percentiles(seconds: Sequence[float]) -> list[float]:
    return [one * 1e3 for one in statistics.quantiles(seconds, n=100, method="inclusive")]
