"""What may come back from a fetch, and how long a server asks to be left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_YEAR = timedelta(days=365).total_seconds()


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What a server said, whatever it was. Header names are in lower case, repeated ones joined by a comma."""

    status: int
    url: str
    """Where it was said, after redirects."""
    headers: Mapping[str, str]
    body: bytes
    moved: str = ""
    """The new address, where each redirect on the way was a permanent one (301, 308)."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No answer, or none that can be used; maybe later."""

    reason: str
    after: timedelta | None = None
    paced: bool = False
    """Nothing failed and nobody was asked: the host's turn comes ``after`` that time (:attr:`Manner.patience`)."""


@dataclass(frozen=True, slots=True)
class Forbidden:
    """An address that is never fetched: private network, scheme, port, a password in it."""

    reason: str


Reply = HttpResponse | Unreachable | Forbidden


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long a server asks to be left alone, a year at most; None where it does not say so legibly.

    Reads ``Retry-After`` (RFC 9110 10.2.3), else ``X-RateLimit-Reset`` or ``RateLimit-Reset`` (seconds, Unix time or
    ISO 8601) unless the header beside it says that some requests remain. ``headers`` have lower-case names.
    """
    if (asked := _wait(headers.get("retry-after", ""), now)) is not None:
        return asked
    for family in ("x-ratelimit", "ratelimit"):
        if headers.get(f"{family}-remaining", "0").strip() == "0":
            asked = _wait(headers.get(f"{family}-reset", ""), now)
            if asked is not None:
                return asked
    return None


def _wait(text: str, now: datetime) -> timedelta | None:
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,15}(\.[0-9]*)?", text):
        number = float(text)
        seconds = number - now.timestamp() if number > _YEAR else number
    elif (date := _date(text)) is not None:
        seconds = (date - now).total_seconds()
    else:
        return None
    return timedelta(seconds=min(max(seconds, 0), _YEAR))


def _date(text: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = read(text)
            return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
