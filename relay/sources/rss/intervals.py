"""How long to leave a publisher alone, and whether a feed has stopped to be what it was. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise

from relay.http import HostPolicy, retry_after

DAY = timedelta(hours=24)
"""The longest that is waited, whatever is asked for."""
SLOWEST = 8
"""Of how many intervals one is used at least, however quiet the feed."""
PUSHED = 6
"""The same of a feed whose hub tells of its news."""
_QUIET = 12
_HABIT = 5
_SILENT = timedelta(days=7)

FEEDS = HostPolicy(
    name="feeds",
    connections=1,
    gaps={"reddit.com": timedelta(seconds=65)},  # since 2026 about one request a minute from one address
    patience=timedelta(seconds=10),
)
"""How hosts are asked for feeds: one thing at a time."""

_ASKING = frozenset({"cache-control", "expires", "retry-after", "x-ratelimit-reset", "ratelimit-reset"})
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)
_UNCACHED = re.compile(r"(?:^|[\s,])no-(?:cache|store)", re.IGNORECASE)


def asked(headers: Mapping[str, str], minutes: int, now: datetime) -> timedelta:
    """The longest time that the publisher asks for, a day at most.

    ``minutes`` is what the document says; so do ``Retry-After`` and how long the answer is fresh (RFC 9111 4.2).
    """
    said = timedelta(minutes=minutes)
    if not _ASKING.isdisjoint(headers):
        said = max(said, _fresh(headers, now), retry_after(headers, now) or timedelta(0))
    return min(said, DAY)


def _fresh(headers: Mapping[str, str], now: datetime) -> timedelta:
    control = headers.get("cache-control", "")
    if age := _MAX_AGE.search(control):
        return timedelta(seconds=max(int(age[1]) - _number(headers.get("age", "")), 0))
    expires = None if _UNCACHED.search(control) else _date(headers.get("expires", ""))
    return max(expires - now, timedelta(0)) if expires else timedelta(0)


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text.strip()) else 0


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def patience(quiet: timedelta, interval: timedelta) -> int:
    """Of how many intervals one is used, when nothing new came for so long: from 1 to :data:`SLOWEST`.

    So a silence is looked at some twelve times before the next step; the first news makes it 1 again.
    """
    return min(max(quiet // (interval * _QUIET), 1), SLOWEST)


def pause(
    now: datetime,
    interval: timedelta,
    *,
    asked: timedelta,
    quiet: timedelta,
    pushed: bool = False,
    hours: Collection[int] = (),
    days: Collection[int] = (),
) -> timedelta | None:
    """The least time until the next poll, a day at most; None: the interval will do."""
    rare = max(patience(quiet, interval), PUSHED if pushed else 1)
    wait = max(asked, interval * rare if rare > 1 else timedelta(0))
    due = now + max(wait, interval)
    open_again = after_skips(due, hours, days)
    if open_again > due:
        wait = open_again - now
    return min(wait, DAY) or None


def after_skips(at: datetime, hours: Collection[int], days: Collection[int]) -> datetime:
    """``at``, or the first full hour after it in which the publisher may be asked; ``at`` where there is none."""
    if not hours and not days:
        return at
    start = at.replace(minute=0, second=0, microsecond=0)
    for number in range(7 * 24):
        hour = start + timedelta(hours=number)
        if hour.hour not in hours and hour.weekday() not in days:
            return max(at, hour)
    return at


def habit(dates: Sequence[datetime]) -> timedelta | None:
    """How much time usually lies between two entries; None where too few tell."""
    ordered = sorted(dates)
    if len(ordered) < _HABIT:
        return None
    gaps = sorted(later - earlier for earlier, later in pairwise(ordered))
    middle = len(gaps) // 2
    return (gaps[middle] + gaps[~middle]) / 2


def is_stale(latest: datetime, gap: timedelta, now: datetime) -> bool:
    """Nothing new for ten times as long as usual, and a week at least. Where there is no habit, nothing is stale."""
    return bool(gap) and now - latest > max(_SILENT, gap * 10)
