"""A delivery as a card of lines: laid out once, then printed plain or, beside a coloured rule, on a terminal. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from relay.card import Canvas, Section, SectionKind, name_of, sections
from relay.i18n import words
from relay.model import Action, Author, Card, Delivery, Post
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.text import cut, directed, text_content
from relay.text.targets import is_beginning, is_note

_ENGLISH = words("en")
_BESIDE = {SectionKind.MEDIA, SectionKind.POLL, SectionKind.LINK}
"""What stands close together."""
_SIGNS = {"⚠️": "⚠", "🖼️": "🖼", "▶️": "▶", "🔊": "♪", "📎": "▤", "🔗": "↗"}
"""The signs that terminals and their fonts know."""
LONGEST = 1500
"""Characters of one post on a card."""


_CANVAS = Canvas(say=_ENGLISH, previews=True, alt=LONGEST, option=LONGEST, options=100, lines=100, signs=_SIGNS)


class ConsoleRun(NamedTuple):
    """A run of text; ``look`` is a key of :data:`LOOKS`."""

    text: str
    look: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """One line before wrapping: ``lead`` stands before it, ``more`` before the lines that it is wrapped into."""

    pieces: tuple[ConsoleRun, ...] = ()
    lead: str = ""
    more: str = ""


def render(delivery: Delivery) -> list[ConsoleLine]:
    """The card of a delivery: a new post in full; an edit, a new count or a deletion in one line."""
    card = delivery.card
    if card is None:
        # of who was taken out for good nothing but a hash is left, which tells nobody anything
        which = (ConsoleRun(f"  {delivery.uri}", "dim"),) if "://" in delivery.uri else ()
        return [ConsoleLine((ConsoleRun("✗ deleted by its author", "deleted"), *which))]
    if delivery.action is Action.EDIT:
        return [_edited(card.post)]
    if delivery.action is Action.COUNT:
        return [_counted(card)]
    shown: list[ConsoleLine] = []
    before: Section | None = None
    for section in sections(card, _CANVAS):
        near = before is not None and {before.kind, section.kind} <= _BESIDE
        shown += [*([ConsoleLine()] if before and not near else []), *_section(section, card)]
        before = section
    return shown


def _section(section: Section, card: Card) -> Iterator[ConsoleLine]:
    post = card.post
    if section.kind is SectionKind.BYLINE:
        yield _byline(section, ConsoleRun(f"  {post.published:%Y-%m-%d %H:%M} UTC", "dim"))
    elif section.kind is SectionKind.QUOTE:
        yield from _quoted(section)
    elif section.kind is SectionKind.FOOT:
        yield from _footer(card)
    else:
        yield from _lines(section, sensitive=post.sensitive)


def _lines(section: Section, *, sensitive: bool) -> Iterator[ConsoleLine]:
    if section.kind is SectionKind.HEADLINE:
        yield ConsoleLine(
            tuple(ConsoleRun(span.text, "title", span.link) for block in section.text for span in block.spans)
        )
        return
    if section.kind is SectionKind.BODY:
        yield from _body(cut(section.text, LONGEST))
        return
    caution = ConsoleRun("sensitive: ", "warning")
    for block in section.text:
        shown = _block(block)
        is_media = section.kind is SectionKind.MEDIA and sensitive
        yield replace(shown, pieces=(caution, *shown.pieces)) if is_media else shown


def _edited(post: Post) -> ConsoleLine:
    words = f"⚠ {post.warning}" if post.warning else post.title or text_content(cut(post.body, 48)).replace("\n", " ")
    return ConsoleLine(
        (
            ConsoleRun("✎ edited  ", "edited"),
            ConsoleRun(_name(post.author), "author"),
            ConsoleRun(f"  {words}", "", post.url),
        )
    )


def _counted(card: Card) -> ConsoleLine:
    count = card.thread.count if card.thread else 1
    told = (
        ConsoleRun(f"🧵 {count} {'post' if count == 1 else 'posts'}  ", "place"),
        ConsoleRun(_name(card.post.author), "author"),
    )
    return ConsoleLine((*told, *(_unroll(card) if card.unroll else (ConsoleRun("  "), _url(card.post.url)))))


def _unroll(card: Card) -> tuple[ConsoleRun, ...]:
    return ConsoleRun("  Unroll: ", "dim"), _url(card.unroll)


def _byline(section: Section, *more: ConsoleRun) -> ConsoleLine:
    name, *rest = section.text[0].spans
    handle = [ConsoleRun(f"  {span.text}", "dim") for span in rest if span.link]
    return ConsoleLine((ConsoleRun(name.text, "author", name.link), *handle, *more))


def _name(author: Author) -> str:
    return directed(name_of(author, LONGEST))


def _body(text: Text) -> Iterator[ConsoleLine]:
    before: Block | None = None
    for block in text:
        if before and not (before.form is block.form is Form.ITEM):
            yield ConsoleLine(lead="┃ " * min(before.quote, block.quote))
        yield _block(block)
        before = block


def _block(block: Block) -> ConsoleLine:
    lead = "┃ " * block.quote + "  " * (block.depth - 1 if block.form is Form.ITEM else block.depth)
    if block.form is Form.RULE:
        return ConsoleLine((ConsoleRun("─" * 20, "dim"),), lead, lead)
    if block.form is Form.CODE:
        return ConsoleLine(tuple(ConsoleRun(span.text, "code") for span in block.spans), f"{lead}    ", f"{lead}    ")
    look = _FORM_LOOKS.get(block.form, "")
    pieces = tuple(piece for span in block.spans for piece in _span(span, look))
    bullet = f"{block.bullet or '•'} " if block.form is Form.ITEM else ""
    return ConsoleLine(pieces, lead + bullet, lead + " " * len(bullet))


_FORM_LOOKS = {Form.HEADING: "title", Form.NOTE: "dim"}
_MARK_LOOKS = {
    SpanStyle.BOLD: "bold",
    SpanStyle.ITALIC: "italic",
    SpanStyle.STRIKE: "strike",
    SpanStyle.CODE: "code",
    SpanStyle.SPOILER: "dim",
}


def _span(span: Span, look: str) -> Iterator[ConsoleRun]:
    look = look or next((_MARK_LOOKS[mark] for mark in span.marks if mark in _MARK_LOOKS), "")
    if not span.link:
        yield ConsoleRun(span.text, look)
    elif span.role in {Role.HASHTAG, Role.MENTION} or is_note(span.text, span.link):
        yield ConsoleRun(span.text, "tag", span.link)
    elif (address := span.link.removeprefix("mailto:")) == span.text or is_beginning(span.text, address):
        yield _url(span.link)  # it is the address, perhaps a shortened one; what is copied must be whole
    else:
        yield ConsoleRun(f"{span.text} (", look)
        yield _url(span.link)
        yield ConsoleRun(")", look)


def _url(address: str) -> ConsoleRun:
    return ConsoleRun(address.removeprefix("mailto:"), "link", address)


def _quoted(section: Section) -> Iterator[ConsoleLine]:
    for one in section.inner or [section]:
        for line in _within(one):
            yield replace(line, lead=f"┃ {line.lead}", more=f"┃ {line.more}")


def _within(section: Section) -> Iterator[ConsoleLine]:
    if section.kind is SectionKind.BYLINE:
        yield _byline(section)
    else:
        yield from _lines(section, sensitive=section.folded)
    if section.kind is SectionKind.WARNING:
        yield ConsoleLine()


def _footer(card: Card) -> Iterator[ConsoleLine]:
    yield ConsoleLine((ConsoleRun(f"{card.reason} · ", "dim"), ConsoleRun(card.post.url, "dim", card.post.url)))
    if card.thread:
        place = ConsoleRun(f"🧵 {card.thread.position}/{card.thread.count}", "place")
        yield ConsoleLine((place, *(_unroll(card) if card.unroll else ())))


# --- from lines to a stream ---

LOOKS = {
    "author": "bold",
    "title": "bold",
    "bold": "bold",
    "italic": "italic",
    "strike": "strike",
    "code": "yellow",
    "dim": "dim",
    "link": "blue underline",
    "tag": "cyan",
    "warning": "bold yellow",
    "place": "bold green",
    "edited": "yellow",
    "deleted": "red",
}
_RULES = {Action.SEND: "green", Action.EDIT: "yellow", Action.COUNT: "green", Action.DELETE: "red"}
UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066\u2067\ud800-\udfff]")
"""What must not reach a terminal. The texts are free of controls and overrides already; this is the last gate."""


def _printable(lines: Iterable[ConsoleLine]) -> Iterator[ConsoleLine]:
    for line in lines:
        pieces = (ConsoleRun(_safe(text), look, _safe(link).replace("\n", "")) for text, look, link in line.pieces)
        yield ConsoleLine(tuple(pieces), _safe(line.lead), _safe(line.more))


def _safe(text: str) -> str:
    return UNPRINTABLE.sub("", text.replace("\t", "    "))


def to_plain(lines: Iterable[ConsoleLine]) -> str:
    """A card without colours, its lines as long as they are, and a blank line after it."""
    return "".join(f"{line.lead}{_words(line)}".rstrip() + "\n" for line in _printable(lines)) + "\n"


def _words(line: ConsoleLine) -> str:
    return "".join(one.text for one in line.pieces).replace("\n", f"\n{line.more}")


def to_terminal(lines: Iterable[ConsoleLine], action: Action, width: int) -> str:
    """A card in colours, wrapped to ``width`` columns beside a rule, and a blank line after it."""
    from rich.cells import cell_len
    from rich.console import Console as Terminal
    from rich.style import Style
    from rich.text import Text as Ink

    terminal = Terminal(width=width, force_terminal=True, highlight=False, legacy_windows=False)
    ink = Ink(end="")
    for line in _printable(lines):
        text = Ink()
        for piece in line.pieces:
            text.append(piece.text, Style.parse(LOOKS.get(piece.look, "")) + Style(link=piece.link or None))
        rows = text.wrap(terminal, max(20, width - 2 - cell_len(line.lead)))
        for number, row in enumerate(rows or [Ink()]):
            ink.append("▌ ", _RULES[action]).append(line.more if number else line.lead, "dim").append_text(row)
            ink.append("\n")
    ink.append("\n")
    with terminal.capture() as captured:
        terminal.print(ink, soft_wrap=True, end="")
    return captured.get()
