"""Feeds: what a poll costs, what the loop notices, what two thousand weigh.

The floor of a poll that brings nothing is the same request by aiohttp alone. What one costs that brings something is
measured beside two peers in the same run, each in an environment of its own: ``reader``, which fetches, parses and
stores, and what RSStT does (:mod:`bench.feed_peers`). The processor's time of our process that parses counts as ours.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import uvloop
from aiohttp import web

from bench.feed_bodies import HABITS, varied
from bench.feed_peers import PEERS
from bench.figures import Figure, interleaved
from bench.stalls import Watch, figure, watched
from relay.app import clock
from relay.core.match import Index
from relay.http import Http, HttpSettings
from relay.log import Trouble
from relay.model import Destination, Feed
from relay.pipeline.housekeeping import THRESHOLDS, tend_memory
from relay.pipeline.ingest import intake_of
from relay.pipeline.subscriptions import Subscriptions
from relay.pipeline.worker import Worker
from relay.ports import Batch
from relay.records import Intake, Lease, Wanted
from relay.sources.feed_document import EntryChange, FeedChanges, KnownFeed
from relay.sources.feed_worker import FeedWorker
from relay.sources.rss import RssSettings, RssSource
from relay.store import open_store

ENTRIES = 20
NOW = datetime(2027, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEW = {"one": 1, "all": ENTRIES}
"""How many of the entries are new at each request, by the kind of the feed."""
FEEDS, ROUNDS = 96, 3
TURNS = 2
"""How often feeds of all kinds are polled."""


# --- a server ---


def serve(told: Connection) -> None:
    """``/same/…`` has validators, ``/plain/…`` none, ``/one/…`` one new entry at every request, ``/all/…`` twenty.

    ``/varied/3-…`` is the fourth of all kinds.
    """
    asked: dict[str, int] = {}
    for turn in range(TURNS):  # nobody waits for their making
        varied(turn)

    async def answer(request: web.Request) -> web.Response:
        kind, name = request.match_info["kind"], request.match_info["name"]
        if kind == "same" and request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304, headers={"ETag": '"1"'})
        asked[name] = asked.get(name, -1) + 1
        if kind == "varied":
            return web.Response(body=varied(asked[name])[int(name.partition("-")[0])], content_type="application/xml")
        first = asked[name] * NEW.get(kind, 0)
        body = list(HABITS.values())[len(name) % 3](name, first, ENTRIES)
        headers = {"ETag": '"1"'} if kind == "same" else {}
        return web.Response(body=body, content_type="application/xml", headers=headers)

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/{kind}/{name}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", 0).start()  # noqa: S104 - the whole loopback network, for as long as we measure
        told.send(f"http://127.0.0.1:{runner.addresses[0][1]}")
        await asyncio.Event().wait()

    uvloop.run(main())


class Counting(FeedWorker):
    """Counts what is parsed, and what its processes take."""

    parsed = 0

    async def read(
        self, body: bytes, known: KnownFeed, name: str = ""
    ) -> tuple[FeedChanges, Sequence[EntryChange]] | None:
        self.parsed += 1
        return await super().read(body, known, name)

    def processes(self) -> list[int]:
        parsers = (self._ordinary, self._large, self._slow)
        return [parser._process.pid for parser in parsers if parser._process]

    def seconds(self) -> float:
        """Of the processor's time, with ours."""
        stats = (Path(f"/proc/{pid}/schedstat").read_text().split() for pid in self.processes())
        return time.process_time() + sum(int(running) for running, *_ in stats) / 1e9


def _http() -> Http:
    settings = {"allow_private": ["127.0.0.0/8"], "pace": "0s", "connections_per_host": 8}
    return Http(HttpSettings.model_validate(settings), user_agent="bench")


def new_database(url: str) -> None:
    """In a process of its own, as an earlier start of the relay did it: what makes a schema is not in memory later."""
    subprocess.run([sys.executable, "-c", f"import bench.feeds as b; b.make_database({url!r})"], check=True)


def make_database(url: str) -> None:
    """Make the schema of a new database."""

    async def make() -> None:
        await (await open_store(url)).close()

    asyncio.run(make())


# --- polls ---

_NAMES = map("ours{:07}".format, count())
"""Each run asks for feeds that nobody has asked for; the number of letters tells their habit."""


class Relay:
    """A store, a source and subscriptions to so many feeds; reads all of them, round after round."""

    def __init__(self, folder: str, http: Http, worker: Counting) -> None:
        self._url = f"sqlite:///{folder}/feeds.sqlite3"
        self.worker = worker
        self.now = clock()
        self.source = RssSource(RssSettings(), http, worker=self.worker, clock=lambda: self.now)

    async def subscribe(self, addresses: Sequence[str]) -> None:
        new_database(self._url)
        self.store = await open_store(self._url)
        worker = Worker(owner="bench", lease=HOUR, clock=lambda: self.now, trouble=Trouble())
        wanted = [Wanted(topic=address, destination=Destination("console", "x")) for address in addresses]

        async def changed() -> None:
            self._subscribed = Index(await self.store.list_subscriptions())

        sources = {"rss": self.source}
        linking = Subscriptions(store=self.store, sources=sources, worker=worker, origin="bench", changed=changed)
        await linking.run(wanted)
        await changed()

    async def round(self, feeds: int) -> tuple[float, int]:
        """Poll each feed once, sixteen at a time, and write what they bring: CPU in ms a feed, and the deliveries."""
        self.now += 2 * HOUR
        lease = Lease(owner="bench", now=self.now, until=self.now + HOUR)
        done, deliveries, begun = 0, 0, self.worker.seconds()
        while done < feeds:
            claimed = await self.store.claim_feeds(("rss",), lease, 16)
            intakes = await asyncio.gather(*(self._poll(feed) for feed in claimed))
            await self.store.add_intakes(intakes, lease)
            done += len(claimed)
            deliveries += sum(len(intake.planned_sends) for intake in intakes)
            del intakes  # not in the turn in which the next ones are there
        return (self.worker.seconds() - begun) / feeds * 1e3, deliveries

    async def _poll(self, feed: Feed) -> Intake:
        answer = await self.source.poll(feed)
        assert isinstance(answer, Batch) or "/varied/" in feed.address, answer  # some of those cannot be read
        return replace(intake_of(feed, self.source, answer, self._subscribed, self.now, 0.5), next_poll=self.now + HOUR)


async def _rounds(
    url: str, kind: str, feeds: int, rounds: int, worker: Counting | None = None
) -> tuple[float, int, int]:
    """CPU in ms a poll once everything is seeded, deliveries a round, documents parsed a round."""
    with tempfile.TemporaryDirectory() as folder:
        async with _http() as http:
            relay = Relay(folder, http, worker or Counting())
            await relay.subscribe([f"{url}/{kind}/{'x' * (n % 3)}{next(_NAMES)}" for n in range(feeds)])
            await relay.round(feeds)  # the first poll marks and relays nothing
            await relay.round(feeds)
            relay.worker.parsed = 0
            results = [await relay.round(feeds) for _ in range(rounds)]
            await relay.store.close()
    parsed = relay.worker.parsed // rounds
    return sorted(cpu for cpu, _ in results)[rounds // 2], results[-1][1], parsed


def _address(url: str, number: int) -> str:
    """Of a feed with validators; sixteen in a row are at hosts of their own, as far as a client can tell."""
    return f"{url.replace('127.0.0.1', f'127.0.0.{number % 16 + 1}')}/same/asked{number}"


def _settle() -> None:
    """As the relay does when it has started."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


async def _asked(url: str, feeds: int) -> float:
    """CPU in ms of a poll that is answered with 304: asked and understood, not stored."""
    async with _http() as http:
        source = RssSource(RssSettings(), http)
        known: list[Feed] = []
        for number in range(feeds):
            feed = Feed(id=number, source="rss", address=_address(url, number))  # type: ignore[arg-type] # an id
            for _ in range(2):  # the second answer, too, says something: that the document stood
                answer = await source.poll(feed)
                assert isinstance(answer, Batch)
                feed = replace(feed, cursor=answer.cursor or feed.cursor, seeded=True)
            known.append(feed)
        begun = time.process_time()
        for first in range(0, feeds, 16):
            await asyncio.gather(*(source.poll(feed) for feed in known[first : first + 16]))
        return (time.process_time() - begun) / feeds * 1e3


async def _alone(url: str, feeds: int) -> float:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit_per_host=8)) as session:

        async def fetch(number: int) -> None:
            async with session.get(_address(url, number), headers={"If-None-Match": '"1"'}) as answer:
                await answer.read()

        begun = time.process_time()
        for first in range(0, feeds, 16):
            await asyncio.gather(*(fetch(number) for number in range(first, first + 16)))
        return (time.process_time() - begun) / feeds * 1e3


def _polls(url: str) -> list[Figure]:
    _settle()
    asked, alone = interleaved(5, lambda: uvloop.run(_asked(url, 320)), lambda: uvloop.run(_alone(url, 320)))
    same, _, parsed = uvloop.run(_rounds(url, "plain", FEEDS, ROUNDS))
    return [
        Figure(
            name="a poll answered with 304: asked and understood",
            value=asked,
            unit="ms CPU",
            target="≤ 0.2 ms",
            met=asked <= 0.2,
            floor=alone,
            floor_name="ms CPU, aiohttp alone",
        ),
        Figure(
            name=f"the same document again, without validators ({parsed} of {FEEDS} parsed)",
            value=same,
            unit="ms CPU",
            target="never parsed",
            met=parsed == 0,
            floor=alone,
            floor_name="ms CPU, aiohttp alone, 304",
        ),
        _changed(url, "one", 0.25),
        _changed(url, "all", 1.0),
    ]


def _changed(url: str, kind: str, most: float) -> Figure:
    """A feed of which some entries are new, beside the peers in turns with us; ``most``: times the better of them."""
    sent = 0

    def ours() -> float:
        nonlocal sent
        spent, sent, _ = uvloop.run(_rounds(f"{url}", kind, FEEDS, ROUNDS))
        return spent

    spent, *peers = interleaved(3, ours, *(partial(peer, url, kind) for peer in PEERS.values()))
    told = ", ".join(f"{name} {ms:.1f}" for name, ms in zip(PEERS, peers, strict=True))
    return Figure(
        name=f"a feed with {NEW[kind]} new of {ENTRIES} entries: asked, read, stored with its deliveries ({told})",
        value=spent,
        unit="ms CPU",
        target=f"≤ {most:.2f} × floor",
        met=spent <= most * min(peers) and sent == FEEDS * NEW[kind],
        floor=min(peers),
        floor_name="ms CPU, the better peer",
    )


# --- what the loop notices ---


async def _stall(url: str) -> Watch:
    """Feeds of all kinds are polled and stored, as in a relay that runs for a while."""
    tending = asyncio.create_task(tend_memory())
    kinds = len(varied(0))
    with tempfile.TemporaryDirectory() as folder:
        async with _http() as http:
            relay = Relay(folder, http, Counting(timedelta(seconds=1)))
            await relay.subscribe([f"{url}/varied/{number}-{next(_NAMES)}" for number in range(kinds)])
            await asyncio.sleep(2.5)

            async def read() -> None:
                for _ in range(TURNS):
                    await relay.round(kinds)

            watch = await watched(read())
            await relay.store.close()
    tending.cancel()
    await asyncio.gather(tending, return_exceptions=True)
    return watch


def _stalls(url: str) -> Figure:
    runs, idle = list[Watch](), list[Watch]()
    for _ in range(5):
        runs.append(uvloop.run(_stall(url)))
        idle.append(uvloop.run(watched(asyncio.sleep(3))))
    return figure("feeds are polled, read and stored, ordinary, large, odd and hostile ones", runs, idle, most=10)


# --- what two thousand weigh ---


def weigh(url: str) -> None:
    """Read 2,000 changing feeds three times in this process; print what it and its parser weighed at most, in MB."""
    uvloop.run(_weighed(url))


async def _weighed(url: str) -> None:
    worker = Counting()
    await _rounds(url, "all", 2_000, 1, worker)
    print(_heaviest("self"), *map(_heaviest, worker.processes()))


def _heaviest(process: int | str) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def _weight(url: str) -> Figure:
    program = f"import bench.feeds as b; b.weigh({url!r})"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    bare = "import aiohttp; print(next(int(l.split()[1]) / 1024 for l in open('/proc/self/status') if 'VmHWM' in l))"
    floor = subprocess.run([sys.executable, "-c", bare], capture_output=True, check=True, text=True).stdout
    relay, parser = map(float, told.split())
    return Figure(
        name=f"2,000 feeds of {ENTRIES} entries, all new at every poll: the most that was resident "
        f"(and {parser:.0f} MB in the process that parses)",
        value=relay,
        unit="MB",
        target="≤ 120 MB",
        met=relay <= 120,
        floor=float(floor),
        floor_name="MB, Python with aiohttp imported",
    )


def measure() -> list[Figure]:
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = here.recv()
    try:
        return [*_polls(url), _stalls(url), _weight(url)]
    finally:
        server.terminate()
        server.join()
