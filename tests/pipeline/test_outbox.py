"""The loop that delivers: order, retries, pauses, no starvation, and stopping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relay.model import (
    Action,
    Deleted,
    Delivery,
    Destination,
    Edited,
    MessageId,
    Published,
)
from relay.pipeline.outbox import Outbox
from relay.ports import Gone, Limits, Moved, Outcome, Refused, Sent, TryLater, Unknown
from relay.records import Claim, Intake, Lease, State, StoreError, Taken
from relay.store import Store, open_store
from relay.testing import FakeAdapter, post, text
from tests.support.outbox_cases import planned, running, until, want, worker


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite://")
    yield opened
    await opened.close()


async def test_posts_arrive_in_their_order_and_the_page_is_linked(store: Store) -> None:
    adapter = FakeAdapter()
    await want(store, range(20), "fake:a")
    async with running(store, adapter, address=lambda _adapter, path: f"https://relay.example/{path}"):
        await adapter.wait_for(20)
        await until(store, sent=20)
    assert [d.uri for d in adapter.delivered] == [post(number).uri for number in range(20)]
    assert all(d.card and d.card.unroll.startswith("https://relay.example/t/") for d in adapter.delivered)


@pytest.mark.parametrize("threads", [True, False])
async def test_who_can_show_a_whole_thread_is_given_it(store: Store, threads: bool) -> None:
    chain = (post(1), post(2, reply_to=post(1).uri), post(3, reply_to=post(2).uri, unlisted=True))
    events = tuple(map(Published, chain))
    await store.add_intakes(
        [Intake(feed=None, events=events, planned_sends=(planned(chain[0], "fake:a"),))], worker().leased()
    )
    adapter = FakeAdapter(limits=Limits(threads=threads))
    async with running(store, adapter):
        (arrived,) = await adapter.wait_for(1)
    assert arrived.card
    assert arrived.card.posts == (chain[:2] if threads else ())


async def test_a_thread_that_is_too_long_for_a_message_is_not_read_for_one(store: Store) -> None:
    """Its page has all of it; reading ten thousand posts for one message would hold up all others."""
    chain = [post(1), *(post(number, reply_to=post(number - 1).uri) for number in range(2, 203))]
    events = tuple(map(Published, chain))
    await store.add_intakes(
        [Intake(feed=None, events=events, planned_sends=(planned(chain[0], "fake:a"),))], worker().leased()
    )
    read: list[str] = []

    class Watched:
        def __getattr__(self, name: str) -> object:
            read.append(name)
            return getattr(store, name)

    adapter = FakeAdapter(limits=Limits(threads=True))
    async with running(Watched(), adapter):  # type: ignore[arg-type]  # a store that remembers what was asked of it
        (arrived,) = await adapter.wait_for(1)
    assert arrived.card
    assert arrived.card.thread
    assert (arrived.card.thread.count, arrived.card.posts) == (202, ())
    assert "get_page" not in read


async def test_an_author_who_refuses_gets_no_page(store: Store) -> None:
    shy = post(1, author=replace(post(1).author, refuses=True))
    await store.add_intakes(
        [Intake(feed=None, events=(Published(shy),), planned_sends=(planned(shy, "fake:a"),))], worker().leased()
    )
    adapter = FakeAdapter()
    async with running(store, adapter, address=lambda _adapter, path: path):
        (arrived,) = await adapter.wait_for(1)
    assert arrived.card
    assert arrived.card.unroll == ""


async def test_a_failing_destination_keeps_its_order_and_delays_nobody(store: Store) -> None:
    slow = FakeAdapter(name="slow", hold=asyncio.Event())
    quick = FakeAdapter(name="quick")
    await want(store, range(10), "slow:a", "quick:a")
    async with running(store, slow, quick):
        await quick.wait_for(10)
        assert slow.delivered == []
        assert slow.hold
        slow.hold.set()
        await slow.wait_for(10)
    assert [d.uri for d in slow.delivered] == [post(number).uri for number in range(10)]


async def test_one_delivery_is_in_flight_per_destination(store: Store) -> None:
    adapter = FakeAdapter(hold=asyncio.Event())
    await want(store, range(5), "fake:a", "fake:b")
    async with running(store, adapter) as outbox:
        while len(outbox._flights) < 2:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        assert len(outbox._flights) == 2
        assert adapter.hold
        adapter.hold.set()
        await adapter.wait_for(10)


async def test_a_delivery_that_must_wait_is_tried_again_with_the_same_id(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.core.schedule.backoff", lambda *_args, **_more: timedelta(seconds=0.01))  # ours
    adapter = FakeAdapter(answers=[TryLater("busy"), Unknown("time-out")])
    await want(store, [1, 2], "fake:a")
    async with running(store, adapter):
        await adapter.wait_for(4)
        await until(store, sent=2)
    first, second, third, fourth = adapter.delivered
    assert first.id == second.id == third.id != fourth.id
    assert [d.attempts for d in adapter.delivered] == [0, 1, 2, 0]


async def test_a_platform_that_asks_for_a_pause_after_a_message_holds_back_that_destination_alone(store: Store) -> None:
    """Its pace is kept by the store, so no hand of the outbox is held."""
    adapter = FakeAdapter(answers=[Sent((MessageId("1"),), wait=timedelta(hours=1))])
    await want(store, [1, 2], "fake:a")
    async with running(store, adapter, concurrency=1):
        await adapter.wait_for(1)
        await until(store, sent=1, due=1)
        await want(store, [3, 4], "fake:b")
        await until(store, sent=3, due=1)
        due = await store.get_next_due(("fake",))
    assert [str(d.destination) for d in adapter.delivered] == ["fake:a", "fake:b", "fake:b"]
    assert due is not None
    assert timedelta(minutes=59) < due - datetime.now(UTC) <= timedelta(hours=1)


async def test_a_refused_delivery_ends_with_its_reason_and_the_next_goes_on(store: Store) -> None:
    adapter = FakeAdapter(answers=[Refused("too odd")])
    await want(store, [1, 2], "fake:a")
    async with running(store, adapter):
        await adapter.wait_for(2)
        await until(store, failed=1, sent=1)


async def test_a_destination_that_is_gone_is_paused_and_loses_nothing(store: Store) -> None:
    adapter = FakeAdapter(answers=[Gone("no such room")])
    await want(store, [1, 2], "fake:a")
    async with running(store, adapter):
        await adapter.wait_for(1)
        await until(store, due=2)
        (state,) = await store.list_destinations()
        assert (state.paused, state.waiting) == ("no such room", 2)
        await store.save_destination(state.destination, "", datetime.now(UTC))
        await adapter.wait_for(3)
        await until(store, sent=2)


async def test_an_adapter_that_never_answers_is_given_up_and_asked_again(store: Store) -> None:
    adapter = FakeAdapter(hold=asyncio.Event())
    await want(store, [1], "fake:a")
    async with running(store, adapter, timeout=timedelta(milliseconds=30)):
        async with asyncio.timeout(10):
            while (await store.get_counts()).deliveries.get((Action.SEND, State.DUE)) != 1:
                await asyncio.sleep(0.005)


async def test_an_adapters_bug_is_no_loss(store: Store) -> None:
    class Buggy(FakeAdapter):
        async def deliver(self, delivery: Delivery) -> Outcome:
            raise RuntimeError("oh")

    await want(store, [1], "fake:a")
    async with running(store, Buggy()):
        await until(store, due=1)


async def test_edits_and_deletions_follow_what_was_sent(store: Store) -> None:
    adapter = FakeAdapter()
    await want(store, [1], "fake:a", "fake:b")
    async with running(store, adapter):
        await until(store, sent=2)
        await store.add_intakes([Intake(feed=None, events=(Edited(post(1, body=text("better"))),))], worker().leased())
        await until(store, sent=4)
        await store.add_intakes([Intake(feed=None, events=(Deleted(post(1).uri),))], worker().leased())
        await until(store, sent=6)
    assert [d.action for d in adapter.delivered] == [Action.SEND] * 2 + [Action.EDIT] * 2 + [Action.DELETE] * 2
    sent = {str(d.destination): f"fake-{number}" for number, d in enumerate(adapter.delivered[:2], 1)}
    assert all(d.messages == (sent[str(d.destination)],) for d in adapter.delivered[2:])


async def test_what_was_interrupted_is_sent_again_under_its_id(store: Store) -> None:
    """A claim whose lease lapsed belongs to a process that died in mid-air."""
    await want(store, [1], "fake:a")
    dead = worker("dead", timedelta(0))
    (lost,) = await store.claim_deliveries(Claim(adapters=("fake",), limit=1), dead.leased())
    adapter = FakeAdapter()
    async with running(store, adapter):
        (found,) = await adapter.wait_for(1)
    assert (found.id, found.interrupted, found.attempts) == (lost.id, True, 1)


async def test_what_was_interrupted_is_not_sent_again_when_the_policy_says_so(store: Store) -> None:
    await want(store, [1, 2], "fake:a")
    await store.claim_deliveries(Claim(adapters=("fake",), limit=1), worker("dead", timedelta(0)).leased())
    adapter = FakeAdapter()
    async with running(store, adapter, on_unknown="skip") as outbox:
        (found,) = await adapter.wait_for(1)
        await until(store, skipped=1, sent=1)
    assert found.uri == post(2).uri
    assert (outbox.unknown, (await store.get_counts()).unknown) == (1, 1)


async def test_an_adapter_may_have_a_policy_of_its_own_for_the_unknown(store: Store) -> None:
    timid = FakeAdapter(name="timid", limits=Limits(on_unknown="skip"), answers=[Unknown("time-out")])
    await want(store, [1, 2], "timid:a")
    async with running(store, timid) as outbox:
        await until(store, skipped=1, sent=1)
    assert (outbox.unknown, (await store.get_counts()).unknown) == (1, 1)


async def test_a_place_that_has_moved_is_served_at_its_new_address_and_told_of_once(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = FakeAdapter(answers=[Moved(Destination("fake", "b"))])
    await want(store, [1, 2], "fake:a")
    async with running(store, adapter):
        await adapter.wait_for(3)
        await until(store, sent=2)
    assert [(str(d.destination), d.uri) for d in adapter.delivered] == [
        ("fake:a", post(1).uri),
        ("fake:b", post(1).uri),
        ("fake:b", post(2).uri),
    ]
    told = capsys.readouterr()
    assert (told.out + told.err).count("another address") == 1


async def test_a_store_that_does_not_answer_loses_no_outcome(store: Store) -> None:
    """The message is out; its outcome must be written as soon as the store takes it, or it would be sent twice."""

    class Moody:
        refusals = 20  # for much longer than the lease

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        async def save_settlements(self, *args: object) -> object:
            if self.refusals:
                self.refusals -= 1
                raise StoreError("the disk is full")
            return await store.save_settlements(*args)  # type: ignore[arg-type]  # handed through

    adapter = FakeAdapter()
    await want(store, [1, 2], "fake:a")
    brief = worker(lease=timedelta(milliseconds=50))
    async with running(Moody(), adapter, worker=brief, timeout=timedelta(milliseconds=40)):  # type: ignore[arg-type]  # a store but for one method
        await until(store, sent=2)
    assert len(adapter.delivered) == 2


async def test_an_outcome_that_no_database_keeps_keeps_back_no_other_one(store_url: str) -> None:
    """A platform's own words are quoted, and JSON may hold half a character; what was sent would be sent again."""
    half, null = "\ud83d is no emoji", "\0 is no character"
    answers: list[Outcome] = [Refused(half), Sent((MessageId("1"),)), Gone(null), Sent((MessageId(half),))]
    adapter, store = FakeAdapter(answers=answers), await open_store(store_url)
    await want(store, [1], *(f"fake:{number}" for number in range(4)))
    async with running(store, adapter):
        await until(store, failed=1, sent=2, due=1)
    assert len(adapter.delivered) == 4
    assert [str(one.destination) for one in await store.list_destinations() if one.paused] == ["fake:2"]
    await store.close()


class Slow(FakeAdapter):
    async def deliver(self, delivery: Delivery) -> Outcome:
        await asyncio.sleep(0.1)
        return await super().deliver(delivery)


async def test_an_attempt_is_not_begun_in_the_last_moments_of_its_lease(store: Store) -> None:
    """It would be cut short, nobody would know what came of it, and here the policy is to drop that."""
    adapter = Slow(limits=Limits(on_unknown="skip"))
    await want(store, [1], "fake:a")
    claimed = await store.claim_deliveries(Claim(adapters=("fake",), limit=1), worker().leased())
    async with running(store, adapter) as outbox:
        outbox.take(Taken(deliveries=tuple(claimed), until=datetime.now(UTC) + timedelta(milliseconds=50)))
        await until(store, sent=1)


async def test_what_the_last_write_begins_has_the_grace_as_well(store: Store) -> None:
    class Writing:
        def __init__(self) -> None:
            self.begun, self.go_on = asyncio.Event(), asyncio.Event()

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        async def save_settlements(self, *args: object) -> object:
            self.begun.set()
            await self.go_on.wait()
            return await store.save_settlements(*args)  # type: ignore[arg-type]  # handed through

    adapter, writing = Slow(), Writing()
    await want(store, [1], "fake:a", "fake:b")
    async with running(writing, adapter, concurrency=1) as outbox:  # type: ignore[arg-type]  # a store but for one method
        await writing.begun.wait()
        stopping = asyncio.create_task(outbox.stop(timedelta(seconds=10)))
        await asyncio.sleep(0)
        writing.go_on.set()
        await stopping
    assert (await store.get_counts()).deliveries == {(Action.SEND, State.SENT): 2}


async def test_what_is_being_claimed_as_the_relay_stops_is_begun(store: Store) -> None:
    """Or it would count as interrupted, which is dropped where the policy is not to send twice."""

    class Claiming:
        begun, go_on = asyncio.Event(), asyncio.Event()

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        async def claim_deliveries(self, claim: Claim, lease: Lease) -> object:
            claimed = await store.claim_deliveries(claim, lease)  # written; the answer is on its way
            self.begun.set()
            await self.go_on.wait()
            return claimed

    adapter, claiming = FakeAdapter(), Claiming()
    await want(store, [1], "fake:a")
    async with running(claiming, adapter):  # type: ignore[arg-type]  # a store but for one method
        await claiming.begun.wait()
        asyncio.get_running_loop().call_later(0.05, claiming.go_on.set)
    assert (await store.get_counts()).deliveries == {(Action.SEND, State.SENT): 1}


async def test_stopping_lets_land_what_is_in_flight_and_leaves_the_rest(store: Store) -> None:
    landing, stuck = FakeAdapter(name="landing", hold=asyncio.Event()), FakeAdapter(name="stuck", hold=asyncio.Event())
    await want(store, [1, 2], "landing:a", "stuck:a")
    async with running(store, landing, stuck) as outbox:
        while len(outbox._flights) < 2:
            await asyncio.sleep(0.005)
        assert landing.hold
        landing.hold.set()
        await outbox.stop(timedelta(milliseconds=100))
    counts = (await store.get_counts()).deliveries
    assert counts == {(Action.SEND, State.SENT): 1, (Action.SEND, State.SENDING): 1, (Action.SEND, State.DUE): 2}


def test_an_attempt_must_end_before_its_lease_lapses() -> None:
    with pytest.raises(ValueError, match=r"outbox\.timeout"):
        Outbox(store=None, adapters={}, worker=worker(lease=timedelta(seconds=5)))  # type: ignore[arg-type]  # unused


def test_limits_are_declared() -> None:
    assert FakeAdapter().limits == Limits()
