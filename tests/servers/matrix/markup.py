"""The HTML that the specification allows in a formatted body, read as strictly as nobody else does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5
from html.parser import HTMLParser
from urllib.parse import urlsplit

_VOID = {"br", "hr", "img"}
_BLOCKS = {
    "blockquote", "caption", "details", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
    "summary", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_INLINE = {"a", "b", "br", "code", "del", "em", "i", "img", "s", "span", "strong", "sub", "sup", "u"}
_ATTRIBUTES = {
    "a": {"href", "target", "title"},
    "span": {"data-mx-color", "data-mx-bg-color", "data-mx-spoiler", "data-mx-maths"},
    "div": {"data-mx-maths"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "code": {"class"},
}
_INSIDE = {
    "li": {"ol", "ul"}, "summary": {"details"}, "tr": {"table", "thead", "tbody"}, "td": {"tr"}, "th": {"tr"},
    "thead": {"table"}, "tbody": {"table"}, "caption": {"table"},
}  # fmt: skip
_SCHEMES = {"http", "https", "ftp", "mailto", "magnet"}
_NO_TEXT = {"ol", "ul", "table", "thead", "tbody", "tr"}
_DEPTH = 100
Attributes = list[tuple[str, str | None]]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[str] = []
        self.found: list[str] = []
        self.text: list[str] = []
        self.spoilers: list[str] = []
        self.images: list[str] = []
        self._spoiling: list[int] = []

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.found += [*self._place(tag), *_attributes(tag, attrs)]
        self.images += [value or "" for name, value in attrs if (tag, name) == ("img", "src")]
        if tag in _VOID:
            self._hear("\n" if tag == "br" else "")
            return
        self.open.append(tag)
        if len(self.open) == _DEPTH + 1:
            self.found.append(f"nested deeper than {_DEPTH}")
        if any(name == "data-mx-spoiler" for name, _ in attrs):
            self._spoiling.append(len(self.open))
            if len(self._spoiling) == 1:
                self.spoilers.append("")

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        if tag not in _VOID:
            self.found.append(f"<{tag}/> is not closed by its slash")
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID or not self.open or self.open[-1] != tag:
            self.found.append(f"</{tag}> closes {self.open[-1] if self.open else 'nothing'}")
            return
        if self._spoiling and self._spoiling[-1] == len(self.open):
            self._spoiling.pop()
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.found += [f"an unescaped {sign}" for sign in "<&" if sign in data]
        if self.open and self.open[-1] in _NO_TEXT and data.strip():
            self.found.append(f"text directly in <{self.open[-1]}>")
        self._hear(data)

    def handle_entityref(self, name: str) -> None:
        if f"{name};" not in html5:
            self.found.append(f"an unescaped & before {name}")
        self._hear(html5.get(f"{name};", name))

    def handle_charref(self, name: str) -> None:
        number = int(name[1:], 16) if name[0] in "xX" else int(name)
        self._hear(chr(number) if 0 < number < 0x110000 else "\ufffd")

    def handle_comment(self, data: str) -> None:
        self.found.append("a comment")

    def handle_decl(self, decl: str) -> None:
        self.found.append("a declaration")

    def handle_pi(self, data: str) -> None:
        self.found.append("a processing instruction")

    def unknown_decl(self, data: str) -> None:
        self.found.append("a declaration")

    def _hear(self, text: str) -> None:
        self.text.append(text)
        if self._spoiling:
            self.spoilers[-1] += text

    def _place(self, tag: str) -> Iterator[str]:
        if tag not in _BLOCKS | _INLINE:
            yield f"<{tag}> is not allowed"
        parent = self.open[-1] if self.open else ""
        if tag in _INSIDE and parent not in _INSIDE[tag]:
            yield f"<{tag}> in <{parent}>"
        if tag == "a" and "a" in self.open:
            yield "<a> in <a>"
        if tag in _BLOCKS and "p" in self.open:
            yield f"<{tag}> in <p>, which a browser closes before it"


def _attributes(tag: str, attrs: Attributes) -> Iterator[str]:
    names = [name for name, _ in attrs]
    if len(names) != len(set(names)):
        yield f"<{tag}> has an attribute twice"
    for name, value in attrs:
        if name not in _ATTRIBUTES.get(tag, ()):
            yield f"<{tag} {name}> is not allowed"
        elif not _fits(tag, name, value or ""):
            yield f"<{tag} {name}> cannot be {value!r}"


def _fits(tag: str, name: str, value: str) -> bool:
    match tag, name:
        case "a", "href":
            return _scheme(value) in _SCHEMES
        case "img", "src":
            return re.fullmatch(r"mxc://[^/\s]+/[\w-]+", value) is not None
        case "code", "class":
            return all(one.startswith("language-") for one in value.split())
        case "span", ("data-mx-color" | "data-mx-bg-color"):
            return re.fullmatch(r"#[0-9a-fA-F]{6}", value) is not None
        case _, ("start" | "width" | "height"):
            return re.fullmatch(r"-?\d+", value) is not None
    return True


def _scheme(address: str) -> str:
    try:
        return urlsplit(address).scheme
    except ValueError:
        return ""


def _words(text: str) -> str:
    return " ".join(text.split())


def markup_problems(html: str, body: str) -> list[str]:
    """What is wrong with a formatted body, and what its spoilers hide but the plain body tells."""
    reader = _read(html)
    found = [*reader.found, *(f"<{tag}> is never closed" for tag in reader.open)]
    plain = _words(body)
    # a beginning is enough: the plain body may be cut earlier
    hidden = [_words(one)[:40] for one in reader.spoilers]
    return found + [f"the plain body tells what is hidden: {one!r}" for one in hidden if len(one) > 3 and one in plain]


def images_of(html: str) -> list[str]:
    """The addresses of the pictures in it."""
    return _read(html).images


def text_of(html: str) -> str:
    """The text in it, without its markup."""
    return "".join(_read(html).text)


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    if reader.rawdata:
        reader.found.append(f"unfinished markup: {reader.rawdata!r}")
    return reader
