"""Asks what became of posts: changed, deleted, or nothing at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from relay.model import Deleted, Edited, Event, Post
from relay.ports import Batch, Gone, TryLater
from relay.sources.bluesky import repository
from relay.sources.bluesky.address import read_at
from relay.sources.bluesky.answers import settled
from relay.sources.bluesky.labels import Withheld
from relay.sources.bluesky.records import read_view
from relay.sources.bluesky.shapes import Raw
from relay.sources.bluesky.xrpc import MANY, XrpcApi
from relay.sources.kit import Missing
from relay.sources.off_loop import off_loop

_LAG = timedelta(hours=1)
"""So long an AppView may be behind the firehose, from which we may have a post."""


async def recheck(api: XrpcApi, posts: Sequence[Post]) -> Batch | TryLater | Gone:
    """One request for all. To be absent from its answer is to be deleted, or no longer for everybody's eyes.

    When all are absent the answer itself is doubted: one of them is asked for by its name.
    """
    found = await api.get_posts([post.uri for post in posts])
    if not isinstance(found, dict):
        return settled(found, "nothing of it is there")
    if posts and not found:
        answer = await api.ask("app.bsky.feed.getPostThread", [("uri", posts[0].uri), ("depth", "0")])
        if not isinstance(answer, Missing):
            return TryLater("the AppView knows none of several posts, and yet shows one of them")
    return Batch(events=tuple([event for post in posts[:MANY] for event in await _fate(api, post, found)]))


async def _fate(api: XrpcApi, known: Post, found: Mapping[str, Raw]) -> list[Event]:
    raw = found.get(known.uri)
    if raw is None:
        return [] if await _is_ahead(api, known) else [Deleted(known.uri)]
    read = await off_loop(len(raw), lambda: read_view(raw))
    if isinstance(read, Withheld):
        return [Deleted(known.uri)]
    return [Edited(read)] if read is not None and read != known else []


async def _is_ahead(api: XrpcApi, known: Post) -> bool:
    """Whether the AppView may not know the post yet: its author's own server has it."""
    place = read_at(known.uri)
    if place is None or datetime.now(UTC) - known.published > _LAG:
        return False
    return await repository.has(api, place)
