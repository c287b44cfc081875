"""HTML as software writes it every day, read without a tree, at a third of the cost.

Where the tags are known ones, in small letters, and closed in the order in which they were opened, the tree that the
HTML Standard builds is the one that the tags show. :func:`walk` reads such text; any other it leaves to who builds one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from relay.rich import Form, Mark, Role
from relay.text.addresses import safe_url
from relay.text.characters import ELLIPSIS
from relay.text.page import DEEPEST, Look, Page
from relay.text.tags import SHORT, Other, decoded, number, read_tag, referred, short_tag

_MOST_TAGS, _DEEP = 8_000, 60

_TAGS = re.compile(r"(<[^<>]*>)")
_COMMENT = re.compile(r"<!--(?!-?>)(?:-?[^<>-])*-->")
_LINK = re.compile(r"<a href=\"([^\"]*)\">")

_MARKS = {
    Mark.BOLD: ("b", "strong"),
    Mark.ITALIC: ("i", "em", "cite"),
    Mark.STRIKE: ("del", "s"),
    Mark.UNDERLINE: ("u", "ins"),
    Mark.CODE: ("code",),
}
_INLINE = ("small", "sub", "sup")
_BLOCKS = ("article", "aside", "div", "figcaption", "figure", "footer", "header", "section")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_Step = Callable[["_Walker"], None]


def walk(html: str, page: Page, *, base: str, drop: Collection[str]) -> None:
    """Write the text onto the page. Raises ``Other``, and the page is spoilt, where it is not of the simple kind."""
    if "\r" in html or "\0" in html or "<pre>\n" in html or any(name in html for name in drop):
        raise Other
    parts = _TAGS.split(html)
    tags = len(parts) // 2
    if html.count("<") != tags or tags > _MOST_TAGS:
        raise Other
    walker = _Walker(page, base)
    if parts[0]:
        page.add(decoded(parts[0]), walker.look)
    _walk(walker, zip(parts[1::2], parts[2::2], strict=True))
    if walker.names:
        raise Other
    page.block()


def _walk(walker: _Walker, tags: Iterable[tuple[str, str]]) -> None:
    """Each tag, and the text behind it. What is most of all text is dealt with here: paragraphs, marks and words."""
    page, names, looks = walker.page, walker.names, walker.looks
    for tag, text in tags:
        if tag in _ENDS and not walker.leaf:
            if not names or names.pop() != _ENDS[tag]:
                raise Other
            walker.look = looks.pop()
            if tag == "</p>":
                walker.paragraph = False
                page.block()
        elif (step := _STEPS.get(tag)) is None or walker.leaf:
            text = walker.step(tag, text)  # noqa: PLW2901 - it may have been read with the tag
        else:
            step(walker)
        if not text or (text == "\n" and page.at_space and walker.look[3] is not Form.CODE):
            continue
        if "&" in text:
            text = decoded(text)  # noqa: PLW2901 - as above
        look = walker.look
        if look[3] is Form.CODE or "  " in text or not text.isprintable():
            page.add(text, look)
        elif not page.at_space or text[0] != " ":
            page.at_space = text[-1] == " "
            page.pieces.append((text, look))
        else:
            page.add(text, look)


class _Walker:
    """Where the walk is: what is open, and how the text here looks."""

    __slots__ = ("base", "heading", "leaf", "linked", "lists", "look", "looks", "names", "page", "paragraph", "styles")

    def __init__(self, page: Page, base: str) -> None:
        self.page, self.base = page, base
        self.look = Look()
        self.names: list[str] = []
        self.looks: list[Look] = []
        """The open elements, and the look around each."""
        self.styles: dict[tuple[Mark, Look], Look] = {}
        self.lists: list[int | None] = []
        """The lists around: the next number, None where nothing is counted."""
        self.paragraph = self.heading = self.linked = False
        """What may hold none of its like is open."""
        self.leaf = False
        """The present element may hold nothing but its text, which has been dealt with."""

    def enter(self, name: str) -> None:
        self.names.append(name)
        self.looks.append(self.look)

    def leave(self, name: str) -> None:
        if not self.names or self.names.pop() != name:
            raise Other
        self.look = self.looks.pop()

    def block(self) -> None:
        if self.paragraph or len(self.names) > _DEEP:
            raise Other
        self.page.block()

    def step(self, tag: str, text: str) -> str:
        """Take a tag with attributes, a comment or the end of a leaf; the text behind it that is still to be read."""
        if self.leaf:
            if tag != "</span>":
                raise Other
            self.leaf = False
            self.leave("span")
            return text
        if match := _LINK.fullmatch(tag):
            href = match[1]
            _link(self, referred(href) if "&" in href else href, "")
        elif read := short_tag(tag) if len(tag) < SHORT else read_tag(tag):
            return self._attributed(*read, text)
        elif not _COMMENT.fullmatch(tag):
            raise Other
        return text

    def _attributed(self, name: str, given: dict[str, str], text: str) -> str:
        if enter := _ATTRIBUTED.get(name):
            return enter(self, given, text)
        if (step := _STEPS.get(f"<{name}>")) is None or (name == "pre" and text[:1] == "\n"):
            raise Other
        step(self)
        return text


def role_of(names: str) -> Role:
    """What a link is by the classes that it bears (microformats, and what the Fediverse made of them)."""
    if not names:
        return Role.TEXT
    classes = names.split()
    return Role.HASHTAG if "hashtag" in classes else Role.MENTION if "mention" in classes else Role.TEXT


def marked(look: Look, mark: Mark) -> Look:
    known = mark in look.marks or (mark is Mark.CODE and look.form is Form.CODE)
    return look if known else look._replace(marks=(*look.marks, mark))


# --- blocks ---


def _begins_block(name: str) -> _Step:
    def begin(walker: _Walker) -> None:
        walker.block()
        walker.enter(name)

    return begin


def _ends_block(name: str) -> _Step:
    def end(walker: _Walker) -> None:
        walker.leave(name)
        walker.page.block()

    return end


def _begin_paragraph(walker: _Walker) -> None:
    walker.block()
    walker.enter("p")
    walker.paragraph = True


def _end_paragraph(walker: _Walker) -> None:
    walker.leave("p")
    walker.paragraph = False
    walker.page.block()


def _begins_heading(name: str) -> _Step:
    def begin(walker: _Walker) -> None:
        if walker.heading:
            raise Other
        walker.block()
        walker.enter(name)
        walker.heading = True
        walker.look = walker.look._replace(form=Form.HEADING)

    return begin


def _ends_heading(name: str) -> _Step:
    def end(walker: _Walker) -> None:
        walker.leave(name)
        walker.heading = False
        walker.page.block()

    return end


def _begin_quote(walker: _Walker) -> None:
    walker.block()
    walker.enter("blockquote")
    walker.look = walker.look._replace(quote=min(walker.look.quote + 1, DEEPEST))


def _begin_code(walker: _Walker) -> None:
    walker.block()
    walker.enter("pre")
    walker.look = walker.look._replace(form=Form.CODE)


def _rule(walker: _Walker) -> None:
    walker.block()
    walker.page.rule(walker.look)


def _line(walker: _Walker) -> None:
    walker.page.line(walker.look)


# --- lists ---


def _begins_list(name: str, first: int | None) -> _Step:
    def begin(walker: _Walker) -> None:
        walker.block()
        walker.enter(name)
        walker.lists.append(first)
        walker.look = walker.look._replace(depth=min(walker.look.depth + 1, DEEPEST))

    return begin


def _ends_list(name: str) -> _Step:
    def end(walker: _Walker) -> None:
        walker.leave(name)
        walker.page.block()
        walker.lists.pop()

    return end


def _begin_item(walker: _Walker, value: str = "") -> None:
    if not walker.names or walker.names[-1] not in ("ul", "ol"):
        raise Other
    walker.block()
    walker.enter("li")
    walker.page.bullet = "•"
    if (count := walker.lists[-1]) is not None:
        here = number(value, count)
        walker.page.bullet = f"{here}."
        walker.lists[-1] = here + 1
    walker.look = walker.look._replace(form=Form.PARAGRAPH, depth=walker.look.depth or 1)


def _end_item(walker: _Walker) -> None:
    walker.leave("li")
    walker.page.block()
    walker.page.bullet = ""


# --- within a line ---


def _begins_mark(name: str, mark: Mark) -> _Step:
    def begin(walker: _Walker) -> None:
        walker.enter(name)
        look = walker.look
        if (styled := walker.styles.get((mark, look))) is None:
            styled = walker.styles[mark, look] = marked(look, mark)
        walker.look = styled

    return begin


def _begins(name: str) -> _Step:
    return lambda walker: walker.enter(name)


def _ends(name: str) -> _Step:
    return lambda walker: walker.leave(name)


def _nothing(_walker: _Walker) -> None:
    pass


def _link(walker: _Walker, href: str, classes: str) -> None:
    if walker.linked or len(walker.names) > _DEEP:
        raise Other
    walker.enter("a")
    walker.linked = True
    if link := safe_url(href, base=walker.base):
        walker.page.begin_link(walker.look)
        walker.look = Look(link, role_of(classes), *walker.look[2:])


def _end_link(walker: _Walker) -> None:
    walker.leave("a")
    walker.linked = False
    walker.page.end_link()


# --- elements whose attributes say something ---


def _anchor(walker: _Walker, given: dict[str, str], text: str) -> str:
    _link(walker, given.get("href", ""), given.get("class", ""))
    return text


def _span(walker: _Walker, given: dict[str, str], text: str) -> str:
    classes = given.get("class", "").split()
    walker.enter("span")
    if "ellipsis" in classes:
        walker.page.add(decoded(text) + ELLIPSIS, walker.look)
    elif "invisible" not in classes:
        return text
    walker.leaf = True
    return ""


def _picture(walker: _Walker, given: dict[str, str], text: str) -> str:
    walker.page.picture(given.get("alt", ""), given.get("class", "").split(), walker.look)
    return text


def _numbers(walker: _Walker, given: dict[str, str], text: str) -> str:
    if "reversed" in given:
        raise Other
    _STEPS["<ol>"](walker)
    walker.lists[-1] = number(given.get("start"), 1)
    return text


def _item(walker: _Walker, given: dict[str, str], text: str) -> str:
    _begin_item(walker, given.get("value", ""))
    return text


_ATTRIBUTED: dict[str, Callable[[_Walker, dict[str, str], str], str]] = {
    "a": _anchor,
    "img": _picture,
    "li": _item,
    "ol": _numbers,
    "span": _span,
}
_STEPS: dict[str, _Step] = {
    "<p>": _begin_paragraph,
    "</p>": _end_paragraph,
    "<blockquote>": _begin_quote,
    "</blockquote>": _ends_block("blockquote"),
    "<ul>": _begins_list("ul", None),
    "</ul>": _ends_list("ul"),
    "<ol>": _begins_list("ol", 1),
    "</ol>": _ends_list("ol"),
    "<li>": _begin_item,
    "</li>": _end_item,
    "<pre>": _begin_code,
    "</pre>": _ends_block("pre"),
    "</a>": _end_link,
    "<span>": _begins("span"),
    "</span>": _ends("span"),
    "<wbr>": _nothing,
}
for _name in _BLOCKS:
    _STEPS |= {f"<{_name}>": _begins_block(_name), f"</{_name}>": _ends_block(_name)}
for _name in _HEADINGS:
    _STEPS |= {f"<{_name}>": _begins_heading(_name), f"</{_name}>": _ends_heading(_name)}
for _name in _INLINE:
    _STEPS |= {f"<{_name}>": _begins(_name), f"</{_name}>": _ends(_name)}
for _mark, _named in _MARKS.items():
    for _name in _named:
        _STEPS |= {f"<{_name}>": _begins_mark(_name, _mark), f"</{_name}>": _ends(_name)}
_ENDS = {"</p>": "p", "</span>": "span"} | {
    f"</{_name}>": _name for _named in (*_MARKS.values(), _INLINE) for _name in _named
}
for _name, _step in (("br", _line), ("hr", _rule)):
    _STEPS |= {f"<{_name}{_end}": _step for _end in (">", "/>", " />")}
