"""The outbox with an adapter that answers at once: what it sends alone, and while posts arrive.

The floor of what it sends is the store's own work for it (claim and settle, ten destinations at a time), with no loop,
no tasks and no adapter around. For the posts that arrive it is how fast they ask for deliveries: 2,000 a second, as
many posts to few destinations each, and as fewer posts to every one. Then five times as much arrives as can be sent:
what is sent meanwhile must not fall far behind what is sent when nothing arrives, and all of it is sent in the end.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import uvloop

from bench.claims import drain
from bench.figures import Figure, interleaved
from bench.stores import intake, lease
from relay.app import clock
from relay.log import Trouble
from relay.model import Delivery, Destination, MessageId, Published, Subscription, SubscriptionId
from relay.pipeline.batcher import Batcher
from relay.pipeline.outbox import Outbox
from relay.pipeline.worker import Worker
from relay.ports import Outcome, Sent
from relay.records import Intake, PlannedSend, Settlement, State
from relay.store import Store, open_store
from relay.testing import FakeAdapter, post

POSTS = 2_000
ALL = POSTS * 3
DESTINATIONS = 50
BATCHES_A_SECOND = 20
PATIENCE = 45.0
"""Seconds after which what is not sent is given up, and told by the rate."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """Posts that arrive for some time; each is wanted by ``each`` of the destinations."""

    posts: int
    each: int
    seconds: int

    @property
    def rate(self) -> int:
        """Deliveries a second that they ask for."""
        return self.posts * self.each

    @property
    def all(self) -> int:
        return self.rate * self.seconds

    def __str__(self) -> str:
        return f"{self.posts} posts/s for {self.each} of {DESTINATIONS} destinations each"


FEW, EVERY = Load(posts=200, each=10, seconds=10), Load(posts=40, each=50, seconds=10)
TOO_MUCH = Load(posts=200, each=50, seconds=4)


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """``meanwhile`` and ``rate``: deliveries a second while posts arrived, and until all was sent."""

    sent: int
    meanwhile: float
    rate: float
    waited: Sequence[float]
    """Of each, from before its post was written."""
    grown: int
    """Megabytes by which the process grew."""


class Instant(FakeAdapter):
    """Answers without awaiting anything."""

    async def deliver(self, delivery: Delivery) -> Outcome:  # noqa: ARG002 - the port's signature
        return Sent((MessageId("1"),))


class Run:
    """An outbox that runs until so many deliveries are sent; notes when each was handed over and settled."""

    def __init__(self, store: Store, wanted: int) -> None:
        self._wanted = wanted
        self.sent = 0
        self.finished = asyncio.Event()
        self.waited: list[float] = []
        self.asked: dict[str, float] = {}
        self.outbox = Outbox(
            store=store,
            adapters={"chat": Instant(name="chat")},
            worker=Worker(owner="bench", lease=timedelta(seconds=60), clock=clock, trouble=Trouble()),
            settled=self._settled,
        )

    def _settled(self, delivery: Delivery, settlement: Settlement, _now: datetime) -> None:
        self.sent += settlement.state is State.SENT
        if delivery.uri in self.asked:
            self.waited.append(time.perf_counter() - self.asked[delivery.uri])
        if self.sent >= self._wanted:
            self.finished.set()

    async def __aenter__(self) -> Run:
        self._loop = asyncio.create_task(self.outbox.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)
        await self.outbox.stop(timedelta(seconds=5))


@contextmanager
def _file() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / 'ours.sqlite3'}"


async def _drained(url: str) -> float:
    """Deliveries a second, of what waits when the outbox begins."""
    store = await open_store(url)
    for number in range(POSTS // 100):
        await store.add_intakes([intake(number * 100, 100)], lease())
    begun = time.perf_counter()
    async with Run(store, ALL) as run:
        await run.finished.wait()
    spent = time.perf_counter() - begun
    await store.close()
    return ALL / spent


async def _arriving(url: str, load: Load) -> Arrived:
    """Posts are written as the relay writes them: what arrives during a write is written together by the next one."""
    store = await open_store(url)
    posts, before = load.posts // BATCHES_A_SECOND, _memory()
    async with Run(store, load.all) as run:

        async def write(intakes: Sequence[Intake]) -> None:
            run.outbox.take(await store.add_intakes(intakes, lease(), run.outbox.claim()))

        arriving = Batcher[Intake](write)
        begun = time.perf_counter()
        writing: set[asyncio.Task[None]] = set()
        for number in range(load.seconds * BATCHES_A_SECOND):
            await asyncio.sleep(max(0.0, begun + number / BATCHES_A_SECOND - time.perf_counter()))
            one = _wished(number * posts, posts, load.each)
            run.asked |= {event.post.uri: time.perf_counter() for event in one.events if isinstance(event, Published)}
            writing.add(asyncio.create_task(arriving.add(one)))
        await asyncio.gather(*writing)
        meanwhile = run.sent / (time.perf_counter() - begun)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await run.finished.wait()
        spent = time.perf_counter() - begun
    await store.close()
    waited = sorted([*run.waited, *[PATIENCE] * (load.all - run.sent)])
    return Arrived(
        sent=run.sent, meanwhile=meanwhile, rate=run.sent / spent, waited=waited, grown=(_memory() - before) >> 20
    )


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _wished(first: int, posts: int, each: int) -> Intake:
    """Each post is wanted by the next ones of the destinations."""
    events = tuple(Published(post(number)) for number in range(first, first + posts))
    planned_sends = tuple(
        PlannedSend(uri=event.post.uri, by={str(to): _subscription(to) for to in _wanting(first + number, each)})
        for number, event in enumerate(events)
    )
    return Intake(feed=None, events=events, planned_sends=planned_sends)


def _wanting(number: int, each: int) -> list[Destination]:
    return [Destination("chat", str((number * each + more) % DESTINATIONS)) for more in range(each)]


def _subscription(to: Destination) -> Subscription:
    return Subscription(id=SubscriptionId(0), topic="#bridge", destination=to)


def _with(load: Load) -> Arrived:
    with _file() as url:
        return uvloop.run(_arriving(url, load))


def _alone() -> float:
    with _file() as url:
        return uvloop.run(_drained(url))


def _store_alone() -> float:
    with _file() as url:
        return uvloop.run(drain(url))


def measure() -> list[Figure]:
    value, floor = interleaved(3, _alone, _store_alone)
    keeping_up = [figure for load in (FEW, EVERY) for figure in _keeps_up(load, _with(load))]
    return [
        Figure(
            name="outbox, an adapter that answers at once, SQLite",
            value=value,
            unit="deliveries/s",
            target="≥ 4,000/s",
            met=value >= 4_000,
            floor=floor,
            floor_name="deliveries/s, claim and settle without a loop",
        ),
        *keeping_up,
        _holds_out(_with(TOO_MUCH), value),
    ]


def _keeps_up(load: Load, arrived: Arrived) -> list[Figure]:
    waited = arrived.waited
    late = waited[len(waited) * 99 // 100]
    return [
        Figure(
            name=f"{load}, sent meanwhile",
            value=arrived.rate,
            unit="deliveries/s",
            target="≥ 0.95 × floor",
            met=arrived.rate >= 0.95 * load.rate,
            floor=load.rate,
            floor_name="deliveries/s, what is asked for",
        ),
        Figure(
            name=f"the same: from before a post is written to the outcome, p99 (p50: {waited[len(waited) // 2]:.3f} s)",
            value=late,
            unit="s",
            target="≤ 1 s",
            met=late <= 1,
        ),
    ]


def _holds_out(arrived: Arrived, alone: float) -> Figure:
    lost = TOO_MUCH.all - arrived.sent
    return Figure(
        name=f"{TOO_MUCH}, {TOO_MUCH.rate:,}/s for {TOO_MUCH.seconds} s: sent until all was"
        f" ({arrived.meanwhile:,.0f}/s while they arrived, {lost} lost, {arrived.grown} MB more memory)",
        value=arrived.rate,
        unit="deliveries/s",
        target="≥ 0.5 × floor, none lost, ≤ 32 MB more",
        met=arrived.rate >= 0.5 * alone and not lost and arrived.grown <= 32,
        floor=alone,
        floor_name="deliveries/s, when nothing arrives",
    )
