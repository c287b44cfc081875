"""What pages and lists are by now is told by a look that reads one page's worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from relay.options import DeliveryOptions
from relay.records import ListKind, ListPart
from relay.store import Store, page_versions
from relay.store.rows import Query
from relay.testing import NOON, author, post
from tests.support.digest_cases import subscribe
from tests.support.store_cases import delete, edit, publish, uri
from tests.support.store_listings_cases import CHAIN, roots, tagged

QUERIES = {name: each for name, each in vars(page_versions).items() if isinstance(each, Query)}
VALUES = {
    "after": 9,
    "author": "a",
    "fold": 1,
    "grown": NOON,
    "limit": 31,
    "slug": "s",
    "slugs": ["s"],
    "source": "fake",
    "tag": "bridge",
    "uri": "u",
}


@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_no_look_reads_more_of_a_table_than_it_tells(store: Store, name: str) -> None:
    """By the plan that the database makes: each table is entered by an index, however much there is in it."""
    assert isinstance(store, Store)
    query = QUERIES[name]

    def plan(connection: Connection) -> list[str]:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # it has its reasons while there is nothing
        return query.explain(connection, **VALUES)

    steps = await store._db.read(plan)
    assert steps
    scans = [step for step in steps if step.lstrip(" ->").startswith(("SCAN", "Seq Scan"))]
    assert [step for step in scans if "json_each" not in step and "ix_destinations_listed" not in step] == []
    if name == "_TAGGED" and store._db.where.endswith("sqlite3"):  # PostgreSQL goes by what it counted
        assert any("ix_tagged_shown" in step for step in steps)


@pytest.mark.parametrize("deed", ["grow", "edit", "delete", "author"])
async def test_a_page_has_another_version_after_each_change(store: Store, deed: str) -> None:
    await publish(store, *CHAIN, post(50))
    page = await store.get_page_of(uri(2))
    other = await store.get_page_of(uri(50))
    assert page
    assert other
    slugs = [page.slug, other.slug]
    before = await store.get_page_versions([*slugs, "nothing"])
    assert set(before) == set(slugs)
    assert await store.get_page_versions(slugs) == before
    match deed:
        case "grow":
            await publish(store, post(4, reply_to=uri(3)))
        case "edit":
            await edit(store, replace(CHAIN[1], title="Better", edited=NOON + timedelta(hours=1)))
        case "delete":
            await delete(store, uri(3))
        case _:
            await publish(store, post(60, author=replace(author(), discoverable=False)))
    after = await store.get_page_versions(slugs)
    assert after[page.slug] != before[page.slug]
    assert (after[other.slug] == before[other.slug]) is (deed != "author")


async def test_a_single_post_has_another_version_after_an_edit(store: Store) -> None:
    await publish(store, post(1))
    page = await store.get_page_of(uri(1))
    assert page
    before = await store.get_page_versions([page.slug])
    await publish(store, post(1))
    assert await store.get_page_versions([page.slug]) == before
    await edit(store, post(1, title="Better", edited=NOON + timedelta(hours=1)))
    assert await store.get_page_versions([page.slug]) != before


async def test_a_list_s_version_changes_with_what_it_shows_and_with_nothing_else(store: Store) -> None:
    await subscribe(store, DeliveryOptions())
    await publish(store, *CHAIN, tagged(7), tagged(8))
    parts = [
        ListPart(kind=ListKind.TAG, name="bridge", limit=2),
        ListPart(kind=ListKind.LATEST, limit=2),
        ListPart(kind=ListKind.DIGEST, name="nothing", limit=2),
    ]
    before = await store.get_list_versions(parts)
    assert set(before) == set(parts[:2])
    await publish(store, post(70, author=author("Sami")), tagged(71, "rope"))
    assert await store.get_list_versions(parts) == before
    await publish(store, tagged(72))
    after = await store.get_list_versions(parts)
    assert [after[part] == before[part] for part in parts[:2]] == [False, True]
    await delete(store, uri(72))
    assert (await store.get_list_versions(parts))[parts[0]] == before[parts[0]]


async def test_a_thread_stands_once_on_a_hashtag_where_its_latest_post_stands(store: Store) -> None:
    await subscribe(store, DeliveryOptions())
    await publish(store, post(1, tags=("bridge",)))
    await publish(store, tagged(50))
    await publish(store, post(2, reply_to=uri(1), tags=("bridge",)))
    assert roots(await store.list_tagged("bridge", 10)) == [1, 50]
    await delete(store, uri(2))
    assert roots(await store.list_tagged("bridge", 10)) == [50, 1]
    await publish(store, post(3, reply_to=uri(1), author=replace(author(), discoverable=None)))
    assert roots(await store.list_tagged("bridge", 10)) == [50]
    await delete(store, uri(3))
    assert roots(await store.list_tagged("bridge", 10)) == [50, 1]
    await publish(store, post(0, tags=("bridge",)))
    await publish(store, post(1, tags=("bridge",), reply_to=uri(0), title="Edited", edited=NOON + timedelta(days=1)))
    assert roots(await store.list_tagged("bridge", 10))[0] == 0
