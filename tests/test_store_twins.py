"""The same post on two networks arrives once at each place, whichever copy is first; a comment is no copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.model import Action, Author, Deleted, Edited, Post, PostUri, Published
from relay.ports import Store
from relay.store import open_store
from relay.store.twins import are_twins, claims
from relay.testing import post, text
from tests.store_cases import HALL, ROOM, carry, delete, edit, lease, publish, said

ORIGINAL = post(source="pond")
"""Its author's server shows it at https://ayllu.example/@illa/1."""

BRIDGED = post(
    uri=PostUri("sky://illa/1"),
    url="https://sky.example/illa/1",
    source="sky",
    origin="https://sky.example",
    author=Author(uri="sky://illa", name="Illa", url="https://sky.example/illa", handle="@illa.bridge.example"),
    aliases=(ORIGINAL.url,),
)
"""What a bridge made of it elsewhere, as the bridge says."""

ENTRY = post(
    uri=PostUri("feed:ayllu.example:1"),
    url="http://www.ayllu.example/@illa/1/?utm_source=feed#top",
    source="feed",
    origin="https://ayllu.example/@illa.rss",
    author=Author(uri="https://ayllu.example/@illa.rss", name="Illa"),
    aliases=(),
)
"""The entry of its author's own feed."""

CARRIED = post(
    uri=PostUri("https://bridge.example/ap/sky://illa/1"),
    url="https://bridge.example/r/illa/1",
    source="pond",
    origin="https://reader.example",
    author=Author(uri="https://bridge.example/illa", name="Illa"),
    aliases=("https://reader.example/api/77",),
)
HOME = replace(BRIDGED, aliases=(CARRIED.uri,))
"""A post that a bridge carries the other way: its own source knows what the bridge calls it."""


@pytest.mark.parametrize("copies", [*permutations([ORIGINAL, BRIDGED, ENTRY]), (HOME, CARRIED), (CARRIED, HOME)])
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
async def test_of_all_copies_the_first_one_arrives(store: Store, copies: Sequence[Post], together: bool) -> None:
    if together:
        await publish(store, *copies)
    else:
        for one in copies:
            await publish(store, one)
    assert [delivery.uri for delivery in await carry(store)] == [copies[0].uri]
    assert (await store.get_counts()).posts == len(copies)
    for one in copies:  # seen again: a restart, another server
        await publish(store, one)
    assert await carry(store) == []


async def test_a_copy_comes_where_the_other_one_did_not(store: Store) -> None:
    await publish(store, ORIGINAL, to=(ROOM,))
    await publish(store, BRIDGED, to=(ROOM, HALL))
    assert {(one.destination, one.uri) for one in await carry(store)} == {(ROOM, ORIGINAL.uri), (HALL, BRIDGED.uri)}


async def test_a_copy_that_nobody_wished_for_holds_nothing_back(store: Store) -> None:
    await publish(store, ORIGINAL, to=())
    await publish(store, BRIDGED)
    assert [one.uri for one in await carry(store)] == [BRIDGED.uri]


@pytest.mark.parametrize(("first", "second"), [(ORIGINAL, BRIDGED), (BRIDGED, ORIGINAL), (HOME, CARRIED)])
async def test_edits_and_the_end_of_the_copy_that_came_count_and_those_of_the_other_do_not(
    store: Store, first: Post, second: Post
) -> None:
    await publish(store, first)
    await publish(store, second)
    await carry(store)
    await edit(store, replace(second, body=text("Otherwise."), edited=second.published))
    await delete(store, second.uri)
    assert await carry(store) == []
    await edit(store, replace(first, body=text("Better."), edited=first.published))
    assert [(one.action, one.uri) for one in await carry(store)] == [(Action.EDIT, first.uri)]
    await delete(store, first.uri)
    assert [(one.action, one.uri) for one in await carry(store)] == [(Action.DELETE, first.uri)]


async def test_what_its_author_took_back_does_not_come_as_a_copy(store: Store) -> None:
    await publish(store, ORIGINAL)
    await carry(store)
    await delete(store, ORIGINAL.uri)
    await publish(store, BRIDGED)
    assert [one.action for one in await carry(store)] == [Action.DELETE]


async def test_copies_in_two_intakes_of_one_batch_are_one(store: Store) -> None:
    intakes = [said(Published(ORIGINAL), to=(ROOM,)), said(Published(BRIDGED), to=(ROOM, HALL))]
    await store.add_intakes(intakes, lease())
    assert len(await carry(store)) == 2


async def test_each_copy_keeps_its_own_page(store: Store) -> None:
    more = replace(BRIDGED, uri=PostUri("sky://illa/2"), aliases=(), reply_to=BRIDGED.uri)
    await publish(store, ORIGINAL, BRIDGED, more)
    for ref, count in ((ORIGINAL.uri, 1), (BRIDGED.uri, 2), (more.uri, 2)):
        page = await store.get_page_of(ref)
        assert page is not None
        assert len(page.posts) == count


STRANGER = Author(uri="https://other.example/users/sami", name="Sami", url="https://other.example/@sami")
APART = {
    "a comment that links to it": replace(BRIDGED, aliases=(), body=text(ORIGINAL.url)),
    "another site's entry about it": replace(ENTRY, author=Author(uri="https://other.example/feed", name="News")),
    "an entry that says so with its link alone": replace(ENTRY, author=STRANGER, aliases=(ORIGINAL.url,)),
    "a copy of another post": replace(BRIDGED, aliases=("https://ayllu.example/@illa/2",)),
    "another entry of the same feed": replace(ENTRY, url="https://ayllu.example/@illa/2"),
    "a post of the same source that shows the same address": post(9, source="pond", url=ORIGINAL.url),
    "two copies of the same site's front page": replace(ENTRY, url="https://ayllu.example/"),
}


@pytest.mark.parametrize("other", APART.values(), ids=APART)
async def test_what_is_no_copy_arrives_too(store: Store, other: Post) -> None:
    for one in (ORIGINAL, other):
        await publish(store, one)
    assert {one.uri for one in await carry(store)} == {ORIGINAL.uri, other.uri}


async def test_who_shows_another_s_address_keeps_no_copy_of_it_away(store: Store) -> None:
    """A server can show whatever address it likes for its posts."""
    thief = post(8, source="pond", url=ORIGINAL.url, author=STRANGER, origin="https://other.example")
    await publish(store, thief)
    await publish(store, BRIDGED)
    await publish(store, ENTRY)
    assert {one.uri for one in await carry(store)} == {thief.uri, BRIDGED.uri}


async def test_what_another_source_calls_by_its_uri_is_not_changed_by_it(store: Store) -> None:
    await publish(store, HOME)
    await publish(store, replace(CARRIED, body=text("Otherwise."), edited=HOME.published))
    [delivery] = await carry(store)
    assert delivery.card is not None
    assert delivery.card.post == HOME


def test_names_of_its_own_are_no_claim() -> None:
    assert claims(ORIGINAL) == claims(ENTRY) == claims(CARRIED) == claims(HOME) == ()
    assert claims(BRIDGED) == ("//ayllu.example/@illa/1",)


# --- whatever comes, in whatever order ---

COPIES = [ORIGINAL, BRIDGED, ENTRY]
EVENTS = st.lists(
    st.tuples(st.sampled_from([Published, Edited, Deleted]), st.sampled_from([0, 1, 2]), st.booleans()), max_size=12
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(EVENTS)
async def test_one_message_whatever_happens_to_the_copies(events: list[tuple[type, int, bool]]) -> None:
    store = await open_store("sqlite://")
    try:
        sends: list[str] = []
        for kind, which, wished in events:
            one = COPIES[which]
            event = Deleted(one.uri) if kind is Deleted else kind(one)
            to = (ROOM,) if wished and kind is Published else ()
            await store.add_intakes([said(event, to=to)], lease())
            sends += [done.uri for done in await carry(store) if done.action is Action.SEND]
        assert len(sends) <= 1
        published = [COPIES[which] for kind, which, wished in events if kind is Published and wished]
        assert bool(sends) == bool(published and not _all_gone(events))
    finally:
        await store.close()


def _all_gone(events: Sequence[tuple[type, int, bool]]) -> bool:
    """Whether each copy was taken back before it was wished for."""
    gone: set[int] = set()
    known: set[int] = set()
    for kind, which, wished in events:
        if kind is Deleted and which in known:
            gone.add(which)
        elif kind is Published:
            known.add(which)
            if wished and which not in gone:
                return False
    return True


@given(st.permutations([ORIGINAL, BRIDGED, ENTRY, HOME, CARRIED, *APART.values()]))
def test_being_twins_has_no_direction(posts: list[Post]) -> None:
    one, other, *_ = posts
    assert are_twins(one, other) == are_twins(other, one)
    assert not are_twins(one, one)
