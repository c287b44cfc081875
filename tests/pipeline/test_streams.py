"""Streams: what they bring is kept with their cursor, and what they miss is polled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from relay.core.match import Index
from relay.model import (
    Action,
    Deleted,
    Destination,
    Edited,
    Feed,
    FeedId,
    Post,
    Published,
    Subscription,
    SubscriptionId,
)
from relay.pipeline import streams as live_module
from relay.pipeline.ingest import Ingest
from relay.pipeline.streams import Live, Watch, heard
from relay.pipeline.subscriptions import Subscriptions
from relay.ports import Batch, Resolved, Streamed, Watched
from relay.records import STREAMS, Intake, Linking, State, Wanted
from relay.store import Store, open_store
from relay.testing import NOON, FakeSource, post
from tests.support.ingest_cases import relayed, tagged
from tests.support.outbox_cases import worker

FEED = Feed(id=FeedId(1), source="fake", address="#bridge", seeded=True)
SUBSCRIBED = Index(
    [
        Subscription(
            id=SubscriptionId(1),
            topic="#bridge",
            destination=Destination.parse("fake:a"),
            tags=(("fake", "bridge"),),
            feeds=(FeedId(1),),
        )
    ]
)


@dataclass
class FakeStream(FakeSource):
    """Brings what the test puts into ``coming``; an exception that is put there is raised."""

    coming: asyncio.Queue[Streamed | Exception] = field(default_factory=asyncio.Queue)
    opened: list[str] = field(default_factory=list)
    """The cursors with which it was opened."""
    watched: Watched | None = None
    opening: asyncio.Event = field(default_factory=asyncio.Event)

    def streams(self) -> Sequence[str]:
        return ("main",)

    async def stream(self, name: str, watched: Watched, cursor: str) -> AsyncIterator[Streamed]:
        self.opened.append(cursor)
        self.watched = watched
        self.opening.set()
        while True:
            came = await self.coming.get()
            if isinstance(came, Exception):
                raise came
            yield came

    async def seeing(self, *addresses: str) -> None:
        """Return when just these feeds are watched."""
        async with asyncio.timeout(30):
            await self.opening.wait()
            assert self.watched
            while set(self.watched.feeds) != set(addresses):
                await self.watched.changed()


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite://")
    yield opened
    await opened.close()


@asynccontextmanager
async def listening(store: Store, source: FakeStream, *topics: str) -> AsyncIterator[Ingest]:
    ingest = Ingest(store=store, sources={"fake": source}, worker=worker(), idle=timedelta(milliseconds=20))
    subscriptions = Subscriptions(
        store=store, sources={"fake": source}, worker=worker(), origin="test", changed=ingest.refresh
    )
    await subscriptions.run([Wanted(topic=topic, destination=Destination.parse("fake:a")) for topic in topics])
    loop = asyncio.create_task(ingest.run())
    try:
        await source.seeing(*topics)
        yield ingest
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await ingest.stop()


def bring(source: FakeStream, *posts: Post, cursor: str | None = None, address: str = "#bridge") -> None:
    source.coming.put_nowait(Streamed(events=tuple((address, Published(one)) for one in posts), cursor=cursor))


async def test_what_a_stream_brings_is_relayed_in_order_with_no_poll_in_between(store: Store) -> None:
    source = FakeStream(interval=timedelta(hours=1))
    async with listening(store, source, "#bridge"):
        bring(source, tagged(1), tagged(2))
        bring(source, tagged(3))
        assert await relayed(store, 3) == [tagged(number).uri for number in (1, 2, 3)]
    assert len(source.polls) == 1


async def test_a_cursor_is_kept_with_what_it_brought_and_given_back_at_the_next_start(store: Store) -> None:
    async with listening(store, FakeStream(), "#bridge") as _:
        pass
    source = FakeStream()
    async with listening(store, source, "#bridge"):
        bring(source, tagged(1), cursor="42")
        await relayed(store, 1)
        assert await store.get_note(STREAMS, "fake/main", NOON) == "42"
    again = FakeStream()
    async with listening(store, again, "#bridge"):
        assert again.opened == ["42"]


async def test_what_a_poll_finds_besides_is_the_same_post(store: Store) -> None:
    source = FakeStream(interval=timedelta(milliseconds=20))
    async with listening(store, source, "#bridge"):
        bring(source, tagged(1))
        await relayed(store, 1)
        source.answers["#bridge"] = [Batch(events=(Published(tagged(1)), Published(tagged(2))))]
        await relayed(store, 2)
    assert (await store.get_counts()).deliveries == {(Action.SEND, State.SENT): 2}


async def test_what_may_have_been_missed_is_polled_at_once(store: Store) -> None:
    source = FakeStream(interval=timedelta(hours=1))
    async with listening(store, source, "#bridge"):
        source.answers["#bridge"] = [Batch(events=(Published(tagged(7)),))]
        source.coming.put_nowait(Streamed(missed=("#bridge", "#unknown")))
        assert await relayed(store, 1) == [tagged(7).uri]


async def test_a_stream_that_ends_in_a_bug_is_opened_again_and_loses_nothing(store: Store) -> None:
    source = FakeStream()
    async with listening(store, source, "#bridge"):
        source.coming.put_nowait(RuntimeError("a bug"))
        bring(source, tagged(1))
        await relayed(store, 1)
    assert len(source.opened) == 2


async def test_edits_and_deletions_follow(store: Store) -> None:
    source = FakeStream()
    async with listening(store, source, "#bridge"):
        bring(source, tagged(1))
        await relayed(store, 1)
        source.coming.put_nowait(Streamed(events=(("", Deleted(tagged(1).aliases[0])),)))
        async with asyncio.timeout(30):
            while (Action.DELETE, State.DUE) not in (await store.get_counts()).deliveries:
                await asyncio.sleep(0.01)


# --- what is watched ---


@asynccontextmanager
async def watching(store: Store, source: FakeStream, subscribed: Index) -> AsyncIterator[Live]:
    """Nothing is polled."""

    async def take_in(_intake: object) -> None:
        """Nothing comes."""

    live = Live(
        store=store,
        sources={"fake": source},
        worker=worker(),
        take_in=take_in,
        subscribed=subscribed,
        woken=lambda: None,
    )
    running = asyncio.create_task(live.run())
    await source.opening.wait()
    yield live
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_feed_that_another_process_seeds_is_watched_from_then_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "_UNSEEDED", timedelta(milliseconds=20))
    await store.save_subscriptions("test", [Wanted(topic="both", destination=Destination.parse("fake:a"))])
    [one] = await store.list_subscriptions()
    found = {"fake": Resolved(feeds=("#bridge", "#rope"))}
    await store.save_links([Linking((one.id,), found, complete=True)], "1", NOON)
    bridge, rope = await store.claim_feeds(["fake"], worker().leased(), 2)
    await store.add_intakes([Intake(feed=rope.id, next_poll=NOON)], worker().leased())
    source = FakeStream()
    async with watching(store, source, Index(await store.list_subscriptions())) as live:
        live.look({bridge.id, rope.id})
        await source.seeing("#rope")
        await store.add_intakes([Intake(feed=bridge.id, next_poll=NOON)], worker().leased())
        await source.seeing("#bridge", "#rope")


# --- pure ---


def test_a_feed_that_nobody_wants_or_that_was_never_seeded_brings_nothing_new() -> None:
    streamed = Streamed(events=(("#gone", Published(tagged(1))), ("#gone", Edited(tagged(2)))))
    intake = heard(streamed, {"#bridge": FEED}, SUBSCRIBED, NOON, None)
    assert intake.events == (Edited(tagged(2)),)
    assert intake.planned_sends == ()


def test_where_an_event_belongs_to_no_feed_its_hashtags_decide() -> None:
    streamed = Streamed(events=(("", Published(tagged(1))), ("", Published(post(2)))))
    intake = heard(streamed, {}, SUBSCRIBED, NOON, timedelta(minutes=5))
    assert [planned.uri for planned in intake.planned_sends] == [tagged(1).uri]
    assert intake.feed is None
    assert intake.next_check == NOON + timedelta(minutes=5)


async def test_who_waits_is_told_of_changes_and_of_nothing_else() -> None:
    watch = Watch()
    waiting = asyncio.create_task(watch.changed())
    await asyncio.sleep(0)
    watch.become({}, frozenset())
    await asyncio.sleep(0)
    assert not waiting.done()
    watch.become({"#bridge": FEED}, frozenset({"bridge"}))
    await asyncio.wait_for(waiting, 1)
    waiting = asyncio.create_task(watch.changed())
    await asyncio.sleep(0)
    watch.become({"#bridge": Feed(id=FeedId(1), source="fake", address="#bridge", cursor="9")}, frozenset({"bridge"}))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
