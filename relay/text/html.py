"""HTML → rich text, as social networks and feeds write it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from relay.model import Block, Form, Mark, Role, Span, Text
from relay.text.addresses import honest, safe_url
from relay.text.characters import ELLIPSIS, clean, scrub, whole
from relay.text.taming import tame

_DEEPEST = 9
"""Quotes and lists deeper than this are shown as this deep: markup must not grow the text by its margins."""

_SPACES = re.compile(r"[ \t\n\r\f]+")
_SHORTCODE = re.compile(r":[\w+-]+:")
_NUMBER = re.compile(r"-?\d{1,6}")
_NAME = re.compile(r"[@＠#＃][^\s/]*")

_SILENT = (
    "annotation annotation-xml applet area audio base canvas col datalist embed frame frameset head iframe input link "
    "map meta noembed noframes noscript object optgroup option param rp script select source style svg template "
    "textarea title track video"
)
_BLOCKS = (
    "address article aside caption center dd details dialog dir div dl dt fieldset figcaption figure footer form "
    "header hgroup legend main menu nav p section summary table tbody tfoot thead"
)
_HEADINGS = "h1 h2 h3 h4 h5 h6"
_MARKS = {
    Mark.BOLD: "b strong x-b x-strong",
    Mark.ITALIC: "i em x-i x-em cite dfn var",
    Mark.STRIKE: "s del strike x-s x-strike",
    Mark.UNDERLINE: "u ins x-u",
    Mark.CODE: "code tt x-code x-tt kbd samp",
}


def from_html(html: str, *, base: str = "", drop: Collection[str] = ()) -> Text:
    """Read any HTML; never raises, and takes time in proportion to its length.

    Links are resolved against ``base``. Elements that bear a class named in ``drop`` are left out with all they hold.
    Read are lines, links, mentions, hashtags and the usual text markup; tables become lines, pictures their alt text.
    The first million characters count, and of more than 8,000 tags only those of lines and links.
    """
    reader = _Reader(base, frozenset(drop))
    if body := LexborHTMLParser(tame(whole(html))).body:
        reader.read(body.first_child)
    return tuple(reader.page.blocks)


class _Look(NamedTuple):
    """What an element hands down to the text in it."""

    link: str = ""
    role: Role = Role.TEXT
    marks: tuple[Mark, ...] = ()
    form: Form = Form.PARAGRAPH
    quote: int = 0
    depth: int = 0


class _Page:
    """Takes text in reading order and makes blocks of it: white space, lines, bullets, the honesty of links."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.bullet = ""
        """The marker that the next block shall bear."""
        self._pieces: list[tuple[str, _Look]] = []
        self._at_space = True
        self._between = ""
        self._linked = -1
        """Where in the pieces the text of the present link begins; -1: there is none."""

    def add(self, text: str, look: _Look) -> None:
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

    def line(self, look: _Look) -> None:
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

    def row(self, look: _Look) -> None:
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

    def begin_link(self, look: _Look) -> None:
        """``look`` is that of the text around the link."""
        self._part(look)
        self._linked = len(self._pieces)

    def end_link(self) -> None:
        if self._linked >= 0:
            self._judge()
            self._linked = -1

    def _part(self, look: _Look) -> None:
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
        self._linked = min(self._linked, len(self._pieces))

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


def _spans(pieces: list[tuple[str, _Look]]) -> tuple[Span, ...]:
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


class _Reader:
    """Walks the tree with a stack of its own: nesting is the author's choice, recursion is not."""

    def __init__(self, base: str, drop: frozenset[str]) -> None:
        self.page = _Page()
        self.lists: list[tuple[int, int] | None] = []
        """The lists around: (next number, step), None where nothing is counted."""
        self.base = base
        self._drop = drop

    def read(self, node: LexborNode | None) -> None:
        look = _Look()
        above: list[tuple[LexborNode, str, _Look]] = []
        while node is not None or above:
            if node is None:
                node, tag, look = above.pop()
                if leave := _LEAVE.get(tag):
                    leave(self)
            elif (tag := node.tag or "") == "-text":
                self.page.add(node.text_content or "", look)
            elif (inner := self._enter(node, tag, look)) is not None:
                above.append((node, tag, look))
                node, look = node.first_child, inner
                continue
            node = node.next
        self.page.block()

    def _enter(self, node: LexborNode, tag: str, look: _Look) -> _Look | None:
        """The look of what is inside; None where nothing inside is to be read."""
        if self._drop and not self._drop.isdisjoint(_classes(node)):
            return None
        enter = _ENTER.get(tag)
        return enter(self, node, look) if enter else look

    def leave_block(self) -> None:
        self.page.block()

    def leave_link(self) -> None:
        self.page.end_link()

    def leave_item(self) -> None:
        self.page.block()
        self.page.bullet = ""

    def leave_list(self) -> None:
        self.page.block()
        self.lists.pop()


# --- what the elements mean ---


def _silent(_reader: _Reader, _node: LexborNode, _look: _Look) -> None:
    return None


def _block(reader: _Reader, _: LexborNode, look: _Look) -> _Look:
    reader.page.block()
    return look


def _heading(reader: _Reader, _: LexborNode, look: _Look) -> _Look:
    reader.page.block()
    return look._replace(form=Form.HEADING)


def _code(reader: _Reader, _: LexborNode, look: _Look) -> _Look:
    reader.page.block()
    return look._replace(form=Form.CODE)


def _quote(reader: _Reader, _: LexborNode, look: _Look) -> _Look:
    reader.page.block()
    return look._replace(quote=min(look.quote + 1, _DEEPEST))


def _rule(reader: _Reader, _: LexborNode, look: _Look) -> None:
    reader.page.block()
    reader.page.blocks.append(Block((), Form.RULE, look.quote))


def _list(reader: _Reader, _: LexborNode, look: _Look) -> _Look:
    reader.page.block()
    reader.lists.append(None)
    return look._replace(depth=min(look.depth + 1, _DEEPEST))


def _numbers(reader: _Reader, node: LexborNode, look: _Look) -> _Look:
    look = _list(reader, node, look)
    step = -1 if "reversed" in node.attributes else 1
    first = sum(child.tag == "li" for child in node.iter()) if step < 0 else 1
    reader.lists[-1] = (_number(node, "start", first), step)
    return look


def _item(reader: _Reader, node: LexborNode, look: _Look) -> _Look:
    reader.page.block()
    reader.page.bullet = "•"
    if reader.lists and (count := reader.lists[-1]):
        number, step = _number(node, "value", count[0]), count[1]
        reader.page.bullet = f"{number}."
        reader.lists[-1] = (number + step, step)
    return look._replace(form=Form.PARAGRAPH, depth=look.depth or 1)


def _line(reader: _Reader, _: LexborNode, look: _Look) -> None:
    reader.page.line(look)


def _row(reader: _Reader, _: LexborNode, look: _Look) -> _Look:
    reader.page.row(look)
    return look


def _cell(reader: _Reader, _: LexborNode, look: _Look) -> _Look:
    reader.page.cell()
    return look


def _mark(mark: Mark) -> _Enter:
    def marked(_reader: _Reader, _node: LexborNode, look: _Look) -> _Look:
        known = mark in look.marks or (mark is Mark.CODE and look.form is Form.CODE)
        return look if known else look._replace(marks=(*look.marks, mark))

    return marked


def _link(reader: _Reader, node: LexborNode, look: _Look) -> _Look:
    attributes = node.attributes
    link = safe_url(attributes.get("href") or "", base=reader.base)
    if not link:
        return look
    role = Role.TEXT
    if names := attributes.get("class"):
        classes = names.split()
        role = Role.HASHTAG if "hashtag" in classes else Role.MENTION if "mention" in classes else role
    reader.page.begin_link(look)
    return _Look(link, role, *look[2:])


def _span(reader: _Reader, node: LexborNode, look: _Look) -> _Look | None:
    if not (names := node.attributes.get("class")):
        return look
    classes = names.split()
    if "ellipsis" in classes:
        reader.page.add(node.text() + ELLIPSIS, look)
        return None
    return None if "invisible" in classes else look


def _picture(reader: _Reader, node: LexborNode, look: _Look) -> None:
    alt = clean(node.attributes.get("alt") or "")
    if _SHORTCODE.fullmatch(alt) or any("emoji" in name or "smiley" in name for name in _classes(node)):
        reader.page.add(alt, look._replace(role=Role.EMOJI))
    elif alt:
        reader.page.add(f"[{alt}]", look)


def _reading(reader: _Reader, node: LexborNode, look: _Look) -> None:
    reader.page.add(f"({node.text()})", look)


def _classes(node: LexborNode) -> list[str]:
    return (node.attributes.get("class") or "").split()


def _number(node: LexborNode, name: str, default: int) -> int:
    value = node.attributes.get(name) or ""
    return int(value) if _NUMBER.fullmatch(value) else default


_Enter = Callable[[_Reader, LexborNode, _Look], _Look | None]
_ENTER: dict[str, _Enter] = {
    **dict.fromkeys(_SILENT.split(), _silent),
    **dict.fromkeys(_BLOCKS.split(), _block),
    **dict.fromkeys(_HEADINGS.split(), _heading),
    **{name: _mark(mark) for mark, names in _MARKS.items() for name in names.split()},
    "a": _link,
    "blockquote": _quote,
    "br": _line,
    "hr": _rule,
    "img": _picture,
    "li": _item,
    "ol": _numbers,
    "pre": _code,
    "rt": _reading,
    "span": _span,
    "td": _cell,
    "th": _cell,
    "tr": _row,
    "ul": _list,
}
_LEAVE: dict[str, Callable[[_Reader], None]] = {
    **dict.fromkeys([*_BLOCKS.split(), *_HEADINGS.split(), "blockquote", "pre"], _Reader.leave_block),
    "a": _Reader.leave_link,
    "li": _Reader.leave_item,
    "ol": _Reader.leave_list,
    "ul": _Reader.leave_list,
}
