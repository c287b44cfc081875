"""Changes of subscriptions: what people in the chats change, within a quota and each beside its audit row; and what a
configuration names, which is exactly that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import BindParameter, Connection, bindparam, delete, func, insert, select, union, update

from relay.core.option_types import changes
from relay.model import CHAT, Action, Destination, Subscription, SubscriptionId
from relay.records import ActingUser, Added, Full, Quota, State, Wanted
from relay.store.audit import add_audit
from relay.store.links import cut, delete_orphans, list_linked
from relay.store.rows import Query, Record, among, insert_rows, serialize
from relay.store.subscriptions import choices, read_delivery_options, read_filters
from relay.store.tables import deliveries, destinations, subscriptions
from relay.store.tags import folded, is_of
from relay.store.versions import note_changes

_name: BindParameter[str] = bindparam("name")
_HERE = select(subscriptions.c.id, subscriptions.c.topic).where(subscriptions.c.destination == _name)
_ours = subscriptions.alias("ours")
_OF_COMMUNITY = select(_ours.c.destination).where(is_of(_ours.c.community, bindparam("community")))
_AROUND = select(func.count()).where(
    # what a configuration relays to the community's places does not name the community
    subscriptions.c.destination.in_(union(_OF_COMMUNITY, select(_name)))  # with OR, PostgreSQL would read all of them
)
_ONE = select(subscriptions).where(subscriptions.c.id == bindparam("of")).with_for_update()
_LOCK = select(destinations.c.name).where(destinations.c.name == _name).with_for_update()
_CANCEL = (
    update(deliveries)
    .where(
        deliveries.c.destination == _name,
        deliveries.c.settled.is_(None),
        deliveries.c.state == State.DUE.value,
        deliveries.c.attempts == 0,
        deliveries.c.action != Action.DELETE.value,  # what its author took back is to go, whoever listens
    )
    .values(
        state=State.SKIPPED.value,
        note="nobody subscribes here any more",
        settled=bindparam("now", type_=deliveries.c.settled.type),
    )
)


def add_subscription(connection: Connection, wanted: Wanted, quota: Quota, by: ActingUser) -> Added | Full:
    """Add a subscription of origin ``chat``, with its audit row.

    ``Added.new`` is False where the destination has the same topic already, from whichever origin.
    """
    serialize(connection)
    here = connection.execute(_HERE, {"name": str(wanted.destination)}).all()
    topic = folded(wanted.topic)
    there = next((SubscriptionId(row.id) for row in here if folded(row.topic) == topic), None)
    if there is not None:
        return Added(there, new=False)
    if len(here) >= quota.destination:
        return Full(quota.destination)
    if wanted.community and _count_around(connection, wanted) >= quota.community:
        return Full(quota.community, community=True)
    add_audit(connection, by, wanted.destination, wanted.topic)
    return Added(_insert(connection, wanted))


def _count_around(connection: Connection, wanted: Wanted) -> int:
    found = {"name": str(wanted.destination), "community": wanted.community}
    return connection.scalar(_AROUND, found) or 0


def _insert(connection: Connection, wanted: Wanted) -> SubscriptionId:
    row = {
        "origin": CHAT,
        "topic": wanted.topic,
        "destination": str(wanted.destination),
        "community": wanted.community,
        "networks": msgspec.json.encode(wanted.networks).decode(),
        **choices(wanted),
    }
    key = connection.execute(insert(subscriptions).values(row)).inserted_primary_key
    assert key is not None  # noqa: S101 - mypy cannot know that one row has one key
    note_changes(connection, [key[0]])
    return SubscriptionId(key[0])


def save_subscription(connection: Connection, subscription: Subscription, by: ActingUser) -> bool:
    """Write its options and pause, with an audit row; False where it is gone."""
    serialize(connection)
    row = connection.execute(_ONE, {"of": subscription.id}).one_or_none()
    if row is None:
        return False
    wanted = choices(subscription) | {"paused": subscription.paused}
    changed = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    if changed:
        connection.execute(update(subscriptions).where(subscriptions.c.id == subscription.id).values(changed))
        add_audit(connection, by, Destination.parse(row.destination), _told(row, changed, subscription))
        note_changes(connection, [subscription.id])
    return True


def _told(row: Record, changed: dict[str, str], wanted: Subscription) -> str:
    """``#bridge · language: es, qu · paused: —``."""
    shown = changes(read_delivery_options(row), wanted.delivery_options) | changes(read_filters(row), wanted.filters)
    shown |= {name: value for name, value in changed.items() if name in {"options", "paused"}}
    return " · ".join([row.topic, *(f"{name}: {value or '—'}" for name, value in shown.items())])


def delete_subscription(connection: Connection, subscription: SubscriptionId, by: ActingUser) -> bool:
    """Delete one, and its feeds where nobody else reads them; False where it is gone.

    With the destination's last subscription goes what waits there and was not begun; while another is left, what waits
    may be its own, and is sent.
    """
    serialize(connection)
    row = connection.execute(_ONE, {"of": subscription}).one_or_none()
    if row is None:
        return False
    orphans = list_linked(connection, [subscription])
    connection.execute(delete(subscriptions).where(subscriptions.c.id == subscription))
    delete_orphans(connection, orphans)
    note_changes(connection, [subscription])
    if not connection.execute(_HERE, {"name": row.destination}).all():
        _cancel_waiting(connection, row.destination, by.now)
    add_audit(connection, by, Destination.parse(row.destination), row.topic)
    return True


def _cancel_waiting(connection: Connection, name: str, now: datetime) -> None:
    connection.execute(_LOCK, {"name": name})
    connection.execute(_CANCEL, {"name": name, "now": now})


# --- what a configuration names ---

_OURS = Query(select(subscriptions).where(subscriptions.c.origin == bindparam("name")))
_FORGET = delete(subscriptions).where(among(subscriptions.c.id, "ids"))
_CHANGE = update(subscriptions).where(subscriptions.c.id == bindparam("of"))

Key = tuple[str, str]
"""A topic and a destination as it is written."""


def save_subscriptions(connection: Connection, origin: str, wanted: Sequence[Wanted]) -> list[SubscriptionId]:
    """Make the subscriptions of this origin be exactly these; ids in the order of ``wanted``.

    Links and people's pauses stay with what stays; feeds that nothing links to any more go, cursors and all.
    """
    serialize(connection)
    by_key = {_key(want): want for want in wanted}
    there = _there(connection, origin)
    gone = [SubscriptionId(row.id) for key, row in there.items() if key not in by_key]
    changed = _change(connection, [(there[key], want) for key, want in by_key.items() if key in there])
    new = [{"origin": origin, **_columns(want)} for key, want in by_key.items() if key not in there]
    if gone:
        orphans = list_linked(connection, gone)
        connection.execute(_FORGET, {"ids": gone})
        delete_orphans(connection, orphans)
    if new:
        insert_rows(connection, subscriptions, tuple(new[0]), [tuple(row.values()) for row in new])
        ids = {key: SubscriptionId(row.id) for key, row in _there(connection, origin).items()}
    else:
        ids = {key: SubscriptionId(row.id) for key, row in there.items()}
    note_changes(connection, [*gone, *changed, *(ids[key] for key in by_key if key not in there)])
    return [ids[_key(want)] for want in wanted]


def _key(want: Wanted) -> Key:
    return want.topic, str(want.destination)


def _there(connection: Connection, origin: str) -> dict[Key, Record]:
    return {(row.topic, row.destination): row for row in _OURS(connection, name=origin)}


def _columns(want: Wanted) -> dict[str, str]:
    topic, destination = _key(want)
    return {"topic": topic, "destination": destination, "community": want.community, **_settings(want)}


def _settings(want: Wanted) -> dict[str, str]:
    return {"networks": msgspec.json.encode(want.networks).decode(), **choices(want)}


def _change(connection: Connection, pairs: Sequence[tuple[Record, Wanted]]) -> list[SubscriptionId]:
    """Write what differs; who wants other networks is cut off from the rest, and linked anew."""
    elsewhere: dict[SubscriptionId, tuple[str, ...]] = {}
    changed: list[SubscriptionId] = []
    for row, want in pairs:
        settings = _settings(want)
        if new := {name: value for name, value in settings.items() if getattr(row, name) != value}:
            changed.append(SubscriptionId(row.id))
            if "networks" in new:
                new["linked"] = ""
                if want.networks:
                    elsewhere[SubscriptionId(row.id)] = want.networks
            connection.execute(_CHANGE.values(new), {"of": row.id})
    if elsewhere:
        cut(connection, elsewhere)
    return changed
