"""The outbox: who may deliver what, when, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection

from relay.model import Action, Deleted, DeliveryId, Destination, MessageId, PostUri, Published
from relay.records import Claim, Settlement, State
from relay.store import Store, destinations, open_store
from relay.testing import post
from tests.support.store_cases import (
    CLAIM,
    HALL,
    ROOM,
    at,
    carry,
    claim,
    cost_of,
    edit,
    lease,
    publish,
    said,
    settled,
    states,
    uri,
)

# --- claiming ---


async def test_one_delivery_at_a_time_goes_to_a_destination(store: Store) -> None:
    await publish(store, post(1), post(2), to=(ROOM, HALL))
    first = await claim(store)
    assert [(delivery.destination, delivery.uri) for delivery in first] == [(HALL, uri(1)), (ROOM, uri(1))]
    assert await claim(store) == []
    second = await store.save_settlements([settled(delivery) for delivery in first], lease(), CLAIM)
    assert [(delivery.destination, delivery.uri) for delivery in second] == [(HALL, uri(2)), (ROOM, uri(2))]


async def test_a_claim_is_for_named_adapters_only(store: Store) -> None:
    await publish(store, post(), to=(Destination("fake"), Destination("faker", "room"), ROOM))
    claimed = await claim(store, claim=Claim(adapters=("fake", "nobody"), limit=10))
    assert {str(delivery.destination) for delivery in claimed} == {"fake", "fake:room"}


async def test_a_claim_takes_the_longest_due_up_to_its_limit(store: Store) -> None:
    await publish(store, post(), to=(ROOM,), now=2)
    await publish(store, post(), to=(HALL,), now=1)
    [first] = await claim(store, now=3, claim=Claim(adapters=("fake",), limit=1))
    assert first.destination == HALL


async def test_nothing_is_claimed_before_it_is_due(store: Store) -> None:
    await publish(store, post(), now=2)
    assert await claim(store, now=1) == []
    assert await store.get_next_due(["fake"]) == at(2)


async def test_a_lapsed_lease_is_anybody_s_and_the_delivery_counts_as_interrupted(store: Store) -> None:
    await publish(store, post())
    [first] = await claim(store, owner="one")
    assert await claim(store, owner="two", now=4) == []
    [second] = await claim(store, owner="two", now=5)
    assert (second.id, second.interrupted, second.attempts) == (first.id, True, 1)
    await store.save_settlements([settled(first)], lease("one", now=5))
    assert await states(store) == {(Action.SEND, State.SENDING): 1}
    await store.save_settlements([settled(second)], lease("two", now=5))
    assert await states(store) == {(Action.SEND, State.SENT): 1}


async def test_an_owner_that_lost_and_retook_a_delivery_settles_it_once(store: Store) -> None:
    await publish(store, post(1), post(2))
    [first] = await claim(store)
    [again] = await claim(store, now=6)
    assert again.id == first.id
    [following] = await store.save_settlements([settled(again)], lease(now=6), CLAIM)
    await store.save_settlements([settled(first, State.FAILED)], lease(now=6))
    assert await claim(store, now=7) == []
    await store.save_settlements([settled(following)], lease(now=7))
    assert await states(store) == {(Action.SEND, State.SENT): 2}


async def test_leases_that_are_given_back_come_back_at_once_as_interrupted(store: Store) -> None:
    await publish(store, post())
    await claim(store, owner="one")
    await store.delete_leases("two")
    assert await claim(store, owner="three") == []
    await store.delete_leases("one")
    [delivery] = await claim(store, owner="three")
    assert delivery.interrupted


async def test_ids_are_short_and_never_used_by_two_databases(store: Store) -> None:
    other = await open_store("sqlite://")
    ids = set()
    for one in (store, other):
        await publish(one, post())
        [delivery] = await claim(one)
        ids.add(delivery.id)
        assert len(delivery.id) <= 25
    assert len(ids) == 2
    await other.close()


# --- settling ---


@pytest.mark.parametrize("state", [State.SENT, State.FAILED, State.SKIPPED])
async def test_what_is_settled_is_over(store: Store, state: State) -> None:
    await publish(store, post())
    [delivery] = await claim(store)
    await store.save_settlements([settled(delivery, state, reason="so it was")], lease())
    assert await states(store) == {(Action.SEND, state): 1}
    assert await claim(store, now=9) == []
    assert await store.get_next_due(["fake"]) is None


async def test_a_retry_waits_and_stays_at_the_head_of_its_queue(store: Store) -> None:
    await publish(store, post(1), post(2))
    [first] = await claim(store)
    retry = settled(first, State.DUE, due=2, reason="slow down")
    assert await store.save_settlements([retry], lease(), CLAIM) == []
    assert await store.get_next_due(["fake"]) == at(2)
    [again] = await claim(store, now=2)
    assert (again.id, again.attempts, again.interrupted) == (first.id, 1, False)
    assert again.card is not None
    assert again.card.reason == "#bridge"


async def test_what_waits_for_a_pace_has_not_failed(store: Store) -> None:
    """However often: the wait after a real failure is not longer for it."""
    await publish(store, post())
    for turn in range(5):
        [delivery] = await claim(store, now=turn)
        assert delivery.attempts <= 1
        await store.save_settlements([replace(settled(delivery, State.DUE, due=turn), paced=True)], lease(now=turn))
    [delivery] = await claim(store, now=9)
    assert delivery.attempts == 1


async def test_the_pace_holds_for_what_waits(store: Store) -> None:
    await publish(store, post(1), post(2))
    [first] = await claim(store)
    await store.save_settlements([settled(first, due=1)], lease())
    assert await claim(store, now=0.5) == []
    assert len(await claim(store, now=1)) == 1


async def test_the_pace_holds_over_an_empty_queue(store: Store) -> None:
    await publish(store, post(1))
    [first] = await claim(store)
    await store.save_settlements([settled(first, due=1)], lease())
    assert await store.get_next_due(["fake"]) is None
    taken = await store.add_intakes([said(Published(post(2)), to=(ROOM,))], lease(now=0.5), CLAIM)
    assert taken.deliveries == ()
    assert await store.get_next_due(["fake"]) == at(1)


async def test_one_failing_destination_delays_no_other(store: Store) -> None:
    await publish(store, post(1), post(2), to=(ROOM, HALL))
    hall, room = await claim(store)
    batch = [settled(hall, State.DUE, due=60), settled(room)]
    [following] = await store.save_settlements(batch, lease(), CLAIM)
    assert (following.destination, following.uri) == (ROOM, uri(2))


async def test_an_unknown_settlement_changes_nothing(store: Store) -> None:
    await publish(store, post())
    [delivery] = await claim(store)
    for strange in ("", "-", "1", "else-1", f"{delivery.id}0", f"{delivery.id}x"):
        stray = Settlement(delivery=DeliveryId(strange), destination=ROOM, state=State.SENT, due=at(0))
        await store.save_settlements([stray], lease())
    assert await store.save_settlements([], lease(), CLAIM) == []
    assert await states(store) == {(Action.SEND, State.SENDING): 1}


async def test_an_edit_s_new_messages_are_what_the_deletion_is_about(store: Store) -> None:
    await publish(store, post())
    await carry(store)
    await edit(store, post(title="New", edited=at(1)))
    [change] = await claim(store)
    longer = (*change.messages, MessageId("and another"))
    await store.save_settlements([settled(change, messages=longer)], lease())
    await store.add_intakes([said(Deleted(uri(1)))], lease())
    [deletion] = await claim(store)
    assert (deletion.action, deletion.messages) == (Action.DELETE, longer)


@pytest.mark.parametrize("state", [State.FAILED, State.SKIPPED])
async def test_what_never_arrived_is_neither_edited_nor_deleted(store: Store, state: State) -> None:
    await publish(store, post())
    [delivery] = await claim(store)
    await edit(store, post(title="New", edited=at(1)))
    await store.add_intakes([said(Deleted(uri(1)))], lease())
    assert await store.save_settlements([settled(delivery, state)], lease(), CLAIM) == []
    waiting = {state for (_, state), count in (await states(store)).items() if count}
    assert not waiting & {State.DUE, State.SENDING}


# --- pausing ---


async def test_a_paused_destination_keeps_its_deliveries_until_it_is_resumed(store: Store) -> None:
    await publish(store, post(1), post(2))
    [first] = await claim(store)
    await store.save_settlements([settled(first, State.FAILED, pause="the room is closed")], lease())
    assert await claim(store, now=9) == []
    await publish(store, post(3))
    assert await store.get_next_due(["fake"]) is None
    [state] = await store.list_destinations()
    assert (state.destination, state.waiting, state.paused) == (ROOM, 3, "the room is closed")
    assert await store.get_destination(ROOM) == state
    assert await store.get_destination(HALL) is None
    await store.save_destination(ROOM, "", at(1))
    [again] = await claim(store, now=1)
    assert (again.id, again.attempts) == (first.id, 1)


async def test_a_person_s_pause_outlives_the_delivery_in_flight(store: Store) -> None:
    await publish(store, post(1), post(2))
    [first] = await claim(store)
    await store.save_destination(ROOM, "holidays", at(0))
    assert await store.save_settlements([settled(first)], lease(), CLAIM) == []
    [state] = await store.list_destinations()
    assert (state.waiting, state.paused) == (1, "holidays")


async def test_a_destination_may_be_paused_before_anything_was_sent_there(store: Store) -> None:
    await store.save_destination(ROOM, "not yet", at(0))
    await publish(store, post())
    assert await claim(store) == []
    await store.save_destination(ROOM, "", at(1))
    assert len(await claim(store, now=1)) == 1


async def test_resuming_respects_the_pace_and_wakes_nobody_for_nothing(store: Store) -> None:
    await publish(store, post(1), to=(ROOM, HALL))
    deliveries = await claim(store)
    await store.save_settlements([settled(delivery, due=7) for delivery in deliveries], lease())
    for place in (ROOM, HALL):
        await store.save_destination(place, "", at(1))
    assert await store.get_next_due(["fake"]) is None
    await store.save_destination(ROOM, "wait", at(1))
    await publish(store, post(2))
    await store.save_destination(ROOM, "", at(2))
    assert await store.get_next_due(["fake"]) == at(7)


async def test_the_next_due_is_also_when_a_lease_lapses(store: Store) -> None:
    await publish(store, post())
    await claim(store)
    assert await store.get_next_due(["fake"]) == at(5)
    assert await store.get_next_due(["other"]) is None


async def test_the_next_due_is_the_first_of_what_is_free_and_what_lapses(store: Store) -> None:
    """Leases here last five minutes."""
    await publish(store, post(1), to=(ROOM,))
    await claim(store)
    await publish(store, post(2), to=(HALL,), now=9)
    assert await store.get_next_due(["fake"]) == at(5)
    await publish(store, post(3), to=(Destination("fake", "yard"),), now=3)
    assert await store.get_next_due(["fake"]) == at(3)
    await claim(store, now=3)
    assert await store.get_next_due(["fake"]) == at(5)
    await claim(store, now=6)
    assert await store.get_next_due(["fake"]) == at(8)
    await store.delete_leases("one")
    assert await store.get_next_due(["fake"]) == at(0)


async def test_to_find_the_next_due_costs_the_same_however_many_wait(store: Store) -> None:
    """Counted by the database: SQLite's steps, PostgreSQL's rows."""
    assert isinstance(store, Store)
    costs = []
    for number, there in enumerate((30, 600)):
        await publish(store, post(number), to=[Destination("fake", str(each)) for each in range(there)], now=9)
        await claim(store, now=10)  # ten of them
        costs.append(await store._db.look_up(cost_of, "destinations", _next_due))
    few, many = costs
    assert 0 < many <= 2 * few


def _next_due(connection: Connection) -> object:
    return destinations.get_next_due(connection, ["fake"])


# --- forgetting ---


async def test_old_posts_are_forgotten_with_what_was_settled(store: Store) -> None:
    await publish(store, post(1), post(2, reply_to=uri(1)))
    await carry(store)
    await publish(store, post(3), now=60)
    await carry_later(store)
    assert await store.delete_old(at(30)) == 2
    assert await store.get_page_of(uri(1)) is None
    assert await store.get_page_of(post(1).aliases[0]) is None
    assert await states(store) == {(Action.SEND, State.SENT): 1}


async def carry_later(store: Store) -> None:
    [delivery] = await claim(store, now=60)
    await store.save_settlements([settled(delivery)], lease(now=60))


async def test_what_waits_is_not_forgotten(store: Store) -> None:
    await publish(store, post(1))
    assert await store.delete_old(at(30)) == 0
    assert len(await claim(store)) == 1


async def test_a_thread_is_forgotten_whole_or_not_at_all(store: Store) -> None:
    await publish(store, post(1), to=())
    await publish(store, post(2, reply_to=uri(1)), to=(), now=60)
    assert await store.delete_old(at(30)) == 0
    assert await store.delete_old(at(61)) == 2


async def test_a_post_that_its_feed_still_shows_is_not_forgotten(store: Store) -> None:
    await publish(store, post(1), to=())
    await publish(store, post(1), to=(), now=60 * 48)
    assert await store.delete_old(at(60 * 47)) == 0
    assert await store.delete_old(at(60 * 49)) == 1


async def test_more_than_a_handful_is_forgotten_too(store: Store) -> None:
    await publish(store, *(post(number, uri=PostUri(f"u{number}")) for number in range(450)), to=())
    assert await store.delete_old(at(30)) == 450


async def test_ids_are_not_used_again_after_forgetting(store: Store) -> None:
    await publish(store, post(1))
    [first] = await carry(store)
    await store.delete_old(at(30))
    await publish(store, post(2))
    [second] = await claim(store)
    assert second.id != first.id


async def test_tries_that_crashes_cut_off_count_as_one(store: Store) -> None:
    """Seven kills are no seven failures: the wait after the next failure would be minutes long."""
    await publish(store, post(1))
    claimed = [(await claim(store, now=10 * number))[0] for number in range(7)]
    assert [one.attempts for one in claimed] == [0, 1, 1, 1, 1, 1, 1]
    assert [one.interrupted for one in claimed] == [False, *[True] * 6]
    await store.save_settlements([settled(claimed[-1], State.DUE, due=61)], lease(now=60))
    [again] = await claim(store, now=70)
    assert (again.attempts, again.interrupted) == (1, False)
