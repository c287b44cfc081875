"""A feed's bytes become its entries: JSON Feed here, RSS and Atom by feedparser, which is asked what is not known."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from xml.parsers import expat

import msgspec

from relay.sources.feed_document import FeedDocument
from relay.sources.feed_encoding import document_of
from relay.sources.feed_json import is_json, parse_json
from relay.sources.feed_parse import parse

# --- a feed is cut into its entries, so that those that stand there as before need not be read again ---

# It knows no element but ``item`` and ``entry``. expat finds where they begin and end; what it does not take, what
# has a document type, and what is built in another way than a list of entries in one place, is not cut.

_ENTRIES = ("item", "entry")
_DEEPEST = 100
_MOST = 10_000
"""Entries of a document; all of their digests are remembered."""


@dataclass(frozen=True, slots=True)
class DocumentSlices:
    """A document, and where its entries stand in it."""

    body: bytes
    places: tuple[tuple[int, int], ...]
    digests: tuple[str, ...]
    """Of each entry's bytes, in their order."""
    around: bytes
    """The tags that the entries stand in: what they declare holds for all."""

    def without(self, known: Collection[str]) -> bytes:
        """The document without the entries that have these digests."""
        parts, end = list[bytes](), 0
        for (start, stop), digest in zip(self.places, self.digests, strict=True):
            if digest in known:
                parts.append(self.body[end:start])
                end = stop
        return b"".join([*parts, self.body[end:]])

    def left(self, known: Collection[str]) -> tuple[str, ...]:
        """The digests of the entries that are in it still."""
        return tuple([digest for digest in self.digests if digest not in known])


def cut(body: bytes) -> DocumentSlices | None:
    """The document's entries, or None where it is no plain list of them. Takes UTF-8 without a declaration."""
    finder = _Finder(body)
    try:
        finder.find()
    except (expat.ExpatError, _RefusedError):
        return None
    slices = [body[start:stop] for start, stop in finder.places]
    digests = [blake2b(one, digest_size=6).hexdigest() for one in slices]
    if not digests or len(set(digests)) < len(digests):  # which of the same ones is it?
        return None
    return DocumentSlices(body, tuple(finder.places), tuple(digests), finder.around)


class _RefusedError(Exception):
    """The document is none that can be cut."""


class _Finder:
    """Keeps what the parser tells of: the places of the outermost entries, all within the same elements."""

    def __init__(self, body: bytes) -> None:
        self.places: list[tuple[int, int]] = []
        self.around = b""
        self._body = body
        self._parser = expat.ParserCreate("utf-8")
        self._open: list[int] = []
        """Where the elements begin that are open, outside of entries; in ``_above`` those around these."""
        self._above: list[int] = []
        self._begun = 0
        """Where the entry begins that is open, and how many elements are open within."""
        self._depth = 0

    def find(self) -> None:
        parser = self._parser
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.StartDoctypeDeclHandler = _refuse
        try:
            parser.ParseFile(io.BytesIO(self._body))
        finally:
            parser.StartElementHandler = parser.EndElementHandler = None  # else they would hold each other

    def _start(self, name: str, _: object) -> None:
        if self._depth:
            self._depth += 1
            return
        at = self._parser.CurrentByteIndex
        if name.rpartition(":")[2] not in _ENTRIES:
            self._open.append(at)
            if len(self._open) > _DEEPEST:
                raise _RefusedError
            return
        self._begun, self._depth = at, 1
        if not self.places:
            self._above, self.around = self._open.copy(), b"".join(map(self._tag, self._open))
        if self._above != self._open or len(self.places) == _MOST:
            raise _RefusedError

    def _end(self, name: str) -> None:
        if self._depth > 1:
            self._depth -= 1
        elif self._depth:
            at, tag = self._parser.CurrentByteIndex, b"</" + name.encode()
            # Of <item/> it is told where it ends, of others where their last tag begins.
            is_tag = self._body.startswith(tag, at) and self._body[at + len(tag)] in b"> \t\r\n"
            self.places.append((self._begun, self._body.index(b">", at) + 1 if is_tag else at))
            self._depth = 0
        else:
            self._open.pop()

    def _tag(self, at: int) -> bytes:
        """A tag, and the text behind it: up to what begins next."""
        return self._body[at : self._body.find(b"<", at + 1)]


def _refuse(*_: object) -> None:
    raise _RefusedError


# --- feed read ---

_OF_ITSELF = frozenset(
    ["title", "ttl", "truncated", "hubs", "topic", "skip_hours", "skip_days", "found", "slices", "around", "entries"]
)


def read(body: bytes, content_type: str, around: str = "", known: Collection[str] = ()) -> FeedDocument:
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


def _around(document: FeedDocument, slices: DocumentSlices) -> str:
    """A digest of all that holds for entries; what a document says of itself alone is no part of that."""
    head = [getattr(document, one.name) for one in fields(document) if one.name not in _OF_ITSELF]
    return blake2b(slices.around + msgspec.msgpack.encode(head), digest_size=6).hexdigest()
