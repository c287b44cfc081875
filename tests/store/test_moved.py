"""Destinations that get another address, and the attempts of which nobody knows whether they arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psycopg
import pytest

from relay.model import Action, Delivery, Destination, Published
from relay.ports import Resolved
from relay.records import ActingUser, Intake, Quota, State, Wanted
from relay.store import Store, open_store
from relay.testing import NOON, post
from tests.support.store_cases import (
    CLAIM,
    HALL,
    ROOM,
    at,
    carry,
    claim,
    delete,
    edit,
    lease,
    link,
    planned,
    publish,
    settled,
    states,
    uri,
)

TOPIC, NEW_TOPIC = Destination("fake", "room/77"), Destination("fake", "hall/77")


async def move(store: Store, delivery: Delivery, to: Destination = HALL, *, now: float = 0) -> Sequence[Delivery]:
    """Settle a delivery at a place that has moved; what is claimed next."""
    moved = settled(delivery, State.DUE, due=now, moved=to, reason="it moved")
    return await store.save_settlements([moved], lease(now=now), CLAIM)


async def go_on(store: Store, delivery: Delivery) -> Sequence[Delivery]:
    """Settle a delivery as sent; what is claimed next."""
    return await store.save_settlements([settled(delivery)], lease(), CLAIM)


async def waiting(store: Store) -> dict[str, int]:
    return {str(state.destination): state.waiting for state in await store.list_destinations()}


async def subscribed(store: Store) -> list[tuple[int, str, str]]:
    return [(one.id, one.topic, str(one.destination)) for one in await store.list_subscriptions()]


# --- what follows ---


async def test_what_waits_goes_to_the_new_address_in_its_order(store: Store) -> None:
    await publish(store, post(1), post(2))
    [first] = await claim(store)
    [again] = await move(store, first)
    assert (again.id, again.destination, again.attempts, again.interrupted) == (first.id, HALL, 1, False)
    assert await waiting(store) == {"fake:hall": 2}
    [following] = await go_on(store, again)
    assert (following.destination, following.uri) == (HALL, uri(2))


async def test_edits_and_deletions_find_their_messages_under_the_ids_that_they_have(store: Store) -> None:
    await publish(store, post(1))
    await carry(store)
    await publish(store, post(2))
    [second] = await claim(store)
    [again] = await move(store, second)
    await go_on(store, again)
    await edit(store, post(1, title="New", edited=at(1)))
    [change] = await claim(store)
    messages = (f"message of {uri(1)}",)
    assert (change.action, change.destination, change.messages) == (Action.EDIT, HALL, messages)
    await go_on(store, change)
    await delete(store, uri(1))
    [deletion] = await claim(store)
    assert (deletion.action, deletion.destination, deletion.messages) == (Action.DELETE, HALL, messages)


async def test_subscriptions_follow_and_topics_within_the_place_stay(store: Store) -> None:
    wanted = [Wanted(topic="#bridge", destination=place) for place in (ROOM, TOPIC)]
    await store.save_subscriptions("config:home", wanted)
    await publish(store, post(1), to=(ROOM, TOPIC))
    room, topic = await claim(store)
    await move(store, room)
    assert await subscribed(store) == [(1, "#bridge", "fake:hall"), (2, "#bridge", "fake:room/77")]
    assert await waiting(store) == {"fake:hall": 1, "fake:room/77": 1}
    await move(store, topic, NEW_TOPIC)
    assert await waiting(store) == {"fake:hall": 1, "fake:hall/77": 1}


async def test_the_audit_says_what_people_did_under_the_old_address(store: Store) -> None:
    by = ActingUser(user="illa", action="subscribe", now=NOON)
    await store.add_subscription(Wanted(topic="#bridge", destination=ROOM), Quota(destination=9, community=9), by)
    await publish(store, post(1))
    [first] = await claim(store)
    await move(store, first)
    [entry] = await store.list_audit(9)
    assert entry.destination == ROOM
    assert await subscribed(store) == [(1, "#bridge", "fake:hall")]


async def test_the_pace_follows(store: Store) -> None:
    await publish(store, post(1))
    [first] = await claim(store)
    assert await store.save_settlements([settled(first, State.DUE, due=2, moved=HALL)], lease(), CLAIM) == []
    assert await store.get_next_due(["fake"]) == at(2)
    [again] = await claim(store, now=2)
    assert again.destination == HALL


async def test_a_new_post_for_the_old_address_wakes_it_again(store: Store) -> None:
    """An intake may not know yet; the next attempt there is told the same."""
    await publish(store, post(1))
    [first] = await claim(store)
    [again] = await move(store, first)
    await go_on(store, again)
    await publish(store, post(1), post(2))
    [repeated] = await claim(store)
    assert (repeated.destination, repeated.uri) == (ROOM, uri(1))
    [following] = await move(store, repeated)
    assert (following.destination, following.uri) == (HALL, uri(2)), "the first post is there"
    await go_on(store, following)
    assert await states(store) == {(Action.SEND, State.SENT): 2, (Action.SEND, State.SKIPPED): 1}
    assert await waiting(store) == {"fake:hall": 0}


# --- where the new address is known already ---


async def test_what_was_meant_for_both_is_sent_once(store: Store) -> None:
    await publish(store, post(1), post(2), post(3))
    await publish(store, post(2), to=(HALL,))
    hall, room = await claim(store)
    assert (hall.uri, room.uri) == (uri(2), uri(1))
    assert await move(store, room) == [], "a delivery is under way there"
    [first] = await go_on(store, hall)
    [last] = await go_on(store, first)
    assert (first.uri, last.uri) == (uri(1), uri(3))
    await go_on(store, last)
    assert await states(store) == {(Action.SEND, State.SENT): 3, (Action.SEND, State.SKIPPED): 1}
    assert await waiting(store) == {"fake:hall": 0}


async def test_both_may_be_settled_together(store: Store) -> None:
    await publish(store, post(1), post(2))
    await publish(store, post(3), to=(HALL,))
    hall, room = await claim(store)
    moved = settled(room, State.DUE, moved=HALL)
    [following] = await store.save_settlements([settled(hall), moved], lease(), CLAIM)
    assert (following.id, following.destination) == (room.id, HALL)


async def test_of_two_subscriptions_to_the_same_the_older_stays_with_its_choices(store: Store) -> None:
    bridge = Wanted(topic="#bridge", destination=HALL, options='{"of": "hall"}')
    rope = Wanted(topic="#rope", destination=ROOM)
    await store.save_subscriptions("config:home", [bridge, rope])
    young = [Wanted(topic="#bridge", destination=ROOM), Wanted(topic="#rope", destination=HALL)]
    *_, mine, _ = await store.save_subscriptions("config:home", [bridge, rope, *young])
    await store.save_subscriptions("config:other", [Wanted(topic="#rope", destination=HALL)])
    await link(store, mine, {"fake": Resolved(feeds=("nobody else's",))}, NOON)
    intake = Intake(feed=None, events=(Published(post(1)),), planned_sends=(planned(post(1), ROOM, subscription=mine),))
    await store.add_intakes([intake], lease())
    [first] = await claim(store)
    [again] = await move(store, first)
    there = await subscribed(store)
    assert there[:2] == [(1, "#bridge", "fake:hall"), (2, "#rope", "fake:hall")]
    assert [rest[1:] for rest in there[2:]] == [("#rope", "fake:hall")], "of another configuration"
    assert again.options == '{"of": "hall"}'
    assert await store.list_feeds() == []


@pytest.mark.parametrize("paused", [ROOM, HALL])
async def test_a_person_s_pause_of_either_holds(store: Store, paused: Destination) -> None:
    await publish(store, post(1))
    [first] = await claim(store)
    await store.save_destination(paused, "holidays", at(0))
    assert await move(store, first) == []
    [state] = await store.list_destinations()
    assert (state.destination, state.waiting, state.paused) == (HALL, 1, "holidays")
    assert await store.get_next_due(["fake"]) is None
    await store.save_destination(HALL, "", at(1))
    assert len(await claim(store, now=1)) == 1


# --- who may not move it ---


async def test_a_lost_lease_moves_nothing(store: Store) -> None:
    await publish(store, post(1))
    [first] = await claim(store, owner="one")
    [second] = await claim(store, owner="two", now=5)
    await store.save_settlements([settled(first, State.DUE, moved=HALL)], lease("one", now=5))
    assert (await waiting(store))["fake:room"] == 1
    moved = settled(second, State.DUE, moved=HALL)
    [again] = await store.save_settlements([moved], lease("two", now=5), CLAIM)
    await store.save_settlements([settled(first, State.DUE, moved=HALL)], lease("one", now=5))
    assert again.id == first.id
    assert await waiting(store) == {"fake:hall": 1}


async def test_a_place_that_moves_to_itself_stays_where_it_is(store: Store) -> None:
    await publish(store, post(1))
    [first] = await claim(store)
    [again] = await move(store, first, ROOM)
    assert (again.id, again.destination) == (first.id, ROOM)


async def test_moves_in_a_ring_lose_nothing(store: Store) -> None:
    await publish(store, post(1))
    await publish(store, post(2), to=(HALL,))
    hall, room = await claim(store)
    moves = [settled(hall, State.DUE, moved=ROOM), settled(room, State.DUE, moved=HALL)]
    await store.save_settlements(moves, lease())
    assert sum((await waiting(store)).values()) == 2
    assert {delivery.uri for delivery in await carry(store)} == {uri(1), uri(2)}


# --- together with others ---


async def test_a_move_among_intakes_settlements_and_pauses_loses_nothing(postgres_url: str) -> None:
    """Two relays on one database: what one moves, the other writes to at the same time, in any order."""
    first, second = await open_store(postgres_url), await open_store(postgres_url)
    for number in range(6):
        old, new = Destination("fake", f"b{number}"), Destination("fake", f"{'ac'[number % 2]}{number}")
        await publish(first, post(2 * number), to=(old,))
        await publish(first, post(2 * number), to=(ROOM,))
        claimed = await claim(first)
        batch = [settled(one, State.DUE, moved=new) if one.destination == old else settled(one) for one in claimed]
        await asyncio.gather(
            first.save_settlements(batch, lease()),
            publish(second, post(2 * number + 1), to=(new, old, ROOM)),
            second.save_lost([new, old], "gone"),
        )
        for place in (old, new):
            await second.save_destination(place, "", at(0))
        await carry_over(first, old, new)
    found = await states(first)
    assert not {state for (_, state), count in found.items() if count} & {State.DUE, State.SENDING, State.FAILED}
    assert found[Action.SEND, State.SENT] == 4 * 6
    await asyncio.gather(first.close(), second.close())


async def carry_over(store: Store, old: Destination, new: Destination) -> None:
    """Deliver all that waits, at a platform that knows the old address no more."""
    batch = await claim(store)
    while batch:
        outcomes = [settled(one, State.DUE, moved=new) if one.destination == old else settled(one) for one in batch]
        batch = await store.save_settlements(outcomes, lease(), CLAIM)


async def test_a_move_waits_for_who_writes_to_the_new_address(postgres_url: str) -> None:
    """Or nobody would wake it for what was written there."""
    store = await open_store(postgres_url)
    await publish(store, post(1), to=(HALL,))
    await carry(store)
    await publish(store, post(2), to=(Destination("other", "place"),))
    await publish(store, post(1))
    [repeated] = await claim(store)
    with psycopg.connect(postgres_url) as writer, psycopg.connect(postgres_url, autocommit=True) as watch:
        writer.execute("SELECT name FROM destinations WHERE name = 'fake:hall' FOR UPDATE")
        writer.execute("UPDATE deliveries SET destination = 'fake:hall' WHERE destination = 'other:place'")
        moving = asyncio.create_task(move(store, repeated))
        async with asyncio.timeout(30):
            while not watch.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                await asyncio.sleep(0.002)  # a lock has no event
        writer.execute("UPDATE destinations SET due = 0 WHERE name = 'fake:hall' AND due IS NULL")
        writer.commit()
    [following] = await moving
    assert (following.destination, following.uri) == (HALL, uri(2))
    await store.close()


# --- the unknown ---


async def test_attempts_of_which_nobody_knows_are_counted_once_each(store: Store) -> None:
    await publish(store, post(1), post(2), to=(ROOM, HALL))
    assert (await store.get_counts()).unknown == 0
    hall, room = await claim(store)
    again = [settled(hall, State.DUE, unknown=True), settled(room, State.SKIPPED, unknown=True, reason="who knows")]
    await store.save_settlements(again, lease())
    following = await store.save_settlements(again, lease(), CLAIM)
    assert (await store.get_counts()).unknown == 2
    await store.save_settlements([settled(one, unknown=one.destination == HALL) for one in following], lease())
    assert (await store.get_counts()).unknown == 3
    await store.delete_old(at(30))
    assert (await store.get_counts()).unknown == 3
