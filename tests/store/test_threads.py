"""Threads as the store keeps them together, and their pages."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.model import Deleted, Edited, Place, Post, Published, Removed
from relay.records import Intake, Page
from relay.store import Store
from relay.testing import author, post
from tests.support.store_cases import HALL, ROOM, at, carry, delete, edit, lease, publish, said, uri
from tests.support.thorough import examples

CHAIN = (post(1), post(2, reply_to=uri(1)), post(3, reply_to=post(2).aliases[0]), post(4, reply_to=uri(3)))


async def page_of(store: Store, ref: str) -> Page:
    page = await store.get_page_of(ref)
    assert page is not None
    return page


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
@pytest.mark.parametrize("apart", [False, True])
async def test_a_thread_comes_together_in_whatever_order_it_arrives(
    store: Store, order: tuple[int, ...], apart: bool
) -> None:
    for batch in [[number] for number in order] if apart else [list(order)]:
        await publish(store, *(CHAIN[number] for number in batch), to=())
    for number in range(1, 5):
        page = await page_of(store, uri(number))
        assert (page.root, page.posts) == (uri(1), CHAIN)


_worlds = count()


@st.composite
def trees(draw: st.DrawFn) -> list[Post]:
    """Posts by two authors, in any order, that answer any others, themselves, or nobody known."""
    size = draw(st.integers(1, 8))
    parents = draw(st.lists(st.integers(0, size + 1), min_size=size, max_size=size))
    people = draw(st.lists(st.sampled_from(["Illa", "Sami"]), min_size=size, max_size=size))
    world = next(_worlds) * 100  # every example's posts are new to the database
    posts = [
        post(world + number, reply_to=uri(world + parent) if parent else "", author=author(name))
        for number, (parent, name) in enumerate(zip(parents, people, strict=True), 1)
    ]
    return draw(st.permutations(posts))


def _together(posts: list[Post]) -> set[frozenset[str]]:
    """What belongs together, computed the slow way."""
    groups: dict[str, set[str]] = {one.uri: {one.uri} for one in posts}
    authors: dict[str, str] = {one.uri: one.author.uri for one in posts}
    for one in posts:
        if authors.get(one.reply_to) == one.author.uri:
            merged = groups[one.uri] | groups[one.reply_to]
            groups |= dict.fromkeys(merged, merged)
    return {frozenset(group) for group in groups.values()}


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(posts=trees(), cut=st.integers(1, 8))
async def test_answers_to_oneself_belong_together_whatever_the_order_and_the_batches(
    store: Store, posts: list[Post], cut: int
) -> None:
    for first in range(0, len(posts), cut):
        await publish(store, *posts[first : first + cut], to=())
    pages = [await page_of(store, one.uri) for one in posts]
    shown = [(*page.posts, *(one for aside in page.asides for one in aside)) for page in pages]
    assert {frozenset(one.uri for one in some) for some in shown} == _together(posts)


async def test_somebody_else_s_answer_is_not_in_the_thread(store: Store) -> None:
    answer = post(2, reply_to=uri(1), author=author("Sami"))
    await publish(store, post(1), answer, to=())
    assert (await page_of(store, uri(1))).posts == (post(1),)
    assert (await page_of(store, uri(2))).posts == (answer,)


async def test_a_post_that_claims_to_answer_itself_is_no_thread(store: Store) -> None:
    await publish(store, post(1, reply_to=uri(1)))
    [delivery] = await carry(store)
    assert delivery.card is not None
    assert delivery.card.thread is None


async def test_deliveries_know_their_place_in_the_thread(store: Store) -> None:
    await publish(store, *CHAIN[:2])
    await publish(store, *CHAIN[2:])
    cards = [delivery.card for delivery in await carry(store)]
    places = [card.thread for card in cards if card]
    assert places == [Place(root=uri(1), position=position, count=4) for position in (1, 2, 3, 4)]


async def test_a_delivery_names_the_page_of_its_thread(store: Store) -> None:
    await publish(store, *CHAIN)
    await publish(store, post(9), to=(HALL,))
    deliveries = await carry(store)
    slugs = {delivery.destination: delivery.page for delivery in deliveries}
    assert {delivery.page for delivery in deliveries if delivery.destination == ROOM} == {slugs[ROOM]}
    thread, alone = await store.get_page(slugs[ROOM]), await store.get_page(slugs[HALL])
    assert thread is not None
    assert alone is not None
    assert (thread.slug, thread.posts) == (slugs[ROOM], CHAIN)
    assert (alone.slug, alone.posts) == (slugs[HALL], (post(9),))


async def test_a_page_stays_where_it_was_when_an_earlier_post_turns_up(store: Store) -> None:
    await publish(store, CHAIN[1])
    [before] = await carry(store)
    await publish(store, CHAIN[0], to=())
    page = await store.get_page(before.page)
    assert page is not None
    assert (page.root, page.posts) == (uri(1), CHAIN[:2])


async def test_names_of_pages_cannot_be_guessed(store: Store) -> None:
    await publish(store, *(post(number) for number in range(20)), to=())
    slugs = {(await page_of(store, uri(number))).slug for number in range(20)}
    assert len({slug[-16:] for slug in slugs}) == 20
    assert await store.get_page("") is None
    assert await store.get_page("nothing") is None


@pytest.mark.parametrize("ref", [uri(2), post(2).aliases[0], post(2).url])
async def test_a_page_is_found_by_uri_alias_and_address(store: Store, ref: str) -> None:
    await publish(store, *CHAIN, to=())
    assert (await page_of(store, ref)).root == uri(1)


@pytest.mark.parametrize("ref", ["", "https://ayllu.example/unknown"])
async def test_what_nobody_stored_has_no_page(store: Store, ref: str) -> None:
    await publish(store, post(1), to=())
    assert await store.get_page_of(ref) is None


async def test_a_deleted_post_leaves_a_gap_unless_it_was_the_last(store: Store) -> None:
    await publish(store, *CHAIN, to=())
    await delete(store, uri(2))
    assert (await page_of(store, uri(1))).posts == (CHAIN[0], Removed(uri(2)), CHAIN[2], CHAIN[3])
    await delete(store, uri(4))
    assert (await page_of(store, uri(1))).posts == (CHAIN[0], Removed(uri(2)), CHAIN[2])
    await delete(store, uri(3))
    assert (await page_of(store, uri(1))).posts == (CHAIN[0],)
    await delete(store, uri(1))
    assert (await page_of(store, uri(1))).posts == (Removed(uri(1)),)


async def test_a_page_shows_the_newest_text_and_when_it_changed(store: Store) -> None:
    await publish(store, *CHAIN, to=())
    assert (await page_of(store, uri(1))).updated == CHAIN[3].published
    newer = replace(CHAIN[1], title="Corrected", edited=at(30))
    await edit(store, newer)
    page = await page_of(store, uri(1))
    assert (page.posts[1], page.updated) == (newer, at(30))


async def test_a_look_at_a_thread_is_remembered_at_its_root(store: Store) -> None:
    await publish(store, CHAIN[1], to=())
    assert (await page_of(store, uri(2))).looked is None
    look = Intake(feed=None, events=(Published(CHAIN[0]),), looked=CHAIN[1].uri)
    await store.add_intakes([look], lease(now=3))
    assert (await page_of(store, uri(2))).looked == at(3)
    await store.add_intakes([Intake(feed=None, looked=uri(99))], lease(now=3))


# --- the list ---


async def test_the_list_holds_threads_of_two_or_more_newest_growth_first(store: Store) -> None:
    await publish(store, post(1), post(11, reply_to=uri(1)), to=())
    await publish(store, post(2), post(12, reply_to=uri(2)), to=())
    await publish(store, post(3), post(4, reply_to="https://elsewhere.example/unknown"), to=())
    assert [page.root for page in await store.list_pages(9)] == [uri(2), uri(1)]
    assert [page.root for page in await store.list_pages(1)] == [uri(2)]
    await publish(store, post(13, reply_to=uri(11)), to=())
    assert [page.root for page in await store.list_pages(9)] == [uri(1), uri(2)]


SHY = replace(author(), discoverable=None)
HIDDEN = replace(author(), discoverable=False)
REFUSING = replace(author(), refuses=True)


@pytest.mark.parametrize("person", [SHY, HIDDEN, REFUSING])
async def test_only_authors_who_allow_lists_are_listed(store: Store, person: object) -> None:
    await publish(store, *(replace(one, author=person) for one in CHAIN), to=())  # type: ignore[arg-type]  # a table
    assert await store.list_pages(9) == []


async def test_an_author_who_changes_their_mind_is_listed_no_more(store: Store) -> None:
    await publish(store, *CHAIN, to=())
    await store.add_intakes([said(Edited(replace(CHAIN[1], author=HIDDEN)))], lease())
    assert await store.list_pages(9) == []


async def test_a_thread_that_lost_its_posts_is_listed_no_more(store: Store) -> None:
    await publish(store, *CHAIN, to=())
    await store.add_intakes([said(*(Deleted(one.uri) for one in CHAIN[:3]))], lease())
    assert await store.list_pages(9) == []


async def test_a_thread_whose_looks_are_over_is_not_put_off_to_a_later_one(store: Store) -> None:
    await publish(store, post(1), to=())
    await store.save_look(uri(1), at(5))
    assert await store.get_next_look(["fake"]) is None
