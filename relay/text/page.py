"""Text in reading order → blocks: white space, lines, bullets, and the honesty of links."""

from __future__ import annotations

import re
from typing import NamedTuple

from relay.model import Block, Form, Mark, Role, Span
from relay.text.addresses import honest
from relay.text.characters import scrub

_SPACES = re.compile(r"[ \t\n\r\f]+")
_NAME = re.compile(r"[@＠#＃][^\s/]*")


class Look(NamedTuple):
    """What an element hands down to the text in it."""

    link: str = ""
    role: Role = Role.TEXT
    marks: tuple[Mark, ...] = ()
    form: Form = Form.PARAGRAPH
    quote: int = 0
    depth: int = 0


class Page:
    """Takes text in reading order and makes blocks of it: white space, lines, bullets, the honesty of links."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.bullet = ""
        """The marker that the next block shall bear."""
        self._pieces: list[tuple[str, Look]] = []
        self._at_space = True
        self._between = ""
        self._linked = -1
        """Where in the pieces the text of the present link begins; -1: there is none."""

    def add(self, text: str, look: Look) -> None:
        """Text within a line; white space collapses as in CSS 2.2, 16.6.1, also over the borders of elements."""
        as_typed = look.form is Form.CODE
        if not text.isprintable():
            text = scrub(text.replace("\t", "    ") if as_typed else text)
        if not as_typed:
            if "  " in text or "\n" in text:
                text = _SPACES.sub(" ", text)
            if self._at_space:
                text = text.lstrip(" ")
        if text:
            self._at_space = text[-1] == " "
            self._part(look)
            self._pieces.append((text, look))

    def line(self, look: Look) -> None:
        """End a line; an empty line ends the block."""
        if look.form is Form.CODE:
            self._pieces.append(("\n", look))
            return
        self._trim(" ")
        if self._is_within_line():
            self._pieces.append(("\n", look))
        else:
            self.block()
        self._at_space, self._between = True, ""

    def row(self, look: Look) -> None:
        """Begin a line, unless one has just begun."""
        if self._is_within_line():
            self.line(look)

    def cell(self) -> None:
        """Part what comes next from what stands before it in the line."""
        if self._is_within_line():
            self._at_space, self._between = True, " | "

    def block(self) -> None:
        """End the block, if one has begun."""
        if not self._pieces:
            return
        if self._linked >= 0:
            self._judge()
            self._linked = 0
        self._trim(" \n")
        if not all(text.isspace() for text, _ in self._pieces):
            form, quote, depth = self._pieces[0][1][3:]
            if self.bullet and form is Form.PARAGRAPH:
                form = Form.ITEM
            self.blocks.append(Block(_spans(self._pieces), form, quote, depth, self.bullet))
            self.bullet = ""
        self._pieces = []
        self._at_space, self._between = True, ""

    def begin_link(self, look: Look) -> None:
        """``look`` is that of the text around the link."""
        self.end_link()
        self._part(look)
        self._linked = len(self._pieces)

    def end_link(self) -> None:
        if self._linked >= 0:
            self._judge()
            self._linked = -1

    def _part(self, look: Look) -> None:
        if self._between:
            self._pieces.append((self._between, look))
            self._between = ""

    def _is_within_line(self) -> bool:
        return bool(self._pieces) and not self._pieces[-1][0].endswith("\n")

    def _trim(self, characters: str) -> None:
        while self._pieces and self._pieces[-1][0][-1] in characters:
            text, look = self._pieces.pop()
            if text := text.rstrip(characters):
                self._pieces.append((text, look))

    def _judge(self) -> None:
        """Show where a link leads that looks like another; judged as a whole, whatever markup is in it."""
        run = self._pieces[self._linked :]
        if not run:
            return
        look = run[0][1]
        shown = run[0][0] if len(run) == 1 else "".join([text for text, _ in run])
        if _is_name(shown, look.role) or (judged := honest(shown, look.link)) == shown:
            return
        self._pieces[self._linked :] = [(text, each._replace(role=Role.TEXT)) for text, each in run]
        self._pieces.append((judged.removeprefix(shown), look._replace(role=Role.TEXT, marks=())))


def _spans(pieces: list[tuple[str, Look]]) -> tuple[Span, ...]:
    """Join neighbours that look alike."""
    spans: list[Span] = []
    parts: list[str] = []
    last = pieces[0][1]
    for text, look in pieces:
        if look != last:
            spans.append(Span("".join(parts), last.link, last.role, last.marks))
            parts, last = [], look
        parts.append(text)
    return (*spans, Span("".join(parts), last.link, last.role, last.marks))


def _is_name(shown: str, role: Role) -> bool:
    """A mention or hashtag that reads like one: its host is where the account lives, not where the page is."""
    return role is not Role.TEXT and _NAME.fullmatch(shown) is not None
