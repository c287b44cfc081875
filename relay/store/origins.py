"""Subscriptions as a configuration names them: exactly these, and what did not change is not written."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, bindparam, delete, select, update

from relay.model import SubscriptionId
from relay.records import Wanted
from relay.store.links import cut, delete_orphans, list_linked
from relay.store.rows import Query, Record, among, insert_rows, serialize
from relay.store.subscriptions import choices
from relay.store.tables import subscriptions
from relay.store.versions import note_changes

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
