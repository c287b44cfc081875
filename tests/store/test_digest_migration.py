"""A database whose digests are deliveries with a negative post id, and under way: nothing is lost, nothing comes twice.

``tests/data/outbox_0017.json`` was written by the relay that kept them so: its tables, with digests that were sent, are
claimed, wait in the outbox or for their hour; and ``then``, what that relay itself went on to deliver.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, insert
from sqlalchemy import text as sql

from relay.model import Delivery
from relay.store import Store, open_store
from relay.store.engine import connect
from relay.testing import post
from tests.support.databases import PostgresServer
from tests.support.digest_cases import bring
from tests.support.store_cases import CLAIM, at, delete, lease, settled
from tests.support.store_open_cases import SOON

LEFT: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data/outbox_0017.json").read_text())


def fill(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "relay.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "0017")
    tables = MetaData()
    tables.reflect(connection)
    for filled in ("meta", "counters"):  # the only ones that are never empty
        connection.execute(sql(f"DELETE FROM {filled}"))  # noqa: S608 - our own names
    for table in tables.sorted_tables:
        rows = [{name: value(kept) for name, kept in row.items()} for row in LEFT["tables"].get(table.name, ())]
        if rows:
            connection.execute(insert(table), rows)
    for name, last in LEFT["sequences"].items():
        counted = "UPDATE sqlite_sequence SET seq = :last WHERE name = :name"
        if connection.dialect.name == "postgresql":
            counted = "SELECT setval(:name || '_id_seq', :last)"
        connection.execute(sql(counted), {"name": name, "last": last})


def value(kept: object) -> object:
    return base64.b64decode(kept[4:]) if isinstance(kept, str) and kept.startswith("b64:") else kept


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer) -> Any:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/relay.sqlite3"
        return
    with postgres.database(migrated=False) as url:
        yield url


async def left(url: str) -> Store:
    """Opened by this relay, as the former one left it."""
    database = connect(url, SOON)
    await database.write(fill)
    await database.close()
    return await open_store(url)


def name_of(delivery: Delivery) -> str:
    """Its address; a digest that was opened since is called by no name of its own, which is random."""
    old = {digest["slug"] for digest in LEFT["tables"]["folds"]}
    return "a new digest" if delivery.digest and delivery.digest.slug not in old else delivery.uri


async def after(store: Store) -> list[list[Any]]:
    """What a relay does with it next."""
    done: list[list[Any]] = []

    async def carry(minute: float) -> None:
        batch = await store.claim_deliveries(CLAIM, lease("two", now=minute))
        while batch:
            for one in batch:
                there = [one.id, one.action, str(one.destination), name_of(one), [*one.messages]]
                done.append([*there, one.attempts, one.interrupted, one.digest.count if one.digest else None])
            ends = [settled(one, due=minute) for one in batch]
            batch = await store.save_settlements(ends, lease("two", now=minute), CLAIM)

    await carry(64)
    by = {str(one.destination): one for one in await store.list_subscriptions()}
    await bring(store, *(post(number) for number in range(31, 37)), to=by["fake:hall"], minute=65)
    await carry(65)
    await delete(store, post(5).uri)
    await delete(store, post(12).uri)
    await carry(66)
    await bring(store, post(17), to=by["fake:attic"], minute=67)
    for minute in (120, 180):
        await store.save_due_digests(at(minute))
        await carry(minute)
    return done


async def test_digests_under_way_go_on_as_the_relay_that_left_them_would_have_gone_on(empty_url: str) -> None:
    store = await left(empty_url)
    assert await after(store) == LEFT["then"]
    counted = (await store.get_counts()).deliveries
    assert sorted([of.value, state.value, count] for (of, state), count in counted.items()) == LEFT["counted"]
    await store.close()


async def test_a_digest_stays_one_delivery_for_each_version_and_what_it_is_of_is_told(empty_url: str) -> None:
    store = await left(empty_url)

    def again(connection: Connection) -> list[tuple[object, ...]]:
        connection.execute(
            sql(
                """INSERT INTO deliveries (destination, digest, action, version, state, reason, created)
                SELECT destination, digest, action, version, 'due', reason, created FROM deliveries
                WHERE digest IS NOT NULL ON CONFLICT DO NOTHING"""
            )
        )
        rows = connection.execute(sql("SELECT id, post, digest FROM deliveries ORDER BY id"))
        return [tuple(row) for row in rows]

    was = [(row["id"], row["post"]) for row in LEFT["tables"]["deliveries"]]
    assert await store._db.write(again) == [(row, of, None) if of > 0 else (row, None, -of) for row, of in was]
    await store.close()
