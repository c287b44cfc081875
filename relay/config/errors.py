"""Mistakes in a configuration, told like a good compiler tells them: where, what was expected, what may be meant."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic_core import ErrorDetails

from relay.config.lines import Key, Spot, spots
from relay.log import HIDDEN, redact
from relay.settings import duration_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake. ``column`` counts from 1; ``source`` is the line as written, with secrets hidden."""

    file: str
    line: int | None = None
    column: int | None = None
    key: str = ""
    message: str
    hint: str = ""
    source: str = ""
    length: int = 1

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        told = ": ".join(part for part in (place, self.key, self.message) if part)
        return "\n".join([f"{told}; {self.hint}" if self.hint else told, *self._shown()])

    def _shown(self) -> list[str]:
        text = self.source.strip()
        if not text:
            return []
        before = self.source[: (self.column or 1) - 1]
        if self.column is None or len(before) >= len(self.source):
            return [f"    {text}"]
        blank = "".join("\t" if char == "\t" else " " for char in before.lstrip())
        return [f"    {text}", f"    {blank}{'^' * self.length}"]


class ConfigError(Exception):
    """The configuration cannot be used. ``problems`` are all its mistakes, in the order in which they are written."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def written(key: Key) -> str:
    """``subscriptions[0].to``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


def nearest(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """What was meant perhaps, as a question."""
    close = get_close_matches(name, list(known), n=1)
    return f"did you mean `{close[0]}`?" if close else otherwise


# --- a document ---


_SECRETISH = r"[\w-]{0,100}(?:token|secret|passw|api_?key|credential)[\w-]*"


def _shown(line: str, secrets: Iterable[str]) -> str:
    """A line as it may be shown: cut where a secret begins."""
    names = "|".join([_SECRETISH, *map(re.escape, secrets)])
    found = re.search(rf"""\b(?:{names})(?<!_file)["']?\s*=""", line, re.IGNORECASE)
    return redact(f"{line[: found.end()]} {HIDDEN}" if found else line)


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file as it was read."""

    name: str
    text: str = ""
    tables: dict[str, Any] = field(default_factory=dict)
    spots: Mapping[Key, Spot] = field(default_factory=dict)

    def problem(self, key: Key, message: str, hint: str = "", *, secrets: Collection[str] = ()) -> Problem:
        """Point at a key, or at the table in which it is missing. The values of ``secrets`` (names) are not shown."""
        hidden = next((end for end, part in enumerate(key, 1) if part in secrets), len(key))
        spot = next((self.spots[key[:end]] for end in range(hidden, 0, -1) if key[:end] in self.spots), None)
        problem = Problem(file=self.name, key=written(key), message=message, hint=hint)
        if spot is None:
            return problem
        return replace(
            problem,
            line=spot.line,
            column=spot.column,
            length=spot.length,
            source=_shown(self.text.split("\n")[spot.line - 1], secrets),
        )


def read(path: Path | None) -> Document:
    """Read a file; None is an empty document. Raises :class:`ConfigError` where it is missing or not well-formed."""
    if path is None:
        return Document("configuration")
    name = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        tables = tomllib.loads(text)
    except OSError as error:
        raise ConfigError([Problem(file=name, message=f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(file=name, message=f"is not UTF-8 text (byte {error.start + 1})")]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_malformed(name, text, str(error))]) from None
    return Document(name, text, tables, spots(text))


def _malformed(name: str, text: str, message: str) -> Problem:
    told, _, _ = message.partition(" (at ")
    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    lines = text.split("\n")
    line, column = (int(found[1]), int(found[2])) if found else (len(lines), None)
    hint = 'a text is written in quotes: key = "text"' if told == "Invalid value" else ""
    return Problem(
        file=name,
        line=line,
        column=column,
        message=f"malformed TOML: {told[:1].lower()}{told[1:]}",
        hint=hint,
        source=_broken_line(lines[:line]),
    )


def _broken_line(lines: Sequence[str]) -> str:
    """The last line; nothing where it may be the rest of a secret that began above."""
    above = next((line for line in reversed(lines) if re.match(r"""\s*[\w."'-]+\s*=""", line)), "")
    return "" if above != lines[-1] and HIDDEN in _shown(above, ()) else _shown(lines[-1], ())


# --- what the models say, in plain words ---

_EXPECTED = {
    "string_": "a text",
    "int_": "a whole number",
    "float_": "a number",
    "decimal_": "a number",
    "bool_": "true or false",
    "list_": "a list",
    "tuple_": "a list",
    "set_": "a list",
    "frozen_set_": "a list",
    "dict_": "a table",
    "model_": "a table",
    "time_delta_": 'a time span such as "90s", "10m" or "6h"',
    "ip_v4_network": 'a network such as "127.0.0.0/8"',
    "ip_v6_network": 'a network such as "127.0.0.0/8"',
    "url_": "a web address",
}
_BOUNDS = {
    "greater_than": "more than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
}


def explain(error: ErrorDetails, *, secret: bool) -> str:
    """A validation error in plain words: what was expected and, unless it is a secret, what was there."""
    kind, context = error["type"], error.get("ctx", {})
    got = "" if secret else f", got {_got(error['input'])}"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        told = str(context["error"])
        return f"{told}{got}" if told.startswith("expected ") else told
    if kind in {"literal_error", "enum"}:
        choices = str(context["expected"]).replace("'", '"')
        return f"expected {choices}{got}"
    if kind in _BOUNDS:
        return f"expected {_BOUNDS[kind]} {_bound(str(next(iter(context.values()))))}{got}"
    if kind in {"too_short", "string_too_short"}:
        return "must not be empty" if context["min_length"] == 1 else f"needs at least {context['min_length']}"
    expected = next((words for prefix, words in _EXPECTED.items() if kind.startswith(prefix)), "")
    return f"expected {expected}{got}" if expected else redact(error["msg"][:1].lower() + error["msg"][1:])


def _bound(value: str) -> str:
    """pydantic gives the ``repr`` of a time span."""
    if not value.startswith("datetime.timedelta("):
        return value
    parts = {unit: int(number) for unit, number in re.findall(r"\b([a-z]+)=(\d+)", value)}
    return duration_text(timedelta(**parts))


def _advice(error: ErrorDetails, key: Key) -> str:
    if len(key) == 1 and error["type"] == "tuple_type" and isinstance(error["input"], dict):
        return f"write [[{key[0]}]] with two brackets, once for each"
    return ""


def _got(value: object) -> str:
    match value:
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case str():
            return redact(json.dumps(value if len(value) <= 60 else f"{value[:60]}…", ensure_ascii=False))
        case timedelta():
            return duration_text(value)
        case bool() | None:
            return json.dumps(value)
        case _:
            return str(value)


# --- collecting them ---


class Report:
    """Collects mistakes, and knows where each setting was written: in which variable, or on which line."""

    def __init__(self, document: Document, variables: Mapping[Key, str]) -> None:
        self.document = document
        self.variables = variables
        self.secrets: frozenset[str] = frozenset()
        """Names of keys whose value is never shown."""
        self.secret_files: list[Path] = []
        """The files out of which secrets were read."""
        self._problems: dict[Key, Problem] = {}
        self._excused: set[Key] = set()

    def add(self, key: Key, message: str, hint: str = "") -> None:
        """Note a mistake; only the first one at each place counts, more would only follow from it."""
        if key in self._problems or key in self._excused:
            return
        variable = self._variable(key)
        if variable:
            problem = Problem(file="environment", key=variable, message=message, hint=hint)
        else:
            problem = self.document.problem(key, message, hint, secrets=self.secrets)
        self._problems[key] = problem

    def excuse(self, key: Key) -> None:
        """Say nothing of this key any more: the mistake was told at another one."""
        self._excused.add(key)

    def add_invalid(self, error: ErrorDetails, model: type[BaseModel], data: object) -> None:
        """Note what a model said of ``data``."""
        key = error["loc"]
        if error["type"] == "extra_forbidden":
            self._add_unknown(key, model, error["input"])
            return
        if error["type"] != "missing":
            key = _standing(key, data)
        secret = any(part in self.secrets or re.fullmatch(_SECRETISH, str(part), re.IGNORECASE) for part in key)
        self.add(key, explain(error, secret=secret), _advice(error, key))

    def _add_unknown(self, key: Key, model: type[BaseModel], value: object) -> None:
        *table, name = key
        known = known_keys(model, tuple(table))
        meant = set(get_close_matches(str(name), known, n=1))
        if not self.secrets.isdisjoint(meant or known):
            self.secrets |= {str(name)}  # it may be a secret's name, misspelt
        self.add(key, "unknown table" if isinstance(value, dict) else "unknown key", nearest(str(name), known))

    def _variable(self, key: Key) -> str:
        for end in range(len(key), 0, -1):
            if key[:end] in self.variables:
                return self.variables[key[:end]]
        if key in self.document.spots:
            return ""
        return next((name for variable, name in self.variables.items() if variable[: len(key)] == key), "")

    def raise_any(self) -> None:
        """Raise :class:`ConfigError` if there was a mistake."""
        if self._problems:
            raise ConfigError(sorted(self._problems.values(), key=lambda problem: (problem.line or 0, problem.key)))


def _standing(key: Key, data: Any) -> Key:
    """The part of ``key`` that exists in the data: a model adds names of its own for the members of a union."""
    for end, part in enumerate(key):
        entries: Any = dict(enumerate(data)) if isinstance(data, list) else data
        if not isinstance(entries, dict) or part not in entries:
            return key[:end]
        data = entries[part]
    return key


# --- what a model knows ---


def submodels(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from submodels(argument)


def is_secret(annotation: object) -> bool:
    return annotation is SecretStr or any(is_secret(argument) for argument in get_args(annotation))


def secret_fields(model: type[BaseModel]) -> Iterator[str]:
    """The fields whose value a file may hold: those that are one secret, and not keys of their own already."""
    for name, info in model.model_fields.items():
        kind = info.annotation
        single = kind is SecretStr or (get_origin(kind) in {Union, UnionType} and SecretStr in get_args(kind))
        if single and f"{name}_file" not in model.model_fields:
            yield name


def secret_names(model: type[BaseModel]) -> frozenset[str]:
    """The names of all secrets in a model and the models in it."""
    names = {name for name, info in model.model_fields.items() if is_secret(info.annotation)}
    deeper = (secret_names(sub) for info in model.model_fields.values() for sub in submodels(info.annotation))
    return frozenset(names).union(*deeper)


def known_keys(model: type[BaseModel], table: Key) -> list[str]:
    """The keys that may stand in a table, those of secret files among them."""
    models = [model]
    for part in table:
        if isinstance(part, str):
            fields = [known.model_fields[part] for known in models if part in known.model_fields]
            models = [deeper for info in fields for deeper in submodels(info.annotation)]
    files = [f"{name}_file" for known in models for name in secret_fields(known)]
    return [*(name for known in models for name in known.model_fields), *files]
