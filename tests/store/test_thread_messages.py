"""A thread is one message at each destination: it grows by a count, and by posts under it where that is wanted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.model import Action, Delivery, Destination, Post, Published, Subscription
from relay.options import USUAL_DELIVERY, DeliveryOptions, Follow, Mode
from relay.records import Intake, PlannedSend, State, Wanted
from relay.store import Store
from relay.testing import author, post
from tests.support.store_cases import CLAIM, HALL, ROOM, carry, claim, delete, edit, lease, settled, uri
from tests.support.thorough import examples

CHAIN = tuple(post(number, reply_to=uri(number - 1) if number > 1 else "") for number in range(1, 5))
REPLIES = DeliveryOptions(follow=Follow.REPLIES)


async def subscribe(
    store: Store, delivery_options: DeliveryOptions = USUAL_DELIVERY, to: Destination = ROOM, name: str = "a"
) -> Subscription:
    await store.save_subscriptions(name, [Wanted(topic="#bridge", destination=to, delivery_options=delivery_options)])
    return next(one for one in await store.list_subscriptions(to) if one.origin == name)


async def bring(store: Store, *posts: Post, to: Subscription | None = None, also: tuple[Post, ...] = ()) -> None:
    """One poll that brings these posts; ``also`` are those of a look that nobody asked for."""
    events = tuple(Published(one) for one in (*also, *posts))
    planned_sends = tuple(PlannedSend(uri=one.uri, by={str(to.destination): to}) for one in posts if to)
    await store.add_intakes([Intake(feed=None, events=events, planned_sends=planned_sends)], lease())


def told(done: list[Delivery]) -> list[tuple[Action, int, int]]:
    """What was done, with which post, and how long the thread was by then."""
    return [
        (one.action, int(one.uri.rsplit("/", 1)[1]), one.card.thread.count if one.card and one.card.thread else 1)
        for one in done
    ]


async def test_a_thread_is_one_message_that_counts(store: Store) -> None:
    here = await subscribe(store)
    await bring(store, CHAIN[0], to=here)
    assert told(await carry(store)) == [(Action.SEND, 1, 1)]
    await bring(store, CHAIN[1], to=here)
    assert told(await carry(store)) == [(Action.COUNT, 1, 2)]
    await bring(store, *CHAIN[2:], to=here)
    assert told(await carry(store)) == [(Action.COUNT, 1, 4)]


async def test_what_nobody_asked_for_counts_as_well(store: Store) -> None:
    """The thread goes on without the hashtag: a look at it finds that."""
    here = await subscribe(store)
    await bring(store, CHAIN[0], to=here)
    await carry(store)
    await bring(store, also=CHAIN[1:])
    assert told(await carry(store)) == [(Action.COUNT, 1, 4)]


async def test_a_message_that_was_not_sent_yet_needs_no_count(store: Store) -> None:
    here = await subscribe(store)
    await bring(store, *CHAIN[:2], to=here)
    await bring(store, *CHAIN[2:], to=here)
    assert told(await carry(store)) == [(Action.SEND, 1, 4)]


async def test_a_count_that_waits_is_enough(store: Store) -> None:
    here = await subscribe(store)
    await bring(store, CHAIN[0], to=here)
    await carry(store)
    for one in CHAIN[1:]:
        await bring(store, one, to=here)
    assert told(await carry(store)) == [(Action.COUNT, 1, 4)]


async def test_a_count_under_way_is_followed_by_another(store: Store) -> None:
    here = await subscribe(store)
    await bring(store, CHAIN[0], to=here)
    await carry(store)
    await bring(store, CHAIN[1], to=here)
    [counting] = await claim(store)
    await bring(store, CHAIN[2], to=here)
    await store.save_settlements([settled(counting)], lease())
    assert told(await carry(store)) == [(Action.COUNT, 1, 3)]


async def test_replies_are_posted_under_the_first(store: Store) -> None:
    here = await subscribe(store, REPLIES)
    await bring(store, *CHAIN[:2], to=here)
    await bring(store, also=CHAIN[2:])
    done = await carry(store)
    assert [(one.action, one.uri) for one in done if one.action is Action.SEND] == [
        (Action.SEND, uri(number)) for number in (1, 2, 3, 4)
    ]
    assert done[0].under == ()
    assert {one.under for one in done if one.action is Action.SEND and one is not done[0]} == {
        (f"message of {uri(1)}",)
    }


async def test_what_is_older_than_the_message_is_not_posted_under_it(store: Store) -> None:
    """A look found how the thread began."""
    here = await subscribe(store, REPLIES)
    await bring(store, CHAIN[2], to=here)
    await carry(store)
    await bring(store, also=CHAIN)
    assert [one[:2] for one in told(await carry(store))] == [(Action.COUNT, 3), (Action.SEND, 4)]


async def test_each_post_is_a_message_where_that_is_wanted(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions(mode=Mode.POSTS))
    await bring(store, *CHAIN[:2], to=here)
    await bring(store, *CHAIN[2:], to=here)
    assert [one[:2] for one in told(await carry(store))] == [(Action.SEND, number) for number in (1, 2, 3, 4)]


async def test_destinations_want_it_each_in_its_own_way(store: Store) -> None:
    room, hall = await subscribe(store), await subscribe(store, REPLIES, HALL, "b")
    planned_sends = tuple(PlannedSend(uri=one.uri, by={str(ROOM): room, str(HALL): hall}) for one in CHAIN)
    for one, planned in zip(CHAIN, planned_sends, strict=True):
        await store.add_intakes([Intake(feed=None, events=(Published(one),), planned_sends=(planned,))], lease())
        await carry(store)
    counts = (await store.get_counts()).deliveries
    assert counts[Action.SEND, State.SENT] == 1 + 4
    assert counts[Action.COUNT, State.SENT] == 3 + 3


async def test_when_the_first_is_deleted_the_next_one_begins_anew(store: Store) -> None:
    here = await subscribe(store)
    await bring(store, *CHAIN[:2], to=here)
    await carry(store)
    await delete(store, uri(1))
    assert told(await carry(store)) == [(Action.DELETE, 1, 1)]
    await bring(store, CHAIN[2], to=here)
    assert told(await carry(store)) == [(Action.SEND, 3, 2)]


async def test_a_deleted_post_is_counted_no_more(store: Store) -> None:
    here = await subscribe(store)
    await bring(store, *CHAIN[:3], to=here)
    await carry(store)
    await delete(store, uri(2))
    assert told(await carry(store)) == [(Action.COUNT, 1, 2)]


async def test_an_edit_says_the_count_too_and_a_count_no_edit(store: Store) -> None:
    here = await subscribe(store)
    await bring(store, CHAIN[0], to=here)
    await carry(store)
    await bring(store, CHAIN[1], to=here)  # its count waits
    await edit(store, replace(CHAIN[0], title="Corrected", edited=CHAIN[0].published + timedelta(hours=1)))
    assert (Action.EDIT, 1, 2) in told(await carry(store))
    await edit(store, replace(CHAIN[0], title="Once more", edited=CHAIN[0].published + timedelta(hours=2)))
    await bring(store, CHAIN[2], to=here)
    assert told(await carry(store)) == [(Action.EDIT, 1, 3)]


async def test_a_subscription_that_is_gone_wants_no_count(store: Store) -> None:
    here = await subscribe(store)
    await bring(store, CHAIN[0], to=here)
    await carry(store)
    await store.save_subscriptions("a", [])
    await bring(store, also=CHAIN[1:])
    assert await carry(store) == []


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_whatever_the_order_one_message_stands_with_the_right_count(store: Store, order: tuple[int, ...]) -> None:
    """But for threads that were two before they were one: then each has its message."""
    here = await subscribe(store)
    shown: dict[str, int] = {}
    for number in order:
        await bring(store, CHAIN[number], to=here)
        for delivery in await carry(store):
            assert delivery.card
            shown[delivery.uri] = delivery.card.thread.count if delivery.card.thread else 1
    assert max(shown.values()) == 4
    assert len(shown) <= _apart(order)


def _apart(order: tuple[int, ...]) -> int:
    """How many pieces there were at a time at most."""
    there: set[int] = set()
    most = 0
    for number in order:
        there.add(number)
        most = max(most, sum(one - 1 not in there for one in there))
    return most


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int]]:
    """A thread of up to seven posts that comes in order, by polls and by looks, while some is edited or deleted."""
    deeds: list[tuple[str, int]] = [("poll", 1)]
    for number in range(2, draw(st.integers(2, 7)) + 1):
        deeds.append((draw(st.sampled_from(["poll", "look"])), number))
        deeds += [
            (draw(st.sampled_from(["edit", "delete", "carry", "cut off"])), draw(st.integers(2, number)))
            for _ in range(draw(st.integers(0, 2)))
        ]
    return deeds


_worlds = iter(range(1, 10**6))


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=histories(), follow=st.sampled_from(Follow))
async def test_a_thread_ends_as_one_message_with_all_under_it(
    store: Store, deeds: list[tuple[str, int]], follow: Follow
) -> None:
    world = next(_worlds) * 100
    chain = {
        n: post(world + n, reply_to=uri(world + n - 1) if n > 1 else "", author=author("Illa")) for n in range(1, 8)
    }
    here = await subscribe(store, DeliveryOptions(follow=follow), Destination("fake", f"room {world}"), f"s{world}")
    gone: set[int] = set()
    done: list[Delivery] = []
    for action, number in deeds:
        match action:
            case "poll":
                await bring(store, chain[number], to=here)
            case "look":
                await bring(store, also=tuple(chain[n] for n in range(1, number + 1)))
            case "edit" if number not in gone:
                chain[number] = replace(chain[number], title=chain[number].title + "!")
                await edit(store, chain[number])
            case "delete":
                gone.add(number)
                await delete(store, chain[number].uri)
            case "carry":
                done += await carry(store)
            case "cut off":  # a crash: what was under way comes again
                await store.claim_deliveries(CLAIM, lease())
                await store.delete_leases("one")
    done += await carry(store)
    last = max(number for action, number in deeds if action in {"poll", "look"})
    sends = [int(one.uri.rsplit("/", 1)[1]) - world for one in done if one.action is Action.SEND]
    assert sends[0] == 1
    assert sends == sorted(set(sends))
    if follow is Follow.COUNT:
        assert sends == [1]
    else:
        assert set(range(1, last + 1)) - gone <= set(sends)
        assert all(one.under for one in done if one.action is Action.SEND and one.uri != chain[1].uri)
    shown = [one for one in done if one.uri == chain[1].uri and one.action is not Action.DELETE]
    assert shown[-1].card
    assert (shown[-1].card.thread.count if shown[-1].card.thread else 1) == last - len(gone & set(range(2, last + 1)))
