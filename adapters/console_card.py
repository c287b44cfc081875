"""A delivery as a card of lines: laid out once, then printed plain or, beside a coloured rule, on a terminal. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from relay.card import quoted, turnout
from relay.i18n import words
from relay.model import Action, Author, Card, Delivery, LinkCard, Media, MediaKind, Poll, Post, Quote, QuoteState
from relay.rich import Block, Form, Mark, Role, Span, Text
from relay.text import cut, isolate, text_content
from relay.text.targets import is_beginning, is_note

_ENGLISH = words("en")
LONGEST = 1500
"""Characters of one post on a card."""


class Piece(NamedTuple):
    """A run of text; ``look`` is a key of :data:`LOOKS`."""

    text: str
    look: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line before wrapping: ``lead`` stands before it, ``more`` before the lines that it is wrapped into."""

    pieces: tuple[Piece, ...] = ()
    lead: str = ""
    more: str = ""


def render(delivery: Delivery) -> list[Line]:
    """The card of a delivery: a new post in full; an edit, a new count or a deletion in one line."""
    card = delivery.card
    if card is None:
        # of who was taken out for good nothing but a hash is left, which tells nobody anything
        which = (Piece(f"  {delivery.uri}", "dim"),) if "://" in delivery.uri else ()
        return [Line((Piece("✗ deleted by its author", "deleted"), *which))]
    if delivery.action is Action.EDIT:
        return [_edited(card.post)]
    if delivery.action is Action.COUNT:
        return [_counted(card)]
    post = card.post
    sections = [
        [Line(tuple(_byline(post.author, post.published)))],
        [Line((Piece(post.title, "title", post.url),))] if post.title else [],
        [*_folded(post.warning), *_body(cut(post.body, LONGEST))],
        [*_media(post.media, sensitive=post.sensitive), *_poll(post.poll), *_link_card(post.link_card)],
        _quoted(post.quote) if post.quote else [],
        list(_footer(card)),
    ]
    header, *rest = [section for section in sections if section]
    return [*header, *(line for section in rest for line in (Line(), *section))]


def _edited(post: Post) -> Line:
    words = f"⚠ {post.warning}" if post.warning else post.title or text_content(cut(post.body, 48)).replace("\n", " ")
    return Line((Piece("✎ edited  ", "edited"), Piece(_name(post.author), "author"), Piece(f"  {words}", "", post.url)))


def _counted(card: Card) -> Line:
    count = card.thread.count if card.thread else 1
    told = Piece(f"🧵 {count} {'post' if count == 1 else 'posts'}  ", "place"), Piece(_name(card.post.author), "author")
    return Line((*told, *(_unroll(card) if card.unroll else (Piece("  "), _url(card.post.url)))))


def _unroll(card: Card) -> tuple[Piece, ...]:
    return Piece("  Unroll: ", "dim"), _url(card.unroll)


def _byline(author: Author, published: datetime) -> Iterator[Piece]:
    yield Piece(_name(author), "author", author.url)
    if author.handle:
        yield Piece(f"  {author.handle}", "dim")
    yield Piece(f"  {published:%Y-%m-%d %H:%M} UTC", "dim")


def _name(author: Author) -> str:
    name = author.name or author.handle or author.uri
    # Left-to-right names are left alone: many terminals show the isolates as boxes.
    return isolate(name) if any(unicodedata.bidirectional(char) in {"R", "AL"} for char in name) else name


def _folded(warning: str) -> list[Line]:
    return [Line((Piece(f"⚠ Content warning: {warning}", "warning"),)), Line()] if warning else []


def _body(text: Text) -> Iterator[Line]:
    before: Block | None = None
    for block in text:
        if before and not (before.form is block.form is Form.ITEM):
            yield Line(lead="┃ " * min(before.quote, block.quote))
        yield _block(block)
        before = block


def _block(block: Block) -> Line:
    lead = "┃ " * block.quote + "  " * (block.depth - 1 if block.form is Form.ITEM else block.depth)
    if block.form is Form.RULE:
        return Line((Piece("─" * 20, "dim"),), lead, lead)
    if block.form is Form.CODE:
        return Line(tuple(Piece(span.text, "code") for span in block.spans), f"{lead}    ", f"{lead}    ")
    pieces = tuple(piece for span in block.spans for piece in _span(span, heading=block.form is Form.HEADING))
    bullet = f"{block.bullet or '•'} " if block.form is Form.ITEM else ""
    return Line(pieces, lead + bullet, lead + " " * len(bullet))


_MARK_LOOKS = {Mark.BOLD: "bold", Mark.ITALIC: "italic", Mark.STRIKE: "strike", Mark.CODE: "code", Mark.SPOILER: "dim"}


def _span(span: Span, *, heading: bool) -> Iterator[Piece]:
    look = "title" if heading else next((_MARK_LOOKS[mark] for mark in span.marks if mark in _MARK_LOOKS), "")
    if not span.link:
        yield Piece(span.text, look)
    elif span.role in {Role.HASHTAG, Role.MENTION} or is_note(span.text, span.link):
        yield Piece(span.text, "tag", span.link)
    elif (address := span.link.removeprefix("mailto:")) == span.text or is_beginning(span.text, address):
        yield _url(span.link)  # it is the address, perhaps a shortened one; what is copied must be whole
    else:
        yield Piece(f"{span.text} (", look)
        yield _url(span.link)
        yield Piece(")", look)


def _url(address: str) -> Piece:
    return Piece(address.removeprefix("mailto:"), "link", address)


_MEDIA = {
    MediaKind.IMAGE: ("🖼", "picture"),
    MediaKind.VIDEO: ("▶", "video"),
    MediaKind.ANIMATION: ("▶", "animation"),
    MediaKind.AUDIO: ("♪", "sound"),
    MediaKind.FILE: ("▤", "file"),
}


def _media(all_media: Sequence[Media], *, sensitive: bool) -> Iterator[Line]:
    for media in all_media:
        sign, word = _MEDIA[media.kind]
        caution = "sensitive: " if sensitive else ""
        yield Line(
            (Piece(caution, "warning"), Piece(media.alt or f"{word} without description", "media", media.link)),
            f"{sign}  ",
            "   ",
        )


def _poll(poll: Poll | None) -> Iterator[Line]:
    if poll is None:
        return
    for option in poll.options:
        share = poll.share(option)
        votes = () if share is None else (Piece(f"  {option.votes} ({share} %)", "dim"),)
        yield Line((Piece(option.text), *votes), "☐ " if poll.multiple else "○ ", "  ")
    facts = [count] if (count := turnout(poll, _ENGLISH)) else []
    if poll.closes:
        facts.append(f"closes {poll.closes:%Y-%m-%d %H:%M} UTC")
    if facts:
        yield Line((Piece(" · ".join(facts), "dim"),))


def _link_card(card: LinkCard | None) -> Iterator[Line]:
    if card:
        yield Line((Piece(f"{card.title}  "), _url(card.url)), "↗ ", "  ")


def _quoted(quote: Quote) -> list[Line]:
    if quote.author is None:
        label = "quotes" if quote.state is QuoteState.ACCEPTED else quoted(quote, _ENGLISH)
        return [Line((Piece(f"{label}  ", "dim"), _url(quote.url)), "┃ ", "┃ ")]
    name = [Piece(_name(quote.author), "author", quote.url), Piece(f"  {quote.author.handle}", "dim")]
    lines = [Line(tuple(name)), *_folded(quote.warning), *_body(cut(quote.body, LONGEST))]
    beside = [*_media(quote.media, sensitive=bool(quote.warning)), *_poll(quote.poll), *_link_card(quote.link_card)]
    return [replace(line, lead=f"┃ {line.lead}", more=f"┃ {line.more}") for line in [*lines, *beside]]


def _footer(card: Card) -> Iterator[Line]:
    yield Line((Piece(f"{card.reason} · ", "dim"), Piece(card.post.url, "dim", card.post.url)))
    if card.thread:
        place = Piece(f"🧵 {card.thread.position}/{card.thread.count}", "place")
        yield Line((place, *(_unroll(card) if card.unroll else ())))


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
    "media": "magenta",
    "warning": "bold yellow",
    "place": "bold green",
    "edited": "yellow",
    "deleted": "red",
}
_RULES = {Action.SEND: "green", Action.EDIT: "yellow", Action.COUNT: "green", Action.DELETE: "red"}
UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066\u2067\ud800-\udfff]")
"""What must not reach a terminal. The texts are free of controls and overrides already; this is the last gate."""


def _printable(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        pieces = (Piece(_safe(text), look, _safe(link).replace("\n", "")) for text, look, link in line.pieces)
        yield Line(tuple(pieces), _safe(line.lead), _safe(line.more))


def _safe(text: str) -> str:
    return UNPRINTABLE.sub("", text.replace("\t", "    "))


def to_plain(lines: Iterable[Line]) -> str:
    """A card without colours, its lines as long as they are, and a blank line after it."""
    return "".join(f"{line.lead}{_words(line)}".rstrip() + "\n" for line in _printable(lines)) + "\n"


def _words(line: Line) -> str:
    told = (f"{one.text} ({one.link})" if one.look == "media" and one.link else one.text for one in line.pieces)
    return "".join(told).replace("\n", f"\n{line.more}")


def to_terminal(lines: Iterable[Line], action: Action, width: int) -> str:
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
