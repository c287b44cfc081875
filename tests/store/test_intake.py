"""Intakes: posts, planned sends and cursors, written together, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from psycopg import DataError

from relay.model import Action, Deleted, Destination, Edited, Post, PostUri, Published
from relay.records import Claim, Intake, State
from relay.store import Store
from relay.testing import author, post, rich_post, text
from tests.support.store_cases import (
    CLAIM,
    HALL,
    ROOM,
    at,
    carry,
    claim,
    feed,
    lease,
    planned,
    publish,
    said,
    settled,
    states,
    uri,
)


async def test_a_post_becomes_one_delivery_for_each_place_that_wishes_for_it(store: Store) -> None:
    taken = await publish(store, rich_post(), to=(ROOM, HALL))
    assert taken.posts == 1
    deliveries = await claim(store)
    assert {delivery.destination for delivery in deliveries} == {ROOM, HALL}
    for delivery in deliveries:
        assert delivery.action is Action.SEND
        assert delivery.uri == uri(1)
        assert delivery.card is not None
        assert delivery.card.post == rich_post()
        assert delivery.card.reason == "#bridge"
        assert delivery.card.thread is None
        assert (delivery.attempts, delivery.interrupted, delivery.messages) == (0, False, ())


async def test_a_post_that_nobody_wishes_for_is_kept_and_not_sent(store: Store) -> None:
    await publish(store, post(), to=())
    assert (await store.get_counts()).posts == 1
    assert await claim(store) == []


async def test_a_name_that_a_database_cuts_off_is_kept_by_none(store: Store) -> None:
    """It would be a new post with each poll, and sent each time."""
    with pytest.raises((ValueError, DataError)):  # PostgreSQL refuses it by itself
        await publish(store, replace(post(), uri=PostUri("https://plugin.example/\0/1")), to=(ROOM,))
    assert (await store.get_counts()).posts == 0


async def test_two_subscriptions_two_feeds_and_two_polls_send_a_post_once(store: Store) -> None:
    first, second = await feed(store, "a"), await feed(store, "b")
    twice = (planned(post()), planned(post(), subscription=2, reason="#harvest"))
    taken = await store.add_intakes(
        [
            Intake(feed=first, events=(Published(post()),), planned_sends=twice),
            Intake(feed=second, events=(Published(post()),), planned_sends=twice),
        ],
        lease(),
    )
    again = await store.add_intakes([said(Published(post()), to=(ROOM,))], lease())
    assert (taken.posts, again.posts) == (1, 0)
    assert len(await carry(store)) == 1


async def test_another_instance_s_copy_is_the_same_post(store: Store) -> None:
    copy = post(
        origin="https://elsewhere.example", body=text("Post number 1!"), aliases=("https://elsewhere.example/77",)
    )
    await publish(store, post())
    await publish(store, copy)
    [delivery] = await carry(store)
    assert delivery.card is not None
    assert delivery.card.post == post()
    page = await store.get_page_of("https://elsewhere.example/77")
    assert page is not None
    assert page.root == uri(1)


async def test_a_known_post_is_sent_where_it_was_not_wished_for_before(store: Store) -> None:
    await publish(store, post(), to=(ROOM,))
    await carry(store)
    await publish(store, post(), to=(ROOM, HALL))
    [delivery] = await carry(store)
    assert delivery.destination == HALL


async def test_a_wish_for_a_post_that_was_stored_earlier_needs_no_event(store: Store) -> None:
    await publish(store, post(), to=())
    await store.add_intakes([Intake(feed=None, planned_sends=(planned(post()), planned(post(2))))], lease())
    assert [delivery.uri for delivery in await carry(store)] == [uri(1)]


async def test_a_feed_that_renames_its_items_does_not_repeat_them(store: Store) -> None:
    item = post(uri="guid-1", aliases=("https://ayllu.example/news/1",))
    renamed = replace(item, uri=PostUri("guid:1"))
    await publish(store, item)
    taken = await publish(store, renamed)
    await publish(store, replace(renamed, aliases=()))
    assert taken.posts == 0
    assert [delivery.uri for delivery in await carry(store)] == ["guid-1"]


@pytest.mark.parametrize("other", [post(uri="guid-2", published=at(99)), post(uri="guid-2", source="other")])
async def test_items_that_merely_link_to_the_same_page_are_posts_apart(store: Store, other: Post) -> None:
    item = post(uri="guid-1", aliases=("https://ayllu.example/",))
    taken = await publish(store, item, replace(other, aliases=item.aliases))
    assert taken.posts == 2


async def test_the_order_of_wishes_is_the_order_at_the_destination(store: Store) -> None:
    await publish(store, post(3), post(1))
    await publish(store, post(2))
    assert [delivery.uri for delivery in await carry(store)] == [uri(3), uri(1), uri(2)]


async def test_a_thousand_posts_fit_in_one_intake(store: Store) -> None:
    posts = [post(number) for number in range(1000)]
    taken = await publish(store, *posts, to=(ROOM, HALL))
    assert taken.posts == 1000
    assert await states(store) == {(Action.SEND, State.DUE): 2000}


async def test_what_a_batch_touches_is_claimed_with_it(store: Store) -> None:
    there = Destination("other", "place")
    await publish(store, post(), to=(HALL,))
    batch = [said(Published(post(2)), Published(post(3)), to=(ROOM, there))]
    taken = await store.add_intakes(batch, lease(), CLAIM)
    assert [(delivery.destination, delivery.uri) for delivery in taken.deliveries] == [(ROOM, uri(2))]
    assert {delivery.destination for delivery in await claim(store)} == {HALL}


async def test_an_intake_does_not_claim_past_a_delivery_in_flight(store: Store) -> None:
    await publish(store, post())
    await claim(store)
    taken = await store.add_intakes([said(Published(post(2)), to=(ROOM,))], lease(), CLAIM)
    assert taken.deliveries == ()


async def test_intakes_keep_to_the_limit_of_a_claim(store: Store) -> None:
    batch = [said(Published(post()), to=(ROOM, HALL))]
    taken = await store.add_intakes(batch, lease(), Claim(adapters=("fake",), limit=1))
    assert len(taken.deliveries) == 1


async def test_an_intake_tells_when_what_it_left_can_be_served(store: Store) -> None:
    """What waits for its pace is due then; what was claimed, is in flight, or is paused is nobody's to look for."""
    assert (await publish(store, post(), to=(ROOM, HALL))).due == at(0)
    [one, _] = await claim(store)
    assert (await publish(store, post(2), to=(one.destination,))).due is None
    await store.save_settlements([settled(one, due=7)], lease())
    assert (await publish(store, post(3), to=(one.destination,))).due == at(7)
    await store.save_destination(one.destination, "enough", at(1))
    assert (await publish(store, post(4), to=(one.destination,))).due is None
    taken = await store.add_intakes([said(Published(post(5)), to=(Destination("fake", "new"),))], lease(), CLAIM)
    assert (len(taken.deliveries), taken.due) == (1, None)


# --- feeds ---


async def test_an_intake_moves_its_feed(store: Store) -> None:
    mine = await feed(store)
    intake = said(Published(post()), feed=mine, cursor="7", next_poll=at(10), note="slow today", failures=2)
    await store.add_intakes([intake], lease(now=1))
    [state] = await store.list_feeds()
    assert (state.feed.cursor, state.feed.seeded, state.feed.failures) == ("7", True, 2)
    assert (state.polled, state.next_poll, state.note, state.stopped) == (at(1), at(10), "slow today", "")


async def test_no_cursor_leaves_the_cursor_where_it_was(store: Store) -> None:
    mine = await feed(store)
    await store.add_intakes([Intake(feed=mine, cursor="7", next_poll=at(0))], lease())
    await store.claim_feeds(["fake"], lease(), 1)
    await store.add_intakes([Intake(feed=mine, next_poll=at(0), seeded=False)], lease())
    [state] = await store.list_feeds()
    assert (state.feed.cursor, state.feed.seeded) == ("7", False)


async def test_a_stopped_feed_is_polled_no_more(store: Store) -> None:
    mine = await feed(store)
    await store.add_intakes([Intake(feed=mine, next_poll=at(1), stopped="gone (410)")], lease())
    assert await store.claim_feeds(["fake"], lease(now=9), 5) == []
    assert await store.get_next_poll(["fake"]) is None
    [state] = await store.list_feeds()
    assert state.stopped == "gone (410)"


async def test_an_intake_of_a_lost_feed_is_left_out_whole_and_named(store: Store) -> None:
    lost, kept = await feed(store, "a"), await feed(store, "b")
    await store.claim_feeds(["fake"], lease("two", now=6), 1)
    taken = await store.add_intakes(
        [
            said(Published(post(1)), to=(ROOM,), feed=lost, cursor="lost"),
            said(Published(post(2)), to=(ROOM,), feed=kept, cursor="kept"),
        ],
        lease(),
    )
    assert (taken.posts, taken.stale) == (1, (lost,))
    assert [delivery.uri for delivery in await carry(store)] == [uri(2)]
    assert [state.feed.cursor for state in await store.list_feeds()] == ["", "kept"]


async def test_an_intake_frees_its_feed_so_the_same_poll_cannot_count_twice(store: Store) -> None:
    mine = await feed(store)
    intake = said(Published(post()), feed=mine, cursor="7", next_poll=at(0))
    await store.add_intakes([intake], lease())
    taken = await store.add_intakes([intake], lease())
    assert taken.stale == (mine,)
    assert len(await store.claim_feeds(["fake"], lease("two"), 1)) == 1


async def test_two_intakes_of_one_feed_in_one_batch_both_count(store: Store) -> None:
    mine = await feed(store)
    batch = [
        said(Published(post(1)), to=(ROOM,), feed=mine, cursor="7"),
        said(Published(post(2)), to=(ROOM,), feed=mine, next_poll=at(3)),
    ]
    taken = await store.add_intakes(batch, lease())
    assert (taken.posts, taken.stale) == (2, ())
    [state] = await store.list_feeds()
    assert (state.feed.cursor, state.next_poll) == ("7", at(3))


# --- readings of a known post ---


async def test_details_reach_the_page_without_an_edit(store: Store) -> None:
    await publish(store, post())
    await carry(store)
    renamed = replace(author(), name="Illa of the bridge")
    await publish(store, post(author=renamed))
    assert await claim(store) == []
    page = await store.get_page_of(uri(1))
    assert page is not None
    assert page.posts == (post(author=renamed),)


async def test_a_post_edited_in_the_batch_that_brought_it_is_sent_as_it_reads_now(store: Store) -> None:
    newer = post(body=text("Better."), edited=at(5))
    await store.add_intakes([said(Published(post()), Edited(newer), to=(ROOM,))], lease())
    [delivery] = await carry(store)
    assert delivery.card is not None
    assert delivery.card.post == newer


async def test_a_post_deleted_in_the_batch_that_brought_it_is_never_sent(store: Store) -> None:
    taken = await store.add_intakes([said(Published(post()), Deleted(uri(1)), to=(ROOM,))], lease())
    assert taken.posts == 0
    assert await claim(store) == []
    await publish(store, post())
    assert await claim(store) == []


# --- re-checks ---


async def test_relayed_posts_are_rechecked_by_origin_most_overdue_first(store: Store) -> None:
    away = post(3, origin="https://away.example")
    await store.add_intakes([said(Published(post(1)), to=(ROOM,), next_check=at(2))], lease())
    await store.add_intakes([said(Published(post(2)), Published(away), to=(ROOM,), next_check=at(1))], lease())
    await store.add_intakes([said(Published(post(4)), next_check=at(1))], lease())
    assert await store.claim_rechecks("fake", lease(now=0), 20) == []
    assert await store.claim_rechecks("other", lease(now=5), 20) == []
    batches = [await store.claim_rechecks("fake", lease(now=5), 20) for _ in range(3)]
    assert sorted(batches, key=len) == [[], [away], [post(2), post(1)]]
    assert len(await store.claim_rechecks("fake", lease(now=11), 1)) == 1


@pytest.mark.parametrize(("then", "due"), [(at(3), 1), (None, 0)])
async def test_a_recheck_says_when_the_next_one_is(store: Store, then: object, due: int) -> None:
    await store.add_intakes([said(Published(post()), to=(ROOM,), next_check=at(1))], lease())
    await store.claim_rechecks("fake", lease(now=1), 20)
    await store.add_intakes([Intake(feed=None, rechecked=((uri(1), then),))], lease())  # type: ignore[arg-type]  # a table
    assert len(await store.claim_rechecks("fake", lease(now=4), 20)) == due


async def test_a_feed_that_repeats_a_post_does_not_start_its_rechecks_again(store: Store) -> None:
    await store.add_intakes([said(Published(post()), to=(ROOM,), next_check=at(1))], lease())
    await store.add_intakes([Intake(feed=None, rechecked=((uri(1), None),))], lease())
    await store.add_intakes([said(Published(post()), to=(ROOM,), next_check=at(1))], lease())
    assert await store.claim_rechecks("fake", lease(now=4), 20) == []


async def test_a_deleted_post_is_rechecked_no_more(store: Store) -> None:
    await store.add_intakes([said(Published(post()), to=(ROOM,), next_check=at(1))], lease())
    gone = Intake(feed=None, events=(Deleted(uri(1)),), rechecked=((uri(1), at(2)),))
    await store.add_intakes([gone], lease())
    assert await store.claim_rechecks("fake", lease(now=9), 20) == []


async def test_another_place_does_not_put_a_recheck_off(store: Store) -> None:
    await store.add_intakes([said(Published(post()), to=(ROOM,), next_check=at(1))], lease())
    await store.add_intakes([said(Published(post()), to=(HALL,), next_check=at(1) + timedelta(hours=1))], lease())
    assert len(await store.claim_rechecks("fake", lease(now=2), 20)) == 1
