"""The loop that looks at threads again after each growth: what their authors add without the hashtag is found here.

A look costs the source's server a request or more: each server is asked for one thread after the other, with a pause.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from relay.log import get_logger
from relay.model import Post
from relay.pipeline.threads import Threads
from relay.pipeline.worker import Tenure
from relay.ports import Source, ThreadedSource
from relay.records import Page
from relay.store import Store

log = get_logger(__name__)

AT_ONCE = 8
PAUSE = timedelta(seconds=2)
"""Between two looks at one server: at most 150 in five minutes, half of what the usual server allows an address."""


@dataclass(kw_only=True)
class Growth:
    """Looks at threads that are due, until cancelled."""

    store: Store
    sources: Mapping[str, Source]
    threads: Threads
    tenure: Tenure
    pause: timedelta = PAUSE
    idle: timedelta = timedelta(seconds=30)
    """How long to sleep at most: meanwhile a thread may have become due."""

    async def run(self) -> None:
        names = [name for name, source in self.sources.items() if isinstance(source, ThreadedSource)]
        while names:
            due = await self.tenure.persist(lambda: self.store.claim_looks(names, self.tenure.leased(), AT_ONCE))
            await self._look(due)
            if not due:
                await self._rest(names)

    async def _look(self, due: Sequence[Page]) -> None:
        """Several servers are asked at the same time, each for one thread after the other."""
        by_server: defaultdict[str, list[Page]] = defaultdict(list)
        for page in due:
            by_server[_server(page)].append(page)
        await asyncio.gather(*(self._in_turn(pages) for pages in by_server.values()))

    async def _in_turn(self, pages: Sequence[Page]) -> None:
        for page in pages:
            await self._one(page)
            await asyncio.sleep(self.pause.total_seconds())

    async def _one(self, page: Page) -> None:
        try:
            await self.tenure.persist(lambda: self.threads.follow(page))
        except Exception:
            log.exception("a thread could not be looked at; that is tried again", thread=page.root)

    async def _rest(self, names: Sequence[str]) -> None:
        wait = self.idle
        due = await self.tenure.persist(lambda: self.store.get_next_look(names))
        if due is not None:
            wait = min(wait, max(due - self.tenure.clock(), timedelta(milliseconds=5)))
        await asyncio.sleep(wait.total_seconds())


def _server(page: Page) -> str:
    return next((urlsplit(post.origin).netloc for post in page.posts if isinstance(post, Post)), "")
