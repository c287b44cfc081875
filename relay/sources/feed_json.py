"""JSON Feed 1.0 and 1.1 (jsonfeed.org/version/1.1). Pure, and total: what can be read of a document is read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from relay.sources.feed_dates import moment
from relay.sources.feed_parse import BODY, LINE, MANY, Document, Enclosure, Entry, Words

_NAMES = 5
"""Authors of one entry that are named."""
_TAGS, _FILES = 50, 20
_WEB = ("http://", "https://")
_BAD = (msgspec.MsgspecError, ValueError, RecursionError)

_Shape = Mapping[str, Any]


def is_json(body: bytes) -> bool:
    """Whether the document looks like a JSON object."""
    return body[:100].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def parse_json(body: bytes) -> Document:
    """Read a JSON Feed; an empty document where it is none. Of one that breaks off the whole items are read."""
    feed, truncated = _decoded(body)
    version = _text(feed, "version")
    items = [item for item in _list(feed, "items") if isinstance(item, dict)]
    if "jsonfeed.org/version/" not in version:
        return Document()
    language = _text(feed, "language")
    author = _author(feed)
    entries = [_entry(item, language, author) for item in items[:MANY]]
    return Document(
        version=f"json{version.rpartition('/')[2][:10]}",
        title=Words(_text(feed, "title")),
        link=_text(feed, "home_page_url"),
        hubs=tuple(filter(None, (_text(hub, "url") for hub in _shapes(feed, "hubs")[:10] if _is_websub(hub)))),
        topic=_text(feed, "feed_url"),
        truncated=truncated,
        found=len(items),
        entries=tuple(entry for entry in entries if entry != Entry(language=language, author=author)),
    )


def _is_websub(hub: _Shape) -> bool:
    """A hub may be of a kind that we do not speak (JSON Feed 1.1, "hubs"); one that names none is believed."""
    return _text(hub, "type").casefold() in {"", "websub", "pubsubhubbub"}


def _decoded(body: bytes) -> tuple[_Shape, bool]:
    try:
        feed = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except _BAD:
        return _salvaged(body.decode("utf-8-sig", "replace"))
    return (feed if isinstance(feed, dict) else {}), False


def _salvaged(text: str) -> tuple[_Shape, bool]:
    """The document by a reader that takes more, else its head and the items that are whole."""
    try:
        feed = json.loads(text, strict=False)
        return (feed if isinstance(feed, dict) else {}), False
    except _BAD:
        pass
    head, _, rest = text.partition('"items"')
    decoder, items = json.JSONDecoder(strict=False), list[Any]()
    rest = rest.lstrip(" \t\r\n:")[1:]
    try:
        feed = json.loads(head.rstrip(" \t\r\n,") + "}", strict=False)
        at = 0
        while len(items) <= MANY:
            at += len(rest[at : at + LINE]) - len(rest[at : at + LINE].lstrip(" \t\r\n,"))
            item, at = decoder.raw_decode(rest, at)
            items.append(item)
    except _BAD:
        pass
    else:
        return {}, True
    return ({**feed, "items": items} if items and isinstance(feed, dict) else {}), True


def _entry(item: _Shape, language: str, author: str) -> Entry:
    html = _text(item, "content_html", BODY)
    plain = "" if html else _text(item, "content_text", BODY) or _text(item, "summary", BODY)
    guid = _identity(item.get("id"))
    return Entry(
        guid=guid,
        link=_text(item, "url") or _text(item, "external_url") or (guid if guid.startswith(_WEB) else ""),
        title=Words(_text(item, "title")),
        body=Words(html or plain, html=bool(html)),
        author=_author(item) or author,
        language=_text(item, "language") or language,
        published=_date(item, "date_published", language),
        updated=_date(item, "date_modified", language),
        tags=tuple(_words(item, "tags")),
        enclosures=tuple(_enclosures(item)),
        thumbnail=_text(item, "image") or _text(item, "banner_image"),
    )


def _identity(value: object) -> str:
    """The id, which some write as a number (1.1: "if an id is presented as a number … a reader must coerce it")."""
    if isinstance(value, bool):
        return ""
    return _cut(str(value), LINE) if isinstance(value, int | float | str) else ""


def _author(shape: _Shape) -> str:
    """The names of 1.1's ``authors``, else of 1.0's ``author``."""
    names = [_text(author, "name") or _text(author, "url") for author in _shapes(shape, "authors")[:_NAMES]]
    single = shape.get("author")
    if not any(names) and isinstance(single, dict):
        names = [_text(single, "name") or _text(single, "url")]
    return ", ".join(filter(None, names))


def _enclosures(item: _Shape) -> Iterator[Enclosure]:
    for file in _shapes(item, "attachments")[:_FILES]:
        yield Enclosure(url=_text(file, "url"), type=_text(file, "mime_type"))


def _words(item: _Shape, key: str) -> Iterator[str]:
    for word in _list(item, key)[:_TAGS]:
        if isinstance(word, str):
            yield _cut(word, LINE)


def _shapes(shape: _Shape, key: str) -> list[_Shape]:
    return [value for value in _list(shape, key) if isinstance(value, dict)]


def _list(shape: _Shape, key: str) -> list[Any]:
    value = shape.get(key)
    return value if isinstance(value, list) else []


def _text(shape: _Shape, key: str, limit: int = LINE) -> str:
    value = shape.get(key)
    return _cut(value, limit) if isinstance(value, str) else ""


def _cut(text: str, limit: int) -> str:
    return text[:limit].encode(errors="replace").decode().strip()


def _date(item: _Shape, key: str, language: str) -> datetime | None:
    """RFC 3339, as the specification has it, or whatever feeds write; a number counts seconds."""
    value = item.get(key)
    return moment(str(value) if isinstance(value, int | float) else _text(item, key), language)
