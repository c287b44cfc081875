"""Whatever one server sends within the size limits, the event loop goes on: no turn of it takes a quarter of a second.

Every kind of hostile text and document goes through every source. A few of them each time, all of them where the tests
that take minutes are wanted.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from functools import partial

import pytest

from adapters.discord.card import message as discord
from adapters.matrix.card import message as matrix
from adapters.telegram.card import message as telegram
from adapters.telegram.rich import rich
from relay.model import Feed, FeedId, Post
from relay.pipeline.streams import Watch as Watched
from relay.ports import Batch
from relay.sources.bluesky.firehose import Firehose, RecordCommit
from relay.sources.bluesky.records import read_record
from relay.sources.mastodon.live import MASTODON, WantedTags
from relay.sources.off_loop import off_loop
from relay.sources.rss import RssSettings, RssSource
from relay.testing import post
from relay.text import brief, from_html, from_plain
from relay.web.markdown import text_markdown
from tests.servers.bluesky import xrpc
from tests.servers.feeds import FeedServer
from tests.servers.mastodon import fediverse
from tests.support import hostile_documents as documents
from tests.support.discord_bodies import STYLES, card
from tests.support.discord_bodies import look as discord_look
from tests.support.feed_discovery_cases import HOSTILE
from tests.support.hostile import KINDS, MARKUP
from tests.support.loop_watch import TICK, watched
from tests.support.matrix_bodies import LOOK as MATRIX
from tests.support.telegram_bodies import LOOK as TELEGRAM

LONGEST = 0.25
"""Seconds for which the loop may be held."""
POSTS, LENGTH = 4, 120_000
"""On a page, and the characters of each: more than are read."""
DOCUMENT = 4_000_000
"""Bytes of a document whose shape is the harm."""
RUNS = 3
"""A busy machine makes a turn of the loop longer, never shorter."""

TEXTS = tuple(KINDS)
FEWER = TEXTS[::3]
"""Where a page takes long, though not the loop's time."""

pytestmark = [pytest.mark.siege, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def a_heap_of_its_own() -> Iterator[None]:
    """What thousands of other tests left in the memory of this process is not looked through while one is measured."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


async def _held(work: Callable[[], Awaitable[object]]) -> float:
    """Seconds for which the loop was held at most, in the best of some runs."""
    least = float("inf")
    for _ in range(RUNS):
        async with watched() as watch:
            await work()
        least = min(least, watch.held)
        if least < LONGEST / 2:
            break
    return least


async def _check(works: AsyncIterator[tuple[str, Callable[[], Awaitable[object]]]]) -> None:
    held = {name: await _held(work) async for name, work in works}
    worst = sorted(held.items(), key=lambda one: -one[1])[:10]
    print("\n".join(f"{seconds:.3f} s {name}" for name, seconds in worst))
    assert worst[0][1] < LONGEST, worst


def _feed(source: str, address: str) -> Feed:
    return Feed(id=FeedId(1), source=source, address=address)


async def test_a_poll_of_mastodon_does_not_hold_the_loop() -> None:
    async def works() -> AsyncIterator[tuple[str, Callable[[], Awaitable[object]]]]:
        async with fediverse.run() as stage, fediverse.asking(stage.base) as source:
            poll = partial(source.poll, _feed("mastodon", f"{stage.base}/api/v1/timelines/tag/qeswachaka"))
            posts = [documents.status(stage.base, number, content="<a>" * 333_333) for number in reversed(range(9))]
            nine = json.dumps(posts).encode()
            pages = {"nine of a million": nine} | {
                kind: documents.statuses(stage.base, KINDS[kind], LENGTH, POSTS) for kind in TEXTS
            }
            pages |= {name: made(stage.base, DOCUMENT) for name, made in documents.SHAPES.items()}
            for name, page in pages.items():
                stage.says.clear()
                stage.say("timelines/tag", page)
                yield name, poll

    await _check(works())


async def test_a_stream_of_mastodon_does_not_hold_the_loop() -> None:
    """A frame holds a megabyte at most."""
    wanted = WantedTags("https://ayllu.example")

    async def works() -> AsyncIterator[tuple[str, Callable[[], Awaitable[object]]]]:
        for kind in TEXTS:
            page = documents.statuses(wanted.base, KINDS[kind], LENGTH, 1)
            frame = b'{"stream":["hashtag","a"],"event":"update","payload":%s}' % page[1:-1]
            text = frame.decode()[: 2**20]
            yield kind, partial(off_loop, len(text), partial(MASTODON.hear, text, wanted, ()))

    await _check(works())


async def test_a_poll_of_misskey_does_not_hold_the_loop() -> None:
    async def works() -> AsyncIterator[tuple[str, Callable[[], Awaitable[object]]]]:
        async with fediverse.run() as stage, fediverse.asking(stage.base) as source:
            stage.software = "misskey"
            poll = partial(source.poll, _feed("mastodon", f"{stage.base}/api/v1/timelines/tag/qeswachaka"))
            for kind in TEXTS:
                stage.says.clear()
                stage.say("notes/search-by-tag", documents.notes(stage.base, KINDS[kind], LENGTH, POSTS))
                yield kind, poll

    await _check(works())


async def test_bluesky_does_not_hold_the_loop() -> None:
    async def works() -> AsyncIterator[tuple[str, Callable[[], Awaitable[object]]]]:
        async with xrpc.run() as stage, xrpc.asking(stage) as source:
            poll = partial(source.poll, _feed("bluesky", documents.DID))
            thread = partial(source.fetch_thread, f"at://{documents.DID}/app.bsky.feed.post/3k0")
            for kind in FEWER:
                stage.says.clear()
                stage.say("getAuthorFeed", documents.views(KINDS[kind], LENGTH, POSTS))
                stage.say("getPostThread", documents.thread(KINDS[kind], LENGTH, POSTS))
                yield f"poll: {kind}", poll
                yield f"thread: {kind}", thread

    await _check(works())


async def test_a_jetstream_does_not_hold_the_loop() -> None:
    watch = Watched()
    watch.become({documents.DID: _feed("bluesky", documents.DID)}, frozenset({"qeswachaka"}))

    async def works() -> AsyncIterator[tuple[str, Callable[[], Awaitable[object]]]]:
        for number, kind in enumerate(TEXTS):
            message = documents.commit(KINDS[kind], LENGTH, 1_772_366_400_000_000 + number)

            async def take(message: bytes = message) -> None:
                for one in Firehose(watch).read(message):
                    assert isinstance(one, RecordCommit)
                    read = partial(read_record, one.did, one.rkey, one.cid, one.record, one.told)
                    await off_loop(len(one.record), read)

            yield kind, take

    await _check(works())


async def test_feeds_do_not_hold_the_loop() -> None:
    async def works() -> AsyncIterator[tuple[str, Callable[[], Awaitable[object]]]]:
        async with FeedServer() as server, xrpc.client() as http:
            source = RssSource(RssSettings(), http)
            poll = partial(source.poll, _feed("rss", f"{server.url}/hostile.xml"))
            pages = {kind: documents.feed(KINDS[kind], LENGTH, POSTS) for kind in FEWER}
            pages |= {f"shape: {name}": made(DOCUMENT // 4) for name, made in documents.FEEDS.items()}
            for name, page in pages.items():
                server.put("/hostile.xml", page)
                yield name, poll

    await _check(works())


async def test_packed_answers_do_not_hold_the_loop() -> None:
    bomb = gzip.compress(bytes(30_000_000))
    packed = {"a bomb": bomb, "a bomb in a bomb": gzip.compress(bomb), "streams": gzip.compress(bytes(9_000)) * 20_000}

    async def works() -> AsyncIterator[tuple[str, Callable[[], Awaitable[object]]]]:
        async with FeedServer() as server, xrpc.client() as http:
            for name, body in packed.items():
                yield name, partial(http.get, server.put("/packed", body))

    await _check(works())


async def test_pages_that_lead_to_feeds_do_not_hold_the_loop() -> None:
    async def works() -> AsyncIterator[tuple[str, Callable[[], Awaitable[object]]]]:
        async with FeedServer() as server, xrpc.client() as http:
            source = RssSource(RssSettings(), http)
            poll = partial(source.poll, _feed("rss", f"{server.url}/hostile.html"))
            for hostile in HOSTILE:
                page = hostile.page
                server.put("/hostile.html", b"<!doctype html><html>" + page)
                yield f"page: {page[:20]!r}", poll

    await _check(works())


def _bodies() -> Mapping[str, Post]:
    texts = {kind: KINDS[kind](LENGTH) for kind in TEXTS}
    read = {kind: from_html(text) if kind in MARKUP else from_plain(text) for kind, text in texts.items()}
    return {kind: post(1, body=body) for kind, body in read.items()}


async def test_no_card_and_no_page_holds_the_loop() -> None:
    """The outbox hands the adapters the beginning of a long post (:func:`relay.text.brief`); pages show all of it."""

    async def works() -> AsyncIterator[tuple[str, Callable[[], Awaitable[object]]]]:
        for kind, shown in _bodies().items():
            sent = card(brief(shown))
            yield (
                kind,
                partial(
                    _one_by_one,
                    *(partial(discord, sent, discord_look(style)) for style in STYLES),
                    partial(telegram, sent, TELEGRAM),
                    partial(rich, [sent], TELEGRAM),
                    partial(matrix, sent, MATRIX),
                    partial(text_markdown, shown.body),
                ),
            )

    await _check(works())


async def _one_by_one(*works: Callable[[], object]) -> None:
    for work in works:
        work()
        await asyncio.sleep(TICK)


def test_there_are_many_kinds() -> None:
    assert len(KINDS) + len(documents.SHAPES) + len(documents.FEEDS) > 120


async def test_what_is_honest_is_read_beside_it() -> None:
    """The corpus reaches the readers: a page of it is a page of posts."""
    async with fediverse.run() as stage, fediverse.asking(stage.base) as source:
        stage.say("timelines/tag", documents.statuses(stage.base, KINDS["paragraphs"], LENGTH, POSTS))
        batch = await source.poll(_feed("mastodon", f"{stage.base}/api/v1/timelines/tag/qeswachaka"))
    assert isinstance(batch, Batch)
    assert len(batch.events) == POSTS
