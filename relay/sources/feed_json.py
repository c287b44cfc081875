"""JSON Feed 1.0 and 1.1 (jsonfeed.org/version/1.1). Pure, and total: what can be read of a document is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from relay.sources.feed_dates import moment
from relay.sources.feed_document import Enclosure, FeedDocument, FeedEntry, TypedText
from relay.sources.feed_encoding import to_utf8
from relay.sources.feed_media import chosen
from relay.sources.feed_parse import BODY, LINE, MANY, as_written

_NAMES = 5
"""Authors of one entry that are named."""
_TAGS, _FILES = 50, 20
_WEB = ("http://", "https://")
_BAD = (msgspec.MsgspecError, ValueError, RecursionError)

_START, _UNSEEN = 2_000, b"\0\xef\xbb\xbf\xfe\xff"
_OBJECT = re.compile(rb"(?:\s|//[^\n]*+|/\*.*?\*/)*+\{", re.DOTALL)
# What programmers write and JSON has not: comments, and a comma behind the last of something. Strings stay.
_LOOSE = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|//[^\n]*+|/\*.*?(?:\*/|\Z)|,(?=\s*+[]}])', re.DOTALL)

_Shape = Mapping[str, Any]


def is_json(body: bytes) -> bool:
    """Whether the document looks like a JSON object, in any encoding and behind comments."""
    return _OBJECT.match(body[:_START].translate(None, _UNSEEN)) is not None


def parse_json(body: bytes) -> FeedDocument:
    """Read a JSON Feed; an empty document where it is none. Of one that breaks off the whole items are read."""
    feed, truncated = _decoded(body)
    version = _text(feed, "version")
    items = _shapes(feed, "items")
    if "jsonfeed.org/version/" not in version:
        return FeedDocument()
    language = _text(feed, "language")
    author = _author(feed)
    entries = [_entry(item, language, author) for item in items[:MANY]]
    return FeedDocument(
        version=f"json{version.rpartition('/')[2][:10]}",
        title=TypedText(_text(feed, "title")),
        link=_text(feed, "home_page_url"),
        hubs=tuple(filter(None, (_text(hub, "url") for hub in _shapes(feed, "hubs")[:10] if _is_websub(hub)))),
        topic=_text(feed, "feed_url"),
        truncated=truncated,
        found=len(items),
        entries=tuple(entry for entry in entries if entry != FeedEntry(language=language, author=author)),
    )


def _is_websub(hub: _Shape) -> bool:
    """A hub may be of a kind that we do not speak (JSON Feed 1.1, "hubs"); one that names none is believed."""
    return _text(hub, "type").casefold() in {"", "websub", "pubsubhubbub"}


def _decoded(body: bytes) -> tuple[_Shape, bool]:
    try:
        feed = msgspec.json.decode(body)
    except _BAD:
        return _salvaged(to_utf8(body, "").decode())
    return (feed if isinstance(feed, dict) else {}), False


def _salvaged(text: str) -> tuple[_Shape, bool]:
    """The document by a reader that takes more, else its head and the items that are whole."""
    text = _LOOSE.sub(lambda found: found[0] if found[0][0] == '"' else " ", text)
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


def _entry(item: _Shape, language: str, author: str) -> FeedEntry:
    html = _text(item, "content_html", BODY)
    plain = "" if html else _text(item, "content_text", BODY) or _text(item, "summary", BODY)
    guid = _identity(item.get("id"))
    return FeedEntry(
        guid=guid,
        link=_text(item, "url") or _text(item, "external_url") or (guid if guid.lower().startswith(_WEB) else ""),
        title=TypedText(_text(item, "title")),
        body=as_written(html) if html else TypedText(plain),
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
    """The names of 1.1's ``authors``, else of 1.0's ``author``; either may be a list, an object or a name."""
    for key in ("authors", "author"):
        names = [_named(one) for one in _several(shape, key)[:_NAMES]]
        if any(names):
            return ", ".join(filter(None, names))
    return ""


def _named(author: object) -> str:
    if isinstance(author, dict):
        return _text(author, "name") or _text(author, "url")
    return _cut(author, LINE) if isinstance(author, str) else ""


def _enclosures(item: _Shape) -> Iterator[Enclosure]:
    """The files; those of one title are one thing in several forms (1.1, "attachments")."""
    files = _shapes(item, "attachments")[:_FILES]
    titles = [_text(file, "title") for file in files]
    media = [
        {
            "url": _text(file, "url"),
            "type": _text(file, "mime_type"),
            "filesize": file.get("size_in_bytes"),
            "group": titles.index(title) + 1 if title else 0,
            "place": titles.index(title) if title else place,
        }
        for place, (file, title) in enumerate(zip(files, titles, strict=True))
    ]
    for medium, preview in chosen(sorted(media, key=lambda medium: medium["place"])):
        yield Enclosure(url=medium["url"], type=medium["type"], preview=preview)


def _words(item: _Shape, key: str) -> Iterator[str]:
    """The tags, which some write in one line."""
    for word in _several(item, key)[:_TAGS]:
        if isinstance(word, str):
            yield from (_cut(part, LINE) for part in word.split(",")[:_TAGS])


def _shapes(shape: _Shape, key: str) -> list[_Shape]:
    return [value for value in _several(shape, key) if isinstance(value, dict)]


def _several(shape: _Shape, key: str) -> list[Any]:
    """What a list holds, or the one that stands there without a list, or a list that PHP wrote as an object."""
    value = shape.get(key)
    if isinstance(value, dict) and value.keys() and all(name.isdecimal() for name in value):
        return list(value.values())
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(shape: _Shape, key: str, limit: int = LINE) -> str:
    value = shape.get(key)
    return _cut(value, limit) if isinstance(value, str) else ""


def _cut(text: str, limit: int) -> str:
    return text[:limit].encode(errors="replace").decode().strip()


def _date(item: _Shape, key: str, language: str) -> datetime | None:
    """RFC 3339, as the specification has it, or whatever feeds write; a number counts seconds."""
    value = item.get(key)
    return moment(str(value) if isinstance(value, int | float) else _text(item, key), language)
