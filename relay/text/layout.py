"""Rich text as it reads in plain: laying it out, and cutting it to a limit."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import takewhile
from typing import NamedTuple

from relay.rich import Block, Form, Role, Span, Text
from relay.text.addresses import bare, shows_address
from relay.text.characters import ELLIPSIS, boundary
from relay.text.targets import with_targets

_RULE = "———"
_LOOK_BACK = 40
"""Characters that may be given up to end at a word."""
_EAST_ASIAN = "\u2e80"
"""The scripts from here on write without spaces between words."""
_CONTEXT = 400
"""Characters before a cut in whose line grapheme clusters and addresses are looked for."""


class _Piece(NamedTuple):
    """Where a run of a span's text stands in the plain text; between pieces stand margins and line ends."""

    start: int
    text: str
    block: int
    span: int
    offset: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def plain(text: Text) -> str:
    """The text as people read it where there is nothing but words: with the addresses that its links lead to.

    A blank line stands between paragraphs, quotes after ``>``, list items each on a line of its own.
    """
    return text_content(with_targets(text))


def text_content(text: Text) -> str:
    """The words alone, laid out like :func:`plain`: for titles, for searching, and to tell texts apart."""
    return _lay_out(text)[0]


def cut(text: Text, limit: int, *, measure: Callable[[str], int] = len) -> Text:
    """Shorten so that ``measure(text_content(text))`` is ``limit`` at most, with an ellipsis for what is left out.

    What fits comes back as it is; a limit below 1 leaves nothing. The cut falls between words where one ends near,
    never inside a grapheme cluster, an address, a mention or a hashtag. ``measure`` must not shrink as its text grows.
    """
    if limit < 1:
        return ()
    full, pieces = _lay_out(text)
    if measure(full) <= limit:
        return text
    place = _Places(full, text, pieces)
    if end := place.best(_longest(full, limit, measure)):
        return _head(text, place.piece(end), end)
    return (Block((Span(ELLIPSIS),)),) if measure(ELLIPSIS) <= limit else ()


def _lay_out(text: Text) -> tuple[str, list[_Piece]]:
    parts: list[str] = []
    pieces: list[_Piece] = []
    at = 0
    for index, block in enumerate(text):
        gap = "" if not index else "\n" if block.form is text[index - 1].form is Form.ITEM else "\n\n"
        for margin, line in _lines(block):
            parts.append(gap + margin)
            at += len(gap + margin)
            gap = ""
            for span, offset, run in line:
                pieces.append(_Piece(at, run, index, span, offset))
                parts.append(run)
                at += len(run)
    return "".join(parts), pieces


def _lines(block: Block) -> Iterator[tuple[str, list[tuple[int, int, str]]]]:
    """The lines of a block: what stands before each, and its runs as (span, offset in it, text)."""
    if block.form is Form.RULE:
        yield "> " * block.quote + _RULE, []
        return
    quote = "> " * block.quote
    bullet = f"{block.bullet} " if block.bullet else ""
    indent = "  " * (block.depth - 1 if bullet else block.depth)
    first, rest = quote + indent + bullet, quote + indent + " " * len(bullet)
    if not rest:
        yield first, [(number, 0, span.text) for number, span in enumerate(block.spans)]
        return
    margin: str = first
    line: list[tuple[int, int, str]] = []
    for number, span in enumerate(block.spans):
        offset = 0
        for count, run in enumerate(span.text.split("\n")):
            if count:
                yield margin, line
                margin, line = "\n" + rest, []
            line.append((number, offset, run))
            offset += len(run) + 1
    yield margin, line


def _longest(full: str, limit: int, measure: Callable[[str], int]) -> int:
    """The length of the longest start of ``full`` that leaves room for the ellipsis."""
    most = limit
    while most < len(full) and measure(full[:most]) <= limit:
        most *= 2
    lengths = range(min(most, len(full)) + 1)
    return max(0, bisect_right(lengths, limit, key=lambda length: measure(full[:length] + ELLIPSIS)) - 1)


def _head(text: Text, piece: _Piece, end: int) -> Text:
    block = text[piece.block]
    span = block.spans[piece.span]
    kept = span.text[: piece.offset + end - piece.start]
    if span.link or span.role is not Role.TEXT:
        tail = [replace(span, text=kept), Span(ELLIPSIS)]
    else:
        tail = [replace(span, text=kept + ELLIPSIS)]
    return (*text[: piece.block], replace(block, spans=(*block.spans[: piece.span], *tail)))


class _Places:
    """Where a text may end."""

    def __init__(self, full: str, text: Text, pieces: list[_Piece]) -> None:
        self._full = full
        self._text = text
        self._pieces = [piece for piece in pieces if piece.text]
        self._starts = [piece.start for piece in self._pieces]

    def best(self, end: int) -> int:
        """The last good place at or before ``end``, at a word's end where one is near; 0: nowhere."""
        end = self._allowed(end)
        if not self._is_within_word(end):
            return end
        before = (at for at in range(end - 1, max(0, end - _LOOK_BACK), -1) if self._full[at].isspace())
        earlier = self._allowed(next(before, 0))
        return earlier if earlier * 2 >= end else end

    def piece(self, end: int) -> _Piece:
        """The piece that a text of this length, which must be a good place, ends in."""
        return self._pieces[bisect_left(self._starts, end) - 1]

    def _allowed(self, end: int) -> int:
        while inside := self._without_margin(end):
            line = self._full.rfind("\n", 0, max(0, inside - _CONTEXT)) + 1
            moved = self._before_unit(boundary(self._full, inside, line), line)
            while moved and self._full[moved - 1].isspace():
                moved -= 1
            if moved == end:
                return end
            end = moved
        return 0

    def _without_margin(self, end: int) -> int:
        index = bisect_left(self._starts, end) - 1
        return min(end, self._pieces[index].end) if index >= 0 else 0

    def _before_unit(self, end: int, line: int) -> int:
        """Go back to the start of the address, mention or hashtag that ``end`` stands in."""
        for start, stop in self._units(end, line):
            if start < end < stop:
                return start
        return end

    def _units(self, end: int, line: int) -> Iterator[tuple[int, int]]:
        yield from takewhile(lambda address: address[0] < end, bare(self._full, line))
        first = last = max(0, bisect_left(self._starts, end) - 1)
        while first and self._are_one(first - 1, first):
            first -= 1
        while last + 1 < len(self._pieces) and self._are_one(last, last + 1):
            last += 1
        run = self._pieces[first : last + 1]
        span = self._span(run[0])
        if span.role is not Role.TEXT or (span.link and shows_address("".join(piece.text for piece in run))):
            yield run[0].start, run[-1].start + len(run[-1].text.rstrip())

    def _are_one(self, one: int, other: int) -> bool:
        """Whether two neighbours are parts of one link, or of one span that lines part."""
        left, right = self._pieces[one], self._pieces[other]
        if left.block != right.block:
            return False
        link = self._span(left).link
        return left.span == right.span or (link != "" and link == self._span(right).link)

    def _span(self, piece: _Piece) -> Span:
        return self._text[piece.block].spans[piece.span]

    def _is_within_word(self, end: int) -> bool:
        around = self._full[end - 1 : end + 1] if end else ""
        return len(around) == 2 and all((c.isalnum() and c < _EAST_ASIAN) or c in "'’" for c in around)
