"""What the benchmarks of chat platforms share.

A server that keeps a platform's limits runs in a process of its own; the outbox sends to it through an adapter.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from bench.figures import Figure
from bench.stores import lease
from relay.app import clock
from relay.http import Http, HttpSettings
from relay.log import Trouble
from relay.model import Delivery, Destination, Published, Subscription, SubscriptionId
from relay.pipeline.outbox import Outbox
from relay.pipeline.worker import Worker
from relay.plugins import Host
from relay.ports import Adapter
from relay.records import Intake, PlannedSend, Settlement, State
from relay.store import open_store
from relay.testing import post

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Load:
    """So many posts to each of so many chats; ``least`` is how many seconds the server's limits make that last.

    ``refusals``: so many 429 there must be, as the platform tells its limits in no other way.
    """

    platform: str
    chats: int
    each: int
    least: float
    refusals: int = 0


def figure(load: Load, options: Sequence[str], build: Callable[[Json, Host], Adapter], places: str) -> Figure:
    """Messages a second beside what the server allows; ``places`` is where the server's greeting lists its chats."""
    with _server(load.platform, options) as server:
        moments = asyncio.run(sent(load, server, build, server[places]))
        counts = asyncio.run(_counts(server.get("api_url") or server["url"]))
    spent = moments[-1]
    messages, arrived = load.chats * load.each, sum(counts["messages"].values())
    rate, allowed = messages / spent, messages / load.least
    seen = f"{counts['too_many']} × 429, {arrived} of {messages} arrived"
    return Figure(
        name=f"{load.platform.title()}, {load.chats} busy chats ({seen})",
        value=rate,
        unit="messages/s",
        floor=allowed,
        floor_name="messages/s, what the server's limits allow",
        target=f"≥ 0.98 × floor, {'at most ' if load.refusals else ''}{load.refusals} × 429",
        met=rate >= 0.98 * allowed and counts["too_many"] <= load.refusals and arrived == messages,
    )


@contextmanager
def _server(platform: str, options: Sequence[str]) -> Iterator[Json]:
    command = [sys.executable, "-m", f"tests.servers.{platform}", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


async def sent(
    load: Load, server: Json, build: Callable[[Json, Host], Adapter], chats: Sequence[str]
) -> Sequence[float]:
    """Seconds from the first attempt to each message that was taken."""
    places = [Destination(load.platform, str(chat)) for chat in chats]
    async with Http(HttpSettings(), user_agent="bench") as http:
        adapter = build(server, Host(http=http, name="Bench"))
        with tempfile.TemporaryDirectory() as folder:
            store = await open_store(f"sqlite:///{Path(folder) / 'bench.sqlite3'}")
            await store.add_intakes([_wished(places, number) for number in range(load.each)], lease())
            moments: list[float] = []
            finished = asyncio.Event()

            def settled(_delivery: Delivery, settlement: Settlement, _now: object) -> None:
                if settlement.state is State.SENT:
                    moments.append(time.perf_counter() - begun)
                if len(moments) == len(places) * load.each:
                    finished.set()

            worker = Worker(owner="bench", lease=timedelta(seconds=60), clock=clock, trouble=Trouble())
            outbox = Outbox(store=store, adapters={load.platform: adapter}, worker=worker, settled=settled)
            begun = time.perf_counter()
            running = asyncio.create_task(outbox.run())
            await finished.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await outbox.stop(timedelta(seconds=1))
            await store.close()
        await adapter.close()
    return moments


def _wished(places: Sequence[Destination], number: int) -> Intake:
    shown = post(number)
    by = {
        str(place): Subscription(id=SubscriptionId(index + 1), topic="#bridge", destination=place)
        for index, place in enumerate(places)
    }
    return Intake(feed=None, events=(Published(shown),), planned_sends=(PlannedSend(uri=shown.uri, by=by),))


async def _counts(api_url: str) -> Json:
    address = api_url.partition("/api/")[0] + "/_test/counts"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        counts: Json = await answer.json(content_type=None)
    return counts
