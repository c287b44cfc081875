"""A Jetstream's events, read and decided on one core; the floor is the same JSON parsed and nothing done with it.

The events are made here, after the shape of the network's: nine in ten are posts, a third of these have hashtags, some
are answers or carry pictures; the rest are deletions and news of accounts. One in two hundred is wanted.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import msgspec

from bench.figures import Figure, interleaved
from relay.model import Feed, FeedId, Post, PostUri
from relay.pipeline.streams import Watch
from relay.sources.bluesky.firehose import Firehose
from relay.sources.bluesky.records import RecordPost
from relay.sources.bluesky.stream import JetstreamReader
from relay.testing import post
from tests.servers.bluesky.jetstream import Jetstream, Network, cid, did
from tests.support.fetching import client

NOW = 1_790_000_000_000_000
EVENTS = 20_000
MANY = 1_000_000
TARGET = 5_000
WORDS = (
    "rope",
    "grass",
    "bridge",
    "river",
    "wool",
    "stone",
    "market",
    "rain",
    "potato",
    "loom",
    "path",
    "morning",
    "song",
    "weaver",
    "llama",
    "snow",
)


def watch() -> Watch:
    """Twenty hashtags and a hundred accounts."""
    watching = Watch()
    accounts = [did(f"watched{n}") for n in range(100)]
    feeds = {one: Feed(id=FeedId(n), source="bluesky", address=one) for n, one in enumerate(accounts)}
    watching.become(feeds, frozenset(f"wanted{n}" for n in range(20)))
    return watching


def network(events: int) -> Network:
    dice, made = random.Random(1), Network(NOW)
    for number in range(events):
        who = f"person{dice.randrange(3000)}"
        match dice.randrange(100):
            case 0 | 1 | 2:
                made.identity(who)
            case 3 | 4:
                made.account(who, active=dice.random() < 0.5, status="deactivated")
            case kind if kind < 11:
                made.delete(f"at://{did(who)}/app.bsky.feed.post/3m{number}", who)
            case _:
                made.post(who, _text(dice), **_parts(dice))
    return made


def _text(dice: random.Random) -> str:
    words = dice.choices(WORDS, k=dice.randrange(3, 35))
    if dice.random() < 0.33:
        words += [f"#{dice.choice(WORDS)}{dice.randrange(500)}" for _ in range(dice.randrange(1, 6))]
    if dice.random() < 0.005:
        words.append(f"#Wanted{dice.randrange(20)}")
    return " ".join(words)


def _parts(dice: random.Random) -> dict[str, object]:
    parts: dict[str, object] = {}
    if dice.random() < 0.45:
        above = {"cid": cid(dice.random()), "uri": f"at://{did('sami')}/app.bsky.feed.post/3mvzvh4gz4222"}
        parts["reply"] = {"parent": above, "root": above}
    if dice.random() < 0.25:
        blob = {"$type": "blob", "ref": {"$link": cid(dice.random())}, "mimeType": "image/jpeg", "size": 310_000}
        image = {"alt": _text(dice), "aspectRatio": {"height": 1200, "width": 900}, "image": blob}
        parts["embed"] = {"$type": "app.bsky.embed.images", "images": [image]}
    return parts


# --- deciding ---


def _decide(messages: Sequence[bytes]) -> list[Figure]:
    decode = msgspec.json.Decoder().decode

    def ours() -> float:
        firehose = Firehose(watch())
        return _rate(messages, firehose.read)

    def floor() -> float:
        return _rate(messages, decode)

    def slow_floor() -> float:
        return _rate(messages, json.loads)

    value, least, slow = interleaved(5, ours, floor, slow_floor)
    size = sum(map(len, messages)) // len(messages)
    return [
        Figure(
            name=f"decide on a Jetstream event ({size} bytes; {slow:,.0f}/s by json.loads alone)",
            value=value,
            unit="events/s",
            target=f"≥ {TARGET:,}/s",
            met=value >= TARGET,
            floor=least,
            floor_name="events/s, msgspec parsing alone",
        )
    ]


def _rate(messages: Sequence[bytes], read: Callable[[bytes], object]) -> float:
    begun = time.perf_counter()
    for message in messages:
        read(message)
    return len(messages) / (time.perf_counter() - begun)


# --- memory ---


def _hold(messages: Sequence[bytes]) -> Figure:
    """The same again and again, each time by other people: nothing that is remembered of one serves for the next."""
    firehose = Firehose(watch(), remembered=500)
    rounds, told, begun = MANY // len(messages), 0, 0.0
    for number in range(rounds):
        others = f"did:plc:{chr(97 + number % 26)}{chr(97 + number // 26)}".encode()
        for message in messages:
            told += len(firehose.read(message.replace(b"did:plc:", others)))
        if number == rounds // 5:
            begun = _resident()
    if firehose.malformed or told < MANY // 400:
        raise ValueError(f"of the events {firehose.malformed} were unsound and {told} wanted")
    grown = _resident() - begun
    return Figure(
        name=f"memory that {MANY:,} events leave behind, after the first fifth of them",
        value=max(grown, 0.0),
        unit="MB",
        target="≤ 1 MB",
        met=grown <= 1,
    )


def _resident() -> float:
    """Megabytes of resident memory (Linux: the second number in statm of proc(5))."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


# --- the whole way ---


def serve() -> None:
    """A Jetstream that has everything ready; says where it is, and stays until its input ends."""
    asyncio.run(_serve())


async def _serve() -> None:
    async with Jetstream(network(EVENTS)).running() as server:
        print(server.address, server.network.now, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def _listen(address: str, end: str) -> float:
    """Events a second of our processor's time, from the socket to posts that are ready to be stored."""

    async def hydrate(drafts: Sequence[RecordPost]) -> dict[PostUri, Post | None]:
        return {draft.uri: replace(post(), uri=draft.uri, tags=draft.tags) for draft in drafts}

    stream = JetstreamReader(hosts=[address], sockets=client().sockets, hydrate=hydrate, rest=0.05)
    begun = time.process_time()
    async with aclosing(stream.listen(watch(), str(NOW))) as told:
        async for streamed in told:
            if streamed.cursor == end:
                break
    return EVENTS / (time.process_time() - begun)


def _whole_way() -> Figure:
    command = [sys.executable, "-c", "import bench.bluesky as b; b.serve()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None  # for mypy: it is a pipe
        value = asyncio.run(_listen(*server.stdout.readline().split()))
    return Figure(
        name="listen to a Jetstream: packed websocket, decided, posts made, one core",
        value=value,
        unit="events/s",
        target=f"≥ {TARGET:,}/s",
        met=value >= TARGET,
    )


def measure() -> list[Figure]:
    messages = [told.raw for told in network(EVENTS).told]
    return [*_decide(messages), _hold(messages), _whole_way()]
