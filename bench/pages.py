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

import aiohttp
import uvloop
from aiohttp import web

from bench.figures import Figure
from bench.hammer import CLIENTS, hammer
from bench.latency import Pushed, Receiver
from relay.app import clock
from relay.housekeeping import tend_memory
from relay.ingest import Ingest
from relay.lease import Tenure
from relay.log import Trouble
from relay.model import Delivery, Destination, Post, PostUri, Published
from relay.outbox import Outbox
from relay.ports import Batch, Intake, Lease, Outcome, Resolved, Sent, Store, Wanted, Wish
from relay.store import open_store
from relay.subscriptions import Subscriptions
from relay.testing import FakeAdapter, author, post, rich_post
from relay.web import Web
from relay.web.site import Site

SECONDS = 4.0
WARM, MESSAGES, APART = 20, 140, 0.05
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
    await store.save_resolved(one.id, {"fake": Resolved(feeds=("#rope",), tag="rope")}, now)
    for start in range(0, TAGGED, 500):
        some = [post(number, tags=("rope",)) for number in range(start, start + 500)]
        wishes = tuple(Wish(uri=each.uri, by={str(one.destination): one}) for each in some)
        await store.add_intakes([Intake(feed=None, events=tuple(map(Published, some)), wishes=wishes)], lease)
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
                    wanted = await asyncio.to_thread(told.recv)
                    if wanted == "time":
                        told.send(time.process_time())
                    else:
                        told.send(await _emit(source, first))
                        first += WARM + MESSAGES

    uvloop.run(main())


async def _start(store: Store, source: Pushed, adapter: FakeAdapter) -> None:
    tenure = Tenure(owner="bench", lease=timedelta(seconds=60), clock=clock, trouble=Trouble())
    outbox = Outbox(store=store, adapters={"fake": adapter}, tenure=tenure)
    ingest = Ingest(store=store, sources={"fake": source}, tenure=tenure, claimed=outbox.take, claim=outbox.claim)
    subscriptions = Subscriptions(
        store=store, sources={"fake": source}, tenure=tenure, origin="bench", changed=ingest.refresh
    )
    await subscriptions.run([Wanted(topic="#bridge", destination=Destination("fake", "room"))])
    _loops.extend((asyncio.create_task(ingest.run()), asyncio.create_task(outbox.run())))
    await asyncio.sleep(0.5)


_loops: list[asyncio.Task[None]] = []


async def _emit(source: Pushed, first: int) -> dict[str, float]:
    """When each post arrived, twenty a second; those that come first are not counted."""
    arrived: dict[str, float] = {}
    for number in range(first, first + WARM + MESSAGES):
        arrived[str(number)] = time.perf_counter()
        source.arriving.put_nowait(Batch(events=(Published(post(number, tags=("bridge",))),), more=True))
        await asyncio.sleep(APART)
    await asyncio.sleep(1)
    return dict(list(arrived.items())[WARM:])


@dataclass
class _Server:
    pipe: Connection

    async def ask(self, what: str) -> object:
        self.pipe.send(what)
        return await asyncio.to_thread(self.pipe.recv)

    async def rate(self, port: int, paths: Sequence[str]) -> float:
        """Answers for each second of the server's processor."""
        await self.hammered(port, paths, 0.5)
        before = float(str(await self.ask("time")))
        answers = await self.hammered(port, paths, SECONDS)
        return answers / (float(str(await self.ask("time"))) - before)

    async def hammered(self, port: int, paths: Sequence[str], seconds: float) -> int:
        return await asyncio.to_thread(_apart, hammer, port, paths, seconds)

    async def latencies(self, receiver: Receiver) -> list[float]:
        arrived = await self.ask("relay")
        assert isinstance(arrived, dict)
        return sorted(receiver.read[name] - at for name, at in arrived.items())


def _apart(work: Callable[..., int], *what: object) -> int:
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work, what)


def measure() -> list[Figure]:
    return uvloop.run(_measure())


async def _measure() -> list[Figure]:
    here, there = get_context("spawn").Pipe()
    async with Receiver() as receiver:
        process = get_context("spawn").Process(target=_serve, args=(there, receiver.url), daemon=True)
        process.start()
        (ours, plain), paths, sizes = await asyncio.to_thread(here.recv)
        server = _Server(here)
        figures = []
        for name, kind, target in KINDS:
            rate, floor = await server.rate(ours, paths[kind]), await server.rate(plain, [f"/{kind}"])
            title = f"{name} ({sizes[kind] / 1e3:.0f} kB) for {CLIENTS} readers, each second of the server's CPU"
            figures.append(_rate(title, rate, floor, target))
        alone = await server.latencies(receiver)
        for name, kind, _ in KINDS:
            long = (WARM + MESSAGES) * APART + 1
            beside, _answers = await asyncio.gather(
                server.latencies(receiver), server.hammered(ours, paths[kind], long)
            )
            figures.append(_beside(name, beside, alone))
        process.terminate()
    return figures


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


def _beside(name: str, beside: Sequence[float], alone: Sequence[float]) -> Figure:
    worst, usual = (statistics.quantiles(each, n=100)[98] * 1e3 for each in (beside, alone))
    return Figure(
        name=f"a post → its POST while {CLIENTS} readers ask for {name}, p99",
        value=worst,
        unit="ms",
        target="≤ 2 × alone",
        met=worst <= 2 * usual,
        floor=usual,
        floor_name="ms, alone",
    )
