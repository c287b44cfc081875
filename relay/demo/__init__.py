"""`relay demo`: an invented day on an invented network, relayed by the real pipeline; nothing leaves this machine.

The network is a source that plays a script; everything from the configuration to the page is what `relay run` runs.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from relay.app import App, open_app
from relay.config import Config, load
from relay.demo.drawings import drawing
from relay.demo.script import (
    AUTHOR,
    CAST,
    FAREWELL,
    GREETED,
    GREETINGS,
    HASHTAG,
    NEWSPAPER,
    POSTSCRIPT,
    RELAY,
    REQUEST,
    SCENE,
    SCRIPT,
    Correction,
    Draft,
    Withdrawal,
)
from relay.demo.source import FEED, NAME, ScriptedSource, uri_of
from relay.i18n import words
from relay.model import Action, Delivery, Post, PostUri
from relay.pipeline.fence import fenced_source
from relay.records import Settlement, State
from relay.text import text_content
from relay.web.answers import root_of
from relay.web.pages import message_page

PATIENCE = 15
"""Seconds in which each thing must have happened."""

CONFIG = """\
[relay]
name = "Chasqui demo"
public_url = "http://127.0.0.1:{port}"

[store]
url = "sqlite:///{folder}/demo.sqlite3"

[web]
port = {port}

[outbox]
budget = 0

[threads]
looks = ["1s", "3s"]

[[web.join]]
name = "The plaza"
url = "https://relay.example/plaza"
about = "where the bridge is talked about"

[adapters.console]

[[subscriptions]]
topic = "#{hashtag}"
to = "console"
follow = "replies"

[[subscriptions]]
topic = "#{greetings}"
to = "console"
budget = 4
burst = 2

[[subscriptions]]
topic = "{feed}"
to = "console"
"""


@dataclass
class Ledger:
    """Keeps count of what the relay did, to compare it with what was played."""

    posted: dict[str, datetime]
    """When each post became visible, by uri."""
    sent: list[str] = field(default_factory=list)
    edited: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    latencies: list[float] = field(default_factory=list)
    shared: int = 0
    """How many posts share the largest message that stands for several."""
    counted: int = 0
    """The last count of a thread."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def settled(self, delivery: Delivery, settlement: Settlement, now: datetime) -> None:
        if settlement.state is not State.SENT:
            return
        if delivery.digest:
            self.shared = max(self.shared, delivery.digest.count)
        else:
            self._count(delivery, now)
        self.changed.set()

    def _count(self, delivery: Delivery, now: datetime) -> None:
        if delivery.card and delivery.card.thread:
            self.counted = delivery.card.thread.count
        match delivery.action:
            case Action.SEND:
                self.sent.append(delivery.uri)
                self.latencies.append((now - self.posted[delivery.uri]).total_seconds())
            case Action.EDIT:
                self.edited.add(delivery.uri)
            case Action.DELETE:
                self.deleted.add(delivery.uri)

    async def until(self, holds: Callable[[], bool]) -> bool:
        """Whether it holds in time."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            return False
        return True

    def missing(self) -> list[str]:
        """What the script asks for and did not happen, or the other way round; for people."""
        wanted, sent = expected(), set(self.sent)
        twice = {uri for uri in sent if self.sent.count(uri) > 1}
        return [
            *(f"not delivered: {uri}" for uri in sorted(wanted[Draft] - sent)),
            *(f"delivered and should not have been: {uri}" for uri in sorted(sent - wanted[Draft])),
            *(f"delivered twice: {uri}" for uri in sorted(twice)),
            *(f"its edit did not follow: {uri}" for uri in sorted(wanted[Correction] - self.edited)),
            *(f"its deletion did not follow: {uri}" for uri in sorted(wanted[Withdrawal] - self.deleted)),
        ]


def expected() -> dict[type, set[str]]:
    """What a relay of the hashtag and of the newspaper must have sent, edited and deleted, by uri.

    What was edited or deleted was sent as well: it stood there for long enough.
    """
    drafts = {step.name: step for step in SCRIPT if isinstance(step, Draft)}
    relayed = {name for name, draft in drafts.items() if draft.author == NEWSPAPER or _has_hashtag(draft)}
    return {
        kind: {uri_of(drafts[step.name]) for step in SCRIPT if isinstance(step, kind) and step.name in relayed}
        for kind in (Draft, Correction, Withdrawal)
    }


def _has_hashtag(draft: Draft) -> bool:
    return f"#{HASHTAG}".casefold() in draft.text.casefold()


def thread() -> list[str]:
    """The author's thread from its root, by uri, as it reads in the end."""
    deleted = {step.name for step in SCRIPT if isinstance(step, Withdrawal)}
    own = (step for step in SCRIPT if isinstance(step, Draft) and step.author == AUTHOR)
    return [uri_of(draft) for draft in own if draft.name not in deleted]


@dataclass
class Demo:
    """Plays the script, then what readers and authors can do with a thread; tells in words what no card shows."""

    app: App
    source: ScriptedSource
    ledger: Ledger
    speed: float

    async def play(self) -> int:
        """0 when all has arrived, 1 otherwise."""
        await self._attended()
        _say(
            f"#{HASHTAG} on an invented network: a thread begins, told by somebody who is there.\n"
            f"Its page grows with it: {self.app.web.url}/\n"
        )
        await self._perform()
        missing = await self._arrived()
        _say(await self._summary())
        if not missing:
            acts = (self._go_on, self._ask, self._greet, self._leave)
            missing = [trouble for act in acts if (trouble := await act())]
            if not missing:
                _say(f"\n1 mention answered · {self.ledger.shared} greetings in one message · 1 author taken out")
        for line in missing:
            _say(f"✗ {line}")
        return 1 if missing else 0

    async def page(self) -> str:
        """The address of the author's thread."""
        page = await self.app.store.get_page_of(uri_of(POSTSCRIPT))
        return f"{self.app.web.url}/t/{page.slug}" if page else self.app.web.url

    async def _attended(self) -> None:
        """The relay marks what is there before it starts to relay; the play begins when it has, and listens."""
        source = self.source
        while sum(state.feed.seeded for state in await self.app.store.list_feeds()) < 3:  # noqa: ASYNC110 - a store has no event
            await asyncio.sleep(0.05)
        async with source.changed:
            await source.changed.wait_for(lambda: source.listening >= {"stream", "mentions"})

    async def _perform(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        for step in SCRIPT:
            await asyncio.sleep(began + step.at / self.speed - clock())
            await self.source.play(step)

    async def _arrived(self) -> list[str]:
        if not await self.ledger.until(lambda: not self.ledger.missing()):
            return self.ledger.missing()
        root, *_ = own = thread()
        if page := await self.app.store.get_page_of(PostUri(root)):
            await self.app.threads.look(page)
        page = await self.app.store.get_page_of(PostUri(root))
        shown = [post.uri for post in page.posts if isinstance(post, Post)] if page else []
        return [] if shown == own else [f"the page does not read as it was written: {root}"]

    async def _summary(self) -> str:
        ledger, counts = self.ledger, await self.app.store.get_counts()
        median = statistics.median(ledger.latencies) if ledger.latencies else 0.0
        return (
            f"\n{counts.posts} posts seen · {len(ledger.sent)} delivered · {len(ledger.edited)} edited · "
            f"{len(ledger.deleted)} deleted · median latency {median:.1f} s"
        )

    async def _go_on(self) -> str:
        """The author adds a post without the hashtag: a look at the thread finds it, and the count grows."""
        before, uri = self.ledger.counted, uri_of(POSTSCRIPT)
        _say("\nKilla goes on, without the hashtag. The thread is looked at again, and its message counts on.\n")
        await self.source.play(POSTSCRIPT)
        grown = await self.ledger.until(lambda: self.ledger.counted > before and uri in self.ledger.sent)
        _say("")
        return "" if grown else "the thread did not grow"

    async def _ask(self) -> str:
        """A reader asks below it, and the answer leads to the page."""
        await self._tell(REQUEST)
        try:
            async with asyncio.timeout(PATIENCE), self.source.changed:
                await self.source.changed.wait_for(lambda: bool(self.source.answers))
        except TimeoutError:
            return "a mention was not answered"
        _say(f"   ↳ @{RELAY}: {self.source.answers[0]}\n")
        return ""

    async def _greet(self) -> str:
        """More than the chat takes within the hour: the rest shares one message, which grows."""
        _say(f"{len(GREETED)} greetings at once, into a chat that takes four an hour and two at a time:\n")
        await self.source.play(*GREETED)
        shared = await self.ledger.until(lambda: self.ledger.shared >= len(GREETED) - 2)
        return "" if shared else "the greetings do not share a message"

    async def _leave(self) -> str:
        """Somebody takes back what they wrote: all of it, by one word."""
        _say("")
        before = len(self.ledger.deleted)
        await self._tell(FAREWELL)
        gone = await self.ledger.until(lambda: len(self.ledger.deleted) > before)
        return "" if gone else "an author was not taken out"

    async def _tell(self, draft: Draft) -> None:
        where = "in private" if draft.private else "below the thread"
        _say(f"💬 @{draft.author}, {where}: {draft.text}")
        await self.source.play(draft)


async def demonstrate(stop: asyncio.Event, *, once: bool, port: int, speed: float) -> int:
    """Play, relay, sum up; then serve the page until ``stop``. 0 when all has arrived, 1 otherwise."""
    with tempfile.TemporaryDirectory(prefix="relay-demo-") as folder:
        async with _opened(_config(Path(folder), port), speed) as demo:
            ended = await _until(stop, demo.play())
            if ended is None:
                return 0
            if not once:
                _say(f"The page stays at {await demo.page()} until you press Ctrl-C.")
                await stop.wait()
            return ended


def _config(folder: Path, port: int) -> Config:
    file = folder / "relay.toml"
    values = {"hashtag": HASHTAG, "greetings": GREETINGS, "feed": FEED}
    file.write_text(CONFIG.format(folder=folder, port=port or _free_port(), **values))
    return replace(load(file, env={}), sources={})  # nothing beyond this machine is asked


def _free_port() -> int:
    """One that is free now: the relay's answers name the address of its pages."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@asynccontextmanager
async def _opened(config: Config, speed: float) -> AsyncIterator[Demo]:
    """The relay, running, with the scripted source as its only one."""
    source = ScriptedSource(config.relay.public_url)
    await source.play(*SCENE)
    ledger, stopped = Ledger(source.posted), asyncio.Event()
    async with open_app(config, sources={NAME: fenced_source(NAME, lambda: source)}) as app:
        app.outbox.settled = ledger.settled
        app.web.besides.append(web.get(f"/{NAME}/{{name}}", partial(_shown, source)))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(app.run(stopped), name="relay")
                try:
                    yield Demo(app, source, ledger, speed)
                finally:
                    stopped.set()
        except BaseExceptionGroup as errors:  # the relay could not start, say
            raise errors.exceptions[0] from None


async def _shown(source: ScriptedSource, request: web.Request) -> web.Response:
    """What the posts link to: a drawing, somebody of the cast, or a post."""
    name, _, svg = request.match_info["name"].partition(".")
    if svg:
        return web.Response(text=drawing(name), content_type="image/svg+xml")
    if name in CAST:
        title, text = CAST[name]
    elif post := source.posts.get(name):
        title, text = post.title or post.author.name, text_content(post.body)
    else:
        raise web.HTTPNotFound
    page = message_page(title, text, words("en"), site=CAST[RELAY][0], root=root_of(request))
    return web.Response(text=page, content_type="text/html")


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, int]) -> int | None:
    """The answer of ``work``, or None where ``stop`` came first."""
    playing, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    _, waiting = await asyncio.wait([playing, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return None if playing in waiting else playing.result()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
