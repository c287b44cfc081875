"""The links from subscriptions to the feeds and hashtags that serve them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Connection, bindparam, delete, select, update

from relay.model import CHAT, SubscriptionId
from relay.ports import Resolved
from relay.records import Linking, Unlinked
from relay.store.rows import Query, among, insert_rows, serialize
from relay.store.subscriptions import read_names
from relay.store.tables import EMPTY, feeds, micros, subscription_feeds, subscription_tags, subscriptions
from relay.store.versions import note_changes

# A feed that was stopped is tried again: to subscribe, or to start the relay anew, is a person's word.
_AGAIN = """(source, address) DO UPDATE SET next_poll = excluded.next_poll, stopped = '', note = ''
    WHERE feeds.stopped != ''"""

_THERE = Query(select(subscriptions.c.id).where(among(subscriptions.c.id, "ids")))
_TAGS = Query(select(subscription_tags).where(among(subscription_tags.c.subscription, "ids")))
_FEEDS = Query(
    select(subscription_feeds.c.subscription, subscription_feeds.c.feed, feeds.c.source)
    .join(feeds, feeds.c.id == subscription_feeds.c.feed)
    .where(among(subscription_feeds.c.subscription, "ids"))
)
_ADDRESSES = Query(
    select(feeds.c.id, feeds.c.address).where(
        feeds.c.source == bindparam("source"), among(feeds.c.address, "addresses")
    )
)
_STOPPED = Query(
    select(feeds.c.id).where(
        feeds.c.source == bindparam("source"), among(feeds.c.address, "addresses"), feeds.c.stopped != ""
    )
)
_MARK = Query(update(subscriptions).where(among(subscriptions.c.id, "ids")).values(linked=bindparam("mark")))
_UNLINK = delete(subscription_feeds).where(
    subscription_feeds.c.subscription == bindparam("one"), subscription_feeds.c.feed == bindparam("other")
)
_UNTAG = delete(subscription_tags).where(
    subscription_tags.c.subscription == bindparam("one"),
    subscription_tags.c.source == bindparam("name"),
    subscription_tags.c.tag == bindparam("other"),
)
_ORPHANS = delete(feeds).where(
    among(feeds.c.id, "ids"),
    ~select(subscription_feeds.c.feed).where(subscription_feeds.c.feed == feeds.c.id).exists(),
)

# --- linking ---


def save_links(connection: Connection, linked: Sequence[Linking], mark: str, now: datetime) -> None:
    """Replace the links to the sources that answered; feeds are due at once where they are new or were stopped.

    Those to the other sources stay as they are, and a subscription that is gone is left alone. Where it is complete,
    ``mark`` says so: the settings of the sources by which that is true.

    What is linked so already is not written again.
    """
    serialize(connection)
    there = {row.id for row in _THERE(connection, ids=[one for link in linked for one in link.subscriptions])}
    wanted = {one: link.resolved for link in linked for one in link.subscriptions if one in there}
    changed = _save_tags(connection, wanted) | _save_feeds(connection, wanted, now)
    _MARK(connection, ids=[one for link in linked if link.complete for one in link.subscriptions], mark=mark)
    note_changes(connection, sorted(changed))


def _save_tags(connection: Connection, wanted: Mapping[SubscriptionId, Mapping[str, Resolved]]) -> set[SubscriptionId]:
    rows = _TAGS(connection, ids=wanted)
    old = {(row.subscription, row.source, row.tag) for row in rows if row.source in wanted[row.subscription]}
    new = {(one, name, to.tag) for one, resolved in wanted.items() for name, to in resolved.items() if to.tag}
    if gone := old - new:
        connection.execute(_UNTAG, [{"one": one, "name": name, "other": tag} for one, name, tag in sorted(gone)])
    insert_rows(connection, subscription_tags, ("subscription", "source", "tag"), sorted(new - old))
    return {one for one, *_ in old ^ new}


def _save_feeds(
    connection: Connection, wanted: Mapping[SubscriptionId, Mapping[str, Resolved]], now: datetime
) -> set[SubscriptionId]:
    addresses: defaultdict[str, set[str]] = defaultdict(set)
    for resolved in wanted.values():
        for name, to in resolved.items():
            addresses[name].update(to.feeds)
    stopped = {row.id for name, some in addresses.items() for row in _STOPPED(connection, source=name, addresses=some)}
    new_feeds = [(name, address, micros(now)) for name in sorted(addresses) for address in sorted(addresses[name])]
    insert_rows(connection, feeds, ("source", "address", "next_poll"), new_feeds, _AGAIN)
    ids = {
        (name, row.address): row.id
        for name, some in addresses.items()
        for row in _ADDRESSES(connection, source=name, addresses=some)
    }
    rows = _FEEDS(connection, ids=wanted)
    old = {(row.subscription, row.feed) for row in rows if row.source in wanted[row.subscription]}
    new = {
        (one, ids[name, address])
        for one, resolved in wanted.items()
        for name, to in resolved.items()
        for address in to.feeds
    }
    unlink(connection, old - new)
    insert_rows(connection, subscription_feeds, ("subscription", "feed"), sorted(new - old))
    delete_orphans(connection, {feed for _, feed in old - new})
    # Streams pass over what is stopped: that it is no more is a change, too, although the links are the same.
    return {one for one, _ in old ^ new} | {one for one, feed in new if feed in stopped}


def unlink(connection: Connection, pairs: Collection[tuple[int, int]]) -> None:
    """Cut subscriptions off from feeds."""
    if pairs:
        connection.execute(_UNLINK, [{"one": one, "other": feed} for one, feed in sorted(pairs)])


def cut(connection: Connection, networks: Mapping[SubscriptionId, Collection[str]]) -> None:
    """Cut each subscription off from all networks but those; they are to be linked anew."""
    tags = [row for row in _TAGS(connection, ids=networks) if row.source not in networks[row.subscription]]
    if tags:
        connection.execute(_UNTAG, [{"one": row.subscription, "name": row.source, "other": row.tag} for row in tags])
    rows = _FEEDS(connection, ids=networks)
    pairs = {(row.subscription, row.feed) for row in rows if row.source not in networks[row.subscription]}
    unlink(connection, pairs)
    delete_orphans(connection, {feed for _, feed in pairs})


# --- feeds that nobody reads any more ---


def list_linked(connection: Connection, subscribed: Iterable[SubscriptionId]) -> set[int]:
    """The feeds that serve these subscriptions."""
    return {row.feed for row in _FEEDS(connection, ids=subscribed)}


def delete_orphans(connection: Connection, unlinked: Collection[int]) -> None:
    """Delete those of the feeds to which nothing is linked any more, cursors and all."""
    if unlinked:
        connection.execute(_ORPHANS, {"ids": unlinked})


# --- what is not linked yet ---

_SOME = Query(
    select(subscriptions.c.id)
    .where(subscriptions.c.id > bindparam("after", type_=BigInteger))
    .order_by(subscriptions.c.id)
    .limit(bindparam("limit", type_=BigInteger))
)
_UNLINKED = Query(
    select(subscriptions.c.id, subscriptions.c.topic, subscriptions.c.networks)
    .where(
        subscriptions.c.id > bindparam("after", type_=BigInteger),
        subscriptions.c.id <= bindparam("last", type_=BigInteger),
        subscriptions.c.origin.concat("").in_([CHAT, bindparam("origin")]),  # else SQLite would go by the origin
        subscriptions.c.linked != bindparam("mark"),
    )
    .order_by(subscriptions.c.id)
)
_stopped = select(feeds.c.id).where(
    feeds.c.stopped != EMPTY,  # as their index says it, or all feeds would be read
    among(feeds.c.source.concat(""), "sources"),
)
_served = select(subscription_feeds.c.subscription).where(subscription_feeds.c.feed.in_(_stopped))
_RELINK = update(subscriptions).where(subscriptions.c.id.in_(_served), subscriptions.c.linked != "").values(linked="")


def list_unlinked(
    connection: Connection, origin: str, mark: str, after: SubscriptionId, limit: int
) -> tuple[SubscriptionId | None, list[Unlinked]]:
    """Which of the next ``limit`` subscriptions are not linked by ``mark``, of those of the origin and the chats.

    And the last of the ``limit``, from which to read on; None: there are no more.
    """
    some = _SOME(connection, after=after, limit=limit)
    if not some:
        return None, []
    last = SubscriptionId(some[-1].id)
    rows = _UNLINKED(connection, after=after, last=last, origin=origin, mark=mark)
    return last, [Unlinked(SubscriptionId(row.id), row.topic, read_names(row.networks)) for row in rows]


def save_unlinked(connection: Connection, sources: Sequence[str]) -> None:
    """Have those linked anew that are served by feeds of these sources that were stopped."""
    connection.execute(_RELINK, {"sources": sources})


def list_existing(connection: Connection, subscribed: Sequence[SubscriptionId]) -> list[SubscriptionId]:
    """Those that are not deleted."""
    return [SubscriptionId(row.id) for row in _THERE(connection, ids=subscribed)]
