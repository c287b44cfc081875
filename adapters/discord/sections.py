"""The sections of a card as Markdown, each within a limit. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from adapters.discord.limits import BUTTON_URL, LONGEST, Measure, address, lines_within, size
from adapters.discord.markdown import SMALL, escape, fitted, inline, lines, link, target_of, wrapped
from relay.card import Canvas, Section, SectionKind, onward, ways
from relay.i18n import Words
from relay.model import Card, Post
from relay.rich import SpanStyle, Text
from relay.text import directed

_MOST = {
    SectionKind.WARNING: 800,
    SectionKind.HEADLINE: 1300,
    SectionKind.MEDIA: 1200,
    SectionKind.POLL: 700,
    SectionKind.LINK: 1200,
}
_MOST_OTHER = 900
_FRAME = frozenset({SectionKind.HEADLINE, SectionKind.WARNING})
_APART = frozenset({SectionKind.BYLINE, SectionKind.BODY, SectionKind.FOOT})
_ISOLATES = "\u2068\u2069"
_LONGEST_LINK = 700


@dataclass(slots=True)
class DiscordBudget:
    """How much of a message's text is left."""

    left: int
    measure: Measure = size

    def take(self, text: str) -> str:
        """The text, counted."""
        self.left -= self.measure(text)
        return text

    def lines(self, lines: Iterable[str], most: int) -> str:
        """As many of the lines as fit into what is left, and into ``most``; counted."""
        return self.take(lines_within(lines, min(most, self.left), measure=self.measure))


def canvas(say: Words) -> Canvas:
    """What Discord shows of a card."""
    return Canvas(say=say, address=partial(address, limit=_LONGEST_LINK), hosts=True)


def written(
    card: Card, found: Sequence[Section], room: DiscordBudget, say: Words, *, kept: int, small: str = SMALL
) -> dict[SectionKind, str]:
    """The sections between byline and foot as Markdown, in the order of reading.

    What is short is set first, so that the body, for which ``kept`` stays free, knows what is left for it. ``small``
    begins a line in small letters.
    """
    texts: dict[SectionKind, str] = {}
    for section in found:
        if section.kind in _FRAME:
            texts[section.kind] = room.lines(_lines(section, room, small), _MOST[section.kind])
    room.left -= kept
    for section in found:
        if section.kind not in _FRAME | _APART:
            texts[section.kind] = room.lines(_lines(section, room, small), _MOST.get(section.kind, _MOST_OTHER))
    room.left += kept
    for section in found:
        if section.kind is SectionKind.BODY:
            texts[SectionKind.BODY] = room.take(_body(section, room, room.left, more=_onward(card, say)))
    return {section.kind: texts[section.kind] for section in found if section.kind in texts}


def _lines(section: Section, room: DiscordBudget, small: str) -> list[str]:
    if section.inner:
        return _quotation(section, room)
    if section.kind is SectionKind.HEADLINE:
        return [f"## {inline(block.spans)}" for block in section.text]
    quote = "> " if section.kind is SectionKind.QUOTE else ""
    return [
        quote + (small + line.removeprefix(SMALL) if line.startswith(SMALL) else line) for line in lines(section.text)
    ]


def _body(section: Section, room: DiscordBudget, most: int, *, more: str = "") -> str:
    return fitted(section.text, max(0, most), more=more, folded=section.folded, measure=room.measure)


def _onward(card: Card, say: Words) -> str:
    # The ellipsis stands at the end of the text already, unless nothing of it was left.
    return "".join(link(span.text, span.link) for span in onward(card, canvas(say)))


def _quotation(section: Section, room: DiscordBudget) -> list[str]:
    """A quoted post in a block quote, its text cut to what the rest leaves."""
    texts = {one.kind: [f"> {line}" for line in _quoted(one, room)] for one in section.inner}
    rest = "\n".join(line for each in texts.values() for line in each)
    left = min(_MOST_OTHER, room.left) - room.measure(rest) - 4
    for one in section.inner:
        if one.kind is SectionKind.BODY:
            body = replace(one, text=tuple(replace(block, quote=1) for block in one.text))
            texts[SectionKind.BODY] = [shown] if (shown := _body(body, room, left)) else []
    return [line for each in texts.values() for line in each]


def _quoted(section: Section, room: DiscordBudget) -> list[str]:
    if section.kind is SectionKind.BODY:
        return []
    if section.kind is not SectionKind.BYLINE:
        return _lines(section, room, small="")
    name, handle = author_of(section.text)
    return [f"{wrapped(name, SpanStyle.BOLD)} {handle}".strip()]


# --- who wrote it and when, and where it leads ---


def author_of(byline: Text) -> tuple[str, str]:
    """The name, as a link, and the handle, which is none."""
    name, *rest = byline[0].spans
    bare = name.text.strip(_ISOLATES)
    return directed(bare, link(bare, name.link)), escape("".join(span.text for span in rest).strip())


def times(post: Post, say: Words) -> str:
    """When it was published, and edited, as each reader's own client tells times."""
    edited = say("edited {when}").format(when=_moment(post.edited, "R")) if post.edited else ""
    told = [_moment(post.published, "f"), _moment(post.published, "R"), edited]
    return " · ".join(part for part in told if part)


def _moment(when: datetime, form: str) -> str:
    """A time as each reader's own client tells it (``f``: date and time, ``R``: how long ago)."""
    return f"<t:{int(when.timestamp())}:{form}>"


def original(card: Card) -> str:
    """The address that a message of this card leads to; "" where there is none."""
    return address(card.post.url, BUTTON_URL) or target_of(card.post.url, LONGEST)


def links(card: Card, say: Words) -> list[str]:
    """What else would be buttons, as links."""
    found = ways(card, Canvas(say=say))
    return [link(way.text, way.link, longest=LONGEST) for way in found if target_of(way.link, LONGEST)]
