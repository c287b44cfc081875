"""How much of a foreign text is read and kept: the one place where these limits stand. Pure.

No honest post comes near them. They keep the time that a post costs, here and in every later step, within bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from relay.model import Post
from relay.rich import Block, Span, Text
from relay.text.characters import ELLIPSIS, boundary

MARKUP = 300_000
"""Characters of HTML of which a text is made: an article's; the sources read less of a short post."""
ADDRESS = 8_000
"""Characters of a web address; a longer one is none."""
HOST = 253
"""Characters of a host's name (RFC 1035)."""
_CONTEXT = 200
"""Characters before a cut among which a space, or the start of a grapheme cluster, is looked for."""


def opening(html: str, most: int) -> str:
    """The first ``most`` characters of HTML, with an ellipsis where more follow; no tag or reference is cut in two."""
    if len(html) <= most:
        return html
    html = html[:most]
    if (tag := html.rfind("<", most - ADDRESS)) > html.rfind(">"):
        html = html[:tag]
    if (reference := html.rfind("&", most - 40)) > html.rfind(";"):
        html = html[:reference]
    return html + ELLIPSIS


class TextLimits(NamedTuple):
    """The most that a text may hold."""

    characters: int
    blocks: int
    spans: int
    lines: int


KEPT = TextLimits(characters=100_000, blocks=2_000, spans=5_000, lines=5_000)
"""Of a post, wherever it is read or shown."""
SENT = TextLimits(characters=26_000, blocks=500, spans=1_000, lines=1_000)
"""Of a post in a chat: more than any platform takes in one message, so that renderers only have to cut little."""


def brief(post: Post) -> Post:
    """The post with as much of its texts as is sent to a chat."""
    body = within(post.body, SENT)
    quote = post.quote and replace(post.quote, body=within(post.quote.body, SENT))
    return replace(post, body=body, quote=quote) if body is not post.body or quote != post.quote else post


def within(text: Text, size: TextLimits) -> Text:
    """The text, or as much of its beginning as ``size`` allows, with an ellipsis for the rest."""
    characters = spans = lines = 0
    for index, block in enumerate(text):
        before = (characters, spans, lines)
        spans += len(block.spans)
        for span in block.spans:
            characters += len(span.text)
            lines += span.text.count("\n")
        lines += 1
        if index >= size.blocks or characters > size.characters or spans > size.spans or lines > size.lines:
            last = tuple(_start(block, before, size)) if index < size.blocks else ()
            return (*text[:index], replace(block, spans=(*last, Span(ELLIPSIS))))
    return text


def _start(block: Block, before: tuple[int, int, int], size: TextLimits) -> Iterator[Span]:
    """The spans of a block that still fit behind what stands before it."""
    characters, spans, lines = (most - had for most, had in zip((size[0], *size[2:]), before, strict=True))
    for span in block.spans[: max(0, spans)]:
        rows = span.text.split("\n", max(0, lines))
        text = "\n".join(rows[: max(0, lines)])
        if len(text) > characters:
            text = text[: _end(text, characters)]
        if text:
            yield replace(span, text=text)
        if len(text) < len(span.text):
            return
        characters, lines = characters - len(text), lines - (len(rows) - 1)


def _end(text: str, most: int) -> int:
    """Where a text may end: behind a word, where one ends near, and never within a grapheme cluster."""
    start = max(0, most - _CONTEXT)
    space = text.rfind(" ", start, most)
    return space if space > 0 else boundary(text, most, start)
