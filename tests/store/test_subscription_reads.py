"""What commands and starts ask of the subscriptions reads those that they tell of, however many there are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, select

from relay.model import CHAT, SubscriptionId
from relay.store import Store, changes, digests, links, page_versions, tables, tags
from relay.store.rows import insert_rows
from relay.store.tables import feeds, subscription_feeds, subscription_tags, subscriptions
from tests.support.store_cases import cost_of

ROWS = 1_000
HERE = {"name": "fake:3", "community": "ayllu 3"}
ASKED: dict[str, tuple[str, Callable[[Connection], object]]] = {
    "of a channel": ("subscriptions", lambda open_: open_.execute(changes._HERE, HERE).all()),
    "how many a community has": ("subscriptions", lambda open_: open_.scalar(changes._AROUND, HERE)),
    "topics to suggest": ("subscriptions", lambda open_: open_.execute(tags._TOPICS, HERE).all()),
    "where what is suggested was sent": (
        "subscriptions",
        lambda open_: open_.execute(select(tags._known(tags._destination).subquery()), HERE).all(),
    ),
    "a part that is not linked": (
        "subscriptions",
        lambda open_: links.list_unlinked(open_, "config:t", "m", SubscriptionId(ROWS // 2), 10),
    ),
    "those of feeds that were stopped": ("subscriptions", lambda open_: links.save_unlinked(open_, ["fake"])),
    "whether a digest's hashtag is followed in public": (
        "subscription_tags",
        lambda open_: digests._DIGESTS(open_, ids=[1]),
    ),
    "what is followed in public": ("subscriptions", page_versions._FOLLOWED),
    "the digests of a post": ("folds", lambda open_: open_.execute(digests._DROP, {"member": 7, "name": "fake:3"})),
    "feeds that were stopped": ("feeds", lambda open_: links.save_unlinked(open_, ["fake"])),
}


def _fill(connection: Connection) -> None:
    numbers = range(1, ROWS + 1)
    names = ("id", "origin", "topic", "destination", "networks", "mode", "community", "linked")
    rows = [(n, CHAT, f"#t{n}", f"fake:{n}", "[]", "threads", f"ayllu {n // 2}", "m") for n in numbers]
    insert_rows(connection, subscriptions, names, rows)
    insert_rows(connection, feeds, ("id", "source", "address"), [(n, "fake", f"#t{n}") for n in numbers])
    insert_rows(connection, subscription_feeds, ("subscription", "feed"), [(n, n) for n in numbers])
    insert_rows(
        connection, subscription_tags, ("subscription", "source", "tag"), [(n, "fake", f"t{n}") for n in numbers]
    )
    digests = [(n, f"d{n}", f"fake:{n}", n, f"#t{n}", f"t{n}", "at", 0) for n in numbers]
    of_digests = ("id", "slug", "destination", "subscription", "topic", "tag", "why", "opened")
    insert_rows(connection, tables.folds, of_digests, digests)
    insert_rows(connection, tables.folded, ("fold", "post"), [(n, n) for n in (1, 7)])
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ANALYZE")  # as it does by itself


@pytest.mark.parametrize("asked", ASKED)
async def test_it_is_found_without_reading_the_others(store: Store, asked: str) -> None:
    assert isinstance(store, Store)
    await store._db.write(_fill)
    table, work = ASKED[asked]
    assert await store._db.write(cost_of, table, work) < ROWS
