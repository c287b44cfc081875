"""Rich text as a draft: looks, links that say where they lead, quotations, lists as lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from urllib.parse import urlsplit

from adapters.telegram.entities import EntityDraft, EntityText, Kind, finished, is_blank
from adapters.telegram.limits import TEXT, address
from relay.rich import Block, Form, Role, Span, SpanStyle, Text
from relay.text import cut, honest, safe_url, units
from relay.text.addresses import bare

_KINDS: dict[SpanStyle, Kind] = {
    SpanStyle.SPOILER: "spoiler",
    SpanStyle.CODE: "code",
    SpanStyle.BOLD: "bold",
    SpanStyle.ITALIC: "italic",
    SpanStyle.UNDERLINE: "underline",
    SpanStyle.STRIKE: "strikethrough",
}
_NAME = re.compile(r"[@＠#＃][^\s/]*")
_TELEGRAM = re.compile(r"https?://(?:[\w-]+\.)*(?:t\.me|telegram\.(?:me|dog))(?![\w.-])", re.IGNORECASE)
_DEEPEST = 5
_LONG_QUOTE, _LONG_LINES = 300, 4


@dataclass(frozen=True, slots=True)
class _Run:
    """A part of one line with one look."""

    text: str
    link: str = ""
    role: Role = Role.TEXT
    marks: frozenset[SpanStyle] = frozenset()


# --- links ---


def foreign(text: str) -> EntityDraft:
    """A foreign line: addresses in it are links, nothing else is."""
    return _styled([_Run(text)]) if text else EntityDraft()


def linked(text: str | EntityDraft, url: str, role: Role = Role.TEXT) -> EntityDraft:
    """A foreign text as a link that says where it leads; the text alone where it leads nowhere."""
    draft = EntityDraft(text) if isinstance(text, str) else text
    target = address(url)
    if not target or not draft:
        return draft + _mail(draft.text, safe_url(url))
    return draft.marked("text_link", target, tag=role is Role.HASHTAG) + _host_behind(draft.text, target, role)


def _mail(shown: str, url: str) -> str:
    mail = url.removeprefix("mailto:") if url.startswith("mailto:") else ""
    return f" ({mail})" if mail and mail not in shown else ""


def _host_behind(shown: str, target: str, role: Role) -> str:
    """The real host, where the text looks like another's and nobody has said so yet."""
    words = " ".join(shown.split())
    if role is not Role.TEXT and _NAME.fullmatch(words):
        return ""
    alone = words.removesuffix(f" ({urlsplit(target).hostname})")
    if alone != words and honest(alone, target) == words:
        return ""
    return honest(words, target).removeprefix(words)


# --- lines ---


def _lines_of(spans: Iterable[Span]) -> list[list[_Run]]:
    lines: list[list[_Run]] = [[]]
    for span in spans:
        for count, text in enumerate(span.text.split("\n")):
            if count:
                lines.append([])
            if text:
                lines[-1].append(_Run(text, span.link, span.role, frozenset(span.marks)))
    return lines


def _styled(line: Iterable[_Run]) -> EntityDraft:
    """A line with its looks and links; what is hidden in a row is hidden as one."""
    draft = EntityDraft()
    for is_hidden, near in groupby(_parts(line), key=lambda part: part[0]):
        looks = [look for look in _KINDS if look is not SpanStyle.SPOILER or not is_hidden]
        part = EntityDraft()
        for _, runs in near:
            part += _shown(runs, looks)
        draft += part.marked("spoiler") if is_hidden else part
    return draft


def _parts(line: Iterable[_Run]) -> Iterator[tuple[bool, list[_Run]]]:
    """Links, each as a whole, and what is between them; whether all of it is hidden."""
    for url, group in groupby(_with_addresses(line), key=lambda run: run.link):
        runs = list(group)
        if url:
            yield all(SpanStyle.SPOILER in run.marks for run in runs), runs
            continue
        for is_hidden, some in groupby(runs, key=lambda run: SpanStyle.SPOILER in run.marks):
            yield is_hidden, list(some)


def _shown(runs: Sequence[_Run], looks: Sequence[SpanStyle]) -> EntityDraft:
    url, roles = runs[0].link, {run.role for run in runs}
    if not url:
        return _looking(runs, looks)
    inner = _looking(runs, [look for look in looks if look is not SpanStyle.CODE])  # a link is worth more than its look
    return linked(inner, url, roles.pop() if len(roles) == 1 else Role.TEXT)


def _looking(runs: Sequence[_Run], looks: Sequence[SpanStyle]) -> EntityDraft:
    if not looks or not any(run.marks for run in runs):
        return EntityDraft("".join(run.text for run in runs))
    look, *inner = looks
    draft = EntityDraft()
    for has, group in groupby(runs, key=lambda run: look in run.marks):
        part = _looking(list(group), [] if has and look is SpanStyle.CODE else inner)
        draft += part.marked(_KINDS[look]) if has else part
    return draft


def _with_addresses(line: Iterable[_Run]) -> Iterator[_Run]:
    """The line with what is an address, and no link yet, as a link; ways into Telegram stay text."""
    for is_set, group in groupby(line, key=lambda run: bool(run.link) or SpanStyle.CODE in run.marks):
        runs = list(group)
        yield from runs if is_set else _parted(runs)


def _parted(runs: list[_Run]) -> Iterator[_Run]:
    text = "".join(run.text for run in runs)
    found = [(start, end) for start, end in bare(text) if _is_whole(text, start, end)] if "://" in text else []
    at = 0
    for run in runs:
        edges = {at, at + len(run.text), *(edge for pair in found for edge in pair if at < edge < at + len(run.text))}
        for start, end in pairwise(sorted(edges)):
            url = next((text[left:right] for left, right in found if left <= start < right), "")
            yield replace(run, text=text[start:end], link=url)
        at += len(run.text)


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether it leads where it says: nobody shortened it."""
    url = text[start:end]
    return not text.startswith("…", end) and not _TELEGRAM.match(url) and address(url) != ""


# --- blocks ---


def drafted(text: Text, *, quoted: bool = False) -> EntityDraft:
    """The text, all of it; ``quoted``: it stands in a quotation already, and quotations cannot stand in another."""
    whole = EntityDraft()
    for is_quote, group in groupby(text, key=lambda block: block.quote > 0 and not quoted):
        part = _blocks(group)
        if is_quote:
            part = quotation(part)
        if part:
            whole = whole + "\n" + part if whole else part
    return whole


def quotation(draft: EntityDraft) -> EntityDraft:
    """The draft as a quotation; a long one can be unfolded."""
    is_long = units(draft.text) > _LONG_QUOTE or draft.text.count("\n") >= _LONG_LINES
    return draft.marked("expandable_blockquote" if is_long else "blockquote") if draft else draft


def _blocks(blocks: Iterable[Block]) -> EntityDraft:
    whole = EntityDraft()
    above: Block | None = None
    for block in blocks:
        if part := drafted_block(block):
            whole = whole + _between(above, block) + part
            above = block
    return whole


def _between(above: Block | None, block: Block) -> str:
    if above is None:
        return ""
    near = above.form is Form.HEADING or above.form is block.form is Form.ITEM or Form.CODE in {above.form, block.form}
    return "\n" if near else "\n\n"


def drafted_block(block: Block, *, bullets: bool = True) -> EntityDraft:
    """One block without the quotation that it may stand in; ``bullets``: with its marker and margin."""
    if block.form is Form.RULE:
        return EntityDraft("———")
    if block.form is Form.CODE:
        code = "".join(span.text for span in block.spans).strip("\n")
        return EntityDraft() if is_blank(code) else EntityDraft(code).marked("pre")
    lines = [_styled(runs).stripped() for runs in _lines_of(block.spans)]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return _laid_out(block, lines, bullets=bullets) if lines else EntityDraft()


def _laid_out(block: Block, lines: list[EntityDraft], *, bullets: bool) -> EntityDraft:
    if block.form in {Form.HEADING, Form.NOTE}:
        whole = lines[0]
        for line in lines[1:]:
            whole = whole + " " + line
        return whole.marked("bold" if block.form is Form.HEADING else "italic")
    first, rest = _margins(block) if bullets else ("", "")
    whole = EntityDraft(first) + lines[0]
    for line in lines[1:]:
        whole = whole + f"\n{rest}" + line
    return whole


def _margins(block: Block) -> tuple[str, str]:
    depth = min(block.depth, _DEEPEST)
    if block.form is not Form.ITEM:
        return "  " * depth, "  " * depth
    bullet = (block.bullet or "•")[:12]
    return "  " * max(0, depth - 1) + f"{bullet} ", "  " * max(1, depth)


# --- to a limit ---


def fitted(text: Text, limit: int, *, more: EntityDraft | None = None, quoted: bool = False) -> EntityDraft:
    """The text of at most ``limit``; where it had to be cut, ``more`` stands at its end."""
    more = more or EntityDraft()
    text = tuple(replace(block, quote=min(block.quote, 1), depth=min(block.depth, _DEEPEST)) for block in text)
    near = cut(text, max(0, limit), measure=units)
    if near is text and (whole := drafted(text, quoted=quoted)).size <= limit:
        return whole
    length = room = limit - more.size - 1
    while length > 0:
        draft = drafted(kept := cut(near, length, measure=units), quoted=quoted)
        if draft.size <= room:
            apart = kept[-1].form is Form.CODE or kept[-1].quote
            return draft + ("\n" if apart else " ") + more if more else draft
        length -= max(1, draft.size - room)
    return more if more.size <= limit else EntityDraft()


def answer(text: Text) -> tuple[EntityText, ...]:
    """A text of our own as messages, parted between blocks; commands in it can be pressed, names call nobody."""
    pages = (finished(fitted(page, TEXT), commands=True) for page in _pages(text))
    return tuple(page for page in pages if not is_blank(page.text)) or (EntityText("…"),)


def _pages(text: Text) -> Iterator[Text]:
    page: tuple[Block, ...] = ()
    for block in text:
        if page and drafted((*page, block)).size > TEXT:
            yield page
            page = ()
        page = (*page, block)
    yield page
