"""The sections of a card in both forms, each as much of it as there is room for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from markupsafe import Markup

from adapters.matrix.limits import SHORT_URL, address
from adapters.matrix.links import safe_text
from adapters.matrix.mentions import quiet, spelled
from adapters.matrix.message_text import MatrixText, stacked, within
from adapters.matrix.prose import PARAGRAPH, fitted, line, written
from adapters.matrix.style import MatrixStyle
from relay.card import Canvas, Section, SectionKind, more_media, ways
from relay.model import Card
from relay.rich import Block, Form, Span, SpanStyle
from relay.text import short

_MOST = {SectionKind.POLL: 3000, SectionKind.QUOTE: 6000, SectionKind.MEDIA: 4000}
_MOST_OTHER, _MOST_QUOTE, _MOST_SPOILER, _MOST_LINES = 4000, 4000, 60, 12
_PARTS = {SectionKind.MEDIA: 3, SectionKind.POLL: 4}
"""The share of a quoted post that its media and its poll may take."""
_DOT = (Span(" · "),)
_HEADING, _BARE = Markup("<h3>{}</h3>"), Markup("{}")
_SMALL, _SMALL_LINE = Markup("<sub>{}</sub>"), Markup("<p><sub>{}</sub></p>")
_ANSWERS = frozenset("☐○")


def canvas(look: MatrixStyle, *, count: bool = True) -> Canvas:
    """What Matrix shows of a card: how many of the media is decided by the bytes that they take."""
    target = partial(address, limit=SHORT_URL)
    return Canvas(
        say=look.say,
        address=target,
        previews=True,
        media_last=True,
        count=count,
        alt=500,
        option=160,
        options=20,
        lines=10_000,
    )


def reason_of(warning: str) -> str:
    """The warning as spoilers bear it, where clients show it again."""
    return quiet(short(warning, _MOST_SPOILER))


def framed(section: Section) -> MatrixText:
    """What is short, and stands above a text."""
    element = _HEADING if section.kind is SectionKind.HEADLINE else PARAGRAPH
    return line((replace(span, link=address(span.link, SHORT_URL)) for span in section.text[0].spans), element)


def opening(url: str, look: MatrixStyle) -> MatrixText:
    """In plain alone: where to read what its spoilers cover."""
    target = address(url, SHORT_URL)
    return MatrixText(look.say("Open it at {address}").format(address=spelled(target))) if target else MatrixText()


def below(section: Section, card: Card, look: MatrixStyle, left: int) -> MatrixText:
    """What stands between the text and the foot."""
    most = min(_MOST.get(section.kind, _MOST_OTHER), left)
    if section.kind is SectionKind.QUOTE:
        return _quoted(section, look, most)
    return _listed(section, look, most, url=card.post.url, folded=bool(card.post.warning))


def _listed(section: Section, look: MatrixStyle, most: int, *, url: str, folded: bool) -> MatrixText:
    if section.kind is SectionKind.MEDIA:
        found = _media(section, look, most, url=url)
        return replace(found, body="") if folded else found
    if section.kind is SectionKind.LINK:
        found = line(_with_sign(section.text[0], section), hidden=section.hidden, addresses=True)
        return found if found.size <= most else MatrixText()
    return _items(section, most)


def _media(section: Section, look: MatrixStyle, most: int, *, url: str) -> MatrixText:
    """Media, a line each; of more than there is room for, how many. In plain what is hidden has no description."""
    hidden, lines = section.hidden, section.text

    def write(kept: Sequence[Block]) -> MatrixText:
        left = len(lines) - len(kept)
        ends = [more_media(left, url, canvas(look))] if left else []
        shown = line(_stacked([*kept, *ends], section), hidden=hidden)
        named = [replace(one, spans=one.spans[:1]) for one in kept] if section.folded else kept
        return replace(shown, body=line(_stacked([*named, *ends], section), addresses=True).body)

    return within(lines[:_MOST_LINES], most, write)


def _stacked(blocks: Iterable[Block], section: Section) -> list[Span]:
    spans: list[Span] = []
    for block in blocks:
        spans += [Span("\n"), *_with_sign(block, section)] if spans else _with_sign(block, section)
    return spans


def _with_sign(block: Block, section: Section) -> list[Span]:
    return [Span(f"{block.bullet} "), *_uncovered(block.spans, section)]


def _uncovered(spans: Iterable[Span], section: Section) -> Iterator[Span]:
    """The words without spoilers of their own, where all of them are behind one that tells why."""
    for span in spans:
        yield (
            replace(span, marks=tuple(m for m in span.marks if m is not SpanStyle.SPOILER)) if section.folded else span
        )


def _items(section: Section, most: int) -> MatrixText:
    """A list, and what is said of it below."""
    notes = [block for block in section.text if block.form is Form.NOTE]
    items = [block for block in section.text if block.form is not Form.NOTE]
    said = stacked([line(block.spans, _SMALL_LINE) for block in notes], "\n")
    said = replace(said, body="") if section.folded else said

    def write(kept: Sequence[Block]) -> MatrixText:
        left = [_item(Block((Span("…"),)))] if len(kept) < len(items) else []
        return stacked([written(safe_text((*map(_item, kept), *left)), hidden=section.hidden), said], "\n")

    return within(items, most - said.size - 4, write)


def _item(block: Block) -> Block:
    """The item of a list; of the signs before them only the boxes to be ticked are shown."""
    bullet = block.bullet if block.bullet in _ANSWERS else "•"
    return replace(block, form=Form.ITEM, depth=1, bullet=bullet)


def _quoted(section: Section, look: MatrixStyle, most: int) -> MatrixText:
    """A quoted post as a quotation; where it may not be shown, a link to it."""
    if section.text:
        return _quotation([line(section.text[0].spans, addresses=True)])
    inner = [replace(one, hidden=reason_of(one.hidden)) if one.hidden else one for one in section.inner]
    found = {one.kind: _inner(one, look, most, url=section.url) for one in inner}
    where = MatrixText(spelled(address(section.url, SHORT_URL)))
    room = most - _quotation([*found.values(), where]).size
    for one in inner:
        if one.kind is SectionKind.BODY:
            found[one.kind] = fitted(one.text, min(room, _MOST_QUOTE), hidden=one.hidden)
    return _quotation([*found.values(), where])


def _inner(section: Section, look: MatrixStyle, most: int, *, url: str) -> MatrixText:
    if section.kind is SectionKind.BODY:
        return MatrixText()
    if section.kind in {SectionKind.BYLINE, SectionKind.WARNING}:
        return framed(section)
    return _listed(section, look, most // _PARTS.get(section.kind, 1), url=url, folded=section.folded)


def _quotation(parts: Sequence[MatrixText]) -> MatrixText:
    inner = stacked(parts, "\n")
    body = "\n".join(f"> {each}".rstrip() for each in inner.body.split("\n"))
    return MatrixText(body, f"<blockquote>{inner.html}</blockquote>") if inner else inner


# --- the foot ---


def foot(card: Card, found: Collection[Section], place: Canvas) -> MatrixText:
    """Why it is here, where in its thread it stands, and where it leads.

    Of a post with a warning the plain form has told already where it is to be read.
    """
    leads = ways(card, place)
    links = line([span for index, way in enumerate(leads) for span in (*_DOT[:index], way)], _BARE)
    why = stacked((line(one.text[0].spans, _SMALL) for one in found if one.kind is SectionKind.FOOT), "\n")
    read_at = address(card.post.url, SHORT_URL) if card.post.warning else ""
    spelled_out = [MatrixText(f"{way.text}: {spelled(way.link)}") for way in leads if way.link != read_at]
    lines = "<br>".join(one.html for one in (why, links) if one)
    return MatrixText(stacked([why, *spelled_out], "\n").body, f"<p>{lines}</p>" if lines else "")
