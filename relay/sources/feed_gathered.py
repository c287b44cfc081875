"""What the elements of an entry say is gathered here, with the rules for the text of any of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from relay.sources.feed_dates import Odd
from relay.sources.feed_parse import Enclosure, Words

ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}"
DC = "{http://purl.org/dc/elements/1.1/}"
ITUNES = "{http://www.itunes.com/DTDs/PodCast-1.0.dtd}"
MEDIA = "{http://search.yahoo.com/mrss/}"
YOUTUBE = "{http://www.youtube.com/xml/schemas/2015}"
THREAD = "{http://purl.org/syndication/thread/1.0}"
XML = "{http://www.w3.org/XML/1998/namespace}"
BASE, LANG = f"{XML}base", f"{XML}lang"


_CONTROL = re.compile("[\x80-\x9f]")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d+)?/[A-Za-z0-9._~/?=&%-]*")


@dataclass(slots=True)
class Gathered:
    """What the elements of one entry have said so far; None: nothing."""

    base: str
    lang: str
    guid: str | None = None
    guid_link: str = ""
    link: str | None = None
    title: Words | None = None
    named: bool = False
    """A file in it has a title of its own."""
    summary: tuple[Words, str, str] | None = None
    content: tuple[Words, str, str] | None = None
    """A text, its base and its language."""
    caption: tuple[Words, str, str] | None = None
    """The text of a video that has no other."""
    video: bool = False
    """It is YouTube's."""
    alts: dict[str, str] = field(default_factory=dict)
    author: str = ""
    published: datetime | None = None
    updated: datetime | None = None
    dates: int = 0
    tags: list[list[str | None]] = field(default_factory=list)
    files: list[dict[str, str]] = field(default_factory=list)
    links: list[Enclosure | None] = field(default_factory=list)
    thumbnail: str = ""
    rating: str = ""
    reply_to: str = ""
    sourced: bool = False
    """A source of its own was named."""
    described: bool = False
    """A file's description was read."""
    decided: bool = False
    """What comes as a description from now on is the summary's for feedparser."""
    overruled: bool = False
    """feedparser no longer knows how the summary is written, where it stands and in which language."""


Handler = Callable[[Gathered, Element], None]


def local(found: Gathered, element: Element) -> None:
    """Take over the element's own base (RFC 3986, below an absolute one only) and language."""
    for name, value in element.attrib.items():
        if name == LANG:
            found.lang = value.replace("_", "-")
        elif name == BASE:
            found.base = _joined(found.base, value) if found.base else _absolute(value)
        elif name[0] == "{" and name.rpartition("}")[2] not in ("about", "base", "href", "lang", "lastmod"):
            continue
        elif element.tag in ("item", f"{ATOM}entry"):
            raise Odd(name)


def _absolute(address: str) -> str:
    if not _ADDRESS.fullmatch(address) or urljoin(address, address) != address:
        raise Odd(address)
    return address


def _joined(base: str, address: str) -> str:
    return _absolute(urljoin(base, address))


def resolved(base: str, address: str) -> str:
    """The address below the base; as it is where there is neither."""
    if "///" in address:
        raise Odd(address)
    try:
        return urljoin(base, address) if base and address else address
    except ValueError:
        return ""


def said(element: Element, *allowed: str) -> str:
    """The text of an element that holds nothing else and has none but these attributes."""
    if len(element):
        raise Odd(element.tag)
    for name in element.attrib:
        if name not in allowed and name not in (LANG, BASE):
            raise Odd(name)
    text = (element.text or "").strip()
    return text if text.isascii() else mended(text)


def mended(text: str) -> str:
    """The text without a double encoding as UTF-8, which feedparser undoes wherever it can."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        if _CONTROL.search(text):
            raise Odd(text) from None
        return text
