"""A database that is taken away from a running relay is noticed, told, and not written to any more."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from relay.records import StoreError, StoreLostError
from relay.store import open_store
from tests.servers.mastodon import Draft, Mastodon
from tests.support.databases import PostgresServer
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA, actions, configured, database

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


def _delete(path: Path) -> None:
    path.unlink()


def _delete_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def _move(path: Path) -> None:
    path.rename(path.with_suffix(".old"))


def _replace(path: Path) -> None:
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    copy.rename(path)


def _delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def _move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


DEEDS = [_delete, _delete_log, _move, _replace, _delete_folder, _move_folder]


@pytest.mark.parametrize("deed", DEEDS)
async def test_nothing_is_written_into_a_file_that_is_gone(tmp_path: Path, deed: Callable[[Path], None]) -> None:
    path = tmp_path / "place" / "relay.sqlite3"
    path.parent.mkdir()
    store = await open_store(f"sqlite:///{path}")
    try:
        await store.get_counts()
        deed(path)
        for _ in range(2):
            with pytest.raises(StoreLostError, match="Put the file back, or restore a backup"):
                await store.save_subscriptions("test", [])
            with pytest.raises(StoreError):
                await store.get_trouble()
    finally:
        await store.close()


async def test_a_file_that_is_put_back_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "relay.sqlite3"
    store = await open_store(f"sqlite:///{path}")
    try:
        _move(path)
        with pytest.raises(StoreLostError):
            await store.save_subscriptions("test", [])
        path.with_suffix(".old").rename(path)
        await store.save_subscriptions("test", [])
        await store.get_counts()
    finally:
        await store.close()


async def test_a_store_that_cannot_be_written_is_not_ready_though_it_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "relay.sqlite3"
    store = await open_store(f"sqlite:///{path}", busy_timeout=timedelta(milliseconds=10))
    try:
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError):
                await store.save_subscriptions("test", [])
            assert (await store.get_trouble()).startswith("is locked by another program")
        await store.save_subscriptions("test", [])
        assert await store.get_trouble() == ""
    finally:
        await store.close()


@pytest.mark.siege
@pytest.mark.parametrize("deed", [_delete, _replace])
async def test_a_relay_whose_database_is_taken_away_ends_with_a_sentence(
    tmp_path: Path, deed: Callable[[Path], None]
) -> None:
    async with Mastodon([ILLA]) as stage, RelayProcess(configured(tmp_path, stage)) as relay:
        await seeded(database(tmp_path), 3)
        stage.post(Draft(author="illa", text="Before #bridge", name="before"))
        await relay.wait_until(lambda lines: actions(lines, "send"))
        deed(tmp_path / "relay.sqlite3")
        async with asyncio.timeout(60):
            assert await relay.ended() == 1
    log = "".join(relay.log)
    assert ("was deleted or moved away" if deed is _delete else "was replaced by another file") in log
    assert relay.log[-1].startswith("relay: The database ")
    assert "Traceback" not in log


# --- PostgreSQL ---


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_a_postgresql_database_of_another_encoding_is_refused(postgres: PostgresServer, encoding: str) -> None:
    with postgres.database(migrated=False, encoding=encoding) as url:
        with pytest.raises(StoreError) as told:
            await open_store(url)
        with psycopg.connect(url) as connection:
            tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    name = make_url(url).database
    assert f"database {name!r}" in str(told.value)
    assert f"has the encoding {encoding}" in str(told.value)
    assert "createdb --encoding=UTF8" in str(told.value)
    assert tables == (0,)


async def test_another_encoding_of_the_client_changes_nothing(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    store = await open_store(postgres_url)
    try:
        await store.save_note("a", "b", "Ñandú 🦤", LATER)
        assert await store.get_note("a", "b", NOW) == "Ñandú 🦤"
    finally:
        await store.close()
