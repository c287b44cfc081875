"""Threads are looked at again after each growth, and then no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.schedule import next_look
from relay.log import Trouble
from relay.model import Action, Post, Published
from relay.pipeline.threads import ThreadReader, ThreadRefreshLoop
from relay.pipeline.worker import Worker
from relay.ports import Gone, Refused, TryLater
from relay.records import Intake, Page, PlannedSend, Policy, Wanted
from relay.store import Store, open_store
from relay.testing import NOON, FakeSource, post
from tests.support.digest_cases import carry
from tests.support.store_cases import ROOM, at, lease

LOOKS = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
CHAIN = tuple(post(number, reply_to=post(number - 1).uri if number > 1 else "") for number in range(1, 8))


@dataclass
class World:
    """A store, a source whose threads can grow, and a clock that the test turns."""

    store: Store
    source: FakeSource = field(default_factory=FakeSource)
    minute: float = 0

    @property
    def worker(self) -> Worker:
        return Worker(
            owner="one",
            lease=timedelta(minutes=5),
            clock=lambda: at(self.minute),
            trouble=Trouble(),
            patience=timedelta(milliseconds=5),
        )

    @property
    def threads(self) -> ThreadReader:
        return ThreadReader(store=self.store, sources={"fake": self.source}, worker=self.worker)

    async def relay(self, one: Post) -> None:
        """A poll brings it, with the thread with which it goes on, and somebody wants it."""
        await self.store.save_subscriptions("a", [Wanted(topic="#bridge", destination=ROOM)])
        [here] = await self.store.list_subscriptions()
        planned_sends = (PlannedSend(uri=one.uri, by={str(ROOM): here}),)
        events = (*(await self.threads.above(one) if one.reply_to else ()), Published(one))
        intake = Intake(feed=None, events=events, planned_sends=planned_sends)
        await self.store.add_intakes([intake], lease(now=self.minute))

    async def due(self) -> datetime | None:
        return await self.store.get_next_look(["fake"])

    async def look(self) -> Sequence[Page]:
        """What the loop does when it wakes."""
        pages = await self.store.claim_looks(["fake"], self.worker.leased(), 8)
        for page in pages:
            await self.threads.look(page)
        return pages

    async def counts(self) -> list[tuple[Action, int]]:
        done = await carry(self.store, self.minute)
        return [(one.action, one.card.thread.count if one.card and one.card.thread else 1) for one in done]

    def told(self, length: int) -> None:
        """The source tells so much of the thread from now on."""
        self.source.threads = {one.uri: CHAIN[:length] for one in CHAIN[:length]}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    opened = await open_store("sqlite://", policy=Policy(looks=LOOKS, threaded=frozenset({"fake"})))
    yield World(opened)
    await opened.close()


async def test_a_thread_is_looked_at_some_times_and_then_no_more(world: World) -> None:
    world.told(1)
    await world.relay(CHAIN[0])
    for look in LOOKS:
        assert await world.due() == NOON + look
        world.minute = look.total_seconds() / 60
        assert len(await world.look()) == 1
    assert await world.due() is None


async def test_growth_begins_the_looks_anew_and_the_message_counts_it(world: World) -> None:
    world.told(1)
    await world.relay(CHAIN[0])
    assert await world.counts() == [(Action.SEND, 1)]
    world.minute = 10
    world.told(3)
    await world.look()
    assert await world.counts() == [(Action.COUNT, 3)]
    assert await world.due() == at(20)
    world.minute = 20
    await world.look()
    assert await world.counts() == []
    assert await world.due() == at(70)


async def test_a_thread_that_grows_over_three_days_is_one_message_with_the_right_count(world: World) -> None:
    """Found by looks, and after their end by the hashtag that its author used again."""
    grown = {0: 1, 3: 2, 25: 4, 26: 5, 60: 6, 71: 7}  # how long it is, by the hour
    world.told(1)
    await world.relay(CHAIN[0])
    done = await world.counts()
    for hour in range(1, 100):
        world.minute = hour * 60
        length = max(length for since, length in grown.items() if since <= hour)
        world.told(length)
        if hour in {25, 60}:
            await world.relay(CHAIN[length - 1])
        await world.look()
        done += await world.counts()
    page = await world.store.get_page_of(CHAIN[0].uri)
    assert page
    assert page.posts == CHAIN[:6]  # what came eleven hours after the sixth was too late, and had no hashtag
    assert done == [(Action.SEND, 1), (Action.COUNT, 2), (Action.COUNT, 4), (Action.COUNT, 5), (Action.COUNT, 6)]
    assert await world.due() is None


async def test_a_source_that_does_not_answer_is_asked_later(world: World) -> None:
    await world.relay(CHAIN[0])
    world.source.threads = {}
    world.minute = 10
    world.source.trouble = TryLater("busy", timedelta(minutes=30))
    await world.look()
    assert await world.due() == at(40)


async def test_a_reader_s_look_in_vain_begins_no_looks_where_none_are_due_any_more(world: World) -> None:
    """A page may be read for years after its server went."""
    await world.relay(CHAIN[0])
    await world.store.save_look(CHAIN[0].uri, None)
    page = await world.store.get_page_of(CHAIN[0].uri)
    assert page
    world.source.trouble = TryLater("no answer", None)
    await world.threads.look(page)
    assert await world.due() is None


@pytest.mark.parametrize("answer", [Gone("it is gone"), Refused("no such thing")])
async def test_what_is_gone_is_not_asked_for_again(world: World, answer: Gone | Refused) -> None:
    await world.relay(CHAIN[0])
    world.minute = 10
    world.source.trouble = answer
    await world.look()
    assert await world.due() is None


async def test_a_thread_that_joined_another_is_looked_at_as_that_one(world: World) -> None:
    await world.relay(CHAIN[1])
    await world.relay(CHAIN[0])
    world.told(2)
    world.minute = 10
    [page] = await world.look()
    assert page.root == CHAIN[0].uri


async def test_what_a_crashed_relay_was_looking_at_is_looked_at_again(world: World) -> None:
    await world.relay(CHAIN[0])
    world.minute = 10
    assert len(await world.store.claim_looks(["fake"], world.worker.leased(), 8)) == 1
    assert await world.store.claim_looks(["fake"], world.worker.leased(), 8) == []
    world.minute = 16
    assert len(await world.store.claim_looks(["fake"], world.worker.leased(), 8)) == 1


async def test_the_loop_looks_when_it_is_time(world: World) -> None:
    world.told(4)
    await world.relay(CHAIN[0])
    await world.counts()
    world.minute = 10
    loop = ThreadRefreshLoop(
        store=world.store,
        sources={"fake": world.source},
        threads=world.threads,
        worker=world.worker,
        pause=timedelta(0),
        idle=timedelta(milliseconds=5),
    )
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(10):
        while await world.due() != at(20):
            await asyncio.sleep(0.005)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await world.counts() == [(Action.COUNT, 4)]


@given(
    looks=st.lists(st.integers(1, 10_000), max_size=6, unique=True).map(sorted),
    waits=st.lists(st.integers(0, 4_000), max_size=30),
)
def test_looks_come_to_an_end(looks: list[int], waits: list[int]) -> None:
    steps = [timedelta(minutes=one) for one in looks]
    then, count, now = next_look(NOON, NOON, steps), 0, NOON
    for wait in (*waits, *([0] * 7)):
        if then is None:
            break
        assert then > now
        now = then + timedelta(minutes=wait)
        count += 1
        then = next_look(NOON, now, steps)
    assert count <= len(looks)
    assert then is None


async def test_who_cannot_be_asked_for_threads_is_not_looked_at(world: World) -> None:
    """Their posts come with others in one write."""
    await world.store.save_subscriptions("a", [Wanted(topic="#bridge", destination=ROOM)])
    [here] = await world.store.list_subscriptions()
    item = post(50, source="rss")
    intakes = [
        Intake(feed=None, events=(Published(one),), planned_sends=(PlannedSend(uri=one.uri, by={str(ROOM): here}),))
        for one in (CHAIN[0], item)
    ]
    await world.store.add_intakes(intakes, lease())
    assert await world.store.get_next_look(["rss"]) is None
    assert await world.due() == NOON + LOOKS[0]
