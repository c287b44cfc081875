"""Subscriptions: who wants what, and the feeds that serve them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, select, tuple_

from relay.model import Destination, FeedId, Subscription, SubscriptionId
from relay.ports import Resolved, Wanted
from relay.store.rows import among, insert_rows, serialize
from relay.store.tables import feeds, micros, subscription_feeds, subscription_tags, subscriptions

_ORPHANS = delete(feeds).where(
    ~select(subscription_feeds.c.feed).where(subscription_feeds.c.feed == feeds.c.id).exists()
)

# A feed that was stopped is tried again: to subscribe, or to start the relay anew, is a person's word.
_AGAIN = """(source, address) DO UPDATE SET next_poll = excluded.next_poll, stopped = '', note = ''
    WHERE feeds.stopped != ''"""
_KEEP = "(origin, topic, destination) DO UPDATE SET networks = excluded.networks"


def save_subscriptions(connection: Connection, origin: str, wanted: Sequence[Wanted]) -> list[SubscriptionId]:
    """Links stay with what stays; feeds that nothing links to any more go, and their cursors with them."""
    serialize(connection)
    networks = {(want.topic, str(want.destination)): want.networks for want in wanted}
    there = _ids(connection, origin)
    connection.execute(
        delete(subscriptions).where(among(subscriptions.c.id, "ids")),
        {"ids": [number for key, number in there.items() if key not in networks]},
    )
    rows = [(origin, *key, msgspec.json.encode(names).decode()) for key, names in networks.items()]
    insert_rows(connection, subscriptions, ("origin", "topic", "destination", "networks"), rows, _KEEP)
    ids = _ids(connection, origin)
    for key, names in networks.items():
        if names:
            _unlink(connection, ids[key], subscription_tags.c.source.not_in(names), feeds.c.source.not_in(names))
    connection.execute(_ORPHANS)
    return [ids[want.topic, str(want.destination)] for want in wanted]


def _ids(connection: Connection, origin: str) -> dict[tuple[str, str], SubscriptionId]:
    table = subscriptions.c
    rows = connection.execute(select(table.id, table.topic, table.destination).where(table.origin == origin))
    return {(row.topic, row.destination): SubscriptionId(row.id) for row in rows}


def _unlink(
    connection: Connection, subscription: SubscriptionId, tags: ColumnElement[bool], links: ColumnElement[bool]
) -> None:
    """Cut a subscription off from the hashtags and the feeds that are so and so."""
    connection.execute(
        delete(subscription_tags).where(subscription_tags.c.subscription == subscription, tags),
    )
    connection.execute(
        delete(subscription_feeds).where(
            subscription_feeds.c.subscription == subscription,
            subscription_feeds.c.feed.in_(select(feeds.c.id).where(links)),
        )
    )


def save_resolved(
    connection: Connection, subscription: SubscriptionId, resolved: Mapping[str, Resolved], now: datetime
) -> None:
    """Replace the links to the sources that ``resolved`` names; the others stay as they are.

    A subscription that is gone by now is left alone.
    """
    serialize(connection)
    if connection.scalar(select(subscriptions.c.id).where(subscriptions.c.id == subscription)) is None:
        return
    _unlink(connection, subscription, subscription_tags.c.source.in_(resolved), feeds.c.source.in_(resolved))
    tags = [(subscription, source, meaning.tag) for source, meaning in resolved.items() if meaning.tag]
    insert_rows(connection, subscription_tags, ("subscription", "source", "tag"), tags)
    addresses = {(source, address) for source, meaning in resolved.items() for address in meaning.feeds}
    new = [(source, address, micros(now)) for source, address in sorted(addresses)]
    insert_rows(connection, feeds, ("source", "address", "next_poll"), new, _AGAIN)
    ids = connection.execute(select(feeds.c.id).where(tuple_(feeds.c.source, feeds.c.address).in_(addresses))).scalars()
    insert_rows(connection, subscription_feeds, ("subscription", "feed"), [(subscription, feed) for feed in ids])
    connection.execute(_ORPHANS)


def list_subscriptions(connection: Connection) -> list[Subscription]:
    tags: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in connection.execute(select(subscription_tags).order_by(subscription_tags.c.source)):
        tags[row.subscription].append((row.source, row.tag))
    links: defaultdict[int, list[FeedId]] = defaultdict(list)
    for row in connection.execute(select(subscription_feeds).order_by(subscription_feeds.c.feed)):
        links[row.subscription].append(FeedId(row.feed))
    return [
        Subscription(
            id=SubscriptionId(row.id),
            topic=row.topic,
            destination=Destination.parse(row.destination),
            tags=tuple(tags[row.id]),
            feeds=tuple(links[row.id]),
        )
        for row in connection.execute(select(subscriptions).order_by(subscriptions.c.id))
    ]
