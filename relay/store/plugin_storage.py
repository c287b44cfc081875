"""Notes: what sources and adapters remember for a while, each for itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select

from relay.store.rows import insert_rows
from relay.store.tables import micros, notes

_COLUMNS = ("owner", "key", "value", "until")
_REPLACE = "(owner, key) DO UPDATE SET value = excluded.value, until = excluded.until"
_ONE = select(notes.c.value).where(
    notes.c.owner == bindparam("owner"),
    notes.c.key == bindparam("key"),
    notes.c.until > bindparam("now", type_=notes.c.until.type),
)


def get_note(connection: Connection, owner: str, key: str, now: datetime) -> str | None:
    """What ``owner`` noted under ``key``; None of nothing, and of what was over by ``now``."""
    return connection.scalar(_ONE, {"owner": owner, "key": key, "now": now})


def save_note(connection: Connection, owner: str, key: str, value: str, until: datetime) -> None:
    """Note ``value`` until then, in the place of what stood there."""
    insert_rows(connection, notes, _COLUMNS, [(owner, key, value, micros(until))], _REPLACE)


def delete_notes(connection: Connection, before: datetime) -> None:
    connection.execute(delete(notes).where(notes.c.until < before))
