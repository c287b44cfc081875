"""A feed's bytes become its entries: JSON Feed here, RSS and Atom by feedparser. Pure."""

from __future__ import annotations

from relay.sources.feed_encoding import document_of
from relay.sources.feed_json import is_json, parse_json
from relay.sources.feed_parse import Document, parse

_SMALL, _OBJECTS = 200_000, 1_000


def read(body: bytes, content_type: str) -> Document:
    """The whole document. May take as long as feedparser takes: not for the event loop."""
    if is_json(body):
        return parse_json(body)
    return parse(document_of(body, content_type))


def is_quick(body: bytes) -> bool:
    """Whether :func:`read` takes a few milliseconds at most, whatever the document holds."""
    return is_json(body) and len(body) <= _SMALL and body.count(b"{") <= _OBJECTS
