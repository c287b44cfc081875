"""The base of every table of the configuration, and spans of time as people write them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(value: object) -> object:
    """Read ``"90s"``, ``"10m"``, ``"6h"``, ``"30d"``, sums (``"1h30m"``) as a timedelta; leave the rest to pydantic."""
    if not isinstance(value, str):
        return value
    parts = re.findall(r"(\d{1,20}(?:\.\d{1,20})?)\s{0,20}(ms|s|m|h|d)", value)
    if not parts or "".join(n + u for n, u in parts) != re.sub(r"\s+", "", value):
        raise ValueError('expected a time span such as "90s", "10m" or "6h"')
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError("expected a time span of at most a few thousand years") from None


def duration_text(value: timedelta) -> str:
    """Write a time span the way it is written in the configuration: the largest unit that divides it."""
    seconds = value.total_seconds()
    for unit in ("d", "h", "m", "s"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{int(seconds // _UNITS[unit])}{unit}"
    return f"{round(seconds * 1000)}ms" if seconds else "0s"


Duration = Annotated[timedelta, BeforeValidator(duration), PlainSerializer(duration_text)]


class Settings(BaseModel):
    """The base of every table of the configuration: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def mark(tables: Mapping[str, Settings], *besides: str) -> str:
    """A short name for these settings, and for what else counts: where any of it differs, it is another one.

    The same in each process. Secrets make no difference.
    """
    return hashlib.blake2b(_written([tables, besides]).encode(), digest_size=8).hexdigest()


def _written(value: object) -> str:
    """Not as JSON: a plugin's settings may be of any type, and a set has another order in each process."""
    match value:
        case BaseModel():
            return _written(dict(value))
        case Mapping():
            return f"{{{', '.join(sorted(f'{key!r}: {_written(one)}' for key, one in value.items()))}}}"
        case set() | frozenset():
            return f"{{{', '.join(sorted(map(_written, value)))}}}"
        case list() | tuple():
            return f"[{', '.join(map(_written, value))}]"
        case _:
            return repr(value)
