"""WebSub: hubs are found, asked, asked back by, believed where they know the secret, and asked again in time."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.pipeline.streams import Watch
from relay.plugins import Hooks
from relay.ports import Streamed, StreamingSource
from relay.sources.rss.push import (
    AGAIN,
    BETWEEN,
    RENEW,
    VERIFIED_WITHIN,
    challenge,
    is_denied,
    is_for_neighbours,
    is_signed,
    lease,
)
from relay.store import open_store
from relay.web import Web
from relay.web.site import Site
from tests.servers.feeds import Document, FeedServer
from tests.servers.hub import Asked, HubServer
from tests.support.feed_reading import NOW, Reader

TOPIC = "https://bell.example/feed.xml"


# --- what is believed ---


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ({"mode": "subscribe", "topic": TOPIC, "challenge": "x"}, "x"),
        ({"mode": "subscribe", "topic": TOPIC}, None),
        ({"mode": "subscribe", "topic": TOPIC, "challenge": "x" * 3000}, None),
        ({"mode": "subscribe", "topic": TOPIC + "?", "challenge": "x"}, None),
        ({"mode": "unsubscribe", "topic": TOPIC, "challenge": "x"}, None),
        ({"topic": TOPIC, "challenge": "x"}, None),
        ({}, None),
    ],
)
def test_a_hub_is_echoed_only_what_we_asked_for(query: dict[str, str], answer: str | None) -> None:
    assert challenge({f"hub.{name}": value for name, value in query.items()}, TOPIC) == answer


def test_a_hub_may_refuse_what_we_asked_for_and_nothing_else() -> None:
    assert is_denied({"hub.mode": "denied", "hub.topic": TOPIC}, TOPIC)
    assert not is_denied({"hub.mode": "denied", "hub.topic": "https://else.example/"}, TOPIC)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("864000", timedelta(days=10)),
        ("0", timedelta(minutes=1)),
        ("9999999999", timedelta(days=30)),
        ("", timedelta(days=1)),
        ("-5", timedelta(days=1)),
        ("ten days", timedelta(days=1)),
    ],
)
def test_a_lease_is_the_hubs_to_choose_within_reason(said: str, meant: timedelta) -> None:
    assert lease({"hub.lease_seconds": said} if said else {}) == meant


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", "sha256", "=", "md5=5d41402abc4b2a76b9719d911017c592", "sha1=ñ", "SHA999=00", "sha256=" + "0" * 64],
)
def test_what_is_not_signed_is_not_believed(signature: str) -> None:
    assert not is_signed({"x-hub-signature": signature} if signature else {}, b"hello", "quipu")


def test_a_signature_counts_in_either_case() -> None:
    good = hmac.new(b"quipu", b"hello", "sha512").hexdigest().upper()
    assert is_signed({"x-hub-signature": f"SHA512={good}"}, b"hello", "quipu")


@given(st.text(max_size=100), st.binary(max_size=100))
def test_whatever_is_signed_raises_nothing(signature: str, body: bytes) -> None:
    assert is_signed({"x-hub-signature": signature}, body, "quipu") is False


@pytest.mark.parametrize(
    ("url", "neighbours"),
    [
        ("https://relay.example.org/x", False),
        ("http://93.184.215.14:8080", False),
        ("http://localhost:8080", True),
        ("http://relay.localhost", True),
        ("http://raspberrypi", True),
        ("https://relay.local", True),
        ("https://relay.lan.", True),
        ("https://relay.home.arpa", True),
        ("https://local.example.org", False),
    ],
)
def test_a_name_that_only_neighbours_know_is_no_address_for_a_hub(url: str, neighbours: bool) -> None:
    assert is_for_neighbours(url) is neighbours


# --- at a hub ---


@dataclass
class Scene:
    """A feed, its hub, and a relay that listens."""

    feeds: FeedServer
    hub: HubServer
    reader: Reader
    watch: Watch = field(default_factory=Watch)
    heard: asyncio.Queue[Streamed] = field(default_factory=asyncio.Queue)

    @property
    def address(self) -> str:
        return self.reader.feed.address

    def publish(self, **headers: str) -> None:
        """Serve the feed, with a Link to its hub."""
        link = f'<{self.hub.url}>; rel="hub", <{TOPIC}>; rel="self"'
        self.feeds.put("/feed", Document(self.feeds._rss(), headers={"Link": link, **headers}))

    async def listen(self) -> None:
        async with aclosing(self.reader.source.stream("websub", self.watch, "")) as stream:  # type: ignore[type-var]  # a generator
            async for streamed in stream:
                self.heard.put_nowait(streamed)

    def watch_feed(self) -> None:
        self.watch.become({self.address: self.reader.feed}, frozenset())

    async def subscribed(self, count: int = 1) -> Asked:
        """The latest request, once there are ``count`` and each has been dealt with."""
        while len(self.hub.asked) < count or not self.hub.came.is_set():
            self.hub.came.clear()
            await self.hub.came.wait()
        await self.quiet()
        return self.hub.asked[-1]

    async def quiet(self) -> None:
        """Until the stream has nothing to do."""
        held = self.reader.source.push._held.values()
        while any(one.asking for one in held):
            await asyncio.sleep(0.005)
        for _ in range(5):
            await asyncio.sleep(0)

    async def pass_time(self, time: timedelta) -> None:
        self.reader.now += time
        self.reader.source.push.look()
        for _ in range(20):
            await asyncio.sleep(0)
        await self.quiet()


@asynccontextmanager
async def relay_at_loopback() -> AsyncIterator[Hooks]:
    """The web server of a relay, whose public address is on loopback: that is trusted here."""
    hooks = Hooks(base="http://127.0.0.1:1")
    store = await open_store("sqlite://")
    web = Web(store, None, Site(name="relay"), hooks=hooks)
    await web.start("127.0.0.1", 0)
    hooks.base = web.url
    yield hooks
    await web.stop()
    await store.close()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A feed that was read once and is listened for; its hub has not been asked yet."""
    async with (
        FeedServer() as feeds,
        HubServer() as hub,
        relay_at_loopback() as hooks,
        Reader(f"{feeds.url}/feed", hooks=hooks) as reader,
        asyncio.timeout(20),
    ):
        scene = Scene(feeds, hub, reader)
        feeds.add_item("first")
        scene.publish()
        await reader.poll()
        listening = asyncio.create_task(scene.listen())
        yield scene
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_a_hub_is_asked_asks_back_and_a_ping_means_poll_now(scene: Scene) -> None:
    scene.watch_feed()
    asked = await scene.subscribed()
    assert asked.verified
    assert (asked.form["hub.mode"], asked.topic) == ("subscribe", TOPIC)
    assert asked.callback.startswith(f"{scene.reader.source.push._hooks.base}/hook/websub-")
    assert len(asked.callback.partition("websub-")[2]) >= 32
    assert await scene.hub.tell(asked) == 202
    assert await scene.heard.get() == Streamed(missed=(scene.address,))


async def test_while_a_hub_tells_polls_are_slow_and_when_it_stops_they_are_not(scene: Scene) -> None:
    assert (await scene.reader.poll()).wait is None
    scene.watch_feed()
    await scene.subscribed()
    await scene.pass_time(timedelta(0))
    assert (await scene.reader.poll()).wait == 6 * scene.reader.source.interval
    scene.reader.now += timedelta(days=10)
    scene.feeds.add_item("news")
    scene.publish()
    assert (await scene.reader.poll()).wait is None


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
async def test_who_knows_the_secret_is_believed(scene: Scene, algorithm: str) -> None:
    scene.watch_feed()
    await scene.hub.tell(await scene.subscribed(), algorithm=algorithm)
    assert (await scene.heard.get()).missed == (scene.address,)


async def test_who_does_not_know_the_secret_is_answered_well_and_not_believed(scene: Scene) -> None:
    scene.watch_feed()
    asked = await scene.subscribed()
    assert await scene.hub.tell(asked, secret="guessed") == 202
    assert await scene.hub.tell(asked, algorithm="") == 202
    assert await scene.hub.tell(asked, algorithm="md5") == 202
    await scene.pass_time(BETWEEN)
    assert scene.heard.empty()


async def test_a_hub_that_tells_too_much_has_the_feed_polled_now_and_then(scene: Scene) -> None:
    scene.watch_feed()
    asked = await scene.subscribed()
    for _ in range(20):
        await scene.hub.tell(asked)
    assert (await scene.heard.get()).missed
    await scene.hub.tell(asked)
    await scene.pass_time(BETWEEN / 2)
    assert scene.heard.empty()
    await scene.pass_time(BETWEEN)
    assert (await scene.heard.get()).missed
    await scene.pass_time(BETWEEN)
    assert scene.heard.empty()


async def test_a_lease_is_renewed_in_time_at_the_same_callback(scene: Scene) -> None:
    scene.hub.lease = 3600
    scene.watch_feed()
    first = await scene.subscribed()
    await scene.pass_time(timedelta(hours=RENEW) - timedelta(seconds=1))
    assert len(scene.hub.asked) == 1
    await scene.pass_time(timedelta(seconds=1))
    again = await scene.subscribed(2)
    assert again.verified
    assert (again.callback, again.form["hub.secret"]) == (first.callback, first.form["hub.secret"])
    await scene.hub.tell(again)
    assert (await scene.heard.get()).missed


async def test_nobody_else_can_have_the_relay_confirm_anything(scene: Scene) -> None:
    scene.watch_feed()
    asked = await scene.subscribed()
    assert not await scene.hub.verify(asked, topic="https://else.example/feed")
    assert not await scene.hub.verify(asked, mode="unsubscribe")
    assert not await scene.hub.verify(asked, mode="<script>")
    assert (await scene.hub.get(asked.callback))[0] == 404
    assert (await scene.hub.get(asked.callback[:-1] + "!"))[0] == 404
    async with aiohttp.ClientSession() as client, client.get(f"{asked.callback}x?hub.mode=subscribe") as answer:
        assert answer.status == 404


async def test_a_feed_that_nobody_wants_any_more_is_told_of_in_vain(scene: Scene) -> None:
    scene.watch_feed()
    asked = await scene.subscribed()
    scene.watch.become({}, frozenset())
    await scene.pass_time(timedelta(0))
    assert await scene.hub.tell(asked) == 404
    assert not await scene.hub.verify(asked)
    await scene.pass_time(timedelta(days=30))
    assert len(scene.hub.asked) == 1


async def test_a_hub_that_refuses_is_told_and_asked_again_ever_later(scene: Scene) -> None:
    scene.hub.status = 400
    scene.watch_feed()
    await scene.subscribed()
    note = (await scene.heard.get()).note
    assert note == f"the hub 127.0.0.1 does not tell of {TOPIC}: answered 400"
    await scene.pass_time(AGAIN)
    assert len(scene.hub.asked) == 2
    await scene.pass_time(AGAIN)
    assert len(scene.hub.asked) == 2
    scene.hub.status = 202
    await scene.pass_time(AGAIN)
    assert (await scene.subscribed(3)).verified
    assert (await scene.heard.get()).note == ""


async def test_a_hub_that_never_asks_back_is_asked_again(scene: Scene) -> None:
    scene.hub.asks_back = False
    scene.watch_feed()
    asked = await scene.subscribed()
    assert (await scene.reader.poll()).wait is None
    await scene.pass_time(VERIFIED_WITHIN * 0.9)
    assert len(scene.hub.asked) == 1
    await scene.pass_time(VERIFIED_WITHIN * 0.1)
    await scene.subscribed(2)
    assert await scene.hub.verify(asked)  # later than it answered: that is how many do it


async def test_a_hub_that_says_no_is_told(scene: Scene) -> None:
    scene.hub.asks_back = False
    scene.watch_feed()
    asked = await scene.subscribed()
    assert await scene.hub.get(asked.callback, mode="denied", topic=TOPIC, reason="private") == (200, "")
    assert (await scene.heard.get()).note == f"the hub 127.0.0.1 refuses to tell of {TOPIC}"


async def test_a_hub_within_a_private_network_is_not_asked(scene: Scene) -> None:
    link = f'<http://10.0.0.7/hub>; rel="hub", <{TOPIC}>; rel="self"'
    scene.feeds.add_item("second")
    scene.publish(Link=link)
    await scene.reader.poll()
    scene.watch_feed()
    assert "10.0.0.7 is not on the public internet" in (await scene.heard.get()).note


async def test_a_feed_that_changes_its_hub_is_told_of_by_the_new_one(scene: Scene) -> None:
    scene.watch_feed()
    first = await scene.subscribed()
    async with HubServer() as new:
        scene.hub, old = new, scene.hub
        scene.feeds.add_item("second")
        scene.publish()
        await scene.reader.poll()
        again = await scene.subscribed()
        assert again.callback != first.callback
        assert await old.tell(first) == 404
        await new.tell(again)
        assert (await scene.heard.get()).missed == (scene.address,)


async def test_after_a_restart_the_hub_of_what_was_read_before_is_asked_anew(scene: Scene) -> None:
    scene.reader.source.push._hubs.clear()  # another process read it
    assert '"hub":' in scene.reader.feed.cursor
    scene.watch_feed()
    assert (await scene.subscribed()).verified


@pytest.mark.parametrize(
    "base", ["", "http://10.0.0.7", "http://localhost:8080", "http://relay", "ftp://relay.example", "http://[::1"]
)
async def test_a_relay_that_hubs_cannot_reach_listens_for_none_and_polls_as_ever(base: str) -> None:
    async with FeedServer() as feeds, Reader(feeds.feed, hooks=Hooks(base=base)) as reader:
        assert reader.source.streams() == ()
        feeds.put("/feed.xml", Document(feeds._rss(), headers={"Link": f'<{TOPIC}>; rel="hub self"'}))
        assert (await reader.poll()).wait is None


async def test_the_source_streams(scene: Scene) -> None:
    assert isinstance(scene.reader.source, StreamingSource)
    assert scene.reader.source.streams() == ("websub",)
    assert scene.reader.now == NOW
