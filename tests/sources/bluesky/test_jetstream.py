"""Listening to a Jetstream: what is told of what happens, from where, and for whom."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing

import pytest

from relay.model import Post, PostUri
from relay.ports import Streamed
from relay.sources.bluesky.records import RecordPost
from tests.servers.bluesky.jetstream import Jetstream, Network
from tests.support.bluesky_jetstream_cases import (
    ILLA,
    NOW,
    SAMI,
    SECOND,
    Enough,
    events,
    hear,
    hydrated,
    running,
    so_many,
    stream_from,
    want,
    watch_for,
)

pytestmark = pytest.mark.timeout(60)


def listening(cursor: str, *servers: Jetstream) -> aclosing[AsyncGenerator[Streamed, None]]:
    """For ``#bridge``, closed at the end."""
    return aclosing(stream_from(*servers).listen(watch_for("#bridge"), cursor))


def read_to(network: Network) -> Enough:
    return lambda heard: heard[-1].cursor == str(network.now)


# --- what is told ---


async def test_posts_changes_and_deletions_come_in_their_order_with_the_feed_that_they_belong_to() -> None:
    network = Network(NOW)
    watch = watch_for("#bridge", "tag:bridge", ILLA)
    server = Jetstream(network)
    async with running(server):
        first = network.post("sami", "the #Bridge")
        network.post("sami", "of no interest")
        second = network.post("illa", "mine")
        network.edit(first, "sami", "the #Bridge, mended")
        heard = await hear(stream_from(server), watch, str(NOW), read_to(network))
        network.delete(second, "illa")
        network.account("sami", active=False, status="takendown")
        heard += await hear(stream_from(server), watch, heard[-1].cursor or "", read_to(network))
    assert [feed for one in heard for feed, _ in one.events][:3] == ["tag:bridge", ILLA, "tag:bridge"]
    assert events(heard)[:3] == [("Published", first), ("Published", second), ("Edited", first)]
    assert events(heard)[-2:] == [("Deleted", second), ("Deleted", first)]
    assert not any(one.missed for one in heard)


async def test_a_post_that_was_withdrawn_in_the_same_breath_is_not_told() -> None:
    network = Network(NOW)
    server = Jetstream(network)
    async with running(server):
        hasty = network.post("illa", "#bridge oops")
        network.delete(hasty, "illa")
        again = network.write("illa", hasty.rpartition("/")[2], network.body("#bridge, right"))
        heard = await hear(stream_from(server, linger=0.2), watch_for("#bridge"), str(NOW), read_to(network))
    assert events(heard) == [("Deleted", hasty), ("Published", again)]


async def test_the_cursor_moves_on_where_nothing_is_wanted() -> None:
    network = Network(NOW)
    server = Jetstream(network)
    async with running(server):
        for n in range(50):
            network.post("sami", f"of no interest {n}")
        heard = await hear(stream_from(server), watch_for("#bridge"), str(NOW), read_to(network))
    assert events(heard) == []


async def test_it_says_who_it_is_asks_for_posts_alone_packed_and_from_a_little_before() -> None:
    network = Network(NOW)
    server = Jetstream(network)
    async with running(server):
        network.post("illa", "#bridge")
        await hear(stream_from(server), watch_for("#bridge"), str(NOW), so_many(1))
    assert server.asked[0] == {
        "wantedCollections": ["app.bsky.feed.post"],
        "maxMessageSizeBytes": ["1000000"],
        "cursor": [str(NOW - 5 * SECOND)],
    }
    assert server.agents == ["test/1.0 (+https://relay.example)"]
    assert server.packed == [True]


async def test_junk_between_the_events_costs_nothing_but_itself() -> None:
    network = Network(NOW)
    server = Jetstream(network)
    posts = []
    async with running(server):
        for raw in (b"\xff\xfe", b"{", b"[]", b"\x00" * 500, b'{"did":"x"}', b"[" * 100_000):
            posts.append(network.post("illa", "#bridge"))
            network.junk(raw)
        posts.append(network.post("illa", "#bridge"))
        heard = await hear(stream_from(server), watch_for("#bridge"), str(NOW), so_many(7))
    assert events(heard) == [("Published", uri) for uri in posts]
    assert len(server.asked) == 1


# --- cursors ---


async def test_where_the_server_threw_away_what_was_asked_for_the_feeds_are_polled() -> None:
    network = Network(NOW)
    network.post("illa", "#bridge, long ago")
    network.now += 3600 * SECOND
    watch = watch_for("#bridge", "tag:bridge", SAMI)
    server = Jetstream(network, floor=network.now)
    async with running(server):
        uri = network.post("illa", "#bridge")
        heard = await hear(stream_from(server), watch, str(NOW), so_many(1))
    assert events(heard) == [("Published", uri)]
    assert [one.missed for one in heard if one.missed] == [(SAMI, "tag:bridge")]


@pytest.mark.parametrize("cursor", ["", "soon", "-5", "12345", "9" * 30, str(NOW + 10**13)])
async def test_without_a_place_to_go_on_from_it_listens_from_now_on_and_the_feeds_are_polled(cursor: str) -> None:
    network = Network(NOW)
    network.post("illa", "#bridge, before")
    server = Jetstream(network)
    watch = watch_for("#bridge", ILLA)
    heard: list[Streamed] = []
    async with running(server), asyncio.timeout(20), aclosing(stream_from(server).listen(watch, cursor)) as told:
        begun = asyncio.ensure_future(anext(told))
        await server.listening.wait()
        uri = network.post("illa", "#bridge")
        heard.append(await begun)
        while not events(heard):
            heard.append(await anext(told))
    assert events(heard) == [("Published", uri)]
    assert [one.missed for one in heard if one.missed] == [(ILLA,)]
    assert heard[-1].cursor == str(network.now)


async def test_a_cursor_in_the_future_does_not_make_it_deaf_after_the_next_break() -> None:
    network = Network(NOW)
    first, then = Jetstream(network, cut=lambda: 1), Jetstream(network)
    async with running(first, then), asyncio.timeout(20), listening(str(NOW + 10**13), first, then) as told:
        begun = asyncio.ensure_future(anext(told))
        await first.listening.wait()
        posts = [network.post("illa", f"#bridge {n}") for n in range(5)]
        heard = [await begun]
        while len(events(heard)) < 5:
            heard.append(await anext(told))
    assert events(heard) == [("Published", uri) for uri in posts]


# --- what is watched ---


async def test_of_accounts_alone_only_theirs_are_asked_for() -> None:
    network = Network(NOW)
    server = Jetstream(network)
    async with running(server):
        network.post("sami", "of no interest")
        uri = network.post("illa", "hello")
        heard = await hear(stream_from(server), watch_for(ILLA), str(NOW), so_many(1))
    assert events(heard) == [("Published", uri)]
    (hello,) = server.hellos
    assert hello["payload"]["wantedDids"] == [ILLA]
    assert "wantedDids" not in server.asked[0]


async def test_what_is_wanted_besides_is_listened_for_without_a_loss() -> None:
    network = Network(NOW)
    server = Jetstream(network)
    watch = watch_for(ILLA)
    async with running(server), asyncio.timeout(20), aclosing(stream_from(server).listen(watch, str(NOW))) as told:
        heard = [await anext_of(told, lambda: network.post("illa", "one"), server)]
        want(watch, ILLA, SAMI)
        network.post("sami", "two")
        while len(events(heard)) < 2:
            heard.append(await anext(told))
        want(watch, ILLA, SAMI, "#bridge")
        network.post("anka", "three #bridge")
        while len(events(heard)) < 3:
            heard.append(await anext(told))
    assert [len(hello["payload"]["wantedDids"]) for hello in server.hellos] == [1, 2]
    assert "requireHello" not in server.asked[-1]
    assert not any(one.note for one in heard)


async def anext_of(told: AsyncIterator[Streamed], deed: Callable[[], object], server: Jetstream) -> Streamed:
    """What is told of a deed that is done when somebody listens."""
    begun = asyncio.ensure_future(anext(told))
    await server.listening.wait()
    deed()
    return await begun


async def test_while_nobody_wants_anything_nobody_is_asked_and_the_past_is_let_go() -> None:
    network = Network(NOW)
    network.post("illa", "#bridge, before anybody cared")
    server = Jetstream(network)
    watch = watch_for()
    async with running(server), asyncio.timeout(20), aclosing(stream_from(server).listen(watch, str(NOW))) as told:
        assert await anext(told) == Streamed(cursor="")
        assert server.asked == []
        want(watch, "#bridge")
        begun = asyncio.ensure_future(anext(told))
        await server.listening.wait()
        uri = network.post("illa", "#bridge")
        heard = [await begun]
        while not events(heard):
            heard.append(await anext(told))
    assert events(heard) == [("Published", uri)]


# --- authors ---


async def test_posts_are_held_back_until_their_authors_are_known_and_the_cursor_with_them() -> None:
    network = Network(NOW)
    server = Jetstream(network)
    asked: list[int] = []

    async def slow(drafts: Sequence[RecordPost]) -> dict[PostUri, Post | None]:
        asked.append(len(drafts))
        return {draft.uri: hydrated(draft) for draft in drafts[: len(asked) - 1]}

    async with running(server):
        posts = [network.post("illa", f"#bridge {n}") for n in range(3)]
        stream = stream_from(server, hydrate=slow, linger=0.2)
        heard = await hear(stream, watch_for("#bridge"), str(NOW), so_many(3))
    assert events(heard) == [("Published", uri) for uri in posts]
    assert asked == [3, 3, 2]
    assert [(one.cursor, bool(one.note)) for one in heard] == [(None, True), (None, True), (str(network.now), False)]


async def test_what_is_not_for_everybodys_eyes_is_left_out() -> None:
    network = Network(NOW)
    server = Jetstream(network)

    async def discreet(drafts: Sequence[RecordPost]) -> dict[PostUri, Post | None]:
        return {draft.uri: None if draft.did == SAMI else hydrated(draft) for draft in drafts}

    async with running(server):
        posts = [network.post(name, "#bridge") for name in ("illa", "sami", "illa")]
        heard = await hear(stream_from(server, hydrate=discreet), watch_for("#bridge"), str(NOW), so_many(2))
    assert events(heard) == [("Published", uri) for uri in posts[::2]]


# --- pace ---


async def test_a_slow_consumer_stops_the_reading_and_loses_nothing() -> None:
    """The server drops us meanwhile; what waits in memory stays bounded."""
    network = Network(NOW)
    server = Jetstream(network, patience=0.2)
    dice = random.Random(1)  # what packs well never fills a socket
    posts = [network.post("illa", f"#bridge {n} {dice.randbytes(8000).hex()}") for n in range(1500)]
    heard: list[Streamed] = []
    async with running(server), asyncio.timeout(40), listening(str(NOW), server) as told:
        async for one in told:
            heard.append(one)
            if len(heard) == 1:
                await server.dropping.wait()
                server.patience = 10.0
            if heard[-1].cursor == str(network.now):
                break
    assert events(heard) == [("Published", uri) for uri in posts]
    assert server.dropped >= 1
    assert max(len(one.events) for one in heard) <= 200


async def test_it_is_closed_at_once_whatever_it_is_at() -> None:
    network = Network(NOW)
    server = Jetstream(network)
    async with running(server):
        before = asyncio.all_tasks()
        stream = stream_from(server).listen(watch_for("#bridge"), str(NOW))
        network.post("illa", "#bridge")
        await anext(stream)
        async with asyncio.timeout(3):
            await stream.aclose()
        left = {task.get_name() for task in asyncio.all_tasks() - before}
    assert not any("jetstream" in name for name in left)
