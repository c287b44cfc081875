"""The two ways in which nearly every feed writes a date, read to the same moment as feedparser reads them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta


class Odd(Exception):  # noqa: N818 - no error: the writing is left to a reader that knows more of them
    """Something is written in another way than nearly everybody writes it."""


_NAMES = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_MONTHS = {name: f"{number:02}" for number, name in enumerate(_NAMES.split(), start=1)}
# RFC 822 with the zones that feedparser knows by the same name; it takes others, such as CEST, for UTC.
_MAIL = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) "
    r"(?:GMT|UTC|UT|Z|([+-])([0-9]{2})([0-9]{2}))"
)
_NET = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)


def moment(text: str) -> datetime | None:
    """The moment that RFC 822 or RFC 3339 writing names; None for no writing. Raises ``Odd`` for any other writing."""
    if not text:
        return None
    if match := _MAIL.fullmatch(text):
        day, name, year, *rest = match.groups()
        month = _MONTHS.get(name, "0")
    elif match := _NET.fullmatch(text):
        year, month, day, *rest = match.groups()
    else:
        raise Odd(text)
    hour, minute, second, sign, hours, minutes = rest
    try:
        stamp = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        if sign and (hours != "00" or minutes != "00"):
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            stamp += offset if sign == "-" else -offset
    except (ValueError, OverflowError) as problem:
        raise Odd(text) from problem
    return stamp if 1970 <= stamp.year <= 9000 else None
