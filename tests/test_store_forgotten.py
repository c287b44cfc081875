"""What is taken out for good goes everywhere, and does not come back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from relay.model import Action, Published, Quote, Removed
from relay.ports import Forgotten, Intake, Store
from relay.store.sql import SqlStore
from relay.testing import NOON, author, post
from tests.store_cases import HALL, ROOM, carry, lease, publish, said, uri

CHAIN = (post(1), post(2, reply_to=uri(1)))
OTHER = post(5, author=author("Sami"))


async def rows(store: Store, table: str) -> str:
    """Everything that a table holds, as text."""
    assert isinstance(store, SqlStore)

    def work(connection: Connection) -> str:
        return "\n".join(map(str, connection.execute(text(f"SELECT * FROM {table}")).all()))  # noqa: S608 - a test's own

    return await store._db.read(work)


@pytest.mark.parametrize(
    "ref",
    [
        "https://ayllu.example/users/illa",
        "@illa@ayllu.example",
        "illa@AYLLU.example",
        "https://ayllu.example/@illa",
        " https://www.ayllu.example/@illa/ ",
    ],
)
async def test_an_author_is_forgotten_by_any_name(store: Store, ref: str) -> None:
    await publish(store, *CHAIN, OTHER, to=(ROOM, HALL))
    await carry(store)
    assert await store.save_forgotten(ref, NOON) == Forgotten(posts=2, messages=4)
    done = await carry(store)
    assert {(one.action, one.messages) for one in done} == {
        (Action.DELETE, (f"message of {uri(number)}",)) for number in (1, 2)
    }
    assert len(done) == 4
    page = await store.get_page_of(OTHER.uri)
    assert page
    assert page.posts == (OTHER,)


async def test_nothing_names_who_was_forgotten(store: Store) -> None:
    await publish(store, *CHAIN)
    await carry(store)
    await store.save_forgotten("@illa@ayllu.example", NOON)
    for table in ("posts", "aliases", "forgotten"):
        told = await rows(store, table)
        assert "illa" not in told.casefold()
        assert "Post number" not in told


async def test_the_page_is_gone_and_stays_where_it_was(store: Store) -> None:
    await publish(store, *CHAIN)
    before = await store.get_page_of(uri(1))
    assert before
    await store.save_forgotten("@illa@ayllu.example", NOON)
    page = await store.get_page(before.slug)
    assert page
    assert all(isinstance(one, Removed) for one in page.posts)
    assert await store.get_page_of(uri(1)) is None


async def test_what_a_forgotten_author_writes_is_never_kept_again(store: Store) -> None:
    await publish(store, *CHAIN)
    await carry(store)
    await store.save_forgotten("@illa@ayllu.example", NOON)
    await carry(store)
    await publish(store, *CHAIN, post(3), OTHER)  # the feed shows all of it again, and more
    assert [one.uri for one in await carry(store)] == [OTHER.uri]
    assert await store.get_page_of(uri(3)) is None


async def test_an_author_nobody_knows_yet_can_be_forgotten(store: Store) -> None:
    assert await store.save_forgotten("@illa@ayllu.example", NOON) == Forgotten()
    await publish(store, *CHAIN)
    assert await carry(store) == []


async def test_a_thread_alone_can_be_forgotten(store: Store) -> None:
    await publish(store, *CHAIN, post(3))
    await carry(store)
    assert await store.save_forgotten(CHAIN[1].url, NOON) == Forgotten(posts=2, messages=2)
    await carry(store)
    await publish(store, *CHAIN, post(4))
    assert [one.uri for one in await carry(store)] == [uri(4)]
    assert await store.get_page_of(uri(3))


async def test_what_waits_is_not_sent(store: Store) -> None:
    await publish(store, *CHAIN)
    assert await store.save_forgotten("@illa@ayllu.example", NOON) == Forgotten(posts=2, messages=0)
    assert await carry(store) == []


async def test_forgetting_twice_is_forgetting_once(store: Store) -> None:
    await publish(store, *CHAIN)
    await carry(store)
    await store.save_forgotten("@illa@ayllu.example", NOON)
    await carry(store)
    await store.save_forgotten("@illa@ayllu.example", NOON)
    assert await carry(store) == []


async def test_who_changes_their_mind_is_kept_again_from_then_on(store: Store) -> None:
    await publish(store, *CHAIN)
    await store.save_forgotten("https://ayllu.example/users/illa", NOON)
    assert await store.delete_forgotten("https://ayllu.example/@illa")  # by whichever name
    assert not await store.delete_forgotten("@illa@ayllu.example")
    await publish(store, post(7))
    assert [one.uri for one in await carry(store)] == [uri(7)]


async def test_a_poll_keeps_its_cursor_though_all_of_it_was_forgotten(store: Store) -> None:
    await store.save_forgotten("@illa@ayllu.example", NOON)
    taken = await store.add_intakes([said(Published(post(1)), to=(ROOM,))], lease())
    assert (taken.posts, await carry(store)) == (0, [])
    quoting = replace(OTHER, quote=Quote(url=post(1).url, author=author()))
    await store.add_intakes([Intake(feed=None, events=(Published(quoting),))], lease())
    assert await store.get_page_of(OTHER.uri)
