"""The whole way: somebody mentions the account on Bluesky, and the relay answers with the thread's page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from relay.core.bot_words import BotWords
from relay.log import Trouble
from relay.model import Post, PostUri
from relay.pipeline.mentions import Speaker
from relay.pipeline.replies import Accounts, Replies
from relay.pipeline.threads import ThreadReader
from relay.pipeline.worker import Worker
from relay.records import Page
from relay.store import Store
from relay.text import plain
from tests.servers.bluesky.account import reside, speak
from tests.servers.bluesky.world import Json
from tests.servers.bluesky.xrpc import ACCOUNT, CHASKI, HANDLE, Stage, asking, run

SOON = timedelta(milliseconds=10)


@dataclass
class Room:
    """One relay after another on one store, before one Bluesky."""

    store: Store
    stage: Stage

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asking(self.stage, mentions=True, **ACCOUNT) as source:
            source.listen = SOON
            accounts = Accounts(bot_words=BotWords())
            worker = Worker(
                owner="one",
                lease=timedelta(seconds=30),
                clock=lambda: datetime.now(UTC),
                trouble=Trouble(),
                patience=SOON,
            )
            sources = {"bluesky": source}
            threads = ThreadReader(store=self.store, sources=sources, worker=worker, is_request=accounts.is_request)
            speaker = Speaker(
                store=self.store,
                sources=sources,
                replies=Replies(threads=threads, accounts=accounts, base="https://relay.example"),
                worker=worker,
                accounts=accounts,
                idle=SOON,
            )
            running = asyncio.create_task(speaker.run())
            await self.stage.hears("listNotifications", 2)  # where the reading stands is written down
            try:
                yield
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await self.store.delete_leases("one")

    def answers(self) -> list[Json]:
        return [body["record"] for body in self.stage.put if body["collection"] == "app.bsky.feed.post"]

    async def page(self, uri: str) -> Page:
        page = await self.store.get_page_of(PostUri(uri))
        assert page
        return page


@pytest.fixture
async def room(store: Store) -> AsyncIterator[Room]:
    async with run() as stage:
        reside(stage.world, CHASKI, HANDLE)
        speak(stage.world, f"@{HANDLE} unroll, long ago", reply_to=stage.world.post("old"))
        yield Room(store, stage)


async def ask_twice(room: Room, thread: list[str]) -> str:
    """The same person, about the same thread."""
    async with room.running():
        asked = speak(room.stage.world, f"@{HANDLE} desenrolla", reply_to=thread[-1])
        await said(room, 1)
        speak(room.stage.world, f"@{HANDLE} unroll", reply_to=thread[0])
        await room.stage.hears("listNotifications", 5)
    return asked


async def test_who_mentions_the_account_is_answered_with_the_page(room: Room) -> None:
    thread = room.stage.world.thread(3)
    with capture_logs() as logs:
        asked = await ask_twice(room, thread)
    (answer,) = room.answers()
    page = await room.page(thread[0])
    assert answer["text"].endswith(f" https://relay.example/t/{page.slug}")
    assert answer["reply"]["parent"]["uri"] == asked
    assert answer["reply"]["root"]["uri"] == thread[0]
    assert [plain(post.body) for post in page.posts if isinstance(post, Post)] == ["1", "2", "3"]
    assert [body["record"]["labels"]["values"] for body in room.stage.put[:1]] == [[{"val": "bot"}]]
    assert not [line for line in logs if line["log_level"] in {"warning", "error"}]


async def test_a_relay_that_is_started_again_answers_what_came_meanwhile(room: Room) -> None:
    world = room.stage.world
    thread = world.thread(2)
    async with room.running():
        pass
    asked = [speak(world, f"@{HANDLE} unroll", by, reply_to=thread[-1]) for by in ("sami", "kusi")]
    async with room.running(), room.stage.news:
        await room.stage.news.wait_for(lambda: len(room.answers()) >= len(asked))
    assert {answer["reply"]["parent"]["uri"] for answer in room.answers()} == set(asked)


async def test_who_says_stop_takes_out_what_is_of_their_own_did_and_nothing_else(room: Room) -> None:
    world = room.stage.world
    thread = world.thread(2)
    sami = world.find("sami.ayllu.example")
    assert sami
    async with room.running():
        speak(world, f"@{HANDLE} unroll", "kusi", reply_to=thread[-1])
        await said(room, 1)
        speak(world, f"@{HANDLE} stop", "sami", reply_to=thread[-1])
        await said(room, 2)
        assert await written(room, thread[0]) == 2, "a stranger's word takes out the stranger"
        speak(world, f"@{HANDLE} stop", "illa")
        await said(room, 3)
        assert await written(room, thread[0]) == 0
        speak(world, f"@{HANDLE} undo stop", "illa")
        await said(room, 4)
        assert await written(room, thread[0]) == 2
    texts = [answer["text"] for answer in room.answers()]
    assert all("72 horas" in text and f"{HANDLE} undo stop" in text for text in texts[1:3])
    assert all(len(text) <= 300 for text in texts)
    [left] = await room.store.list_stops()
    assert left.ref == sami["did"], "it is still asked for"


async def said(room: Room, count: int) -> None:
    """Wait until the account gave so many answers."""
    async with room.stage.news:
        await room.stage.news.wait_for(lambda: len(room.answers()) >= count)


async def written(room: Room, uri: str) -> int:
    page = await room.page(uri)
    return sum(isinstance(post, Post) for post in page.posts)
