"""The values of rich text: what HTML and facets become at the border, and what every renderer starts from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SpanStyle(StrEnum):
    """How a span looks."""

    BOLD = "bold"
    ITALIC = "italic"
    STRIKE = "strike"
    UNDERLINE = "underline"
    CODE = "code"
    SPOILER = "spoiler"


class Role(StrEnum):
    """What a span is, beyond how it looks."""

    TEXT = "text"
    HASHTAG = "hashtag"
    MENTION = "mention"
    EMOJI = "emoji"
    TIME = "time"
    """A time of ours (:func:`relay.card.moment`); nobody else's text has one."""


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text with one look. ``link`` is empty or an absolute http(s) or mailto address.

    The text holds no markup, no control characters but ``\\n``, and no bidirectional overrides.
    """

    text: str
    link: str = ""
    role: Role = Role.TEXT
    marks: tuple[SpanStyle, ...] = ()


class Form(StrEnum):
    """What a block is."""

    PARAGRAPH = "paragraph"
    HEADING = "heading"
    ITEM = "item"
    CODE = "code"
    RULE = "rule"
    NOTE = "note"
    """A paragraph of ours in small print."""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, item or block of code; ``quote`` and ``depth`` count block quotes and lists around it."""

    spans: tuple[Span, ...]
    form: Form = Form.PARAGRAPH
    quote: int = 0
    depth: int = 0
    bullet: str = ""
    """The marker of a list item as it is shown: ``•`` or ``3.``."""


Text = tuple[Block, ...]
"""Rich text: what HTML and facets become at the border, and what every renderer starts from."""
