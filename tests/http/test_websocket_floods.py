"""A flood on a websocket ends the connection in a sentence; it does not hold the event loop, and the others go on."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import timedelta

import pytest

from relay.sources.bluesky.source import check_streams as check
from tests.servers import misskey
from tests.servers.bluesky.jetstream import Jetstream, Network
from tests.servers.floods import ENDLESS, EVENT, FLOODS, PING, TEXT, frame
from tests.servers.mastodon import fediverse
from tests.support.bluesky_jetstream_cases import NOW, events, hear, so_many, stream_from, watch_for
from tests.support.fetching import client
from tests.support.loop_watch import watched
from tests.support.mastodon_listening import SOON, Core, running

LONGEST = 0.25
"""Seconds for which the loop may be held."""
RUNS = 3
"""A busy machine makes a turn of the loop longer, never shorter."""
TOKEN = "tok-Q3sw4ch4k4"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def a_heap_of_its_own() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


async def jetstream(flood: bytes) -> str:
    server = Jetstream(Network(NOW), flood=flood)
    async with (
        server.running(),
        aclosing(stream_from(server).listen(watch_for("#rivers"), "")) as told,
        asyncio.timeout(30),
    ):
        return await anext(streamed.note async for streamed in told if streamed.note)


async def jetstream_check(flood: bytes) -> str:
    server = Jetstream(Network(NOW), flood=flood)
    async with server.running():
        (checked,) = await check([server.address], client(), timedelta(seconds=5))
        return checked.note


async def _told(core: Core) -> str:
    await core.follow("#rivers")
    async with running(core):
        await core.until(lambda: any(core.notes()))
    return next(filter(None, core.notes()))


async def mastodon_stream(flood: bytes) -> str:
    async with fediverse.run() as stage:
        stage.tokens, stage.streams.flood = {TOKEN}, flood
        async with fediverse.asking(stage.base, tokens={stage.base: TOKEN}, patience=SOON) as source:
            return await _told(Core(source, stage.base))


async def misskey_stream(flood: bytes) -> str:
    async with misskey.run() as stage:
        stage.flood = flood
        async with fediverse.asking(stage.base, patience=SOON) as source:
            return await _told(Core(source, stage.base))


Client = Callable[[bytes], Awaitable[str]]
CASES = [
    (listen, flood) for listen in (jetstream, jetstream_check, mastodon_stream, misskey_stream) for flood in FLOODS
]


@pytest.mark.siege
@pytest.mark.parametrize(("listen", "flood"), CASES)
async def test_no_flood_holds_the_loop(listen: Client, flood: str) -> None:
    least = float("inf")
    for _ in range(RUNS):
        async with watched() as watch:
            note = await listen(FLOODS[flood])
        least = min(least, watch.held)
        if least < LONGEST / 2:
            break
    print(f"{least:.3f} s {note}")
    assert note.startswith("127.0.0.1") or listen is jetstream_check
    assert least < LONGEST


@pytest.mark.siege
@pytest.mark.parametrize("flood", ["pings", "pings with words", "pongs", "empty binary", "a byte each"])
async def test_a_flood_of_nothing_is_told_as_one(flood: str) -> None:
    """Whether it is of messages or of pings, and whoever listens."""
    for listen in (mastodon_stream, misskey_stream):
        assert "floods the connection" in await listen(FLOODS[flood])
    assert "floods the connection" in await jetstream(FLOODS["pings"])


@pytest.mark.siege
@pytest.mark.parametrize("listen", [jetstream, mastodon_stream, misskey_stream])
async def test_a_message_without_an_end_ends_the_connection(listen: Client) -> None:
    assert "sends a message that has no end" in await listen(ENDLESS)


async def test_a_busy_stream_is_no_flood() -> None:
    """As much as the whole network writes comes at once, after a standstill."""
    burst = b"".join(frame(TEXT, EVENT) for _ in range(900)) + frame(PING) * 100
    assert "closed the stream" in await mastodon_stream(burst)


async def test_a_backlog_is_read_as_fast_as_it_comes() -> None:
    network = Network(NOW)
    for number in range(20_000):
        network.post("illa", f"number {number} " + "x" * 500)
    last = network.post("illa", "the last one #rivers")
    server = Jetstream(network)
    async with server.running():
        heard = await hear(stream_from(server), watch_for("#rivers"), str(NOW), so_many(1))
    assert events(heard) == [("Published", last)]
    assert len(server.asked) == 1
