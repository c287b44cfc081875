"""Connections to a Jetstream that end: nothing is lost, nothing comes twice, and the order stays."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from relay.model import Deleted, Edited, Published
from relay.pipeline.streams import Watch
from relay.ports import Streamed
from relay.sources.bluesky.stream import JetstreamReader
from tests.servers.bluesky.jetstream import Jetstream, Network, did
from tests.support.bluesky_jetstream_cases import (
    ILLA,
    NOW,
    QUICK,
    SECOND,
    events,
    hear,
    running,
    so_many,
    stream_from,
    watch_for,
)

pytestmark = pytest.mark.timeout(60)


@dataclass
class Chats:
    """A store and its consumer, which is killed now and then between being told and having it kept."""

    stream: JetstreamReader
    watch: Watch
    cursor: str
    dice: random.Random
    kept: dict[str, None] = field(default_factory=dict)
    """The posts in the order in which they were first kept."""
    gone: set[str] = field(default_factory=set)
    kills: int = 0
    missed: int = 0

    async def live(self, end: Callable[[], bool]) -> None:
        while not end():
            await self._live_once(end)

    async def _live_once(self, end: Callable[[], bool]) -> None:
        told: set[str] = set()
        async with aclosing(self.stream.listen(self.watch, self.cursor)) as stream:
            async for streamed in stream:
                new = [event.post.uri for _, event in streamed.events if isinstance(event, Published)]
                assert len(set(new)) == len(new)
                assert told.isdisjoint(new), "told twice in one life"
                told.update(new)
                if self.dice.random() < 0.3:
                    self.kills += 1
                    return
                self._keep(streamed)
                if end():
                    return

    def _keep(self, streamed: Streamed) -> None:
        for _, event in streamed.events:
            match event:
                case Published(kept):
                    self.kept.setdefault(kept.uri)
                case Deleted(ref):
                    self.gone.add(ref)
                case Edited():
                    pass
        self.missed += bool(streamed.missed)
        if streamed.cursor is not None:
            self.cursor = streamed.cursor


@pytest.mark.siege
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_of_ten_thousand_posts_none_is_lost_and_none_comes_twice(seed: int) -> None:
    """Two servers whose clocks differ break off at random; the consumer is killed at random; the order stays."""
    dice = random.Random(seed)
    network = Network(NOW)
    cuts = [Jetstream(network, cut=lambda: dice.randrange(20, 900), skew=skew) for skew in (2 * SECOND, -SECOND)]
    wanted: list[str] = []
    deleted: set[str] = set()

    def happen(posts: int) -> None:
        for n in range(posts):
            if dice.random() < 0.1:
                wanted.append(network.post(f"illa{n % 7}", f"number {n} on the #Qeswachaka"))
            else:
                network.post(f"sami{n % 50}", f"number {n} #other")
            if dice.random() < 0.01:
                network.junk(b"{")

    async with running(*cuts):
        happen(6000)
        deleted.update(dice.sample(wanted, 20))
        for uri in deleted:
            network.delete(uri, f"illa{[did(f'illa{n}') for n in range(7)].index(uri.split('/')[2])}")
        chats = Chats(stream_from(*cuts, linger=0.001), watch_for("#qeswachaka"), str(NOW), dice)

        async def go_on() -> None:
            for _ in range(40):
                happen(100)
                await asyncio.sleep(0.01)

        def is_over() -> bool:
            return (
                going.done()
                and int(chats.cursor or 0) >= network.told[-1].time_us - SECOND
                and wanted[-1] in chats.kept
            )

        going = asyncio.create_task(go_on())
        async with asyncio.timeout(50):
            await chats.live(is_over)
        await going

    assert len(network.told) > 10_000
    assert list(chats.kept) == [uri for uri in wanted if uri in chats.kept]
    assert set(wanted) - set(chats.kept) <= deleted
    assert chats.missed == 0
    assert chats.kills > 3
    assert sum(len(server.asked) for server in cuts) > 20


async def test_connections_that_end_before_they_come_to_what_is_new_do_not_lead_back_into_the_past() -> None:
    network = Network(NOW)
    cuts = iter([300, 3, 3, 3])
    server = Jetstream(network, cut=lambda: next(cuts, None))
    posts = [network.post("illa", f"#bridge {n}") for n in range(400)]
    async with running(server):
        heard = await hear(stream_from(server), watch_for("#bridge"), str(NOW), so_many(400))
    assert events(heard) == [("Published", uri) for uri in posts]
    assert len(server.asked) == 5
    assert len({asked["cursor"][0] for asked in server.asked[1:]}) == 1


async def test_the_servers_take_turns_and_trouble_is_told_once_and_once_when_it_is_over() -> None:
    network = Network(NOW)
    broken, odd, good = Jetstream(network, status=503), Jetstream(network, mute=True), Jetstream(network)
    uri = network.post("illa", "#bridge")
    timing = replace(QUICK, idle=timedelta(seconds=0.2))
    async with running(broken, odd, good):
        gone = Jetstream(network, address="ws://127.0.0.1:9")
        stream = stream_from(gone, broken, odd, good, timing=timing)
        heard = await hear(stream, watch_for("#bridge"), str(NOW), so_many(1))
    notes = [one.note for one in heard]
    assert [note.partition(" ")[2] for note in dict.fromkeys(notes)] == [
        "cannot be reached",
        "answered 503",
        "tells nothing any more",
        "",
    ]
    assert events(heard) == [("Published", uri)]
    assert "127.0.0.1:9" in notes[0]


async def test_what_sends_no_events_at_all_is_no_jetstream() -> None:
    network, other = Network(NOW), Network(NOW)
    for n in range(300):
        other.junk(b'{"$type":"message","payload":{"n":%d}}' % n)
    odd, good = Jetstream(other), Jetstream(network)
    uri = network.post("illa", "#bridge")
    async with running(odd, good):
        heard = await hear(stream_from(odd, good), watch_for("#bridge"), str(NOW), so_many(1))
    assert any("no event of a Jetstream" in one.note for one in heard)
    assert events(heard)[-1] == ("Published", uri)


async def test_a_message_that_breaks_each_connection_is_stepped_over_and_polls_fill_the_gap() -> None:
    network = Network(NOW)
    server = Jetstream(network, honest_about_size=False)
    watch = watch_for("#bridge", ILLA)
    async with running(server):
        before = network.post("illa", "#bridge")
        network.post("illa", "x" * 5_000_000)

        async def go_on() -> str:
            await server.live.wait()
            return network.post("illa", "#bridge again")

        going = asyncio.create_task(go_on())
        heard = await hear(stream_from(server), watch, str(NOW), so_many(2))
        posted = await going
    assert events(heard) == [("Published", before), ("Published", posted)]
    assert [one.missed for one in heard if one.missed] == [(ILLA,)]
    assert len(server.asked) == 5
