"""The outbox and the Discord adapter against a server that enforces Discord's buckets, in a process of its own.

The floor is what the buckets allow: so many messages at once in each channel, the same again with each window, and so
many a second in all. Anything above it would be answered with 429, which is counted too.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import Any

import aiohttp

from adapters.discord import DiscordSettings, build
from bench.figures import Figure
from bench.stores import lease
from relay.app import clock
from relay.http import Http, HttpSettings
from relay.lease import Tenure
from relay.log import Trouble
from relay.model import Delivery, Destination, Published, Subscription, SubscriptionId
from relay.outbox import Outbox
from relay.plugins import Host
from relay.ports import Intake, Settlement, State, Wish
from relay.store import open_store
from relay.testing import post

BURST, WINDOW = 5, 5.0
"""What one channel takes: so many messages each so many seconds."""
IN_ALL = 50
"""What one bot may ask a second, over all channels."""

Json = dict[str, Any]


@contextmanager
def _server(channels: int) -> Iterator[Json]:
    command = [sys.executable, "-m", "tests.servers.discord", "--window", "1.0", "--channels", str(channels)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


async def _send(server: Json, each: int) -> tuple[float, Json]:
    """Send ``each`` posts to every channel; seconds from the first attempt to the last answer, and what was counted."""
    places = [Destination("discord", channel) for channel in server["channels"]]
    async with Http(HttpSettings(), user_agent="bench") as http:
        settings = DiscordSettings(token=server["token"], api_url=server["api_url"], gateway_url=server["gateway_url"])
        adapter = build(settings, Host(http=http, name="Bench"))
        with tempfile.TemporaryDirectory() as folder:
            store = await open_store(f"sqlite:///{Path(folder) / 'bench.sqlite3'}")
            await store.add_intakes([_wished(places, number) for number in range(each)], lease())
            left = len(places) * each
            finished = asyncio.Event()

            def settled(_delivery: Delivery, settlement: Settlement, _now: object) -> None:
                nonlocal left
                left -= settlement.state is State.SENT
                if not left:
                    finished.set()

            tenure = Tenure(owner="bench", lease=timedelta(seconds=60), clock=clock, trouble=Trouble())
            outbox = Outbox(store=store, adapters={"discord": adapter}, tenure=tenure, settled=settled)
            begun = time.perf_counter()
            running = asyncio.create_task(outbox.run())
            await finished.wait()
            spent = time.perf_counter() - begun
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await outbox.stop(timedelta(seconds=1))
            await store.close()
        await adapter.close()
    return spent, await _counts(server["api_url"])


def _wished(places: Sequence[Destination], number: int) -> Intake:
    shown = post(number)
    by = {
        str(place): Subscription(id=SubscriptionId(index + 1), topic="#bridge", destination=place)
        for index, place in enumerate(places)
    }
    return Intake(feed=None, events=(Published(shown),), wishes=(Wish(uri=shown.uri, by=by),))


async def _counts(api_url: str) -> Json:
    address = api_url.rpartition("/api/")[0] + "/_test/counts"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        counts: Json = await answer.json(content_type=None)
    return counts


def measure() -> list[Figure]:
    return [
        # The last burst of all channels is more than the bot may send within one second.
        _figure("20 busy channels", channels=20, each=6 * BURST, least=5 * WINDOW + ceil(20 * BURST / IN_ALL) - 1),
        # Each channel is asked once what it is.
        _figure("120 busy channels", channels=120, each=BURST, least=ceil(120 * (BURST + 1) / IN_ALL) - 1),
    ]


def _figure(name: str, *, channels: int, each: int, least: float) -> Figure:
    """``least`` is how many seconds the server's limits make it last."""
    with _server(channels) as server:
        spent, counts = asyncio.run(_send(server, each))
    messages = channels * each
    arrived = sum(counts["messages"].values())
    allowed = messages / least
    return Figure(
        name=f"Discord, {name} ({counts['too_many']} × 429, {arrived} of {messages} arrived)",
        value=messages / spent,
        unit="messages/s",
        floor=allowed,
        floor_name="messages/s, what the server's buckets allow",
        target="≥ 0.98 × floor, 0 × 429",
        met=messages / spent >= 0.98 * allowed and not counts["too_many"] and arrived == messages,
    )
