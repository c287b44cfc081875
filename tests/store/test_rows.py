"""Lists and rows as parameters: every value arrives as it was given, in both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, create_engine, select, text

from relay.store.rows import Query, among, insert_rows, pipelined, update_rows
from relay.store.tables import EPOCH, counters, destinations, notes

AWKWARD = ("", "NULL", "null", '"', "\\", '\\"', "{a,b}", "a, b", "'", "\n\t", "%s", "ñandú 🦙", " ")

_FIND = Query(select(notes.c.key, notes.c.value).where(among(notes.c.key, "keys")).order_by(notes.c.key))
_DESTINATIONS = select(destinations.c.name, destinations.c.due, destinations.c.paused)
_COUNTERS = Query(select(counters.c.name, counters.c.count).where(among(counters.c.name, "names")))


@pytest.fixture
def connection(store_url: str) -> Iterator[Connection]:
    engine = create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_awkward_texts_are_inserted_found_and_updated(connection: Connection) -> None:
    columns = ("owner", "key", "value", "until")
    insert_rows(connection, notes, columns, [("test", text, text, number) for number, text in enumerate(AWKWARD)])
    assert {row.key: row.value for row in _FIND(connection, keys=AWKWARD)} == {text: text for text in AWKWARD}
    assert [row.key for row in _FIND(connection, keys=("NULL", "\\"))] == ["NULL", "\\"]
    assert _FIND(connection, keys=()) == []
    update_rows(connection, notes, ("value",), "key", [(f"now {text}", text) for text in AWKWARD])
    assert {row.key: row.value for row in _FIND(connection, keys=AWKWARD)} == {text: f"now {text}" for text in AWKWARD}


def test_a_condition_says_whether_the_first_column_is_set(connection: Connection) -> None:
    insert_rows(connection, destinations, ("name", "adapter", "due"), [("a", "fake", 1), ("b", "fake", 1)])
    rows = [(5, "new", "a"), (5, "new", "b")]
    update_rows(connection, destinations, ("due", "paused"), "name", rows, given="destinations.name = 'a'")
    found = {row.name: (row.due, row.paused) for row in connection.execute(_DESTINATIONS)}
    assert found == {"a": (EPOCH + timedelta(microseconds=5), "new"), "b": (None, "new")}


def test_what_is_piped_is_done_in_order_and_seen_by_what_reads_next(connection: Connection) -> None:
    with pipelined(connection):
        insert_rows(connection, counters, ("name", "count"), [("a", 1), ("b", 2)])
        update_rows(connection, counters, ("count",), "name", [(5, "a")])
        assert {row.name: row.count for row in _COUNTERS(connection, names=("a", "b"))} == {"a": 5, "b": 2}
        update_rows(connection, counters, ("count",), "name", [(6, "a")])
    assert {row.name: row.count for row in _COUNTERS(connection, names=("a",))} == {"a": 6}


def test_who_stands_still_between_two_piped_statements_is_idle_to_the_server(postgres_url: str) -> None:
    """So that it loses its locks by idle_in_transaction_session_timeout: a session in a pipeline is active for ever."""
    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as frozen, engine.connect() as other, pipelined(frozen):
        insert_rows(frozen, counters, ("name", "count"), [("a", 1)])
        _COUNTERS(frozen, names=("a",))
        pid = frozen.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]  # psycopg's
        state = other.execute(text("SELECT state FROM pg_stat_activity WHERE pid = :pid"), {"pid": pid})
        assert state.scalar() == "idle in transaction"
    engine.dispose()
