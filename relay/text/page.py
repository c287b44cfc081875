"""Text in reading order → blocks: white space, lines, bullets, and the honesty of links."""

from __future__ import annotations

import re
from typing import NamedTuple

from relay.rich import Block, Form, Role, Span, SpanStyle
from relay.text.addresses import honest, is_name
from relay.text.characters import clean, scrub

_SPACES = re.compile(r"[ \t\n\r\f]+")
_NOTHING = (" ", "\n", "\n\n")


DEEPEST = 9
"""Quotes and lists deeper than this are shown as this deep: markup must not grow the text by its margins."""


class TextStyle(NamedTuple):
    """What an element hands down to the text in it."""

    link: str = ""
    role: Role = Role.TEXT
    marks: tuple[SpanStyle, ...] = ()
    form: Form = Form.PARAGRAPH
    quote: int = 0
    depth: int = 0
    lines: bool = False
    """Line breaks in the source are seen."""


class TextWriter:
    """Takes text in reading order and makes blocks of it: white space, lines, bullets, the honesty of links."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.bullet = ""
        """The marker that the next block shall bear."""
        self.pieces: list[tuple[str, TextStyle]] = []
        """The text of the block that has begun."""
        self.at_space = True
        """Space that comes now is not seen: a line begins, or a space was the last character."""
        self._between = ""
        self._mark = ""
        self._linked = -1
        """Where in the pieces the text of the present link begins; -1: there is none."""
        self._before_link = 0

    @property
    def last(self) -> str:
        """The character before what comes next in the line; "" where it begins one."""
        return self.pieces[-1][0][-1] if self._is_within_line() and not self._between else ""

    def text(self, text: str, look: TextStyle) -> None:
        """Text, whose line breaks may be meant as they stand."""
        if not look.lines or "\n" not in text or look.form is Form.CODE:
            self.add(text, look)
            return
        for count, row in enumerate(text.split("\n")):
            if count:
                self.line(look)
            self.add(row, look)

    def add(self, text: str, look: TextStyle) -> None:
        """Text within a line; white space collapses as in CSS 2.2, 16.6.1, also over the borders of elements."""
        if look.form is Form.CODE:
            text = scrub(text.replace("\t", "    "))
        else:
            if self.at_space and text in _NOTHING:
                return
            if not text.isprintable():
                text = _SPACES.sub(" ", scrub(text))
            elif "  " in text:
                text = _SPACES.sub(" ", text)
            if self.at_space and text[:1] == " ":
                text = text.lstrip(" ")
        if text:
            self.at_space = text[-1] == " "
            if self._between:
                self._part(look)
            if self._mark:
                self.pieces.append((f"{self._mark} ", look._replace(link="", role=Role.TEXT, marks=())))
                self._mark = ""
            self.pieces.append((text, look))

    def line(self, look: TextStyle) -> None:
        """End a line; an empty line ends the block."""
        if look.form is Form.CODE:
            self.pieces.append(("\n", look))
            return
        self._trim(" ")
        if self._is_within_line():
            self.pieces.append(("\n", look))
        else:
            self.block()
        self.at_space, self._between = True, ""

    def row(self, look: TextStyle) -> None:
        """Begin a line, unless one has just begun."""
        if self._is_within_line():
            self.line(look)

    def cell(self) -> None:
        """Part what comes next from what stands before it in the line."""
        if self._is_within_line():
            self.at_space, self._between = True, " | "

    def block(self) -> None:
        """End the block, if one has begun."""
        if not self.pieces:
            return
        if self._linked >= 0:
            self._judge()
            self._linked = 0
        if self.pieces[-1][0][-1] in " \n":
            self._trim(" \n")
        pieces, self.pieces = self.pieces, []
        self.at_space, self._between = True, ""
        if not pieces or (pieces[0][0].isspace() and all(text.isspace() for text, _ in pieces)):
            return
        look = pieces[0][1]
        form = Form.ITEM if self.bullet and look[3] is Form.PARAGRAPH else look[3]
        self.blocks.append(_block(_spans(pieces), form, look[4], look[5], self.bullet))
        self.bullet = ""

    def rule(self, look: TextStyle) -> None:
        """A line across."""
        self.block()
        self.blocks.append(Block((), Form.RULE, look.quote))

    def picture(self, alt: str, look: TextStyle) -> None:
        """A picture is its description in words, if it has one."""
        if alt := clean(alt):
            self.add(f"[{alt}]", look)

    def emoji(self, name: str, look: TextStyle) -> None:
        """A picture that is a character: its name is part of the text."""
        self.add(clean(name), look._replace(role=Role.EMOJI))

    def begin_mark(self, mark: str, look: TextStyle) -> None:
        """A box that can be checked stands before what comes next, also in another block; or ends its line."""
        if self._is_within_line():
            self.add(f" {mark} ", look)
        else:
            self._mark = mark

    def end_mark(self, look: TextStyle) -> None:
        """Nothing stands behind the box."""
        mark, self._mark = self._mark, ""
        self.add(mark, look)

    def begin_link(self, look: TextStyle) -> None:
        """``look`` is that of the text around the link."""
        self.end_link()
        self._part(look)
        self._linked, self._before_link = len(self.pieces), len(self.blocks)

    def link_is_empty(self) -> bool:
        """Whether the present link has no words yet."""
        return len(self.blocks) == self._before_link and all(text.isspace() for text, _ in self.pieces[self._linked :])

    def end_link(self) -> None:
        if self._linked >= 0:
            self._judge()
            self._linked = -1

    def _part(self, look: TextStyle) -> None:
        if self._between:
            self.pieces.append((self._between, look))
            self._between = ""

    def _is_within_line(self) -> bool:
        return bool(self.pieces) and not self.pieces[-1][0].endswith("\n")

    def _trim(self, characters: str) -> None:
        pieces = self.pieces
        while pieces and pieces[-1][0][-1] in characters:
            text, look = pieces.pop()
            if text := text.rstrip(characters):
                pieces.append((text, look))

    def _judge(self) -> None:
        """Show where a link leads that looks like another; judged as a whole, whatever markup is in it."""
        run = self.pieces[self._linked :]
        if not run:
            return
        look = run[0][1]
        shown = run[0][0] if len(run) == 1 else "".join([text for text, _ in run])
        if "." not in shown and shown.isascii():
            return  # nothing in it looks like an address
        if (look.role is not Role.TEXT and is_name(shown)) or (judged := honest(shown, look.link)) == shown:
            return
        self.pieces[self._linked :] = [(text, each._replace(role=Role.TEXT)) for text, each in run]
        self.pieces.append((judged.removeprefix(shown), look._replace(role=Role.TEXT, marks=())))


# Span(…) and Block(…) would set each field through object.__setattr__, as frozen dataclasses do, at twice the cost.
_SET_TEXT, _SET_LINK, _SET_ROLE, _SET_MARKS = (getattr(Span, name).__set__ for name in Span.__slots__)
_SET_SPANS, _SET_FORM, _SET_QUOTE, _SET_DEPTH, _SET_BULLET = (getattr(Block, name).__set__ for name in Block.__slots__)
_new = object.__new__


def _span(text: str, look: TextStyle) -> Span:
    span = _new(Span)
    _SET_TEXT(span, text)
    _SET_LINK(span, look[0])
    _SET_ROLE(span, look[1])
    _SET_MARKS(span, look[2])
    return span


def _block(spans: tuple[Span, ...], form: Form, quote: int, depth: int, bullet: str) -> Block:
    block = _new(Block)
    _SET_SPANS(block, spans)
    _SET_FORM(block, form)
    _SET_QUOTE(block, quote)
    _SET_DEPTH(block, depth)
    _SET_BULLET(block, bullet)
    return block


def _spans(pieces: list[tuple[str, TextStyle]]) -> tuple[Span, ...]:
    """Join neighbours that look alike."""
    text, last = pieces[0]
    if len(pieces) == 1:
        return (_span(text, last),)
    spans: list[Span] = []
    for more, look in pieces[1:]:
        if look is last or look == last:
            text += more
        else:
            spans.append(_span(text, last))
            text, last = more, look
    spans.append(_span(text, last))
    return tuple(spans)
