"""The real `relay run` under hostile servers of several networks answers ``/healthz`` all the time."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import cycle
from pathlib import Path

import pytest

from tests.servers.bluesky import xrpc
from tests.servers.bluesky.jetstream import Jetstream, Network
from tests.servers.bluesky.xrpc import Stage as Bluesky
from tests.servers.feeds import FeedServer
from tests.servers.floods import FLOODS
from tests.servers.mastodon import fediverse
from tests.servers.mastodon.fediverse import Fediverse
from tests.support import hostile_documents as documents
from tests.support.hostile import KINDS
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import database

EVERY = 0.25
"""Seconds between two questions, and the most that an answer may take of the loop's own time."""
TEXTS = ("links never closed", "list items", "angle brackets", *tuple(KINDS)[::14])
POSTS, LENGTH = 9, 120_000

CONFIG = """\
[store]
url = "{store}"
[web]
port = {port}
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
[outbox]
budget = 0
[sources.mastodon]
instances = ["{mastodon}"]
interval = "300ms"
[sources.bluesky]
interval = "300ms"
api_url = "{appview}"
directory_url = "{home}"
jetstream = ["{jetstream}"]
[sources.rss]
interval = "300ms"
[adapters.console]
format = "json"
[[subscriptions]]
topic = "#qeswachaka"
to = "console"
[[subscriptions]]
topic = "{did}"
to = "console"
[[subscriptions]]
topic = "{feed}"
to = "console"
"""


@dataclass
class Pulse:
    """What came of asking for ``/healthz`` again and again, from a thread that does nothing else."""

    port: int
    pid: int
    slow: list[tuple[float, float]] = field(default_factory=list)
    """Seconds of each answer that took longer than it may, and of the processor's time that the loop's thread had."""
    answers: int = 0
    failures: list[str] = field(default_factory=list)

    def take(self) -> None:
        begun, used = time.monotonic(), _used(self.pid)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/healthz")
            assert connection.getresponse().read() == b"ok\n"
            self.answers += 1
        except (OSError, HTTPException) as error:
            self.failures.append(repr(error))
        finally:
            connection.close()
        if (took := time.monotonic() - begun) > EVERY:
            self.slow.append((took, _used(self.pid) - used))


def _used(pid: int) -> float:
    """Seconds of the processor's time of a process's first thread, in which its loop runs; other threads are not in it.

    A machine that is busy with something else makes an answer late, but does not raise this.
    """
    numbers = Path(f"/proc/{pid}/task/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def beating(port: int, pid: int) -> Iterator[Pulse]:
    pulse, ended = Pulse(port, pid), threading.Event()

    def beat() -> None:
        while not ended.wait(EVERY):
            pulse.take()

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield pulse
    finally:
        ended.set()
        thread.join()


@dataclass
class Servers:
    mastodon: Fediverse
    bluesky: Bluesky
    feeds: FeedServer
    jetstream: Jetstream
    floods: Iterator[bytes] = field(default_factory=lambda: cycle(FLOODS.values()))

    def become(self, kind: str, length: int = LENGTH) -> None:
        """From now on, all of them send this."""
        self.mastodon.says.clear()
        self.mastodon.say("timelines/tag", documents.statuses(self.mastodon.base, KINDS[kind], length, POSTS))
        self.bluesky.says.clear()
        self.bluesky.say("getProfile", {"did": documents.DID, "handle": "illa.example"})
        self.bluesky.say("getAuthorFeed", documents.views(KINDS[kind], length, POSTS))
        self.feeds.put("/hostile.xml", documents.feed(KINDS[kind], length, POSTS))
        self.jetstream.flood = next(self.floods)

    def asked(self) -> tuple[int, int, int]:
        mastodon = sum("timelines/tag" in one for one in self.mastodon.asked)
        return mastodon, self.bluesky.count("getAuthorFeed"), self.feeds.asked("/hostile.xml")


@asynccontextmanager
async def hostile() -> AsyncIterator[Servers]:
    jetstream = Jetstream(Network(1_790_000_000_000_000))
    async with fediverse.run() as mastodon, xrpc.run() as bluesky, FeedServer() as feeds, jetstream.running():
        yield Servers(mastodon, bluesky, feeds, jetstream)


@pytest.mark.siege
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not tell the time of a thread")
@pytest.mark.timeout(600)
async def test_health_is_told_while_every_server_is_hostile(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with hostile() as servers:
        servers.become("hashtags", length=100)
        config = tmp_path / "relay.toml"
        config.write_text(
            CONFIG.format(
                store=database(tmp_path),
                port=port,
                mastodon=servers.mastodon.base,
                appview=servers.bluesky.appview,
                home=servers.bluesky.home,
                did=documents.DID,
                feed=f"{servers.feeds.url}/hostile.xml",
                jetstream=servers.jetstream.address,
            )
        )
        async with RelayProcess(config) as relay:
            try:
                await seeded(database(tmp_path), 3)
            except TimeoutError:
                raise AssertionError("".join(relay.log)) from None
            with beating(port, relay.pid) as pulse:
                for kind in TEXTS:
                    servers.become(kind)
                    before = servers.asked()
                    async with asyncio.timeout(60):
                        while any(now < then + 1 for now, then in zip(servers.asked(), before, strict=True)):
                            await asyncio.sleep(0.05)
            assert await relay.stop() == 0
            assert len(servers.jetstream.asked) > 1
    assert pulse.answers > len(TEXTS)
    assert not pulse.failures
    held = [one for one in pulse.slow if one[1] >= EVERY]
    assert not held, (held, pulse.slow)
