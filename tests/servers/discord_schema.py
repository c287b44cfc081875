"""Every request that was made, against Discord's official OpenAPI document where that is at hand.

``RELAY_TEST_SPECS`` names a folder with ``discord-openapi.json`` (``specs/openapi.json`` of discord/discord-api-spec).
The document is OpenAPI 3.1, so its schemas are JSON Schema as they stand. It knows nothing of sums (6,000 of embeds,
4,000 of texts): those the loopback itself refuses.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

Json = dict[str, Any]
_URI = "urn:discord"
_METHODS = ("get", "put", "post", "patch", "delete")


class Asked(Protocol):
    """What a request is to the document."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> Any: ...


def spec_path() -> Path | None:
    """The document, where the environment names a folder that has it."""
    folder = os.environ.get("RELAY_TEST_SPECS")
    found = Path(folder) / "discord-openapi.json" if folder else None
    return found if found and found.is_file() else None


def problems(requests: Iterable[Asked]) -> list[str]:
    """What the document says against these requests; nothing where all is well or there is no document."""
    path = spec_path()
    return _document(path).problems(requests) if path else []


@cache
def _document(path: Path) -> _Document:
    told = json.loads(path.read_text())
    # documented (media channels) and sent by discord.py, but not in this document
    told["components"]["schemas"]["ChannelTypes"]["oneOf"].append({"title": "GUILD_MEDIA", "const": 16})
    return _Document(told)


class _Operation:
    """One operation with its validators, made when it is first needed."""

    def __init__(self, whole: _Document, method: str, path: str, told: Json, shared: list[Json]) -> None:
        self.name = f"{method.upper()} {path}"
        self.literal = path.count("{")
        named = [whole.resolved(one) for one in [*shared, *told.get("parameters", [])]]
        self.queries = {one["name"] for one in named if one["in"] == "query"}
        self._whole = whole
        self._body: Json = told.get("requestBody", {})
        self._validators: list[Draft202012Validator] | None = None

    def problems(self, asked: Asked) -> list[str]:
        strange = sorted(set(asked.query) - self.queries)
        found = [f"{self.name}: no query parameter {name!r}" for name in strange]
        if asked.body is None:
            return [*found, f"{self.name}: no body"] if self._body.get("required") else found
        if not self._body:
            return [*found, f"{self.name}: takes no body"]
        error = self._error(asked.body)
        return [*found, f"{self.name}: {error.json_path}: {error.message[:300]}"] if error else found

    def _error(self, body: Any) -> ValidationError | None:
        """Of a union with a type in it, the complaint of the branch that was meant."""
        if self._validators is None:
            self._validators = self._compiled()
        errors = [best_match(validator.iter_errors(body)) for validator in self._validators]
        return None if None in errors else max(errors, key=lambda error: len(error.path)) if errors else None

    def _compiled(self) -> list[Draft202012Validator]:
        content = self._body.get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        return [self._whole.validator(branch) for branch in schema.get("anyOf") or [schema]]


class _Document:
    def __init__(self, told: Json) -> None:
        self._told = told
        resource = DRAFT202012.create_resource(told)
        self._registry: Registry[Any] = Registry().with_resource(_URI, resource)
        self._operations = [self._operation(path, item) for path, item in told["paths"].items()]

    def _operation(self, path: str, item: Json) -> tuple[re.Pattern[str], dict[str, _Operation]]:
        shape = re.compile("^" + re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(path)) + "$")
        shared = item.get("parameters", [])
        return shape, {
            method: _Operation(self, method, path, item[method], shared) for method in _METHODS if method in item
        }

    def problems(self, requests: Iterable[Asked]) -> list[str]:
        return [problem for asked in requests for problem in self._of(asked)]

    def _of(self, asked: Asked) -> list[str]:
        known = [found[asked.method.lower()] for shape, found in self._operations if self._is(shape, found, asked)]
        if not known:
            return [f"{asked.method} {asked.path}: no such operation"]
        return min(known, key=lambda one: one.literal).problems(asked)

    def _is(self, shape: re.Pattern[str], found: Mapping[str, _Operation], asked: Asked) -> bool:
        return asked.method.lower() in found and bool(shape.match(asked.path))

    def resolved(self, part: Json) -> Json:
        """The part, or what it refers to."""
        if "$ref" not in part:
            return part
        found = self._registry.resolver(_URI).lookup(_URI + part["$ref"]).contents
        return dict(found)

    def validator(self, schema: Json) -> Draft202012Validator:
        return Draft202012Validator(_absolute(schema), registry=self._registry)


def _absolute(schema: Any) -> Any:
    """The schema with its references told from outside of the document."""
    if isinstance(schema, dict):
        return {key: _URI + value if key == "$ref" else _absolute(value) for key, value in schema.items()}
    return [_absolute(part) for part in schema] if isinstance(schema, list) else schema
