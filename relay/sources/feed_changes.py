"""What a feed's bytes say that the last polls did not know: from the document to its news in one step. Pure.

It takes as long as feedparser takes, and as what people wrote takes to become posts: not for the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from relay.model import Edited, Published
from relay.sources import feed_former, feed_identity, feed_snapshot
from relay.sources.feed_document import EntryChange, FeedChanges, FeedDocument, KnownFeed
from relay.sources.feed_identity import EntryDigests, mark
from relay.sources.feed_posts import EntryPost, note, read_items, setting_of
from relay.sources.feed_read import read
from relay.sources.feed_snapshot import KnownSlices

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
        found |= feed_former.old_ones(new.values(), older.values(), newest, replaced=replaced)
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
    before = feed_snapshot.known(slices, known.url, seen) if slices else {}
    while True:
        document = read(body, known.content_type, slices.around if slices else "", before)
        if not document.version and not document.found:
            return FeedChanges(document=replace(document, entries=())), ()
        setting = setting_of(document, address=known.name, url=known.url, now=known.now, feed=known.feed)
        items = read_items(document, setting)
        others = feed_snapshot.others(document, before)
        rest = others.values()
        if not others or (feed_snapshot.are_few(items, rest) and feed_snapshot.are_apart(items, rest)):
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
        dates=feed_snapshot.dates(items, rest),
        items=_encoded(news.items),
        gone=news.gone,
        slices=_encoded(feed_snapshot.remembered(document, items, others, known.url)),
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
