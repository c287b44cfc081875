"""The database's files are their owner's alone, and what was deleted is in none of them."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from relay import private_files
from relay.model import Post
from relay.records import StoreError
from relay.store import Store, open_store
from relay.testing import NOON, author, post, text
from tests.support.store_cases import edit, publish
from tests.support.store_private_cases import MARK, files, found, marked, stored, traces

posix = pytest.mark.skipif(os.name != "posix", reason="there are no POSIX permissions")
"""A word that nobody else writes, in the author's name, addresses and texts."""


@pytest.fixture(params=[0o000, 0o022])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in files(folder)}


NAMES = ("relay.sqlite3", "relay.sqlite3-shm", "relay.sqlite3-wal", "relay.sqlite3.lock")


@posix
@pytest.mark.parametrize("url", ["sqlite:///{}", "sqlite:///file:{}?uri=true"])
async def test_all_files_of_a_new_database_are_for_their_owner_alone(umask: int, tmp_path: Path, url: str) -> None:
    store = await open_store(url.format(tmp_path / "relay.sqlite3"), exclusive="uri" not in url)
    await publish(store, post())
    found = modes(tmp_path)
    await store.close()
    assert {name for name in NAMES if "uri" not in url or not name.endswith("lock")} <= set(found)
    assert set(found.values()) == {0o600}


@posix
async def test_files_that_others_could_read_are_tightened_when_they_are_opened(umask: int, tmp_path: Path) -> None:
    path = tmp_path / "relay.sqlite3"
    crashed = await open_store(f"sqlite:///{path}")
    await publish(crashed, post())
    copies = {file.name: file.read_bytes() for file in files(tmp_path)}
    await crashed.close()
    for name, data in copies.items():  # as a killed relay with an older version leaves them
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o666)
    store = await open_store(f"sqlite:///{path}")
    assert (await store.get_counts()).posts == 1
    assert set(modes(tmp_path).values()) == {0o600}
    await store.close()


@posix
def test_what_may_not_be_tightened_is_told() -> None:
    """Somebody else's file; root may change any, so the child gives that up."""
    code = (
        "import os; from pathlib import Path; from relay import private_files\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "print(private_files.tighten(Path('/etc/passwd')))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.startswith("/etc/passwd may be read by others on this machine")


def test_what_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    assert private_files.tighten(tmp_path / "nothing") == ""
    assert private_files.exposure(tmp_path / "nothing") == ""


# --- what was deleted ---


async def busy(store: Store, dice: random.Random) -> None:
    """Posts of two authors arrive in turns and are edited to other lengths, so that rows move between pages."""
    for _ in range(40):
        some = [_some(dice) for _ in range(25)]
        await publish(store, *some, to=())
        for one in dice.sample(some, 5):
            await edit(store, replace(one, body=text(one.title, "zz " * dice.randrange(800))))


def _some(dice: random.Random) -> Post:
    number, words = dice.randrange(10**9), dice.randrange(400)
    return marked(number, words) if dice.random() < 0.2 else post(number, body=text("x " * words))


@pytest.mark.parametrize("seed", [7, 28])
async def test_nothing_of_a_forgotten_author_is_in_the_files(tmp_path: Path, seed: int) -> None:
    """Seeds with which SQLite leaves bytes of rows that it moved, though it overwrites what it deletes."""
    store = await open_store(f"sqlite:///{tmp_path}/relay.sqlite3")
    await busy(store, random.Random(seed))
    packed = stored(tmp_path)
    assert traces(tmp_path)
    assert found(tmp_path, packed)
    assert (await store.save_author_stop(author(MARK).uri, NOON, NOON)).posts > 100
    assert await store.save_erased(NOON) > 100
    assert await store.save_compact()
    assert not await store.save_compact(), "once is enough"
    assert traces(tmp_path) == {}
    assert found(tmp_path, packed) == {}
    assert (await store.get_counts()).posts == 1000
    await store.close()


async def test_nothing_of_a_message_that_was_taken_back_is_in_the_log(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/relay.sqlite3")
    await publish(store, marked(1, 10), to=())
    await store.save_author_stop(author(MARK).uri, NOON, NOON)
    assert "relay.sqlite3-wal" in traces(tmp_path)
    await store.save_erased(NOON)
    assert traces(tmp_path) == {}
    await store.close()


async def test_a_checkpoint_that_a_reader_keeps_from_its_end_says_so(tmp_path: Path) -> None:
    path = tmp_path / "relay.sqlite3"
    store = await open_store(f"sqlite:///{path}", busy_timeout=timedelta(milliseconds=50))
    await publish(store, marked(1, 10), to=())
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM posts").fetchone()
    await publish(store, marked(2, 10), to=())
    assert not await store._db.checkpoint()
    reader.close()
    assert await store._db.checkpoint()
    await store.close()


async def test_postgresql_looks_after_its_own_log(postgres_url: str) -> None:
    store = await open_store(postgres_url)
    assert await store._db.checkpoint()
    await store.close()


async def test_a_closed_store_makes_no_checkpoint(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/relay.sqlite3")
    await store.close()
    with pytest.raises(StoreError, match="is closed"):
        await store._db.checkpoint()
