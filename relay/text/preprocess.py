"""HTML as it is written, prepared for a parser that follows the HTML Standard.

Feeds are written as XHTML, by which ``<iframe/>`` is closed; by the Standard it swallows all that stands behind it, and
so do scripts, comments and CDATA sections that nobody closes. The Standard's tree construction is also quadratic in
places: nested elements are searched on every tag, attributes are compared with all before them, unclosed formatting is
repeated in every later block (100,000 ``<div>`` take half a minute, 25 kB of ``<b>`` half a gigabyte). What is small
and holds nothing of the kind stays as it is; anything else is rewritten, in one pass, with only the tags and attributes
that a reader needs.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from html import escape

from relay.text.characters import whole
from relay.text.limits import MARKUP, opening
from relay.text.pictures import LATE

_SMALL, _SMALL_TAGS = 10_000, 500
_MANY_TAGS = 8_000

_TAG = re.compile(
    r"<!--(?:-?>|.*?-->)"
    r"|<(?P<close>/?)(?P<name>[a-z][a-z0-9-]*+)(?P<rest>(?:=\s*+\"[^\"]*+\"|=\s*+'[^']*+'|[^<>])*+)>"
    r"|<[!?][^<>]*+>|</[a-z][^<>]*+>?"
    r"|<",
    re.DOTALL | re.IGNORECASE,
)
_UNCLOSED_COMMENT = re.compile(r"<!--[^<>]*+>?")
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]++)(?:\s*+=\s*+(\"[^\"]*+\"|'[^']*+'|[^\s\"'>]++))?")
_RAW = re.compile(r"<(/?)(iframe|noembed|noframes|script|style|textarea|title|xmp)(?=[\s/>])", re.IGNORECASE)
_NAMES = re.compile(r"<([a-zA-Z]+)")
_DECLARED = re.compile(r"<!\[|<[!?][^<>]*+(?:<|\Z)")
_STRAY_END = re.compile(r"</(?![a-zA-Z])")
_CLOSED = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\b)[a-z][^<>]*+(?<=/)>",
    re.IGNORECASE,
)

_KEPT = frozenset(
    (
        *("alt", "alttext", "aria-label", "autoplay", "checked", "class", "data", "encoding", "height", "hidden"),
        *("href", "lang", "loop", "muted", "name", "poster", "reversed", "src", "srcset", "start", "style", "title"),
        *("type", "value", "videoid", "width", "data-checked", "data-list", "data-videoid", *LATE),
    )
)
_FORMATTING = frozenset(
    ("b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u", "iframe")
)
_FLAT = frozenset(("a", "br", "iframe", "img", "li", "p"))
_CODE_ALIKE = ("script", "style")
_CLOSING = frozenset(
    ("applet", "audio", "canvas", "datalist", "frameset", "head", "map", "math", "noscript", "object", "select", "svg")
) | {"template", "video"}
"""Elements that hide what they hold: one that nobody closes holds nothing."""
_ODD = _CLOSING | {"iframe", "noembed", "noframes", "plaintext", "script", "style", "textarea", "title", "xmp"}
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)


def tame(html: str) -> str:
    """Return small, usual HTML as it is; of any other what is safe to parse: beyond 8,000 tags lines, links, pictures.

    An element that is closed within its tag is closed, if nobody closes it later; CDATA is read as what it holds.
    """
    html = whole(opening(html, MARKUP))
    tags = html.count("<")
    if len(html) <= _SMALL and tags <= _SMALL_TAGS and not _is_odd(html):
        return html
    return _Rewriter(_without_open_ends(html), flat=tags > _MANY_TAGS).text()


def _is_odd(html: str) -> bool:
    if not _ODD.isdisjoint(name.lower() for name in _NAMES.findall(html)):
        return True
    if "/>" in html and _CLOSED.search(html):
        return True
    if ("<!" in html or "<?" in html) and (html.rfind("<!--") > html.rfind("-->") or _DECLARED.search(html)):
        return True
    return _STRAY_END.search(html) is not None


def _without_open_ends(html: str) -> str:
    """Without the marks of CDATA sections, and of comments that do not end."""
    if "<![CDATA[" in html:
        html = html.replace("<![CDATA[", "").replace("]]>", "")
    html = html.replace("--!>", "-->")
    ended = html.rfind("-->") + 3 if "-->" in html else 0
    return html[:ended] + _UNCLOSED_COMMENT.sub("", html[ended:])


class _Rewriter:
    """Writes the tags anew, one by one, and closes what hides the rest of the text otherwise."""

    def __init__(self, html: str, *, flat: bool) -> None:
        self._html = html
        self._flat = flat
        self._parts: list[str] = []
        self._open: dict[str, list[int]] = {}
        """By name, where an end tag goes if none comes later; -1: nowhere."""
        self._raw: dict[str, tuple[list[int], list[int]]] = {}
        """Of elements that hold no markup, by name: where any tag begins, and where end tags do."""
        for tag in _RAW.finditer(html):
            starts, ends = self._raw.setdefault(tag[2].lower(), ([], []))
            starts.append(tag.start())
            if tag[1]:
                ends.append(tag.start())

    def text(self) -> str:
        html, at = self._html, 0
        while tag := _TAG.search(html, at):
            self._parts.append(html[at : tag.start()])
            at = self._take(tag)
        self._parts.append(html[at:])
        for name, places in self._open.items():
            for place in places:
                if place >= 0:
                    self._parts[place] = f"</{_renamed(name)}>"
        return "".join(self._parts)

    def _take(self, tag: re.Match[str]) -> int:
        """Write one tag; where the text goes on."""
        name = (tag["name"] or "").lower()
        if not name:
            self._parts.append("&lt;" if tag[0] == "<" else "")
        elif tag["close"]:
            self._end(name)
        elif name in self._raw:
            return self._take_raw(tag, name)
        elif name != "plaintext":
            self._start(tag, name)
        return tag.end()

    def _take_raw(self, tag: re.Match[str], name: str) -> int:
        """An element in which tags are no tags: where its content ends, if it may not be read."""
        starts, ends = self._raw[name]
        index = bisect_left(ends, tag.end())
        end = ends[index] if index < len(ends) else -1
        alone = _is_closed(tag["rest"]) or end < 0
        if not alone and name not in _CODE_ALIKE:
            alone = starts[bisect_left(starts, tag.end())] != end  # another one begins before: this one has no end
        if name == "iframe":
            self._start(tag, name)
            if alone:
                self._end(name)
        elif name == "xmp" and not alone:
            self._parts.append(f"<pre>{escape(self._html[tag.end() : end])}</pre>")
        if not alone:
            return tag.end() if name == "iframe" else end
        if name in _CODE_ALIKE and not _is_closed(tag["rest"]) and "src" not in tag["rest"]:
            code = self._html.find("<", tag.end())
            return code if code >= 0 else len(self._html)
        return tag.end()

    def _start(self, tag: re.Match[str], name: str) -> None:
        if self._flat and name not in _FLAT:
            self._parts.append(" ")
            return
        self._parts.append(f"<{_renamed(name)}{_attributes(tag['rest'])}>")
        closed = name not in _VOID and _is_closed(tag["rest"])
        if closed or name in _CLOSING:
            self._open.setdefault(name, []).append(len(self._parts))
            self._parts.append("")
        elif name in self._open:
            self._open[name].append(-1)

    def _end(self, name: str) -> None:
        if self._flat and name not in _FLAT:
            self._parts.append(" ")
            return
        if name not in self._raw or name == "iframe":
            self._parts.append(f"</{_renamed(name)}>")
        if places := self._open.get(name):
            places.pop()


def _renamed(name: str) -> str:
    """A name of no meaning to the Standard, which a reader knows: formatting is not repeated, a frame holds tags."""
    return f"x-{name}" if name in _FORMATTING else name


def _attributes(rest: str) -> str:
    given: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(rest):
        if (lower := name.lower()) in _KEPT:
            given.setdefault(lower, value)
    return "".join(f" {name}={value}" if value else f" {name}" for name, value in given.items())


def _is_closed(rest: str) -> bool:
    """Whether a tag ends in a slash of its own, which is not the last character of an unquoted value."""
    if not rest.endswith("/"):
        return False
    last = rest[-500:-1].rpartition(" ")[2]
    return last.endswith(('"', "'", "\n", "\t")) or "=" not in last
