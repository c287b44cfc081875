"""The source within the core: streams, polls and the real store together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from relay.model import Destination, Post
from relay.pipeline.ingest import Ingest
from relay.pipeline.subscriptions import Subscriptions
from relay.records import Claim, Settlement, State, Wanted
from relay.sources.mastodon import MastodonSource
from relay.sources.mastodon.budget import Budgets
from relay.store import Store, open_store
from tests.servers.mastodon.fediverse import Fediverse, asking, run
from tests.support.mastodon_listening import SOON
from tests.support.outbox_cases import worker

TOKEN = "tok-4yllu"
HASHTAGS = ["#rivers", "#lakes", "#rivers #lakes"]


@asynccontextmanager
async def relaying(store: Store, source: MastodonSource) -> AsyncIterator[None]:
    """Both hashtags are brought into one room, until the block ends."""
    sources = {"mastodon": source}
    ingest = Ingest(store=store, sources=sources, worker=worker(), idle=timedelta(milliseconds=20))
    subscriptions = Subscriptions(store=store, sources=sources, worker=worker(), origin="test", changed=ingest.refresh)
    room = Destination.parse("fake:a")
    await subscriptions.run([Wanted(topic=topic, destination=room) for topic in HASHTAGS[:2]])
    reading = asyncio.create_task(ingest.run())
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await ingest.stop()


async def deliveries(store: Store) -> list[str]:
    """The uris of what waits to be sent; it counts as sent."""
    found: list[str] = []
    while some := await store.claim_deliveries(Claim(adapters=("fake",), limit=99), worker("t").leased()):
        found += [one.uri for one in some]
        now = worker("t").clock()
        done = [Settlement(delivery=d.id, destination=d.destination, state=State.SENT, due=now) for d in some]
        await store.save_settlements(done, worker("t").leased())
    return found


async def write_and_break(dice: random.Random, live: Fediverse, plain: Fediverse, posts: int) -> set[str]:
    """Each post is on one of the servers or on both, and the stream breaks off at any moment; the uris."""
    sent: set[str] = set()
    while len(sent) < posts:
        for _ in range(dice.choice([1, 1, 5, 40, 90])):
            uri = f"https://ayllu.example/users/illa/statuses/{len(sent)}"
            text = f"{dice.choice(HASHTAGS)} {len(sent)}"
            for server in dice.choice([[live], [plain], [live, plain]]):
                server.post(text, "illa@ayllu.example", uri=uri)
            sent.add(uri)
        if dice.random() < 0.1:
            live.streams.drop()
        live.streams.refuses = 503 if dice.random() < 0.1 else 0
        await asyncio.sleep(dice.choice([0, 0.001, 0.05]))
    live.streams.refuses = 0
    return sent


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("posts", "seed"), [(300, 0), (300, 1), pytest.param(10_000, 2, marks=pytest.mark.siege)])
async def test_over_many_posts_and_disconnects_each_is_delivered_once(posts: int, seed: int) -> None:
    store = await open_store("sqlite://")
    found: list[str] = []
    async with run() as live, run() as plain:
        live.tokens = {TOKEN}
        async with (
            asking(
                live.base,
                plain.base,
                tokens={live.base: TOKEN},
                patience=SOON,
                budgets=Budgets(here=1_000),
                interval="200ms",
            ) as source,
            relaying(store, source),
        ):
            await live.streams.listening("rivers", "lakes")
            sent = await write_and_break(random.Random(seed), live, plain, posts)
            async with asyncio.timeout(180):
                while len(found) < len(sent):
                    found += await deliveries(store)
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)  # nothing more may come: there is no event for that
            found += await deliveries(store)
    await store.close()
    assert len(found) == len(set(found))
    assert set(found) == sent


PICTURE = {"id": "1", "type": "image", "url": "https://files.example/1.png", "description": "A rope bridge"}


@pytest.mark.parametrize("first", ["rich", "poor"])
async def test_of_two_servers_copies_the_richer_one_is_on_the_page_whichever_came_first(first: str) -> None:
    """And the message is one: edited where it was the poorer one that was sent."""
    store = await open_store("sqlite://")
    uri = "https://ayllu.example/users/illa/statuses/1"
    copies = {"rich": [PICTURE], "poor": [PICTURE | {"url": None, "description": None}]}
    second = "poor" if first == "rich" else "rich"
    async with (
        run() as one,
        run() as other,
        asking(one.base, other.base, interval="50ms", budgets=Budgets(here=1_000)) as source,
        relaying(store, source),
        asyncio.timeout(20),
    ):
        while not all(state.feed.seeded for state in await store.list_feeds()):
            await asyncio.sleep(0.01)
        one.post("#rivers", "illa@ayllu.example", uri=uri, media_attachments=copies[first])
        while not (sent := await deliveries(store)):
            await asyncio.sleep(0.01)
        asked = len(other.asked)
        other.post("#rivers", "illa@ayllu.example", uri=uri, media_attachments=copies[second])
        while len(other.asked) < asked + 4:  # both hashtags were polled twice
            await asyncio.sleep(0.01)
        while first == "poor" and not (edits := await deliveries(store)):
            await asyncio.sleep(0.01)
        page = await store.get_page_of(uri)
    await store.close()
    assert sent == [uri]
    assert first == "rich" or edits == [uri]
    assert page
    assert [media.alt for post in page.posts if isinstance(post, Post) for media in post.media] == ["A rope bridge"]
