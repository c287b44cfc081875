"""The words of one message in the two forms that Matrix carries, and how much room they take. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from adapters.matrix.limits import TEXT, size

Line = TypeVar("Line")


@dataclass(frozen=True, slots=True)
class MatrixText:
    """The words of one message, or of a part of one."""

    body: str = ""
    """In plain; of what is folded behind a content warning it holds only the warning and the link."""
    html: str = ""
    """The same as ``org.matrix.custom.html``."""

    def __bool__(self) -> bool:
        return bool(self.body or self.html)

    @property
    def size(self) -> int:
        """What it takes of :data:`adapters.matrix.limits.TEXT`."""
        return size(self.body) + size(self.html)


def stacked(parts: Iterable[MatrixText], gap: str = "\n\n") -> MatrixText:
    """One below the other; ``gap`` is what parts them in plain."""
    found = list(parts)
    return MatrixText(gap.join(one.body for one in found if one.body), "".join(one.html for one in found))


def within(lines: Sequence[Line], most: int, write: Callable[[Sequence[Line]], MatrixText]) -> MatrixText:
    """As many of the lines, from the first, as fit into ``most`` once they are written."""
    if lines and (whole := write(lines)).size <= most:
        return whole
    count = bisect_right(range(len(lines) + 1), most, key=lambda count: write(lines[:count]).size) - 1
    return write(lines[:count]) if count > 0 else MatrixText()


@dataclass(slots=True)
class MatrixBudget:
    """How much of a message is left."""

    left: int = TEXT

    def take(self, part: MatrixText) -> MatrixText:
        """The part, counted with the gap before it."""
        self.left -= part.size + 4 if part else 0
        return part
