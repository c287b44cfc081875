"""Every call that was made, against a machine-readable copy of Telegram's documentation where that is at hand.

``RELAY_TEST_SPECS`` names a folder with ``telegram-bot-api.json`` (``api.json`` of
PaulSonOfLars/telegram-bot-api-spec). It knows methods, parameters, types and the lengths in their descriptions.
Those of texts are meant after parsing: texts with a parse mode are measured by the loopback itself.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

Json = dict[str, Any]

NEWER: Mapping[str, str] = {}
"""What is sent on purpose though the document does not know it, ``method`` or ``method.parameter``, with the reason."""

_LENGTH = re.compile(r"(\d+)-(\d+) (characters|bytes)")
_PLAIN: Mapping[str, type | tuple[type, ...]] = {
    "Integer": int,
    "String": str,
    "Boolean": bool,
    "Float": (int, float),
    "InputFile": str,
}


_ARRAY = "Array of "


class Asked(Protocol):
    """What a call is to the document."""

    @property
    def method(self) -> str: ...
    @property
    def params(self) -> Mapping[str, Any]: ...


def spec_path() -> Path | None:
    """The document, where the environment names a folder that has it."""
    folder = os.environ.get("RELAY_TEST_SPECS")
    found = Path(folder) / "telegram-bot-api.json" if folder else None
    return found if found and found.is_file() else None


def problems(requests: Iterable[Asked]) -> list[str]:
    """What the document says against these calls; nothing where all is well or there is no document."""
    path = spec_path()
    return [problem for asked in requests for problem in _document(path).of(asked)] if path else []


@cache
def _document(path: Path) -> _Document:
    told = json.loads(path.read_text())
    return _Document(told["methods"], told["types"])


class _Document:
    def __init__(self, methods: Mapping[str, Json], types: Mapping[str, Json]) -> None:
        self._methods = methods
        self._types = types

    def of(self, asked: Asked) -> list[str]:
        """What it says against one call."""
        if asked.method not in self._methods:
            return [] if asked.method in NEWER else [f"{asked.method}: no such method"]
        uploads = set(getattr(asked, "files", ()))
        fields = [one for one in self._methods[asked.method].get("fields", []) if one["name"] not in uploads]
        parsed = bool(asked.params.get("parse_mode"))
        return self._record(asked.method, fields, asked.params, parsed=parsed)

    def _record(self, where: str, fields: list[Json], given: Mapping[str, Any], *, parsed: bool) -> list[str]:
        """An object or the parameters of a call."""
        known = {one["name"]: one for one in fields}
        found = [f"{where}: no {name!r}" for name in given if name not in known and f"{where}.{name}" not in NEWER]
        found += [
            f"{where}: {name!r} is missing" for name, one in known.items() if one["required"] and name not in given
        ]
        for name in known.keys() & given.keys():
            found += self._field(f"{where}.{name}", known[name], given[name], parsed=parsed)
        return found

    def _field(self, where: str, field: Json, value: Any, *, parsed: bool) -> list[str]:
        wrong = self._union(where, field["types"], value)
        if wrong:
            return wrong
        bounds = _LENGTH.search(field["description"])
        if not bounds or not isinstance(value, str) or (parsed and "after entities parsing" in field["description"]):
            return []
        size = len(value.encode()) if bounds[3] == "bytes" else len(value.encode("utf-16-le")) // 2
        return [] if int(bounds[1]) <= size <= int(bounds[2]) else [f"{where}: {size} is not in {bounds[0]}"]

    def _union(self, where: str, kinds: list[str], value: Any) -> list[str]:
        """What is wrong with a value of one of these types; of several answers the shortest."""
        if isinstance(value, list):
            inner = [kind.removeprefix(_ARRAY) for kind in kinds if kind.startswith(_ARRAY)]
            listed = [
                told for number, one in enumerate(value) for told in self._union(f"{where}[{number}]", inner, one)
            ]
            return listed if inner else [f"{where}: a list is no {' or '.join(kinds)}"]
        told = [self._one(where, kind, value) for kind in self._meant(kinds, value)]
        return min(told, key=len, default=[f"{where}: {str(value)[:60]!r} is no {' or '.join(kinds)}"])

    def _one(self, where: str, kind: str, value: Any) -> list[str]:
        if kind not in _PLAIN:
            return self._record(where, self._types[kind].get("fields", []), value, parsed=bool(value.get("parse_mode")))
        right = isinstance(value, _PLAIN[kind]) and (kind == "Boolean" or not isinstance(value, bool))
        return [] if right else [f"{where}: {str(value)[:60]!r} is no {kind}"]

    def _meant(self, kinds: list[str], value: Any) -> list[str]:
        """The types that a value of this kind may be; an object says itself in ``type`` which it is."""
        if not isinstance(value, dict):
            return [kind for kind in kinds if kind in _PLAIN]
        objects = [sub for kind in kinds if kind in self._types for sub in self._types[kind].get("subtypes") or [kind]]
        return [kind for kind in objects if self._says(kind, value)]

    def _says(self, kind: str, value: Json) -> bool:
        described = [one["description"] for one in self._types[kind].get("fields", []) if one["name"] == "type"]
        named = re.search(r"must be (\w+)$", described[0]) if described else None
        return named is None or named[1] == value.get("type")
