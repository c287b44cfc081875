"""Telegram's limits: a message a second in a chat, twenty a minute in a group or channel, thirty a second in all."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field

from tests.servers.telegram.refusal import Refusal

CHAT_SECONDS, CHAT_BURST = 1.0, 3
GROUP_COUNT, GROUP_SECONDS = 20, 60.0
ALL_COUNT, ALL_SECONDS = 30, 1.0
_TOLERANCE = 0.99
"""A client counts from when it sent, we from when it came: so much shorter are our spans."""


@dataclass
class _Tokens:
    """One more each second, at most a short burst; an album may go into debt."""

    at: float
    count: float = CHAT_BURST

    def wait(self, now: float, seconds: float) -> float:
        self.count = min(CHAT_BURST, self.count + (now - self.at) / seconds)
        self.at = now
        return max(0.0, (1 - self.count) * seconds)


@dataclass
class _Window:
    """When the last ones came."""

    times: deque[float] = field(default_factory=deque)

    def wait(self, now: float, cost: int, limit: int, seconds: float) -> float:
        while self.times and self.times[0] <= now - seconds:
            self.times.popleft()
        over = len(self.times) + cost - limit
        return 0.0 if over <= 0 else self.times[min(over, len(self.times)) - 1] + seconds - now

    def add(self, now: float, cost: int) -> None:
        self.times.extend([now] * cost)


@dataclass
class Buckets:
    """Which message is one too many; ``window`` scales all spans, ``off`` lets everything through."""

    window: float = 1.0
    whole_seconds: bool = True
    off: bool = False
    too_many: int = 0
    chat_seconds: float = CHAT_SECONDS
    """A message each so many seconds in one chat."""
    _chats: dict[int, _Tokens] = field(default_factory=dict)
    _groups: dict[int, _Window] = field(default_factory=dict)
    _all: _Window = field(default_factory=_Window)

    def take(self, chat: int, cost: int, *, grouped: bool) -> None:
        """Take ``cost`` places (an album: one per item), or none and a refusal."""
        if self.off:
            return
        now, scale = time.monotonic(), self.window * _TOLERANCE
        tokens = self._chats.setdefault(chat, _Tokens(now))
        group = self._groups.setdefault(chat, _Window())
        waits = [tokens.wait(now, self.chat_seconds * scale), self._all.wait(now, cost, ALL_COUNT, ALL_SECONDS * scale)]
        if grouped:
            waits.append(group.wait(now, cost, GROUP_COUNT, GROUP_SECONDS * scale))
        if max(waits) > 0:
            raise self._refusal(max(waits))
        tokens.count -= cost
        group.add(now, cost)
        self._all.add(now, cost)

    def _refusal(self, wait: float) -> Refusal:
        self.too_many += 1
        return flood(max(1, math.ceil(wait)) if self.whole_seconds else max(0.001, math.ceil(wait * 1000) / 1000))


def flood(retry_after: float) -> Refusal:
    """429, with how long to wait."""
    return Refusal(429, f"Too Many Requests: retry after {retry_after:g}", retry_after=retry_after)
