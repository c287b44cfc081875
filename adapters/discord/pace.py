"""How often Discord may be asked: learned from its headers, never written down here.

Pure: the clock is an argument, in seconds. A ticket is taken before each request and given back with what the answer
said. Budgets, by https://docs.discord.com/developers/topics/rate-limits: one bucket per (hash, top-level resource), 50
requests a second in all for a bot, the same for webhooks (which Discord counts by address), and 10,000 requests that
were refused within ten minutes, of which half are used at most: beyond them Discord locks the whole machine out.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

ALL_TOGETHER = 50
A_SECOND = 1.0
A_LITTLE = 0.002
"""The headers are rounded to a thousandth."""
SURE_AFTER = 50
"""So many answers show how quick one can be."""
INVALID = 5_000
INVALID_WITHIN = 600.0
MANY_BUCKETS = 2_000

_ID = re.compile(r"^\d+$")
_SECRET_AFTER = {"webhooks": 2, "interactions": 2}


@dataclass(frozen=True, slots=True)
class Route:
    """What Discord counts as one: the method, the path without ids, and the resource at its top. Holds no secret."""

    pattern: str
    resource: str
    free: bool
    """Counted by address, not by bot: the path itself holds a token."""


def route(method: str, path: str) -> Route:
    """The route of ``/channels/123/messages/456`` and its kind."""
    parts = path.strip("/").split("/")
    free = len(parts) > 2 and parts[0] in _SECRET_AFTER
    pattern = ["{}" if _ID.match(part) or (free and place == 2) else part for place, part in enumerate(parts)]
    return Route(f"{method} /{'/'.join(pattern)}", "/".join(parts[:2]), free)


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before so many seconds have passed."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Busy:
    """Not before another request of the same bucket was answered."""


@dataclass(slots=True)
class Bucket:
    limit: int | None = None
    """None: nobody knows yet, or there is none."""
    left: int = 1
    resets: float = 0.0
    flying: int = 0
    known: bool = False

    def take(self, now: float) -> Wait | Busy | None:
        """None: one more may be sent, and is counted."""
        if not self.known:
            if self.flying:
                return Busy()
        elif self.limit is not None:
            if now >= self.resets:
                self.left = max(self.left, self.limit - self.flying)
            if self.left <= 0:
                return Wait(self.resets - now, "the channel's pace") if self.resets > now else Busy()
            self.left -= 1
        elif self.resets > now:
            return Wait(self.resets - now, "the channel's pace")
        self.flying += 1
        return None

    def learn(self, limit: int, left: int, after: float, now: float) -> None:
        """Headers do not know of requests that are still on their way: those are taken off."""
        resets = now + after + A_LITTLE
        renewed = not self.known or now >= self.resets or limit != self.limit
        self.left = max(0, left - self.flying) if renewed else min(self.left, left)
        self.limit, self.resets, self.known = limit, max(resets, self.resets), True

    def shut(self, until: float) -> None:
        """Discord said 429."""
        self.left, self.known = 0, True
        self.resets = max(self.resets, until)

    def idle(self, now: float) -> bool:
        return not self.flying and now >= self.resets


@dataclass(frozen=True, slots=True)
class DiscordTicket:
    route: Route
    bucket: Bucket
    begun: float


@dataclass(slots=True)
class GlobalBudget:
    """A budget of so many a second in all, and a stop of everything.

    Discord counts a request when it arrives, which is some time between the writing and the answer. A place is taken
    until a second after the latest moment at which it may have been counted: the answer, less the shortest time that
    way and answer of such a request have ever taken together. So late ones and quick ones never meet in one second.
    """

    flying: int = 0
    over: list[float] = field(default_factory=list)
    """When the places of answered requests are free again: a heap."""
    answers: Counter[str] = field(default_factory=Counter)
    quickest: dict[str, float] = field(default_factory=dict)
    stopped_until: float = 0.0

    def wait(self, now: float) -> Wait | Busy | None:
        if self.stopped_until > now:
            return Wait(self.stopped_until - now, "Discord stopped all requests for a while")
        while self.over and self.over[0] <= now:
            heappop(self.over)
        if self.flying + len(self.over) < ALL_TOGETHER:
            return None
        return Wait(self.over[0] - now, "the pace of all channels together") if self.over else Busy()

    def answered(self, ticket: DiscordTicket, now: float) -> None:
        kind, took = ticket.route.pattern, now - ticket.begun
        self.answers[kind] += 1
        quickest = self.quickest[kind] = min(took, self.quickest.get(kind, took))
        self._free(now + A_SECOND + A_LITTLE - (quickest if self.answers[kind] > SURE_AFTER else 0.0))

    def lost(self, now: float) -> None:
        self._free(now + A_SECOND + A_LITTLE)

    def _free(self, at: float) -> None:
        self.flying -= 1
        heappush(self.over, at)


class DiscordPace:
    """Whether one more request may be sent now."""

    def __init__(self, *, invalid: int = INVALID) -> None:
        self._most_invalid = invalid
        self._hashes: dict[Route, str] = {}
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._bot, self._free = GlobalBudget(), GlobalBudget()
        self._invalid: deque[float] = deque()

    def ask(self, route: Route, now: float) -> DiscordTicket | Wait | Busy:
        """A ticket: send it now, and tell :meth:`told` or :meth:`lost` what came of it."""
        if wait := self.room(route, now):
            return wait
        stream = self._stream(route)
        bucket = self._bucket(route)
        held = bucket.take(now)
        if held is not None:
            return held
        stream.flying += 1
        return DiscordTicket(route, bucket, now)

    def room(self, route: Route, now: float) -> Wait | Busy | None:
        """None: the budgets of all together have room for one more."""
        return self._too_many_refusals(now) or self._stream(route).wait(now)

    def place(self, route: Route, now: float) -> DiscordTicket | Wait | Busy:
        """A place in the budget of all together, for a request whose bucket somebody else looks after."""
        stream = self._stream(route)
        if wait := stream.wait(now):
            return wait
        stream.flying += 1
        return DiscordTicket(route, Bucket(flying=1), now)

    def heard(self, ticket: DiscordTicket, status: int, headers: Mapping[str, str], now: float) -> None:
        """An answer came to somebody else's request."""
        self.lost(ticket, now)
        self._note_refusal(status, headers, now)

    def note_answer(self, ticket: DiscordTicket, status: int, headers: Mapping[str, str], now: float) -> None:
        """An answer came."""
        ticket.bucket.flying -= 1
        self._stream(ticket.route).answered(ticket, now)
        bucket = self._learned(ticket, headers)
        limit, left, after = (
            _number(headers.get(f"X-RateLimit-{name}")) for name in ("Limit", "Remaining", "Reset-After")
        )
        if limit is not None and left is not None and after is not None:
            bucket.learn(int(limit), int(left), after, now)
        elif not bucket.known:
            bucket.known = status < 500
        self._note_refusal(status, headers, now)
        if len(self._buckets) > MANY_BUCKETS:
            self._forget_idle(now)

    def slowed(self, ticket: DiscordTicket, after: float, now: float, *, everywhere: bool) -> None:
        """The answer was a 429, which asks for ``after`` seconds."""
        if everywhere:
            stream = self._stream(ticket.route)
            stream.stopped_until = max(stream.stopped_until, now + after)
        else:
            self._bucket(ticket.route).shut(now + after)

    def lost(self, ticket: DiscordTicket, now: float) -> None:
        """No answer came."""
        ticket.bucket.flying -= 1
        self._stream(ticket.route).lost(now)

    def wait(self, route: Route, now: float) -> float:
        """Seconds until this route's bucket has room again; 0: it has, or nobody knows."""
        bucket = self._bucket(route)
        return max(0.0, bucket.resets - now) if bucket.known and bucket.limit is not None and bucket.left <= 0 else 0.0

    def _note_refusal(self, status: int, headers: Mapping[str, str], now: float) -> None:
        if status in {401, 403} or (status == 429 and headers.get("X-RateLimit-Scope") != "shared"):
            self._invalid.append(now)

    def _stream(self, route: Route) -> GlobalBudget:
        return self._free if route.free else self._bot

    def _bucket(self, route: Route) -> Bucket:
        return self._buckets.setdefault((self._hashes.get(route, route.pattern), route.resource), Bucket())

    def _learned(self, ticket: DiscordTicket, headers: Mapping[str, str]) -> Bucket:
        """The bucket that the answer names: the first answer of a route says which it shares with others."""
        if name := headers.get("X-RateLimit-Bucket"):
            self._hashes[ticket.route] = name
        return self._bucket(ticket.route)

    def _forget_idle(self, now: float) -> None:
        self._buckets = {key: one for key, one in self._buckets.items() if not one.idle(now)}
        self._hashes = {one: name for one, name in self._hashes.items() if (name, one.resource) in self._buckets}

    def _too_many_refusals(self, now: float) -> Wait | None:
        while self._invalid and now - self._invalid[0] >= INVALID_WITHIN:
            self._invalid.popleft()
        if len(self._invalid) < self._most_invalid:
            return None
        return Wait(
            self._invalid[0] + INVALID_WITHIN - now,
            f"Discord refused {len(self._invalid)} requests within ten minutes; "
            "nothing more is asked, so that it does not lock this machine out",
        )


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
