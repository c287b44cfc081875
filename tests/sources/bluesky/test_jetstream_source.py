"""The stream as the core gets it: posts with their authors, from a Jetstream and an AppView on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from relay.model import Deleted, Feed, FeedId, Post, Published
from relay.pipeline.streams import Watch
from relay.ports import Check, Streamed
from relay.sources.bluesky import BlueskySource
from relay.sources.bluesky.source import check_streams as check
from relay.sources.bluesky.stream import JetstreamReader
from relay.text import plain
from tests.servers.bluesky.jetstream import Jetstream, Network, did, tid
from tests.servers.bluesky.world import label
from tests.servers.bluesky.xrpc import Stage, asking, run
from tests.support.fetching import client

pytestmark = pytest.mark.timeout(60)


@dataclass
class Bluesky:
    """One network: what the firehose tells is what the AppView knows."""

    stage: Stage
    network: Network
    jetstream: Jetstream
    source: BlueskySource

    def post(self, by: str, text: str, *, known: bool = True, **more: Any) -> str:
        self.stage.world.person(by)
        uri = self.network.post(by, text, **more)
        self.stage.world.records[uri] = json.loads(self.network.told[-1].raw)["commit"]["record"]
        if not known:
            self.stage.world.unknown.add(uri)
        return uri


@pytest.fixture
async def bluesky() -> AsyncIterator[Bluesky]:
    network = Network(1_790_000_000_000_000)
    async with (
        run() as stage,
        Jetstream(network).running() as server,
        asking(stage, jetstream=[server.address]) as source,
    ):
        source._hydrator._pauses = (timedelta(milliseconds=10),)
        yield Bluesky(stage, network, server, source)


def watching() -> Watch:
    watch = Watch()
    feed = Feed(id=FeedId(1), source="bluesky", address=did("sami"), seeded=True)
    watch.become({feed.address: feed}, frozenset({"qeswachaka"}))
    return watch


async def hear(bluesky: Bluesky, cursor: str) -> list[Streamed]:
    """All that is told up to now."""
    heard: list[Streamed] = []
    (name,) = bluesky.source.streams()
    stream = bluesky.source.stream(name, watching(), cursor)
    assert isinstance(stream, AsyncIterator)
    async with asyncio.timeout(30), aclosing(stream) as told:  # type: ignore[type-var]  # a generator
        async for one in told:
            heard.append(one)
            if one.cursor == str(bluesky.network.now):
                break
    return heard


def posts(heard: list[Streamed]) -> list[Post]:
    return [event.post for one in heard for _, event in one.events if isinstance(event, Published)]


async def test_posts_come_with_their_authors_in_the_order_in_which_they_were_told(bluesky: Bluesky) -> None:
    begun = str(bluesky.network.now)
    uris = [bluesky.post(name, f"on the #Qeswachaka {n}") for n, name in enumerate(("illa", "sami", "anka") * 20)]
    found = posts(await hear(bluesky, begun))
    assert [post.uri for post in found] == uris
    assert {post.author.name for post in found} == {"Illa", "Sami", "Anka"}
    assert found[0].author.handle == "@illa.ayllu.example"
    assert plain(found[0].body) == "on the #Qeswachaka 0"
    assert found[0].tags == ("Qeswachaka",)


async def test_a_post_that_no_appview_knows_yet_comes_with_its_authors_profile(bluesky: Bluesky) -> None:
    begun = str(bluesky.network.now)
    uri = bluesky.post("illa", "just now #Qeswachaka", known=False)
    (post,) = posts(await hear(bluesky, begun))
    assert (post.uri, post.author.name, plain(post.body)) == (uri, "Illa", "just now #Qeswachaka")


@pytest.mark.parametrize("known", [True, False])
async def test_who_wants_no_visitors_is_never_told_of(bluesky: Bluesky, known: bool) -> None:
    begun = str(bluesky.network.now)
    bluesky.stage.world.person("sami", labels=[label("!no-unauthenticated", did("sami"))])
    bluesky.post("sami", "for those who signed in #Qeswachaka", known=known)
    uri = bluesky.post("illa", "for all #Qeswachaka")
    assert [post.uri for post in posts(await hear(bluesky, begun))] == [uri]


async def test_an_account_s_answers_to_others_are_not_part_of_what_it_says(bluesky: Bluesky) -> None:
    """As a poll has it: what is asked by whoever follows is what is said to everybody."""
    cursor = str(bluesky.network.now)
    question = bluesky.post("illa", "Is it open?")
    parent = {"uri": question, "cid": "bafyreia"}
    bluesky.post("sami", "It is.", reply={"root": parent, "parent": parent})
    bluesky.post("sami", "The bridge is open.")
    assert [plain(post.body) for post in posts(await hear(bluesky, cursor))] == ["The bridge is open."]


async def test_an_edit_that_hides_a_post_takes_it_back(bluesky: Bluesky) -> None:
    begun = str(bluesky.network.now)
    uri = bluesky.post("sami", "for all #Qeswachaka")
    bluesky.stage.world.person("sami", labels=[label("!no-unauthenticated", did("sami"))])
    bluesky.network.edit(uri, "sami", "not any more #Qeswachaka")
    heard = await hear(bluesky, begun)
    assert [event for one in heard for _, event in one.events if isinstance(event, Deleted)] == [Deleted(uri)]


async def test_a_record_that_is_no_post_is_left_out(bluesky: Bluesky) -> None:
    begun = str(bluesky.network.now)
    records: tuple[object, ...] = (None, [], {}, {"$type": "app.bsky.feed.like", "text": "x"}, {"text": 5})
    for n, record in enumerate(records):
        bluesky.network.write("sami", tid(bluesky.network.now + n), record)
    uri = bluesky.post("sami", "a post")
    heard = await hear(bluesky, begun)
    assert [post.uri for post in posts(heard)] == [uri]
    assert not any(one.missed for one in heard)


async def test_whose_authors_nobody_tells_is_let_go_at_last_and_polled_for() -> None:
    network = Network(1_790_000_000_000_000)
    begun = str(network.now)
    async with run() as stage, Jetstream(network).running() as server, asking(stage, jetstream=[server.address]):
        network.post("illa", "#Qeswachaka")

        async def nobody(_: object) -> dict[object, object]:
            return {}

        stream = JetstreamReader(
            hosts=[server.address],
            sockets=client().sockets,
            hydrate=nobody,  # type: ignore[arg-type]  # knows nothing of anybody
            patience=timedelta(0),
        )
        async with asyncio.timeout(20), aclosing(stream.listen(watching(), begun)) as told:
            heard = await anext(told)
    assert (heard.events, heard.missed, heard.cursor) == ((), (did("sami"),), str(network.now))


async def test_the_check_tells_of_each_server_whether_it_tells_anything() -> None:
    network, other = Network(1_790_000_000_000_000), Network(1_790_000_000_000_000)
    good, mute, closed, odd = (
        Jetstream(network),
        Jetstream(network, mute=True),
        Jetstream(network, status=503),
        Jetstream(other),
    )
    async with good.running(), mute.running(), closed.running(), odd.running():
        hosts = [server.address for server in (good, mute, closed, odd)]
        asked = asyncio.create_task(check([*hosts, "ws://127.0.0.1:9"], client(), timedelta(seconds=1)))
        await good.live.wait()
        await odd.live.wait()
        network.post("illa", "hello")
        other.junk(b"hello")
        lines = await asked
    assert [(line.ok, line.note) for line in lines] == [
        (True, ""),
        (False, "told nothing within 1 s"),
        (False, "answered 503"),
        (False, "sends what is no event of a Jetstream"),
        (False, "cannot be reached"),
    ]
    assert lines[0] == Check(name=f"bluesky {good.address.removeprefix('ws://')}", ok=True)
    assert good.agents == ["test/1.0 (+https://relay.example)"]
