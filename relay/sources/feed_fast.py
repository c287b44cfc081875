"""RSS and Atom as nearly everybody writes them, at a fraction of feedparser's cost and with feedparser's result. Pure.

A document is read here only if it is plain: well-formed UTF-8 that nothing contradicts, no document type, known
elements, each where it belongs. For any other :func:`fast` has no answer, and feedparser is asked
(:mod:`relay.sources.feed_parse`). expat of the standard library does the work; what it builds is bounded by the number
of tags, so a small document does not hold up the event loop.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from relay.sources.feed_channel import Channel, Harmless
from relay.sources.feed_dates import Odd
from relay.sources.feed_entry import IN_ATOM, IN_RSS, entry, finished
from relay.sources.feed_gathered import ATOM, Gathered, local
from relay.sources.feed_parse import MANY, Document

_TAGS_PER_KB = 60
_START = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:<\?xml[^<>]{0,200}\?>)?\s*(?:<!--(?:[^-]|-[^-]){0,2000}-->\s*|<\?[^<>]{0,500}\?>\s*)*+<(?:rss|feed)[\s>]"
)
_ENCODING = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml[^<>]{0,200}?encoding\s*=\s*[\"']([^\"']*)")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s\"';,]*)", re.IGNORECASE)
_UTF8 = ("", "utf-8", "utf8")
_VERSIONS = {"0.91": "rss091u", "0.92": "rss092", "0.93": "rss093", "0.94": "rss094"}


def fast(body: bytes, content_type: str) -> Document | None:
    """The document as feedparser would read it; None where that cannot be vouched for."""
    if not _is_plain(body, content_type):
        return None
    try:
        root = ET.fromstring(body)  # noqa: S314 - no document type, so no entities, and a limited number of tags
        if root.tag == "rss":
            return _rss(root, body)
        return _atom(root, body) if root.tag == f"{ATOM}feed" else None
    except (ET.ParseError, Odd, ValueError, LookupError, RecursionError):
        return None


def _is_plain(body: bytes, content_type: str) -> bool:
    if not _START.match(body) or b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return False
    encoding, charset = _ENCODING.match(body), _CHARSET.search(content_type)
    return (
        (encoding[1].decode("ascii", "replace").lower() if encoding else "") in _UTF8
        and (charset[1].lower() if charset else "") in _UTF8
        and body.rstrip().endswith((b"</rss>", b"</feed>"))
        and body.count(b"<") <= _TAGS_PER_KB * (len(body) // 1000 + 1)
    )


def _rss(root: ET.Element, body: bytes) -> Document | None:
    around, harmless = _around(root, body, "version"), Harmless(body)
    if len(root) != 1 or root[0].tag != "channel" or not all(name[0] == "{" for name in root[0].attrib):
        return None
    channel = Channel(around.base, language=around.lang)
    local(around, root[0])
    items: list[Gathered] = []
    for element in root[0]:
        if element.tag == "item":
            items.append(entry(element, IN_RSS, harmless, around))
        else:
            channel.rss(element, harmless)
    version = root.get("version", "")
    return _document(_VERSIONS.get(version) or ("rss20" if version.startswith("2.") else "rss"), channel, items, body)


def _atom(root: ET.Element, body: bytes) -> Document | None:
    around, harmless = _around(root, body), Harmless(body)
    channel = Channel(around.base, language=around.lang)
    items: list[Gathered] = []
    for element in root:
        if element.tag == f"{ATOM}entry":
            items.append(entry(element, IN_ATOM, harmless, around))
        else:
            channel.atom(element, harmless)
    return _document("atom10", channel, items, body)


def _around(root: ET.Element, body: bytes, *allowed: str) -> Gathered:
    """The base and the language that everything inherits."""
    around = Gathered("", "")
    if any(name[0] != "{" and name not in allowed for name in root.attrib):
        raise Odd("attributes")
    local(around, root)
    if b"xml:base" in body and not around.base:
        raise Odd("xml:base")  # for feedparser, such a base goes on to hold behind the element that set it
    return around


def _document(version: str, channel: Channel, items: list[Gathered], body: bytes) -> Document | None:
    if len(items) > MANY:
        return None
    alts: dict[str, str] = {}
    for item in items:
        alts |= item.alts
    entries = tuple([finished(item, alts, channel.language) for item in items])
    return channel.document(version, entries, body)
