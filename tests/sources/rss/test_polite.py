"""The loops and the RSS source together, at servers that refuse the rude, and at a hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from relay.app import user_agent
from relay.config import load
from relay.http import Http
from relay.model import Destination
from relay.pipeline.ingest import Ingest
from relay.pipeline.subscriptions import Subscriptions
from relay.plugins import Hooks
from relay.records import Claim, Wanted
from relay.sources.feed_worker import FeedWorker
from relay.sources.rss import RssSettings, RssSource
from relay.store import Store, open_store
from relay.web import Web
from relay.web.site import Site
from tests.servers.feeds import Document, FeedServer
from tests.servers.hub import HubServer
from tests.support.feed_reading import fresh
from tests.support.fetching import client
from tests.support.outbox_cases import worker


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite://")
    yield opened
    await opened.close()


@asynccontextmanager
async def reading(
    store: Store, http: Http, addresses: Sequence[str], interval: str, hooks: Hooks | None = None
) -> AsyncIterator[None]:
    """The loops that read, with one destination that wants all the feeds."""
    settings = RssSettings.model_validate({"interval": interval})
    sources = {"rss": RssSource(settings, http, hooks=hooks, worker=FeedWorker())}
    ingest = Ingest(store=store, sources=sources, worker=worker(), idle=timedelta(milliseconds=20))
    subscriptions = Subscriptions(store=store, sources=sources, worker=worker(), origin="t", changed=ingest.refresh)
    await subscriptions.run([Wanted(topic=address, destination=Destination("fake", "a")) for address in addresses])
    loop = asyncio.create_task(ingest.run())
    try:
        yield
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await ingest.stop()


async def seeded(store: Store) -> None:
    async with asyncio.timeout(30):
        while not all(state.feed.seeded for state in await store.list_feeds()):
            await asyncio.sleep(0.01)


@pytest.mark.siege
async def test_two_hundred_feeds_on_strict_hosts_are_read_and_no_host_is_hurried(store: Store) -> None:
    """Each host refuses a second request while it answers one, and any that comes too soon after the last.

    The server gives a little: it shares this process, and may see the first of two requests late.
    """
    hosts = [f"127.0.0.{number}" for number in range(2, 22)]
    pace = 0.4
    async with FeedServer(hosts=hosts, gap=pace / 16) as server, client(trusted="127.0.0.0/8", pace=pace) as http:
        server.add_item("first")
        for number in range(10):
            server.put(f"/{number}", server._rss())
        addresses = [f"http://{host}:{server.port}/{number}" for number in range(10) for host in hosts]
        begun = asyncio.get_running_loop().time()
        async with reading(store, http, addresses, "1h"):
            await seeded(store)
        took = asyncio.get_running_loop().time() - begun
        assert [host.rude for host in server.hosts.values()] == [[]] * len(hosts)
        assert [len(host.begun) for host in server.hosts.values()] == [10] * len(hosts)
        assert min(host.begun[-1] - host.begun[0] for host in server.hosts.values()) > 8 * pace
        assert max(len(host.connections) for host in server.hosts.values()) <= 2  # one, or another after it was closed
        assert took < 10 * pace * len(hosts) / 3  # the hosts were read side by side


async def test_a_strict_server_refuses_who_is_rude() -> None:
    async with FeedServer(gap=0.2) as server, client() as http:
        replies = await asyncio.gather(*(http.get(f"{server.url}/html") for _ in range(2)))
    assert sorted(getattr(reply, "status", 0) for reply in replies) == [200, 429]
    (host,) = server.hosts.values()
    assert host.rude == ["2 requests at once"]


async def test_a_ping_is_delivered_at_once_though_polls_are_an_hour_apart(store: Store) -> None:
    topic = "https://bell.example/feed.xml"
    hooks = Hooks(base="http://127.0.0.1:1")
    web = Web(store, None, Site(name="relay"), hooks=hooks)
    await web.start("127.0.0.1", 0)
    hooks.base = web.url
    async with FeedServer() as feeds, HubServer() as hub, client() as http:
        link = {"Link": f'<{hub.url}>; rel="hub", <{topic}>; rel="self"'}
        feeds.add_item("first")
        address = feeds.put("/feed", Document(feeds._rss(), headers=link))
        async with reading(store, http, [address], "1h", hooks), asyncio.timeout(60):
            await hub.came.wait()
            feeds.add_item("news")
            feeds.put("/feed", Document(feeds._rss(), headers=link))
            assert await hub.tell(hub.asked[0]) == 202
            while not (await store.get_counts()).deliveries:
                await asyncio.sleep(0.01)
            (delivery,) = await store.claim_deliveries(Claim(adapters=("fake",), limit=9), worker("t").leased())
            assert delivery.card is not None
            assert delivery.card.post.title == "news"
            assert feeds.asked("/feed") == 2
    await web.stop()


@pytest.mark.parametrize(
    ("table", "contact"),
    [
        ('contact = "illa@ayllu.example"', "illa@ayllu.example"),
        ('public_url = "https://relay.ayllu.example"', "https://relay.ayllu.example"),
        ("", "self-hosted"),
    ],
)
async def test_publishers_are_told_who_asks_and_whom_to_write_to(tmp_path: Path, table: str, contact: str) -> None:
    path = tmp_path / "relay.toml"
    path.write_text(f'[relay]\n{table}\n[http]\nallow_private = ["127.0.0.1/32"]\npace = "0s"\n[sources.rss]\n')
    config = load(path, {})
    async with FeedServer() as server, Http(config.http, user_agent=user_agent(config)) as http:
        server.put("/feed.xml", Document(server._rss(), headers={"Set-Cookie": "id=1; Path=/"}))
        source = RssSource(RssSettings(), http)
        for _ in range(2):
            await source.poll(fresh(server.feed))
    for _, headers in server.requests:
        assert headers["User-Agent"].startswith("Chasqui/")
        assert headers["User-Agent"].endswith(f" ({contact})")
        assert not {"Cookie", "Referer"} & set(headers)
        assert "application/rss+xml" in headers["Accept"]
