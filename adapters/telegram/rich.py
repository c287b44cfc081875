"""A whole thread as one rich message: the HTML of ``sendRichMessage``. Pure.

Its tags are few and its ``<details>`` unfold, so a warned post stays folded. Clients differ: some show only the
beginning of long ones, so what does not fit into the advice of :mod:`adapters.telegram.limits` becomes no rich message
at all. How media are hidden within one is not known for sure: hidden ones are only linked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby, pairwise

from adapters.telegram.card import canvas, draft_of
from adapters.telegram.entities import EntityDraft, EntityText, Kind, finished
from adapters.telegram.limits import RICH_BLOCKS, RICH_TEXT, address
from adapters.telegram.prose import drafted_block
from adapters.telegram.style import TelegramStyle
from relay.card import SectionKind, media_section, sections
from relay.model import Card, Media, MediaKind
from relay.rich import Block, Form, Text
from relay.text import units

_TAGS: dict[Kind, str] = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "spoiler": "tg-spoiler",
    "code": "code",
    "pre": "pre",
    "text_link": "a",
}


_APART = frozenset({SectionKind.BYLINE, SectionKind.HEADLINE, SectionKind.MEDIA, SectionKind.FOOT})


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the message: its HTML, what it counts as, and how much text is in it."""

    html: str
    blocks: int
    text: int


def whole(card: Card) -> tuple[Card, ...]:
    """A card for each post of the thread that it shows, or itself where it shows one post."""
    return tuple(replace(card, post=one) for one in card.posts) or (card,)


def rich(cards: Sequence[Card], look: TelegramStyle) -> str | None:
    """The cards of one thread, or a single one, as the HTML of one message; None where they do not fit.

    It has no links of its own: :func:`adapters.telegram.card.keyboard` stands under it.
    """
    if not cards:
        return None
    first, last = cards[0], cards[-1]
    head, foot = _told(first, look, SectionKind.BYLINE), _told(last, look, SectionKind.FOOT, tag="footer")
    found = [*head, *(one for card in cards for one in _post(card, look)), *foot]
    if sum(one.blocks for one in found) > RICH_BLOCKS or sum(one.text for one in found) > RICH_TEXT:
        return None
    return "".join(one.html for one in found)


def _told(card: Card, look: TelegramStyle, *parts: SectionKind, tag: str = "p") -> Iterator[_Piece]:
    for section in sections(card, canvas(look, count=False)):
        if section.kind in parts:
            yield from _paragraph(draft_of(section), tag)


def _post(card: Card, look: TelegramStyle) -> Iterator[_Piece]:
    yield from _told(card, look, SectionKind.HEADLINE, tag="h3")
    inner = list(_inner(card, look))
    if not card.post.warning:
        yield from inner
        return
    folded = [*_told(card, look, SectionKind.WARNING, tag="summary"), *inner]
    html = "".join(one.html for one in folded)
    yield _Piece(f"<details>{html}</details>", sum(one.blocks for one in folded), sum(one.text for one in folded))


def _inner(card: Card, look: TelegramStyle) -> Iterator[_Piece]:
    """What unfolds with a post that has a warning: nothing in it is hidden once more, but its media."""
    post = replace(card.post, warning="", sensitive=card.post.sensitive or bool(card.post.warning))
    for section in sections(replace(card, post=post), canvas(look)):
        if section.kind is SectionKind.BODY:
            yield from _text(section.text)
        elif section.kind is SectionKind.QUOTE:
            yield from _quote(list(_paragraph(draft_of(section))))
        elif section.kind not in _APART:
            yield from _paragraph(draft_of(section))
    for media in post.media:
        yield from _media(media, look, hidden=post.sensitive)


def _media(media: Media, look: TelegramStyle, *, hidden: bool) -> Iterator[_Piece]:
    is_file = media.kind is MediaKind.VIDEO and not media.page
    tag, url = ("video", address(media.url)) if is_file else ("img", address(media.picture))
    if not url or hidden:
        yield from _line(media, look, hidden=hidden)
        return
    source = escape(url)
    yield _Piece(f'<img src="{source}">' if tag == "img" else f'<video src="{source}"></video>', 1, 0)
    if media.alt or not (is_file or media.is_picture):
        yield from _line(media, look, hidden=False)


def _line(media: Media, look: TelegramStyle, *, hidden: bool) -> Iterator[_Piece]:
    yield from _paragraph(draft_of(media_section([media], canvas(look), hidden="" if hidden else None)))


# --- text ---


def _text(text: Text) -> Iterator[_Piece]:
    for is_quote, group in groupby(text, key=lambda block: block.quote > 0):
        found = list(_blocks(group))
        yield from _quote(found) if is_quote else found


def _quote(inner: Sequence[_Piece]) -> Iterator[_Piece]:
    if html := "".join(one.html for one in inner):
        yield _Piece(
            f"<blockquote>{html}</blockquote>", 1 + sum(one.blocks for one in inner), sum(one.text for one in inner)
        )


def _blocks(blocks: Iterable[Block]) -> Iterator[_Piece]:
    for tag, group in groupby(blocks, key=_list_of):
        if tag:
            yield from _list(tag, list(group))
        else:
            for block in group:
                yield from _block(block)


def _list_of(block: Block) -> str:
    if block.form is not Form.ITEM:
        return ""
    return "ol" if block.bullet[:1].isdigit() else "ul"


def _list(tag: str, items: Sequence[Block]) -> Iterator[_Piece]:
    found = [one for item in items for one in _paragraph(drafted_block(item, bullets=False), "li")]
    if html := "".join(one.html for one in found):
        yield _Piece(f"<{tag}>{html}</{tag}>", 1 + len(found), sum(one.text for one in found))


def _block(block: Block) -> Iterator[_Piece]:
    if block.form is Form.RULE:
        yield _Piece("<hr>", 1, 0)
    elif block.form is Form.CODE:
        if code := drafted_block(block):
            yield _element(code, "")
    elif block.form is Form.HEADING:
        yield from _paragraph(drafted_block(block), "h4")
    else:
        yield from _paragraph(drafted_block(block, bullets=False))


def _paragraph(draft: EntityDraft, tag: str = "p") -> Iterator[_Piece]:
    """An element for each line: white space would swallow the end of a line within one."""
    for line in draft.lines():
        if line:
            yield _element(line, tag)


def _element(draft: EntityDraft, tag: str) -> _Piece:
    words = finished(draft)
    inner = inline(words)
    return _Piece(f"<{tag}>{inner}</{tag}>" if tag else inner, 1, units(words.text))


def inline(words: EntityText) -> str:
    """A text with entities as HTML; quotations are not its business."""
    raw = words.text.encode("utf-16-le")
    opening: dict[int, str] = {}
    closing: dict[int, str] = {}
    for one in words.entities:
        if tag := _TAGS.get(one.kind):
            start, end = one.offset, one.offset + one.length
            opening[start] = opening.get(start, "") + (f'<a href="{escape(one.url)}">' if tag == "a" else f"<{tag}>")
            closing[end] = f"</{tag}>" + closing.get(end, "")
    parts = []
    for start, end in pairwise(sorted({0, *opening, *closing, len(raw) // 2})):
        text = escape(raw[2 * start : 2 * end].decode("utf-16-le"), quote=False)
        parts.append(closing.get(start, "") + opening.get(start, "") + text)
    return "".join([*parts, closing.get(len(raw) // 2, "")])
