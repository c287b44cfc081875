"""Characters: which may pass, and which belong together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regex import Pattern

ELLIPSIS = "…"
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters by their category, and nothing to see."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# U+200E, U+200F and U+061C stay: they turn nothing but their own place, and mixed Hebrew or Arabic lines need them.
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff]")


@cache
def _grapheme() -> Pattern[str]:
    import regex  # 5 MB, and only a text that has to be cut needs it

    # A flag is two letters of a kind, and \X counts all of these before it, each time: pairs need no counting.
    return regex.compile(r"[\U0001f1e6-\U0001f1ff]{2}(?=[\U0001f1e6-\U0001f1ff])|\X")


def whole(text: str) -> str:
    """Join surrogate pairs that came in two pieces, and put U+FFFD where one stands alone."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def scrub(text: str) -> str:
    """Take out control characters and bidirectional embeddings, overrides and isolates.

    Lines end in ``\\n``, a tab becomes a space, a lone surrogate U+FFFD.
    """
    if text.isprintable():
        return text
    return _UNWANTED.sub("", _LINE_END.sub("\n", whole(text)).replace("\t", " "))


def clean(text: str, *, limit: int = 500) -> str:
    """One scrubbed line of at most ``limit`` code points, for names, titles and alt texts; white space is collapsed.

    What stands far behind the limit is not looked at.
    """
    line = " ".join(scrub(text[: 20 * limit + 2_000]).split())
    if len(line) <= limit:
        return line
    return line[: boundary(line, limit - 1)].rstrip() + ELLIPSIS if limit > 0 else ""


def units(text: str) -> int:
    """The length in UTF-16 code units, in which chat platforms count."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "replace")) // 2


def short(text: str, limit: int, *, measure: Callable[[str], int] = units) -> str:
    """One scrubbed line that measures ``limit`` at most, with an ellipsis where it was longer."""
    line = clean(text, limit=limit)
    while (surplus := measure(line) - limit) > 0:
        line = clean(line, limit=len(line) - max(1, surplus // 4))
    return line


def graphemes(text: str) -> list[str]:
    """Split into what a reader takes for one character each (UAX #29, extended grapheme clusters)."""
    found: list[str] = _grapheme().findall(text)
    return found


def boundary(text: str, position: int, start: int = 0) -> int:
    """The last place at or before ``position`` where no grapheme cluster is cut; ``start`` must be such a place."""
    ends = (match.end() for match in _grapheme().finditer(text, start))
    return max(takewhile(lambda end: end <= position, ends), default=start)


def isolate(text: str) -> str:
    """Wrap a foreign name so that its writing direction stays its own (U+2068 … U+2069, UAX #9)."""
    return f"\u2068{text}\u2069" if text else ""


def directed(name: str, shown: str = "") -> str:
    """A foreign name (or what shows it), isolated where it runs from right to left.

    Only there: the isolates are characters like others to whoever copies the name, and some places show them as boxes.
    """
    turns = not name.isascii() and any(unicodedata.bidirectional(char) in {"R", "AL"} for char in name)
    return isolate(shown or name) if turns else shown or name


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in it."""
    return all(char in _BLANKS or char.isspace() or unicodedata.category(char)[0] == "C" for char in text)
