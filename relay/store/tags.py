"""Hashtags that are known here, for people who begin to type one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import msgspec
from sqlalchemy import Connection, select

from relay.hashtag import fold
from relay.store.tables import posts, subscriptions

_LATEST = 500
"""Posts that are looked at: enough for a list, read in a few milliseconds."""
_SIGNS = ("#", "＃")


class _Tagged(msgspec.Struct):
    """What is read of a post; the rest of its JSON is passed over."""

    tags: tuple[str, ...] = ()
    unlisted: bool = False


_decode: Callable[[str], _Tagged] = msgspec.json.Decoder(_Tagged).decode
_NEWEST = select(posts.c.data).where(~posts.c.deleted).order_by(posts.c.id.desc()).limit(_LATEST)
_TOPICS = select(subscriptions.c.topic).order_by(subscriptions.c.id.desc())


def folded(topic: str) -> str:
    """A topic as it is compared with others: hashtags without regard to how they are written, the rest as it stands.

    One network may fold two hashtags into one that are two elsewhere; here they are two.
    """
    if topic.startswith(_SIGNS) and (tag := fold(topic, "")):
        return f"#{tag}"
    return topic


def list_tags(connection: Connection, limit: int) -> list[str]:
    found: dict[str, str] = {}
    for tag in _written(connection):
        if key := fold(tag, ""):
            found.setdefault(key, tag)
    return list(islice(found.values(), limit))


def _written(connection: Connection) -> Iterator[str]:
    for data in connection.execute(_NEWEST).scalars():
        post = _decode(data)
        if not post.unlisted:
            yield from post.tags
    for topic in connection.execute(_TOPICS).scalars():
        if topic.startswith(_SIGNS):
            yield topic[1:]
