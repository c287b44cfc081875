"""Hashtags that are known here, and who may be told that somebody follows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    and_,
    bindparam,
    or_,
    select,
    text,
    union,
)

from relay.core.hashtag import fold
from relay.model import CHAT, Destination
from relay.store.content import to_json
from relay.store.tables import EMPTY, deliveries, destinations, posts, subscription_tags, subscriptions

_LATEST = 500
"""Posts that are looked at: enough for a list, read in a few milliseconds."""
_SIGNS = ("#", "＃")


class _Tagged(msgspec.Struct):
    """What is read of a post; the rest of its JSON is passed over."""

    tags: tuple[str, ...] = ()
    unlisted: bool = False


_decode: Callable[[bytes], _Tagged] = msgspec.json.Decoder(_Tagged).decode

_listed = select(destinations.c.name).where(text("destinations.listed"))
_origin, _destination = subscriptions.c.origin, subscriptions.c.destination
PUBLIC = (_origin < CHAT, _origin > CHAT, _destination.in_(_listed))  # "<>" would use no index
"""Subscriptions that anybody may know of, by one of these: the configuration's, and those of channels that say so.

One by one they are found by indexes; for all three at once PostgreSQL would read all subscriptions.
"""
PUBLIC_TAGS = (
    select(subscription_tags.c.tag)
    .join(subscriptions, subscriptions.c.id == subscription_tags.c.subscription)
    .where(or_(*PUBLIC))
)
"""The hashtags, folded, of which anybody may know that they are followed here."""


def is_of(column: ColumnElement[str], community: ColumnElement[str]) -> ColumnElement[bool]:
    """The column names this community, which has a name: as the index says it, or all subscriptions would be read."""
    return and_(column == community, column != EMPTY)


def _known(*columns: Column[Any]) -> CompoundSelect[Any]:
    """Of the subscriptions that may be known in a channel; each way to be one has an index of its own."""
    ours = _destination == bindparam("name"), is_of(subscriptions.c.community, bindparam("community"))
    return union(*(select(*columns).where(way) for way in (*ours, *PUBLIC)))


_topics = _known(subscriptions.c.id, subscriptions.c.topic).subquery()
_TOPICS = select(_topics.c.topic).order_by(_topics.c.id.desc())
_newest = select(posts.c.id, posts.c.data).where(~posts.c.deleted).order_by(posts.c.id.desc()).limit(_LATEST).subquery()
_NEWEST = (
    select(_newest.c.data)
    .where(
        select(deliveries.c.id)
        .where(deliveries.c.post == _newest.c.id, deliveries.c.destination.in_(_known(_destination)))
        .correlate(_newest)
        .exists()
    )
    .order_by(_newest.c.id.desc())
)


def folded(topic: str) -> str:
    """A topic as it is compared with others: hashtags without regard to how they are written, the rest as it stands.

    One network may fold two hashtags into one that are two elsewhere; here they are two.
    """
    if topic.startswith(_SIGNS) and (tag := fold(topic, "")):
        return f"#{tag}"
    return topic


def list_tags(connection: Connection, destination: Destination, community: str, limit: int) -> list[str]:
    """Hashtags as they were written, the most recent first: of the subscriptions that people at this destination may
    know of (those of its community and all public ones), and of the latest posts that were relayed for these.
    """
    found: dict[str, str] = {}
    for tag in _written(connection, {"name": str(destination), "community": community}):
        if key := fold(tag, ""):
            found.setdefault(key, tag)
    return list(islice(found.values(), limit))


def _written(connection: Connection, ours: dict[str, str]) -> Iterator[str]:
    for data in connection.execute(_NEWEST, ours).scalars():
        post = _decode(to_json(data))
        if not post.unlisted:
            yield from post.tags
    for topic in connection.execute(_TOPICS, ours).scalars():
        if topic.startswith(_SIGNS):
            yield topic[1:]
