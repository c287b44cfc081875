"""Reads JSON of foreign servers: what has the shape that is asked for, and nothing that raises. Pure."""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

from relay.sources.limits import ITEMS, PARTS, RECORD, REPAIRED, REPAIRED_PARTS

T = TypeVar("T")
Raw = msgspec.Raw

_NULL = b"null"
_BAD = (msgspec.MsgspecError, ValueError, RecursionError)


def read(raw: bytes | Raw, kind: type[T]) -> T | None:
    """The value in the JSON, None where it has another shape. Takes anything, raises nothing."""
    if len(raw) <= len(_NULL) and bytes(raw) in {b"", _NULL}:  # most fields: an error costs more than what is read
        return None
    if len(raw) > RECORD and bytes(raw).count(b",") > PARTS:
        return None
    try:
        return msgspec.json.decode(raw, type=kind, strict=False)
    except msgspec.ValidationError:
        return None
    except _BAD:
        return _read_repaired(bytes(raw), kind)


def read_all(raw: bytes | Raw, kind: type[T], most: int = ITEMS) -> list[T]:
    """The first ``most`` elements of a list, as far as they have the shape; the others are left out."""
    values = (read(item, kind) for item in (read(raw, list[Raw]) or ())[:most])
    return [value for value in values if value is not None]


def _read_repaired(raw: bytes, kind: type[T]) -> T | None:
    """Half a surrogate pair or a byte that is no UTF-8, in one post, must not hide the page it stands on."""
    if len(raw) > REPAIRED or raw.count(b",") > REPAIRED_PARTS:
        return None
    try:
        loose = json.loads(raw.decode("utf-8", "replace"))
        sound = json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace")
        return msgspec.json.decode(sound, type=kind, strict=False)
    except _BAD:
        return None
