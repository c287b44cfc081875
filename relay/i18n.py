"""What the relay says, in the languages that it speaks: gettext over ``relay/locale``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from gettext import NullTranslations, translation
from pathlib import Path

DOMAIN = "relay"
LOCALES = Path(__file__).with_name("locale")
_LONGEST = 35
"""Characters of a language tag that are read."""
_TAG = re.compile(r"[0-9A-Za-z_-]*")


@dataclass(frozen=True, slots=True)
class Words:
    """One language. ``words("Nothing yet.")`` is the text in it, and the English one where it was never translated."""

    tag: str
    _known: NullTranslations = field(compare=False)  # the tag tells which it is

    def __call__(self, text: str) -> str:
        return self._known.gettext(text) if text else ""  # gettext keeps the catalogue's header under the empty text

    def many(self, one: str, more: str, count: int, **values: str) -> str:
        """The text for so many, with ``{n}`` in it replaced, and the names of ``values``."""
        return self._known.ngettext(one, more, count).format(n=count, **values)


ENGLISH = Words("en", NullTranslations())
"""The language in which every text is written."""


@lru_cache(100)
def words(language: str) -> Words:
    """The words of a language tag (``es-419`` is ``es`` where nothing is nearer); English where it is not spoken.

    Of a longer tag than any language has (BCP 47, 4.4.1) only the language itself is read.
    """
    tag = language[:_LONGEST]
    parts = tag.replace("_", "-").split("-") if _TAG.fullmatch(tag) else []  # they become names of files
    nearer = ["_".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return Words(tag, translation(DOMAIN, LOCALES, nearer, fallback=True))


@cache
def tongues() -> tuple[str, ...]:
    """The languages that are spoken, English first."""
    there = sorted(path.name for path in LOCALES.iterdir() if (path / "LC_MESSAGES").is_dir())
    return ("en", *there)


def preferred(asked: str, otherwise: str) -> str:
    """Of the languages that are spoken the one that a reader likes best (``Accept-Language``, RFC 9110 12.5.4).

    Of those that are not asked for ``otherwise``, and English where that is not spoken either.
    """
    liked: dict[str, float] = {}
    for part in asked.split(",")[:20]:
        tag, _, weight = part.strip().lower().partition(";")
        try:
            liked.setdefault(tag.strip().partition("-")[0], float(weight.strip().removeprefix("q=") or 1))
        except ValueError:
            continue
    spoken = [tag for tag in tongues() if liked.get(tag, 0) > 0]
    usual = otherwise.lower().partition("-")[0]
    return max(spoken, key=lambda tag: liked[tag], default=usual if usual in tongues() else "en")


def later(text: str) -> str:
    """Mark a text for translation where it is written; it is translated where it is said."""
    return text
