"""What of a document is news, and what has only another name, another date, or was served again. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from relay.model import Edited, Event, Published
from relay.sources.feed_posts import Item

PLAUSIBLE = timedelta(days=3)
"""How long before the newest entry a new one may be dated: publishers finish drafts, and date them back."""
_RECENT = 60
_LONG_GONE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a document says that the last ones did not."""

    events: tuple[Event, ...]
    """What is new or reads differently, oldest first."""
    past: tuple[Event, ...]
    """What was never seen and is no news all the same, oldest first."""
    old: int
    """How many of ``past`` were published long ago."""
    folded: int
    """How many of ``past`` are too many at once."""
    items: dict[str, str]
    gone: str
    """What is seen now, for the next time: see :class:`relay.sources.rss.cursor.Cursor`."""

    @property
    def note(self) -> str:
        """What people should know of what is not sent; empty where all is."""
        notes = []
        if self.old:
            notes.append(f"{self.old} old entries turned up that were never seen; they are kept, not sent")
        if self.folded:
            sent = sum(isinstance(event, Published) for event in self.events)
            many = self.folded + sent
            notes.append(f"{many} new entries came at once; the newest {sent} are sent, the others kept")
        return "; ".join(notes)


def compare(
    items: Sequence[Item],
    seen: Mapping[str, str],
    gone: str = "",
    *,
    newest: datetime | None = None,
    most: int | None = None,
    unchanged: Collection[str] = (),
) -> News:
    """Tell apart what is new, what is edited, and what was seen before under another name.

    ``newest`` is the newest date that was ever read: what is dated long before it is no news. At most the newest
    ``most`` publications are news. Entries that left the document are remembered for a while, as some come back.
    ``unchanged`` names entries that stand in the document as they were and are not among ``items``.
    """
    names = set(gone.split())
    twins = {mark for known in seen.values() for mark in known.split()[1:]}
    marked = {name: seen[name] for name in unchanged if name in seen} | _mark_all(items)
    events: list[Event] = []
    past: list[Event] = []
    for item in items:
        known = seen.get(item.name)
        if known is not None:
            if known.split(" ", 1)[0] != item.text:
                events.append(Edited(item.post))
        elif item.name not in names and twins.isdisjoint(marked[item.name].split()[1:]):
            (past if _is_old(item, newest) else events).append(Published(item.post))
    old, folded = len(past), _too_many(events, most)
    left = {name: marks for name, marks in seen.items() if name not in marked}
    return News(
        events=tuple(event for event in events if id(event) not in folded),
        past=(*past, *folded.values()),
        old=old,
        folded=len(folded),
        items=marked | dict(list(left.items())[:_RECENT]),
        gone=" ".join(_forget(marked, [*list(left)[_RECENT:], *gone.split()])),
    )


def _too_many(events: Sequence[Event], most: int | None) -> dict[int, Event]:
    """All publications but the newest ``most``."""
    published = [event for event in events if isinstance(event, Published)]
    return {id(event): event for event in published[:-most]} if most and len(published) > most else {}


def _is_old(item: Item, newest: datetime | None) -> bool:
    dated = bool(item.twin)
    return newest is not None and dated and item.post.published < newest - PLAUSIBLE


def _forget(present: Collection[str], names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name not in present][:_LONG_GONE]


def _mark_all(items: Sequence[Item]) -> dict[str, str]:
    """The marks of each entry by its name; an address that several entries have tells nothing."""
    places = Counter(item.post.url for item in items)
    return {item.name: " ".join(filter(None, marks(item, alone=places[item.post.url] == 1))) for item in items}


def marks(item: Item, *, alone: bool) -> tuple[str, ...]:
    """Its text, and then each mark of which one is enough: an entry that has it too is the same one.

    The twin that :class:`relay.sources.feed_posts.Item` has; the address with the text (a feed that gives new guids
    and dates); the date with the text (a feed that moves to another host, and gives new guids and addresses).
    """
    place = _digest(item.post.url.partition("#")[0], item.text) if alone else ""
    date = _digest(item.post.published.isoformat(), item.text) if item.twin else ""
    return item.text, item.twin, place, date


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=5).hexdigest()
