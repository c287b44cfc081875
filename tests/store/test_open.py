"""Opening a store: addresses, schemas, locks, and what is said when it cannot be."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, make_url, select, text

from relay.records import StoreError
from relay.store import Store, open_store
from relay.store.engine import connect
from relay.testing import post
from tests.support.store_cases import carry, claim, lease, publish
from tests.support.store_open_cases import SOON, reopened, run

# --- addresses ---


async def test_a_database_in_memory_is_new_each_time() -> None:
    for _ in range(2):
        store = await open_store("sqlite://", exclusive=True)
        assert (await store.get_counts()).posts == 0
        await publish(store, post())
        assert len(await carry(store)) == 1
        await store.close()


async def test_relative_and_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = await open_store("sqlite:///relay.sqlite3")
    await publish(store, post())
    await store.close()
    again = await open_store(f"sqlite:///{tmp_path}/relay.sqlite3")
    assert (await again.get_counts()).posts == 1
    await again.close()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
async def test_postgresql_by_each_of_its_names(postgres_url: str, scheme: str) -> None:
    await reopened(postgres_url.replace("postgresql", scheme, 1))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("relay.sqlite3", "no URL"),
        ("", "no URL"),
        ("postgresql://me:s3cret@host:port/relay", "no URL"),
        ("mysql://me:s3cret@host/relay", "mysql is no database that the relay knows"),
        ("sqlite:///nowhere/at/all/relay.sqlite3", "nowhere/at/all.*does not exist"),
        (
            "postgresql://me:s3cret@127.0.0.1:1/relay?connect_timeout=2",
            "database 'relay' on 127.0.0.1 cannot be reached",
        ),
    ],
)
async def test_what_cannot_be_opened_is_told_without_the_password(url: str, why: str) -> None:
    with pytest.raises(StoreError, match=why) as told:
        await open_store(url)
    cause = (
        f"{told.value} {told.value.__cause__} {told.value.__context__ if not told.value.__suppress_context__ else ''}"
    )
    assert "s3cret" not in cause


async def test_a_missing_postgresql_database_is_named(postgres_url: str) -> None:
    other = make_url(postgres_url).set(database="nobody_made_this")
    with pytest.raises(StoreError, match="nobody_made_this"):
        await open_store(other.render_as_string())


def test_without_psycopg_the_way_to_it_is_told() -> None:
    code = (
        "import sys, asyncio; sys.modules['psycopg'] = None\n"
        "from relay.store import open_store\n"
        "try: asyncio.run(open_store('postgresql://host/relay'))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.startswith("StoreError PostgreSQL needs the library psycopg")
    assert 'pip install "chasqui-relay[postgres]"' in told


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "relay.sqlite3"
    path.write_text("These are my notes, and nobody else's.\n" * 100)
    with pytest.raises(StoreError, match="is not an SQLite database"):
        await open_store(f"sqlite:///{path}")
    assert path.read_text().startswith("These are my notes")


async def test_a_database_that_may_only_be_read_is_told(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="may not be written"):
        await reopened(sqlite_url.replace("///", "///file:") + "?mode=ro&uri=true")


# --- locks ---


async def test_a_file_is_one_relay_s_at_a_time(sqlite_url: str) -> None:
    first = await open_store(sqlite_url, exclusive=True)
    with pytest.raises(StoreError, match=r"another relay is using .*relay\.sqlite3; stop it first"):
        await open_store(sqlite_url, exclusive=True)
    await reopened(sqlite_url)
    await first.close()
    second = await open_store(sqlite_url, exclusive=True)
    await second.close()


async def test_a_start_after_a_kill_waits_for_no_lease_of_its_own_file(sqlite_url: str) -> None:
    """Nobody else can have it open: what the killed one held is free at once, and what it was sending is in doubt."""
    killed = await open_store(sqlite_url, exclusive=True)
    await publish(killed, post())
    await claim(killed, owner="killed")
    assert await killed.claim_lease("stream", lease("killed"))
    await killed.close()
    started = await open_store(sqlite_url, exclusive=True)
    assert [one.interrupted for one in await claim(started, owner="started")] == [True]
    assert await started.claim_lease("stream", lease("started"))
    await started.close()


async def test_postgresql_is_there_to_be_shared(postgres_url: str) -> None:
    stores = [await open_store(postgres_url, exclusive=True) for _ in range(2)]
    await asyncio.gather(*(store.close() for store in stores))


# --- closing ---


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="is closed"):
        await store.get_counts()


async def test_closing_waits_for_what_runs(store_url: str) -> None:
    store = await open_store(store_url)
    writing = asyncio.create_task(publish(store, *(post(number) for number in range(300))))
    await asyncio.sleep(0)  # it is on its way to the store's thread
    await store.close()
    assert (await writing).posts == 300


async def test_what_was_written_is_there_after_a_restart(store_url: str) -> None:
    store = await open_store(store_url)
    await publish(store, post())
    [before] = await claim(store)
    await store.close()
    store = await open_store(store_url)
    [after] = await claim(store, now=6)
    assert (after.id, after.card, after.interrupted) == (before.id, before.card, True)
    await store.close()


# --- trouble ---


async def full(store: Store) -> None:
    """Let the file not grow any more, as on a full disk."""

    def limit(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    await store._db.write(limit)


async def test_a_full_disk_is_told_and_nothing_of_the_transaction_kept(sqlite_url: str) -> None:
    store = await open_store(sqlite_url)
    await publish(store, post(1))
    await full(store)
    with pytest.raises(StoreError, match=r"relay\.sqlite3 did not fit on the disk; free some space"):
        await publish(store, *(post(number) for number in range(2, 400)))
    assert (await store.get_counts()).posts == 1
    assert len(await claim(store)) == 1
    await store.close()


async def test_a_locked_file_is_told_and_tried_again_in_vain_or_not(sqlite_url: str) -> None:
    store = await open_store(sqlite_url, busy_timeout=SOON)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="is locked by another program"):
        await publish(store, post())
    assert (await store.get_counts()).posts == 0
    other.execute("ROLLBACK")
    other.close()
    assert (await publish(store, post())).posts == 1
    await store.close()


async def test_a_locked_postgresql_table_is_told(postgres_url: str) -> None:
    store = await open_store(postgres_url, busy_timeout=SOON)
    database = connect(postgres_url, SOON)
    locked, free = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(connection: Connection) -> None:
        connection.execute(text("LOCK TABLE posts"))
        loop.call_soon_threadsafe(locked.set)
        asyncio.run_coroutine_threadsafe(free.wait(), loop).result()

    holding = asyncio.create_task(database.write(hold))
    await locked.wait()
    with pytest.raises(StoreError, match="is locked by another program"):
        await publish(store, post())
    free.set()
    await holding
    assert (await publish(store, post())).posts == 1
    await asyncio.gather(store.close(), database.close())


async def test_a_lost_connection_is_told_once_and_made_anew(postgres_url: str) -> None:
    store = await open_store(postgres_url)

    async def on_every_connection() -> set[int]:
        looks = [store.get_page("") for _ in range(8)], [store.get_trouble() for _ in range(8)]
        await asyncio.gather(*looks[0], *looks[1], *(store.delete_leases("nobody") for _ in range(8)))
        return {counts.posts for counts in await asyncio.gather(*(store.get_counts() for _ in range(8)))}

    assert await on_every_connection() == {0}
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    await run(postgres_url, f"{others} AND pid <> pg_backend_pid()")
    with pytest.raises(StoreError, match="PostgreSQL database"):
        await publish(store, post())
    await publish(store, post())
    assert await on_every_connection() == {1}
    await store.close()


async def test_a_server_that_was_away_for_longer_is_used_again(postgres_url: str) -> None:
    store = await open_store(postgres_url)
    url = make_url(postgres_url)
    server = url.set(database="postgres").render_as_string(hide_password=False)
    allowed = f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS'
    await publish(store, post())
    await run(server, f"{allowed} false")
    try:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname"
        await run(server, f"{others} = '{url.database}'")
        for _ in range(4):
            for ask in (store.get_counts, store.get_trouble, lambda: store.delete_leases("nobody")):
                with pytest.raises(StoreError, match="PostgreSQL database"):
                    await ask()
    finally:
        await run(server, f"{allowed} true")
    assert (await store.get_counts()).posts == 1
    assert (await publish(store, post(2))).posts == 1
    await store.close()


async def test_a_transaction_that_gave_way_in_a_deadlock_is_run_again(postgres_url: str) -> None:
    database = connect(postgres_url, timedelta(seconds=10))
    met = threading.Barrier(2)
    runs: list[int] = []

    def cross(connection: Connection, first: int, second: int) -> int:
        runs.append(first)
        connection.execute(select(func.pg_advisory_xact_lock(first)))
        if len(runs) <= 2:
            met.wait(timeout=5)
        connection.execute(select(func.pg_advisory_xact_lock(second)))
        return first

    one, two = await asyncio.gather(database.write(cross, 1, 2), database.write(cross, 2, 1))
    assert (one, two) == (1, 2)
    assert len(runs) == 3
    await database.close()


async def test_a_bug_of_ours_is_not_taken_for_trouble(store: Store, store_url: str) -> None:
    await store.close()
    database = connect(store_url, SOON)
    with pytest.raises(Exception, match="nonsense") as told:
        await database.write(lambda connection: connection.execute(text("SELECT nonsense FROM posts")))
    assert not isinstance(told.value, StoreError)
    await database.close()
