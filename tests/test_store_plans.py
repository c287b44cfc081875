"""What commands and starts ask of the subscriptions is found by an index, however many there are."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, select

from relay.ports import Store
from relay.store import SqlStore, changes, links, tags
from relay.store.rows import Query

VALUES = {
    "addresses": ["#bridge"],
    "after": 5_000,
    "community": "ayllu",
    "last": 10_000,
    "mark": "m",
    "name": "fake:room",
    "origin": "config:t",
    "source": "fake",
    "sources": ["fake"],
}
QUERIES = {
    "subscriptions of a channel": Query(changes._HERE),
    "how many a community has": Query(changes._AROUND),
    "topics to suggest": Query(tags._TOPICS),
    "where what may be known is sent": Query(select(tags._known(tags._destination).subquery())),
    "what is not linked": links._UNLINKED,
    "which feeds of these are stopped": links._STOPPED,
    "who is served by feeds that are stopped": Query(links._RELINK),
}


@pytest.mark.parametrize("name", QUERIES)
async def test_it_is_found_by_an_index(store: Store, name: str) -> None:
    assert isinstance(store, SqlStore)

    def plan(connection: Connection) -> list[str]:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # it has its reasons while there is nothing
        return QUERIES[name].explain(connection, **VALUES)

    steps = await store._db.write(plan)
    assert steps
    scans = [step for step in steps if step.lstrip(" ->").startswith(("SCAN", "Seq Scan"))]
    few = ("json_each", "ix_destinations_listed", "ix_feeds_stopped", "anon_1")  # the last: what was found already
    assert [step for step in scans if not any(one in step for one in few)] == []
    if name == "what is not linked":  # of the part that is asked for, not of all that have the origin
        assert not any("origin=" in step for step in steps)
