"""A database that grows old: what it forgets goes in slices, and its space comes back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from relay.model import Destination
from relay.store import SqlStore, open_store
from relay.store.engine import connect
from relay.store.posts import delete_old
from relay.testing import post, text
from tests.store_cases import at, publish, uri
from tests.test_store_folds import DIGEST, bring, carry, subscribe
from tests.test_store_open import SOON

MANY = 120
HELD = Destination("held", "room")


async def test_what_is_old_goes_some_posts_a_transaction_and_what_waits_holds_up_nothing(
    store: SqlStore, store_url: str
) -> None:
    """A slice that is cut off is undone, and one after a kill begins anew: it finds what is left."""
    await publish(store, *(post(number) for number in range(10)), to=(HELD,))
    await publish(store, *(post(number) for number in range(10, MANY)), to=(), now=1)
    database, place, counts = connect(store_url, SOON), None, []
    for _ in range(MANY):
        done = await database.write(delete_old, at(30), place, timedelta(0))
        counts.append(done.posts)
        place = done.place
        if place is None:
            break
    await database.close()
    assert sum(counts) == MANY - 10
    assert max(counts) <= 50
    assert await store.delete_old(at(30)) == 0
    assert await store.get_page_of(uri(1)) is not None


async def test_the_files_of_a_database_shrink_when_much_is_forgotten(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/relay.sqlite3")
    size = await _fill_and_forget(store, tmp_path / "relay.sqlite3")
    assert (tmp_path / "relay.sqlite3").stat().st_size < size / 2
    assert await store.get_page_of(uri(1)) is None
    assert await store.get_page_of(uri(MANY)) is not None
    await store.close()


async def _fill_and_forget(store: SqlStore, path: Path) -> int:
    """How large the file was in between."""
    noise = "".join(map(chr, range(0x4E00, 0x4E00 + 9000)))  # no two alike: it is not packed away
    await publish(store, *(post(number, body=text(noise)) for number in range(MANY)), to=())
    await publish(store, post(MANY), to=(), now=60)
    await store.save_checkpoint()
    size = path.stat().st_size  # noqa: ASYNC240 - a test may wait for its disk
    assert await store.delete_old(at(30)) == MANY
    await store.save_checkpoint()
    return size


async def test_a_file_of_an_older_relay_can_shrink_once_it_was_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "relay.sqlite3"
    with closing(sqlite3.connect(path)) as older:
        older.execute("PRAGMA journal_mode = WAL")
        older.execute("CREATE TABLE another (one)")
    store = await open_store(f"sqlite:///{path}")
    assert _kind(path) == 0
    size = await _fill_and_forget(store, path)
    assert path.stat().st_size >= size
    await store.save_checkpoint(compact=True)
    assert _kind(path) == 2
    assert path.stat().st_size < size / 2
    await store.close()


def _kind(path: Path) -> int:
    with closing(sqlite3.connect(path)) as other:
        (kind,) = other.execute("PRAGMA auto_vacuum").fetchone()
    return int(kind)


async def test_digests_are_forgotten_with_the_last_of_their_posts(store: SqlStore) -> None:
    here = await subscribe(store, DIGEST)
    await bring(store, post(1), post(2), to=here)
    await store.save_due_folds(at(60))
    [sent] = await carry(store, 60)
    assert sent.fold is not None
    await bring(store, post(3), to=here, minute=90)
    assert await store.delete_old(at(60)) == 2
    assert await store.list_folded(sent.fold.slug, 9) is not None, "it was sent no earlier"
    assert await store.delete_old(at(61)) == 0
    assert await store.list_folded(sent.fold.slug, 9) is None
    await store.save_due_folds(at(120))
    assert [one.uri for one in await carry(store, 120)] == [uri(3)], "what waits goes on"
