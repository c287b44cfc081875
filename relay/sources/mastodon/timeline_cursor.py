"""How far a timeline has been read. Pure.

A server gives ids by the time a post says it was written, so a post that travelled for a while appears *below* newer
ones that were read before. To walk up by ``min_id`` from the newest one known would lose posts every day. So:

* Each poll reads the newest page, one request that the server's caches answer, and takes from it what was not seen yet.
* Only where that page does not reach far enough back the gap is walked by ``min_id``, one page a poll, oldest first.
* Every page begins a stretch below the newest post known: one that comes late among the 20 newest is always found, one
  that comes later still is found where the newest page shows it.

Ids are opaque; their order is by length, then by characters (docs.joinmastodon.org/api/guidelines#id).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

PAGE = 40
"""What servers give at most at a time."""
_REMEMBERED = 120
_STRETCH = 20
WHOLE = 20
"""No server gives less at a time: a page that is shorter is all there is."""
_BEGINNING = "0"


class How(StrEnum):
    """How much of a timeline is open to us: the whole of it, only the server's own posts, or its RSS."""

    WHOLE = "whole"
    LOCAL = "local"
    RSS = "rss"


class TimelineCursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """The cursor of a timeline, as it is kept between polls."""

    recent: tuple[str, ...] = ()
    """The ids seen last, in order."""
    floor: str = ""
    """Older ids than this may have been seen and forgotten. Empty: all that were ever seen are in ``recent``."""
    behind: bool = False
    """There is a gap above what was read, and it is being walked."""
    began: int = 0
    """When the timeline was first found empty (seconds since 1970); 0 once it was not."""
    local: int = 0
    """Not all of it is open to us; after so many polls the whole is tried again."""
    how: How = How.WHOLE

    @property
    def min_id(self) -> str:
        """Above this id everything is to be read."""
        return self.recent[-_STRETCH:][0] if self.recent else _BEGINNING

    def __str__(self) -> str:
        return msgspec.json.encode(self).decode()


class TimelineStep(NamedTuple):
    """Where the reading stands after a page, what is new on it (oldest first), and whether to read on at once."""

    place: TimelineCursor
    new: tuple[str, ...] = ()
    more: bool = False


def read_place(cursor: str) -> TimelineCursor | None:
    """The place that was kept; None where there is none, or none that can be read."""
    try:
        return msgspec.json.decode(cursor, type=TimelineCursor)
    except msgspec.MsgspecError:
        return None


def begin(ids: Collection[str], now: datetime) -> TimelineCursor:
    """The place at the top of the newest page: all below counts as seen."""
    recent = ordered(ids)
    floor = recent[0] if len(recent) >= WHOLE else ""
    return TimelineCursor(recent=recent, floor=floor, began=0 if recent else int(now.timestamp()))


def read_newest(place: TimelineCursor, ids: Collection[str]) -> TimelineStep:
    """The newest page was read: it reaches back far enough into what is known, or there is a gap."""
    if len(ids) < WHOLE or age(min(ids, key=age)) <= age(place.min_id):
        return _taken(place, ids)
    return TimelineStep(msgspec.structs.replace(place, behind=True), more=True)


def read_above(place: TimelineCursor, ids: Collection[str]) -> TimelineStep:
    """The page above ``place.min_id`` was read. A page that is not full, or shows nothing new, is the last one."""
    step = _taken(place, ids)
    more = len(ids) >= PAGE and bool(step.new)
    return TimelineStep(msgspec.structs.replace(step.place, behind=more), step.new, more)


def was_hidden(place: TimelineCursor, ids: Collection[str], oldest: datetime) -> bool:
    """Whether a timeline that seemed empty was only hidden: it shows a full page now, from long before the first poll.

    A server that hides its hashtags answers with an empty list. When it opens, its whole past would come as news.
    """
    began = datetime.fromtimestamp(place.began, UTC)
    return bool(place.began) and len(ids) >= PAGE and oldest < began - timedelta(days=1)


def ordered(ids: Collection[str]) -> tuple[str, ...]:
    """Oldest first, as the server counts."""
    return tuple(sorted(ids, key=age))


def moment(identifier: str) -> datetime | None:
    """When a post was written, by its id in Mastodon's or in our own of RSS; None where that one does not say."""
    seconds, mark, _ = identifier.partition("-")
    if not identifier.isascii() or not seconds.isdigit():
        return None
    try:
        return datetime.fromtimestamp(int(seconds) if mark else (int(seconds) >> 16) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _taken(place: TimelineCursor, ids: Collection[str]) -> TimelineStep:
    known = {*place.recent}
    new = tuple(i for i in ordered(ids) if i not in known and age(i) >= age(place.floor))
    merged = ordered({*known, *new})
    recent = merged[-_REMEMBERED:]
    floor = recent[0] if len(merged) > len(recent) else place.floor
    return TimelineStep(
        msgspec.structs.replace(place, recent=recent, floor=floor, began=0 if recent else place.began), new
    )


def age(identifier: str) -> tuple[int, str]:
    """What ids are ordered by, the oldest first."""
    return len(identifier), identifier
