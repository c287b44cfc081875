"""Entries that stand in a feed with the same bytes as before: known without being read again. Pure.

What is read of the others must be the same as if all were read. So an entry is remembered by its bytes only if it means
the same wherever it stands, and where one that is read has to do with those that are not, all are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import blake2b

import msgspec

from relay.core.urls import page
from relay.sources.feed_document import FeedDocument
from relay.sources.feed_parse import MANY
from relay.sources.feed_posts import EntryPost

_REMEMBERED = 2 * MANY
"""Entries of one document; of one that has more only the newest are."""
_SIZE = 12
"""Characters of a digest."""


class EntrySlice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An entry that was read: its name, a digest of its page, and when it was published, 0 where it does not say."""

    name: str
    page: str = ""
    date: int = 0


class KnownSlices(msgspec.Struct, frozen=True, array_like=True):
    """The entries of the last document by digests of their bytes."""

    place: str = ""
    around: str = ""
    """Digests of the address, and of all that entries' meaning depends on beside their bytes."""
    read: dict[str, EntrySlice] = {}
    passed: str = ""
    """Those that were too many to be looked at, one digest after the other."""


def known(slices: KnownSlices, url: str, names: Collection[str]) -> Mapping[str, EntrySlice]:
    """What is remembered of entries, by their bytes, as they were read at this address; ``names``: of known ones."""
    if slices.place != _digest(url):
        return {}
    read = {digest: one for digest, one in slices.read.items() if one.name in names}
    return read | {digest: EntrySlice("") for digest in _split(slices.passed)}


def others(document: FeedDocument, before: Mapping[str, EntrySlice]) -> dict[str, EntrySlice]:
    """What is in the document and was not read again."""
    again = {entry.slice for entry in document.entries}
    return {digest: before[digest] for digest in document.slices or () if digest in before and digest not in again}


def are_few(items: Sequence[EntryPost], rest: Collection[EntrySlice]) -> bool:
    """Whether no more is known of the document than is remembered: what is not looked at again grows with each poll."""
    return len(items) + sum(bool(one.name) for one in rest) <= _REMEMBERED


def are_apart(items: Sequence[EntryPost], rest: Iterable[EntrySlice]) -> bool:
    """Whether the entries that were read have nothing to do with the rest, nor with each other.

    They neither answer nor name one, and share no name.
    """
    names, pages = set[str](), {_place(item) for item in items}
    for one in rest:
        names.add(one.name)
        pages.add(one.page)
    return all(item.slice and item.name not in names and not item.answers for item in items) and not any(
        _digest(there) in pages for item in items for there in item.links
    )


def remembered(
    document: FeedDocument, items: Sequence[EntryPost], rest: Mapping[str, EntrySlice], url: str
) -> KnownSlices | None:
    """What is in the document, for the next time."""
    if not document.slices:
        return None
    read = {item.slice: _slice(item) for item in items if item.slice and _is_lasting(item)}
    read |= {digest: one for digest, one in rest.items() if one.name}
    passed = ""
    if document.found > MANY:
        looked_at = {entry.slice for entry in document.entries} | read.keys()
        passed = "".join(digest for digest in document.slices if digest not in looked_at)
    return KnownSlices(_digest(url), document.around, read, passed)


def dates(items: Iterable[EntryPost], rest: Iterable[EntrySlice]) -> list[int]:
    """When the entries were published, as far as they say so; seconds."""
    said = [int(item.post.published.timestamp()) for item in items if item.date]
    return said + [one.date for one in rest if one.date]


def _slice(item: EntryPost) -> EntrySlice:
    return EntrySlice(item.name, _place(item), int(item.post.published.timestamp()) if item.date else 0)


def _is_lasting(item: EntryPost) -> bool:
    """A date to come counts as now until it has come."""
    return item.date is None or item.date == item.post.published


def _place(item: EntryPost) -> str:
    return _digest(page(item.post.url))


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="replace"), digest_size=4).hexdigest()


def _split(digests: str) -> list[str]:
    return [digests[start : start + _SIZE] for start in range(0, len(digests), _SIZE)]
