"""Subscriptions: who wants what, and the feeds that serve them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, delete, select, tuple_, update

from relay.manner import USUAL, Manner, Mode
from relay.model import Destination, FeedId, Only, Subscription, SubscriptionId
from relay.ports import Resolved, Wanted
from relay.sieve import OPEN, Sieve
from relay.store.rows import Record, among, insert_rows, serialize
from relay.store.tables import feeds, micros, subscription_feeds, subscription_tags, subscriptions

read_names: Callable[[str], tuple[str, ...]] = msgspec.json.Decoder(tuple[str, ...]).decode

_read_sieve: Callable[[str], Sieve] = msgspec.json.Decoder(Sieve).decode
_NOTHING: Mapping[str, object] = msgspec.to_builtins(OPEN)
_read_manner: Callable[[str], Manner] = msgspec.json.Decoder(Manner).decode
_USUAL: Mapping[str, object] = msgspec.to_builtins(USUAL)

ORPHANS = delete(feeds).where(
    ~select(subscription_feeds.c.feed).where(subscription_feeds.c.feed == feeds.c.id).exists()
)

# A feed that was stopped is tried again: to subscribe, or to start the relay anew, is a person's word.
_AGAIN = """(source, address) DO UPDATE SET next_poll = excluded.next_poll, stopped = '', note = ''
    WHERE feeds.stopped != ''"""
_NEW = ("origin", "topic", "destination", "networks", "community")
_CHOOSE = update(subscriptions).where(subscriptions.c.id == bindparam("of"))


def choices(wanted: Wanted | Subscription) -> dict[str, str]:
    """What a subscription says of how it is to be served, as the table keeps it."""
    return {
        "mode": wanted.manner.mode.value,
        "manner": write_manner(wanted.manner),
        "languages": msgspec.json.encode(wanted.languages).decode(),
        "only": wanted.only.value,
        "options": wanted.options,
        "sieve": write_sieve(wanted.sieve),
    }


def write_sieve(sieve: Sieve) -> str:
    """What is set in it, as JSON; empty where nothing is."""
    return _written(sieve, _NOTHING)


def write_manner(manner: Manner) -> str:
    """What is set in it but the mode, as JSON; empty where nothing is."""
    return _written(replace(manner, mode=USUAL.mode), _USUAL)


def _written(value: Sieve | Manner, usual: Mapping[str, object]) -> str:
    said = {name: one for name, one in msgspec.to_builtins(value).items() if one != usual[name]}
    return msgspec.json.encode(said).decode() if said else ""


def read_manner(mode: str, text: str) -> Manner:
    return replace(_read_manner(text or "{}"), mode=Mode(mode))


def read_sieve(text: str) -> Sieve:
    return _read_sieve(text) if text else OPEN


def save_subscriptions(connection: Connection, origin: str, wanted: Sequence[Wanted]) -> list[SubscriptionId]:
    """Links and people's pauses stay with what stays; feeds that nothing links to any more go, cursors and all."""
    serialize(connection)
    by_key = {(want.topic, str(want.destination)): want for want in wanted}
    there = _ids(connection, origin)
    connection.execute(
        delete(subscriptions).where(among(subscriptions.c.id, "ids")),
        {"ids": [number for key, number in there.items() if key not in by_key]},
    )
    rows = [(origin, *key, _networks(want), want.community) for key, want in by_key.items()]
    insert_rows(connection, subscriptions, _NEW, rows)
    ids = _ids(connection, origin)
    chosen = [{"of": ids[key], "networks": _networks(want), **choices(want)} for key, want in by_key.items()]
    if chosen:
        connection.execute(_CHOOSE, chosen)
    for key, want in by_key.items():
        if names := want.networks:
            _unlink(connection, ids[key], subscription_tags.c.source.not_in(names), feeds.c.source.not_in(names))
    connection.execute(ORPHANS)
    return [ids[want.topic, str(want.destination)] for want in wanted]


def _networks(want: Wanted) -> str:
    return msgspec.json.encode(want.networks).decode()


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
    connection.execute(ORPHANS)


def list_subscriptions(connection: Connection, destination: Destination | None = None) -> list[Subscription]:
    wanted, tagged, linked = select(subscriptions), select(subscription_tags), select(subscription_feeds)
    if destination is not None:
        here = subscriptions.c.destination == str(destination)
        ids = select(subscriptions.c.id).where(here)
        wanted = wanted.where(here)
        tagged = tagged.where(subscription_tags.c.subscription.in_(ids))
        linked = linked.where(subscription_feeds.c.subscription.in_(ids))
    tags: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in connection.execute(tagged.order_by(subscription_tags.c.source)):
        tags[row.subscription].append((row.source, row.tag))
    links: defaultdict[int, list[FeedId]] = defaultdict(list)
    for row in connection.execute(linked.order_by(subscription_feeds.c.feed)):
        links[row.subscription].append(FeedId(row.feed))
    return [
        _subscription(row, tags[row.id], links[row.id])
        for row in connection.execute(wanted.order_by(subscriptions.c.id))
    ]


def _subscription(row: Record, tags: Sequence[tuple[str, str]], links: Sequence[FeedId]) -> Subscription:
    return Subscription(
        id=SubscriptionId(row.id),
        topic=row.topic,
        destination=Destination.parse(row.destination),
        origin=row.origin,
        networks=read_names(row.networks),
        manner=read_manner(row.mode, row.manner),
        languages=read_names(row.languages),
        only=Only(row.only),
        sieve=read_sieve(row.sieve),
        options=row.options,
        community=row.community,
        paused=row.paused,
        tags=tuple(tags),
        feeds=tuple(links),
    )
