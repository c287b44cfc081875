"""HTML as Telegram reads it: a few tags, all of them closed, nothing left unescaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from tests.servers.telegram.entities import units
from tests.servers.telegram.refusal import Json, Refusal, bad

_TAG = re.compile(r"<(/?)([A-Za-z][\w-]*)((?:\s+[\w-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[\w.-]+))?)*)\s*(/?)>")
_ATTRIBUTE = re.compile(r"([\w-]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([\w.-]+)))?")
_NUMBER = r"#\d+|#x[0-9a-fA-F]+"
FEW = re.compile(f"&(?:lt|gt|amp|quot|{_NUMBER});")
MORE = re.compile(f"&(?:lt|gt|amp|quot|apos|nbsp|hellip|[mn]dash|[lr][sd]quo|{_NUMBER});")
"""The character references of rich messages."""
_KINDS = {
    **dict.fromkeys(("b", "strong"), "bold"),
    **dict.fromkeys(("i", "em"), "italic"),
    **dict.fromkeys(("u", "ins"), "underline"),
    **dict.fromkeys(("s", "strike", "del"), "strikethrough"),
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
    "tg-time": "date_time",
}


@dataclass
class Tag:
    """A tag as it stands in the text."""

    name: str
    closing: bool
    at: int
    attributes: dict[str, str] = field(default_factory=dict)
    alone: bool = False
    """It closes itself: ``<br/>``."""


def unparsed(reason: str) -> Refusal:
    return bad(f"can't parse entities: {reason}")


def pieces(html: str, references: re.Pattern[str] = FEW) -> Iterator[str | Tag]:
    """Texts (unescaped) and tags, in order; a ``<`` that begins no tag is refused."""
    at = 0
    while at < len(html):
        start = html.find("<", at)
        if start < 0:
            start = len(html)
        if start > at:
            yield references.sub(lambda match: unescape(match.group()), html[at:start])
        if start < len(html):
            match = _TAG.match(html, start)
            offset = len(html[:start].encode())
            if match is None:
                raise unparsed(f'Unsupported start tag "{html[start + 1 : start + 12]}" at byte offset {offset}')
            yield _tag(match, offset)
            start = match.end()
        at = start


def _tag(match: re.Match[str], offset: int) -> Tag:
    closing, name, rest, alone = match.groups()
    found = {one[1].lower(): unescape(one[2] or one[3] or one[4] or "") for one in _ATTRIBUTE.finditer(rest)}
    return Tag(name.lower(), bool(closing), offset, found, bool(alone))


def parsed(html: str) -> tuple[str, list[Json]]:
    """The text and its entities, as ``parse_mode=HTML`` means them."""
    text, found, stack = "", list[tuple[int, int, int, Json]](), list[tuple[Tag, int]]()
    for piece in pieces(html):
        if isinstance(piece, str):
            text += piece
        elif not piece.closing:
            _check(piece)
            stack.append((piece, units(text)))
        else:
            opened, offset = closed(stack, piece)
            length = units(text) - offset
            if length:
                found.append((offset, -length, opened.at, _entity(opened, offset, length)))
    if stack:
        raise unparsed(f'Can\'t find end tag corresponding to start tag "{stack[-1][0].name}"')
    return text, _joined([entity for *_place, entity in sorted(found, key=lambda one: one[:3])])


def closed(stack: list[tuple[Tag, int]], end: Tag) -> tuple[Tag, int]:
    """The tag that this one closes, taken from the stack."""
    if not stack:
        raise unparsed(f"Unexpected end tag at byte offset {end.at}")
    opened, offset = stack.pop()
    if opened.name != end.name:
        raise unparsed(f'Unmatched end tag at byte offset {end.at}, expected "</{opened.name}>", found "</{end.name}>"')
    return opened, offset


def _check(tag: Tag) -> None:
    if tag.name not in _KINDS or (tag.name == "span" and tag.attributes.get("class") != "tg-spoiler"):
        raise unparsed(f'Unsupported start tag "{tag.name}" at byte offset {tag.at}')


def _entity(tag: Tag, offset: int, length: int) -> Json:
    kind, told = _KINDS[tag.name], tag.attributes
    if kind == "blockquote" and "expandable" in told:
        kind = "expandable_blockquote"
    made: Json = {"type": kind, "offset": offset, "length": length}
    if kind == "text_link":
        made["url"] = told.get("href", "")
    if kind == "custom_emoji":
        made["custom_emoji_id"] = told.get("emoji-id", "")
    if kind == "code" and told.get("class", "").startswith("language-"):
        made["language"] = told["class"].removeprefix("language-")
    return made


def _joined(entities: list[Json]) -> list[Json]:
    """``<pre><code class="language-x">`` is one entity."""
    kept: list[Json] = []
    for one in entities:
        last = kept[-1] if kept else {}
        if one["type"] == "code" and last.get("type") == "pre" and last["offset"] == one["offset"]:
            last.update({key: value for key, value in one.items() if key == "language"})
        else:
            kept.append({key: value for key, value in one.items() if key != "language" or one["type"] == "pre"})
    return kept
