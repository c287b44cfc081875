"""How far a list of posts has been read. Pure.

Lists come newest first, by the time at which a post was written or became known, whichever is earlier, and are paged
backwards only. So each poll reads from the top down to what it knows; where that is more than it reads at a time, it
keeps where it stopped and goes on from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

PAGE = 50
"""What is asked for at a time."""
_REMEMBERED = 120
_STRETCH = 20
_DAY = 86_400


class ListItem(NamedTuple):
    """Something on a page: when it takes its place in the list (seconds since 1970), and the uri; a repost has none."""

    at: int
    uri: str


class ListCursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """The cursor of a list, as it is kept between polls. Times are in seconds since 1970."""

    recent: tuple[tuple[int, str], ...] = ()
    """The posts seen last, oldest first: when, and a digest of the uri."""
    floor: int = 0
    """Older ones than this may have been seen and forgotten."""
    reach: int = 0
    """So far down a reading goes: all that is older was read."""
    below: tuple[tuple[int, str], ...] = ()
    """What was seen last before the gap, while there is one."""
    onward: str = ""
    """Where the server goes on with the page below, while there is a gap above what was read before."""

    def __str__(self) -> str:
        return msgspec.json.encode(self).decode()


class ListStep(NamedTuple):
    """Where the reading stands after some pages, and the uris that are new, newest first."""

    place: ListCursor
    new: tuple[str, ...] = ()


def read_place(cursor: str) -> ListCursor | None:
    """The place that was kept; None where there is none, or none that can be read."""
    try:
        return msgspec.json.decode(cursor, type=ListCursor)
    except msgspec.MsgspecError:
        return None


def begin(items: Sequence[ListItem], now: datetime) -> ListCursor:
    """The place at the top of the first page: all on it and below counts as seen.

    Below a page that is not full there is nothing; what turns up there later is news unless it is old.
    """
    known = _known(items)
    oldest = _oldest(known) if known else int(now.timestamp())
    floor = oldest if len(items) >= PAGE else oldest - _DAY
    reach = _reach(known, int(now.timestamp())) if known else floor
    return ListCursor(recent=known[-_REMEMBERED:], floor=floor, reach=reach)


def reaches(place: ListCursor, items: Sequence[ListItem]) -> bool:
    """Whether a page goes down to what was read before: in one second there may be known ones and new ones."""
    seen = {digest for _, digest in (*place.recent, *place.below)}
    return any(item.at < place.reach or (item.at == place.reach and _digest(item.uri) in seen) for item in items)


def read_pages(place: ListCursor, items: Sequence[ListItem], onward: str, now: datetime) -> ListStep:
    """Pages were read from the top, or from where the last reading stopped; ``onward``: the gap goes on below them."""
    seen = {digest for _, digest in (*place.recent, *place.below)}
    new = tuple(
        dict.fromkeys(
            item.uri for item in items if item.uri and item.at >= place.floor and _digest(item.uri) not in seen
        )
    )
    merged = tuple(sorted({*place.recent, *_known(items)}))
    recent = merged[-_REMEMBERED:]
    if onward:  # down to the old reach all may still be news
        below = place.below if place.onward else place.recent
        return ListStep(msgspec.structs.replace(place, recent=recent, below=below, onward=onward), new)
    forgotten = len(merged) > len(recent) or place.onward
    floor = max(place.floor, _oldest(merged)) if forgotten and recent else place.floor
    reach = max(place.reach, _reach(recent, int(now.timestamp()))) if recent else place.reach
    return ListStep(ListCursor(recent=recent, floor=floor, reach=reach), new)


def from_the_top(place: ListCursor) -> ListCursor:
    """The same with the way down the gap forgotten: it is walked again from its top."""
    recent = tuple(sorted({*place.recent, *place.below}))
    return msgspec.structs.replace(place, recent=recent, below=(), onward="")


def _known(items: Sequence[ListItem]) -> tuple[tuple[int, str], ...]:
    return tuple(sorted({(item.at, _digest(item.uri)) for item in items if item.uri}))


def _oldest(known: Sequence[tuple[int, str]]) -> int:
    """The first second of which all is remembered; where that is more than is remembered at all, the last one."""
    recent, forgotten = known[-_REMEMBERED:], known[:-_REMEMBERED]
    is_torn = bool(forgotten) and forgotten[-1][0] == recent[0][0]
    return min(recent[0][0] + is_torn, recent[-1][0])


def _reach(known: Sequence[tuple[int, str]], now: int) -> int:
    """A stretch below the newest: what was written a little earlier becomes known a little later."""
    return min(known[-_STRETCH:][0][0], now)


def _digest(uri: str) -> str:
    return hashlib.blake2b(uri.encode(), digest_size=6).hexdigest()
