"""The loops that read: seeding, cursors, failures, rechecks, bugs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.core.match import Index
from relay.model import Deleted, Destination, Edited, Event, Feed, FeedId, Published
from relay.pipeline.ingest import HANGING, Ingest, intake_of
from relay.pipeline.subscriptions import Subscriptions
from relay.ports import Batch, Gone, Refused, Resolved, TryLater
from relay.records import FeedState, Intake, StoreError, Taken, Wanted
from relay.store import Store, open_store
from relay.testing import NOON, FakeSource, text
from tests.support.ingest_cases import relayed, tagged
from tests.support.outbox_cases import worker


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite://")
    yield opened
    await opened.close()


FEED = Feed(id=FeedId(1), source="fake", address="#bridge", cursor="7", seeded=True, failures=2)


def batch(*events: Event, cursor: str | None = None, more: bool = False) -> Batch:
    return Batch(events=events, cursor=cursor, more=more)


@asynccontextmanager
async def reading(store: Store, source: FakeSource, *topics: str, **chosen: Any) -> AsyncIterator[Ingest]:
    idle = timedelta(milliseconds=20)
    ingest = Ingest(store=store, sources={"fake": source}, worker=worker(), idle=idle, **chosen)
    subscriptions = Subscriptions(
        store=store, sources={"fake": source}, worker=worker(), origin="test", changed=ingest.refresh
    )
    await subscriptions.run([Wanted(topic=topic, destination=Destination.parse("fake:a")) for topic in topics])
    loop = asyncio.create_task(ingest.run())
    try:
        yield ingest
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await ingest.stop()


async def test_the_first_poll_marks_and_relays_nothing_then_each_post_once(store: Store) -> None:
    source = FakeSource(
        answers={
            "#bridge": [
                batch(Published(tagged(1)), Published(tagged(2)), cursor="2"),
                batch(Published(tagged(2)), Published(tagged(3)), cursor="3"),
                TryLater("busy"),
                batch(Published(tagged(3)), Published(tagged(4)), cursor="4"),
            ]
        }
    )
    source.answers["#bridge"].pop(2)
    async with reading(store, source, "#bridge"):
        found = await relayed(store, 3)
    # post 2 was seeded: the source said it again as new, and only the source knows better
    assert found == [tagged(2).uri, tagged(3).uri, tagged(4).uri]
    assert [feed.cursor for feed in source.polls[:3]] == ["", "2", "3"]
    assert [feed.seeded for feed in source.polls[:3]] == [False, True, True]


async def test_a_restart_knows_who_wants_what_before_it_reads(store: Store) -> None:
    """The subscriptions are in the store; a poll that came before they were read would lose its posts."""
    async with reading(store, FakeSource(answers={"#bridge": [batch()]}), "#bridge"):
        while not all(state.feed.seeded for state in await store.list_feeds()):
            await asyncio.sleep(0.005)
    source = FakeSource(answers={"#bridge": [batch(Published(tagged(1)))]})
    restarted = Ingest(store=store, sources={"fake": source}, worker=worker(), idle=timedelta(milliseconds=20))
    loop = asyncio.create_task(restarted.run())
    assert await relayed(store, 1) == [tagged(1).uri]
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    await restarted.stop()


async def test_an_empty_first_poll_seeds_too(store: Store) -> None:
    """The first item of a feed that was empty is news."""
    source = FakeSource(answers={"#bridge": [batch(), batch(Published(tagged(1)))]})
    async with reading(store, source, "#bridge"):
        assert await relayed(store, 1) == [tagged(1).uri]


async def test_a_source_that_has_more_is_asked_again_at_once(store: Store) -> None:
    source = FakeSource(
        interval=timedelta(hours=1),
        answers={"#bridge": [batch(more=True), batch(Published(tagged(1)), more=True), batch(Published(tagged(2)))]},
    )
    async with reading(store, source, "#bridge"):
        assert await relayed(store, 2) == [tagged(1).uri, tagged(2).uri]


async def test_a_sources_bug_is_told_and_the_feed_is_read_again(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    class Buggy(FakeSource):
        async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
            if len(self.polls) == 1:
                self.polls.append(feed)
                raise RuntimeError("oh")
            return await super().poll(feed)

    source = Buggy(answers={"#bridge": [batch(), batch(Published(tagged(1)))]})
    async with reading(store, source, "#bridge"):
        assert await relayed(store, 1) == [tagged(1).uri]


async def test_edits_and_deletions_are_found_by_the_sweep(store: Store) -> None:
    source = FakeSource(
        answers={"#bridge": [batch(), batch(Published(tagged(1)), Published(tagged(2)))]},
    )
    async with reading(store, source, "#bridge"):
        await relayed(store, 2)
        source.rechecks.append(batch(Edited(tagged(1, body=text("better"))), Deleted(tagged(2).uri)))
        assert await relayed(store, 4) == [tagged(1).uri, tagged(2).uri]


async def state_of(store: Store, address: str) -> FeedState:
    [state] = [one for one in await store.list_feeds() if one.feed.address == address]
    return state


async def test_a_poison_answer_does_not_hold_up_the_others(store: Store) -> None:
    """Whatever upstream manages to slip in, the process goes on and says which feed it was."""

    class Picky:
        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        async def add_intakes(self, intakes: Sequence[Intake], *args: object) -> Taken:
            if any(event.post.title == "poison" for i in intakes for event in i.events if isinstance(event, Published)):
                raise ValueError("cannot be stored")
            return await store.add_intakes(intakes, *args)  # type: ignore[arg-type]  # handed through

    source = FakeSource(
        answers={
            "#bad": [batch(), batch(Published(tagged(1, title="poison")))],
            "#bridge": [batch(), batch(Published(tagged(2)))],
        }
    )
    async with reading(Picky(), source, "#bad", "#bridge"):  # type: ignore[arg-type]  # a store but for one method
        assert await relayed(store, 1) == [tagged(2).uri]
        async with asyncio.timeout(10):
            while "could not be stored" not in (bad := await state_of(store, "#bad")).note:
                await asyncio.sleep(0.005)
    assert bad.feed.seeded  # or the next good answer would be taken for the first, and sent to nobody
    assert bad.next_poll is not None
    assert bad.next_poll - datetime.now(UTC) < timedelta(minutes=1)  # it may have been the moment, not the answer


async def test_a_full_disk_loses_nothing(store: Store) -> None:
    class Full:
        refusals = 3

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        async def add_intakes(self, *args: object) -> Taken:
            if self.refusals:
                self.refusals -= 1
                raise StoreError("the disk is full")
            return await store.add_intakes(*args)  # type: ignore[arg-type]  # handed through

    source = FakeSource(answers={"#bridge": [batch(), batch(Published(tagged(1)))]})
    async with reading(Full(), source, "#bridge"):  # type: ignore[arg-type]  # a store but for one method
        assert await relayed(store, 1) == [tagged(1).uri]


def test_a_failed_poll_moves_nothing() -> None:
    answer = intake_of(FEED, FakeSource(), TryLater("down", timedelta(hours=2)), Index(()), NOON, 0.0)
    assert (answer.cursor, answer.failures, answer.note) == (None, 3, "down")
    assert answer.next_poll
    assert answer.next_poll >= NOON + timedelta(hours=2)


def test_a_feed_that_is_gone_stops_with_its_reason() -> None:
    assert intake_of(FEED, FakeSource(), Gone("410"), Index(()), NOON, 0.0).stopped == "410"


def test_a_failure_before_the_first_poll_does_not_seed() -> None:
    fresh = Feed(id=FeedId(1), source="fake", address="x")
    assert not intake_of(fresh, FakeSource(), TryLater("down"), Index(()), NOON, 0.0).seeded
    assert intake_of(fresh, FakeSource(), Batch(), Index(()), NOON, 0.0).seeded


class Hanging(FakeSource):
    """Answers nothing, ever, and has more feeds than there are hands."""

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        return Resolved(feeds=tuple(f"hanging:{number}" for number in range(200))) if topic == "hang" else Refused("no")

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        self.polls.append(feed)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


async def test_a_source_whose_polls_hang_takes_no_hand_from_the_others(store: Store) -> None:
    source = FakeSource(answers={"#bridge": [batch(), batch(Published(tagged(1)))]})
    hanging = Hanging(name="hanging")
    sources = {"hanging": hanging, "fake": source}
    ingest = Ingest(store=store, sources=sources, worker=worker(), idle=timedelta(milliseconds=20))
    subscriptions = Subscriptions(store=store, sources=sources, worker=worker(), origin="test", changed=ingest.refresh)
    room = Destination.parse("fake:a")
    await subscriptions.run([Wanted(topic="hang", destination=room)])
    loop = asyncio.create_task(ingest.run())
    try:
        async with asyncio.timeout(10):
            while len(hanging.polls) < 40:  # what hangs is there first
                await asyncio.sleep(0.005)
        await subscriptions.run([Wanted(topic="hang", destination=room), Wanted(topic="#bridge", destination=room)])
        assert await relayed(store, 1) == [tagged(1).uri]
    finally:
        loop.cancel()
        await asyncio.wait([loop])
        await ingest.stop()


class HangingSource(FakeSource):
    """What begins with ``#hang`` is never answered."""

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        if feed.address.startswith("#hang"):
            self.polls.append(feed)
            await asyncio.Event().wait()
        return await super().poll(feed)


async def test_polls_that_hang_do_not_occupy_every_hand(store: Store) -> None:
    hangs = [f"#hang{number}" for number in range(3)]
    source = HangingSource()
    async with reading(store, source, *hangs, "#quick", concurrency=2, long=timedelta(0)):
        async with asyncio.timeout(30):
            while sum(feed.address == "#quick" for feed in source.polls) < 3:
                await asyncio.sleep(0.005)
    assert {feed.address for feed in source.polls} == {*hangs, "#quick"}


async def test_of_those_that_hang_there_are_only_so_many(store: Store) -> None:
    """Each of them takes memory and a socket."""
    source = HangingSource()
    async with reading(store, source, *(f"#hang{number}" for number in range(9)), concurrency=1, long=timedelta(0)):
        async with asyncio.timeout(30):
            while len(source.polls) < HANGING:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
    assert len(source.polls) == HANGING
