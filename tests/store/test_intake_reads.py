"""What an intake reads does not grow with the destinations that it does not concern."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from relay.model import Published
from relay.records import Policy
from relay.store import Store, intake, open_store
from relay.store.rows import insert_rows
from relay.store.tables import destinations
from relay.testing import post
from tests.support.store_cases import CLAIM, ROOM, carry, cost_of, lease, publish, said, settled

ROWS = 3_000
MOST, MOST_TO_SETTLE = 18, 6
"""Statements, with those that begin and end the transaction."""


async def test_a_post_that_is_read_again_looks_at_its_own_destinations_alone(store: Store) -> None:
    assert isinstance(store, Store)
    await publish(store, post(1))

    def fill(connection: Connection) -> None:
        others = [(f"fake:{number}", "fake") for number in range(ROWS)]
        insert_rows(connection, destinations, ("name", "adapter"), others)

    def again(connection: Connection) -> None:
        intake.add_intakes(connection, [said(Published(post(1)))], lease(), None, "t", Policy())

    await store._db.write(fill)
    assert await store._db.write(cost_of, "destinations", again) < ROWS


async def test_a_post_that_comes_alone_takes_few_statements(sqlite_url: str) -> None:
    """It shares none of them with others, and each costs more than what it finds."""
    store = await open_store(sqlite_url)
    await publish(store, post(1))
    await carry(store)
    statements: list[str] = []

    def listen(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.set_trace_callback(statements.append)

    await store._db.write(listen)
    taken = await store.add_intakes([said(Published(post(2)), to=(ROOM,))], lease(), CLAIM)
    taking = _texts(statements)
    statements.clear()
    [delivery] = taken.deliveries
    await store.save_settlements([settled(delivery)], lease(), CLAIM)
    await store.close()
    assert len(taking) <= MOST, taking
    assert len(_texts(statements)) <= MOST_TO_SETTLE, statements


def _texts(statements: Sequence[str]) -> set[str]:
    """Each statement once, however many rows it wrote; not what a trigger did."""
    return {one.partition("VALUES")[0] for one in statements if not one.startswith("--")}
