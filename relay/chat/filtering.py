"""Which posts a person wants, and how, as it was typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from relay.chat.answers import failed
from relay.core.commands import NOTHING, SIEVE
from relay.core.delivery_options import at_of, budget_of, burst_of, every_of, quiet_of
from relay.core.filter_options import Wrong, block_of, min_age_of, pattern_of, per_hour_of, words_of
from relay.i18n import Words
from relay.options import OPEN, USUAL, Follow, Manner, Mode, Sieve
from relay.phrases import code, line
from relay.ports import Answer

_BACK = {NOTHING, "–", "—"}
_NOTHING = _BACK | {"*", "none", "all", "any"}


def _words(typed: str) -> tuple[str, ...] | Wrong:
    return words_of(re.split(r"[,;\n]", typed))


def _block(typed: str) -> tuple[str, ...] | Wrong:
    return block_of(re.findall(r"[^\s,;]+", typed))


_READERS: Mapping[str, Callable[[str], Any]] = {
    "words": _words,
    "without": _words,
    "pattern": pattern_of,
    "block": _block,
    "min_age": min_age_of,
    "per_hour": per_hour_of,
}


def sieve_in(typed: Mapping[str, str], before: Sieve, say: Words) -> Sieve | Answer:
    """The sieve with what was typed of it, or the first thing that is wrong with that."""
    changes: dict[str, Any] = {}
    for one in SIEVE:
        value = typed.get(one.name, "").strip()
        if value.casefold() in _NOTHING:
            changes[one.name] = getattr(OPEN, one.name)
        elif value:
            answer = _READERS[one.name](value)
            if isinstance(answer, Wrong):
                return _wrong(one.name, answer, say)
            changes[one.name] = answer
    return replace(before, **changes)


_MANNERS: Mapping[str, Callable[[str], Any]] = {
    "mode": Mode,
    "follow": Follow,
    "every": every_of,
    "at": at_of,
    "quiet": quiet_of,
    "budget": budget_of,
    "burst": burst_of,
}


def manner_in(typed: Mapping[str, str], before: Manner, say: Words) -> Manner | Answer:
    """How posts are brought, with what was typed of it, or the first thing that is wrong with that."""
    changes: dict[str, Any] = {}
    for name, read in _MANNERS.items():
        value = typed.get(name, "").strip()
        if value in _BACK:
            changes[name] = getattr(USUAL, name)
        elif value:
            answer = read(value)
            if isinstance(answer, Wrong):
                return _wrong(name, answer, say)
            changes[name] = answer
    return replace(before, **changes)


def _wrong(name: str, wrong: Wrong, say: Words) -> Answer:
    return failed(
        line("{name}: {reason}.", name=code(name), reason=say(wrong.text).format(**wrong.values)),
        line(say("Nothing was changed.")),
    )
