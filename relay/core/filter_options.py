"""A subscription's filters as people write and read them, in the configuration and in the chats alike. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from relay.core.filters import flaw
from relay.core.hashtag import fold_text
from relay.core.urls import host_of, page
from relay.i18n import later
from relay.options import Sieve
from relay.settings import duration, duration_text
from relay.text import clean

MOST_WORDS = 50
LONGEST_WORD = 100
MOST_BLOCKED = 200
MOST_PER_HOUR = 1_000
OLDEST = timedelta(days=3650)

_SERVER = re.compile(r"(?:[\w-]{1,63}\.)+[\w-]{2,63}")
_ACCOUNT = re.compile(rf"@?([\w.-]{{1,100}})@({_SERVER.pattern})")
_NAMED = re.compile(rf"//[^/]+/profile/({_SERVER.pattern})")
_PROFILE = re.compile(r"//([^/@?]+)/(?:@|users/)([\w.-]+)")


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a value, in English with ``{names}``; a key for ``relay.language``."""

    text: str
    values: Mapping[str, str | int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text.format(**self.values)


# --- what was written ---


def words_of(written: Iterable[str]) -> tuple[str, ...] | Wrong:
    """Words and phrases, each once."""
    words = {fold_text(word): clean(word, limit=LONGEST_WORD + 1) for word in written}
    words.pop("", None)
    if len(words) > MOST_WORDS:
        return Wrong(later("too many words: {n} at most"), {"n": MOST_WORDS})
    if any(len(word) > LONGEST_WORD for word in words.values()):
        return Wrong(later("too long for a word: {n} characters at most"), {"n": LONGEST_WORD})
    return tuple(words.values())


def block_of(written: Iterable[str]) -> tuple[str, ...] | Wrong:
    """Accounts and servers as a post is asked for them, each once."""
    names: dict[str, None] = {}
    for one in written:
        name = _blocked(one.strip().strip("<>"))
        if not name:
            text = later("“{name}” is no account and no server; write them like @who@ayllu.example, ayllu.example")
            return Wrong(text, {"name": clean(one, limit=60)})
        names[name] = None
    if len(names) > MOST_BLOCKED:
        return Wrong(later("too many accounts and servers: {n} at most"), {"n": MOST_BLOCKED})
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


def pattern_of(written: str) -> str | Wrong:
    """A regular expression that can be used."""
    pattern = written.strip()
    if pattern and (reason := flaw(pattern)):
        return Wrong(later("this pattern cannot be used: {reason}"), {"reason": reason})
    return pattern


def per_hour_of(written: str) -> int | Wrong:
    number = int(written) if re.fullmatch(r"[0-9]{1,6}", written.strip()) else -1
    if not 0 <= number <= MOST_PER_HOUR:
        return Wrong(later("expected a whole number, at most {n}"), {"n": MOST_PER_HOUR})
    return number


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


# --- what is shown ---


def written(sieve: Sieve) -> dict[str, str]:
    """What is set in a sieve, by the option's name, as it would be typed."""
    said = {
        "words": ", ".join(sieve.words),
        "without": ", ".join(sieve.without),
        "pattern": sieve.pattern,
        "block": ", ".join(sieve.block),
        "min_age": duration_text(sieve.min_age) if sieve.min_age else "",
        "per_hour": str(sieve.per_hour or ""),
    }
    return {name: text for name, text in said.items() if text}
