"""What a feed's bytes say that the last polls did not know: from the document to its news in one step. Pure.

It takes as long as feedparser takes, and as what people wrote takes to become posts: not for the event loop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from relay.core.urls import page
from relay.model import Edited, Published
from relay.rich import Form, Text
from relay.sources import feed_identity
from relay.sources.feed_document import EntryChange, FeedChanges, FeedDocument, KnownFeed
from relay.sources.feed_identity import EntryDigests, mark
from relay.sources.feed_parse import MANY
from relay.sources.feed_posts import EntryPost, note, read_items, setting_of
from relay.sources.feed_read import read
from relay.text import text_content

# --- what of a document is news, and what has only another name, another date, or was served again ---

PLAUSIBLE = timedelta(days=3)
"""How long before the newest entry a new one may be dated: publishers finish drafts, and date them back."""
_RECENT = 60
_LONG_GONE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a document says that the last ones did not."""

    events: tuple[Published | Edited, ...]
    """What is new or reads differently, oldest first."""
    late: tuple[Published, ...]
    """What is new here and was published long ago, oldest first."""
    items: dict[str, str]
    gone: str
    """What is seen now, for the next time: see :class:`relay.sources.rss.cursor.Cursor`."""


def compare(
    items: Sequence[EntryPost],
    seen: Mapping[str, str],
    gone: str = "",
    *,
    newest: datetime | None = None,
    unchanged: Collection[str] = (),
    stood: bool = False,
) -> News:
    """Tell apart what is new, what is edited, and what was seen before under another name.

    ``newest`` is the newest date that was ever read: what is dated long before it comes late. Entries
    that left the document are remembered for a while, as some come back.
    ``unchanged`` names entries that stand in the document as they were and are not among ``items``; ``stood``: the
    last document was read more than once.
    """
    present = {item.name for item in items} | (seen.keys() & unchanged)
    if not present:  # an empty document takes nothing back: what comes next is compared with what was there before
        return News(events=(), late=(), items=dict(seen), gone=gone)
    known = {name: EntryDigests.load(text) for name, text in seen.items()}
    names = set(gone.split())
    marked = {item.name: mark(item, held=item.name in seen) for item in items}
    new = {item.name: item for item in items if item.name not in seen and item.name not in names}
    again = _known_again(new, marked, known, seen, present, newest=newest, stood=stood) if new else set()
    events: list[Published | Edited] = []
    late: list[Published] = []
    for item in items:
        if item.name in new and item.name not in again:
            published = Published(item.post)
            late.append(published) if _is_late(item, newest) else events.append(published)
        elif (before := known.get(item.name)) and before.words != item.text:
            events.append(Edited(item.post))
    stand = {name: _stands(seen[name], known[name]) for name in seen if name in present and name not in marked}
    left = {name: _leaves(text, known[name]) for name, text in seen.items() if name not in present}
    forgotten = [*list(left)[_RECENT:], *gone.split()]
    return News(
        events=tuple(events),
        late=tuple(late),
        items=stand | {name: one.dump() for name, one in marked.items()} | dict(list(left.items())[:_RECENT]),
        gone=" ".join(_forget(present, forgotten, new=len(new))),
    )


def _known_again(
    new: Mapping[str, EntryPost],
    marked: Mapping[str, EntryDigests],
    known: Mapping[str, EntryDigests | None],
    seen: Mapping[str, str],
    present: Set[str],
    *,
    newest: datetime | None,
    stood: bool,
) -> set[str]:
    """The names of new entries that are other names of old ones."""
    marks = {name: replace(one, held=True) if stood and not one.held else one for name, one in known.items() if one}
    found = feed_identity.old_ones({name: marked[name] for name in new}, marks, present)
    if len(marks) < len(known):
        older = {name: seen[name] for name, one in known.items() if not one}
        replaced = not marks and present.isdisjoint(older)
        found |= old_ones(new.values(), older.values(), newest, replaced=replaced)
    return found


def _stands(text: str, one: EntryDigests | None) -> str:
    return text if one is None or one.held else replace(one, held=True).dump()


def _leaves(text: str, one: EntryDigests | None) -> str:
    return text if one is None or one.gone else replace(one, gone=True).dump()


def _is_late(item: EntryPost, newest: datetime | None) -> bool:
    return newest is not None and item.date is not None and item.post.published < newest - PLAUSIBLE


def _forget(present: Collection[str], names: Sequence[str], *, new: int) -> list[str]:
    """The names to remember, the last gone first: of more than enough, one is forgotten for each that is new.

    So what a publisher takes away by mistake, however much, is known when it comes back.
    """
    there = [name for name in dict.fromkeys(names) if name not in present]
    return there[: max(_LONG_GONE, len(there) - new)]


# --- feed changes ---

T = TypeVar("T")
Read = Callable[[bytes, str, str, Collection[str]], FeedDocument]


def find_changes(body: bytes, known: KnownFeed, read: Read = read) -> tuple[FeedChanges, Sequence[EntryChange]]:
    """The news are oldest first. What of the document stands there as before is not read again.

    All of it is read where that has to do with the rest.
    """
    seen, slices = _decoded(known.items, dict[str, str]) or {}, _decoded(known.slices, KnownSlices)
    before = known_entries(slices, known.url, seen) if slices else {}
    while True:
        document = read(body, known.content_type, slices.around if slices else "", before)
        if not document.version and not document.found:
            return FeedChanges(document=replace(document, entries=())), ()
        setting = setting_of(document, address=known.name, url=known.url, now=known.now, feed=known.feed)
        items = read_items(document, setting)
        unread = others(document, before)
        rest = unread.values()
        if not unread or (are_few(items, rest) and are_apart(items, rest)):
            break
        before = {}
    news = compare(
        items,
        seen,
        known.gone,
        newest=datetime.fromtimestamp(known.newest, UTC) if known.newest else None,
        unchanged=[one.name for one in rest],
        stood=known.stood,
    )
    changes = FeedChanges(
        document=replace(document, entries=(), slices=None, around=""),
        note=note(document),
        dates=dates(items, rest),
        items=_encoded(news.items),
        gone=news.gone,
        slices=_encoded(remembered(document, items, unread, known.url)),
    )
    return changes, _told(news)


def _told(news: News) -> list[EntryChange]:
    late = [EntryChange(event.post, late=True) for event in news.late]
    return late + [EntryChange(event.post, edited=isinstance(event, Edited)) for event in news.events]


def _decoded(text: msgspec.Raw, kind: type[T]) -> T | None:
    """What cannot be read is nothing."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError:
        return None


def _encoded(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


# --- entries that stand in a feed with the same bytes as before: known without being read again. Pure ---
# What is read of the others must be the same as if all were read. So an entry is remembered by its bytes only if it
# means the same wherever it stands, and where one that is read has to do with those that are not, all are.


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


def known_entries(slices: KnownSlices, url: str, names: Collection[str]) -> Mapping[str, EntrySlice]:
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


# Marks as earlier versions wrote them into cursors: read once after an upgrade, so that nothing comes again. Pure.
#
# A mark was the digest of an entry's words, and then digests of which one was enough: words, link and date; words and
# address; words and date. Entries whose words have been read otherwise since are known by their dates.


_COUNTERS = re.compile(r"(?<!\d)\d{1,9} points? \| \d{1,9} comments?")
_COUNTED = "points?|comments?|votes?|upvotes?|views?|likes?|reblogs?|reposts?|replies|shares?|favou?rites?"
_COUNTER = rf"(?:\d[\d.,]{{0,12}}[kKM]? (?:{_COUNTED})|(?:{_COUNTED}|score): \d[\d.,]{{0,12}}[kKM]?)"
_COUNTER_LINE = re.compile(
    rf"(?!.{{0,9}}?{_COUNTERS.pattern})[^\w\n]{{0,9}}{_COUNTER}(?:[^\w\n]{{1,9}}{_COUNTER}){{0,9}}[^\w\n]{{0,9}}",
    re.IGNORECASE,
)
_LONGEST = 160


def old_ones(new: Iterable[EntryPost], former: Collection[str], newest: datetime | None, *, replaced: bool) -> set[str]:
    """The names of those that are other names of entries that are known by ``former`` marks.

    ``replaced``: none of them stands in the document under its name, so the names are of no use.
    """
    twins = {digest for text in former for digest in text.split()[1:]}
    words = {text.split()[0] for text in former if len(text.split()) == 1}
    return {
        item.name
        for item in new
        if not twins.isdisjoint(marks(item)[1:])
        or (replaced and not item.date and marks(item)[0] in words)
        or (replaced and item.date is not None and newest is not None and item.date <= newest)
    }


def marks(item: EntryPost) -> tuple[str, ...]:
    """As they stood in a cursor, for an entry that had its address alone."""
    words = _words(item)
    place = _digest_of_parts(5, item.raw.url.partition("#")[0], words)
    if not item.date:
        return words, place
    twin = _digest_of_parts(6, item.link, words, item.date.isoformat())
    return words, twin, place, _digest_of_parts(5, item.raw.published.isoformat(), words)


def _words(item: EntryPost) -> str:
    raw = item.raw
    said = _said(raw.body)
    if "/status/" in item.link:
        said = said.replace(urlsplit(raw.origin).netloc, "")
    return _digest_of_parts(6, raw.title, raw.warning, said, *[media.url.partition("?")[0] for media in raw.media])


def _said(body: Text) -> str:
    kept = [line for line in _lines(body) if len(line) > _LONGEST or not _COUNTER_LINE.fullmatch(line)]
    return _COUNTERS.sub("", " ".join(" ".join(kept).split()))


def _lines(body: Text) -> list[str]:
    if any(block.quote or block.depth or block.form is Form.RULE for block in body):
        return [line for line in text_content(body).split("\n") if line]
    return "\n".join("".join(span.text for span in block.spans) for block in body).split("\n")


def _digest_of_parts(size: int, *parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=size).hexdigest()
