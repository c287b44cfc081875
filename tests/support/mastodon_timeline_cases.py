"""What several tests share with those of mastodon timeline."""

from __future__ import annotations

from relay.model import Feed, FeedId, Published
from relay.ports import Batch
from relay.sources.mastodon import MastodonSource
from relay.text import plain
from tests.servers.mastodon.fediverse import Fediverse, Json


def tag_feed(stage: Fediverse, tag: str = "rivers") -> Feed:
    return Feed(id=FeedId(1), source="mastodon", address=f"{stage.base}/api/v1/timelines/tag/{tag}")


def account_feed(stage: Fediverse, account: Json) -> Feed:
    return Feed(id=FeedId(2), source="mastodon", address=f"{stage.base}/api/v1/accounts/{account['id']}/statuses")


class Reader:
    """A feed and its cursor, as the core keeps them."""

    def __init__(self, source: MastodonSource, feed: Feed) -> None:
        self.source, self.feed = source, feed

    async def poll(self) -> Batch:
        batch = await self.source.poll(self.feed)
        assert isinstance(batch, Batch), batch
        cursor = self.feed.cursor if batch.cursor is None else batch.cursor
        self.feed = Feed(id=self.feed.id, source="mastodon", address=self.feed.address, cursor=cursor, seeded=True)
        return batch

    async def read(self) -> list[str]:
        """Poll until nothing more is to be read at once; the texts that came."""
        batch = await self.poll()
        texts = published(batch)
        while batch.more:
            batch = await self.poll()
            texts += published(batch)
        return texts


def published(batch: Batch) -> list[str]:
    assert all(isinstance(event, Published) for event in batch.events)
    return [plain(event.post.body) for event in batch.events if isinstance(event, Published)]


async def begun(source: MastodonSource, feed: Feed) -> Reader:
    reader = Reader(source, feed)
    await reader.poll()
    return reader
