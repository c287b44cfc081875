"""Reads and writes do not wait for each other, and a store lets go of what runs when it is to stop."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from relay.records import StoreError
from relay.store import Store, engine, open_store
from relay.testing import post
from tests.support.store_cases import ROOM, at, carry, claim, delete, publish, uri

SOON, LONG = timedelta(milliseconds=50), timedelta(seconds=60)
ENDLESS = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT 1 FROM n WHERE i = 2")

Run = Callable[..., Awaitable[object]]


@asynccontextmanager
async def held(run: Run) -> AsyncIterator[None]:
    """A transaction that is under way all the time."""
    begun, over = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hold(connection: Connection) -> None:
        connection.execute(text("SELECT count(*) FROM posts"))
        loop.call_soon_threadsafe(begun.set)
        over.wait(30)

    holding = asyncio.ensure_future(run(hold))
    try:
        await begun.wait()
        yield
    finally:
        over.set()
        await holding


@asynccontextmanager
async def all_held(run: Run, threads: int) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(threads):
            await stack.enter_async_context(held(run))
        yield


def writers(store: Store) -> int:
    return 4 if "PostgreSQL" in store._db.where else 1


LOOKS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "health": lambda store: store.get_trouble(),
    "what is due": lambda store: store.get_next_due(("fake",)),
    "a note": lambda store: store.get_note("a", "b", at(0)),
    "a channel's subscriptions": lambda store: store.list_subscriptions(ROOM),
}
READS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "a page": lambda store: store.get_page_of(uri(1)),
    "the latest": lambda store: store.list_pages(30),
    "a hashtag": lambda store: store.list_tagged("bridge", 30),
    "the hashtags": lambda store: store.list_followed(),
    "suggestions": lambda store: store.list_tags(ROOM, "", 10),
    "the audit": lambda store: store.list_audit(10),
}
SCANS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "counts": lambda store: store.get_counts(),
    "feeds": lambda store: store.list_feeds(),
    "destinations": lambda store: store.list_destinations(),
    "a destination": lambda store: store.get_destination(ROOM),
    "all subscriptions": lambda store: store.list_subscriptions(),
    "stops": lambda store: store.list_stops(),
}
ALL = {**LOOKS, **READS, **SCANS}


# --- who waits for whom ---


async def test_nothing_that_reads_waits_for_what_writes(store: Store) -> None:
    await publish(store, post(1))
    before = {name: await read(store) for name, read in ALL.items()}
    async with all_held(store._db.write, writers(store)):
        assert {name: await read(store) for name, read in ALL.items()} == before


@pytest.mark.parametrize("kind", ["look_up", "read", "scan"])
async def test_nothing_that_writes_waits_for_what_reads(store: Store, kind: str) -> None:
    async with all_held(getattr(store._db, kind), 2 if kind == "read" else 1):
        assert (await publish(store, post(1))).posts == 1
        assert len(await carry(store)) == 1


async def test_what_reads_long_holds_up_nothing_shorter(store: Store) -> None:
    await publish(store, post(1))
    async with held(store._db.scan), held(store._db.read):
        for look in (*LOOKS.values(), *READS.values()):
            await look(store)
        async with held(store._db.read):
            for look in LOOKS.values():
                await look(store)


async def test_a_read_that_follows_a_write_sees_it(store: Store) -> None:
    for number in range(1, 30):
        await publish(store, post(number, reply_to=uri(number - 1) if number > 1 else ""), to=())
        page = await store.get_page_of(uri(1))
        assert page is not None
        assert len(page.posts) == number
        await store.save_note("a", "b", str(number), at(9))
        assert await store.get_note("a", "b", at(0)) == str(number)


async def test_what_is_taken_down_is_in_no_read_that_begins_afterwards(store: Store) -> None:
    """Not even while another read still sees how it was before."""
    await publish(store, post(1), to=())
    async with held(store._db.read):
        await delete(store, uri(1))
        page = await store.get_page_of(uri(1))
        assert page is not None
        assert "Post number" not in str(page.posts)


@pytest.mark.parametrize("kind", ["look_up", "read", "scan"])
async def test_all_that_one_read_sees_is_of_one_moment(store: Store, kind: str) -> None:
    """A thread that goes, or joins another, between two statements would be one without a beginning."""
    await publish(store, post(1), to=())
    loop = asyncio.get_running_loop()

    def look(connection: Connection) -> tuple[object, object]:
        before = connection.scalar(text("SELECT count(*) FROM posts"))
        asyncio.run_coroutine_threadsafe(publish(store, post(2), to=()), loop).result(30)
        return before, connection.scalar(text("SELECT count(*) FROM posts"))

    assert await getattr(store._db, kind)(look) == (1, 1)
    assert (await store.get_counts()).posts == 2


@pytest.mark.parametrize("kind", ["look_up", "read", "scan"])
async def test_what_reads_cannot_write(store: Store, kind: str) -> None:
    with pytest.raises(StoreError, match="may not be written"):
        await getattr(store._db, kind)(lambda connection: connection.execute(text("DELETE FROM posts")))


async def test_no_read_keeps_the_log_from_its_end(sqlite_url: str) -> None:
    store = await open_store(sqlite_url)
    await publish(store, post(1))
    for read in ALL.values():
        await read(store)
    await publish(store, post(2))
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as other:
        busy, left, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert (busy, left) == (0, 0)
    await store.close()


async def test_a_log_that_grew_long_is_begun_anew(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself SQLite does that only at a moment at which nobody reads."""
    monkeypatch.setattr(engine, "LONGEST_LOG", 200_000)
    store = await open_store(sqlite_url)
    place = store._db._place
    assert place is not None
    sizes = []
    for number in range(60):
        await publish(store, post(number))
        sizes.append(place.log_size)
    assert max(sizes) < 400_000
    assert sizes != sorted(sizes)
    await store.close()


async def test_a_long_log_is_brought_into_the_file_while_others_write(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No commit does it, which would hold up all that comes after it."""
    monkeypatch.setattr(engine, "LONG_LOG", 100_000)
    store = await open_store(sqlite_url)
    place = store._db._place
    assert place is not None
    over = threading.Event()
    busy = asyncio.ensure_future(store._db._logs.use(lambda _: over.wait(30)))  # a disk that takes its time
    number = 0
    while place.log_size < 500_000:
        await publish(store, post(number := number + 1))
    over.set()
    assert await busy
    longest = place.log_size
    async with asyncio.timeout(30):
        while place.log_size > longest / 2:
            await publish(store, post(number := number + 1))
    await store.close()


# --- a database that another program has locked ---


async def test_a_locked_file_is_read_and_what_waits_is_written_once(sqlite_url: str) -> None:
    store = await open_store(sqlite_url, busy_timeout=LONG)
    await publish(store, post(1))
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        waiting = [asyncio.create_task(publish(store, post(number))) for number in range(2, 6)]
        for read in ALL.values():
            await read(store)
        looking = await open_store(sqlite_url, busy_timeout=SOON)  # as `relay check` does
        assert (await looking.get_counts()).posts == 1
        await looking.close()
        assert not any(task.done() for task in waiting)
        other.execute("COMMIT")
    assert [(await task).posts for task in waiting] == [1] * 4
    assert [one.uri for one in await carry(store)] == [uri(number) for number in range(1, 6)]
    await store.close()


async def test_what_waited_behind_others_for_a_lock_does_not_begin_to_wait_anew(sqlite_url: str) -> None:
    store = await open_store(sqlite_url, busy_timeout=timedelta(milliseconds=300))
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(20 * 0.3):  # one after the other they would have taken as long as this at least
            told = await asyncio.gather(*(publish(store, post(n)) for n in range(20)), return_exceptions=True)
    assert all(isinstance(one, StoreError) and "is locked by another program" in str(one) for one in told)
    await store.close()


# --- the end of what runs ---


async def begun(run: Run, *, after: str = "SELECT 1") -> asyncio.Task[object]:
    """A transaction whose second statement never ends."""
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(connection: Connection) -> None:
        connection.execute(text(after))
        loop.call_soon_threadsafe(started.set)
        connection.execute(ENDLESS)

    task = asyncio.ensure_future(run(work))
    await started.wait()
    return task


@pytest.mark.parametrize("kind", ["write", "look_up", "read", "scan"])
async def test_what_nobody_waits_for_any_more_is_interrupted(sqlite_url: str, kind: str) -> None:
    store = await open_store(sqlite_url)
    await store.save_note("a", "b", "kept", at(9))
    run = getattr(store._db, kind)
    task = await begun(run, after="DELETE FROM notes" if kind == "write" else "SELECT 1")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await run(lambda connection: connection.execute(text("SELECT 1")))
    assert await store.get_note("a", "b", at(0)) == "kept"
    await store.close()


@pytest.mark.parametrize("kind", ["write", "look_up", "read", "scan"])
async def test_closing_ends_what_would_not_end(store_url: str, kind: str) -> None:
    store = await open_store(store_url)
    await store.save_note("a", "b", "kept", at(9))
    task = await begun(getattr(store._db, kind), after="DELETE FROM notes" if kind == "write" else "SELECT 1")
    late = [asyncio.ensure_future(publish(store, post(number))) for number in range(3)] if kind == "write" else []
    await asyncio.sleep(0)
    await store.close(timedelta(0))
    with pytest.raises(StoreError):
        await task
    store = await open_store(store_url)
    assert await store.get_note("a", "b", at(0)) == "kept"
    told = await asyncio.gather(*late, return_exceptions=True)
    assert (await store.get_counts()).posts == sum(not isinstance(one, StoreError) for one in told)
    await store.close()


async def test_what_was_written_as_the_store_closed_is_no_error_and_a_long_log_none_either(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LONGEST_LOG", 1)
    store = await open_store(sqlite_url)
    await store.save_note("a", "b", "first", at(9))
    writing = asyncio.create_task(store.save_note("a", "b", "kept", at(9)))
    await asyncio.sleep(0)
    await store.close()
    await writing
    with pytest.raises(StoreError, match="is closed"):
        await store._db.checkpoint()
    with pytest.raises(StoreError, match="is closed"):
        await store.get_counts()
    store = await open_store(sqlite_url)
    assert await store.get_note("a", "b", at(0)) == "kept"
    await store.close()


async def test_closing_a_locked_file_writes_nothing_of_what_was_not_written(sqlite_url: str) -> None:
    store = await open_store(sqlite_url, busy_timeout=LONG)
    await publish(store, post(1))
    [before] = await claim(store)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.ensure_future(publish(store, post(number))) for number in range(2, 5)]
        await asyncio.sleep(0)
        await store.close(timedelta(0))
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, StoreError) for one in told)
    store = await open_store(sqlite_url, exclusive=True)
    assert (await store.get_counts()).posts == 1
    assert [(one.id, one.interrupted) for one in await claim(store)] == [(before.id, True)]
    await store.close()


async def test_a_database_in_memory_is_one_for_reads_and_writes() -> None:
    store = await open_store("sqlite://")
    await publish(store, post(1))
    for read in ALL.values():
        await read(store)
    assert (await store.get_counts()).posts == 1
    await store.close()


async def test_what_is_cancelled_before_its_turn_never_begins(store_url: str) -> None:
    store = await open_store(store_url)
    async with all_held(store._db.write, writers(store)):
        late = asyncio.ensure_future(store.save_note("a", "b", "never", at(9)))
        await asyncio.sleep(0)
        late.cancel()
        with pytest.raises(asyncio.CancelledError):
            await late
    await store.save_note("a", "c", "kept", at(9))
    assert [await store.get_note("a", key, at(0)) for key in ("b", "c")] == [None, "kept"]
    await store.close()


async def test_nobody_waits_for_threads_that_have_ended(sqlite_url: str) -> None:
    """Closing shuts the doors first, then lets the threads end: who asks in between is refused."""
    store = await open_store(sqlite_url)
    await store.save_note("a", "b", "kept", at(9))
    pool = store._db._writes
    await store.close()
    with pytest.raises(StoreError, match="is closed"):
        await pool.run(lambda _: None)
    assert not any(thread.is_alive() for thread in pool._threads)


async def test_a_bug_that_ends_an_iterator_is_told_and_not_waited_for(sqlite_url: str) -> None:
    store = await open_store(sqlite_url)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await store._db.write(lambda _: next(iter(())))
    await store.close()
