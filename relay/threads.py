"""Looks at a thread at its source, and keeps what is found there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relay.lease import Tenure
from relay.model import Edited, Event, Post, Published, Removed, Thread
from relay.ports import Gone, Intake, Page, Refused, Source, Store, ThreadedSource, TryLater
from relay.unroll import unroll


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """Asks the sources for whole threads."""

    store: Store
    sources: Mapping[str, Source]
    tenure: Tenure

    async def look(self, page: Page) -> Page:
        """The page after its source was asked again; the page as it was where the source does not answer."""
        known = next((post for post in page.posts if isinstance(post, Post)), None)
        source = self.sources.get(known.source) if known else None
        if known is None or not isinstance(source, ThreadedSource):
            return page
        for name in (known.uri, *known.aliases):  # where its own server is no help, another that has a copy may be
            answer = await source.fetch_thread(name)
            if not isinstance(answer, Refused):
                break
        if isinstance(answer, Refused | TryLater | Gone):
            return page
        thread = unroll(answer, known.uri)
        intake = Intake(feed=None, events=_events(thread) if thread else (), looked=page.root)
        await self.store.add_intakes([intake], self.tenure.leased())
        return await self.store.get_page(page.slug) or page

    async def keep(self, thread: Thread) -> Page | None:
        """The page of a thread that a source has just told; None where nothing of it may be kept."""
        posts = [post for post in thread.posts if isinstance(post, Post)]
        if not posts or posts[0].author.refuses:
            return None
        intake = Intake(feed=None, events=_events(thread), looked=posts[0].uri)
        await self.store.add_intakes([intake], self.tenure.leased())
        return await self.store.get_page_of(posts[0].uri)


def _events(thread: Thread) -> tuple[Event, ...]:
    """Posts not known yet are published (and asked for by nobody); the others may have been edited."""
    posts = [post for post in thread.posts if not isinstance(post, Removed)]
    posts += [post for chain in thread.asides for post in chain]
    return tuple(event(post) for post in posts for event in (Published, Edited))


async def fetch(ref: str, sources: Sequence[Source]) -> Thread | Refused | TryLater | Gone:
    """The thread in which a web address stands, from the first source that knows it."""
    reasons: list[str] = []
    for source in sources:
        if not isinstance(source, ThreadedSource):
            continue
        answer = await source.fetch_thread(ref)
        if isinstance(answer, Refused):
            reasons.append(f"{source.name}: {answer.reason}")
            continue
        if isinstance(answer, TryLater | Gone):
            return answer
        if (thread := unroll(answer, answer[0].uri) if answer else None) is not None:
            return thread
    return Refused("; ".join(reasons) or "no source that can fetch threads is configured")
