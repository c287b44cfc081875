"""MFM, Misskey's markup, to spans. Pure, total, and in time that grows with the length of the text.

Read are the everyday marks (bold, italic, strike, code, formulas, quotes, links, hashtags, mentions), and of
``$[fn …]`` what means something: a time, a reading beside its characters, what is blurred. What dances or shines there
is plain text here. https://misskey-hub.net/docs/for-users/features/mfm
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import quote

from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.text import honest, paragraphs, safe_url, scrub

_DEEPEST = 8
_MOST = 10_000
"""Characters that are read; a note has 3,000, unless its server was told otherwise."""

_FENCE = "```"
_URL = r"https?://[^\s<>\"'`{}|\\^「」（）()\[\]]+(?:\([^\s()]*\)[^\s<>\"'`{}|\\^「」（）()\[\]]*)*"
_TOKEN = re.compile(
    rf"""
    (?P<plain><plain>(?P<inner>(?:(?!<plain>).){{0,1000}}?)</plain>)
  | \*\*\*(?P<big>[^\n*]+)\*\*\*
  | \*\*(?P<bold>[^\n*]+(?:\*[^\n*]+)*)\*\* | <b>(?P<b>(?:(?!<b>).){{0,1000}}?)</b> | __(?P<under>[A-Za-z0-9 ]+)__
  | <i>(?P<i>(?:(?!<i>).){{0,1000}}?)</i> | (?<![\w*])\*(?P<italic>[A-Za-z0-9 ]+)\*(?!\w)
  | (?<![\w])_(?P<slant>[A-Za-z0-9 ]+)_(?!\w)
  | \\\((?P<math>(?:(?!\\\().){{1,1000}}?)\\\) | \\\[(?P<formula>(?:(?!\\\[).){{1,1000}}?)\\\]
  | ~~(?P<strike>[^\n~]+)~~ | <s>(?P<s>(?:(?!<s>).){{0,1000}}?)</s>
  | `(?P<code>[^`\n]+)`
  | \$\[(?P<fn>[a-z0-9_]+(?:\.[A-Za-z0-9_,.=-]+)?)[ ]
  | \??\[(?P<label>(?:[^\[\]\n]|\[[^\[\]\n]*\])+)\]\((?P<target>https?://[^\s()]+(?:\([^\s()]*\)[^\s()]*)*)\)
  | <(?P<angle>https?://[^\s<>]+)>
  | (?<![A-Za-z0-9])(?P<url>{_URL})
  | (?<![\w/.@])(?P<mention>@[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?(?:@[A-Za-z0-9][A-Za-z0-9.-]*[A-Za-z0-9])?)
  | (?<![\w/#&])(?P<tag>\#[^\s.,!?'"#:/\[\]【】()「」（）<>]+)
  | </?(?P<drop>small|center)>
    """,
    re.VERBOSE | re.DOTALL,
)
_MARKS = {
    "big": SpanStyle.BOLD,
    "bold": SpanStyle.BOLD,
    "b": SpanStyle.BOLD,
    "under": SpanStyle.BOLD,
    "i": SpanStyle.ITALIC,
    "italic": SpanStyle.ITALIC,
    "slant": SpanStyle.ITALIC,
    "strike": SpanStyle.STRIKE,
    "s": SpanStyle.STRIKE,
}
_TAIL = ".,:;!?"


@dataclass(frozen=True, slots=True)
class _Look:
    """What is around a piece of text."""

    base: str
    marks: tuple[SpanStyle, ...] = ()
    depth: int = 0

    def marked(self, mark: SpanStyle) -> _Look:
        marks = self.marks if mark in self.marks else (*self.marks, mark)
        return replace(self, marks=marks, depth=self.depth + 1)


def from_mfm(text: str, *, base: str = "") -> Text:
    """Read MFM; ``base`` is the server's address, where its hashtags and people are."""
    return tuple(_blocks(scrub(text[:_MOST]), _Look(base), quote_depth=0))


def _blocks(text: str, look: _Look, quote_depth: int) -> Iterator[Block]:
    """Fences and quotes stand on lines of their own; between them is prose."""
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if line.rstrip() == _FENCE]
    prose: list[str] = []
    here = 0
    while here < len(lines):
        end = _end_of_code(lines, here, fences) or _end_of_quote(lines, here, quote_depth)
        if not end:
            prose.append(lines[here])
            here += 1
            continue
        yield from _prose("\n".join(prose), look, quote_depth)
        prose = []
        if lines[here].startswith(_FENCE):
            code = "\n".join(lines[here + 1 : end - 1])
            yield Block((Span(code, marks=(SpanStyle.CODE,)),), form=Form.CODE, quote=quote_depth)
        else:
            inner = (line.removeprefix(">").removeprefix(" ") for line in lines[here:end])
            yield from _blocks("\n".join(inner), look, quote_depth + 1)
        here = end
    yield from _prose("\n".join(prose), look, quote_depth)


def _end_of_code(lines: list[str], start: int, fences: list[int]) -> int:
    """The line after the fence that closes the one at ``start``; 0 where there is none, or no code."""
    if not lines[start].startswith(_FENCE) or "`" in lines[start].removeprefix(_FENCE):
        return 0
    closing = bisect_right(fences, start + 1)
    return fences[closing] + 1 if closing < len(fences) else 0


def _end_of_quote(lines: list[str], start: int, quote_depth: int) -> int:
    end = start
    while quote_depth < _DEEPEST and end < len(lines) and lines[end].startswith(">"):
        end += 1
    return end if end > start else 0


def _prose(text: str, look: _Look, quote_depth: int) -> Iterator[Block]:
    for block in paragraphs(_spans(text, look)):
        yield replace(block, quote=quote_depth)


def _spans(text: str, look: _Look) -> Iterator[Span]:
    done = 0
    while found := _TOKEN.search(text, done):
        yield from _text(text[done : found.start()], look)
        done = found.end()
        if found["fn"]:
            inner, done = _function(text, done)
            yield from _called(found["fn"].partition(".")[0], inner, replace(look, depth=look.depth + 1))
        else:
            yield from _token(found, look)
    yield from _text(text[done:], look)


def _function(text: str, start: int) -> tuple[str, int]:
    """What ``$[fn …]`` holds, and where it ends; all that follows where nothing closes it."""
    depth = 1
    for position in range(start, len(text)):
        depth += (text[position] == "[") - (text[position] == "]")
        if depth == 0:
            return text[start:position], position + 1
    return text[start:], len(text)


def _called(name: str, inner: str, look: _Look) -> Iterator[Span]:
    """What a function makes of its text; of those that only move or colour it, the text."""
    match name:
        case "unixtime":
            yield from _text(_time(inner), look)
        case "ruby":  # the characters and how they are read; with markup in it the reading stands last
            base, _, reading = inner.rpartition(" ") if "[" in inner else inner.strip().partition(" ")
            yield from _inside(base or reading, look)
            yield from _text(f" ({reading.strip()})" if base and reading.strip() else "", look)
        case "blur":
            yield from _inside(inner, look.marked(SpanStyle.SPOILER))
        case _:
            yield from _inside(inner, look)


def _time(seconds: str) -> str:
    """A date and time, of seconds since 1970; as it is where it is no such number."""
    try:
        return f"{datetime.fromtimestamp(int(seconds[:20]), UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return seconds


def _inside(text: str, look: _Look) -> Iterator[Span]:
    yield from _spans(text, look) if look.depth < _DEEPEST else _text(text, look)


def _token(found: re.Match[str], look: _Look) -> Iterator[Span]:
    for name, mark in _MARKS.items():
        if found[name] is not None:
            yield from _inside(found[name], look.marked(mark))
            return
    if found["plain"] is not None:
        yield from _text(found["inner"], look)
    elif (code := found["code"] or found["math"] or found["formula"]) is not None:
        yield Span(code.strip(), marks=(*look.marks, SpanStyle.CODE))
    elif found["label"] is not None:
        yield from _link(found["label"], found["target"], look)
    elif (address := found["angle"] or found["url"]) is not None:
        yield from _bare(address, look)
    elif found["mention"] is not None:
        yield Span(found["mention"], safe_url(f"{look.base}/{found['mention']}"), Role.MENTION, look.marks)
    elif found["tag"] is not None:
        link = safe_url(f"{look.base}/tags/{quote(found['tag'][1:], safe='')}")
        yield Span(found["tag"], link, Role.HASHTAG, look.marks)


def _link(label: str, target: str, look: _Look) -> Iterator[Span]:
    """A link's text may be marked, and leads nowhere else."""
    link = safe_url(target)
    spans = [replace(span, link=link, role=Role.TEXT) for span in _inside(label, replace(look, depth=look.depth + 1))]
    words = "".join(span.text for span in spans)
    yield from spans[:-1]
    yield from (
        replace(span, text=span.text + (honest(words, link)[len(words) :] if link else "")) for span in spans[-1:]
    )


def _bare(address: str, look: _Look) -> Iterator[Span]:
    shown = address.rstrip(_TAIL)
    yield Span(shown, safe_url(shown), marks=look.marks)
    yield from _text(address[len(shown) :], look)


def _text(text: str, look: _Look) -> Iterator[Span]:
    if text:
        yield Span(text, marks=look.marks)
