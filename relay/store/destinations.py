"""Destinations: how they stand, pausing and resuming them, and when the next one may be served."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, case, func, or_, select, union, update

from relay.model import Destination
from relay.records import ActingUser, DestinationState
from relay.store.audit import add_audit
from relay.store.rows import Query, Record, among, insert_rows
from relay.store.tables import deliveries, destinations, subscriptions

_ours = destinations.c.due.is_not(None), among(destinations.c.adapter, "adapters")
_NEXT_FREE = Query(
    select(destinations.c.due)
    .where(*_ours, or_(destinations.c.leased_until.is_(None), destinations.c.leased_until <= destinations.c.due))
    .order_by(destinations.c.due)
    .limit(1)
)
_NEXT_LAPSE = Query(
    select(func.min(destinations.c.leased_until).label("until")).where(
        *_ours,
        destinations.c.leased_until > destinations.c.due,
        destinations.c.due < bindparam("before", type_=destinations.c.due.type),
    )
)
"""Only those that are due before the first that is free: what is leased until later than that is of no interest."""

_NEVER = datetime.max.replace(tzinfo=UTC)
_now = bindparam("now", type_=destinations.c.due.type)
_NEXT_AMONG = Query(
    select(func.min(destinations.c.due).label("due")).where(
        among(destinations.c.name, "names"),
        or_(destinations.c.leased_until.is_(None), destinations.c.leased_until <= _now),
    )
)

_waiting = deliveries.c.settled.is_(None)
_STATES = select(
    destinations.c.name,
    destinations.c.paused,
    destinations.c.listed,
    select(func.count())
    .select_from(deliveries)
    .where(deliveries.c.destination == destinations.c.name, _waiting)
    .scalar_subquery()
    .label("waiting"),
)
_LIST = _STATES.order_by(destinations.c.name)

_here = destinations.c.name == bindparam("at")
_ONE = _STATES.where(_here)
_PAUSE = update(destinations).where(_here).values(paused=bindparam("reason"), due=None)
_SHOW = update(destinations).where(_here).values(listed=bindparam("shown", type_=destinations.c.listed.type))
_RESUME = (
    update(destinations)
    .where(_here)
    .values(
        paused="",
        due=case(
            (
                select(deliveries.c.id).where(deliveries.c.destination == destinations.c.name, _waiting).exists(),
                case((destinations.c.not_before > _now, destinations.c.not_before), else_=_now),
            )
        ),
    )
)


def get_next_due(connection: Connection, adapters: Sequence[str]) -> datetime | None:
    """When the next destination may be served or its lease lapses."""
    free: datetime = next((row.due for row in _NEXT_FREE(connection, adapters=adapters)), _NEVER)
    [(lapse,)] = _NEXT_LAPSE(connection, adapters=adapters, before=free)
    due = min(free, lapse or _NEVER)
    return due if due < _NEVER else None


def get_next_due_among(connection: Connection, names: Collection[str], now: datetime) -> datetime | None:
    """When the first of these may be served that nobody serves: who serves one claims what comes next there."""
    [(due,)] = _NEXT_AMONG(connection, names=names, now=now)
    found: datetime | None = due
    return found


def list_destinations(connection: Connection) -> list[DestinationState]:
    return [_state(row) for row in connection.execute(_LIST)]


def get_destination(connection: Connection, destination: Destination) -> DestinationState | None:
    row = connection.execute(_ONE, {"at": str(destination)}).one_or_none()
    return row and _state(row)


def _state(row: Record) -> DestinationState:
    where = Destination.parse(row.name)
    return DestinationState(destination=where, waiting=row.waiting, paused=row.paused, listed=row.listed)


def save_destination(
    connection: Connection, destination: Destination, paused: str, now: datetime, by: ActingUser | None = None
) -> None:
    """Pause with a reason, or resume with an empty one; with an audit row where a person in a chat did it."""
    name = str(destination)
    # a statement that changes nothing still locks the row: what waits there is counted after its last writer
    insert_rows(connection, destinations, ("name", "adapter"), [(name, destination.adapter)], _TOUCH)
    if paused:
        connection.execute(_PAUSE, {"at": name, "reason": paused})
    else:
        connection.execute(_RESUME, {"at": name, "now": now})
    if by is not None:
        add_audit(connection, by, destination, paused)


def save_listed(connection: Connection, destination: Destination, by: ActingUser, *, listed: bool) -> None:
    """Whether others may see which hashtags a destination follows; with an audit row."""
    insert_rows(connection, destinations, ("name", "adapter"), [(str(destination), destination.adapter)], _TOUCH)
    connection.execute(_SHOW, {"at": str(destination), "shown": listed})
    add_audit(connection, by, destination, f"listed: {'yes' if listed else 'no'}")


_TOUCH = "(name) DO UPDATE SET adapter = excluded.adapter"

_RELAYED = union(
    select(destinations.c.name).where(among(destinations.c.name, "names")),
    select(subscriptions.c.destination).where(among(subscriptions.c.destination, "names")),
)
_UNPAUSED = (
    select(destinations.c.name)
    .where(among(destinations.c.name, "names"), destinations.c.paused == "")
    .order_by(destinations.c.name)
    .with_for_update()
)
_LOSE = update(destinations).where(among(destinations.c.name, "names")).values(paused=bindparam("reason"), due=None)


def save_lost(connection: Connection, lost: Collection[Destination], reason: str) -> list[str]:
    """Pause those to which something is or was relayed, but for those that are paused already; which they are."""
    adapters = {str(destination): destination.adapter for destination in lost}
    relayed = connection.execute(_RELAYED, {"names": adapters}).scalars().all()
    insert_rows(connection, destinations, ("name", "adapter"), [(name, adapters[name]) for name in sorted(relayed)])
    names = connection.execute(_UNPAUSED, {"names": relayed}).scalars().all()
    connection.execute(_LOSE, {"names": names, "reason": reason})
    return list(names)
