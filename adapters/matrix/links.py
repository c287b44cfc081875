"""Foreign rich text made harmless: it mentions nobody, and its links say where they lead. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from urllib.parse import urlsplit

from adapters.matrix.limits import URL, address, size
from adapters.matrix.mentions import JOINER, leads_to_matrix, parted, places, places_in_code, quiet
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.text import honest, is_blank, safe_url, short
from relay.text.addresses import bare

_NAME = re.compile(r"[@＠#＃][^\s/]*")
_MOST_BULLET = 12
_SHOWN = 200
"""Of an address that is shown and is no link."""


# --- foreign text, made harmless ---


def safe_text(text: Text, *, own: bool = False) -> Text:
    """The text as it may be shown; ``own``: it is ours, so what is code in it stays as it is to be typed."""
    return tuple(found for block in text if (found := _told(block, own=own)))


def _told(block: Block, *, own: bool) -> Block | None:
    form, spans = block.form, block.spans
    if form is Form.CODE:
        spans = (Span("".join(span.text for span in spans).strip("\n"), marks=(SpanStyle.CODE,)),)
    elif form is not Form.RULE:
        spans = tuple(_honest(_with_addresses(spans)))
    if form is not Form.RULE and is_blank("".join(span.text for span in spans)):
        return None
    bullet = quiet(short(block.bullet, _MOST_BULLET))
    return Block(quieted(spans, own=own), form, block.quote, block.depth, bullet)


def quieted(spans: Iterable[Span], *, own: bool = False) -> tuple[Span, ...]:
    """The spans with joiners in what would mention somebody, over their borders."""
    spans = tuple(spans)
    text = "".join(span.text for span in spans)
    in_prose, in_code = places(text), places_in_code(text, own=own)
    if not in_prose and not in_code:
        return spans
    made, at = [], 0
    for span in spans:
        wanted = in_code if SpanStyle.CODE in span.marks else in_prose
        here = wanted[bisect_right(wanted, at) : bisect_right(wanted, at + len(span.text))]
        made.append(replace(span, text=parted(span.text, [place - at for place in here])))
        at += len(span.text)
    return tuple(made)


# --- links ---


def _with_addresses(spans: Iterable[Span]) -> Iterator[Span]:
    """The spans with what is an address, and no link yet, as a link."""
    for is_set, group in groupby(spans, key=lambda span: bool(span.link) or SpanStyle.CODE in span.marks):
        run = list(group)
        yield from run if is_set else _parted_at_addresses(run)


def _parted_at_addresses(run: list[Span]) -> Iterator[Span]:
    text = "".join(span.text for span in run)
    found = [(start, end) for start, end in bare(text) if not text.startswith("…", end)] if "://" in text else []
    edges = sorted({edge for pair in found for edge in pair})
    starts = [start for start, _ in found]
    at = 0
    for span in run:
        end = at + len(span.text)
        inner = edges[bisect_right(edges, at) : bisect_left(edges, end)]
        for left, right in pairwise([at, *inner, end]):
            index = bisect_right(starts, left) - 1
            url = text[slice(*found[index])] if index >= 0 and left < found[index][1] else ""
            yield replace(span, text=text[left:right], link=url)
        at = end


def _honest(spans: Iterable[Span]) -> Iterator[Span]:
    """The spans with links that say where they lead; what leads to a person or room of Matrix is shown as code."""
    for url, group in groupby(spans, key=lambda span: span.link):
        run = list(group)
        words = " ".join("".join(span.text for span in run).split())
        safe = safe_url(url) if url else ""
        target = safe if safe.startswith("mailto:") and size(safe) <= URL else address(safe)
        if not target or is_blank(words):
            yield from _in_code(run, words, safe) if leads_to_matrix(safe) else _unlinked(run)
            continue
        yield from (replace(span, link=target) for span in run)
        if behind := _host_behind(words, target, run[0].role):
            yield Span(behind, target, run[-1].role)


def _unlinked(run: Iterable[Span]) -> Iterator[Span]:
    yield from (replace(span, link="") for span in run)


def _in_code(run: Sequence[Span], words: str, url: str) -> Iterator[Span]:
    code = Span(short(url, _SHOWN), marks=(SpanStyle.CODE,))
    if shows(words, url):
        yield code
        return
    yield from _unlinked(run)
    yield from (Span(" ("), code, Span(")"))


def _host_behind(words: str, target: str, role: Role) -> str:
    """The real host, where the words look like another's and nobody has said so yet."""
    if role is not Role.TEXT and _NAME.fullmatch(words):
        return ""
    alone = words.removesuffix(f" ({urlsplit(target).hostname})")
    if alone != words and honest(alone, target) == words:
        return ""
    return honest(words, target).removeprefix(words)


def shows(words: str, url: str) -> bool:
    """Whether the words are the address or, perhaps shortened, its beginning."""
    seen = words.replace(JOINER, "").removeprefix("https://").removeprefix("http://").rstrip("…/")
    return "." in seen and url.partition("//")[2].startswith(seen)
