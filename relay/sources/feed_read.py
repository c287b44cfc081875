"""A feed's bytes become its entries: JSON Feed here, RSS and Atom by feedparser, which is asked what is not known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from hashlib import blake2b

import msgspec

from relay.sources.feed_encoding import document_of
from relay.sources.feed_json import is_json, parse_json
from relay.sources.feed_parse import Document, parse
from relay.sources.feed_slices import Slices, cut

_OF_ITSELF = frozenset(
    ["title", "ttl", "truncated", "hubs", "topic", "skip_hours", "skip_days", "found", "slices", "around", "entries"]
)


def read(body: bytes, content_type: str, around: str = "", known: Collection[str] = ()) -> Document:
    """The document, without the entries that are ``known`` by their bytes if what is ``around`` them is as it was.

    May take as long as feedparser takes: not for the event loop.
    """
    if is_json(body):
        return parse_json(body)
    body = document_of(body, content_type)
    slices = cut(body)
    if slices is None:
        return parse(body)
    left = slices.left(known)
    if len(left) < len(slices.digests):
        part = parse(slices.without(known), left)
        if part.slices is not None and _around(part, slices) == around:
            return replace(part, found=len(slices.digests), slices=slices.digests, around=around)
    whole = parse(body, slices.digests)
    return whole if whole.slices is None else replace(whole, around=_around(whole, slices))


def _around(document: Document, slices: Slices) -> str:
    """A digest of all that holds for entries; what a document says of itself alone is no part of that."""
    head = [getattr(document, one.name) for one in fields(document) if one.name not in _OF_ITSELF]
    return blake2b(slices.around + msgspec.msgpack.encode(head), digest_size=6).hexdigest()
