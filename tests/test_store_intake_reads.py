"""What an intake reads does not grow with the destinations that it does not concern."""

from __future__ import annotations

from sqlalchemy import Connection

from relay.model import Published
from relay.store import Store, intake
from relay.store.rows import insert_rows
from relay.store.tables import destinations
from relay.testing import post
from tests.store_cases import cost_of, lease, publish, said

ROWS = 3_000


async def test_a_post_that_is_read_again_looks_at_its_own_destinations_alone(store: Store) -> None:
    assert isinstance(store, Store)
    await publish(store, post(1))

    def fill(connection: Connection) -> None:
        others = [(f"fake:{number}", "fake") for number in range(ROWS)]
        insert_rows(connection, destinations, ("name", "adapter"), others)

    def again(connection: Connection) -> None:
        intake.add_intakes(connection, [said(Published(post(1)))], lease(), None, "t")

    await store._db.write(fill)
    assert await store._db.write(cost_of, "destinations", again) < ROWS
