"""A feed's bytes become its entries, whatever the format: the quick readers first, feedparser for the rest. Pure."""

from __future__ import annotations

from relay.sources.feed_fast import fast
from relay.sources.feed_json import is_json, parse_json
from relay.sources.feed_parse import Document, parse

_SMALL, _TAGS, _ENTRIES, _OBJECTS = 200_000, 5_000, 200, 1_000


def read(body: bytes, content_type: str) -> Document:
    """The whole document. May take as long as feedparser takes: not for the event loop."""
    return quick(body, content_type) or parse(body, content_type)


def quick(body: bytes, content_type: str) -> Document | None:
    """The document, or None where only feedparser can tell. Takes time in proportion to the length."""
    return parse_json(body) if is_json(body) else fast(body, content_type)


def is_small(body: bytes) -> bool:
    """Whether :func:`quick` takes a few milliseconds at most, whatever the document holds."""
    return (
        len(body) <= _SMALL
        and body.count(b"<") <= _TAGS
        and body.count(b"<item") + body.count(b"<entry") <= _ENTRIES
        and (body.count(b"{") <= _OBJECTS or not is_json(body))
    )
