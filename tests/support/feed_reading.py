"""What the tests of the RSS source share: a reader that keeps the cursor as the core does, and a clock to set."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from relay.model import Feed, FeedId
from relay.plugins import Hooks, PluginStorage, StorageBackend
from relay.ports import Batch, Gone, TryLater
from relay.sources.feed_worker import FeedWorker
from relay.sources.rss import RssSettings, RssSource
from tests.support.fetching import Names, client
from tests.support.rss_cursor_cases import told

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WORKER = FeedWorker()
"""One process for all tests: each start takes a tenth of a second."""


def fresh(address: str) -> Feed:
    return Feed(id=FeedId(1), source="rss", address=address)


class Reader:
    """What the core does between polls: it keeps the cursor. Its clock stands still until somebody sets it."""

    def __init__(
        self, address: str, *, hooks: Hooks | None = None, at_once: int = 20, names: Names | None = None
    ) -> None:
        self.now = NOW
        self.http = client(trusted="127.0.0.0/8", resolver=names)
        self.source = RssSource(
            RssSettings(at_once=at_once),
            self.http,
            hooks=hooks,
            notes=PluginStorage("rss", StorageBackend(lambda: self.now)),
            clock=lambda: self.now,
            worker=WORKER,
        )
        self.feed = fresh(address)

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.http.close()

    async def ask(self) -> Batch | TryLater | Gone:
        """Poll once, and keep what is to be kept."""
        answer = await self.source.poll(self.feed)
        if not isinstance(answer, Gone):
            cursor = self.feed.cursor if answer.cursor is None else answer.cursor
            self.feed = replace(self.feed, seeded=self.feed.seeded or isinstance(answer, Batch), cursor=cursor)
        return answer

    async def poll(self) -> Batch:
        answer = await self.ask()
        assert isinstance(answer, Batch), answer
        return answer

    async def read(self) -> list[tuple[str, str]]:
        return told((await self.poll()).events)
