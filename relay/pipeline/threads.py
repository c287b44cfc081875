"""Looks at threads at their sources, once and again, and keeps what is found there.

A look costs the source's server a request or more: each server is asked for one thread after the other, with a pause.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from relay.core.bot_words import Is, nothing, without
from relay.core.unroll import unroll
from relay.log import get_logger
from relay.model import Author, Edited, Event, Post, PostUri, Published, Removed, Thread
from relay.pipeline.worker import Worker
from relay.ports import Batch, Gone, RecheckingSource, Refused, Source, ThreadedSource, TryLater
from relay.records import Intake, Page, Taken
from relay.store import Store

log = get_logger(__name__)

CHECKED = 20
"""Posts that a source is asked about at a time."""
AT_ONCE = 8
"""Threads that are due and are looked at in one go."""
PAUSE = timedelta(seconds=2)
"""Between two looks at one server: at most 150 in five minutes, half of what the usual server allows an address."""
LATER = timedelta(minutes=10)
"""How long a source is left alone that did not answer and did not say until when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadReader:
    """Asks the sources for whole threads. ``written`` is told what became of what they brought."""

    store: Store
    sources: Mapping[str, Source]
    worker: Worker
    patience: timedelta = timedelta(seconds=5)
    """How long a post waits for the thread with which it goes on."""
    written: Callable[[Taken], None] = lambda _: None
    is_request: Is = nothing
    """Which posts speak to a bot: they belong to no thread."""

    async def fetch(self, ref: str) -> Thread | Refused | TryLater | Gone:
        """The thread in which a web address stands, from the first source that knows it."""
        return await fetch(ref, list(self.sources.values()), self.is_request)

    async def look(self, page: Page) -> None:
        """Look whether the thread grew, and settle when to look again. A source that does not answer is asked later.

        Of a thread that is gone nothing more is asked here: the re-checks tell whether its posts were deleted.
        """
        thread = await self._asked(page)
        if isinstance(thread, Thread):
            await self._add(thread, page.root, await self._missed(page, thread))
        elif isinstance(thread, TryLater):
            await self.store.save_look(page.root, self.worker.clock() + max(thread.after or LATER, LATER))
        else:
            await self.store.save_look(page.root, None)

    async def above(self, post: Post) -> Sequence[Event]:
        """The thread with which a post goes on, where it is not known yet and the source tells it in time."""
        source = self.sources.get(post.source)
        if not isinstance(source, ThreadedSource) or await self.store.get_page_of(post.reply_to):
            return ()
        try:
            async with asyncio.timeout(self.patience.total_seconds()):
                thread = await fetch_thread(source, post.uri, self.is_request)
        except TimeoutError:
            return ()
        return _events(thread) if isinstance(thread, Thread) else ()

    async def _asked(self, page: Page) -> Thread | Refused | TryLater | Gone:
        known = next((post for post in page.posts if isinstance(post, Post)), None)
        source = self.sources.get(known.source) if known else None
        if known is None or not isinstance(source, ThreadedSource):
            return Refused("its source tells of no threads")
        for name in (known.uri, *known.aliases):  # where its own server is no help, another that has a copy may be
            answer = await source.fetch_thread(name)
            if not isinstance(answer, Refused):
                break
        if isinstance(answer, Refused | TryLater | Gone):
            return answer
        answer = [*answer, *await self._beyond(source, page, answer)]
        gone = [post for post in page.posts if isinstance(post, Removed)]
        links: dict[str, str] = {post.uri: post.reply_to for post in page.posts if isinstance(post, Post)}
        told = without(answer, self.is_request)
        return unroll([*told, *gone], known.uri, links=links) or Gone("the thread is not there any more")

    async def _beyond(self, source: ThreadedSource, page: Page, told: Sequence[Post]) -> Sequence[Post]:
        """What stands behind a deleted post, across which no server leads: the last one known is asked for."""
        last = next((post for post in reversed(page.posts) if isinstance(post, Post)), None)
        if last is None or any(post.uri == last.uri for post in told):
            return ()
        answer = await source.fetch_thread(last.uri)
        return () if isinstance(answer, Refused | TryLater | Gone) else answer

    async def _missed(self, page: Page, thread: Thread) -> Sequence[Event]:
        """What became of posts that stand on the page and are not told any more: not every one is deleted."""
        told = {name for post in _posts(thread) for name in (post.uri, *post.aliases)}
        missed = [post for post in page.posts if isinstance(post, Post) and post.uri not in told]
        source = self.sources.get(missed[0].source) if missed else None
        if not isinstance(source, RecheckingSource):
            return ()
        answer = await source.recheck(missed[:CHECKED])
        return answer.events if isinstance(answer, Batch) else ()

    async def keep(self, thread: Thread, asker: Author | None = None) -> Page | None:
        """The page of a thread that a source has just told, which was asked for now; None where it may not be kept.

        ``asker``: who asked, where their network vouches for it. Authors have their own pages, and for good.
        """
        posts = [post for post in thread.posts if isinstance(post, Post)]
        own = bool(posts and asker and asker.uri == posts[0].author.uri)
        if not posts or (posts[0].author.refuses and not own):
            return None
        await self._add(thread, posts[0].uri)
        page = await self.store.get_page_of(posts[0].uri)
        if page is None or not any(isinstance(post, Post) for post in page.posts):  # the author was taken out
            return None
        await self.store.save_visit(page.slug, self.worker.clock(), asked=own)  # one that had run out is there again
        return page

    async def _add(self, thread: Thread, root: PostUri, more: Sequence[Event] = ()) -> None:
        """What a look brings may be news for those who follow the thread."""
        intake = Intake(feed=None, events=(*_events(thread), *more), looked=root)
        # claims nothing on the way: whoever waits for a thread may be cancelled, and what was claimed never be begun
        self.written(await self.store.add_intakes([intake], self.worker.leased()))


def _events(thread: Thread) -> tuple[Event, ...]:
    """Posts not known yet are published (and asked for by nobody); the others may have been edited."""
    return tuple(event(post) for post in _posts(thread) for event in (Published, Edited))


def _posts(thread: Thread) -> list[Post]:
    posts = [post for post in thread.posts if not isinstance(post, Removed)]
    return posts + [post for chain in thread.asides for post in chain]


async def fetch(ref: str, sources: Sequence[Source], is_request: Is = nothing) -> Thread | Refused | TryLater | Gone:
    """The thread in which a web address stands, from the first source that knows it; without requests to a bot."""
    reasons: list[str] = []
    for source in sources:
        if isinstance(source, ThreadedSource):
            answer = await fetch_thread(source, ref, is_request)
            if not isinstance(answer, Refused):
                return answer
            reasons.append(f"{source.name}: {answer.reason}")
    return Refused("; ".join(reasons) or "no source that can fetch threads is configured")


async def fetch_thread(
    source: ThreadedSource, ref: str, is_request: Is = nothing
) -> Thread | Refused | TryLater | Gone:
    """The thread around a post at one source; where that is a request to a bot, around what it answers."""
    told = await source.fetch_thread(ref)
    if isinstance(told, Refused | TryLater | Gone):
        return told
    asked = told[0] if told else None
    anchor = asked and (asked.reply_to if is_request(asked) else asked.uri)
    thread = unroll(without(told, is_request), anchor) if anchor else None
    return thread or Gone("the thread is not there any more")


@dataclass(kw_only=True)
class ThreadRefreshLoop:
    """Looks at threads that are due, until cancelled."""

    store: Store
    sources: Mapping[str, Source]
    threads: ThreadReader
    worker: Worker
    pause: timedelta = PAUSE
    idle: timedelta = timedelta(seconds=30)
    """How long to sleep at most: meanwhile a thread may have become due."""

    async def run(self) -> None:
        names = [name for name, source in self.sources.items() if isinstance(source, ThreadedSource)]
        while names:
            due = await self.worker.persist(lambda: self.store.claim_looks(names, self.worker.leased(), AT_ONCE))
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
            await self.worker.persist(lambda: self.threads.look(page))
        except Exception:
            log.exception("a thread could not be looked at; that is tried again", thread=page.root)

    async def _rest(self, names: Sequence[str]) -> None:
        wait = self.idle
        due = await self.worker.persist(lambda: self.store.get_next_look(names))
        if due is not None:
            wait = min(wait, max(due - self.worker.clock(), timedelta(milliseconds=5)))
        await asyncio.sleep(wait.total_seconds())


def _server(page: Page) -> str:
    return next((urlsplit(post.origin).netloc for post in page.posts if isinstance(post, Post)), "")
