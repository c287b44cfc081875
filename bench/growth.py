"""A database that grows: what a post takes of the disk, and whether a large one is as quick as a small one.

A stored post is one of 300 characters with two hashtags and an author of two thousand, with its alias, its hashtags and
the place where it is looked at again; its three deliveries, which are settled, are weighed apart. Some thousand are
brought the usual way, the others are made of those in SQL, with names and hashes of their own.

PostgreSQL is vacuumed and analyzed by hand, as what works in the background would count as the claims' own CPU time.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, text

from bench.figures import Figure
from bench.scale import _database, _server, _spent
from bench.stores import ROOMS, lease, room
from relay.model import Author, Destination, MessageId, Post, PostUri, Published
from relay.records import Claim, Intake, PlannedSend, Policy, Settlement, State
from relay.rich import Block, Role, Span
from relay.store import Store, open_store
from relay.testing import post

SEED = 1_000
SMALL, SIZES = 10_000, (100_000, 1_000_000)
WEIGHED = 100_000
FRESH, TRIES = 400, 5
"""Posts that are brought to be claimed among the others, so often in turns with a small database."""
FORGOTTEN = 20_000
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
POLICY = Policy(looks=(timedelta(hours=1),), threaded=frozenset({"mastodon"}))


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
    planned_sends = tuple(
        PlannedSend(
            uri=one.uri, by={name: ROOMS[name] for name in map(room, (number, number + 10, number + 20))}, place="ayllu"
        )
        for number, one in zip(numbers, some, strict=True)
    )
    later = lease().now + timedelta(hours=1)
    events = tuple(map(Published, some))
    intake = Intake(feed=None, events=events, planned_sends=planned_sends, next_check=later)
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
    "id": "id + k * 1000000",
    "post": "post + k * 1000000",
    "uri": "substr(uri, 1, length(uri) - 6) || digits",
    "slug": "substr(slug, 1, length(slug) - 6) || digits",
    "page": "substr(page, 1, 10) || digits",
    "alias": "substr(alias, 1, 10) || digits",
}
_COPIED = ("posts", "aliases", "tagged", "deliveries")
_COPIES = """WITH RECURSIVE numbers (k) AS (
        SELECT CAST(:first AS INTEGER) UNION ALL SELECT k + 1 FROM numbers WHERE k < :last
    ), copies AS (SELECT k, substr(CAST(1000000 + k AS TEXT), 2) AS digits FROM numbers)"""
_TALLIED = """INSERT INTO tallies
    SELECT 0, action, state, count(*) FROM deliveries WHERE settled IS NOT NULL GROUP BY action, state"""


def _keep(connection: Connection) -> None:
    """Keep what was brought: that is what the copies are made of."""
    kind = "TABLE" if connection.dialect.name == "postgresql" else "TEMP TABLE"
    for table in _COPIED:
        connection.execute(text(f"CREATE {kind} first_{table} AS SELECT * FROM {table}"))


def _multiply(connection: Connection, copies: range) -> None:
    """Add as many again for each of the copies, as plain rows."""
    postgresql = connection.dialect.name == "postgresql"
    if postgresql:  # a row that one transaction counts up three million times is slower each time
        connection.execute(text("ALTER TABLE deliveries DISABLE TRIGGER USER"))
    for table in _COPIED:
        names = list(connection.execute(text(f"SELECT * FROM {table} LIMIT 0")).keys())
        values = ", ".join(_CHANGED.get(name, name) for name in names)
        add = f"{_COPIES} INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM copies CROSS JOIN first_{table}"
        connection.execute(text(add), {"first": copies[0], "last": copies[-1]})
    rows = connection.scalar(text("SELECT count(*) FROM posts"))
    connection.execute(text("UPDATE counters SET count = :rows WHERE name = 'posts'"), {"rows": rows})
    if postgresql:
        connection.execute(text("ALTER TABLE deliveries ENABLE TRIGGER USER"))
        connection.execute(text("DELETE FROM tallies"))
        connection.execute(text(_TALLIED))
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
        await store._db.write(_keep)
    wanted = size // SEED - 1
    await _copy(store, range(copies + 1, wanted + 1))
    return wanted


async def _copy(store: Store, copies: range) -> None:
    await store._db._writes.use(partial(_set, QUICK))
    for first in range(0, len(copies), AT_ONCE):
        await store._db.write(_multiply, copies[first : first + AT_ONCE])
    await store._db._writes.use(partial(_set, USUAL))


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


async def _claims(stores: Sequence[Store], spent: Callable[[], float], fresh: int) -> list[float]:
    """Of each, deliveries claimed and settled a second of CPU, ours and the server's: the best of some, in turns."""
    rates: list[list[float]] = [[] for _ in stores]
    for number in range(fresh, fresh + FRESH * TRIES, FRESH):
        for store, found in zip(stores, rates, strict=True):
            await _bring(store, range(number, number + FRESH))
            begun = spent()
            done = await _carry(store)
            found.append(done / (spent() - begun))
    return [max(found) for found in rates]


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


async def _growth(database: str, urls: tuple[str, str], spent: Callable[[], float]) -> list[Figure]:
    """One database that stays small, one that grows."""
    small, store = [await open_store(url, policy=POLICY) for url in urls]
    copies, fresh, rates, figures = 0, SEED, list[list[float]](), list[Figure]()
    await _grow(small, SMALL, 0)
    await _settle(small, urls[0])
    for size in SIZES:
        copies = await _grow(store, size, copies)
        await _settle(store, urls[1])
        if size == WEIGHED:
            figures += _weighed(database, _weight(await store._db.read(_sizes), size))
        rates.append(await _claims((small, store), spent, fresh))
        fresh += FRESH * TRIES
    figures += [_counted(database, await _count(small), await _count(store)), _claimed(database, *rates)]
    await store.close()
    await small.close()
    return figures


async def _settle(store: Store, url: str) -> None:
    """What either database does by itself after a while."""
    await store._db.checkpoint()
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")


async def _forgetting(folder: Path) -> list[Figure]:
    path = folder / "forgetting.sqlite3"
    url = f"sqlite:///{path}"
    store = await open_store(url, policy=POLICY)
    await _grow(store, FORGOTTEN, 0)
    await _settle(store, url)
    size = path.stat().st_size
    waits = await _forget(store)
    await _settle(store, url)
    left = path.stat().st_size
    await store.close()
    return [
        _waited("SQLite", waits),
        Figure(
            name="of the file, what came back when all was forgotten, SQLite",
            value=100 * (size - left) / size,
            unit="%",
            target="≥ 80 %",
            met=left <= size / 5,
        ),
    ]


async def _forgetting_postgresql(url: str) -> list[Figure]:
    """What is vacuumed stays with the tables: it comes back to what is stored next."""
    store = await open_store(url, policy=POLICY)
    copies = await _grow(store, FORGOTTEN, 0)
    await _settle(store, url)
    before = sum((await store._db.read(_sizes)).values())
    waits = await _forget(store)
    await _settle(store, url)
    await _settle(store, url)  # a page of an index can be used again once it was found empty before
    await _copy(store, range(1, copies + 1))
    after = sum((await store._db.read(_sizes)).values())
    await store.close()
    return [
        _waited("PostgreSQL", waits),
        Figure(
            name="the tables when all was forgotten and as much came again, PostgreSQL",
            value=after / 1e6,
            unit="MB",
            target="≤ 1.2 × floor",
            met=after <= 1.2 * before,
            floor=before / 1e6,
            floor_name="MB, before",
        ),
    ]


def _waited(database: str, waits: tuple[float, float]) -> Figure:
    p99, longest = waits
    return Figure(
        name=f"the longest that a write waits while {FORGOTTEN:,} posts are forgotten, {database} (p99 {p99:.0f} ms)",
        value=longest,
        unit="ms",
        target="≤ 100 ms",
        met=longest <= 100,
        floor=20,
        floor_name="ms, the slice that it aims at",
    )


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


def _counted(database: str, small: float, large: float) -> Figure:
    return Figure(
        name=f"get_counts at {SIZES[-1]:,} posts, {database}",
        value=large,
        unit="ms",
        target="≤ 5 ms",
        met=large <= 5,
        floor=small,
        floor_name=f"ms, at {SMALL:,}",
    )


def _claimed(database: str, among_some: Sequence[float], among_all: Sequence[float]) -> Figure:
    floor, rate = among_all
    return Figure(
        name=f"claim + settle among {SIZES[-1]:,} posts, {database}"
        f" (among {SIZES[0]:,} {among_some[1] / among_some[0]:.2f} × floor)",
        value=rate,
        unit="deliveries/s of CPU",
        target="≥ 0.90 × floor",
        met=rate >= 0.9 * floor,
        floor=floor,
        floor_name=f"deliveries/s of CPU, in turns among {SMALL:,}",
    )


def _both(postmaster: int) -> float:
    return time.process_time() + _spent(postmaster)


def _on_sqlite() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        urls = f"sqlite:///{place / 'small.sqlite3'}", f"sqlite:///{place / 'growth.sqlite3'}"
        return [
            *asyncio.run(_growth("SQLite", urls, time.process_time)),
            *asyncio.run(_forgetting(place)),
        ]


def _on_postgresql() -> list[Figure]:
    with _server() as (admin, postmaster):
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET autovacuum = off")
            connection.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
            connection.execute("SELECT pg_reload_conf()")
        with _database(admin, "small") as small, _database(admin, "growth") as url:
            figures = asyncio.run(_growth("PostgreSQL", (small, url), partial(_both, postmaster)))
        with _database(admin, "forgetting") as url:
            return [*figures, *asyncio.run(_forgetting_postgresql(url))]


def measure() -> list[Figure]:
    return [*_on_sqlite(), *_on_postgresql()]
