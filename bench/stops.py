"""How long it takes until what an author takes back is hidden: from the moment the mention can be read.

Meanwhile a server hangs under two hundred requests for pages, and posts go on being stored. The floor is the same with
a hundredth of the posts, and nobody hanging.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import uvloop

from bench.figures import Figure
from bench.stores import lease
from relay.app import clock
from relay.core.bot_words import BotWords
from relay.log import Trouble
from relay.model import Author, Post, PostUri, Published
from relay.pipeline.mentions import SHARE, Speaker
from relay.pipeline.replies import Accounts, Replies
from relay.pipeline.threads import ThreadReader
from relay.pipeline.worker import Worker
from relay.ports import Account, Answered, Gone, Mention, Mentions, Refused, TryLater
from relay.records import Forgotten, Intake
from relay.store import open_store
from relay.store.store import Store
from relay.testing import FakeSource, post

POSTS = 1_000_000
PER_AUTHOR = 50
STOPS, APART = 400, 0.025
HANGING = 200
LISTEN = timedelta(milliseconds=200)
"""How often mentions are asked for here: in the relay it is every eight seconds, which counts for both sides alike."""
US = Account(uri="https://ayllu.example/users/chasqui", handle="@chasqui@ayllu.example")


def _author(number: int) -> Author:
    host = f"ayllu{number % 50}.example"
    return Author(
        uri=f"https://{host}/users/a{number}",
        name=f"A{number}",
        url=f"https://{host}/@a{number}",
        handle=f"@a{number}@{host}",
    )


def _post(number: int, author: Author) -> Post:
    uri = PostUri(f"{author.uri}/statuses/{number}")
    return replace(post(number), uri=uri, url=f"{author.url}/{number}", author=author, aliases=())


def _mention(number: int, author: Author, text: str, about: str = "") -> Mention:
    return Mention(uri=f"{author.uri}/mentions/{number}", asker=author, text=text, at=clock(), about=about)


@dataclass
class _Network(FakeSource):
    """Has mentions to read, and a server that never answers when a thread of it is asked for."""

    listen: timedelta = LISTEN
    posting: tuple[int, timedelta] = (100_000, timedelta(hours=1))
    hung: asyncio.Event = field(default_factory=asyncio.Event)
    """As many requests hang as are looked at at once."""
    said: list[Mention] = field(default_factory=list)
    hanging: int = 0

    def accounts(self) -> Sequence[str]:
        return ("chasqui",)

    async def account(self, name: str) -> Account | TryLater | Gone:
        del name
        return US

    async def mentions(self, name: str, cursor: str) -> Mentions | TryLater | Gone:
        del name
        until = len(self.said)
        return Mentions(mentions=tuple(self.said[int(cursor) : until]) if cursor else (), cursor=str(until))

    async def answer(
        self, name: str, mention: Mention, text: str, *, key: str, again: bool
    ) -> Answered | TryLater | Refused | Gone:
        del name, text, key, again
        return Answered(f"answer to {mention.uri}")

    async def fetch_thread(self, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
        del ref
        self.hanging += 1
        if self.hanging == SHARE.total:
            self.hung.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.hanging -= 1
        raise AssertionError("it never answers")


class _Watched(Store):
    """Notes when each author was hidden."""

    def __init__(self, opened: Store) -> None:
        super().__init__(opened._db, opened._token, opened._policy)
        self.hidden: dict[str, float] = {}
        self.news = asyncio.Condition()

    async def save_own_stop(self, source: str, mention: Mention, now: datetime, until: datetime) -> Forgotten:
        gone = await super().save_own_stop(source, mention, now, until)
        assert gone.posts == PER_AUTHOR
        self.hidden[mention.uri] = time.perf_counter()
        async with self.news:
            self.news.notify_all()
        return gone


async def _filled(folder: str, posts: int) -> _Watched:
    store = _Watched(await open_store(f"sqlite:///{folder}/stops.sqlite3"))
    for first in range(0, posts, 2_000):
        numbers = range(first, min(first + 2_000, posts))
        events = tuple(Published(_post(number, _author(number // PER_AUTHOR))) for number in numbers)
        await store.add_intakes([Intake(feed=None, events=events)], lease())
    return store


def _speaker(store: Store, network: _Network) -> Speaker:
    worker = Worker(owner="bench", lease=timedelta(minutes=5), clock=clock, trouble=Trouble())
    accounts = Accounts(bot_words=BotWords())
    threads = ThreadReader(store=store, sources={"fake": network}, worker=worker, is_request=accounts.is_request)
    return Speaker(
        store=store,
        sources={"fake": network},
        replies=Replies(threads=threads, accounts=accounts, base="https://relay.example"),
        worker=worker,
        accounts=accounts,
    )


async def _relaying(store: Store, posts: int) -> None:
    """Twenty new posts every tenth of a second, as a busy relay has."""
    number = posts
    while True:
        events = tuple(Published(_post(number + one, _author(10**7 + one))) for one in range(20))
        await store.add_intakes([Intake(feed=None, events=events)], lease())
        number += 20
        await asyncio.sleep(0.1)


async def _measured(posts: int, hanging: int) -> list[float]:
    """Seconds from when a stop can be read to when its author is hidden."""
    with tempfile.TemporaryDirectory() as folder:
        store, network = await _filled(folder, posts), _Network()
        loops = [asyncio.create_task(_speaker(store, network).run()), asyncio.create_task(_relaying(store, posts))]
        await asyncio.sleep(1)  # where the reading stands is written down
        network.said += [
            _mention(number, _author(10**6 + number), "@chasqui unroll", f"https://h{number % 40}.example/{number}")
            for number in range(hanging)
        ]
        if hanging:
            await network.hung.wait()
        said: dict[str, float] = {}
        authors = posts // PER_AUTHOR
        for number in range(min(STOPS, authors)):
            stop = _mention(number, _author(number * authors // min(STOPS, authors)), "@chasqui stop")
            said[stop.uri] = time.perf_counter()
            network.said.append(stop)
            await asyncio.sleep(APART)
        async with store.news:
            await store.news.wait_for(lambda: len(store.hidden) >= len(said))
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await store.close()
        return [store.hidden[name] - at for name, at in said.items()]


def measure() -> list[Figure]:
    floor = uvloop.run(_measured(POSTS // 100, 0))
    ours = uvloop.run(_measured(POSTS, HANGING))
    value, least = (statistics.quantiles(some, n=100)[98] for some in (ours, floor))
    return [
        Figure(
            name=f"a stop heard → its author's {PER_AUTHOR} posts hidden, among {POSTS:,} and under {HANGING} requests"
            f" that hang, p99 (p50: {statistics.median(ours):.2f} s, longest: {max(ours):.2f} s)",
            value=value,
            unit="s",
            target="≤ 10 s",
            met=value <= 10,
            floor=least,
            floor_name=f"s, {POSTS // 100:,} posts, nobody hanging",
        )
    ]
