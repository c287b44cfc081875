"""What the relay says as rich text: a sentence with bold, code or a link where its placeholders stand. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from string import Formatter

from relay.log import hide
from relay.rich import Block, Form, Span, SpanStyle
from relay.text import clean


def bold(text: str) -> Span:
    return Span(_shown(text), marks=(SpanStyle.BOLD,))


def code(text: object) -> Span:
    return Span(_shown(str(text)), marks=(SpanStyle.CODE,))


def _shown(text: str) -> str:
    """Foreign words on one line; a feed's address may hold a key that only its operator should see."""
    return clean(hide(text), limit=1_000)


def line(template: str, **values: Span | str | int) -> Block:
    """A paragraph; each ``{name}`` of the template becomes the value of that name."""
    return Block(tuple(_spans(template, values)))


def item(template: str, **values: Span | str | int) -> Block:
    """A line of a list."""
    return Block(tuple(_spans(template, values)), form=Form.ITEM, depth=1, bullet="•")


def _spans(template: str, values: dict[str, Span | str | int]) -> Iterable[Span]:
    for text, name, _, _ in Formatter().parse(template):
        if text:
            yield Span(text)
        if name:
            value = values[name]
            yield value if isinstance(value, Span) else Span(_shown(str(value)))
