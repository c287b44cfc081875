"""A database that grows: what a post takes of the disk, and whether a large one is as quick as a small one.

A stored post is one of 300 characters with two hashtags and an author of two thousand, with its alias, its hashtags and
the place where it is looked at again; its three deliveries, which are settled, are weighed apart. Some thousand are
brought the usual way, the others are made of those in SQL, with names and hashes of their own.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from bench.figures import Figure
from bench.scale import _database, _server
from bench.stores import ROOMS, lease, room
from relay.model import Author, Destination, MessageId, Post, PostUri, Published
from relay.records import Claim, Intake, Settlement, State, Wish
from relay.rich import Block, Role, Span
from relay.store import Store, open_store
from relay.testing import post

SEED = 1_000
SIZES = (10_000, 100_000, 1_000_000)
WEIGHED = 100_000
FRESH = 500
AT_ONCE = 500
"""Copies of the first thousand that are made in one transaction: each writes most of the indexes' pages."""
QUICK = "PRAGMA cache_size = -1000000; PRAGMA synchronous = OFF; PRAGMA secure_delete = OFF"
USUAL = "PRAGMA cache_size = -2000; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON"
"""While it is filled, and as the relay has it: with a small cache a million posts take minutes to make."""
WORDS = (
    "bridge",
    "rope",
    "grass",
    "river",
    "stone",
    "village",
    "morning",
    "rain",
    "market",
    "potato",
    "weaver",
    "runner",
)
HOSTS = ("ayllu.example", "chaski.example", "tambo.example", "suyu.example")
TAGS = ("Qeswachaka", "Khipu", "Weaving", "Andes", "History", "Peru")
CLAIM = Claim(adapters=("chat",), limit=10)


@dataclass(frozen=True, kw_only=True)
class Weight:
    """Bytes a post: ``own`` are those of its text."""

    post: float
    deliveries: float
    own: float
    tables: str


# --- filling ---


def _typical(number: int) -> Post:
    home = f"https://{HOSTS[number % len(HOSTS)]}"
    name = f"user{number * 7 % 2_000:05d}"
    said = " ".join(WORDS[(number * 31 + step * step * 7 + step // 3) % len(WORDS)] for step in range(46))
    tags = (TAGS[number % 6], TAGS[(number + 1 + number % 5) % 6])
    spans = [Span(f"{said} ")]
    for tag in tags:
        spans += [Span(f"#{tag}", link=f"{home}/tags/{tag.lower()}", role=Role.HASHTAG), Span(" ")]
    serial = f"{number:06d}170205829000000"  # the last six digits are for those that are made of it
    return replace(
        post(number),
        uri=PostUri(f"{home}/users/{name}/statuses/{serial}"),
        url=f"{home}/@{name}/{serial}",
        author=Author(
            uri=f"{home}/users/{name}",
            name=f"Name of {name}",
            url=f"{home}/@{name}",
            handle=f"@{name}@{home[8:]}",
            avatar=f"https://files.{home[8:]}/accounts/avatars/109/{number % 999:03d}/565/original/{number:016x}.jpg",
            created=datetime(2022, 11, 1, tzinfo=UTC),
            discoverable=True,
        ),
        body=(Block(tuple(spans[:-1])),),
        language="en",
        tags=tags,
        aliases=(f"https://{HOSTS[0]}/api/v1/statuses/{serial}",),
    )


def _own(one: Post) -> int:
    return sum(len(span.text.encode()) for block in one.body for span in block.spans)


async def _bring(store: Store, numbers: range) -> None:
    some = [_typical(number) for number in numbers]
    wishes = tuple(
        Wish(
            uri=one.uri, by={name: ROOMS[name] for name in map(room, (number, number + 10, number + 20))}, place="ayllu"
        )
        for number, one in zip(numbers, some, strict=True)
    )
    later = lease().now + timedelta(hours=1)
    events = tuple(map(Published, some))
    intake = Intake(feed=None, events=events, wishes=wishes, next_check=later, looks=(timedelta(hours=1),))
    await store.add_intakes([intake], lease())


async def _carry(store: Store) -> int:
    done = 0
    batch = await store.claim_deliveries(CLAIM, lease())
    while batch:
        done += len(batch)
        now = lease()
        sent = [
            Settlement(
                delivery=one.id,
                destination=Destination.parse(str(one.destination)),
                state=State.SENT,
                due=now.now,
                messages=(MessageId("1170205829171241231/1170205829171249999"),),
            )
            for one in batch
        ]
        batch = await store.save_settlements(sent, now, CLAIM)
    return done


_CHANGED = {
    "id": "id + :k * 1000000",
    "post": "post + :k * 1000000",
    "uri": "substr(uri, 1, length(uri) - 6) || substr('000000' || :k, -6)",
    "slug": "substr(slug, 1, length(slug) - 6) || substr('000000' || :k, -6)",
    "page": "substr(page, 1, 10) || substr('000000' || :k, -6)",
    "alias": "substr(alias, 1, 10) || substr('000000' || :k, -6)",
}


def _multiply(connection: Connection, copies: range) -> None:
    """Add as many again for each of the copies, as plain rows."""
    postgresql = connection.dialect.name == "postgresql"
    for table in ("posts", "aliases", "tagged", "deliveries"):
        names = list(connection.execute(text(f"SELECT * FROM {table} LIMIT 0")).keys())
        values = ", ".join(_CHANGED.get(name, name) for name in names)
        if postgresql:
            values = values.replace("substr('000000' || :k, -6)", "right('000000' || CAST(:k AS INT), 6)")
            values = values.replace(":k * ", "CAST(:k AS INT) * ")
        key = "id" if table in {"posts", "deliveries"} else "post"
        add = text(f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} WHERE {key} < 1000000")
        for k in copies:
            connection.execute(add, {"k": k})
    rows = connection.scalar(text("SELECT count(*) FROM posts"))
    connection.execute(text("UPDATE counters SET count = :rows WHERE name = 'posts'"), {"rows": rows})
    if postgresql:
        connection.execute(text("SELECT setval('deliveries_id_seq', (SELECT max(id) FROM deliveries))"))


def _set(pragmas: str, driver: Any) -> None:
    """On SQLite: how the writer's connection works."""
    if isinstance(driver, sqlite3.Connection):
        driver.executescript(pragmas)


async def _grow(store: Store, size: int, copies: int) -> int:
    """Grow to so many posts, and return how many copies there are then."""
    if not copies:
        for first in range(0, SEED, 100):
            await _bring(store, range(first, first + 100))
        await _carry(store)
    wanted = size // SEED - 1
    await store._db._writes.use(partial(_set, QUICK))
    for first in range(copies, wanted, AT_ONCE):
        await store._db.write(_multiply, range(first + 1, min(first + AT_ONCE, wanted) + 1))
    await store._db._writes.use(partial(_set, USUAL))
    return wanted


# --- measuring ---

_SQLITE = """SELECT coalesce(m.tbl_name, s.name), sum(s.pgsize)
    FROM dbstat s LEFT JOIN sqlite_master m ON m.name = s.name GROUP BY 1"""
_POSTGRESQL = """SELECT relname, pg_total_relation_size(oid)
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""


def _sizes(connection: Connection) -> dict[str, int]:
    query = _POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE
    return {str(row[0]): int(row[1]) for row in connection.execute(text(query))}


def _weight(sizes: dict[str, int], posts: int) -> Weight:
    each = {name: size / posts for name, size in sizes.items()}
    own = sum(_own(_typical(number)) for number in range(100)) / 100
    of_posts = sum(each[name] for name in ("posts", "aliases", "tagged", "author_names"))
    told = ", ".join(f"{name} {each[name]:.0f}" for name in ("posts", "aliases", "tagged", "author_names"))
    return Weight(post=of_posts, deliveries=each["deliveries"], own=own, tables=told)


async def _claims(store: Store, first: int) -> float:
    """Deliveries claimed and settled a second of CPU, among what is there."""
    await _bring(store, range(first, first + FRESH))
    begun = time.process_time()
    done = await _carry(store)
    return done / (time.process_time() - begun)


async def _count(store: Store) -> float:
    """Milliseconds, the best of some."""
    spent = []
    for _ in range(7):
        begun = time.perf_counter()
        await store.get_counts()
        spent.append(time.perf_counter() - begun)
    return min(spent) * 1e3


async def _forget(store: Store) -> tuple[float, float]:
    """Forget all, and how long a write of somebody else waits meanwhile: the 99th percentile and the longest, in ms."""
    waits: list[float] = []

    async def write() -> None:
        while True:
            begun = time.perf_counter()
            await store.save_note("bench", "a", "1", datetime(2030, 1, 1, tzinfo=UTC))
            waits.append((time.perf_counter() - begun) * 1e3)
            await asyncio.sleep(0.005)

    writing = asyncio.create_task(write())
    await store.delete_old(datetime.now(UTC) + timedelta(days=1))
    writing.cancel()
    waits.sort()
    return waits[len(waits) * 99 // 100], waits[-1]


async def _sqlite(folder: Path) -> list[Figure]:
    path = folder / "growth.sqlite3"
    store = await open_store(f"sqlite:///{path}")
    rates, counts, copies, fresh, figures = [], [], 0, SEED, list[Figure]()
    for size in SIZES:
        copies = await _grow(store, size, copies)
        if size == WEIGHED:
            await store.save_checkpoint()
            figures += _weighed("SQLite", _weight(await store._db.read(_sizes), size))
        rates.append(await _claims(store, fresh))
        fresh += FRESH
        counts.append(await _count(store))
    figures += [_counted(counts), _claimed(rates)]
    await store.close()
    return figures


async def _forgetting(folder: Path) -> list[Figure]:
    path = folder / "forgetting.sqlite3"
    store = await open_store(f"sqlite:///{path}")
    await _grow(store, 20_000, 0)
    await store.save_checkpoint()
    size = path.stat().st_size
    p99, longest = await _forget(store)
    await store.save_checkpoint()
    left = path.stat().st_size
    await store.close()
    return [
        Figure(
            name=f"the longest that a write waits while 20,000 posts are forgotten, SQLite (p99 {p99:.0f} ms)",
            value=longest,
            unit="ms",
            target="≤ 100 ms",
            met=longest <= 100,
            floor=20,
            floor_name="ms, the slice that it aims at",
        ),
        Figure(
            name="of the file, what came back when all was forgotten",
            value=100 * (size - left) / size,
            unit="%",
            target="≥ 80 %",
            met=left <= size / 5,
        ),
    ]


async def _postgresql(url: str) -> list[Figure]:
    store = await open_store(url)
    await _grow(store, WEIGHED, 0)
    weight = _weight(await store._db.read(_sizes), WEIGHED)
    count = await _count(store)
    await store.close()
    return [
        *_weighed("PostgreSQL", weight),
        Figure(name="get_counts at 100,000 posts, PostgreSQL", value=count, unit="ms", target="≤ 5 ms", met=count <= 5),
    ]


def _weighed(database: str, weight: Weight) -> list[Figure]:
    beyond = weight.post - weight.own
    return [
        Figure(
            name=f"a stored post beyond its text, {database} ({weight.tables})",
            value=beyond,
            unit="bytes",
            target="≤ 1,200 bytes",
            met=beyond <= 1_200,
            floor=weight.own,
            floor_name="bytes, its text",
        ),
        Figure(
            name=f"its three deliveries, {database}",
            value=weight.deliveries,
            unit="bytes",
            target="≤ 1,200 bytes",
            met=weight.deliveries <= 1_200,
            floor=weight.own,
            floor_name="bytes, its text",
        ),
    ]


def _counted(counts: Sequence[float]) -> Figure:
    return Figure(
        name="get_counts at 1,000,000 posts, SQLite",
        value=counts[-1],
        unit="ms",
        target="≤ 5 ms",
        met=counts[-1] <= 5,
        floor=counts[0],
        floor_name="ms, at 10,000",
    )


def _claimed(rates: Sequence[float]) -> Figure:
    return Figure(
        name=f"claim + settle among 1,000,000 posts, SQLite ({rates[1]:,.0f} among 100,000)",
        value=rates[-1],
        unit="deliveries/s of CPU",
        target="≥ 0.90 × floor",
        met=rates[-1] >= 0.9 * rates[0],
        floor=rates[0],
        floor_name="deliveries/s of CPU, among 10,000",
    )


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, _server() as (admin, _), _database(admin, "growth") as url:
        place = Path(folder)
        return [
            *asyncio.run(_sqlite(place)),
            *asyncio.run(_forgetting(place)),
            *asyncio.run(_postgresql(url)),
        ]
