"""Beside broken neighbours: the real relay, 36 bad feeds and 3 good ones at one address."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.processes import RelayProcess
from tests.support.siege_feeds import BadNeighbours

SECONDS = 60
CONFIG = """\
[store]
url = "sqlite:///{folder}/relay.sqlite3"
[web]
port = 0
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
connections_per_host = 64
[sources.rss]
interval = "1s"
[adapters.console]
format = "json"
"""


@pytest.mark.siege
@pytest.mark.timeout(120)
async def test_every_feed_is_asked_and_the_good_ones_all_the_time(tmp_path: Path) -> None:
    async with BadNeighbours() as server:
        topics = [
            f'[[subscriptions]]\ntopic = "{server.url}{path}"\nto = "console"\n' for path in server.bad + server.good
        ]
        config = tmp_path / "relay.toml"
        config.write_text(CONFIG.format(folder=tmp_path) + "".join(topics))
        async with RelayProcess(config) as relay:
            await relay.running.wait()
            begun = asyncio.get_running_loop().time()
            await asyncio.sleep(SECONDS)
            end = asyncio.get_running_loop().time()
            code = await relay.stop()
        never = [path for path in server.bad + server.good if not server.asked[path]]
        first = {
            path: round(server.asked[path][0] - begun, 1) for path in server.bad + server.good if server.asked[path]
        }
        gaps = {path: round(server.longest_gap(path, end), 1) for path in server.good}
        sent = len(relay.lines)
        print(f"never asked: {never}; latest first question {max(first.values())} s; gaps {gaps}; {sent} messages")
        assert code == 0
        assert never == []
        assert max(first.values()) < 20, first
        assert max(gaps.values()) < 8, gaps
        assert sent > 30
