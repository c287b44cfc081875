"""What several tests share with those of bluesky records."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from relay.model import Post
from relay.sources.bluesky.labels import Withheld
from relay.sources.bluesky.records import (
    RecordPost,
    read_record,
    read_view,
)
from tests.servers.bluesky.jetstream import POSTS, cid, did, record, tid
from tests.servers.bluesky.world import Json, profile, view

NOW = datetime(2026, 7, 2, 12, tzinfo=UTC)


AT = int((NOW - timedelta(minutes=1)).timestamp()) * 1_000_000


ILLA, SAMI = did("illa"), did("sami")


KEY = tid(AT)


URI = f"at://{ILLA}/{POSTS}/{KEY}"


def said(text: str = "The bridge holds #Qeswachaka", **changes: Any) -> Json:
    return record(text, AT) | changes


def read(raw: object) -> Post | Withheld | None:
    return read_view(json.dumps(raw).encode())


def shown(of: Json | None = None, *, by: Json | None = None, **changes: Any) -> Json:
    return view(of or said(), by or profile("illa"), uri=URI) | changes


def post(of: Json | None = None, *, by: Json | None = None, **changes: Any) -> Post:
    found = read(shown(of, by=by, **changes))
    assert isinstance(found, Post), found
    return found


def draft(of: Json | None = None) -> RecordPost:
    found = read_record(ILLA, KEY, cid("x"), json.dumps(of or said()).encode(), NOW)
    assert found
    return found
