"""The outbox never sleeps while a delivery is due and a hand is free: here it looks by itself once an hour."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.log import Trouble
from relay.model import Delivery, Destination, MessageId, Published, Subscription, SubscriptionId
from relay.pipeline.outbox import Outbox, patience
from relay.pipeline.worker import Worker
from relay.ports import Adapter, Outcome, Sent
from relay.records import Claim, Intake, PlannedSend, Settlement, State, Taken
from relay.store import Store, open_store
from relay.testing import FakeAdapter, post


def worker(owner: str = "one", lease: timedelta = timedelta(hours=2)) -> Worker:
    return Worker(owner=owner, lease=lease, clock=lambda: datetime.now(UTC), trouble=Trouble())


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite://")
    yield opened
    await opened.close()


def intake(numbers: Sequence[int], to: Sequence[str]) -> Intake:
    posts = [post(number) for number in numbers]
    by = {name: Subscription(id=SubscriptionId(0), topic="why", destination=Destination.parse(name)) for name in to}
    return Intake(
        feed=None,
        events=tuple(Published(one) for one in posts),
        planned_sends=tuple(PlannedSend(uri=one.uri, by=by) for one in posts),
    )


def rooms(count: int, adapter: str = "fake") -> list[str]:
    return [f"{adapter}:{number}" for number in range(count)]


@dataclass
class Instant(FakeAdapter):
    """Answers without awaiting anything, as what writes to a terminal or a queue does."""

    order: list[tuple[str, str]] = field(default_factory=list)

    async def deliver(self, delivery: Delivery) -> Outcome:
        self.order.append((str(delivery.destination), delivery.uri))
        return self.answers.pop(0) if self.answers else Sent((MessageId("1"),))


class Counted:
    """An outbox whose settlements are counted, so that a test can wait for so many."""

    def __init__(self, store: Store, *adapters: Adapter, concurrency: int = 4, on_unknown: str = "resend") -> None:
        self.states: list[State] = []
        self._changed = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()
        self.outbox = Outbox(
            store=store,
            adapters={adapter.name: adapter for adapter in adapters},
            worker=worker(),
            idle=timedelta(hours=1),
            timeout=timedelta(hours=1),
            concurrency=concurrency,
            on_unknown="skip" if on_unknown == "skip" else "resend",
            settled=self._settled,
        )

    def _settled(self, _delivery: Delivery, settlement: Settlement, _now: datetime) -> None:
        self.states.append(settlement.state)
        telling = asyncio.create_task(self._tell())
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def wait_for(self, count: int, state: State = State.SENT) -> None:
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self.states.count(state) >= count)


@asynccontextmanager
async def running(counted: Counted) -> AsyncIterator[Outbox]:
    loop = asyncio.create_task(counted.outbox.run())
    try:
        yield counted.outbox
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await counted.outbox.stop(timedelta(seconds=1))


def in_order(order: Sequence[tuple[str, str]], to: Sequence[str], posts: int) -> bool:
    wanted = [post(number).uri for number in range(posts)]
    return all([uri for where, uri in order if where == name] == wanted for name in to)


@pytest.mark.parametrize(("destinations", "hands"), [(50, 4), (5, 32), (1, 1), (8, 8)])
async def test_who_answers_at_once_is_given_the_next_at_once(store: Store, destinations: int, hands: int) -> None:
    to = rooms(destinations)
    await store.add_intakes([intake(range(4), to)], worker().leased())
    adapter = Instant()
    counted = Counted(store, adapter, concurrency=hands)
    async with running(counted):
        await counted.wait_for(4 * destinations)
    assert in_order(adapter.order, to, 4)


async def test_destinations_have_turns(store: Store) -> None:
    """With fewer hands than destinations nobody is served a third time before all were served once."""
    to = rooms(20)
    await store.add_intakes([intake(range(5), to)], worker().leased())
    adapter = Instant()
    counted = Counted(store, adapter, concurrency=4)
    async with running(counted):
        await counted.wait_for(100)
    names = [name for name, _ in adapter.order]
    third = min(at for at, name in enumerate(names) if names[:at].count(name) == 2)
    assert set(names[:third]) == set(to)


async def test_what_is_skipped_makes_room_at_once(store: Store) -> None:
    """A skipped delivery is settled without an attempt, in the step in which it was claimed."""
    to = rooms(40)
    await store.add_intakes([intake(range(2), to)], worker().leased())
    await store.claim_deliveries(Claim(adapters=("fake",), limit=40), worker("dead", timedelta(0)).leased())
    adapter = Instant()
    counted = Counted(store, adapter, on_unknown="skip")
    async with running(counted):
        await counted.wait_for(40, State.SKIPPED)
        await counted.wait_for(40)
    assert {uri for _, uri in adapter.order} == {post(1).uri}


async def test_a_slow_destination_holds_one_hand_alone(store: Store) -> None:
    slow, quick = FakeAdapter(name="slow", hold=asyncio.Event()), Instant(name="quick")
    to = rooms(30, "quick")
    await store.add_intakes([intake(range(3), ["slow:a", *to])], worker().leased())
    counted = Counted(store, slow, quick, concurrency=2)
    async with running(counted):
        await counted.wait_for(90)
        assert slow.hold
        slow.hold.set()
        await counted.wait_for(93)
    assert in_order(quick.order, to, 3)


async def test_a_hand_that_gets_free_while_all_others_are_busy_is_used(store: Store) -> None:
    slow, other = FakeAdapter(name="slow", hold=asyncio.Event()), FakeAdapter(name="other", hold=asyncio.Event())
    await store.add_intakes([intake(range(2), [*rooms(3, "slow"), "other:a"])], worker().leased())
    counted = Counted(store, slow, other, concurrency=4)
    async with running(counted) as outbox:
        while outbox.claim() is not None:
            await asyncio.sleep(0)
        quick = rooms(10, "other")
        outbox.take(await store.add_intakes([intake([7], quick)], worker().leased(), outbox.claim()))
        assert other.hold
        other.hold.set()
        await counted.wait_for(12)
        assert slow.hold
        slow.hold.set()
        await counted.wait_for(18)


async def test_what_a_pace_holds_back_comes_when_it_is_due(store: Store) -> None:
    """Whether its destination had something to do when the pause was asked for, or was given it later."""
    wait = timedelta(milliseconds=20)
    adapter = Instant(answers=[Sent((MessageId("1"),), wait=wait), Sent((MessageId("2"),), wait=wait)])
    await store.add_intakes([intake(range(2), ["fake:a"])], worker().leased())
    counted = Counted(store, adapter)
    async with running(counted) as outbox:
        await counted.wait_for(2)
        while await store.get_next_due(("fake",)):
            await asyncio.sleep(0)
        taken = await store.add_intakes([intake([2], ["fake:a"])], worker().leased(), outbox.claim())
        outbox.take(taken)
        await counted.wait_for(3)
    assert in_order(adapter.order, ["fake:a"], 3)


async def test_what_falls_due_while_its_settlement_is_written_is_not_forgotten(store: Store) -> None:
    """The loop has looked before, and sleeps until the lease lapses."""
    looked = asyncio.Event()

    class Slow(Shuffled):
        async def get_next_due(self, adapters: Sequence[str]) -> datetime | None:
            looked.set()
            return await self._store.get_next_due(adapters)

        async def save_settlements(self, settlements: Sequence[Settlement], *more: Any) -> Sequence[Delivery]:
            answer = await self._store.save_settlements(settlements, *more)
            while datetime.now(UTC) <= max(each.due for each in settlements):
                await asyncio.sleep(0)
            return answer

    adapter = FakeAdapter(hold=looked, answers=[Sent((MessageId("1"),), wait=timedelta(milliseconds=20))])
    await store.add_intakes([intake(range(2), ["fake:a"])], worker().leased())
    counted = Counted(Slow(store, 0), adapter)  # type: ignore[arg-type]  # a store, but for when it answers
    async with running(counted):
        await counted.wait_for(2)
    assert [each.uri for each in adapter.delivered] == [post(0).uri, post(1).uri]


async def test_a_bug_frees_its_hand(store: Store) -> None:
    """What ended in a bug waits for the end of its lease; others do not."""

    class Odd(Instant):
        async def deliver(self, delivery: Delivery) -> Outcome:
            return None  # type: ignore[return-value]  # a third party's mistake

    await store.add_intakes([intake([1], ["odd:a", "quick:a"])], worker().leased())
    counted = Counted(store, Odd(name="odd"), Instant(name="quick"), concurrency=1)
    async with running(counted):
        await counted.wait_for(1)


class Shuffled:
    """A store whose answers come back some steps of the loop later, as another thread's do, in whatever order."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self._random = random.Random(seed)

    def __getattr__(self, name: str) -> object:
        method = getattr(self._store, name)

        async def call(*args: object) -> object:
            await self.pause()
            answer = await method(*args)
            await self.pause()
            return answer

        return call

    async def pause(self) -> None:
        for _ in range(self._random.choice([0, 0, 1, 3, 20])):
            await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(12))
async def test_nothing_due_waits_whatever_lands_and_is_written_in_which_order(store: Store, seed: int) -> None:
    """Deliveries land at different steps while intakes are written that may and may not claim."""
    shuffled = Shuffled(store, seed)

    class Uneven(Instant):
        async def deliver(self, delivery: Delivery) -> Outcome:
            await shuffled.pause()
            return await super().deliver(delivery)

    adapter = Uneven()
    to = rooms(7)
    counted = Counted(shuffled, adapter, concurrency=3)  # type: ignore[arg-type]  # a store, but for the order of its answers
    async with running(counted) as outbox:
        for number in range(10):
            taken: Taken = await shuffled.add_intakes([intake([number], to)], worker().leased(), outbox.claim())  # type: ignore[operator]  # as above
            outbox.take(taken)
            await shuffled.pause()
        await counted.wait_for(70)
    assert in_order(adapter.order, to, 10)


async def test_who_is_woken_finds_what_nobody_told_of(store: Store) -> None:
    adapter = Instant()
    await store.add_intakes([intake([1], ["fake:a"])], worker().leased())
    counted = Counted(store, adapter)
    async with running(counted) as outbox:
        await counted.wait_for(1)
        await store.add_intakes([intake([2], ["fake:a"])], worker().leased())
        outbox.wake()
        await counted.wait_for(2)


async def test_two_who_claim_for_the_same_free_hands_have_no_more_of_them(store: Store) -> None:
    """An intake and a settlement are written side by side, where the database lets them."""

    @dataclass
    class Counting(FakeAdapter):
        busy: int = 0
        most: int = 0

        async def deliver(self, delivery: Delivery) -> Outcome:
            self.busy += 1
            self.most = max(self.most, self.busy)
            outcome = await super().deliver(delivery)
            self.busy -= 1
            return outcome

    adapter = Counting(hold=asyncio.Event())
    counted = Counted(store, adapter, concurrency=2)
    outbox = counted.outbox
    first, second = outbox.claim(), outbox.claim()
    to = rooms(4)
    outbox.take(await store.add_intakes([intake([1], to[:2])], worker().leased(), first))
    outbox.take(await store.add_intakes([intake([2], to[2:])], worker().leased(), second))
    async with running(counted):
        assert adapter.hold
        while adapter.busy < 2:
            await asyncio.sleep(0)
        adapter.hold.set()
        await counted.wait_for(4)
    assert adapter.most == 2


@pytest.mark.parametrize(
    ("takes", "under_way", "gathered", "seconds"),
    [
        (0.2, 1, 1, 0),  # a post alone
        (0.2, 15, 1, 0),
        (0.2, 16, 1, 0.02),
        (0.2, 32, 3, 0.02),
        (0.2, 32, 4, 0),
        (0.05, 32, 1, 0.005),
        (10, 32, 1, 0.025),  # not for long, however slow a platform is
        (0.001, 32, 1, 0),  # an adapter that answers at once
    ],
)
def test_outcomes_wait_for_others_only_while_many_wait_for_a_slow_platform(
    takes: float, under_way: int, gathered: int, seconds: float
) -> None:
    assert patience(takes, under_way, gathered) == pytest.approx(seconds)
