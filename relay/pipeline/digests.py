"""Folds as people read them, and the loop that sends those that are due.

``fold_card`` is pure: the best of the posts, each with a link, and a link to the page where all of them stand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from relay.i18n import Words
from relay.model import Author, Card, Digest, DigestReason, Post, PostUri
from relay.phrases import bold, item, line
from relay.pipeline.worker import Worker
from relay.rich import Block, Span
from relay.store import Store
from relay.text import clean, cut, text_content

MOST: Mapping[DigestReason, int] = {
    DigestReason.BUDGET: 3,
    DigestReason.QUIET: 5,
    DigestReason.DIGEST: 10,
    DigestReason.MANY: 5,
    DigestReason.LATE: 5,
}
"""How many of the posts are named."""
BEGINNING = 140
"""Characters of each."""

Address = Callable[[str], str]
"""The address of a page by its path, as the readers can reach it; empty where they cannot."""


# --- what is said ---


def best(cards: Sequence[Card], most: int) -> list[Card]:
    """The posts to name: of each thread one, of each author one before another; long threads, then pictures, then news.

    ``cards`` come newest first. How often a post was liked is not known, and would be an hour old.
    """
    threads: dict[str, Card] = {}
    for card in reversed(cards):  # a thread is told by its first post that is here
        threads.setdefault(card.thread.root if card.thread else card.post.uri, card)
    ranked = sorted(threads.values(), key=_merit, reverse=True)
    turn: dict[str, int] = {}
    rounds = []
    for place, card in enumerate(ranked):
        turn[card.post.author.uri] = turn.get(card.post.author.uri, 0) + 1
        rounds.append((turn[card.post.author.uri], place, card))
    return [card for _, _, card in sorted(rounds, key=lambda one: one[:2])[:most]]


def _merit(card: Card) -> tuple[int, bool, datetime, str]:
    return (card.thread.count if card.thread else 1), bool(card.post.media), card.post.published, card.post.uri


def digest_card(digest: Digest, *, name: str, address: Address, say: Words) -> Card:
    """The digest as one message of the relay's own: what it is, the best of it, and where the rest is."""
    shown = best(digest.best, MOST[digest.reason])
    page = address(f"fold/{digest.slug}")
    entries = tuple(_entry(card, address, say) for card in shown)
    rest = tuple(_rest(digest, len(shown), page, address, say))
    post = Post(
        uri=PostUri(f"fold:{digest.slug}"),
        url=page or f"fold:{digest.slug}",
        source="",
        origin="",
        author=Author(uri="", name=name),
        published=digest.since,
        title=_title(digest, say),
        body=(*entries, *rest),
        language=say.tag,
    )
    return Card(post=post, reason=digest.topic, own=True)


def _title(digest: Digest, say: Words) -> str:
    count, topic = digest.count, clean(digest.topic, limit=100)
    match digest.reason:
        case DigestReason.BUDGET:
            return say.many("{n} more on {topic}", "{n} more on {topic}", count, topic=topic)
        case DigestReason.QUIET:
            return say.many(
                "{n} post on {topic} during quiet hours",
                "{n} posts on {topic} during quiet hours",
                count,
                topic=topic,
            )
        case DigestReason.DIGEST:
            return say.many("{topic}: {n} post", "{topic}: the best of {n} posts", count, topic=topic)
        case DigestReason.MANY:
            return say.many("{n} more entry in {topic}", "{n} more entries in {topic}", count, topic=topic)
        case DigestReason.LATE:
            return say.many(
                "{n} older entry was added to {topic}", "{n} older entries were added to {topic}", count, topic=topic
            )


def _entry(card: Card, address: Address, say: Words) -> Block:
    post = card.post
    name = clean(post.author.name, limit=60)
    page = address(f"t/{card.unroll}") if card.unroll and not post.author.refuses else ""
    count = card.thread.count if card.thread else 1
    words = Span(_beginning(card, say), page or post.url)
    if count > 1:
        thread = say.many("a thread of {n}", "a thread of {n}", count)
        return item("{author} — {words} ({thread})", author=bold(name), words=words, thread=thread)
    return item("{author} — {words}", author=bold(name), words=words)


def _beginning(card: Card, say: Words) -> str:
    post = card.post
    if post.warning:
        return say("Content warning: {warning}").format(warning=clean(post.warning, limit=100))
    words = clean(post.title, limit=BEGINNING) or clean(text_content(cut(post.body, BEGINNING)), limit=BEGINNING)
    return words or say("a post without text")


def _rest(digest: Digest, shown: int, page: str, address: Address, say: Words) -> Iterator[Block]:
    """What is not named, and the hashtag's page, where everything on it stands."""
    count = digest.count - shown
    if count > 0:
        more = say.many("and {n} more", "and {n} more", count)
        yield line("{more}", more=Span(more, page) if page else more)
    if digest.listed > digest.count and page:
        every = say.many("all {n} on one page", "all {n} on one page", digest.listed)
        yield line("{every}", every=Span(every, page))
    if digest.tag and (there := address(f"tag/{quote(digest.tag)}")):
        yield line("{page}", page=Span(say("All posts on {topic}").format(topic=clean(digest.topic, limit=100)), there))


# --- the loop ---


@dataclass(kw_only=True)
class DigestLoop:
    """Sends digests and what quiet hours held back, when they are due, until cancelled."""

    store: Store
    worker: Worker
    sent: Callable[[], None] = lambda: None
    """Called when the due ones have become deliveries."""
    idle: timedelta = timedelta(seconds=30)
    """How long to sleep at most: meanwhile a digest may have been opened that is due before."""
    due: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it to have it look at once."""

    async def run(self) -> None:
        while True:
            self.due.clear()  # before the look: what is told of while the store is asked is looked at next
            following = await self.worker.persist(lambda: self.store.save_due_digests(self.worker.clock()))
            self.sent()
            wait = self.idle
            if following is not None:
                wait = min(wait, max(following - self.worker.clock(), timedelta(milliseconds=5)))
            with suppress(TimeoutError):
                async with asyncio.timeout(wait.total_seconds()):
                    await self.due.wait()
