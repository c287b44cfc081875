"""What people changed in the chats: a row for each action, written with it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from relay.model import Destination
from relay.records import ActingUser, Audit
from relay.store.tables import audit


def add_audit(connection: Connection, by: ActingUser, destination: Destination, detail: str) -> None:
    row = {"at": by.now, "who": by.user, "destination": str(destination), "deed": by.action, "detail": detail}
    connection.execute(insert(audit).values(row))


def list_audit(connection: Connection, limit: int, destination: Destination | None = None) -> list[Audit]:
    """The latest changes, newest first."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if destination is not None:
        query = query.where(audit.c.destination == str(destination))
    return [
        Audit(
            at=row.at,
            user=row.who,
            destination=Destination.parse(row.destination),
            action=row.deed,
            detail=row.detail,
        )
        for row in connection.execute(query)
    ]


_oldest = select(audit.c.id, audit.c.at).order_by(audit.c.id).limit(500).subquery()
_FORGET = delete(audit).where(
    audit.c.id.in_(select(_oldest.c.id).where(_oldest.c.at < bindparam("before", type_=audit.c.at.type)))
)


def delete_audit(connection: Connection, before: datetime) -> int:
    """Forget some of what was done in the time of posts that are forgotten; 0 once there is no more."""
    return connection.execute(_FORGET, {"before": before}).rowcount
