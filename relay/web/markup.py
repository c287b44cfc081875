"""Rich text as HTML. What comes out is safe to put into a page, whatever the spans hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from markupsafe import Markup, escape

from relay.model import Block, Form, Mark, Role, Span, Text
from relay.text import safe_url

REL = "nofollow noopener noreferrer ugc"
DEEPEST = 6
"""Quotes and lists nested further are shown at this depth: a reader sees no difference, a parser's stack does."""

_MARKS = {
    Mark.BOLD: Markup("<strong>{}</strong>"),
    Mark.ITALIC: Markup("<em>{}</em>"),
    Mark.STRIKE: Markup("<s>{}</s>"),
    Mark.UNDERLINE: Markup("<u>{}</u>"),
    Mark.CODE: Markup("<code>{}</code>"),
}
_PLAIN = Markup("{}")
_SPOILER = Markup('<span class="spoiler" tabindex="0">{}</span>')
_CLASSES = {Role.HASHTAG: "tag", Role.MENTION: "mention"}


def html(text: Text) -> Markup:
    """The text as HTML: foreign characters escaped, links marked as foreign, each outer block in its own direction."""
    return _nested(text, quote=0, depth=0)


def _depth(block: Block) -> int:
    return min(max(block.depth, 1) if block.form is Form.ITEM else block.depth, DEEPEST)


def _nested(blocks: Sequence[Block], *, quote: int, depth: int) -> Markup:
    """Blocks inside ``quote`` quotes and ``depth`` lists; what is inside another element takes its direction."""
    direction = Markup(' dir="auto"') if quote == depth == 0 else Markup()
    parts = []
    for (quoted, listed), group in groupby(blocks, key=lambda b: (min(b.quote, DEEPEST) > quote, _depth(b) > depth)):
        run = tuple(group)
        if quoted:
            inner = _nested(run, quote=quote + 1, depth=depth)
            parts.append(Markup("<blockquote{}>{}</blockquote>").format(direction, inner))
        elif listed:
            parts.append(_lists(run, direction, quote=quote, depth=depth + 1))
        else:
            parts.extend(_block(block, direction) for block in run)
    return Markup().join(parts)


def _lists(blocks: Sequence[Block], direction: Markup, *, quote: int, depth: int) -> Markup:
    """Items of one kind in a row are one list."""
    parts = []
    for ordered, items in groupby(_items(blocks, depth), key=lambda item: bool(_number(item[0]))):
        tag = "ol" if ordered else "ul"
        inner = Markup().join(_item(item, quote=quote, depth=depth) for item in items)
        parts.append(Markup("<{0}{1}>{2}</{0}>").format(tag, direction, inner))
    return Markup().join(parts)


def _items(blocks: Sequence[Block], depth: int) -> list[list[Block]]:
    """Each item with what stands inside it."""
    items: list[list[Block]] = []
    for block in blocks:
        if not items or (block.form is Form.ITEM and _depth(block) == depth):
            items.append([])
        items[-1].append(block)
    return items


def _item(blocks: Sequence[Block], *, quote: int, depth: int) -> Markup:
    head, *rest = blocks
    if head.form is not Form.ITEM or _depth(head) != depth:
        return Markup('<li class="bare">{}</li>').format(_nested(blocks, quote=quote, depth=depth))
    number = _number(head)
    value = Markup(' value="{}"').format(number) if number else Markup()
    return Markup("<li{}>{}{}</li>").format(value, _inline(head.spans), _nested(rest, quote=quote, depth=depth))


def _number(block: Block) -> str:
    match = re.match(r"[0-9]{1,9}", block.bullet)
    return match[0] if match else ""


def _block(block: Block, direction: Markup) -> Markup:
    if block.form is Form.RULE:
        return Markup("<hr>")
    if block.form is Form.CODE:
        return Markup('<pre dir="ltr"><code>{}</code></pre>').format("".join(span.text for span in block.spans))
    tag = "h3" if block.form is Form.HEADING else "p"
    return Markup("<{0}{1}>{2}</{0}>").format(tag, direction, _inline(block.spans))


def _inline(spans: Iterable[Span]) -> Markup:
    """Spans in a row with one target are one link; a spoiler lies around its links, not inside them."""
    parts = []
    for (link, role, spoiler), run in groupby(spans, key=_target):
        inner = _linked(link, role, tuple(run))
        parts.append(_SPOILER.format(inner) if spoiler else inner)
    return Markup().join(parts)


def _target(span: Span) -> tuple[str, Role, bool]:
    return safe_url(span.link) if span.link else "", span.role, Mark.SPOILER in span.marks


def _linked(link: str, role: Role, spans: Sequence[Span]) -> Markup:
    look = Markup(' class="{}"').format(_CLASSES[role]) if role in _CLASSES else Markup()
    inner = Markup().join(_marked(span) for span in spans)
    if not link:
        return Markup("<span{}>{}</span>").format(look, inner) if look else inner
    return Markup('<a href="{}" rel="{}"{}>{}</a>').format(link, REL, look or _hint(link, spans), inner)


def _hint(link: str, spans: Sequence[Span]) -> Markup:
    """Says to the style sheet that the text is the address, so that paper need not show it twice."""
    text = "".join(span.text for span in spans).rpartition("://")[2]
    return Markup(' class="bare"') if text.rstrip("/") == link.partition("://")[2].rstrip("/") else Markup()


def _marked(span: Span) -> Markup:
    inner = Markup("<br>").join(escape(line) for line in span.text.split("\n"))
    for mark in span.marks:
        inner = _MARKS.get(mark, _PLAIN).format(inner)
    return inner
