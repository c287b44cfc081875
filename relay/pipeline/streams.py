"""The loop that listens: what a stream brings is written as a poll's answer is, and polls find what it lost.

A stream's events, the deliveries that they mean and its cursor are one transaction. Of several processes one listens to
each stream; another one takes over when it is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import TypeVar

from relay.core.match import Index, match
from relay.core.schedule import next_check
from relay.core.unroll import told_in_order
from relay.log import get_logger
from relay.model import Event, Feed, FeedId, Published
from relay.pipeline.fence import STEADY, Bug, apart
from relay.pipeline.subscribed import Tag
from relay.pipeline.thread_feeds import THREAD
from relay.pipeline.worker import Tenure
from relay.ports import Source, Streamed, StreamingSource
from relay.records import STREAMS, FeedState, Intake, Wish
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
    wishes: list[Wish] = []
    told = told_in_order(streamed.events, lambda one: one[1])
    for address, group in groupby(told, key=lambda one: one[0]):
        feed = feeds.get(address) if address else _NO_FEED
        some = tuple(event for _, event in group if feed is not None or not isinstance(event, Published))
        events += some
        if feed is not None:
            wishes += match(some, feed, subscribed, now)
    due = next_check(now, now, sweep) if sweep else None
    return Intake(feed=None, events=tuple(events), wishes=tuple(wishes), next_check=due)


@dataclass(kw_only=True)
class Live:
    """Listens until cancelled. ``take_in`` returns when an intake is kept; ``woken`` is called when feeds are due."""

    store: Store
    sources: Mapping[str, Source]
    tenure: Tenure
    take_in: Callable[[Intake], Awaitable[None]]
    subscribed: Index
    woken: Callable[[], None]

    def __post_init__(self) -> None:
        streaming = [one for one in self.sources.values() if isinstance(one, StreamingSource)]
        self._streaming = [(source, names) for source in streaming if (names := source.streams())]
        self._watches = {source.name: Watch() for source, _ in self._streaming}
        self._held: dict[str, tuple[dict[str, Feed], set[str]]] = {}
        for name, watch in self._watches.items():  # one change costs one change, however much is watched
            self._held[name] = {}, set()
            watch.become(*self._held[name])
        self._looking = asyncio.Event()
        self._feeds: set[FeedId] = set()
        self._tags: set[Tag] = set()
        self._watched: dict[FeedId, Feed] = {}
        self._waiting: set[FeedId] = set()
        """Feeds to watch once they are seeded, which another process may do."""

    def look(self, feeds: Set[FeedId] = frozenset(), tags: Set[Tag] = frozenset()) -> None:
        """These may be wanted now, or nobody wants them any more."""
        if not self._streaming:
            return
        self._feeds |= feeds
        self._tags |= tags
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
            feeds, tags, self._feeds, self._tags = self._feeds, self._tags, set(), set()
            if loop.time() >= unseeded:
                self._waiting |= feeds
                feeds, self._waiting = self._waiting, set()
                unseeded = loop.time() + seconds
            for name in await self._changes(feeds, tags):
                self._watches[name].tell()
            await asyncio.sleep(_GATHERING.total_seconds())  # at a start hundreds of feeds are seeded one by one

    async def _changes(self, feeds: set[FeedId], tags: set[Tag]) -> set[str]:
        """Watch these, or no more, with turns for everything else in between; the sources for which that is news."""
        changed: set[str] = set()
        while tags:
            changed.update(self._watch_tag(*tag) for tag in _take(tags))
            await asyncio.sleep(0)
        while feeds:
            some = _take(feeds)
            changed |= self._watch_feeds(some, await self.tenure.persist(partial(self.store.list_some_feeds, some)))
        return changed - {""}

    def _watch_tag(self, source: str, tag: str) -> str:
        """Watch a hashtag, or no more; the source for which that is news."""
        if source not in self._held:
            return ""
        _, watched = self._held[source]
        wanted = (source, tag) in self.subscribed.by_tag
        if wanted == (tag in watched):
            return ""
        (watched.add if wanted else watched.discard)(tag)
        return source

    def _watch_feeds(self, ids: Sequence[FeedId], there: Sequence[FeedState]) -> set[str]:
        """Watch feeds, or no more; the sources for which that is news."""
        changed: set[str] = set()
        states = {state.feed.id: state for state in there if state.feed.source in self._watches}
        for one in ids:
            state = states.get(one)
            wanted = state is not None and one in self.subscribed.by_feed and not state.stopped
            (self._waiting.add if state and wanted and not state.feed.seeded else self._waiting.discard)(one)
            if state and wanted and state.feed.seeded and not state.feed.address.startswith(THREAD):
                feeds, _ = self._held[state.feed.source]
                if state.feed.address not in feeds:
                    changed.add(state.feed.source)
                feeds[state.feed.address] = state.feed
                self._watched[one] = state.feed
            elif old := self._watched.pop(one, None):
                feeds, _ = self._held[old.source]
                if feeds[old.address].id == one:  # and not a newer feed of the same address
                    del feeds[old.address]
                changed.add(old.source)
        return changed

    # --- listening ---

    async def _own(self, source: StreamingSource, name: str) -> None:
        await self.tenure.while_held(self.store, f"stream:{source.name}:{name}", lambda: self._listen_on(source, name))

    async def _listen_on(self, source: StreamingSource, name: str) -> None:
        """A source's bug must not stop the others: it is told loudly, and the stream is opened again."""
        what, tries = f"stream {source.name} {name}", Retrying(steady=STEADY)
        while True:
            ended = await apart(lambda: self._listen(source, name), what)
            if isinstance(ended, Bug):
                self.tenure.trouble.broke(f"{what} (its end)", ended.reason, exc_info=ended.error)
            await tries.wait()

    async def _listen(self, source: StreamingSource, name: str) -> None:
        key, watch = f"{source.name}/{name}", self._watches[source.name]
        cursor = await self.tenure.persist(lambda: self.store.get_note(STREAMS, key, self.tenure.clock()))
        sweep: timedelta | None = getattr(source, "sweep", None)
        async with aclosing(source.stream(name, watch, cursor or "")) as stream:  # type: ignore[type-var]  # a generator
            async for streamed in stream:
                await self._take(streamed, key, watch, sweep)
                # A stream that never waits must not hold the loop, nor keep a processor busy with nothing.
                told = streamed.events or streamed.cursor is not None or streamed.missed
                await asyncio.sleep(0 if told else _NOTHING)

    async def _take(self, streamed: Streamed, key: str, watch: Watch, sweep: timedelta | None) -> None:
        if streamed.note:
            self.tenure.trouble.broke(f"stream {key}", streamed.note)
        else:
            self.tenure.trouble.works(f"stream {key}")
        if streamed.missed:
            await self._poll([watch.feeds[one].id for one in streamed.missed if one in watch.feeds])
        intake = heard(streamed, watch.feeds, self.subscribed, self.tenure.clock(), sweep)
        if streamed.cursor is not None:
            intake = replace(intake, stream=(key, streamed.cursor))
        if intake.events or intake.stream:
            await self.take_in(intake)

    async def _poll(self, feeds: Sequence[FeedId]) -> None:
        """Make feeds due now; one that is being polled was perhaps read before: it is due again after that."""
        while feeds:
            feeds = await self.tenure.persist(partial(self._due, feeds))
            self.woken()
            if feeds:
                await asyncio.sleep(_AGAIN.total_seconds())

    async def _due(self, feeds: Sequence[FeedId]) -> Sequence[FeedId]:
        return await self.store.save_due(feeds, self.tenure.clock())


def _take(some: set[T]) -> list[T]:
    """Not too many of them, which it takes out."""
    return [some.pop() for _ in range(min(_AT_ONCE, len(some)))]
