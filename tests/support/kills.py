"""What several tests share with those of kill."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers.mastodon import Draft, Item, Mastodon
from tests.servers.sink import Sink, install_adapter


class MastodonNetwork:
    """Our own stage as the network that posts."""

    def __init__(self, stage: Mastodon) -> None:
        self._stage = stage
        self.instance = stage.url
        self.feed = stage.feed_url

    async def post(self, lane: int, number: int) -> str:
        if lane == 2:
            return self._stage.publish_item(Item(name=f"n{number}", title=f"News {number}", text="…")).rsplit("/", 1)[1]
        tag = ("bridge", "harvest")[lane]
        return self._stage.post(Draft(author="illa", text=f"Post {number} #{tag}"))


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink(slowest=0.03) as opened:
        yield opened


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    return install_adapter(folder)
