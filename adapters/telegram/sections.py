"""The sections of a card as drafts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from adapters.telegram.entities import EntityDraft, joined
from adapters.telegram.limits import address
from adapters.telegram.prose import drafted_block, fitted, linked, quotation
from adapters.telegram.style import TelegramStyle
from relay.card import Canvas, Section, SectionKind
from relay.rich import Span

_MOST_QUOTE = 900
SIGNS: Mapping[str, str] = MappingProxyType({"🖼️": "🖼"})


def canvas(look: TelegramStyle, *, count: bool = True) -> Canvas:
    """What Telegram shows of a card."""
    return Canvas(say=look.say, address=address, previews=True, media_last=True, count=count, signs=SIGNS)


def draft_of(section: Section) -> EntityDraft:
    """A section as it stands in a message, whole."""
    if section.kind is SectionKind.QUOTE:
        return quotation(joined([lines(section), *map(_quoted, section.inner)], "\n"))
    return _framed(section)


def _quoted(section: Section) -> EntityDraft:
    if section.kind is SectionKind.BODY:
        return hidden(fitted(section.text, _MOST_QUOTE, quoted=True), folded=section.folded)
    return _framed(section)


def _framed(section: Section) -> EntityDraft:
    if section.kind is SectionKind.BYLINE:
        name, *rest = section.text[0].spans
        return joined([_bold_link(name), *map(link_of, rest)], " ")
    if section.kind is SectionKind.HEADLINE:
        return _bold_link(section.text[0].spans[0])
    return lines(section)


def lines(section: Section) -> EntityDraft:
    """Each block of a section as a line."""
    return joined(map(drafted_block, section.text), "\n")


def link_of(span: Span) -> EntityDraft:
    """A span of ours as a link; the handle is one too, so that it is no Telegram user's name."""
    return linked(span.text, span.link, span.role)


def _bold_link(span: Span) -> EntityDraft:
    return link_of(span).marked("bold")


def hidden(draft: EntityDraft, *, folded: bool) -> EntityDraft:
    """Behind a spoiler, where it is to be folded."""
    return draft.marked("spoiler") if folded and draft else draft
