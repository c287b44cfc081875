"""Plain text → rich text: paragraphs and bare addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

from relay.rich import Block, Span, Text
from relay.text.addresses import bare, safe_url
from relay.text.characters import ELLIPSIS, scrub
from relay.text.limits import KEPT, MARKUP, within

_BLANK = re.compile(r"\n(?:[^\S\n]*\n)+")


def from_plain(text: str) -> Text:
    """Read plain text: a blank line begins a new paragraph, bare http(s) addresses become links."""
    return paragraphs(_linked(scrub(text[:MARKUP])))


def paragraphs(spans: Iterable[Span]) -> Text:
    """Make paragraphs of running spans, parted at blank lines, without white space around them."""
    running = list(spans)
    text = "".join(span.text for span in running)
    gaps = [(0, 0), *(match.span() for match in _BLANK.finditer(text)), (len(text), len(text))]
    ranges = [_stripped(text, start, end) for (_, start), (end, _) in pairwise(gaps)]
    return within(tuple(Block(found) for found in _slices(running, ranges) if found), KEPT)


def _linked(text: str) -> Iterator[Span]:
    done = 0
    for start, end in bare(text):
        if text.startswith(ELLIPSIS, end):
            continue  # somebody shortened it: it leads nowhere
        yield Span(text[done:start])
        yield Span(text[start:end], safe_url(text[start:end]))
        done = end
    yield Span(text[done:])


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    inner = text[start:end]
    return start + len(inner) - len(inner.lstrip()), start + len(inner.rstrip())


def _slices(spans: list[Span], ranges: list[tuple[int, int]]) -> Iterator[tuple[Span, ...]]:
    """The part of the running spans within each of the ascending ranges."""
    index, offset = 0, 0
    for start, end in ranges:
        found = []
        while index < len(spans) and offset < end:
            span = spans[index]
            if part := span.text[max(0, start - offset) : end - offset]:
                found.append(replace(span, text=part))
            if offset + len(span.text) > end:
                break
            offset += len(span.text)
            index += 1
        yield tuple(found)
