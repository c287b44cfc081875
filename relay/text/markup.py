"""Rich text as HTML, for pages and for chats that read some of it; what comes out holds no foreign markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from markupsafe import Markup, escape

from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.text.addresses import safe_url

DEEPEST = 6
"""Quotes and lists nested further are shown at this depth: a reader sees no difference, a parser's stack does."""

_MARKS = {
    SpanStyle.BOLD: Markup("<strong>{}</strong>"),
    SpanStyle.ITALIC: Markup("<em>{}</em>"),
    SpanStyle.STRIKE: Markup("<s>{}</s>"),
    SpanStyle.UNDERLINE: Markup("<u>{}</u>"),
    SpanStyle.CODE: Markup("<code>{}</code>"),
}
_PLAIN, _ITEM, _CODE = Markup("{}"), Markup("<li>{}</li>"), Markup("<pre><code>{}</code></pre>")

Linked = Callable[[str, Role, str, Markup], Markup]
"""Makes a run with one target: its address ("": none), its role, its words, and these as HTML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """Which HTML a place reads. What is not named here is the same everywhere."""

    linked: Linked
    spoiler: Markup
    """Around what the author hid, and the links in it; each ``{}`` here is where the words go."""
    inside: Markup = _PLAIN
    """Around all words of each block."""
    heading: str = "h3"
    outer: Markup = field(default_factory=Markup)
    """The attributes of outermost blocks."""
    code: Markup = _CODE
    stray: Markup = _ITEM
    """What stands in a list and is no item."""
    starts: bool = False
    """Numbers are told by the lists (``start``), not by each item (``value``)."""
    marks: Mapping[SpanStyle, Markup] = field(default_factory=lambda: _MARKS)


def html(text: Text, dialect: Dialect) -> Markup:
    """The text as HTML, foreign characters escaped; items in a row are a list, and hold what is deeper than they."""
    return _nested(text, dialect, quote=0, depth=0)


def _depth(block: Block) -> int:
    return min(max(block.depth, 1) if block.form is Form.ITEM else block.depth, DEEPEST)


def _nested(blocks: Sequence[Block], dialect: Dialect, *, quote: int, depth: int) -> Markup:
    """Blocks inside ``quote`` quotes and ``depth`` lists."""
    outer = dialect.outer if quote == depth == 0 else Markup()
    parts = []
    for (quoted, listed), group in groupby(blocks, key=lambda b: (min(b.quote, DEEPEST) > quote, _depth(b) > depth)):
        run = tuple(group)
        if quoted:
            inner = _nested(run, dialect, quote=quote + 1, depth=depth)
            parts.append(Markup("<blockquote{}>{}</blockquote>").format(outer, inner))
        elif listed:
            parts.extend(_lists(run, dialect, outer, quote=quote, depth=depth + 1))
        else:
            parts.extend(_block(block, dialect, outer) for block in run)
    return Markup().join(parts)


def _lists(blocks: Sequence[Block], dialect: Dialect, outer: Markup, *, quote: int, depth: int) -> Iterator[Markup]:
    """Items of one kind in a row are one list."""
    items = enumerate(_items(blocks, depth))
    for (ordered, _), group in groupby(items, key=lambda item: _kind(_number(item[1][0]), item[0], dialect)):
        run = [item for _, item in group]
        first = _number(run[0][0])
        attributes = Markup(' start="{}"').format(first) if ordered and dialect.starts and first != "1" else Markup()
        inner = Markup().join(_item(item, dialect, quote=quote, depth=depth) for item in run)
        yield Markup("<{0}{1}{2}>{3}</{0}>").format("ol" if ordered else "ul", outer, attributes, inner)


def _kind(number: str, index: int, dialect: Dialect) -> tuple[bool, int]:
    """What items of one list share; where lists tell the numbers, a gap in them begins another list."""
    return bool(number), int(number) - index if number and dialect.starts else 0


def _items(blocks: Sequence[Block], depth: int) -> list[list[Block]]:
    """Each item with what stands inside it."""
    items: list[list[Block]] = []
    for block in blocks:
        if not items or (block.form is Form.ITEM and _depth(block) == depth):
            items.append([])
        items[-1].append(block)
    return items


def _item(blocks: Sequence[Block], dialect: Dialect, *, quote: int, depth: int) -> Markup:
    head, *rest = blocks
    if head.form is not Form.ITEM or _depth(head) != depth:
        return dialect.stray.format(_nested(blocks, dialect, quote=quote, depth=depth))
    number = "" if dialect.starts else _number(head)
    value = Markup(' value="{}"').format(number) if number else Markup()
    inner = _nested(rest, dialect, quote=quote, depth=depth)
    return Markup("<li{}>{}{}</li>").format(value, dialect.inside.format(inline(head.spans, dialect)), inner)


def _number(block: Block) -> str:
    match = re.match(r"[0-9]{1,9}", block.bullet)
    return match[0] if match else ""


def _block(block: Block, dialect: Dialect, outer: Markup) -> Markup:
    if block.form is Form.RULE:
        return Markup("<hr>")
    if block.form is Form.CODE:
        return dialect.code.format(dialect.inside.format("".join(span.text for span in block.spans)))
    tag = dialect.heading if block.form is Form.HEADING else "p"
    return Markup("<{0}{1}>{2}</{0}>").format(tag, outer, dialect.inside.format(inline(block.spans, dialect)))


def inline(spans: Iterable[Span], dialect: Dialect) -> Markup:
    """Spans within a line; those in a row with one target are one link."""
    parts = []
    for (link, role, spoiler), group in groupby(spans, key=_target):
        run = tuple(group)
        inner = Markup().join(_marked(span, dialect) for span in run)
        made = dialect.linked(link, role, "".join(span.text for span in run), inner)
        parts.append(dialect.spoiler.format(made) if spoiler else made)
    return Markup().join(parts)


def _target(span: Span) -> tuple[str, Role, bool]:
    return safe_url(span.link) if span.link else "", span.role, SpanStyle.SPOILER in span.marks


def _marked(span: Span, dialect: Dialect) -> Markup:
    inner = escape(span.text)
    if "\n" in span.text:
        inner = inner.replace("\n", Markup("<br>"))
    for mark in span.marks:
        if template := dialect.marks.get(mark):
            inner = template.replace("{}", inner)  # many times faster than to format it, and spans can be many
    return inner
