"""`relay demo`: a play on an embedded stage, relayed by the real pipeline, nothing beyond loopback.

The stage is a small server; everything from the configuration to the page is what `relay run` runs.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from relay.app import App, open_app
from relay.config import Config, load
from relay.demo.encore import Encore, Ledger
from relay.demo.stage import GREETINGS, HASHTAG, RELAY, Expected, Stage, expected, open_stage, perform
from relay.model import Post

PATIENCE = 15
"""Seconds after the last step in which everything must have arrived."""

CONFIG = """\
[relay]
name = "Chasqui demo"
public_url = "http://127.0.0.1:{port}"

[store]
url = "sqlite:///{folder}/demo.sqlite3"

[web]
port = {port}

[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"

[outbox]
budget = 0

[threads]
looks = ["1s", "3s"]

[[web.join]]
name = "The plaza"
url = "https://relay.example/plaza"
about = "where the bridge is talked about"

[sources.mastodon]
instances = ["{stage}"]
interval = "400ms"
sweep = "1s"
mentions = ["{stage}"]

[sources.mastodon.tokens]
"{stage}" = "{token}"

[sources.rss]
interval = "1s"

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


async def demonstrate(stop: asyncio.Event, *, once: bool, port: int, speed: float) -> int:
    """Play, relay, sum up; then serve the page until ``stop``. 0 when all has arrived, 1 otherwise."""
    with tempfile.TemporaryDirectory(prefix="relay-demo-") as folder:
        async with open_stage() as stage, _relay(stage, Path(folder), port) as (app, ledger):
            ended = await _until(stop, _watch(app, stage, ledger, speed))
            if ended is None:
                return 0
            if not once:
                _say(f"The page stays at {await _page(app, stage)} until you press Ctrl-C.")
                await stop.wait()
            return ended


@asynccontextmanager
async def _relay(stage: Stage, folder: Path, port: int) -> AsyncIterator[tuple[App, Ledger]]:
    """The relay, running."""
    ledger = Ledger(stage)
    stopped = asyncio.Event()
    async with open_app(_config(stage, folder, port)) as app:
        app.outbox.settled = ledger.settled
        running = asyncio.create_task(app.run(stopped), name="relay")
        try:
            yield app, ledger
        finally:
            stopped.set()
            await running


def _config(stage: Stage, folder: Path, port: int) -> Config:
    file = folder / "relay.toml"
    values = {"stage": stage.url, "feed": stage.feed_url, "hashtag": HASHTAG, "greetings": GREETINGS}
    token = stage.speaking.grant(RELAY.username)
    file.write_text(CONFIG.format(folder=folder, port=port or _free_port(), token=token, **values))
    return load(file, env={})


def _free_port() -> int:
    """One that is free now: the relay's answers name the address of its pages."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def _watch(app: App, stage: Stage, ledger: Ledger, speed: float) -> int:
    await _seeded(app, feeds=3)
    await stage.speaking.attended()
    _say(
        f"#{HASHTAG} on an invented network: a thread begins, told by somebody who is there.\n"
        f"Its page grows with it: {app.web.url}/\n"
    )
    await perform(stage, speed=speed)
    missing = await _arrived(app, stage, ledger)
    counts = await app.store.get_counts()
    _say(_summary(counts.posts, ledger))
    if not missing:
        missing = await Encore(app, stage, ledger, _say).play()
    for line in missing:
        _say(f"✗ {line}")
    return 1 if missing else 0


async def _seeded(app: App, *, feeds: int) -> None:
    """The relay marks what is there before it starts to relay; the play begins when it has."""
    while sum(state.feed.seeded for state in await app.store.list_feeds()) < feeds:  # noqa: ASYNC110 - a store has no event
        await asyncio.sleep(0.05)


async def _arrived(app: App, stage: Stage, ledger: Ledger) -> list[str]:
    wanted = expected(stage)
    try:
        async with asyncio.timeout(PATIENCE):
            while ledger.missing(wanted):
                ledger.changed.clear()
                await ledger.changed.wait()
    except TimeoutError:
        return ledger.missing(wanted)
    return await _misplaced(app, wanted)


async def _misplaced(app: App, wanted: Expected) -> list[str]:
    """The page must hold the author's thread, whole and in order."""
    page = await app.store.get_page_of(wanted.root)
    page = page and await app.threads.look(page)
    shown = [post.uri for post in page.posts if isinstance(post, Post)] if page else []
    return [] if shown == list(wanted.thread) else [f"the page does not read as it was written: {wanted.root}"]


def _summary(seen: int, ledger: Ledger) -> str:
    median = statistics.median(ledger.latencies) if ledger.latencies else 0.0
    return (
        f"\n{seen} posts seen · {len(ledger.sent)} delivered · {len(ledger.edited)} edited · "
        f"{len(ledger.deleted)} deleted · median latency {median:.1f} s"
    )


async def _page(app: App, stage: Stage) -> str:
    page = await app.store.get_page_of(expected(stage).root)
    return f"{app.web.url}/t/{page.slug}" if page else app.web.url


async def _until(stop: asyncio.Event, work: object) -> int | None:
    """The answer of ``work``, or None where ``stop`` came first."""
    tasks = [asyncio.ensure_future(work), asyncio.create_task(stop.wait())]  # type: ignore[call-overload]  # a coroutine
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return tasks[0].result() if tasks[0] in done else None


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
