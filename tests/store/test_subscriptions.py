"""Subscriptions, and the feeds that serve them."""

from __future__ import annotations

from relay.model import SubscriptionId
from relay.ports import Resolved
from relay.records import Intake, Wanted
from relay.store import Store
from relay.testing import NOON
from tests.support.store_cases import HALL, ROOM, at, feed, lease, link

BRIDGE = Wanted(topic="#bridge", destination=ROOM)
HARVEST = Wanted(topic="#harvest", destination=ROOM)


async def addresses(store: Store) -> list[str]:
    return [state.feed.address for state in await store.list_feeds()]


# --- subscriptions ---


async def test_an_origin_s_subscriptions_are_exactly_those_that_it_wants(store: Store) -> None:
    [first, second] = await store.save_subscriptions("file", [BRIDGE, HARVEST])
    [chat] = await store.save_subscriptions("chat", [BRIDGE])
    [same, new] = await store.save_subscriptions("file", [HARVEST, Wanted(topic="#bridge", destination=HALL)])
    kept = {
        subscription.id: (subscription.topic, subscription.destination)
        for subscription in await store.list_subscriptions()
    }
    assert kept == {second: ("#harvest", ROOM), chat: ("#bridge", ROOM), new: ("#bridge", HALL)}
    assert same == second
    assert len({first, second, chat, new}) == 4


async def test_a_wish_that_is_written_twice_is_one_subscription(store: Store) -> None:
    ids = await store.save_subscriptions("file", [BRIDGE, BRIDGE])
    assert ids[0] == ids[1]
    assert len(await store.list_subscriptions()) == 1


async def test_a_resolved_topic_has_its_tags_and_feeds_by_source(store: Store) -> None:
    [mine] = await store.save_subscriptions("file", [BRIDGE])
    resolved = {"a": Resolved(feeds=("x", "y"), tag="bridge"), "b": Resolved(feeds=("x",))}
    await link(store, mine, resolved, NOON)
    [subscription] = await store.list_subscriptions()
    feeds = {state.feed.id: (state.feed.source, state.feed.address) for state in await store.list_feeds()}
    assert subscription.tags == (("a", "bridge"),)
    assert [feeds[one] for one in subscription.feeds] == [("a", "x"), ("a", "y"), ("b", "x")]


async def test_links_outlive_a_restart_with_the_same_wishes(store: Store) -> None:
    [mine] = await store.save_subscriptions("file", [BRIDGE])
    await link(store, mine, {"a": Resolved(feeds=("x",), tag="bridge")}, NOON)
    before = await store.list_subscriptions()
    await store.save_subscriptions("file", [BRIDGE])
    assert await store.list_subscriptions() == before


async def test_resolving_again_replaces_the_links_of_the_sources_that_answered(store: Store) -> None:
    [mine] = await store.save_subscriptions("file", [BRIDGE])
    await link(store, mine, {"a": Resolved(feeds=("x",), tag="t"), "b": Resolved(feeds=("y",), tag="t")}, NOON)
    await link(store, mine, {"a": Resolved(feeds=("z",))}, NOON)
    [subscription] = await store.list_subscriptions()
    assert subscription.tags == (("b", "t"),)
    assert await addresses(store) == ["z", "y"]


async def test_networks_that_are_wanted_no_more_are_cut_off(store: Store) -> None:
    [mine] = await store.save_subscriptions("file", [BRIDGE])
    await link(store, mine, {"a": Resolved(feeds=("x",), tag="t"), "b": Resolved(feeds=("y",), tag="t")}, NOON)
    await store.save_subscriptions("file", [Wanted(topic="#bridge", destination=ROOM, networks=("b",))])
    [subscription] = await store.list_subscriptions()
    assert subscription.tags == (("b", "t"),)
    assert await addresses(store) == ["y"]


async def test_a_feed_that_another_subscription_needs_stays(store: Store) -> None:
    first, second = await store.save_subscriptions("file", [BRIDGE, HARVEST])
    for one in (first, second):
        await link(store, one, {"a": Resolved(feeds=("x",))}, NOON)
    await store.save_subscriptions("file", [HARVEST])
    assert await addresses(store) == ["x"]
    await store.save_subscriptions("file", [])
    assert await addresses(store) == []
    assert await store.list_subscriptions() == []


async def test_a_feed_that_is_there_keeps_its_cursor(store: Store) -> None:
    mine = await feed(store, "x")
    await store.add_intakes([Intake(feed=mine, cursor="7", next_poll=at(9))], lease())
    [other] = await store.save_subscriptions("chat", [BRIDGE])
    await link(store, other, {"fake": Resolved(feeds=("x",))}, at(3))
    [state] = await store.list_feeds()
    assert (state.feed.id, state.feed.cursor, state.next_poll) == (mine, "7", at(9))


async def test_a_subscription_that_went_while_it_was_resolved_makes_no_feeds(store: Store) -> None:
    await link(store, SubscriptionId(99), {"a": Resolved(feeds=("x",), tag="t")}, NOON)
    assert await addresses(store) == []


# --- feeds ---


async def test_feeds_are_claimed_longest_overdue_first_and_by_source(store: Store) -> None:
    [mine] = await store.save_subscriptions("file", [BRIDGE])
    for minute, address in ((3, "late"), (1, "early"), (2, "middle")):
        [one] = await store.save_subscriptions(address, [BRIDGE])
        await link(store, one, {"fake": Resolved(feeds=(address,))}, at(minute))
    await link(store, mine, {"other": Resolved(feeds=("elsewhere",))}, at(0))
    claimed = await store.claim_feeds(["fake", "nobody"], lease(now=2), 5)
    assert [(one.address, one.cursor, one.seeded) for one in claimed] == [("early", "", False), ("middle", "", False)]
    assert await store.claim_feeds(["fake"], lease("two", now=2), 5) == []
    assert len(await store.claim_feeds(["fake"], lease("two", now=8), 2)) == 2


async def test_the_next_poll_is_the_next_due_feed_or_lapsing_lease(store: Store) -> None:
    assert await store.get_next_poll(["fake"]) is None
    await feed(store, "claimed")
    assert await store.get_next_poll(["fake"]) == at(5)
    [one] = await store.save_subscriptions("file", [BRIDGE])
    await link(store, one, {"fake": Resolved(feeds=("free",))}, at(2))
    assert await store.get_next_poll(["fake", "other"]) == at(2)
    assert await store.get_next_poll(["other"]) is None


async def test_a_lease_can_be_held_on_to_by_its_owner_only(store: Store) -> None:
    mine = await feed(store)
    await store.save_feed_leases([mine], lease("two", now=4))
    assert await store.get_next_poll(["fake"]) == at(5)
    await store.save_feed_leases([mine], lease("one", now=4))
    assert await store.get_next_poll(["fake"]) == at(9)


async def test_feeds_can_be_made_due_but_for_those_that_are_being_read(store: Store) -> None:
    """A stream may have missed something in them."""
    read = await feed(store, "being read")
    [other] = await store.save_subscriptions("other", [BRIDGE])
    await link(store, other, {"fake": Resolved(feeds=("later",))}, at(9))
    [state] = [one for one in await store.list_feeds() if one.feed.address == "later"]
    assert await store.save_due([read, state.feed.id], at(3)) == [read]
    assert await store.get_next_poll(["fake"]) == at(3)
    assert await store.save_due([read, state.feed.id], at(8)) == []


async def test_feeds_that_are_given_back_are_due_again(store: Store) -> None:
    await feed(store)
    await store.delete_leases("two")
    assert await store.claim_feeds(["fake"], lease("two"), 5) == []
    await store.delete_leases("one")
    assert len(await store.claim_feeds(["fake"], lease("two"), 5)) == 1


async def test_a_late_intake_of_a_feed_that_was_removed_is_stale(store: Store) -> None:
    mine = await feed(store, "a")
    await store.save_subscriptions("a", [])
    fresh = await feed(store, "b")
    assert fresh != mine
    taken = await store.add_intakes([Intake(feed=mine, cursor="7")], lease())
    assert taken.stale == (mine,)


async def test_a_feed_that_was_stopped_is_tried_again_when_somebody_subscribes(store: Store) -> None:
    (mine,) = await store.save_subscriptions("t", [Wanted(topic="x", destination=ROOM)])
    resolved = {"fake": Resolved(feeds=("x",))}
    await link(store, mine, resolved, NOON)
    (feed,) = await store.claim_feeds(["fake"], lease(), 1)
    await store.add_intakes([Intake(feed=feed.id, cursor="7", stopped="410", note="410")], lease())
    assert await store.get_next_poll(["fake"]) is None
    await link(store, mine, resolved, at(5))
    (state,) = await store.list_feeds()
    assert (state.stopped, state.next_poll, state.feed.cursor) == ("", at(5), "7")
