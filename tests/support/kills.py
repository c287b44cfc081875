"""What several tests share with those of kill."""

from __future__ import annotations

from tests.servers.mastodon import Draft, Item, Mastodon


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
