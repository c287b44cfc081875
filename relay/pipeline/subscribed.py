"""Keeps what the match knows of the subscriptions as the store has it: all are read once, then what changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta

from relay.core.match import Index, Tag
from relay.model import FeedId, Subscription, SubscriptionId
from relay.pipeline.batcher import Gather
from relay.pipeline.worker import Tenure
from relay.store import Store

PAGE = 250
"""Subscriptions that are read at once: some milliseconds of the store's time."""
LOOK_EVERY = timedelta(seconds=5)
"""How often it is looked for what other processes changed, where the store does not tell it at once."""


@dataclass(kw_only=True)
class Subscribed:
    """``changed`` is called with feeds that others may want now, or nobody, and hashtags of which that is so."""

    store: Store
    tenure: Tenure
    changed: Callable[[Set[FeedId], Set[Tag]], None]

    def __post_init__(self) -> None:
        self.index = Index()
        self._version: int | None = None
        """The change up to which the index is true; None: not all of it was read yet."""
        self._begun: int | None = None
        self._after = SubscriptionId(0)
        self._found: set[SubscriptionId] = set()
        self._reads = Gather[None](self._read, limit=100_000)

    async def run(self) -> None:
        """Look for what other processes change, until cancelled."""
        while True:
            await self.store.wait_for_changes(LOOK_EVERY)
            await self.tenure.persist(self.refresh)

    async def refresh(self) -> None:
        """Know the subscriptions as they are now. Many calls at a time are one reading. Raises ``StoreError``."""
        await self._reads.add(None)

    async def _read(self, _asked: Sequence[None]) -> None:
        if self._version is None:
            await self._read_all()
        while self._version is not None:
            changes = await self.store.list_changes(self._version, PAGE)
            if changes is None:  # this process was held up for very long, or the database is another one
                self._version = None
                await self._read_all()
            elif changes.version == self._version:
                return
            else:
                self._apply(changes.subscriptions, changes.gone)
                self._version = changes.version

    async def _read_all(self) -> None:
        """Page by page, with turns for everything else in between; after an error it goes on where it was."""
        if self._begun is None:
            self._begun, self._after = await self.store.get_subscriptions_version(), SubscriptionId(0)
            self._found = set(self.index.ids())
        while page := await self.store.list_subscriptions_page(self._after, PAGE):
            self._apply(page, ())
            self._found.difference_update(one.id for one in page)
            self._after = page[-1].id
        gone = list(self._found)  # what is left was deleted while nobody told us
        for first in range(0, len(gone), PAGE):
            self._apply((), gone[first : first + PAGE])
            await asyncio.sleep(0)
        self._version, self._begun, self._found = self._begun, None, set()

    def _apply(self, there: Sequence[Subscription], gone: Sequence[SubscriptionId]) -> None:
        feeds: set[FeedId] = set()
        for one in there:
            old = self.index.put(one)
            for some in (old, one) if old else (one,):
                feeds.update(some.feeds)
        for number in gone:
            if old := self.index.drop(number):
                feeds.update(old.feeds)
        tags, self.index.news = self.index.news, set()
        self.changed(feeds, tags)
