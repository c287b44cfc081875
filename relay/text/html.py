"""HTML → rich text, as social networks and feeds write it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from selectolax.lexbor import LexborHTMLParser, LexborNode

from relay.rich import Form, Mark, Role, Text
from relay.text.addresses import safe_url
from relay.text.characters import ELLIPSIS
from relay.text.limits import KEPT, within
from relay.text.page import DEEPEST, Look, Page
from relay.text.taming import tame

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
_NUMBER = re.compile(r"-?[0-9]{1,6}")


def from_html(html: str, *, base: str = "", drop: Collection[str] = ()) -> Text:
    """Read any HTML; never raises, and takes time in proportion to its length.

    Links are resolved against ``base``. Elements that bear a class named in ``drop`` are left out with all they hold.
    Read are lines, links, mentions, hashtags and the usual text markup; tables become lines, pictures their alt text.
    The first 300,000 characters count, and of more than 8,000 tags only those of lines and links.
    """
    reader = _Reader(base, frozenset(drop))
    if body := LexborHTMLParser(tame(html)).body:
        reader.read(body.first_child)
    return within(tuple(reader.page.blocks), KEPT)


class _Reader:
    """Walks the tree with a stack of its own: nesting is the author's choice, recursion is not."""

    def __init__(self, base: str, drop: frozenset[str]) -> None:
        self.page = Page()
        self.lists: list[tuple[int, int] | None] = []
        """The lists around: (next number, step), None where nothing is counted."""
        self.base = base
        self._drop = drop

    def read(self, node: LexborNode | None) -> None:
        look = Look()
        above: list[tuple[LexborNode, str, Look]] = []
        while node is not None or above:
            if node is None:
                node, tag, look = above.pop()
                if leave := _LEAVE.get(tag):
                    leave(self, look)
            elif (tag := node.tag or "") == "-text":
                self.page.add(node.text_content or "", look)
            elif (inner := self._enter(node, tag, look)) is not None:
                above.append((node, tag, look))
                node, look = node.first_child, inner
                continue
            node = node.next
        self.page.block()

    def _enter(self, node: LexborNode, tag: str, look: Look) -> Look | None:
        """The look of what is inside; None where nothing inside is to be read."""
        if self._drop and not self._drop.isdisjoint(_classes(node)):
            return None
        enter = _ENTER.get(tag)
        return enter(self, node, look) if enter else look

    def leave_block(self, _: Look) -> None:
        self.page.block()

    def leave_link(self, look: Look) -> None:
        self.page.end_link()
        if look.link:  # a link in a table cell in a link: the outer one goes on
            self.page.begin_link(look)

    def leave_item(self, _: Look) -> None:
        self.page.block()
        self.page.bullet = ""

    def leave_list(self, _: Look) -> None:
        self.page.block()
        self.lists.pop()


# --- what the elements mean ---


def _silent(_reader: _Reader, _node: LexborNode, _look: Look) -> None:
    return None


def _block(reader: _Reader, _: LexborNode, look: Look) -> Look:
    reader.page.block()
    return look


def _heading(reader: _Reader, _: LexborNode, look: Look) -> Look:
    reader.page.block()
    return look._replace(form=Form.HEADING)


def _code(reader: _Reader, _: LexborNode, look: Look) -> Look:
    reader.page.block()
    return look._replace(form=Form.CODE)


def _quote(reader: _Reader, _: LexborNode, look: Look) -> Look:
    reader.page.block()
    return look._replace(quote=min(look.quote + 1, DEEPEST))


def _rule(reader: _Reader, _: LexborNode, look: Look) -> None:
    reader.page.rule(look)


def _list(reader: _Reader, _: LexborNode, look: Look) -> Look:
    reader.page.block()
    reader.lists.append(None)
    return look._replace(depth=min(look.depth + 1, DEEPEST))


def _numbers(reader: _Reader, node: LexborNode, look: Look) -> Look:
    look = _list(reader, node, look)
    step = -1 if "reversed" in node.attributes else 1
    first = sum(child.tag == "li" for child in node.iter()) if step < 0 else 1
    reader.lists[-1] = (_number(node.attributes.get("start"), first), step)
    return look


def _item(reader: _Reader, node: LexborNode, look: Look) -> Look:
    reader.page.block()
    reader.page.bullet = "•"
    if reader.lists and (count := reader.lists[-1]):
        here, step = _number(node.attributes.get("value"), count[0]), count[1]
        reader.page.bullet = f"{here}."
        reader.lists[-1] = (here + step, step)
    return look._replace(form=Form.PARAGRAPH, depth=look.depth or 1)


def _line(reader: _Reader, _: LexborNode, look: Look) -> None:
    reader.page.line(look)


def _row(reader: _Reader, _: LexborNode, look: Look) -> Look:
    reader.page.row(look)
    return look


def _cell(reader: _Reader, _: LexborNode, look: Look) -> Look:
    reader.page.cell()
    return look


def _mark(mark: Mark) -> _Enter:
    def enter(_reader: _Reader, _node: LexborNode, look: Look) -> Look:
        known = mark in look.marks or (mark is Mark.CODE and look.form is Form.CODE)
        return look if known else look._replace(marks=(*look.marks, mark))

    return enter


def _link(reader: _Reader, node: LexborNode, look: Look) -> Look:
    attributes = node.attributes
    link = safe_url(attributes.get("href") or "", base=reader.base)
    if not link:
        return look
    reader.page.begin_link(look)
    return Look(link, _role(attributes.get("class") or ""), *look[2:])


def _span(reader: _Reader, node: LexborNode, look: Look) -> Look | None:
    if not (names := node.attributes.get("class")):
        return look
    classes = names.split()
    if "ellipsis" in classes:
        reader.page.add(node.text() + ELLIPSIS, look)
        return None
    return None if "invisible" in classes else look


def _picture(reader: _Reader, node: LexborNode, look: Look) -> None:
    reader.page.picture(node.attributes.get("alt") or "", _classes(node), look)


def _reading(reader: _Reader, node: LexborNode, look: Look) -> None:
    reader.page.add(f"({node.text()})", look)


def _role(names: str) -> Role:
    """What a link is by the classes that it bears (microformats, and what the Fediverse made of them)."""
    classes = names.split()
    return Role.HASHTAG if "hashtag" in classes else Role.MENTION if "mention" in classes else Role.TEXT


def _number(value: str | None, default: int) -> int:
    return int(value) if value and _NUMBER.fullmatch(value) else default


def _classes(node: LexborNode) -> list[str]:
    return (node.attributes.get("class") or "").split()


_Enter = Callable[[_Reader, LexborNode, Look], Look | None]
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
_LEAVE: dict[str, Callable[[_Reader, Look], None]] = {
    **dict.fromkeys([*_BLOCKS.split(), *_HEADINGS.split(), "blockquote", "pre"], _Reader.leave_block),
    "a": _Reader.leave_link,
    "li": _Reader.leave_item,
    "ol": _Reader.leave_list,
    "ul": _Reader.leave_list,
}
