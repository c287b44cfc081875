"""The real `relay run`, and sixty entries in one poll: twenty messages, one for the rest, a page with all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession
from selectolax.lexbor import LexborHTMLParser

from tests.servers.feeds import FeedServer
from tests.servers.sink import Sink, install_adapter
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import database

CONFIG = """\
[relay]
public_url = "http://127.0.0.1:9"
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
[sources.rss]
interval = "50ms"
at_once = 20
[adapters.{adapter}]
{settings}
[[subscriptions]]
topic = "{feed}"
to = ["{to}"]
mode = "posts"
"""
ALL, OWN = 60, 20


def configured(folder: Path, feed: str, **values: str) -> Path:
    file = folder / "relay.toml"
    file.write_text(CONFIG.format(store=database(folder), feed=feed, **values))
    return file


def add(server: FeedServer, count: int, *, before: datetime, name: str = "entry") -> list[str]:
    """Entries, one a minute, the newest at the given time."""
    guids = [f"urn:{name}:{number}" for number in range(count)]
    for number, guid in enumerate(guids):
        server.add_item(f"{name} {number}.", guid=guid, published=before - timedelta(minutes=count - number))
    return guids


async def listed(relay: RelayProcess, server: FeedServer, slug: str) -> list[int]:
    """The numbers of the originals to which a digest's page leads, each by its headline: nobody said that their words
    may be listed.
    """
    host, port = relay.pages
    async with ClientSession() as session, session.get(f"http://{host}:{port}/fold/{slug}") as answer:
        assert answer.status == 200
        links = [
            (link.attributes["href"] or "", link.text()) for link in LexborHTMLParser(await answer.text()).css("a")
        ]
    there = f"{server.url}/items/"
    assert all(name.startswith("entry ") for link, name in links if link.startswith(there))
    return sorted(int(link.removeprefix(there)) for link, _ in links if link.startswith(there))


def added(server: FeedServer, name: str) -> list[int]:
    return sorted(item.number for item in server.items if item.title.startswith(name))


@pytest.mark.timeout(120)
async def test_what_comes_at_once_and_late_is_told_in_the_chat(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    async with FeedServer() as server:
        add(server, 1, before=now - timedelta(days=1), name="seed")
        config = configured(tmp_path, server.feed, adapter="console", settings='format = "json"', to="console")
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 1)
            late = [f"urn:late:{number}" for number in range(2)]
            for number, guid in enumerate(late):
                server.add_item(f"late {number}.", guid=guid, published=now - timedelta(days=40 + number))
            await relay.wait_until(lambda lines: len(lines) == 1)
            add(server, ALL, before=now)
            await relay.wait_until(lambda lines: len(lines) == 1 + OWN + 1)
            told = relay.lines[-1]
            assert await listed(relay, server, told["uri"].removeprefix("fold:")) == added(server, "entry")
            server.edit_item("urn:entry:59", title="entry 59, again.")
            await relay.wait_until(lambda lines: len(lines) == 1 + OWN + 2)
            assert await relay.stop() == 0
    late_line, *own, digest, edit = relay.lines
    assert late_line["title"] == f"2 older entries were added to {server.feed}"
    assert [line["title"] for line in own] == [f"entry {number}." for number in range(ALL - OWN, ALL)]
    assert (digest["action"], digest["title"]) == ("send", f"{ALL - OWN} more entries in {server.feed}")
    assert f"all {ALL} on one page" in digest["text"]
    assert (edit["action"], edit["title"]) == ("edit", "entry 59, again.")


@pytest.mark.siege
@pytest.mark.timeout(120)
@pytest.mark.parametrize("after", [0, 7])
async def test_a_kill_in_between_loses_nothing_and_repeats_nothing(tmp_path: Path, after: int) -> None:
    """While the document is read, and between the messages."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    now = datetime.now(UTC).replace(microsecond=0)
    async with FeedServer() as server, Sink() as sink:
        add(server, 1, before=now - timedelta(days=1), name="seed")
        settings = {"adapter": "steady", "settings": f'url = "{sink.url}"', "to": "steady:room"}
        config = configured(tmp_path, server.feed, **settings)
        async with RelayProcess(config, pythonpath=install_adapter(plugins)) as relay:
            await seeded(database(tmp_path), 1)
            asked, guids = len(server.requests), add(server, ALL, before=now)
            while len(sink.messages) < after or len(server.requests) == asked:
                await asyncio.sleep(0.001)
            await relay.kill()
            await relay.start()
            async with asyncio.timeout(60):
                while len(sink.messages) < OWN + 1:
                    sink.changed.clear()
                    await sink.changed.wait()
            polls = len(server.requests)
            while len(server.requests) < polls + 3:
                await asyncio.sleep(0.01)
            _verdict(sink, guids)
            (slug,) = [uri.removeprefix("fold:") for uri in sink.sent("steady:room") if uri.startswith("fold:")]
            assert await listed(relay, server, slug) == added(server, "entry")
            assert await relay.stop() == 0
    _verdict(sink, guids)


def _verdict(sink: Sink, guids: Sequence[str]) -> None:
    sent = sink.sent("steady:room")
    assert [uri.partition(":urn:")[2] for uri in sent[:OWN]] == [guid[4:] for guid in guids[-OWN:]]
    assert len(sent) == len(sink.messages) == OWN + 1
