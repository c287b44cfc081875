"""Keyed hashes, for what must be recognised and not be read.

Who has the table and the key can ask of a name that they know whether it is in it, and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from sqlalchemy import Connection, insert, select

from relay.store.tables import meta

_KEY = "forgetting"


def get_key(connection: Connection) -> str:
    """Made when it is first needed, and never told."""
    there: str | None = connection.scalar(select(meta.c.value).where(meta.c.key == _KEY))
    if there is None:
        there = secrets.token_hex(32)
        connection.execute(insert(meta).values(key=_KEY, value=there))
    return there


def digest(key: str, name: str) -> str:
    return hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()
