"""What several tests share with those of bluesky jetstream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from relay.model import Deleted, Feed, FeedId, Post, PostUri
from relay.pipeline.streams import Watch
from relay.ports import Streamed
from relay.sources.bluesky.jetstream_socket import JetstreamTimeouts
from relay.sources.bluesky.records import RecordPost
from relay.sources.bluesky.stream import JetstreamReader
from relay.testing import post
from tests.servers.bluesky.jetstream import Jetstream, did
from tests.support.fetching import client

NOW = 1_790_000_000_000_000


SECOND = 1_000_000


ILLA, SAMI = did("illa"), did("sami")


QUICK = JetstreamTimeouts(
    idle=timedelta(seconds=5),
    again=timedelta(milliseconds=2),
    longest=timedelta(milliseconds=20),
    settle=timedelta(milliseconds=5),
)


def watch_for(*wanted: str) -> Watch:
    watch = Watch()
    want(watch, *wanted)
    return watch


def want(watch: Watch, *wanted: str) -> None:
    """Hashtags as ``#tag``, accounts and feeds by their address."""
    feeds = {one: Feed(id=FeedId(n), source="bluesky", address=one) for n, one in enumerate(wanted) if one[0] != "#"}
    watch.become(feeds, frozenset(one[1:] for one in wanted if one[0] == "#"))


async def hydrate(drafts: Sequence[RecordPost]) -> dict[PostUri, Post | None]:
    return {draft.uri: hydrated(draft) for draft in drafts}


def hydrated(draft: RecordPost) -> Post:
    return replace(post(), uri=draft.uri, tags=draft.tags, body=draft.body, source="bluesky")


def stream_from(*servers: Jetstream, timing: JetstreamTimeouts = QUICK, **changes: object) -> JetstreamReader:
    plain = JetstreamReader(
        hosts=[server.address for server in servers],
        sockets=client().sockets,
        hydrate=hydrate,
        timing=timing,
        linger=0.005,
        rest=0.05,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test names the fields


@asynccontextmanager
async def running(*servers: Jetstream) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server.running())
        yield


Enough = Callable[[list[Streamed]], bool]


async def hear(stream: JetstreamReader, watch: Watch, cursor: str, enough: Enough) -> list[Streamed]:
    """What is told until it is enough."""
    heard: list[Streamed] = []
    async with asyncio.timeout(20), aclosing(stream.listen(watch, cursor)) as told:
        async for one in told:
            heard.append(one)
            if enough(heard):
                break
    return heard


def events(heard: Sequence[Streamed]) -> list[tuple[str, str]]:
    """What happened to which post."""
    return [
        (type(event).__name__, event.ref if isinstance(event, Deleted) else event.post.uri)
        for one in heard
        for _, event in one.events
    ]


def so_many(number: int) -> Enough:
    return lambda heard: len(events(heard)) >= number
