"""Times of day in people's own time zones: when a digest comes, and when it is to be quiet. Pure.

Written ``08:00``, ``08:00 America/Lima``, ``22:00-07:00 America/Lima``; without a zone it is UTC. Zones are those of
the IANA database. A time that a zone leaps over in spring counts as the same while after the leap; one that it has
twice in autumn, as the first of the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

_DAY = timedelta(days=1)
_CLOCK = r"([01]?\d|2[0-3]):([0-5]\d)"
_AT = re.compile(rf"{_CLOCK}(?:\s+(\S+))?")
_QUIET = re.compile(rf"{_CLOCK}\s*[-–]\s*{_CLOCK}(?:\s+(\S+))?")


class NoZoneError(ValueError):
    """There is no time zone of this name."""


@dataclass(frozen=True, slots=True)
class At:
    """A time of day, somewhere."""

    clock: time
    zone: str = "UTC"

    def on(self, day: date) -> datetime:
        """The moment of that day, in UTC."""
        return datetime.combine(day, self.clock, _zone(self.zone)).astimezone(UTC)

    def after(self, now: datetime) -> datetime:
        """The next such moment later than ``now``, in UTC."""
        return next(moment for day in _days(now, self.zone) if (moment := self.on(day)) > now)

    def __str__(self) -> str:
        return f"{self.clock:%H:%M} {self.zone}"


@dataclass(frozen=True, slots=True)
class Quiet:
    """From one time of day to another, over midnight where that comes first."""

    begins: At
    ends: At

    def until(self, now: datetime) -> datetime | None:
        """When it ends, in UTC, if it is quiet at ``now``."""
        ends = self.ends.after(now)
        began = max(moment for day in _days(now - _DAY, self.begins.zone) if (moment := self.begins.on(day)) <= now)
        return ends if not any(began < end <= now for end in self._ends_around(now)) else None

    def _ends_around(self, now: datetime) -> Iterator[datetime]:
        return map(self.ends.on, _days(now - _DAY, self.ends.zone))

    def __str__(self) -> str:
        return f"{self.begins.clock:%H:%M}-{self.ends}"


MORNING = At(time(8))
"""When a daily digest comes where nothing else is said."""


def read_at(text: str) -> At | None:
    """None where it is no time of day; raises :class:`NoZoneError`."""
    found = _AT.fullmatch(text.strip())
    return At(time(int(found[1]), int(found[2])), _known(found[3])) if found else None


def read_quiet(text: str) -> Quiet | None:
    """None where it is no two times of day, or twice the same; raises :class:`NoZoneError`."""
    found = _QUIET.fullmatch(text.strip())
    if not found or found.group(1, 2) == found.group(3, 4):
        return None
    zone = _known(found[5])
    begins, ends = (time(int(found[one]), int(found[one + 1])) for one in (1, 3))
    return Quiet(At(begins, zone), At(ends, zone))


def next_digest(now: datetime, every: timedelta, at: At) -> datetime:
    """When the digest that gathers at ``now`` is to come: of daily ones at that time of day, of others on the hour.

    Hours are counted from midnight of the zone, so that ``6h`` is 0, 6, 12 and 18 o'clock there.
    """
    if every >= _DAY:
        days = every // _DAY
        return next(m for day in _days(now, at.zone) if (m := at.on(day)) > now and day.toordinal() % days == 0)
    midnight = At(time(0), at.zone).on(now.astimezone(_zone(at.zone)).date())
    tomorrow = At(time(0), at.zone).after(now)
    return min(midnight + ((now - midnight) // every + 1) * every, tomorrow)


def _days(now: datetime, zone: str) -> Iterator[date]:
    """The days around a moment, from the one before."""
    today = now.astimezone(_zone(zone)).date()
    for more in range(-1, 40):
        yield today + more * _DAY


def _known(zone: str | None) -> str:
    name = zone or "UTC"
    try:
        _zone(name)
    except (KeyError, ValueError, OSError):
        raise NoZoneError(name) from None
    return name


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """The names that there are."""
    return frozenset(available_timezones())
