"""The dates of feeds: RFC 822, RFC 3339, and whatever else publishers write, in many languages. Pure.

feedparser reads the two standards, but takes every zone that it does not know for UTC, ignores "PM", and makes another
day of other orders. So it only hands over the text, and this is what reads it, by these rules:

* A date that cannot be read is no date, never another day. A day, a month and a year have to be there.
* A name of a month counts where all languages that have it mean the same month, else where the feed says its language.
* Numbers alone: the year first is year, month, day; dots are day, month, year. With slashes or hyphens the order is the
  only one that is possible, or that fits the weekday beside it, or that the feed's language has; else there is no date.
* No zone is UTC, and so is one that nobody knows. An abbreviation is the zone that most feeds mean: BST is British.
* A year of two digits is 1970 to 2069.
"""

from __future__ import annotations

import contextlib
import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from relay.sources.date_names import AFTERNOON, LINKING, MORNING, OFFSETS, REGIONS, month, plain_letters

LONGEST = 120
"""Characters; what is longer is no date."""

# The two standards as nearly everybody writes them, which need no more.
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_RFC_822 = re.compile(
    r"[A-Z][a-z]{2}, ([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) (?:GMT|UTC|Z|([+-][0-9]{4}))"
)
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"

_STAMP = re.compile(r"([0-9]{9,16})(?:\.[0-9]{0,9})?")
_DIGITS = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})[t ]?(?:([0-9]{2})([0-9]{2})([0-9]{2})?)?(?![0-9])")
_WEEK = re.compile(r"([0-9]{4})-?w([0-9]{2})-?([1-7])(?![0-9])")
_ORDINAL = re.compile(r"(?<![0-9-])([0-9]{4})-?([0-3][0-9]{2})(?![0-9:/.-])")
_REWRITTEN = (  # 2026年3月1日 15時04分, 2026년 3월 1일; ngày 1 tháng 3 năm 2026
    (re.compile(r" ?[年月년월] ?"), "-"),
    (re.compile(r" ?[日号號일]"), " "),
    (re.compile(r" ?[時时点點시] ?"), ":"),
    (re.compile(r" ?[分분] ?(?=[0-9])"), ":"),
    (re.compile(r" ?[分分분秒초]"), " "),
    (re.compile(r" (?:thang|thg|nam) (?=[0-9])"), "."),
)

_HALVES = "|".join(re.escape(word) for word in sorted({*MORNING, *AFTERNOON}, key=len, reverse=True))
_CLOCK = re.compile(
    rf"(?:(?P<early>{_HALVES}) ?)?(?<![0-9:+])(?<!-[0-9]{{2}}-)(?P<hour>[0-9]{{1,2}})"
    rf"(?: ?[:h] ?)(?P<minute>[0-9]{{1,2}})(?: ?: ?(?P<second>[0-9]{{1,2}}))?(?:[.,][0-9]{{1,9}})?"
    rf"(?: ?(?P<late>{_HALVES})(?![^\W\d_]))?(?![0-9])"
)
_HOUR = re.compile(rf"(?<![0-9.:/-])(?P<hour>[0-9]{{1,2}}) ?(?P<late>{_HALVES}|h|uhr)(?![^\W\d_])")
_DOTTED = re.compile(
    r"(?<=[0-9]{4}[ ,])(?:[ ,]|kl|klo|um|alle|ore)*[. ]*(?P<hour>[0-9]{1,2})\.(?P<minute>[0-9]{2})(?![0-9.])"
)
_ALONE = re.compile(r"(?<=[0-9]{4} )(?P<hour>[0-9]{2})(?= [+-][0-9]{2}:?[0-9]{2}$)")

_ZONE = re.compile(
    r"(?: ?(?:uhr|uur|hrs?|h)(?![a-z]))?[ (\[]*"
    r"(?P<name>[a-z]{1,5}[0-9][a-z]{3}|[a-z]+/[a-z_]+(?:/[a-z_]+)?|[a-z]{1,5}(?![a-z]))?"
    r"[ :]*(?P<offset>[+-]{1,2}[0-9]{1,2}(?::?[0-9]{2}){0,2}|00(?:00)?)?(?![0-9./])"
)
_IN_BRACKETS = re.compile(r"[(\[][^()\[\]]*[)\]]")
_LAST_ZONE = re.compile(
    r"(?:(?P<offset>(?: [+-]|(?<=-[0-9]{2})[+-](?=.{5}$))[0-9]{2}:?[0-9]{2})| (?P<name>[a-z]{2,5}))$"
)
_TOKEN = re.compile(r"[0-9]+|(?:[^\W\d_]|[\u0900-\u0963])+|[^\w\s]")  # with the vowel signs of Devanagari
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_FIRST = datetime(1970, 1, 2, tzinfo=UTC)
_YEAR_FIRST = ("hu", "ja", "ko", "lt", "mn", "zh")
_ENGLISH = {"en": "", "en-ca": "", "en-ph": "", "en-us": "mdy"}


def moment(text: str, language: str = "") -> datetime | None:
    """The moment that is written, in UTC; None where none can be told. ``language`` is that of the feed, if it says so.

    What is dated before 1970 is a mistake, as is the first day of it, which clocks show that were not set.
    """
    if not text or len(text) > LONGEST:
        return None
    try:
        read = (_standard(text) or _read(_plain(text), language.replace("_", "-").lower())).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return read if read >= _FIRST and read.year <= 9000 else None


def _standard(text: str) -> datetime | None:
    if found := _RFC_822.fullmatch(text):
        day, name, year, clock, offset = found.groups()
        text = f"{year}-{_MONTHS.find(name) // 3 + 1:02}-{day:0>2}T{clock}{offset or 'Z'}"
    elif not _RFC_3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # 24:00, a leap second, another language
        return None


def _read(line: str, language: str) -> datetime:
    if stamp := _STAMP.fullmatch(line):
        return _of_digits(stamp[1])
    for pattern, written in _REWRITTEN:
        line = pattern.sub(written, line)
    line = _ORDINAL.sub(_ordinal, _WEEK.sub(_week, _DIGITS.sub(_spread, line)))
    clock = _CLOCK.search(line) or _HOUR.search(line) or _DOTTED.search(line) or _ALONE.search(line)
    if clock is None:
        rest, zone = _last_zone(line)
        return datetime.combine(_day(rest, language), time(), zone)
    before, behind = line[: clock.start()], line[clock.end() :]
    behind, zone = _zone(behind) or _last_zone(behind)
    midnight = datetime.combine(_day(f"{before} {behind}", language), time(), zone)
    return midnight + _since_midnight(clock.groupdict(""))


def _plain(text: str) -> str:
    """One line of small letters without accents, digits as everybody writes them, no entities, no invisible ones."""
    line = plain_letters(html.unescape(html.unescape(text)))
    line = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in line)
    return " ".join(line.replace("\u2212", "-").split())


def _of_digits(digits: str) -> datetime:
    """A day and perhaps a time in fourteen or twelve digits, else seconds since 1970, or parts of them."""
    if (written := _DIGITS.fullmatch(digits)) and len(digits) in {12, 14}:
        year, named, day, hour, minute, second = [int(part or 0) for part in written.groups()]
        return datetime(year, named, day, hour, minute, second, tzinfo=UTC)
    parts = 10 ** (max(len(digits) - 10, 0) // 3 * 3)
    return datetime.fromtimestamp(int(digits) / parts, UTC)


def _spread(found: re.Match[str]) -> str:
    year, named, day, hour, minute, second = found.groups()
    return f"{year}-{named}-{day}" + (f" {hour}:{minute}:{second or '00'}" if hour else found[0][8:])


def _week(found: re.Match[str]) -> str:
    return date.fromisocalendar(int(found[1]), int(found[2]), int(found[3])).isoformat()


def _ordinal(found: re.Match[str]) -> str:
    first = date(int(found[1]), 1, 1) + timedelta(days=int(found[2]) - 1)
    return first.isoformat() if first.year == int(found[1]) else found[0]


# --- the time of day and its zone ---


def _since_midnight(clock: dict[str, str]) -> timedelta:
    hour, minute, second = (int(clock.get(part) or 0) for part in ("hour", "minute", "second"))
    half = clock.get("early") or clock.get("late")
    if half in AFTERNOON and hour < 12:
        hour += 12
    elif half in MORNING and hour == 12:
        hour = 0
    if minute > 59 or second > 60 or (hour, minute, second) > (24, 0, 0):
        raise ValueError(clock)
    return timedelta(hours=hour, minutes=minute, seconds=second)


def _zone(behind: str) -> tuple[str, tzinfo] | None:
    """What follows a time and its zone, and that zone; None where no zone follows directly."""
    found = _ZONE.match(behind)
    name, offset = (found["name"] or "", found["offset"] or "") if found else ("", "")
    if not found or not (name or offset):
        return None
    if offset and (not name or name in OFFSETS):
        return _without_name(behind[found.end() :]), _offset(offset)
    known = _named(name)
    if known is None and (offset or month(name) or name[:3] in _DAYS or name in LINKING):
        return None
    return behind[found.end("name") :], known or UTC


def _without_name(rest: str) -> str:
    """A zone's name behind its number says nothing more."""
    rest = _IN_BRACKETS.sub("", rest, count=1)
    word = rest.strip().partition(" ")[0]
    return rest.partition(word)[2] if word in OFFSETS else rest


def _last_zone(line: str) -> tuple[str, tzinfo]:
    """The zone at the end of a line, which need not follow the time."""
    found = _LAST_ZONE.search(line)
    zone = found and (_offset(found["offset"]) if found["offset"] else _named(found["name"]))
    return (line[: found.start()], zone) if found and zone else (line, UTC)


def _named(name: str) -> tzinfo | None:
    if name in OFFSETS:
        return timezone(timedelta(minutes=OFFSETS[name]))
    region = REGIONS.get(name) or ("/".join(part.title() for part in name.split("/")) if "/" in name else "")
    if not region:
        return None
    try:
        return ZoneInfo(region.replace("_Of_", "_of_"))
    except (ZoneInfoNotFoundError, OSError):
        return UTC


def _offset(text: str) -> tzinfo:
    sign, digits = -1 if "-" in text else 1, text.lstrip(" +-").replace(":", "")
    digits = digits if len(digits) % 2 == 0 else f"0{digits}"
    minutes = int(digits[:2]) * 60 + int(digits[2:4] or 0)
    if minutes > 15 * 60:
        raise ValueError(text)
    return timezone(sign * timedelta(minutes=minutes))


# --- the day ---


@dataclass(frozen=True, slots=True)
class _Part:
    """A number, or a month's name, and where it stands among the tokens."""

    place: int
    text: str
    month: int = 0

    @property
    def is_year(self) -> bool:
        return not self.month and len(self.text) == 4


def _day(line: str, language: str) -> date:
    tokens = _TOKEN.findall(line)
    parts = [
        _Part(place, token, number)
        for place, token in enumerate(tokens)
        if (number := month(token, language)) or token.isdecimal()
    ]
    named = [part for part in parts if part.month]
    if len(parts) == 4 and named[:1] == parts[:1]:  # "mar" is a Tuesday in French, Spanish and Italian, too
        parts.remove(named.pop(0))
    if len(parts) != 3 or len(named) > 1:
        raise ValueError(line)
    between = [tokens[place] for place in range(parts[0].place + 1, parts[2].place) if place != parts[1].place]
    if not all(_may_stand_between(token, named=bool(named)) for token in between):
        raise ValueError(line)
    weekday = next((_DAYS.index(token[:3]) for token in tokens if token[:3] in _DAYS), None)
    return _only(parts, _orders(parts, between), weekday, language)


def _may_stand_between(token: str, *, named: bool) -> bool:
    return not token[0].isalpha() or (named and (token in LINKING or token[:3] in _DAYS))


def _orders(parts: Sequence[_Part], between: Sequence[str]) -> Sequence[str]:
    """All the orders that the parts can have."""
    first, second, third = parts
    if first.month:
        return ["mdy"]
    if first.is_year:
        return ["ydm" if third.month else "ymd"]  # 2026. gada 9. marts
    if second.month:
        return ["dmy"]
    if third.month:
        return []
    if between.count(".") == 2:
        return ["dmy"] if third.is_year else ["dmy", "ymd"]
    return ["dmy", "mdy"] if third.is_year else ["dmy", "mdy", "ymd"]


def _only(parts: Sequence[_Part], orders: Sequence[str], weekday: int | None, language: str) -> date:
    """The day that is meant; raises ``ValueError`` where it could be another one."""
    read = dict[str, date]()
    for order in orders:
        year, named, day = (parts[order.index(unit)] for unit in "ymd")
        with contextlib.suppress(ValueError):
            read[order] = date(_year(year.text), named.month or _small(named.text), _small(day.text))
    if len(set(read.values())) > 1:
        fitting = {order: day for order, day in read.items() if day.weekday() == weekday}
        read = fitting if len(fitting) == 1 else {order: read[order] for order in read if order == _habit(language)}
    if not read:
        raise ValueError(parts)
    return next(iter(read.values()))


def _habit(language: str) -> str:
    """The order of numbers in a language; none where its countries differ."""
    if language[:2] in _YEAR_FIRST:
        return "ymd"
    return _ENGLISH.get(language, "dmy") if language else ""


def _year(text: str) -> int:
    number = int(text)
    if len(text) == 2:
        return number + (1900 if number >= 70 else 2000)
    return number + 1900 if len(text) == 3 else number  # 126 is 2026, counted from 1900


def _small(text: str) -> int:
    if len(text) > 2:
        raise ValueError(text)
    return int(text)
