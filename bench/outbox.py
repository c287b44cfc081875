"""The outbox with an adapter that answers at once: what it sends alone, and while posts arrive.

The floor of what it sends is the store's own work for it (claim and settle, ten destinations at a time), with no loop,
no tasks and no adapter around. For the posts that arrive it is how fast they ask for deliveries.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import uvloop

from bench.claims import drain
from bench.figures import Figure, interleaved
from bench.stores import intake, lease
from relay.app import clock
from relay.lease import Tenure
from relay.log import Trouble
from relay.model import Delivery, Destination, MessageId, Published, Subscription, SubscriptionId
from relay.outbox import Outbox
from relay.ports import Intake, Outcome, Sent, Settlement, State, Store, Wish
from relay.store import open_store
from relay.testing import FakeAdapter, post

POSTS = 2_000
ALL = POSTS * 3
DESTINATIONS = 50
POSTS_A_SECOND = 200
EACH = 10
"""Destinations that want a post that arrives: together 2,000 deliveries a second."""
SECONDS = 15
BATCHES_A_SECOND = 20


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
            tenure=Tenure(owner="bench", lease=timedelta(seconds=60), clock=clock, trouble=Trouble()),
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


async def _arriving(url: str) -> tuple[float, list[float]]:
    """Deliveries a second while posts arrive, and how long each waited, from before its post was written."""
    store = await open_store(url)
    posts = POSTS_A_SECOND // BATCHES_A_SECOND
    wanted = POSTS_A_SECOND * SECONDS * EACH
    async with Run(store, wanted) as run:
        begun = time.perf_counter()
        writing: set[asyncio.Task[None]] = set()
        for number in range(SECONDS * BATCHES_A_SECOND):
            await asyncio.sleep(max(0.0, begun + number / BATCHES_A_SECOND - time.perf_counter()))
            one = _wished(number * posts, posts)
            run.asked |= {event.post.uri: time.perf_counter() for event in one.events if isinstance(event, Published)}
            writing.add(asyncio.create_task(_write(store, run, one)))
        await asyncio.gather(*writing)
        try:
            async with asyncio.timeout(SECONDS):
                await run.finished.wait()
        except TimeoutError:
            pass  # it is told by the rate
        spent = time.perf_counter() - begun
    await store.close()
    return run.sent / spent, sorted([*run.waited, *[float(SECONDS)] * (wanted - run.sent)])


async def _write(store: Store, run: Run, one: Intake) -> None:
    run.outbox.take(await store.add_intakes([one], lease(), run.outbox.claim()))


def _wished(first: int, posts: int) -> Intake:
    """Each post is wanted by the next ten of the destinations."""
    events = tuple(Published(post(number)) for number in range(first, first + posts))
    wishes = tuple(
        Wish(uri=event.post.uri, by={str(to): _subscription(to) for to in _wanting(first + number)})
        for number, event in enumerate(events)
    )
    return Intake(feed=None, events=events, wishes=wishes)


def _wanting(number: int) -> list[Destination]:
    return [Destination("chat", str((number * EACH + more) % DESTINATIONS)) for more in range(EACH)]


def _subscription(to: Destination) -> Subscription:
    return Subscription(id=SubscriptionId(0), topic="#bridge", destination=to)


def _alone() -> float:
    with _file() as url:
        return uvloop.run(_drained(url))


def _store_alone() -> float:
    with _file() as url:
        return uvloop.run(drain(url))


def measure() -> list[Figure]:
    value, floor = interleaved(3, _alone, _store_alone)
    with _file() as url:
        rate, waited = uvloop.run(_arriving(url))
    asked = POSTS_A_SECOND * EACH
    late = waited[len(waited) * 99 // 100]
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
        Figure(
            name=f"{POSTS_A_SECOND} posts/s arrive for {EACH} of {DESTINATIONS} destinations each, sent meanwhile",
            value=rate,
            unit="deliveries/s",
            target="≥ 0.95 × floor",
            met=rate >= 0.95 * asked,
            floor=asked,
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
