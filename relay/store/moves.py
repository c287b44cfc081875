"""Destinations that have another address from now on: what is kept under the old one goes to the new one.

The audit stays as it was, and so do the ids of messages, which may name the old address: that is for the adapter to
read. A move is rare, so it may read all deliveries: an index for it would cost every delivery something.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BindParameter, Connection, and_, bindparam, delete, exists, or_, select, update

from relay.model import Destination
from relay.records import Settlement, State
from relay.store.links import delete_orphans, list_linked
from relay.store.rows import Record, among, insert_rows, serialize, update_rows
from relay.store.tables import deliveries, destinations, folds, subscriptions
from relay.store.versions import note_changes

_old: BindParameter[str] = bindparam("old")
_new: BindParameter[str] = bindparam("new")
_now = bindparam("now", type_=destinations.c.due.type)

# --- locks ---

_THERE = select(destinations.c.name, destinations.c.adapter).where(among(destinations.c.name, "names"))
_TOUCH = "(name) DO UPDATE SET adapter = excluded.adapter"  # changes nothing, but locks the row


def lock_moving(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Lock the destinations of settlements, and those that some of them move to, which are made where they are new.

    Rows are locked in the order of their names, as everybody does who locks several; and who brings or cancels
    deliveries is kept out, because a destination that goes is one that nobody may be about to write to.
    """
    serialize(connection)
    names = [str(settlement.destination) for settlement in settlements]
    adapters = {row.name: row.adapter for row in connection.execute(_THERE, {"names": names})}
    moves = [(str(one.destination), one.moved) for one in settlements if one.moved]
    adapters |= {str(new): new.adapter for old, new in moves if old in adapters}
    insert_rows(connection, destinations, ("name", "adapter"), sorted(adapters.items()), _TOUCH)


# --- moving ---

_BOTH = select(destinations).where(destinations.c.name.in_([_old, _new]))
_LEAVE = delete(destinations).where(destinations.c.name == _old)
_WAITS = deliveries.c.settled.is_(None)
_PENDING = select(deliveries.c.id).where(deliveries.c.destination == _new, _WAITS).limit(1)
_ARRIVE = (
    update(destinations)
    .where(destinations.c.name == _new)
    .values(
        due=bindparam("then", type_=destinations.c.due.type),
        not_before=bindparam("pace", type_=destinations.c.due.type),
        paused=bindparam("reason"),
        listed=bindparam("shown", type_=destinations.c.listed.type),
    )
)

_twin = deliveries.alias("twin")
_there_too = exists().where(
    _twin.c.post == deliveries.c.post, _twin.c.version == deliveries.c.version, _twin.c.destination == _new
)
_SKIP = (
    update(deliveries)
    .where(deliveries.c.destination == _old, _WAITS, _there_too)
    .values(
        state=State.SKIPPED.value, note="the place has moved, and this was meant for its new address too", settled=_now
    )
)
_READDRESS = update(deliveries).where(deliveries.c.destination == _old, ~_there_too).values(destination=_new)
_REFOLD = update(folds).where(folds.c.destination == _old).values(destination=_new)


def move(connection: Connection, old: str, new: Destination, now: datetime) -> None:
    """Bring the subscriptions and deliveries of ``old`` to ``new``; both are locked, and nobody has leased ``old``.

    What is already at the new address is not asked for twice: of two subscriptions the older one stays, and of two
    deliveries of the same the one at the new address; the other is skipped where it waits.
    """
    name = str(new)
    if name == old:
        return
    between = {"old": old, "new": name}
    _move_subscriptions(connection, between)
    connection.execute(_SKIP, between | {"now": now})
    connection.execute(_READDRESS, between)
    connection.execute(_REFOLD, between)
    insert_rows(connection, destinations, ("name", "adapter"), [(name, new.adapter)])
    there = {row.name: row for row in connection.execute(_BOTH, between)}
    _arrive(connection, there[old], there[name])
    connection.execute(_LEAVE, {"old": old})


def _arrive(connection: Connection, old: Record, new: Record) -> None:
    """A pause of either holds, and so does the pace of either; it stays as public as it was."""
    pace = max(filter(None, (old.not_before, new.not_before)), default=None)
    paused = new.paused or old.paused
    waits = connection.scalar(_PENDING, {"new": new.name}) is not None
    arrived = {
        "new": new.name,
        "then": pace if waits and not paused else None,
        "pace": pace,
        "reason": paused,
        "shown": old.listed or new.listed,
    }
    connection.execute(_ARRIVE, arrived)


_first, _second = subscriptions.alias("first"), subscriptions.alias("second")
_SAME = select(_first.c.id.label("kept"), _second.c.id.label("gone")).where(
    or_(
        and_(_first.c.destination == _old, _second.c.destination == _new),
        and_(_first.c.destination == _new, _second.c.destination == _old),
    ),
    _first.c.origin == _second.c.origin,
    _first.c.topic == _second.c.topic,
    _first.c.id < _second.c.id,
)
_FORGET = delete(subscriptions).where(among(subscriptions.c.id, "ids"))
_THEIRS = select(subscriptions.c.id).where(subscriptions.c.destination == _old)
_RESUBSCRIBE = update(subscriptions).where(subscriptions.c.destination == _old).values(destination=_new)


def _move_subscriptions(connection: Connection, between: dict[str, str]) -> None:
    same = connection.execute(_SAME, between).all()
    gone = [row.gone for row in same]
    if same:
        orphans = list_linked(connection, gone)
        connection.execute(_FORGET, {"ids": gone})
        delete_orphans(connection, orphans)
        options = [(row.kept, row.gone) for row in same]  # what waits is sent as the one that stays says
        update_rows(connection, deliveries, ("subscription",), "subscription", options, "settled IS NULL")
    moved = connection.execute(_THEIRS, between).scalars().all()
    connection.execute(_RESUBSCRIBE, between)
    note_changes(connection, [*gone, *moved])
