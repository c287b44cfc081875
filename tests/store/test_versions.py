"""Changes of subscriptions are told one by one, in the order of their commits, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import Connection

from relay.model import Destination, SubscriptionId
from relay.options import Filters
from relay.ports import Resolved
from relay.records import ActingUser, Added, Changes, Intake, Linking, Quota, Settlement, State, Wanted
from relay.store import Store, open_store, versions
from relay.testing import NOON, post
from tests.support.store_cases import HALL, ROOM, at, claim, feed, lease, publish

QUOTA = Quota(destination=99, community=99)
BRIDGE = Resolved(feeds=("bridge",), tag="bridge")


def by() -> ActingUser:
    return ActingUser(user="7", action="subscribe", now=NOON)


async def subscribed(store: Store, topic: str = "#bridge", to: Destination = ROOM) -> SubscriptionId:
    added = await store.add_subscription(Wanted(topic=topic, destination=to), QUOTA, by())
    assert isinstance(added, Added)
    return added.id


async def changes(store: Store, since: int = 0) -> Changes:
    found = await store.list_changes(since, 100)
    assert found is not None
    return found


async def changed(store: Store, since: int) -> tuple[list[SubscriptionId], list[SubscriptionId]]:
    """Who is there and who is gone of those that changed."""
    found = await changes(store, since)
    return [one.id for one in found.subscriptions], list(found.gone)


async def version(store: Store) -> int:
    return await store.get_subscriptions_version()


# --- what is told ---


async def test_whatever_is_done_to_a_subscription_is_a_change(store: Store) -> None:
    one, since = await subscribed(store), 0
    assert await changed(store, since) == ([one], [])
    since = await version(store)
    await store.save_links([Linking((one,), {"fake": BRIDGE}, complete=True)], "m", NOON)
    found = await changes(store, since)
    assert [subscription.tags for subscription in found.subscriptions] == [(("fake", "bridge"),)]
    since = found.version
    [there] = await store.list_subscriptions()
    await store.save_subscription(there, by())  # as it is
    assert await changes(store, since) == Changes(version=since)
    await store.delete_subscription(one, by())
    assert await changed(store, since) == ([], [one])


async def test_what_a_configuration_does_not_change_is_no_change(store: Store) -> None:
    wanted = [Wanted(topic=f"#t{number}", destination=ROOM) for number in range(3)]
    first, second, third = await store.save_subscriptions("file", wanted)
    since = await version(store)
    await store.save_subscriptions("file", wanted)
    assert await version(store) == since
    await store.save_subscriptions(
        "file",
        [
            wanted[0],
            Wanted(topic="#t1", destination=ROOM, filters=Filters(language=("es",))),
            Wanted(topic="#t3", destination=ROOM),
        ],
    )
    there, gone = await changed(store, since)
    assert (there[0], gone) == (second, [third])
    assert len(there) == 2
    assert first not in there


async def test_a_destination_that_moves_takes_its_subscriptions_along(store: Store) -> None:
    one = await subscribed(store)
    await publish(store, post(1))
    [delivery] = await claim(store)
    since = await version(store)
    settlement = Settlement(delivery=delivery.id, destination=ROOM, state=State.DUE, due=at(1), moved=HALL)
    await store.save_settlements([settlement], lease())
    found = await changes(store, since)
    assert [(there.id, there.destination) for there in found.subscriptions] == [(one, HALL)]


async def test_many_changes_are_told_in_parts(store: Store) -> None:
    numbers = [await subscribed(store, f"#t{number}") for number in range(5)]
    found: list[SubscriptionId] = []
    since = 0
    while (told := await store.list_changes(since, 2)) and told.version != since:
        assert len(told.subscriptions) <= 2
        found += [one.id for one in told.subscriptions]
        since = told.version
    assert found == numbers


async def test_who_missed_more_than_is_remembered_is_told_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "KEPT", 3)
    for number in range(6):
        await subscribed(store, f"#t{number}")
    newest = await version(store)
    assert await store.list_changes(newest - 4, 100) is None
    assert len((await changes(store, newest - 3)).subscriptions) == 3
    assert await store.list_changes(newest + 1, 100) is None  # the database is another one


# --- the order of commits ---


@pytest.fixture
async def pair(postgres_url: str) -> AsyncIterator[tuple[Store, Store]]:
    first, second = await open_store(postgres_url), await open_store(postgres_url)
    yield first, second
    await first.close()
    await second.close()


async def test_a_change_that_is_committed_later_has_a_higher_number(pair: tuple[Store, Store]) -> None:
    """Who began first may commit last: numbers drawn by both meanwhile would be passed over by who reads between."""
    first, second = pair
    begun, go = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(connection: Connection) -> None:
        versions.note_changes(connection, [SubscriptionId(101)])
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result()

    async with asyncio.timeout(10):
        early = asyncio.create_task(first._db.write(slow))
        await begun.wait()
        late = asyncio.create_task(subscribed(second))
        while not await waits_for_a_lock(second):
            await asyncio.sleep(0)
        assert await changes(second) == Changes(version=0)  # nothing is seen out of turn
        go.set()
        await early
        number = await late
        found = await changes(second)
        assert (found.gone, [one.id for one in found.subscriptions]) == ((SubscriptionId(101),), [number])
        after = await changes(second, found.version - 1)
        assert [one.id for one in after.subscriptions] == [number]


async def waits_for_a_lock(store: Store) -> bool:
    asked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    return bool(await store._db.read(lambda connection: connection.exec_driver_sql(asked).scalar()))


async def test_another_process_is_told_at_once(pair: tuple[Store, Store]) -> None:
    first, second = pair
    async with asyncio.timeout(30):
        await first.wait_for_changes(timedelta(minutes=1))  # begins to listen
        waiting = asyncio.create_task(first.wait_for_changes(timedelta(minutes=1)))
        await subscribed(second)
        await waiting
        await subscribed(second, "#between")  # while nobody waits
        await first.wait_for_changes(timedelta(minutes=1))


async def test_who_lost_the_connection_listens_again(pair: tuple[Store, Store], postgres_url: str) -> None:
    first, second = pair
    async with asyncio.timeout(30):
        await first.wait_for_changes(timedelta(minutes=1))
        waiting = asyncio.create_task(first.wait_for_changes(timedelta(milliseconds=50)))
        with closing(psycopg.connect(postgres_url, autocommit=True)) as operator:
            operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
        await waiting  # for no longer than it was told to
        await first.wait_for_changes(timedelta(minutes=1))
        waiting = asyncio.create_task(first.wait_for_changes(timedelta(minutes=1)))
        await subscribed(second)
        await waiting


# --- links ---


async def test_links_are_written_for_many_and_only_where_they_differ(store: Store) -> None:
    numbers = [await subscribed(store, "#bridge", Destination("fake", str(number))) for number in range(4)]
    link = Linking(tuple(numbers), {"fake": BRIDGE, "other": Resolved(feeds=("x", "y"))}, complete=True)
    await store.save_links([link], "m", NOON)
    assert {one.tags for one in await store.list_subscriptions()} == {(("fake", "bridge"),)}
    assert {len(one.feeds) for one in await store.list_subscriptions()} == {3}
    since = await version(store)
    await store.save_links([link], "m", NOON)
    assert await version(store) == since
    await store.save_links([Linking((numbers[0],), {"other": Resolved(feeds=("y",))}, complete=True)], "m", NOON)
    assert await changed(store, since) == ([numbers[0]], [])


async def test_what_is_linked_is_not_to_be_linked_until_the_settings_are_others(store: Store) -> None:
    chat, other = await subscribed(store), await subscribed(store, "#harvest")
    [ours] = await store.save_subscriptions("ours", [Wanted(topic="#bridge", destination=HALL)])
    await store.save_subscriptions("theirs", [Wanted(topic="#bridge", destination=HALL)])
    assert await unlinked(store, "m") == [chat, other, ours]
    await store.save_links([Linking((chat, ours), {"fake": BRIDGE}, complete=True)], "m", NOON)
    await store.save_links([Linking((other,), {"fake": BRIDGE}, complete=False)], "m", NOON)
    assert await unlinked(store, "m") == [other]
    assert await unlinked(store, "n") == [chat, other, ours]


async def test_who_is_served_by_a_feed_that_was_stopped_is_linked_anew(store: Store) -> None:
    one, other = await subscribed(store), await subscribed(store, "#harvest")
    links = [
        Linking((one,), {"fake": BRIDGE}, complete=True),
        Linking((other,), {"fake": Resolved(feeds=("h",))}, complete=True),
    ]
    await store.save_links(links, "m", NOON)
    mine = await feed(store, "bridge")
    await store.add_intakes([Intake(feed=mine, stopped="410 Gone")], lease())
    await store.save_unlinked(["another"])
    assert await unlinked(store, "m") == []
    await store.save_unlinked(["fake"])
    assert one in await unlinked(store, "m")
    assert other not in await unlinked(store, "m")


async def test_a_feed_that_is_tried_again_is_a_change(store: Store) -> None:
    """Who listens to a stream passes over feeds that are stopped, and is to hear when one is no more."""
    one = await subscribed(store)
    link = [Linking((one,), {"fake": BRIDGE}, complete=True)]
    await store.save_links(link, "m", NOON)
    await store.add_intakes([Intake(feed=await feed(store, "bridge"), stopped="410 Gone")], lease())
    since = await version(store)
    await store.save_links(link, "m", NOON)
    assert await changed(store, since) == ([one], [])
    since = await version(store)
    await store.save_links(link, "m", NOON)
    assert await version(store) == since


async def unlinked(store: Store, mark: str) -> list[SubscriptionId]:
    """One by one, to see that the reading goes on where it was."""
    found: list[SubscriptionId] = []
    after: SubscriptionId | None = SubscriptionId(0)
    while after is not None:
        after, some = await store.list_unlinked("ours", mark, after, 1)
        found += [one.id for one in some]
    return found
