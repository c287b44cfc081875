"""Where each key of a TOML document is written, so that a mistake in it can be pointed at."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from dataclasses import dataclass

Key = tuple[str | int, ...]
"""Where a setting stands: ``("subscriptions", 0, "to")``."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a key is written; line and column count from 1."""

    line: int
    column: int
    length: int


_TOKEN = re.compile(
    r"""
    (?P<blank> [ \t\r]+ | \#[^\n]* )
  | (?P<newline> \n )
  | (?P<quoted> \"{3} (?:\\.|[^\\])*? \"{3,5} | '{3} .*? '{3,5} | " (?:\\.|[^"\\\n])* " | ' [^'\n]* ' )
  | (?P<mark> [\[\]{}=,.] )
  | (?P<bare> [^\s\[\]{}=,."'\#]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


def spots(text: str) -> dict[Key, Spot]:
    """Where each key, table and array entry of a well-formed TOML 1.0 document begins."""
    return _Scan(text).document()


class _Scan:
    """Reads only as much of TOML as is needed to tell keys from values; that it is well-formed is known before."""

    def __init__(self, text: str) -> None:
        self.tokens = [found for found in _TOKEN.finditer(text) if found.lastgroup != "blank"]
        self.lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self.found: dict[Key, Spot] = {}
        self.entries: dict[Key, int] = {}
        """How many ``[[tables]]`` each array has so far."""

    def document(self) -> dict[Key, Spot]:
        self.tokens.reverse()
        table: Key = ()
        while self.tokens:
            if self._take("\n"):
                continue
            if self._take("["):
                table = self._header()
            else:
                self._pair(table)
        return self.found

    def _header(self) -> Key:
        array = self._take("[")
        path, token = self._path((), follow=True)
        if array:
            self.entries[path] = self.entries.get(path, 0) + 1
        path = self._last_entry(path)
        self._mark(path, token)
        while self._take("]"):
            pass
        return path

    def _pair(self, table: Key) -> None:
        path, _ = self._path(table)
        self._take("=")
        self._value(path)

    def _path(self, path: Key, *, follow: bool = False) -> tuple[Key, re.Match[str]]:
        """A dotted key and its last token; ``follow``: an array of tables on the way means its last entry."""
        while True:
            token = self.tokens.pop()
            path = (*(self._last_entry(path) if follow else path), _name(token))
            self._mark(path, token)
            if not self._take("."):
                return path, token

    def _last_entry(self, path: Key) -> Key:
        return (*path, self.entries[path] - 1) if path in self.entries else path

    def _value(self, path: Key) -> None:
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            while self._more("}"):
                self._pair(path)
        else:
            while self.tokens and self.tokens[-1][0] not in {"\n", ",", "]", "}"}:
                self.tokens.pop()

    def _array(self, path: Key) -> None:
        index = 0
        while self._more("]"):
            self._mark((*path, index), self.tokens[-1])
            self._value((*path, index))
            index += 1

    def _more(self, end: str) -> bool:
        """Step to the next entry; False: the end was reached, and passed."""
        while self._take("\n") or self._take(","):
            pass
        return bool(self.tokens) and not self._take(end)

    def _take(self, text: str) -> bool:
        if self.tokens and self.tokens[-1][0] == text:
            self.tokens.pop()
            return True
        return False

    def _mark(self, path: Key, token: re.Match[str]) -> None:
        line = bisect_right(self.lines, token.start())
        first_line = token[0].partition("\n")[0]
        spot = Spot(line, token.start() - self.lines[line - 1] + 1, len(first_line))
        self.found.setdefault(path, spot)


def _name(token: re.Match[str]) -> str:
    """A key as it is meant: quoted ones without their quotes."""
    text = token[0]
    if token.lastgroup == "quoted":
        return next(iter(tomllib.loads(f"{text} = 0")))
    return text
