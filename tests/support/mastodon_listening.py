"""What the tests of Mastodon's streams share: a listener that keeps what it is told, as the core does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from relay.model import Deleted, Edited, Event, Feed, FeedId, Post, Published
from relay.pipeline.streams import Watch
from relay.ports import Batch, Resolved, Streamed
from relay.sources.mastodon import MastodonSource
from relay.sources.mastodon.live import LiveTimeouts
from relay.text import plain

_INSTANT = timedelta(milliseconds=10)
SOON = LiveTimeouts(first=_INSTANT, steady=_INSTANT, answer=5.0, beat=5.0, settle=0.05)
"""A patience for tests."""


@dataclass
class Core:
    """Feeds with their cursors, and a store that knows each post once. What was missed is polled at once."""

    source: MastodonSource
    name: str
    watch: Watch = field(default_factory=Watch)
    feeds: dict[str, Feed] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    twice: int = 0
    """Posts that were told again, by a stream or by a poll."""
    gone: list[str] = field(default_factory=list)
    told: list[Streamed] = field(default_factory=list)
    polls: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    due: set[str] = field(default_factory=set)
    failed: Exception | None = None

    async def follow(self, *topics: str) -> None:
        """Poll each feed once, then have it listened to; what was followed before is not any more."""
        self.feeds = {address: feed for topic in topics for address, feed in (await self._begin(topic)).items()}
        self.watch.become(dict(self.feeds), frozenset())

    async def _begin(self, topic: str) -> dict[str, Feed]:
        resolved = await self.source.resolve(topic)
        assert isinstance(resolved, Resolved), resolved
        feeds = {one: self.feeds.get(one) for one in resolved.feeds if one.startswith(self.name)}
        return {one: feed or await self.seeded(one) for one, feed in feeds.items()}

    async def seeded(self, address: str) -> Feed:
        batch = await self.source.poll(Feed(id=FeedId(1), source="mastodon", address=address))
        assert isinstance(batch, Batch), batch
        return Feed(id=FeedId(1), source="mastodon", address=address, cursor=batch.cursor or "", seeded=True)

    async def poll(self, address: str) -> Batch:
        feed = self.feeds[address]
        batch = await self.source.poll(feed)
        assert isinstance(batch, Batch), batch
        self.polls += 1
        for event in batch.events:
            self._take(event)
        cursor = feed.cursor if batch.cursor is None else batch.cursor
        if address in self.feeds:  # else it was left meanwhile
            self.feeds[address] = Feed(id=feed.id, source="mastodon", address=address, cursor=cursor, seeded=True)
        return batch

    async def listen(self) -> None:
        try:
            await self._listen()
        except Exception as error:
            self.failed = error
            await self._tell()
            raise

    async def _listen(self) -> None:
        async with aclosing(self.source.stream(self.name, self.watch, "")) as stream:
            async for streamed in stream:
                self.told.append(streamed)
                for _, event in streamed.events:
                    self._take(event)
                self.due.update(one for one in streamed.missed if one in self.feeds)
                await self._tell()

    async def keep_polling(self) -> None:
        while True:
            async with self.news:
                await self.news.wait_for(lambda: bool(self.due))
            address = self.due.pop()
            while address in self.feeds and (await self.poll(address)).more:
                pass
            await self._tell()

    def _take(self, event: Event) -> None:
        match event:
            case Published(post):
                self.twice += post.uri in self.posts
                self.posts.setdefault(post.uri, post)
            case Edited(post):
                if post.uri in self.posts:
                    self.posts[post.uri] = post
            case Deleted(ref):
                self.gone.append(ref)

    async def _tell(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def until(self, holds: Callable[[], bool], *, within: float = 30) -> None:
        async with asyncio.timeout(within), self.news:
            await self.news.wait_for(lambda: self.failed or holds())
        assert not self.failed

    def texts(self) -> list[str]:
        return sorted(plain(post.body) for post in self.posts.values())

    def notes(self) -> Iterable[str]:
        return (streamed.note for streamed in self.told)


@asynccontextmanager
async def running(core: Core) -> AsyncIterator[Core]:
    """Listening and polling, until the block ends."""
    tasks = [asyncio.create_task(core.listen()), asyncio.create_task(core.keep_polling())]
    try:
        yield core
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=5)
        assert all(task.done() for task in tasks)
