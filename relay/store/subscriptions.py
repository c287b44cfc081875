"""Subscriptions: who wants what, and the feeds that serve them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, bindparam, select

from relay.model import Destination, FeedId, Subscription, SubscriptionId
from relay.options import NO_FILTERS, USUAL_DELIVERY, DeliveryOptions, Filters, Mode, Only, values
from relay.records import Changes, Wanted
from relay.store.rows import Query, Record, among
from relay.store.tables import subscription_feeds, subscription_tags, subscriptions
from relay.store.versions import list_changed

_KINDS = 4_096
"""So many different filters, ways to bring posts, … are held in common by the subscriptions that say the same."""

read_names: Callable[[str], tuple[str, ...]] = lru_cache(_KINDS)(msgspec.json.Decoder(tuple[str, ...]).decode)
_read_filters: Callable[[str], Filters] = msgspec.json.Decoder(Filters).decode
_read_delivery_options: Callable[[str], DeliveryOptions] = msgspec.json.Decoder(DeliveryOptions).decode

_PAGE = Query(
    select(subscriptions)
    .where(subscriptions.c.id > bindparam("after", type_=BigInteger))
    .order_by(subscriptions.c.id)
    .limit(bindparam("limit", type_=BigInteger))
)
_THESE = Query(select(subscriptions).where(among(subscriptions.c.id, "ids")).order_by(subscriptions.c.id))
_HERE = Query(
    select(subscriptions).where(subscriptions.c.destination == bindparam("name")).order_by(subscriptions.c.id)
)
_TAGS = Query(
    select(subscription_tags)
    .where(among(subscription_tags.c.subscription, "ids"))
    .order_by(subscription_tags.c.source, subscription_tags.c.tag)
)
_LINKS = Query(
    select(subscription_feeds)
    .where(among(subscription_feeds.c.subscription, "ids"))
    .order_by(subscription_feeds.c.feed)
)
_AT_ONCE = 1_000


def choices(wanted: Wanted | Subscription) -> dict[str, str]:
    """What a subscription says of how it is to be served, as the table keeps it: some options have their own column."""
    delivery_options, filters = _set_ones(wanted.delivery_options), _set_ones(wanted.filters)
    return {
        "mode": delivery_options.pop("mode", USUAL_DELIVERY.mode.value),
        "manner": _written(delivery_options),
        "languages": _written(filters.pop("language", ())) or "[]",
        "only": filters.pop("only", NO_FILTERS.only.value),
        "options": wanted.options,
        "sieve": _written(filters),
    }


def _set_ones(record: Filters | DeliveryOptions) -> dict[str, Any]:
    return {name: msgspec.to_builtins(value) for name, option, value in values(record) if value != option.default}


def _written(value: object) -> str:
    return msgspec.json.encode(value).decode() if value else ""


def read_delivery_options(row: Record) -> DeliveryOptions:
    return _delivery_options(row.mode, row.manner)


def read_filters(row: Record) -> Filters:
    return _filters(row.languages, row.only, row.sieve)


@lru_cache(_KINDS)
def _delivery_options(mode: str, text: str) -> DeliveryOptions:
    return replace(_read_delivery_options(text or "{}"), mode=Mode(mode))


@lru_cache(_KINDS)
def _filters(languages: str, only: str, text: str) -> Filters:
    filters = replace(_read_filters(text or "{}"), language=read_names(languages), only=Only(only))
    return NO_FILTERS if filters == NO_FILTERS else filters


def list_subscriptions(connection: Connection, destination: Destination | None = None) -> list[Subscription]:
    if destination is not None:
        return _whole(connection, _HERE(connection, name=str(destination)))
    found: list[Subscription] = []
    while some := list_subscriptions_page(connection, found[-1].id if found else SubscriptionId(0), _AT_ONCE):
        found += some
    return found


def list_subscriptions_page(connection: Connection, after: SubscriptionId, limit: int) -> list[Subscription]:
    """The next subscriptions in the order of their ids."""
    return _whole(connection, _PAGE(connection, after=after, limit=limit))


def list_changes(connection: Connection, since: int, limit: int) -> Changes | None:
    """At most ``limit`` of the changes to subscriptions after that number, also those of other processes.

    None: too many to be remembered; read all subscriptions anew.
    """
    changed = list_changed(connection, since, limit)
    if changed is None:
        return None
    version, ids = changed
    there = _whole(connection, _THESE(connection, ids=ids)) if ids else []
    gone = set(ids) - {one.id for one in there}
    return Changes(version=version, subscriptions=tuple(there), gone=tuple(sorted(gone)))


def _whole(connection: Connection, rows: Sequence[Record]) -> list[Subscription]:
    """Subscriptions with what they are linked to."""
    ids = [row.id for row in rows]
    tags: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    links: defaultdict[int, list[FeedId]] = defaultdict(list)
    if ids:
        for row in _TAGS(connection, ids=ids):
            tags[row.subscription].append((row.source, row.tag))
        for row in _LINKS(connection, ids=ids):
            links[row.subscription].append(FeedId(row.feed))
    return [_subscription(row, tags.get(row.id, ()), links.get(row.id, ())) for row in rows]


def _subscription(row: Record, tags: Sequence[tuple[str, str]], links: Sequence[FeedId]) -> Subscription:
    return Subscription(
        id=SubscriptionId(row.id),
        topic=row.topic,
        destination=Destination.parse(row.destination),
        origin=row.origin,
        networks=read_names(row.networks),
        delivery_options=read_delivery_options(row),
        filters=read_filters(row),
        options=row.options,
        community=row.community,
        paused=row.paused,
        tags=tuple(tags),
        feeds=tuple(links),
    )
