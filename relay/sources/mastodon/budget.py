"""How many requests one server may be asked, and who waits how long. Pure: ``now`` is an argument.

Mastodon lets an address, or a token, ask 300 times in 5 minutes; those that page (``min_id`` and its kin) count against
300 in 15 minutes as well (its config/initializers/rack_attack.rb). A tenth is left to whoever shares our address.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from relay.http import retry_after

NOTHING: Final = timedelta(0)

_ALL = (270, timedelta(minutes=5))
_PAGES = (270, timedelta(minutes=15))
_POLLS = 200
"""Of the requests in :data:`_ALL`, those that regular polls may take: people's questions and re-checks need some."""
_UNSAID = timedelta(minutes=1)
"""How long to leave a server alone that says "too many" and not until when."""
_REMEMBERED = timedelta(hours=1)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Window:
    """So many in any stretch of that length."""

    limit: int
    length: timedelta
    taken: deque[datetime] = field(default_factory=deque)

    def wait(self, now: datetime) -> timedelta:
        if self.taken and self.taken[-1] > now:  # the clock was set back: nobody knows when these were
            self.taken.clear()
        while self.taken and self.taken[0] <= now - self.length:
            self.taken.popleft()
        return NOTHING if len(self.taken) < self.limit else self.taken[0] + self.length - now


@dataclass(slots=True)
class Budget:
    """One server's: all that we ask of it goes through here. ``times`` as much as usual is allowed."""

    times: int = 1
    _all: _Window = field(init=False)
    _pages: _Window = field(init=False)
    _held: datetime | None = None
    _heard: datetime = _NEVER
    """When we were told to wait."""
    _waiting: int = 0
    """How many were sent away since we are held off."""
    _feeds: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._all, self._pages = (_Window(limit * self.times, length) for limit, length in (_ALL, _PAGES))

    def take(self, now: datetime, *, paging: bool = False) -> timedelta:
        """Nothing: ask, it is counted. Else how long to wait; those who wait for the same moment come one by one."""
        wait = self.wait(now, paging=paging)
        if wait:
            self._waiting += 1
            return wait + _ALL[1] / _ALL[0] * (self._waiting - 1)
        self._waiting = 0
        self._all.taken.append(now)
        if paging:
            self._pages.taken.append(now)
        return NOTHING

    def wait(self, now: datetime, *, paging: bool = False) -> timedelta:
        """How long until a request may be made; it is not counted."""
        if now < self._heard:  # the clock was set back
            self._held = None
        held = self._held - now if self._held and self._held > now else NOTHING
        return max(held, self._all.wait(now), self._pages.wait(now) if paging else NOTHING)

    def heed(self, status: int, headers: Mapping[str, str], now: datetime) -> None:
        """The server's word is for all that we ask of it, not for one feed alone."""
        asked = retry_after(headers, now)
        if asked is None and status == 429:
            asked = _UNSAID
        if asked and (status in {429, 503} or headers.get("x-ratelimit-remaining", "").strip() == "0"):
            self._held, self._heard = max(now + asked, self._held or now), now

    def share(self, feed: str, now: datetime) -> timedelta:
        """The least time between two polls of one feed, so that all that are read of this server get the same."""
        self._feeds.pop(feed, None)
        self._feeds[feed] = now
        while (first := next(iter(self._feeds))) and self._feeds[first] < now - _REMEMBERED:
            del self._feeds[first]
        return _ALL[1] / (_POLLS * self.times) * len(self._feeds)


@dataclass(slots=True)
class Budgets:
    """Those of all servers that were asked lately."""

    most: int = 2000
    here: int = 1
    """How many times the usual allowance a server on this very machine has: it is one's own."""
    _budgets: dict[str, Budget] = field(default_factory=dict)

    def of(self, base: str) -> Budget:
        budget = self._budgets.pop(base, None) or Budget(self.here if _is_here(base) else 1)
        self._budgets[base] = budget
        if len(self._budgets) > self.most:
            del self._budgets[next(iter(self._budgets))]
        return budget


def _is_here(base: str) -> bool:
    host = urlsplit(base).hostname or ""
    return host == "localhost" or host.startswith("127.")
