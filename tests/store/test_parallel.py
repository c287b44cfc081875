"""Several relays on one PostgreSQL database, at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from relay.model import Action, Deleted, Delivery, Destination, Edited, Published
from relay.ports import Resolved
from relay.records import Claim, State, Wanted
from relay.store import Store, open_store
from relay.testing import NOON, post
from tests.support.store_cases import CLAIM, ROOM, at, claim, lease, link, publish, said, settled, states, uri

MANY = Claim(adapters=("fake",), limit=50)


@pytest.fixture
async def pair(postgres_url: str) -> AsyncIterator[tuple[Store, Store]]:
    first, second = await open_store(postgres_url), await open_store(postgres_url)
    yield first, second
    await asyncio.gather(first.close(), second.close())


async def test_two_relays_never_serve_one_destination_at_once(pair: tuple[Store, Store]) -> None:
    """20 rooms get 10 posts each, once and in order, with both relays claiming and settling as fast as they can."""
    rooms = [Destination("fake", str(number)) for number in range(20)]
    await publish(pair[0], *(post(number) for number in range(10)), to=rooms)
    served: list[Delivery] = []
    busy: set[Destination] = set()

    async def serve(store: Store, owner: str) -> None:
        batch = await store.claim_deliveries(MANY, lease(owner))
        while len(served) < 200:
            for delivery in batch:
                assert delivery.destination not in busy
                busy.add(delivery.destination)
            await asyncio.sleep(0)
            served.extend(batch)
            busy.difference_update(delivery.destination for delivery in batch)
            settlements = [settled(delivery) for delivery in batch]
            batch = await store.save_settlements(settlements, lease(owner), MANY)

    await asyncio.gather(*(serve(store, f"{n} {k}") for n, store in enumerate(pair) for k in range(2)))
    assert len({delivery.id for delivery in served}) == 200
    for room in rooms:
        assert [delivery.uri for delivery in served if delivery.destination == room] == [uri(n) for n in range(10)]


async def test_two_relays_that_bring_the_same_posts_store_and_send_them_once(pair: tuple[Store, Store]) -> None:
    posts = [post(number, reply_to=uri(number - 1) if number else "") for number in range(40)]

    async def bring(store: Store, step: int) -> int:
        taken = [await publish(store, *posts[first::4][::step]) for first in range(4)]
        return sum(one.posts for one in taken)

    counts = await asyncio.gather(*(bring(store, step) for store in pair for step in (1, -1)))
    assert sum(counts) == 40
    assert await states(pair[0]) == {(Action.SEND, State.DUE): 40}
    page = await pair[1].get_page_of(uri(39))
    assert page is not None
    assert page.posts == tuple(posts)


async def test_no_wake_up_is_lost_between_an_intake_and_a_settlement(pair: tuple[Store, Store]) -> None:
    first, second = pair
    for number in range(60):
        await publish(first, post(2 * number))
        [delivery] = await claim(first)
        await asyncio.gather(
            publish(second, post(2 * number + 1)),
            first.save_settlements([settled(delivery)], lease()),
        )
        [following] = await claim(first)
        await first.save_settlements([settled(following)], lease())


async def test_an_edit_or_deletion_that_meets_a_claim_is_not_lost(pair: tuple[Store, Store]) -> None:
    first, second = pair
    for number in range(40):
        old, new = post(number), post(number, title="Corrected", edited=at(9))
        await publish(first, old)
        change = Deleted(old.uri) if number % 2 else Edited(new)
        claimed, _ = await asyncio.gather(claim(first), second.add_intakes([said(change)], lease()))
        claimed = claimed or await claim(first)  # a destination that is just being written to is passed over
        shown = ""
        while claimed:
            [delivery] = claimed
            shown = delivery.card.post.title if delivery.card else "deleted"
            claimed = await first.save_settlements([settled(delivery)], lease(), CLAIM)
        assert shown in ({"deleted", ""} if number % 2 else {"Corrected"})
    deleted = (await states(first)).get((Action.DELETE, State.SENT), 0)
    unsent = (await states(first)).get((Action.SEND, State.SKIPPED), 0)
    assert deleted + unsent == 20


async def test_feeds_are_shared_out(pair: tuple[Store, Store]) -> None:
    [mine] = await pair[0].save_subscriptions("file", [Wanted(topic="all", destination=ROOM)])
    await link(pair[0], mine, {"fake": Resolved(feeds=tuple(map(str, range(60))))}, NOON)
    claims = await asyncio.gather(*(store.claim_feeds(["fake"], lease(), 5) for store in pair * 6))
    assert max(Counter(feed.id for feeds in claims for feed in feeds).values()) == 1
    assert sum(map(len, claims)) == 60


async def test_two_relays_with_one_configuration_start_at_once(pair: tuple[Store, Store]) -> None:
    wanted = [Wanted(topic=f"#{number}", destination=ROOM) for number in range(20)]
    first, second = await asyncio.gather(*(store.save_subscriptions("file", wanted) for store in pair))
    assert first == second
    resolved = {"fake": Resolved(feeds=("a", "b"), tag="t")}
    await asyncio.gather(*(link(store, one, resolved, NOON) for store in pair for one in first))
    assert len(await pair[0].list_feeds()) == 2
    assert {subscription.tags for subscription in await pair[0].list_subscriptions()} == {(("fake", "t"),)}


async def test_rechecks_are_shared_out(pair: tuple[Store, Store]) -> None:
    events = [Published(post(number)) for number in range(60)]
    await pair[0].add_intakes([said(*events, to=(ROOM,), next_check=at(0))], lease())
    batches = await asyncio.gather(*(store.claim_rechecks("fake", lease(), 10) for store in pair * 3))
    found = [post.uri for batch in batches for post in batch]
    assert len(found) == len(set(found))
