"""Pages that were made, for as long as they say what the store says: a thread that many read is laid out once."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from relay.consent import Consent
from relay.web.reading import Reading

MOST = 4_000_000
"""Characters of all of them."""


_Name = tuple[str, str, str]


def _name(reading: Reading, around: str) -> _Name:
    return reading.slug, around, reading.say.tag


@dataclass(frozen=True, slots=True)
class _Made:
    reading: Reading
    allowed: Consent
    text: str


class Made:
    """The pages read last, by their names. Whether one still holds is seen by comparing what it was made of.

    ``around`` is what is the same for many threads: where the site's top is, whom to mention.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._size = 0
        self._pages: OrderedDict[_Name, _Made] = OrderedDict()

    def get(self, reading: Reading, allowed: Consent, around: str) -> str | None:
        name = _name(reading, around)
        made = self._pages.get(name)
        if made is None or made.allowed != allowed or made.reading != reading:
            return None
        self._pages.move_to_end(name)
        return made.text

    def put(self, reading: Reading, allowed: Consent, around: str, text: str) -> None:
        name = _name(reading, around)
        self._drop(name)
        self._pages[name] = _Made(reading, allowed, text)
        self._size += len(text)
        while self._size > self._most and self._pages:
            self._drop(next(iter(self._pages)))

    def _drop(self, key: _Name) -> None:
        if made := self._pages.pop(key, None):
            self._size -= len(made.text)
