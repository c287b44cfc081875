"""What the lists of threads hold: on a hashtag, by an author, in a digest; and the visits to pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from relay.core.consent import Audience, Showing, showing
from relay.model import Author, Post, Published
from relay.options import DeliveryOptions
from relay.ports import Resolved
from relay.records import ActingUser, Added, Allowance, Intake, PlannedSend, Quota, Wanted
from relay.store import Store
from relay.testing import NOON, author, post
from tests.support.digest_cases import bring, subscribe
from tests.support.store_cases import HALL, ROOM, at, carry, delete, lease, link, publish, uri
from tests.support.store_listings_cases import CHAIN, roots, tagged


@pytest.fixture(autouse=True)
async def followed(store: Store) -> None:
    """Hashtags that a configuration follows."""
    for tag in ("bridge", "rope", "harvest"):
        await subscribe(store, DeliveryOptions(), topic=f"#{tag}", name=f"config:{tag}")


async def test_a_hashtag_lists_what_was_relayed_the_latest_first_and_threads_once(store: Store) -> None:
    await publish(store, *CHAIN)
    await publish(store, tagged(7, "BRIDGE", "rope"))
    await publish(store, tagged(8), to=())  # it was read, and nobody wanted it
    assert roots(await store.list_tagged("bridge", 10)) == [7, 1]
    assert roots(await store.list_tagged("rope", 10)) == [7]
    assert roots(await store.list_tagged("harvest", 10)) == []


async def test_a_list_is_read_leaf_by_leaf(store: Store) -> None:
    await publish(store, *(tagged(number) for number in range(1, 8)))
    leaves = [await store.list_tagged("bridge", 3)]
    for _ in range(2):
        leaves.append(await store.list_tagged("bridge", 3, leaves[-1].older))
    assert [listed.more for listed in leaves] == [True, True, False]
    seen = [roots(listed) for listed in leaves]
    assert seen == [[7, 6, 5], [4, 3, 2], [1]]


async def test_only_threads_that_may_be_listed_are_on_a_hashtag(store: Store) -> None:
    """A list is never shorter than it was asked for, so its length does not tell that something is left out."""
    shy = replace(author("Sami"), discoverable=False)
    await publish(store, *(tagged(number, author=shy) for number in range(1, 9)))
    await publish(
        store,
        tagged(20),
        tagged(21),
        tagged(22),
        post(23, reply_to=uri(22), author=replace(author(), discoverable=None)),
    )
    for number in range(9, 17):
        await publish(store, tagged(number, author=shy))
    listed = await store.list_tagged("bridge", 2)
    assert (roots(listed), listed.more) == ([21, 20], False)


@pytest.mark.parametrize("now", [replace(author(), discoverable=False), replace(author(), refuses=True)])
async def test_who_says_no_to_lists_is_in_none_any_more(store: Store, now: Author) -> None:
    """Also with what was written before; a source that tells nothing of it changes nothing."""
    await publish(store, *CHAIN, tagged(8))
    await publish(store, post(20, author=replace(author(), discoverable=None)))
    assert roots(await store.list_tagged("bridge", 10)) == [8, 1]
    await publish(store, post(21, author=now))
    assert roots(await store.list_tagged("bridge", 10)) == []
    assert await store.list_pages(10) == []
    page = await store.get_page_of(uri(8))
    assert page
    assert not page.listed
    assert showing(page, Audience.RECIPIENTS, timedelta(days=30), NOON) is Showing.LINK


async def test_what_is_deleted_is_listed_no_more(store: Store) -> None:
    await publish(store, tagged(1), tagged(2))
    await delete(store, uri(2))
    assert roots(await store.list_tagged("bridge", 10)) == [1]


async def test_what_was_folded_was_relayed_too(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    await bring(store, *(tagged(number) for number in range(1, 9)), to=here, allowance=Allowance(30, 2))
    [*_, digest] = await carry(store)
    assert roots(await store.list_tagged("bridge", 10)) == [8, 7, 6, 5, 4, 3, 2, 1]
    listed = await store.list_digest(digest.page, 4)
    assert listed
    assert (listed.topic, roots(listed)) == ("#bridge", [8, 7, 6, 5])
    assert await store.list_digest("nothing", 4) is None


async def test_an_author_s_threads_are_listed_but_no_single_posts(store: Store) -> None:
    await publish(store, *CHAIN, tagged(8), post(9, author=author("Sami")))
    page = await store.get_page_of(uri(8))
    assert page
    assert roots(await store.list_by_author(page.slug, 10)) == [1]
    assert roots(await store.list_by_author("nothing", 10)) == []


async def test_what_a_chat_follows_is_listed_once_it_says_that_it_is_public(store: Store) -> None:
    by = ActingUser(user="7", action="settings", now=NOON)
    quota = Quota(destination=9, community=9)
    added = await store.add_subscription(Wanted(topic="#secret", destination=HALL, community="one"), quota, by)
    assert isinstance(added, Added)
    await link(store, added.id, {"fake": Resolved(feeds=("#secret",), tag="secret")}, NOON)
    one = next(one for one in await store.list_subscriptions(HALL))
    posts = [tagged(number, "secret") for number in range(1, 9)]
    await bring(store, *posts, to=one, allowance=Allowance(30, 2))
    assert [delivery.digest.tag for delivery in await carry(store) if delivery.digest] == [""]
    for listed in (False, True, False):
        await store.save_listed(HALL, by, listed=listed)
        assert ("secret" in await store.list_followed()) is listed
        assert bool((await store.list_tagged("secret", 10)).pages) is listed
        (state,) = [one for one in await store.list_destinations() if one.destination == HALL]
        assert state.listed is listed


async def test_hashtags_that_are_followed_are_listed_once(store: Store) -> None:
    await store.save_subscriptions(
        "a", [Wanted(topic="#Bridge", destination=ROOM), Wanted(topic="fake:x", destination=ROOM)]
    )
    for one in await store.list_subscriptions():
        resolved = {
            name: Resolved(feeds=(one.topic,), tag="bridge" if one.topic[0] == "#" else "") for name in ("a", "b")
        }
        await link(store, one.id, resolved, NOON)
    assert await store.list_followed() == ["bridge", "harvest", "rope"]


async def test_a_visit_is_noted_once_a_day_and_what_the_author_asked_for_for_good(store: Store) -> None:
    await publish(store, *CHAIN)
    page = await store.get_page_of(uri(2))
    assert page
    assert (page.visited, page.asked) == (None, False)
    for minute in (0, 5, 24 * 60 + 1):
        await store.save_visit(page.slug, at(minute))
    visited = await store.get_page(page.slug)
    assert visited == replace(page, visited=NOON + timedelta(days=1, minutes=1))
    await store.save_visit(page.slug, at(24 * 60 + 2), asked=True)
    await store.save_visit(page.slug, at(72 * 60))
    asked = await store.get_page(page.slug)
    assert asked
    assert asked.asked


async def test_other_ways_to_go_on_are_beside_the_thread(store: Store) -> None:
    aside = post(9, reply_to=uri(1))
    await publish(store, *CHAIN, aside, to=())
    page = await store.get_page_of(uri(1))
    assert page
    assert (page.posts, page.asides) == (CHAIN, ((aside,),))


async def test_a_deleted_post_keeps_its_place_also_where_the_next_one_forgot_it(store: Store) -> None:
    """Mastodon says of an answer to a deleted post that it answers nothing."""
    await publish(store, *CHAIN, to=())
    await delete(store, uri(2))
    await store.add_intakes(
        [
            Intake(
                feed=None,
                events=(Published(replace(CHAIN[2], reply_to="", title="Better")),),
                planned_sends=(PlannedSend(uri=CHAIN[2].uri, by={}),),
            )
        ],
        lease(),
    )
    page = await store.get_page_of(uri(3))
    assert page
    assert [one.uri for one in page.posts] == [uri(1), uri(2), uri(3)]


def thread(length: int, last: Author | None = None) -> list[Post]:
    chain = [post(n, reply_to=uri(n - 1) if n > 1 else "", tags=("bridge",)) for n in range(1, length + 1)]
    return [*chain[:-1], replace(chain[-1], author=last or chain[-1].author)]


async def test_of_a_long_thread_a_list_reads_the_beginning_and_tells_how_long_it_is(store: Store) -> None:
    """A server can tell of ten thousand posts of each of thirty threads; nobody who opens a list waits for them."""
    await publish(store, *thread(50), tagged(100))
    for pages in (await store.list_pages(10), (await store.list_tagged("bridge", 10)).pages):
        long = next(page for page in pages if page.root == uri(1))
        assert [one.uri for one in long.posts] == [uri(n) for n in range(1, 21)]
        assert long.more == 30
    whole = await store.get_page_of(uri(1))
    assert whole is not None
    assert (len(whole.posts), whole.more) == (50, 0)
    assert (long.updated, long.seen, long.listed) == (whole.updated, whole.seen, whole.listed)


async def test_a_no_to_lists_at_the_end_of_a_long_thread_counts_in_a_digest(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    chain = thread(50, replace(author(), discoverable=None))
    await bring(store, tagged(100), tagged(101), *chain, to=here, allowance=Allowance(30, 2))
    [*_, digest] = await carry(store)
    listed = await store.list_digest(digest.page, 10)
    assert listed
    page = next(page for page in listed.pages if page.root == uri(1))
    assert len(page.posts) == 20
    assert showing(page, Audience.RECIPIENTS, timedelta(0), NOON) is Showing.LINK


async def test_a_digest_goes_on_at_a_mark_that_is_no_page_s_name(store: Store) -> None:
    """Its address may be passed on, and not all of its threads have pages that were meant for whoever has it."""
    here = await subscribe(store, DeliveryOptions())
    shy = replace(author(), discoverable=None)
    await bring(store, *(post(n, author=shy) for n in range(1, 9)), to=here, allowance=Allowance(30, 2))
    [*_, digest] = await carry(store)
    found, after = [], ""
    for _ in range(3):
        listed = await store.list_digest(digest.page, 2, after)
        assert listed
        found += [page.root for page in listed.pages]
        after = listed.older
        assert after == "" or await store.get_page(after) is None
    assert (found, after) == ([uri(n) for n in range(8, 2, -1)], "")
    page = await store.get_page_of(uri(5))
    assert page
    for wrong in (page.slug, "elsewhere"):
        assert await store.list_digest(digest.page, 2, wrong) is None
