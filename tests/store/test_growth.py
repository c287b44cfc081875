"""A database that grows old: what it forgets goes in slices, and its space comes back,
and what it holds is counted without being read.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from relay.model import Action, Destination
from relay.options import DeliveryOptions
from relay.records import State
from relay.store import Store, engine, open_store
from relay.store.counters import get_counts
from relay.store.engine import connect
from relay.store.feeds import get_next_poll
from relay.store.posts import delete_old
from relay.store.tables import deliveries, posts, tallies
from relay.testing import post, text
from tests.support.digest_cases import DIGEST, bring, carry, subscribe
from tests.support.store_cases import HALL, ROOM, at, claim, delete, edit, feed, lease, publish, settled, uri
from tests.support.store_open_cases import SOON

MANY = 120
HELD = Destination("held", "room")


async def test_what_is_old_goes_some_posts_a_transaction_and_what_waits_holds_up_nothing(
    store: Store, store_url: str
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


async def test_a_file_shrinks_by_many_pages_at_a_time(tmp_path: Path) -> None:
    """Each time is a transaction and a pause: page by page a gigabyte would take an hour."""
    store = await open_store(f"sqlite:///{tmp_path}/relay.sqlite3")
    await _fill(store)
    place: tuple[datetime, int] | None = None
    while (place := (await store._db.write(delete_old, at(30), place)).place) is not None:
        pass

    def empty(driver: Any) -> int:
        return int(driver.execute("PRAGMA freelist_count").fetchone()[0])

    before = await store._db._writes.use(empty)
    assert before > 300
    assert await store._db._writes.use(engine._give_back)
    assert before - await store._db._writes.use(empty) == 100
    await store.close()


async def _fill(store: Store) -> None:
    noise = "".join(map(chr, range(0x4E00, 0x4E00 + 9000)))  # no two alike: it is not packed away
    await publish(store, *(post(number, body=text(noise)) for number in range(MANY)), to=())


async def _fill_and_forget(store: Store, path: Path) -> int:
    """How large the file was in between."""
    await _fill(store)
    await publish(store, post(MANY), to=(), now=60)
    await store._db.checkpoint()
    size = path.stat().st_size  # noqa: ASYNC240 - a test may wait for its disk
    assert await store.delete_old(at(30)) == MANY
    await store._db.checkpoint()
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
    await store._db.checkpoint(compact=True)
    assert _kind(path) == 2
    assert path.stat().st_size < size / 2
    await store.close()


def _kind(path: Path) -> int:
    with closing(sqlite3.connect(path)) as other:
        (kind,) = other.execute("PRAGMA auto_vacuum").fetchone()
    return int(kind)


async def test_digests_are_forgotten_with_the_last_of_their_posts(store: Store) -> None:
    here = await subscribe(store, DIGEST)
    await bring(store, post(1), post(2), to=here)
    await store.save_due_digests(at(60))
    [sent] = await carry(store, 60)
    assert sent.digest is not None
    await bring(store, post(3), to=here, minute=90)
    assert await store.delete_old(at(60)) == 2
    assert await store.list_digest(sent.digest.slug, 9) is not None, "it was sent no earlier"
    assert await store.delete_old(at(61)) == 0
    assert await store.list_digest(sent.digest.slug, 9) is None
    await store.save_due_digests(at(120))
    assert [one.uri for one in await carry(store, 120)] == [uri(3)], "what waits goes on"


async def test_a_digest_of_what_was_too_much_is_forgotten_though_nobody_posts_there_again(store: Store) -> None:
    """Nothing came that would have closed it."""
    here = await subscribe(store, DeliveryOptions(budget=1, burst=1))
    await bring(store, post(1), post(2), to=here)
    [slug] = [one.digest.slug for one in await carry(store, 1) + await carry(store, 2) if one.digest]
    assert await store.delete_old(at(60)) == 2
    assert await store.list_digest(slug, 9) is None


# --- counts ---


async def _publish(store: Store, number: int, minute: int) -> None:
    some = [post(one, title=f"at {minute}") for one in range(number, number + 3)]
    await publish(store, *some, to=(ROOM, HALL), now=minute)


async def _edit(store: Store, number: int, minute: int) -> None:
    await edit(store, post(number, title=f"edited at {minute}"))


async def _delete(store: Store, number: int, _minute: int) -> None:
    await delete(store, uri(number))


async def _carry(store: Store, _number: int, minute: int) -> None:
    await carry(store, minute)


async def _fail(store: Store, _number: int, minute: int) -> None:
    tried = await claim(store, now=minute)
    await store.save_settlements([settled(one, State.FAILED, due=minute) for one in tried], lease(now=minute))


async def _claim(store: Store, _number: int, minute: int) -> None:
    await claim(store, now=minute)


async def _crash(store: Store, _number: int, _minute: int) -> None:
    await store.delete_leases("one")


async def _forget(store: Store, number: int, minute: int) -> None:
    await store.delete_old(at(minute - number))


async def _stop(store: Store, number: int, minute: int) -> None:
    await store.save_post_stop(uri(number), at(minute), at(minute))


async def _undo(store: Store, number: int, minute: int) -> None:
    await store.delete_stop(uri(number), at(minute))


async def _move(store: Store, _number: int, minute: int) -> None:
    new = Destination("fake", f"new{minute}")
    tried = await claim(store, now=minute)
    moved = [settled(one, State.DUE, due=minute, moved=new) for one in tried[:1]]
    await store.save_settlements(moved, lease(now=minute))


_DEEDS = (_publish, _edit, _delete, _carry, _fail, _claim, _crash, _forget, _stop, _undo, _move)
_minutes = count()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=st.lists(st.tuples(st.sampled_from(_DEEDS), st.integers(1, 5)), min_size=1, max_size=12))
async def test_counts_are_what_is_there_whatever_happened(store: Store, life: list[tuple[Any, int]]) -> None:
    for action, number in life:
        await action(store, number, next(_minutes))
    counts = await store.get_counts()
    assert (counts.posts, counts.deliveries) == await store._db.read(_counted)


def _counted(connection: Connection) -> tuple[int, dict[tuple[Action, State], int]]:
    """The same, row by row."""
    by = (deliveries.c.action, deliveries.c.state)
    rows = connection.execute(select(*by, func.count()).group_by(*by))
    found = {(Action(action), State(state)): number for action, state, number in rows}
    return connection.scalar(select(func.count()).select_from(posts)) or 0, found


async def test_counts_of_processes_that_are_no_more_are_added_up(postgres_url: str) -> None:
    for number in (1, 2):
        other = await open_store(postgres_url)
        await publish(other, post(number))
        await carry(other)
        await other.close()
    store = await open_store(postgres_url)
    assert await _workers(store) >= 2
    await store.delete_old(at(-1))
    assert await _workers(store) == 1
    assert (await store.get_counts()).deliveries == {(Action.SEND, State.SENT): 2}
    await store.close()


async def _workers(store: Store) -> int:
    def work(connection: Connection) -> int:
        return connection.scalar(select(func.count(tallies.c.worker.distinct()))) or 0

    return await store._db.read(work)


# --- what is read ---


async def test_claims_counts_and_the_next_to_forget_read_no_delivery_that_is_settled(sqlite_url: str) -> None:
    """The plans of SQLite name the index of what waits, and scan no table of posts or deliveries."""
    store = await open_store(sqlite_url)
    await publish(store, post(1), post(2, reply_to=uri(1)), to=(ROOM,))
    said: list[str] = []
    await store._db.write(lambda connection: _driver(connection).set_trace_callback(said.append))
    await carry(store)
    await store._db.write(get_counts)
    await store._db.write(delete_old, at(-1))
    await store._db.write(lambda connection: _driver(connection).set_trace_callback(None))
    plans = {one: await store._db.read(_plan, one) for one in said if one.split()[0] in {"SELECT", "UPDATE", "DELETE"}}
    await store.close()
    assert len(plans) > 10
    scans = [
        step
        for steps in plans.values()
        for step in steps
        if re.match(r"SCAN (posts|deliveries|member|root|head|send)\b", step)
    ]
    assert scans == []
    waiting = [
        one
        for one, steps in plans.items()
        if any(
            "USING INDEX ix_deliveries_pending" in s or "USING COVERING INDEX ix_deliveries_pending" in s for s in steps
        )
    ]
    assert len(waiting) >= 3, "the claim, its end, and the counts"


async def test_of_overdue_feeds_only_the_first_are_read_and_of_the_others_none(sqlite_url: str) -> None:
    """However many are overdue, nothing is sorted, and the next one is found by indexes."""
    store = await open_store(sqlite_url)
    for address in ("#a", "#b", "#c"):
        await feed(store, address, claimed=False)
    said: list[str] = []
    await store._db.write(lambda connection: _driver(connection).set_trace_callback(said.append))
    assert [one.address for one in await store.claim_feeds(["fake", "other"], lease(), 2)] == ["#a", "#b"]
    await store._db.write(get_next_poll, ["fake", "other"])
    await store._db.write(lambda connection: _driver(connection).set_trace_callback(None))
    plans = [step for one in said if one.startswith("SELECT") for step in await store._db.read(_plan, one)]
    await store.close()
    by_index = [step for step in plans if "feeds" in step]
    assert len(by_index) == 5
    assert not [step for step in plans if "TEMP B-TREE" in step]
    assert "SEARCH feeds USING INDEX ix_feeds_leased (leased_until>?)" in by_index
    assert sum("ix_feeds_due (source=? AND" in step for step in by_index) == 4


def _plan(connection: Connection, statement: str) -> list[str]:
    return [row[3] for row in _driver(connection).execute(f"EXPLAIN QUERY PLAN {statement}")]


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection
