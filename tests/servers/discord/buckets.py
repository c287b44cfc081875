"""Rate limits as Discord keeps them: a bucket per route and resource, one for the whole bot, all told in headers."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Limit:
    count: int
    seconds: float


LIMITS: Mapping[str, Limit] = {
    "message": Limit(5, 5.0),
    "edit": Limit(5, 5.0),
    "delete": Limit(5, 1.0),
    "webhook": Limit(5, 2.0),
    "webhook edit": Limit(5, 2.0),
    "crosspost": Limit(10, 3600.0),
    "thread": Limit(10, 10.0),
    "commands": Limit(5, 20.0),
    "other": Limit(50, 1.0),
}
GLOBAL = Limit(50, 1.0)


@dataclass
class _Window:
    ends: float = 0.0
    left: int = 0


@dataclass(frozen=True)
class TooMany:
    """The answer to one request too many."""

    after: float
    scope: str

    @property
    def body(self) -> Json:
        told = "You are being rate limited."
        return {"message": told, "retry_after": round(self.after, 3), "global": self.scope == "global"}

    @property
    def headers(self) -> dict[str, str]:
        told = {"Retry-After": str(math.ceil(self.after)), "Via": "1.1 loopback", "X-RateLimit-Scope": self.scope}
        return {**told, "X-RateLimit-Global": "true"} if self.scope == "global" else told


@dataclass
class Buckets:
    """Which request is one too many; ``window`` scales all spans, ``off`` lets everything through."""

    window: float = 1.0
    off: bool = False
    limits: dict[str, Limit] = field(default_factory=lambda: dict(LIMITS))
    overall: Limit = GLOBAL
    blocked_until: float = 0.0
    _windows: dict[tuple[str, str], _Window] = field(default_factory=dict)

    def take(self, name: str, resource: str, *, counts_overall: bool) -> TooMany | None:
        """Take one place in the bucket; what to answer where there is none."""
        now = time.monotonic()
        if counts_overall and now < self.blocked_until:
            return TooMany(self.blocked_until - now, "global")
        if self.off:
            return None
        if counts_overall and not self._take("", "", self.overall, now):
            return TooMany(self._windows["", ""].ends - now, "global")
        if not self._take(name, resource, self.limits[name], now):
            return TooMany(self._windows[name, resource].ends - now, "user")
        return None

    def block(self, seconds: float) -> None:
        """Everything of the bot's is one too many, for that long."""
        self.blocked_until = time.monotonic() + seconds

    def headers(self, name: str, resource: str) -> dict[str, str]:
        """What stands on an answer about its bucket."""
        window = self._windows.get((name, resource))
        if window is None:
            return {}
        after = max(0.0, window.ends - time.monotonic())
        return {
            "X-RateLimit-Limit": str(self.limits[name].count),
            "X-RateLimit-Remaining": str(window.left),
            "X-RateLimit-Reset": f"{time.time() + after:.3f}",
            "X-RateLimit-Reset-After": f"{after:.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(name.encode()).hexdigest()[:32],
        }

    def _take(self, name: str, resource: str, limit: Limit, now: float) -> bool:
        window = self._windows.setdefault((name, resource), _Window())
        if now >= window.ends:
            window.ends, window.left = now + limit.seconds * self.window, limit.count
        if window.left == 0:
            return False
        window.left -= 1
        return True
