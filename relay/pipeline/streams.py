"""The loop that listens: what a stream brings is written as a poll's answer is, and polls find what it lost.

A stream's events, the deliveries that they mean and its cursor are one transaction. Of several processes one listens to
each stream; another one takes over when it is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import TypeVar

from relay.core.match import Index, Tag, match
from relay.core.schedule import next_check
from relay.core.unroll import events_in_order
from relay.log import get_logger
from relay.model import Event, Feed, FeedId, Published
from relay.pipeline.fence import STEADY, Bug, apart
from relay.pipeline.thread_feeds import THREAD
from relay.pipeline.worker import Worker
from relay.ports import Source, Streamed, StreamingSource
from relay.records import STREAMS, FeedState, Intake, PlannedSend
from relay.retrying import Retrying
from relay.store import Store

log = get_logger(__name__)

T = TypeVar("T")

_AGAIN = timedelta(seconds=1)
_NOTHING = 0.02
"""Seconds to rest after a stream told nothing."""
_GATHERING = timedelta(milliseconds=200)
_UNSEEDED = timedelta(seconds=30)
"""How often it is looked whether another process seeded a feed."""
_AT_ONCE = 500
_NO_FEED = Feed(id=FeedId(0), source="", address="", seeded=True)
"""Where an event belongs to no feed, its hashtags decide who wants it."""


class _Feeds(Mapping[str, Feed]):
    """Seeded feeds of one source by address, made when they are asked for: of a million, what they say takes less."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._ids: dict[str, FeedId] = {}
        self._addresses: dict[FeedId, str] = {}
        self._cursors: dict[str, str] = {}

    def __getitem__(self, address: str) -> Feed:
        cursor = self._cursors.get(address, "")
        return Feed(id=self._ids[address], source=self._source, address=address, cursor=cursor, seeded=True)

    def __contains__(self, address: object) -> bool:
        return address in self._ids

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, number: FeedId, feed: Feed) -> bool:
        """Whether its address is a new one. ``number``: the same object as others hold."""
        new = feed.address not in self._ids
        self._ids[feed.address], self._addresses[number] = number, feed.address
        if feed.cursor:
            self._cursors[feed.address] = feed.cursor
        else:
            self._cursors.pop(feed.address, None)
        return new

    def remove(self, feed: FeedId) -> bool:
        """Whether it was there. A newer feed of the same address stays."""
        address = self._addresses.pop(feed, None)
        if address is not None and self._ids.get(address) == feed:
            del self._ids[address]
            self._cursors.pop(address, None)
        return address is not None


class Watch:
    """What one source is to listen for: :class:`relay.ports.Watched`."""

    def __init__(self) -> None:
        self.feeds: Mapping[str, Feed] = {}
        self.tags: Set[str] = set()
        self._changing = asyncio.Event()

    async def changed(self) -> None:
        await self._changing.wait()

    def tell(self) -> None:
        """Tell who waits that feeds or hashtags are others now."""
        self._changing.set()
        self._changing = asyncio.Event()

    def become(self, feeds: Mapping[str, Feed], tags: Set[str]) -> None:
        """Tell who waits, where it is something else. Where a feed was read to is nothing that a stream cares for."""
        differs = (self.feeds.keys(), self.tags) != (feeds.keys(), tags)
        self.feeds, self.tags = feeds, tags
        if differs:
            self.tell()


def heard(
    streamed: Streamed, feeds: Mapping[str, Feed], subscribed: Index, now: datetime, sweep: timedelta | None
) -> Intake:
    """What a stream brought means for the store, but for its cursor. Pure.

    Publications in a feed that nobody wants any more, or that was never seeded, are left out: a poll will seed it.
    """
    events: list[Event] = []
    planned_sends: list[PlannedSend] = []
    told = events_in_order(streamed.events, lambda one: one[1])
    for address, group in groupby(told, key=lambda one: one[0]):
        feed = feeds.get(address) if address else _NO_FEED
        some = tuple(event for _, event in group if feed is not None or not isinstance(event, Published))
        events += some
        if feed is not None:
            planned_sends += match(some, feed, subscribed, now)
    due = next_check(now, now, sweep) if sweep else None
    return Intake(feed=None, events=tuple(events), planned_sends=tuple(planned_sends), next_check=due)


@dataclass(kw_only=True)
class Live:
    """Listens until cancelled. ``take_in`` returns when an intake is kept; ``woken`` is called when feeds are due."""

    store: Store
    sources: Mapping[str, Source]
    worker: Worker
    take_in: Callable[[Intake], Awaitable[None]]
    subscribed: Index
    woken: Callable[[], None]

    def __post_init__(self) -> None:
        streaming = [one for one in self.sources.values() if isinstance(one, StreamingSource)]
        self._streaming = [(source, names) for source in streaming if (names := source.streams())]
        self._watches = {source.name: Watch() for source, _ in self._streaming}
        self._held = {name: _Feeds(name) for name in self._watches}
        for name, watch in self._watches.items():  # one change costs one change, however much is watched
            watch.become(self._held[name], self.subscribed.by_tag[name])
        self._looking = asyncio.Event()
        self._feeds: set[FeedId] = set()
        self._news: set[str] = set()
        """Sources of which other hashtags are wanted now."""
        self._waiting: set[FeedId] = set()
        """Feeds to watch once they are seeded, which another process may do."""

    def look(self, feeds: Set[FeedId] = frozenset(), tags: Set[Tag] = frozenset()) -> None:
        """These feeds may be wanted now, or by nobody any more; of the hashtags that is so."""
        if not self._streaming:
            return
        self._feeds |= feeds
        self._news.update(source for source, _ in tags if source in self._watches)
        self._looking.set()

    async def run(self) -> None:
        if not self._streaming:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_looking(), name="watch")
            for source, names in self._streaming:
                for name in names:
                    tasks.create_task(self._own(source, name), name=f"stream {source.name} {name}")

    # --- what is listened for ---

    async def _keep_looking(self) -> None:
        loop = asyncio.get_running_loop()
        seconds = _UNSEEDED.total_seconds()
        unseeded = loop.time() + seconds
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(unseeded):
                    await self._looking.wait()
            self._looking.clear()
            feeds, news, self._feeds, self._news = self._feeds, self._news, set(), set()
            if loop.time() >= unseeded:
                self._waiting |= feeds
                feeds, self._waiting = self._waiting, set()
                unseeded = loop.time() + seconds
            for name in await self._changes(feeds) | news:
                self._watches[name].tell()
            del feeds  # a set that was emptied one by one takes what it took when it was full
            await asyncio.sleep(_GATHERING.total_seconds())  # at a start hundreds of feeds are seeded one by one

    async def _changes(self, feeds: set[FeedId]) -> set[str]:
        """Watch these, or no more, with turns for everything else in between; the sources for which that is news."""
        changed: set[str] = set()
        while feeds:
            some = _take(feeds)
            changed |= self._watch_feeds(some, await self.worker.persist(partial(self.store.list_some_feeds, some)))
        return changed

    def _watch_feeds(self, ids: Sequence[FeedId], there: Sequence[FeedState]) -> set[str]:
        """Watch feeds, or no more; the sources for which that is news."""
        changed: set[str] = set()
        states = {state.feed.id: state for state in there if state.feed.source in self._watches}
        for one in ids:
            state = states.get(one)
            wanted = state is not None and one in self.subscribed.by_feed and not state.stopped
            (self._waiting.add if state and wanted and not state.feed.seeded else self._waiting.discard)(one)
            if state and wanted and state.feed.seeded and not state.feed.address.startswith(THREAD):
                if self._held[state.feed.source].add(one, state.feed):
                    changed.add(state.feed.source)
            else:
                changed.update(name for name, feeds in self._held.items() if feeds.remove(one))
        return changed

    # --- listening ---

    async def _own(self, source: StreamingSource, name: str) -> None:
        await self.worker.while_held(self.store, f"stream:{source.name}:{name}", lambda: self._listen_on(source, name))

    async def _listen_on(self, source: StreamingSource, name: str) -> None:
        """A source's bug must not stop the others: it is told loudly, and the stream is opened again."""
        what, tries = f"stream {source.name} {name}", Retrying(steady=STEADY)
        while True:
            ended = await apart(lambda: self._listen(source, name), what)
            if isinstance(ended, Bug):
                self.worker.trouble.broke(f"{what} (its end)", ended.reason, exc_info=ended.error)
            await tries.wait()

    async def _listen(self, source: StreamingSource, name: str) -> None:
        key, watch = f"{source.name}/{name}", self._watches[source.name]
        cursor = await self.worker.persist(lambda: self.store.get_note(STREAMS, key, self.worker.clock()))
        sweep: timedelta | None = getattr(source, "sweep", None)
        async with aclosing(source.stream(name, watch, cursor or "")) as stream:  # type: ignore[type-var]  # a generator
            async for streamed in stream:
                await self._take(streamed, key, watch, sweep)
                # A stream that never waits must not hold the loop, nor keep a processor busy with nothing.
                told = streamed.events or streamed.cursor is not None or streamed.missed
                await asyncio.sleep(0 if told else _NOTHING)

    async def _take(self, streamed: Streamed, key: str, watch: Watch, sweep: timedelta | None) -> None:
        if streamed.note:
            self.worker.trouble.broke(f"stream {key}", streamed.note)
        else:
            self.worker.trouble.works(f"stream {key}")
        if streamed.missed:
            await self._poll([watch.feeds[one].id for one in streamed.missed if one in watch.feeds])
        intake = heard(streamed, watch.feeds, self.subscribed, self.worker.clock(), sweep)
        if streamed.cursor is not None:
            intake = replace(intake, stream=(key, streamed.cursor))
        if intake.events or intake.stream:
            await self.take_in(intake)

    async def _poll(self, feeds: Sequence[FeedId]) -> None:
        """Make feeds due now; one that is being polled was perhaps read before: it is due again after that."""
        while feeds:
            feeds = await self.worker.persist(partial(self._due, feeds))
            self.woken()
            if feeds:
                await asyncio.sleep(_AGAIN.total_seconds())

    async def _due(self, feeds: Sequence[FeedId]) -> Sequence[FeedId]:
        return await self.store.save_due(feeds, self.worker.clock())


def _take(some: set[T]) -> list[T]:
    """Not too many of them, which it takes out."""
    return [some.pop() for _ in range(min(_AT_ONCE, len(some)))]
