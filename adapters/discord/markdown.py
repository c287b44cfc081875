"""Rich text as Discord's Markdown, in which foreign text is only text and calls nobody. Pure.

Discord reads Markdown its own way. What this module rests on, beside its help pages:
- A backslash before any ASCII punctuation takes its meaning away, but not within the text of a masked link, where the
  backslash is shown (discord-api-docs#6185). So what would need one there stands outside of the link, and so do emoji,
  which break it (#7673).
- An address with a scheme in a masked link's text breaks the link (#7721).
- ``~~`` and ``||`` end at the next such pair, whatever stands before it.
- The server looks for mentions in the raw text, before any escape is read: only a character in between parts them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from urllib.parse import urlsplit

from adapters.discord.limits import Measure, size
from relay.card import time_of
from relay.rich import Block, Form, Span, SpanStyle, Text
from relay.text import cut, honest, safe_url, short, units
from relay.text.addresses import bare

SMALL = "-# "
"""Begins a line in small letters; embeds do not know it."""
GAP = "\u200b"
"""Parts what must not touch; nobody sees it."""

_WRAPS = {
    SpanStyle.SPOILER: "||",
    SpanStyle.UNDERLINE: "__",
    SpanStyle.STRIKE: "~~",
    SpanStyle.BOLD: "**",
    SpanStyle.ITALIC: "*",
}
_DELIMITERS = frozenset("*_~|`")
_SPECIAL = re.compile(
    r"(?P<call>@(?=everyone|here|[&!]|\d|$))"
    r"|(?P<form><(?=[@#:/]|a:|t:|id:|$))"
    r"|(?P<plain>[\\*_~`|\[\]<@]|:(?=/|$|[\w~+-]+:))",
    re.IGNORECASE,
)
_CALL = re.compile(r"@(?=everyone|here|[&!]?\d)", re.IGNORECASE)
_CODE_CALL = re.compile(rf"{_CALL.pattern}|<(?=#\d)", re.IGNORECASE)
_LINE_START = re.compile(r"^(\s*)(?:(?=[#>+-])|(\d+)(?=\.))")
_INVISIBLE = re.compile(r"[\s\u00ad\u034f\u115f\u1160\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0]+")

_PICTOGRAM = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_EMOJI = f"[0-9#*]\ufe0f?\u20e3|[{_PICTOGRAM}\ufe0f][{_PICTOGRAM}\u200d\ufe0f\u20e3\U000e0020-\U000e007f]*"
_NO_LABEL = re.compile(
    rf"({_EMOJI}|[\\*~`|\[\]<>]+|(?<![A-Za-z0-9])_+|_+(?![A-Za-z0-9])|__+|:(?=[\w~+-]+:)|^\s*(?:[#>+-]+(?=\s|$)|\d+\.))"
)
_LONGEST_LINK, _LONGEST_HOST = 700, 253
_DEEPEST = 5
_MARKS = tuple(SpanStyle)
_BEGINNINGS = {Form.HEADING: "### ", Form.NOTE: SMALL}
_ENCODED = str.maketrans({c: f"%{ord(c):02X}" for c in "()*|~[]'\\"})


@dataclass(frozen=True, slots=True)
class _Run:
    """A part of one line with one look."""

    text: str
    link: str = ""
    marks: tuple[SpanStyle, ...] = ()
    written: bool = False
    """It is Markdown already."""


def escape(text: str) -> str:
    """A foreign line as Markdown that shows just this line: no markup, no link, no mention."""
    return _LINE_START.sub(r"\1\2\\", _SPECIAL.sub(_escaped, text))


def _escaped(special: re.Match[str]) -> str:
    if special["call"]:
        return f"@{GAP}"
    return f"\\<{GAP}" if special["form"] else f"\\{special[0]}"


def escaped_within(text: str, limit: int, *, measure: Measure = units) -> str:
    """A foreign line, cut so that it is at most ``limit`` with its escapes."""
    most = limit
    while measure(line := escape(short(text, most, measure=measure))) > limit:
        most = most * 3 // 4
    return line


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in it; Discord refuses such texts."""
    return not _INVISIBLE.sub("", text)


# --- links ---


def link(text: str, url: str, *, longest: int = _LONGEST_LINK) -> str:
    """A foreign text on one line as a masked link that says where it leads; the text alone where it leads nowhere."""
    target = target_of(url, longest)
    if not target:
        return _with_mail(text, safe_url(url))
    words = " ".join(text.split())
    if _is_start_of(words, url):
        return _bare(safe_url(url))
    words = _before_host(words, target)
    return _masked(words, target) or f"{escape(words)} ([{_host(target)}](<{target}>))".strip()


def _before_host(words: str, target: str) -> str:
    """The words without the host that :func:`relay.text.honest` has put behind them: it stands there as a link."""
    words_alone = words.removesuffix(f" ({urlsplit(target).hostname})")
    return words if honest(words_alone, target) == words_alone else words_alone


def _with_mail(text: str, url: str) -> str:
    mail = url.removeprefix("mailto:") if url.startswith("mailto:") else ""
    return escape(f"{text} ({mail})" if mail and mail not in text else text)


def target_of(url: str, longest: int = _LONGEST_LINK) -> str:
    """The address as it may stand within a masked link; "" where Discord would not follow it."""
    safe = safe_url(url)
    if not safe.startswith(("http://", "https://")) or len(safe) > longest:
        return ""
    parts = urlsplit(safe)
    if len(parts.netloc) > _LONGEST_HOST:
        return ""
    start = len(parts.scheme) + 3 + len(parts.netloc)
    tail = safe[start:].translate(_ENCODED).replace("__", "%5F%5F")
    return _CALL.sub("%40", safe[:start] + tail)


def _bare(url: str, *, encoded: bool = False) -> str:
    return f"<{target_of(url) or url}>" if encoded else f"<{_CALL.sub('%40', url)}>"


def _is_start_of(words: str, url: str) -> bool:
    """Whether the words are this address, perhaps shortened, with its scheme."""
    return words == url or (words.startswith(("http://", "https://")) and url.startswith(words.rstrip("…")))


def _host(target: str) -> str:
    return urlsplit(target).netloc.translate(_ENCODED)


def _masked(words: str, target: str) -> str:
    """The words as links, with what a link's text cannot hold between them; "" where they cannot be links."""
    pieces = _NO_LABEL.split(words)
    labels = [piece for piece in pieces[::2] if piece.strip()]
    if "://" in words or not labels or all(is_blank(label) for label in labels):
        return ""
    if len(labels) > 1 and len(labels) * len(target) > _LONGEST_LINK:
        return ""
    if any(honest(shown, target) != shown for shown in (words, *map(str.strip, labels))):
        return ""
    return "".join(escape(piece) if odd % 2 else _label(piece, target) for odd, piece in enumerate(pieces))


def _label(text: str, target: str) -> str:
    words = text.strip()
    if is_blank(words):
        return escape(text)
    lead, _, tail = text.partition(words)
    return f"{lead}[{_CALL.sub(f'@{GAP}', words)}](<{target}>){tail}"


# --- lines ---


def _lines_of(spans: Iterable[Span], *, folded: bool) -> list[list[_Run]]:
    lines: list[list[_Run]] = [[]]
    for span in spans:
        if when := time_of(span):
            lines[-1].append(_Run(f"<t:{int(when.timestamp())}:f>", marks=span.marks, written=True))
            continue
        marks = (SpanStyle.SPOILER, *span.marks) if folded else span.marks
        for count, text in enumerate(span.text.split("\n")):
            if count:
                lines.append([])
            if text:
                lines[-1].append(
                    _Run(text, span.link, tuple(mark for mark in _MARKS if mark in marks) if marks else ())
                )
    return [_with_whole_links(line) for line in lines]


def _with_whole_links(line: list[_Run]) -> list[_Run]:
    """Neighbours with one address are one link: parts of a link must not be looked at one by one."""
    runs: list[_Run] = []
    for url, group in groupby(line, key=lambda run: run.link):
        parts = list(group)
        if not url:
            runs += parts
            continue
        marks = tuple(mark for mark in _WRAPS if all(mark in part.marks for part in parts))
        if runs and runs[-1].link:
            runs.append(_Run(" "))  # two links that touch read as one word
        runs.append(_Run("".join(part.text for part in parts), url, marks))
    return runs


def _styled(runs: Sequence[_Run], marks: Sequence[SpanStyle] = tuple(_WRAPS), *, within: bool = False) -> str:
    if not marks or not any(run.marks for run in runs):
        return _joined(_leaves(runs, within=within))
    mark, *inner = marks
    parts = []
    for marked, group in groupby(runs, key=lambda run: mark in run.marks):
        text = _styled(list(group), inner, within=within or marked)
        parts.append(wrapped(text, mark) if marked else text)
    return _joined(parts)


def wrapped(text: str, mark: SpanStyle) -> str:
    """The marks around a line of Markdown, its white space outside of them."""
    wrap = _WRAPS[mark]
    inner = text.strip()
    if is_blank(inner):
        return text
    lead, _, tail = text.partition(inner)
    before = GAP if inner[0] == wrap[0] else ""
    after = GAP if inner[-1] == wrap[0] else ""
    return f"{lead}{wrap}{before}{inner}{after}{wrap}{tail}"


def _joined(parts: Iterable[str]) -> str:
    """Parts side by side; where two delimiters would touch and be read as a third, a gap is between them."""
    text = ""
    for part in parts:
        text += GAP if text and part and text[-1] in _DELIMITERS and part[0] in _DELIMITERS else ""
        text += part
    return text


def _leaves(runs: Iterable[_Run], *, within: bool) -> Iterator[str]:
    looks = groupby(runs, key=lambda run: (run.link, SpanStyle.CODE in run.marks, run.written))
    for (url, is_code, is_written), group in looks:
        text = "".join(run.text for run in group)
        if is_written:
            yield text
        elif url:
            lead, _, tail = text.partition(text.strip()) if text.strip() else (text, "", "")
            yield lead + (_encoded_link(text.strip(), url, within=within) if text.strip() else "") + tail
        elif is_code:
            yield _code(text, within=within)
        else:
            yield _prose(text, within=within)


def _encoded_link(text: str, url: str, *, within: bool) -> str:
    return (
        _bare(safe_url(url), encoded=True) if within and _is_start_of(text, url) and target_of(url) else link(text, url)
    )


def _prose(text: str, *, within: bool) -> str:
    """Running text, the addresses in it clickable and not unfurled."""
    parts, done = [], 0
    for start, end in bare(text):
        if text.startswith("…", end):
            continue  # somebody shortened it: it leads nowhere
        parts += [escape(text[done:start]), _bare(text[start:end], encoded=within)]
        done = end
    rest = escape(text[done:])
    if within and rest.endswith("\\:"):
        rest = f"{rest[:-2]}:"  # what follows is no letter: no emoji begins here
    return "".join([*parts, rest])


def _parted(code: str) -> str:
    """Code, in which no escape is read, with a gap in what would call somebody."""
    return _CODE_CALL.sub(rf"\g<0>{GAP}", code)


def _code(text: str, *, within: bool) -> str:
    """Inline code; plain text where Discord could not tell its end or the end of the marks around it."""
    if is_blank(text) or "``" in text or (within and re.search(r"[*_~|\\`]", text)):
        return escape(text)
    fence = "``" if "`" in text else "`"
    space = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{space}{_parted(text)}{space}{fence}"


# --- blocks ---


def markdown(text: Text, *, folded: bool = False) -> str:
    """The text as Markdown, all of it; ``folded``: every line behind a spoiler."""
    written = ""
    above: Block | None = None
    for block in text:
        if not (lines := _block(block, folded=folded)):
            continue
        quote = "> " if block.quote else ""
        written += _between(above, block) + "\n".join(f"{quote}{line}" for line in lines)
        above = block
    return written


def lines(text: Text) -> Iterator[str]:
    """The lines of blocks that stand close together."""
    return (line for block in text for line in _block(block, folded=False))


def inline(spans: Iterable[Span]) -> str:
    """Words on one line, without the look of the block that they stand in."""
    return " ".join(_styled(runs) for runs in _lines_of(spans, folded=False))


def _between(above: Block | None, block: Block) -> str:
    if above is None:
        return ""
    if above.form is Form.HEADING or above.form is block.form is Form.ITEM:
        return "\n"
    return "\n> \n" if above.quote and block.quote else "\n\n"


def _block(block: Block, *, folded: bool) -> list[str]:
    if block.form is Form.RULE:
        return ["———"]
    if block.form is Form.CODE and not folded:
        return _fenced("".join(span.text for span in block.spans))
    # Not every client reads a fence within a spoiler: behind one, code is lines of inline code.
    spans = (
        [replace(span, link="", marks=(SpanStyle.CODE,)) for span in block.spans]
        if block.form is Form.CODE
        else block.spans
    )
    lines = [_styled(runs).strip() for runs in _lines_of(spans, folded=folded)]
    while lines and is_blank(lines[0]):
        lines.pop(0)
    while lines and is_blank(lines[-1]):
        lines.pop()
    if not lines:
        return []
    if block.form in _BEGINNINGS:
        return [_BEGINNINGS[block.form] + " ".join(lines)]
    first, rest = _margins(block)
    return [f"{rest if index else first}{line}" for index, line in enumerate(lines)]


def _margins(block: Block) -> tuple[str, str]:
    depth = min(block.depth, _DEEPEST)
    if block.form is not Form.ITEM:
        return "  " * depth, "  " * depth
    if not depth:
        return f"{escape(short(block.bullet, 12))} ", "  "  # a sign of ours
    number = re.fullmatch(r"([0-9]{1,4})[.)]?", block.bullet)
    return "  " * (depth - 1) + (f"{number[1]}. " if number else "- "), "  " * max(1, depth)


def _fenced(code: str) -> list[str]:
    inner = code.strip("\n").replace("```", f"``{GAP}`").replace("```", f"``{GAP}`")
    return [] if is_blank(inner) else ["```", *_parted(inner).split("\n"), "```"]


# --- to a limit ---


def fitted(text: Text, limit: int, *, more: str = "", folded: bool = False, measure: Measure = size) -> str:
    """The text as Markdown of at most ``limit``; where it had to be cut, ``more`` (Markdown) stands at its end."""
    text = tuple(replace(block, quote=min(block.quote, 1), depth=min(block.depth, _DEEPEST)) for block in text)
    near = cut(text, max(0, limit))
    if near is text and measure(whole := markdown(text, folded=folded)) <= limit:
        return whole
    room = limit - measure(more) - 1
    length = bisect_right(range(limit + 1), room, key=lambda n: measure(markdown(cut(near, n), folded=folded))) - 1
    while length > 0:
        kept = cut(near, length)
        written = markdown(kept, folded=folded)
        if measure(written) <= room:
            apart = kept[-1].form is Form.CODE or kept[-1].quote
            return written + (("\n" if apart else " ") + more if more else "")
        length = length * 9 // 10
    return more if measure(more) <= limit else ""


def in_markdown(text: Text, *, limit: int | None = None) -> str:
    """A text of our own as the content of a message; without a limit all of it."""
    return markdown(text) if limit is None else fitted(text, limit, measure=units)
