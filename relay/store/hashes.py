"""Hashes of names: with a key for what must be recognised and not be read, without one for what would be long.

Who has the table and the key can ask of a name that they know whether it is in it, and nothing else.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b, sha256

from sqlalchemy import Connection, insert, select

from relay.core.urls import page
from relay.store.tables import meta

_KEY = "forgetting"


def get_key(connection: Connection) -> str:
    """Made when it is first needed, and never told."""
    there: str | None = connection.scalar(select(meta.c.value).where(meta.c.key == _KEY))
    if there is None:
        there = secrets.token_hex(32)
        connection.execute(insert(meta).values(key=_KEY, value=there))
    return there


def keyed_hash(key: str, name: str) -> str:
    return hmac.new(key.encode(), name.encode(), sha256).hexdigest()


@lru_cache(maxsize=4_096)  # what a post is looked up by is written a moment later
def short(name: str) -> str:
    """A long name as it is looked up: 96 bits of it (BLAKE2b, RFC 7693), which nobody finds another name for."""
    return urlsafe_b64encode(blake2b(name.encode(), digest_size=12).digest()).decode()


def short_page(address: str) -> str:
    """The page that an address leads to (:func:`relay.core.urls.page`) as it is looked up; "" where it is none."""
    return short(there) if (there := page(address)) else ""
