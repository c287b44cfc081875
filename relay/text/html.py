"""HTML → rich text, as social networks and feeds write it."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from relay.model import Media
from relay.rich import Text
from relay.text.elements import ENTER, LEAVE, is_unseen, keeps_lines
from relay.text.limits import KEPT, within
from relay.text.page import TextStyle
from relay.text.preprocess import tame
from relay.text.reader import HtmlReader


class Content(NamedTuple):
    """What HTML holds."""

    text: Text
    media: tuple[Media, ...]
    """Its pictures, films and sounds; none where they were not asked for: they are words and links of the text then."""


def from_html(html: str, *, base: str = "", drop: Collection[str] = ()) -> Text:
    """Read any HTML; never raises, and takes time in proportion to its length.

    Links are resolved against ``base``. Elements that bear a class named in ``drop`` are left out with all they hold.
    Read are lines, links, mentions, hashtags and the usual text markup; tables become lines, pictures their alt text,
    players and films links. The first 300,000 characters count, and of more than 8,000 tags only those of lines, links
    and pictures.
    """
    return _read(html, HtmlReader(base, base, None), frozenset(drop)).text


def read_html(html: str, *, base: str = "", page: str = "") -> Content:
    """The same, with pictures, films and sounds apart from the text: the first twenty, and links to the others.

    ``page`` is where the text itself is read, if not at ``base``: notes in it lead there.
    """
    return _read(html, HtmlReader(base, page or base, {}), frozenset())


def _read(html: str, reader: HtmlReader, drop: frozenset[str]) -> Content:
    if body := LexborHTMLParser(f"<body>{tame(html)}").body:  # no document of its own: nothing is in its head
        _walk(body.first_child, reader, drop)
    reader.finish()
    return Content(within(tuple(reader.page.blocks), KEPT), tuple((reader.media or {}).values()))


def _walk(node: LexborNode | None, reader: HtmlReader, drop: frozenset[str]) -> None:
    """With a stack of its own: nesting is the author's choice, recursion is not."""
    look = TextStyle()
    above: list[tuple[LexborNode, str, TextStyle]] = []
    while node is not None or above:
        if node is None:
            node, tag, look = above.pop()
            if leave := LEAVE.get(tag):
                leave(reader, look)
        elif (tag := node.tag or "") == "-text":
            (reader.page.text if look.lines else reader.page.add)(node.text_content or "", look)
        elif (inner := _enter(node, tag, look, reader, drop)) is not None:
            above.append((node, tag, look))
            node, look = node.first_child, inner
            continue
        node = node.next


def _enter(node: LexborNode, tag: str, look: TextStyle, reader: HtmlReader, drop: frozenset[str]) -> TextStyle | None:
    """The look of what is inside; None where nothing inside is to be read."""
    if given := node.attributes:
        classes = names.split() if (names := given.get("class")) else ()
        if (classes and not drop.isdisjoint(classes)) or is_unseen(given, classes):
            return None
        if (lines := keeps_lines(given, classes)) is not None:
            look = look._replace(lines=lines)
    enter = ENTER.get(tag)
    return enter(reader, node, given, look) if enter else look
