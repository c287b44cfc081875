"""Pages that were made, for as long as they say what the store says: a thread that many read is laid out once."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from relay.consent import Consent
from relay.web.reading import Reading

MOST = 4_000_000
"""Characters of all of them."""


@dataclass(frozen=True, slots=True)
class _Made:
    reading: Reading
    allowed: Consent
    text: str


class Made:
    """The pages read last, by their names. Whether one still holds is seen by comparing what it was made of."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._size = 0
        self._pages: OrderedDict[tuple[str, str], _Made] = OrderedDict()

    def get(self, reading: Reading, allowed: Consent, root: str) -> str | None:
        made = self._pages.get((reading.slug, root))
        if made is None or made.allowed != allowed or made.reading != reading:
            return None
        self._pages.move_to_end((reading.slug, root))
        return made.text

    def put(self, reading: Reading, allowed: Consent, root: str, text: str) -> None:
        self._drop((reading.slug, root))
        self._pages[reading.slug, root] = _Made(reading, allowed, text)
        self._size += len(text)
        while self._size > self._most and self._pages:
            self._drop(next(iter(self._pages)))

    def _drop(self, key: tuple[str, str]) -> None:
        if made := self._pages.pop(key, None):
            self._size -= len(made.text)
