"""Rich messages: a wider HTML, up to 32,768 characters in 500 blocks with 50 media."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.servers.telegram.markup import MORE, Tag, closed, pieces, unparsed
from tests.servers.telegram.refusal import Json, bad, strict

_BLOCKS: Mapping[str, str] = {
    **dict.fromkeys(
        ("h1", "h2", "h3", "h4", "h5", "h6", "p", "pre", "footer", "ul", "blockquote", "aside", "summary"), ""
    ),
    **dict.fromkeys(
        ("caption", "tr", "figure", "figcaption", "cite", "tg-collage", "tg-slideshow", "tg-math-block"), ""
    ),
    **dict.fromkeys(("th", "td"), "colspan rowspan align valign"),
    "ol": "start type reversed",
    "li": "value type",
    "details": "open",
    "table": "bordered striped",
}
_INLINE: Mapping[str, str] = {
    **dict.fromkeys(
        ("b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "mark", "sub", "sup", "tg-spoiler"), ""
    ),
    "tg-math": "",
    "code": "class",
    "a": "href name",
    "tg-emoji": "emoji-id",
    "tg-time": "unix format",
    "tg-reference": "name",
}
_MEDIA: Mapping[str, str] = dict.fromkeys(("img", "video", "audio"), "src alt tg-spoiler")
_EMPTY: Mapping[str, str] = {"hr": "", "br": "", "img": _MEDIA["img"], "tg-map": "lat long zoom"}
_KNOWN = {**_BLOCKS, **_INLINE, **_MEDIA, **_EMPTY}
MOST, MOST_BLOCKS, MOST_MEDIA, DEEPEST = 32_768, 500, 50, 16


def content(told: Any, bad_urls: dict[str, str]) -> Json:
    """The content of a rich message, where it is as documented."""
    if not isinstance(told, dict) or not set(told) <= {"html", "markdown", "is_rtl", "skip_entity_detection"}:
        raise strict("rich_message has unknown fields")
    if ("html" in told) == ("markdown" in told):
        raise bad("exactly one of the fields html or markdown must be used")
    if "markdown" in told:
        raise strict("rich messages in Markdown are not known here")
    blocks = _Reader(bad_urls).read(told["html"])
    return {"rich_message": {"blocks": blocks, **({"is_rtl": True} if told.get("is_rtl") else {})}}


class _Reader:
    """Reads the HTML once, counting as it goes."""

    def __init__(self, bad_urls: dict[str, str]) -> None:
        self._bad = bad_urls
        self._stack: list[tuple[Tag, int]] = []
        self._tops: list[Json] = []
        self._characters = self._blocks = self._media = 0

    def read(self, html: str) -> list[Json]:
        for piece in pieces(html, MORE):
            if isinstance(piece, str):
                self._text(piece)
            elif piece.closing:
                closed(self._stack, piece)
            else:
                self._open(piece)
        if self._stack:
            raise unparsed(f'Can\'t find end tag corresponding to start tag "{self._stack[-1][0].name}"')
        self._check_size()
        return self._tops

    def _text(self, text: str) -> None:
        self._characters += len(text)
        if not self._stack and text.strip() and not (self._tops and self._tops[-1].get("loose")):
            self._top("p", loose=True)
        if self._tops:
            self._tops[-1]["text"] += text

    def _top(self, name: str, **more: bool) -> None:
        self._tops.append({"type": name, "text": "", **more})
        self._blocks += bool(more)

    def _open(self, tag: Tag) -> None:
        self._check_tag(tag)
        block = tag.name in _BLOCKS or tag.name in _MEDIA or tag.name == "hr"
        if not self._stack and (block or not self._tops or not self._tops[-1].get("loose")):
            self._top(tag.name if block else "p", **({} if block else {"loose": True}))
        elif block and self._tops:
            self._tops[-1]["text"] += "\n"
        self._blocks += block
        self._check_address(tag)
        if tag.name not in _EMPTY and not tag.alone:
            self._stack.append((tag, 0))
        if len(self._stack) > DEEPEST:
            raise bad("RICH_MESSAGE_DEPTH_EXCEEDED")

    def _check_tag(self, tag: Tag) -> None:
        if tag.name not in _KNOWN:
            raise unparsed(f'Unsupported start tag "{tag.name}" at byte offset {tag.at}')
        strange = sorted(set(tag.attributes) - set(_KNOWN[tag.name].split()))
        if strange:
            raise strict(f"<{tag.name}> has no {strange}")
        if tag.name == "br" and not any(opened.name == "blockquote" for opened, _ in self._stack):
            raise strict("<br> stands in block quotations only")

    def _check_address(self, tag: Tag) -> None:
        address = tag.attributes.get("src" if tag.name in _MEDIA else "href", "")
        scheme = urlsplit(address).scheme
        if tag.name in _MEDIA:
            self._media += 1
            if scheme not in ("http", "https"):
                raise bad("wrong file identifier/HTTP URL specified")
            if address in self._bad:
                raise bad(self._bad[address])
        elif tag.name == "a" and address and scheme not in ("http", "https", "tg", "ton", "mailto", "tel", ""):
            raise strict(f"a link to {address[:80]!r}")

    def _check_size(self) -> None:
        if not self._characters and not self._media:
            raise bad("message text is empty")
        for count, most, name in (
            (self._characters, MOST, "characters"),
            (self._blocks, MOST_BLOCKS, "blocks"),
            (self._media, MOST_MEDIA, "media"),
        ):
            if count > most:
                raise bad(f"rich message is too long: {count} {name}")
