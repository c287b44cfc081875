"""What the pages say of their own, in the reader's language: counts, dates, kinds of media, what is folded."""

from __future__ import annotations

from datetime import datetime

from relay.card import Canvas, Section, SectionKind, sections
from relay.i18n import Words, later
from relay.model import Card, MediaKind, Post

_MONTHS = (
    *(later("January"), later("February"), later("March"), later("April"), later("May"), later("June"), later("July")),
    *(later("August"), later("September"), later("October"), later("November"), later("December")),
)
KINDS = {
    MediaKind.IMAGE: later("Picture"),
    MediaKind.VIDEO: later("Video"),
    MediaKind.ANIMATION: later("Animation"),
    MediaKind.AUDIO: later("Sound"),
    MediaKind.FILE: later("File"),
}
_NAMELESS = {
    MediaKind.IMAGE: later("Picture without a description"),
    MediaKind.VIDEO: later("Video without a description"),
    MediaKind.ANIMATION: later("Video without a description"),
    MediaKind.AUDIO: later("Sound without a description"),
    MediaKind.FILE: later("Attached file"),
}


def kind(say: Words, what: MediaKind) -> str:
    return say(KINDS[what])


def nameless(say: Words, what: MediaKind) -> str:
    """What stands where its author described nothing."""
    return say(_NAMELESS[what])


def posts(say: Words, count: int) -> str:
    return say.many("{n} post", "{n} posts", count)


def day(say: Words, time: datetime) -> str:
    """``26 November 2026``."""
    return say("{day} {month} {year}").format(day=time.day, month=say(_MONTHS[time.month - 1]), year=time.year)


def moment(say: Words, time: datetime) -> str:
    return f"{day(say, time)}, {time:%H:%M} UTC"


def warned(say: Words, warning: str) -> str:
    return say("Content warning: {warning}").format(warning=warning)


_FRAME = frozenset({SectionKind.BYLINE, SectionKind.FOOT})


def canvas(say: Words) -> Canvas:
    """What a page shows of a post: all of it."""
    return Canvas(say=say, alt=2000, option=2000, options=1000, lines=1000)


def post_sections(post: Post, say: Words) -> tuple[Section, ...]:
    """What a post says, section by section; who wrote it and where it is from stand beside the thread."""
    found = sections(Card(post=post, reason=""), canvas(say))
    return tuple(section for section in found if section.kind not in _FRAME)
