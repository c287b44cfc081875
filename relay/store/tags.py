"""Hashtags that are known here, and who may be told that somebody follows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import msgspec
from sqlalchemy import BindParameter, Connection, and_, bindparam, or_, select, text

from relay.hashtag import fold
from relay.model import CHAT, Destination
from relay.store.content import to_json
from relay.store.tables import deliveries, destinations, posts, subscription_tags, subscriptions

_LATEST = 500
"""Posts that are looked at: enough for a list, read in a few milliseconds."""
_SIGNS = ("#", "＃")


class _Tagged(msgspec.Struct):
    """What is read of a post; the rest of its JSON is passed over."""

    tags: tuple[str, ...] = ()
    unlisted: bool = False


_decode: Callable[[bytes], _Tagged] = msgspec.json.Decoder(_Tagged).decode

_listed = select(destinations.c.name).where(text("destinations.listed"))
_origin = subscriptions.c.origin
PUBLIC = or_(_origin < CHAT, _origin > CHAT, subscriptions.c.destination.in_(_listed))  # "<>" would use no index
"""Subscriptions that anybody may know of: the configuration's, and those of channels that say that they are public."""
PUBLIC_TAGS = (
    select(subscription_tags.c.tag)
    .join(subscriptions, subscriptions.c.id == subscription_tags.c.subscription)
    .where(PUBLIC)
)
"""The hashtags, folded, of which anybody may know that they are followed here."""

_name: BindParameter[str] = bindparam("name")
_community: BindParameter[str] = bindparam("community")
_ours = or_(subscriptions.c.destination == _name, and_(subscriptions.c.community == _community, _community != ""))
_TOPICS = select(subscriptions.c.topic).where(or_(_ours, PUBLIC)).order_by(subscriptions.c.id.desc())
_newest = select(posts.c.id, posts.c.data).where(~posts.c.deleted).order_by(posts.c.id.desc()).limit(_LATEST).subquery()
_known = select(subscriptions.c.destination).where(or_(_ours, PUBLIC))
_NEWEST = (
    select(_newest.c.data)
    .where(
        select(deliveries.c.id)
        .where(deliveries.c.post == _newest.c.id, deliveries.c.destination.in_(_known))
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
