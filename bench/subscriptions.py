"""What subscriptions cost: a start with very many of them, one more, and the stop.

Each size runs in a process of its own: the relay as `relay run` has it, with a source and an adapter of our own, on a
SQLite file. Ten subscriptions share a hashtag (in the last figure none do), twenty a destination, sixty a community,
one in ten wants only one language; a feed for each hashtag is due once in fifteen minutes. Store time is what
transactions take in their threads.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop

from bench.figures import Figure
from bench.memory import resident
from relay import __version__
from relay.app import App, Parts, clock
from relay.config import load
from relay.http import Http
from relay.model import Destination, Feed
from relay.ports import Batch, Command, Gone, Streamed, TryLater, Watched
from relay.settings import mark
from relay.store import Store, open_store
from relay.store.tables import micros
from relay.testing import FakeAdapter, FakeSource

LEAST, SIZES = 1_000, (10_000, 100_000, 1_000_000)
PER_TAG, PER_DESTINATION, PER_COMMUNITY = 10, 20, 60
INTERVAL = timedelta(minutes=15)
APART = timedelta(seconds=0.25)
"""How long one feed is due after the other, where there are few."""
ON_TIME = 0.5
"""Seconds after it was due within which a poll is on time."""
SUBSCRIBES = 20
STEPS = {"add_subscription", "save_links", "list_changes", "list_some_feeds"}
"""The transactions of a subscribe."""
TICK = 0.005
LONGEST = 120.0
CONFIG = "[web]\nport = 0\n[sources.rss]\n"


@dataclass
class Network(FakeSource):
    """Has nothing new, is listened to as well, and notes which poll was the first on time."""

    interval: timedelta = INTERVAL
    due: Callable[[str], float] = lambda _address: 0
    """When a feed is due, by its address; a dict would be weighed with the relay."""
    on_time: asyncio.Event = field(default_factory=asyncio.Event)

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        if 0 <= time.time() - self.due(feed.address) <= ON_TIME:
            self.on_time.set()
        return Batch()

    def streams(self) -> tuple[str, ...]:
        return ("main",)

    async def stream(self, name: str, watched: Watched, cursor: str) -> AsyncIterator[Streamed]:
        del name, watched, cursor
        await asyncio.Event().wait()
        yield Streamed()


class Watch:
    """The longest that the loop was held: no turn for so long, while this process worked for so long."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        while True:
            begun, worked = time.perf_counter(), time.process_time()
            await asyncio.sleep(TICK)
            late = time.perf_counter() - begun - TICK
            self.longest = max(self.longest, min(late, time.process_time() - worked))


# --- the database ---


def fill(file: Path, rows: int, linked_by: str, per_tag: int = PER_TAG) -> None:
    """Subscriptions that were made and linked in an earlier life."""
    feeds = rows // per_tag
    numbers = range(1, rows + 1)
    with sqlite3.connect(file) as connection:
        connection.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -500000")
        connection.executemany(
            "INSERT INTO feeds (id, source, address, seeded, next_poll) VALUES (?, 'fake', ?, 1, 0)",
            ((tag + 1, f"#tag{tag}") for tag in range(feeds)),
        )
        connection.executemany(
            "INSERT INTO subscriptions (id, origin, topic, destination, community, networks, mode, languages, linked)"
            " VALUES (?, 'chat', ?, ?, ?, '[]', 'threads', ?, ?)",
            (
                (n, f"#tag{n % feeds}", f"fake:{n // PER_DESTINATION}", _community(n), _languages(n), linked_by)
                for n in numbers
            ),
        )
        connection.executemany(
            "INSERT INTO subscription_tags VALUES (?, 'fake', ?)", ((n, f"tag{n % feeds}") for n in numbers)
        )
        connection.executemany("INSERT INTO subscription_feeds VALUES (?, ?)", ((n, n % feeds + 1) for n in numbers))
    connection.close()


def _community(number: int) -> str:
    return f"community {number // PER_COMMUNITY}"


def _languages(number: int) -> str:
    return "[]" if number % PER_TAG else '["es"]'


def read_bare(file: Path) -> float:
    """Seconds to read the same rows with nothing around it."""
    begun = time.perf_counter()
    connection = sqlite3.connect(file)
    for table in ("subscriptions", "subscription_tags", "subscription_feeds"):
        for _ in connection.execute(f"SELECT * FROM {table}"):
            pass
    connection.close()
    return time.perf_counter() - begun


def write_bare(folder: Path) -> float:
    """Seconds for the rows of one subscription, in two transactions."""
    connection = sqlite3.connect(folder / "bare.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    for table in ("subscription", "audit", "feed", "link", "tag"):
        connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, text TEXT)")
    taken = []
    for _ in range(SUBSCRIBES):
        begun = time.perf_counter()
        for tables in (("subscription", "audit"), ("feed", "link", "tag")):
            connection.execute("BEGIN IMMEDIATE")
            for table in tables:
                connection.execute(f"INSERT INTO {table} (text) VALUES ('#bridge')")
            connection.execute("COMMIT")
        taken.append(time.perf_counter() - begun)
    connection.close()
    return statistics.median(taken)


# --- one relay ---


class Clocked:
    """Adds up what the transactions of a subscribe take in the store's threads, and not what else goes on."""

    def __init__(self, store: Store) -> None:
        self.seconds = 0.0
        database: Any = store._db
        run = database._run

        async def timed(pool: Any, work: Callable[..., Any], *args: Any, **options: Any) -> Any:
            return await run(pool, self._timed(work), *args, **options)

        database._run = timed

    def _timed(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*args: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            try:
                return work(*args, **options)
            finally:
                if work.__name__ in STEPS:
                    self.seconds += time.perf_counter() - begun

        return measured


async def _relay(folder: Path) -> dict[str, float]:
    (folder / "relay.toml").write_text(CONFIG)
    config = load(folder / "relay.toml", {})
    source, watch, stop = Network(), Watch(), asyncio.Event()
    source.due = _due(folder / "relay.sqlite3")
    begun = time.perf_counter()
    store = await open_store(f"sqlite:///{folder}/relay.sqlite3", exclusive=True)
    clocked = Clocked(store)
    async with Http(config.http, user_agent="bench") as http:
        app = App(Parts(config=config, http=http, sources={"fake": source}, adapters={"fake": FakeAdapter()}), store)
        watching = asyncio.create_task(watch.run())  # what the program itself takes to be built is none of it
        running = asyncio.create_task(app.run(stop))
        async with asyncio.timeout(LONGEST):
            await source.on_time.wait()
        started = time.perf_counter() - begun
        await asyncio.sleep(3)
        taken = [await _subscribe(app, clocked, number) for number in range(SUBSCRIBES)]
        weight = resident(os.getpid())
        stopping = time.perf_counter()
        stop.set()
        await running
    await store.close()
    watching.cancel()
    return {
        "start": started,
        "stall": watch.longest,
        "subscribe": statistics.median(taken),
        "resident": weight,
        "stop": time.perf_counter() - stopping,
    }


def _due(file: Path) -> Callable[[str], float]:
    """The feeds are due one after the other from now on; when, by address. None made later."""
    with sqlite3.connect(file) as connection:
        ((feeds,),) = connection.execute("SELECT count(*) FROM feeds")
        now, step = micros(clock()), round(min(INTERVAL / feeds, APART) / timedelta(microseconds=1))
        connection.execute("UPDATE feeds SET next_poll = ? + id * ?", (now, step))
    connection.close()
    return lambda address: (now + (int(address[4:]) + 1) * step) / 1e6 if address.startswith("#tag") else 0


async def _subscribe(app: App, clocked: Clocked, number: int) -> float:
    before = clocked.seconds
    answer = await app.handlers.answer(
        Command(
            name="subscribe",
            arguments={"topic": f"#new{number}"},
            destination=Destination("fake", f"new{number}"),
            community="community 1",
            user="7",
            may_manage=True,
        )
    )
    assert not answer.failed
    return clocked.seconds - before


def tell(folder: str) -> None:
    print(json.dumps(uvloop.run(_relay(Path(folder)))))


def _run(folder: Path, rows: int, per_tag: int = PER_TAG) -> dict[str, float]:
    uvloop.run(_made(folder / "relay.sqlite3"))
    (folder / "relay.toml").write_text(CONFIG)
    config = load(folder / "relay.toml", {})
    fill(folder / "relay.sqlite3", rows, mark(config.sources, __version__, "fake"), per_tag)
    program = f"import bench.subscriptions as b; b.tell({str(folder)!r})"
    told = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True, text=True).stdout
    found: dict[str, float] = json.loads(told.splitlines()[-1])
    return found


async def _made(file: Path) -> None:
    await (await open_store(f"sqlite:///{file}")).close()


# --- the figures ---


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        least = _run(Path(folder), LEAST)
    return [*(figure for rows in SIZES for figure in _figures(rows, least)), _different(SIZES[-1], least)]


def _different(rows: int, least: dict[str, float]) -> Figure:
    """Of topics that nobody shares, each has a feed and a hashtag of its own to be known."""
    with tempfile.TemporaryDirectory() as folder:
        found = _run(Path(folder), rows, 1)
    start, stall = found["start"], found["stall"]
    return Figure(
        name=f"{rows:,} subscriptions, each to a hashtag of its own: resident"
        f" (started within {start:.0f} s, the longest stall {1e3 * stall:.0f} ms)",
        value=found["resident"],
        unit="MB",
        target="≤ 700 MB",
        met=found["resident"] <= 700,
        floor=least["resident"],
        floor_name="MB, 1,000 subscriptions",
    )


def _figures(rows: int, least: dict[str, float]) -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = _run(folder, rows)
        reading, writing = read_bare(folder / "relay.sqlite3"), write_bare(folder)
    start, weight = (90, 700) if rows > 100_000 else (10, 400)
    return [
        Figure(
            name=f"{rows:,} subscriptions: from the opening of the database to the first poll on time",
            value=found["start"],
            unit="s",
            target=f"≤ {start} s",
            met=found["start"] <= start,
            floor=reading,
            floor_name="s, sqlite3 reading the rows",
        ),
        Figure(
            name=f"{rows:,} subscriptions: the store's time for one more, from the command to what the match knows",
            value=found["subscribe"] * 1e3,
            unit="ms",
            target="≤ 20 ms",
            met=found["subscribe"] <= 0.02,
            floor=writing * 1e3,
            floor_name="ms, sqlite3 writing its rows",
        ),
        Figure(
            name=f"{rows:,} subscriptions: the longest stall of the loop, from the start to the stop",
            value=found["stall"] * 1e3,
            unit="ms",
            target="≤ 50 ms",
            met=found["stall"] <= 0.05,
            floor=least["stall"] * 1e3,
            floor_name="ms, 1,000 subscriptions",
        ),
        Figure(
            name=f"{rows:,} subscriptions: resident",
            value=found["resident"],
            unit="MB",
            target=f"≤ {weight} MB",
            met=found["resident"] <= weight,
            floor=least["resident"],
            floor_name="MB, 1,000 subscriptions",
        ),
        Figure(
            name=f"{rows:,} subscriptions: stop",
            value=found["stop"],
            unit="s",
            target="≤ 5 s",
            met=found["stop"] <= 5,
            floor=least["stop"],
            floor_name="s, 1,000 subscriptions",
        ),
    ]
