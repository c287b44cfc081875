"""Synapse's limiter: a leaky bucket for each account, over all rooms."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Buckets:
    """Which event is one too many; a bucket holds ``burst`` and loses ``rate`` a second."""

    rate: float | None = None
    """Events a second; None: nothing is limited."""
    burst: int = 10
    second: float = 1.0
    """How long a second of the limiter lasts here."""
    clock: Callable[[], float] = time.monotonic
    too_many: int = 0
    _levels: dict[str, tuple[float, float]] = field(default_factory=dict)

    def wait(self, account: str) -> float:
        """Seconds until the account may send again; 0: now."""
        if self.rate is None:
            return 0.0
        over = self._level(account) + 1 - self.burst
        return max(0.0, over * self.second / self.rate) if over > 1e-9 else 0.0

    def take(self, account: str) -> None:
        if self.rate is not None:
            self._levels[account] = (self._level(account) + 1, self.clock())

    def _level(self, account: str) -> float:
        level, since = self._levels.get(account, (0.0, self.clock()))
        return max(0.0, level - (self.clock() - since) * (self.rate or 0) / self.second)
