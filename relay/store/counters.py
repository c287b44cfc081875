"""Counting what happens seldom and is not kept."""

from __future__ import annotations

from sqlalchemy import Connection, select

from relay.store.rows import insert_rows
from relay.store.tables import counters

_UNKNOWN = "unknown"
_ADD = "(name) DO UPDATE SET count = counters.count + excluded.count"
_COUNT = select(counters.c.count).where(counters.c.name == _UNKNOWN)


def count_unknown(connection: Connection, attempts: int) -> None:
    """Add attempts of which nobody knows whether they arrived."""
    if attempts:
        insert_rows(connection, counters, ("name", "count"), [(_UNKNOWN, attempts)], _ADD)


def get_unknown(connection: Connection) -> int:
    return connection.scalar(_COUNT) or 0
