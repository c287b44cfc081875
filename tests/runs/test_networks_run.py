"""The real `relay run` between several networks at once and one reader: a hashtag on all of them, and copies once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.bluesky.jetstream import Jetstream, Network, did
from tests.servers.bluesky.xrpc import Stage as Bluesky
from tests.servers.bluesky.xrpc import run as bluesky
from tests.servers.feeds import FeedServer
from tests.servers.mastodon import Draft, Mastodon
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA, SAMI, database

CONFIG = """\
[store]
url = "{store}"
[web]
port = 0
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
[outbox]
budget = 0
lease = "2s"
timeout = "1s"
[sources.mastodon]
instances = ["{mastodon}"]
interval = "100ms"
sweep = "300ms"
[sources.bluesky]
jetstream = ["{jetstream}"]
api_url = "{appview}"
directory_url = "{home}"
pds_url = "{entrance}"
sweep = "300ms"
[sources.rss]
interval = "100ms"
[adapters.console]
format = "json"
[[subscriptions]]
topic = "#qeswachaka"
to = "console"
"""
POSTS = "app.bsky.feed.post"


@dataclass
class Everywhere:
    """A Mastodon server, Bluesky with its Jetstream, and feeds."""

    mastodon: Mastodon
    bluesky: Bluesky
    network: Network
    jetstream: Jetstream
    feeds: FeedServer

    def skeet(self, text: str, by: str = "killa", **more: Any) -> str:
        """Post on Bluesky: the AppView knows it, and the firehose tells."""
        uri = self.bluesky.world.post(text, by, **more)
        self.network.write(by, uri.rpartition("/")[2], self.bluesky.world.records[uri])
        return uri

    def unskeet(self, uri: str, by: str = "killa") -> None:
        del self.bluesky.world.records[uri]
        self.network.delete(uri, by)


@asynccontextmanager
async def everywhere() -> AsyncIterator[Everywhere]:
    async with AsyncExitStack() as stack:
        network = Network(now=time.time_ns() // 1000)
        yield Everywhere(
            mastodon=await stack.enter_async_context(Mastodon([ILLA, SAMI])),
            bluesky=await stack.enter_async_context(bluesky()),
            network=network,
            jetstream=await stack.enter_async_context(Jetstream(network).running()),
            feeds=await stack.enter_async_context(FeedServer()),
        )


def configured(folder: Path, place: Everywhere, more: str = "") -> Path:
    file = folder / "relay.toml"
    file.write_text(
        CONFIG.format(
            store=database(folder),
            mastodon=place.mastodon.url,
            jetstream=place.jetstream.address,
            appview=place.bluesky.appview,
            home=place.bluesky.home,
            entrance=place.bluesky.entrance,
        )
        + more
    )
    return file


def texts(lines: list[dict[str, Any]], action: str = "send") -> list[str]:
    return [line["text"] for line in lines if line["action"] == action]


@pytest.mark.timeout(90)
async def test_a_hashtag_is_followed_on_every_network_and_arrives_once(tmp_path: Path) -> None:
    async with everywhere() as place:
        place.bluesky.world.person("killa")
        async with RelayProcess(configured(tmp_path, place)) as relay:
            await seeded(database(tmp_path), 2)
            await place.jetstream.live.wait()
            place.mastodon.post(Draft(author="illa", text="On the one. #qeswachaka"))
            first = place.skeet("On the other. #Qeswachaka")
            place.skeet("Of something else. #potatoes")
            await relay.wait_until(lambda lines: len(texts(lines)) == 2)
            assert sorted(text.split(".")[0] for text in texts(relay.lines)) == ["On the one", "On the other"]
            place.unskeet(first)
            await relay.wait_until(lambda lines: [line for line in lines if line["action"] == "delete"])
            assert await relay.stop() == 0
        assert len(texts(relay.lines)) == 2


@pytest.mark.siege
@pytest.mark.timeout(90)
async def test_after_a_stop_the_firehose_goes_on_where_it_was(tmp_path: Path) -> None:
    async with everywhere() as place:
        place.bluesky.world.person("killa")
        relay = RelayProcess(configured(tmp_path, place))
        async with relay:
            await seeded(database(tmp_path), 2)
            await place.jetstream.live.wait()
            place.skeet("Before. #qeswachaka")
            await relay.wait_until(lambda lines: len(texts(lines)) == 1)
            await relay.kill()
        place.skeet("Meanwhile. #qeswachaka")
        async with relay:
            place.skeet("After. #qeswachaka")
            await relay.wait_until(lambda lines: any("After" in text for text in texts(lines)))
            assert await relay.stop() == 0
        found = [text.split(".")[0] for text in dict.fromkeys(texts(relay.lines))]
        assert found == ["Before", "Meanwhile", "After"]


@pytest.mark.siege
@pytest.mark.timeout(90)
async def test_an_account_of_bluesky_is_followed_by_its_handle(tmp_path: Path) -> None:
    async with everywhere() as place:
        place.bluesky.world.person("killa")
        more = '[[subscriptions]]\ntopic = "@killa.ayllu.example"\nto = "console"\n'
        async with RelayProcess(configured(tmp_path, place, more)) as relay:
            await seeded(database(tmp_path), 3)
            await place.jetstream.live.wait()
            place.skeet("Without any hashtag.")
            place.skeet("Of another.", by="mayu")
            await relay.wait_until(lambda lines: len(texts(lines)) == 1)
            assert "Without any" in texts(relay.lines)[0]
            assert relay.lines[0]["author"]["url"].endswith(did("killa"))
            assert await relay.stop() == 0
