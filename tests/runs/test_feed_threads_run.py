"""The real `relay run` on a blog whose author goes on with what they wrote: one message, and one page of it all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from tests.servers.environments import free_port
from tests.servers.feeds import FeedServer
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import actions, database

CONFIG = """\
[relay]
public_url = "http://127.0.0.1:{port}"
[store]
url = "{store}"
[web]
port = {port}
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
[sources.rss]
interval = "100ms"
[adapters.console]
format = "json"
[[subscriptions]]
topic = "{feed}"
to = "console"
"""
FORTH = '<p>I had to stop here; how it went on I shall tell in <a href="/items/{0}">the next one</a>.</p>'
BACK = '<p>Who missed how it began, before the rain came, finds it in <a href="/items/{0}">that one</a>.</p>'


@pytest.mark.timeout(60)
async def test_entries_that_go_on_with_each_other_are_one_message_and_one_page(tmp_path: Path) -> None:
    async with FeedServer() as server:
        now = datetime.now(UTC)
        server.add_item("Long ago", published=now - timedelta(days=9))
        config = tmp_path / "relay.toml"
        config.write_text(CONFIG.format(port=free_port(), store=database(tmp_path), feed=server.feed))
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 1)
            server.add_item("The ropes", f"<p>Grass is cut.</p>{FORTH.format(3)}", published=now - timedelta(hours=3))
            await relay.wait_until(lambda lines: len(actions(lines, "send")) == 1)
            server.add_item("The bridge", f"<p>Ropes are hung.</p>{BACK.format(2)}", published=now - timedelta(hours=2))
            await relay.wait_until(lambda lines: lines[-1]["thread"] and lines[-1]["thread"]["count"] == 2)
            server.add_item("The feast", f"<p>Part 3 of {server.url}/items/3</p>", published=now - timedelta(hours=1))
            await relay.wait_until(lambda lines: lines[-1]["thread"]["count"] == 3)
            server.add_item("Potatoes", "<p>I wrote of <a href='/items/3'>the bridge</a> before.</p>", published=now)
            await relay.wait_until(lambda lines: len(actions(lines, "send")) == 2)
            grown = relay.lines[-2]
            async with aiohttp.ClientSession() as session, session.get(grown["thread"]["unroll"]) as answer:
                page = await answer.text()
            assert await relay.stop() == 0
    ropes, potatoes = [line for line in relay.lines if line["action"] == "send"]
    assert (ropes["title"], potatoes["title"]) == ("The ropes", "Potatoes")
    assert grown["uri"] == ropes["uri"]
    assert page.index("Grass is cut.") < page.index("Ropes are hung.") < page.index("The feast")
    assert "Potatoes" not in page
