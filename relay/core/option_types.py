"""The values of options as people write and read them, in the configuration and in the chats alike. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from relay.core.filters import flaw
from relay.core.hashtag import fold_text
from relay.core.hours import MORNING, At, NoZoneError, Quiet, read_at, read_quiet, zones
from relay.core.urls import host_of, page
from relay.i18n import later
from relay.options import DeliveryOptions, Filters, Kind, Option, values
from relay.settings import duration, duration_text
from relay.text import clean

MOST_WORDS = 50
LONGEST_WORD = 100
MOST_BLOCKED = 200
MOST_LANGUAGES = 20
OLDEST = timedelta(days=3650)
SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=31)
"""How long a digest gathers."""

_SERVER = re.compile(r"(?:[\w-]{1,63}\.)+[\w-]{2,63}")
_ACCOUNT = re.compile(rf"@?([\w.-]{{1,100}})@({_SERVER.pattern})")
_NAMED = re.compile(rf"//[^/]+/profile/({_SERVER.pattern})")
_PROFILE = re.compile(r"//([^/@?]+)/(?:@|users/)([\w.-]+)")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_EVERY_LANGUAGE = {"all", "any", "*"}


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a value, in English with ``{names}``; a key for ``relay.language``."""

    text: str
    values: Mapping[str, str | int] = field(default_factory=dict)
    sentences: bool = False
    """It stands by itself; otherwise the option's name goes before it."""

    def __str__(self) -> str:
        return self.text.format(**self.values)


def parse(option: Option, typed: str) -> Any:
    """The value that a person typed, or what is wrong with it (:class:`Wrong`)."""
    match option.kind:
        case Kind.CHOICE:
            return next(value for value in option.labels if value.value == typed)
        case Kind.NUMBER:
            return number_of(typed, option.least, option.most)
        case Kind.WORDS:
            return words_of(re.split(r"[,;\n]", typed))
        case Kind.BLOCK:
            return block_of(_listed(typed))
        case _:
            return _READERS[option.kind](typed)


def check(option: Option, value: Any) -> Any:
    """The value that a file has, of the right type, in the way in which it is kept; or what is wrong with it."""
    match option.kind:
        case Kind.WORDS:
            return words_of(value)
        case Kind.BLOCK:
            return block_of(value)
        case Kind.PERIOD:
            return every_of(duration_text(value))
        case Kind.PATTERN | Kind.TIME | Kind.HOURS:
            return _READERS[option.kind](value)
        case _:
            return value


def text_of(value: Any) -> str:
    """A value as it would be typed."""
    if isinstance(value, tuple):
        return ", ".join(value)
    return duration_text(value) if isinstance(value, timedelta) else str(value)


def written(record: Filters | DeliveryOptions) -> dict[str, str]:
    """What is set, by the option's name, as it would be typed."""
    return {name: text_of(value) for name, option, value in values(record) if value != option.default}


def changes(old: Filters | DeliveryOptions, new: Filters | DeliveryOptions) -> dict[str, str]:
    """What became of the options that differ, by name; empty where it was taken back."""
    before = {name: value for name, _, value in values(old)}
    return {
        name: text_of(value) if option.shown(value) else ""
        for name, option, value in values(new)
        if value != before[name]
    }


# --- lists ---


def _listed(typed: str) -> list[str]:
    return re.findall(r"[^\s,;]+", typed)


def languages_of(typed: str) -> tuple[str, ...] | Wrong:
    """Language tags, each once."""
    tags = _listed(typed)
    if wrong := next((tag for tag in tags if tag not in _EVERY_LANGUAGE and not _LANGUAGE.fullmatch(tag)), ""):
        text = later("{tag} is not a language code. Write codes like {example}, or {every} for every language.")
        return Wrong(text, {"tag": wrong, "example": "es, qu", "every": "all"}, sentences=True)
    if len(tags) > MOST_LANGUAGES:
        return Wrong(later("Too many languages. You can choose {n} at most."), {"n": MOST_LANGUAGES}, sentences=True)
    return tuple(dict.fromkeys(_canonical(tag) for tag in tags if tag not in _EVERY_LANGUAGE))


def _canonical(tag: str) -> str:
    language, *rest = tag.split("-")
    return "-".join([language.lower(), *rest])


def words_of(written: Iterable[str]) -> tuple[str, ...] | Wrong:
    """Words and phrases, each once."""
    words = {fold_text(word): clean(word, limit=LONGEST_WORD + 1) for word in written}
    words.pop("", None)
    if len(words) > MOST_WORDS:
        return Wrong(later("too many words (at most {n})"), {"n": MOST_WORDS})
    if any(len(word) > LONGEST_WORD for word in words.values()):
        return Wrong(later("too long for a word (at most {n} characters)"), {"n": LONGEST_WORD})
    return tuple(words.values())


def block_of(written: Iterable[str]) -> tuple[str, ...] | Wrong:
    """Accounts and servers as a post is asked for them, each once."""
    names: dict[str, None] = {}
    for one in written:
        name = _blocked(one.strip().strip("<>"))
        if not name:
            text = later(
                "“{name}” is neither an account nor a server; write them like @who@ayllu.example, ayllu.example"
            )
            return Wrong(text, {"name": clean(one, limit=60)})
        names[name] = None
    if len(names) > MOST_BLOCKED:
        return Wrong(later("too many accounts and servers (at most {n})"), {"n": MOST_BLOCKED})
    return tuple(names)


def _blocked(text: str) -> str:
    """``@who@host``, ``@who.host``, ``host``, a DID, or the page of a profile; empty: none of these."""
    if text.startswith("did:"):
        return clean(text, limit=300)
    if "://" in text:
        return _blocked_page(page(text))
    if found := _ACCOUNT.fullmatch(text):
        return f"@{found[1]}@{found[2]}".casefold()
    if text.startswith("@"):
        return text.casefold() if _SERVER.fullmatch(text[1:]) else ""
    return host_of(f"https://{text.removeprefix('*.')}") if _SERVER.fullmatch(text.removeprefix("*.")) else ""


def _blocked_page(there: str) -> str:
    """A profile's page by its looks; any other is compared with the pages of authors."""
    if found := _PROFILE.fullmatch(there):
        return f"@{found[2]}@{found[1]}".casefold()
    if found := _NAMED.fullmatch(there):
        return f"@{found[1]}".casefold()
    return there if "/" in there.removeprefix("//") else there.removeprefix("//")


# --- patterns, numbers, spans ---


def pattern_of(written: str) -> str | Wrong:
    """A regular expression that can be used."""
    pattern = written.strip()
    if pattern and (reason := flaw(pattern)):
        return Wrong(later("this pattern cannot be used: {reason}"), {"reason": reason})
    return pattern


def number_of(typed: str, least: int, most: int) -> int | Wrong:
    number = int(typed) if re.fullmatch(r"[0-9]{1,6}", typed.strip()) else -1
    if not 0 <= number <= most:
        return Wrong(later("expected a whole number, at most {n}"), {"n": most})
    return number if number >= least else Wrong(later("expected a whole number from 1 to {n}"), {"n": most})


def min_age_of(written: str) -> timedelta | Wrong:
    """A span such as ``30d``; a number alone is days."""
    text = written.strip()
    try:
        age = duration(f"{text}d" if re.fullmatch(r"[0-9]{1,6}", text) else text)
    except ValueError:
        age = None
    if not isinstance(age, timedelta) or age > OLDEST:
        return Wrong(later("expected a time span such as {example}"), {"example": "30d"})
    return age


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


# --- times of day ---


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
    text = later("expected a start and an end, like 22:00-07:00 or 22:00-07:00 America/Lima")
    return str(quiet) if quiet else Wrong(text)


def _no_zone(name: str) -> Wrong:
    by_case = {one.casefold(): one for one in zones()}
    by_case |= {one.rpartition("/")[2]: by_case[one] for one in [*by_case] if "/" in one}  # "Lima"
    shown = {"name": clean(name, limit=40)}
    if near := get_close_matches(name.casefold()[:60], by_case, n=1):
        text = later("there is no time zone “{name}”; did you mean {near}?")
        return Wrong(text, {**shown, "near": by_case[near[0]]})
    return Wrong(later("there is no time zone “{name}”; write it like America/Lima"), shown)


def at(options: DeliveryOptions) -> At:
    """When its daily digest comes."""
    return (read_at(options.at) if options.at else None) or MORNING


def quiet(options: DeliveryOptions) -> Quiet | None:
    return read_quiet(options.quiet) if options.quiet else None


_READERS: Mapping[Kind, Callable[[str], Any]] = {
    Kind.LANGUAGES: languages_of,
    Kind.PATTERN: pattern_of,
    Kind.AGE: min_age_of,
    Kind.PERIOD: every_of,
    Kind.TIME: at_of,
    Kind.HOURS: quiet_of,
}
