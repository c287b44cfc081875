"""How posts are brought, as people write and read it, in the configuration and in the chats alike. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches

from relay.core.filter_options import Wrong
from relay.core.hours import MORNING, At, NoZoneError, Quiet, read_at, read_quiet, zones
from relay.i18n import later
from relay.options import USUAL, Manner
from relay.settings import duration, duration_text
from relay.text import clean

SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=31)
MOST = 10_000
"""Messages within an hour."""


def every_of(written: str) -> timedelta | Wrong:
    """How long a digest gathers: whole hours, or whole days."""
    try:
        span = duration(written.strip())
    except ValueError:
        span = None
    hour, day = timedelta(hours=1), timedelta(days=1)
    if not isinstance(span, timedelta) or not SHORTEST <= span <= LONGEST or span % (day if span > day else hour):
        return Wrong(later("expected whole hours up to a day, or whole days, like 1h, 6h, 1d, 7d"))
    return span


def at_of(written: str) -> str | Wrong:
    """A time of day, in the way in which it is kept; empty stays empty."""
    if not written.strip():
        return ""
    try:
        at = read_at(written)
    except NoZoneError as error:
        return _no_zone(str(error))
    return str(at) if at else Wrong(later("expected a time of day, like 08:00 or 08:00 America/Lima"))


def quiet_of(written: str) -> str | Wrong:
    """Quiet hours, in the way in which they are kept; empty stays empty."""
    if not written.strip():
        return ""
    try:
        quiet = read_quiet(written)
    except NoZoneError as error:
        return _no_zone(str(error))
    text = later("expected from when to when, like 22:00-07:00 or 22:00-07:00 America/Lima")
    return str(quiet) if quiet else Wrong(text)


def budget_of(written: str) -> int | Wrong:
    number = int(written.strip()) if re.fullmatch(r"[0-9]{1,6}", written.strip()) else -1
    return number if 0 <= number <= MOST else Wrong(later("expected a whole number, at most {n}"), {"n": MOST})


def burst_of(written: str) -> int | Wrong:
    number = budget_of(written)
    return number or Wrong(later("expected a whole number from 1 to {n}"), {"n": MOST})


def _no_zone(name: str) -> Wrong:
    by_case = {one.casefold(): one for one in zones()}
    by_case |= {one.rpartition("/")[2]: by_case[one] for one in [*by_case] if "/" in one}  # "Lima"
    shown = {"name": clean(name, limit=40)}
    if near := get_close_matches(name.casefold()[:60], by_case, n=1):
        text = later("there is no time zone “{name}”; did you mean {near}?")
        return Wrong(text, {**shown, "near": by_case[near[0]]})
    return Wrong(later("there is no time zone “{name}”; write it like America/Lima"), shown)


# --- what was read ---


def at(manner: Manner) -> At:
    """When its daily digest comes."""
    return (read_at(manner.at) if manner.at else None) or MORNING


def quiet(manner: Manner) -> Quiet | None:
    return read_quiet(manner.quiet) if manner.quiet else None


def written(manner: Manner) -> Mapping[str, str]:
    """What is set in it but its mode, by name, as people write it."""
    every = duration_text(manner.every) if manner.every != USUAL.every else ""
    follow = manner.follow.value if manner.follow else ""
    numbers = {name: str(value) for name in ("budget", "burst") if (value := getattr(manner, name)) is not None}
    said = {"follow": follow, "every": every, "at": manner.at, "quiet": manner.quiet, **numbers}
    return {name: value for name, value in said.items() if value}
