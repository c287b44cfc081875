"""Rich text as Markdown (CommonMark 0.31 with GFM's strikethrough) in which foreign text is only text."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from relay.card import Section, SectionKind
from relay.i18n import Words
from relay.model import Media, Post, Quote, Removed
from relay.rich import Block, Form, Span, SpanStyle, Text
from relay.text import clean, honest, safe_url, text_content
from relay.web.labels import day, kind, moment, nameless, post_sections, posts
from relay.web.markup import DEEPEST
from relay.web.thread_view import ThreadReading, byline

_SPECIAL = re.compile(r"[\\`*_\[\]<>&~|]|!$")
_LINE_START = re.compile(r"^(?=[#+\-=:])|^([0-9]{1,9})(?=[.)])", re.MULTILINE)
_WRAPS = {SpanStyle.STRIKE: "~~", SpanStyle.ITALIC: "*", SpanStyle.BOLD: "**"}
_Style = tuple[SpanStyle, ...]


def markdown(reading: ThreadReading) -> str:
    """The thread as one Markdown document: a head, and after each post where and when it was said."""
    first, say = reading.first, reading.say
    facts = f"{posts(say, len(reading.written))}, {day(say, first.published)}."
    parts = [f"# {line(reading.title)}", f"{facts} {link(say('Read the original'), first.url)}"]
    for post in reading.posts:
        parts += _post(post, say)
    for chain in reading.asides:
        parts.append("---")
        parts += [part for post in chain for part in _post(post, say)]
    return "\n\n".join(part for part in parts if part)


def line(text: str) -> str:
    """A foreign name, title or description as Markdown, on one line."""
    escaped = _SPECIAL.sub(_escaped, clean(text, limit=2000)).replace("#", r"\#")
    return _LINE_START.sub(r"\1\\", escaped)


def link(text: str, url: str, *, sign: str = "") -> str:
    """A link (with the sign ``!``: a picture) that says where it leads; the text alone where the address is none."""
    target = safe_url(url)
    return f"{sign}[{line(honest(clean(text, limit=2000), target))}](<{target}>)" if target else line(text)


def _escaped(special: re.Match[str]) -> str:
    return f"\\{special[0]}"


def _post(post: Post | Removed, say: Words) -> Iterator[str]:
    if isinstance(post, Removed):
        yield rf"*\[{line(say('post removed'))}\]*"
        return
    for section in post_sections(post, say):
        yield _section(section, post, say)
    yield link(moment(say, post.published), post.url)


def _section(section: Section, of: Post | Quote, say: Words) -> str:
    match section.kind:
        case SectionKind.HEADLINE:
            return f"## {line(text_content(section.text))}"
        case SectionKind.WARNING if isinstance(of, Post):
            return f"> {text_markdown(section.text)}"
        case SectionKind.BYLINE if of.author:
            return link(byline(of.author), of.url)
        case SectionKind.MEDIA:
            return "\n\n".join(_media(media, say, folded=section.folded) for media in of.media)
        case SectionKind.QUOTE if isinstance(of, Post):
            return _quoted(section, of, say)
    return text_markdown(tuple(replace(block, spans=_honest(block.spans)) for block in section.text))


def _quoted(section: Section, post: Post, say: Words) -> str:
    parts = [_section(one, post.quote, say) for one in section.inner] if post.quote else []
    text = "\n\n".join(part for part in parts if part) or text_markdown(section.text)
    return "\n".join(f"> {each}".rstrip() for each in text.split("\n"))


def _honest(spans: Iterable[Span]) -> tuple[Span, ...]:
    return tuple(replace(one, text=honest(one.text, one.link)) if one.link else one for one in spans)


def _media(media: Media, say: Words, *, folded: bool) -> str:
    """A picture, or a link where the author asked to fold it or it is none."""
    name = kind(say, media.kind)
    told_of = link(f"{name}: {media.alt}" if media.alt else name, media.link)
    if not media.picture or folded:
        return told_of
    picture = link(media.alt or nameless(say, media.kind), media.picture, sign="!")
    return picture if media.is_picture else f"{picture}\n\n{told_of}"


def text_markdown(text: Text) -> str:
    """The text as Markdown, without a line break at the end."""
    written = ""
    above: Block | None = None
    offsets: list[int] = []
    for block in text:
        if not (lines := _lines(block)):
            continue
        outer = offsets if above and above.quote == block.quote else []
        offsets, lines = _set(block, lines, outer)
        quote = "> " * min(block.quote, DEEPEST)
        written += _between(above, block, deeper=len(offsets) > len(outer))
        written += "\n".join(f"{quote}{line}".rstrip() for line in lines)
        above = block
    return written


def _between(above: Block | None, block: Block, *, deeper: bool) -> str:
    """What parts two blocks: an empty line, as far inside a quote as both are; nothing between the items of a list."""
    if above is None:
        return ""
    if above.form is block.form is Form.ITEM and above.quote == block.quote and not deeper:
        return "\n"
    return "\n" + ("> " * min(above.quote, block.quote, DEEPEST)).rstrip() + "\n"


def _set(block: Block, lines: list[str], offsets: list[int]) -> tuple[list[int], list[str]]:
    """The lines indented to the item they belong to; ``offsets`` are where the texts of the open items begin."""
    depth = min(max(block.depth, 1) if block.form is Form.ITEM else block.depth, len(offsets) + 1, DEEPEST)
    if block.form is not Form.ITEM:
        offsets = offsets[:depth]
        return offsets, _indented(lines, offsets[-1] if offsets else 0, "")
    outer = offsets[: depth - 1]
    number = re.match(r"[0-9]{1,9}", block.bullet)
    marker = f"{number[0]}. " if number else "- "
    indent = outer[-1] if outer else 0
    return [*outer, indent + len(marker)], _indented(lines, indent, marker)


def _indented(lines: list[str], indent: int, marker: str) -> list[str]:
    first, rest = " " * indent + marker, " " * (indent + len(marker))
    return [(rest if index else first) + line for index, line in enumerate(lines)]


def _lines(block: Block) -> list[str]:
    if block.form is Form.RULE:
        return ["---"]
    if block.form is Form.CODE:
        code = "".join(span.text for span in block.spans)
        fence = "`" * max(3, _longest_run(code) + 1)
        return [fence, *code.split("\n"), fence]
    lines = [line.strip(" \t") for line in _inline(block.spans).strip().split("\n")]
    if block.form is Form.HEADING:
        heading = re.sub("(?<!#)#+$", r"\\\g<0>", " ".join(lines))
        return [f"### {heading}"] if heading else []
    broken = "\\\n".join(lines)
    return _LINE_START.sub(r"\1\\", broken).split("\n") if broken else []


def _longest_run(code: str) -> int:
    return max((len(run) for run in re.findall("`+", code)), default=0)


def _inline(spans: Sequence[Span]) -> str:
    written = (span for span in spans if span.text)
    groups = [(url, tuple(run)) for url, run in groupby(written, key=lambda s: safe_url(s.link) if s.link else "")]
    ends = len(groups) - 1
    return "".join(
        _linked(url, run) if url else _styled(run, ")" if index else "", "[" if index < ends else "")
        for index, (url, run) in enumerate(groups)
    )


def _linked(url: str, spans: Sequence[Span]) -> str:
    text = "".join(span.text for span in spans)
    if not text.strip():
        return text
    if text == url:
        return f"<{url}>"
    words = _styled(spans, "[", "]").replace("\n", " ")
    return f"[{words}](<{url}>)"


def _styled(spans: Sequence[Span], before: str, after: str) -> str:
    """Runs of one style, between two characters (empty: the text begins or ends there)."""
    runs = [(style, "".join(span.text for span in run)) for style, run in groupby(spans, key=_style)]
    edges = [before, *(text for _, text in runs), after]
    parts = (_run(style, text, edges[at][-1:], edges[at + 2][:1]) for at, (style, text) in enumerate(runs))
    return "".join(parts)


def _style(span: Span) -> _Style:
    return (SpanStyle.CODE,) if SpanStyle.CODE in span.marks else tuple(mark for mark in _WRAPS if mark in span.marks)


def _run(style: _Style, text: str, before: str, after: str) -> str:
    """Marks are left out where Markdown would not take them for marks, as inside a word."""
    if style == (SpanStyle.CODE,):
        return _code(text.replace("\n", " "))
    marked = _opens(before, text[0]) and _opens(after, text[-1])
    wrap = "".join(_WRAPS[mark] for mark in style) if marked else ""
    return wrap + _SPECIAL.sub(_escaped, text) + wrap[::-1]


def _opens(outer: str, inner: str) -> bool:
    """Whether a mark between these two belongs to the inner one and to nothing else (CommonMark 6.2, strictly)."""
    if not outer or outer == "\n" or unicodedata.category(outer) == "Zs":
        return not inner.isspace()
    apart = outer in string.punctuation or unicodedata.category(outer)[0] == "P"
    return apart and unicodedata.category(inner)[0] in "LMN"


def _code(text: str) -> str:
    if not text.strip():
        return text
    fence = "`" * (_longest_run(text) + 1)
    space = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{space}{text}{space}{fence}"
