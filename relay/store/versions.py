"""Which subscriptions changed, so that who knows all of them reads those alone again.

Each change is a row whose number is higher than that of every change that was committed before: the number is drawn
under a lock that is held until the commit. So nothing is missed by who reads on from the last number that they saw.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, select
from sqlalchemy import text as sql

from relay.model import SubscriptionId
from relay.store.rows import Query, insert_rows, serialize
from relay.store.tables import subscription_changes as changes

KEPT = 100_000
"""So many of the latest changes are remembered; who missed more reads all subscriptions anew."""
CHANNEL = "relay_subscriptions"
"""On which PostgreSQL tells other processes of a change at once."""

_NEWEST = select(func.max(changes.c.id))
_SINCE = Query(
    select(changes.c.id, changes.c.subscription)
    .where(changes.c.id > bindparam("since", type_=BigInteger))
    .order_by(changes.c.id)
    .limit(bindparam("limit", type_=BigInteger))
)
_FORGET = delete(changes).where(changes.c.id <= bindparam("until"))
_NOTIFY = sql(f"NOTIFY {CHANNEL}")  # told when the transaction is committed


def note_changes(connection: Connection, subscriptions: Iterable[SubscriptionId]) -> None:
    """Note that these were added, changed or deleted by the transaction."""
    rows = [(one,) for one in dict.fromkeys(subscriptions)]
    if not rows:
        return
    serialize(connection)
    insert_rows(connection, changes, ("subscription",), rows)
    connection.execute(_FORGET, {"until": get_subscriptions_version(connection) - KEPT})
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY)


def get_subscriptions_version(connection: Connection) -> int:
    """The number of the latest change to subscriptions; it grows with each. 0: there was none."""
    return connection.scalar(_NEWEST) or 0


def list_changed(connection: Connection, since: int, limit: int) -> tuple[int, list[SubscriptionId]] | None:
    """The subscriptions that changed since, at most ``limit`` of them, and the number to read on from.

    None where that is not known any more: some of the changes were forgotten, or the database is another one.
    """
    newest = get_subscriptions_version(connection)
    if not newest - KEPT <= since <= newest:
        return None
    rows = _SINCE(connection, since=since, limit=limit)
    return (rows[-1].id if rows else since), list(dict.fromkeys(SubscriptionId(row.subscription) for row in rows))
