"""Answers that were made, for as long as the store says that what they show is the same.

An answer is kept under what it is about and its version (:class:`relay.records.PageVersion`), which is looked up for
every request; under another version everything that was made of it goes at once. So nothing is shown that was taken
down before it was asked for, whoever took it down; and what nobody asks for any more leaves the memory within a minute
or two, so that a text that was taken down is not held for long.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from relay.web.answers import Body
from relay.web.pacer import Pacer

MOST = 48_000_000
"""Bytes of all bodies together."""
UNASKED = 60.0
"""Seconds for which an answer is kept that nobody asks for."""

Make = Callable[[], Awaitable[Body]]


@dataclass(slots=True)
class _Kept:
    """All answers about one thing, in each format and language."""

    version: Hashable
    asked: float
    bodies: dict[Hashable, Body] = field(default_factory=dict)
    size: int = 0


class Cache:
    """The answers asked for last, ``most`` bytes of them. ``now`` is the site's clock, by which pages run out."""

    def __init__(
        self,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        most: int = MOST,
        clock: Callable[[], float] = time.monotonic,
        pacer: Pacer | None = None,
    ) -> None:
        self._pacer = pacer or Pacer()
        self._now, self._most, self._clock = now, most, clock
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._making: dict[Hashable, asyncio.Task[Body]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.size = 0
        """Bytes that are kept by now."""

    async def get(self, subject: Hashable, version: Hashable, variant: Hashable, make: Make) -> Body:
        """The answer about ``subject`` as it is at ``version``; it is made once, however many ask for it meanwhile.

        ``version`` was looked up after the answer was asked for, and ``make`` reads anew: what it makes may be newer
        than the version, never older. ``variant`` is all else on which the answer depends: format, language, links.
        """
        kept = self._kept.get(subject)
        if kept is not None and kept.version is not version and kept.version != version:
            self.drop(subject)
        elif kept is not None:
            kept.version = version  # that of a list is long, and many who ask at once have the same
            kept.asked = self._clock()
            self._kept.move_to_end(subject)
            body = kept.bodies.get(variant)
            if body is not None and (body.until is None or self._now() <= body.until):
                return body
            if body is not None:  # perhaps there is nothing to be kept in its place
                self.drop(subject)
        flight = subject, version, variant
        task = self._making.get(flight)
        if task is None:
            task = self._making[flight] = asyncio.create_task(self._make(subject, version, variant, make))
            task.add_done_callback(lambda done: self._done(flight, done))
        made = await asyncio.shield(task)
        await self._pacer.turn()  # however many have waited for it
        return made

    def drop(self, subject: Hashable) -> None:
        """It is gone, or shows something else."""
        if kept := self._kept.pop(subject, None):
            self.size -= kept.size

    def stop(self) -> None:
        for task in self._making.values():
            task.cancel()
        if self._timer:
            self._timer.cancel()
        self._kept.clear()
        self.size = 0

    async def _make(self, subject: Hashable, version: Hashable, variant: Hashable, make: Make) -> Body:
        body = await make()
        if body.keep and body.size <= self._most:
            self._put(subject, version, variant, body)
        return body

    def _put(self, subject: Hashable, version: Hashable, variant: Hashable, body: Body) -> None:
        kept = self._kept.get(subject)
        if kept is None or kept.version != version:
            self.drop(subject)
            kept = self._kept[subject] = _Kept(version, self._clock())
        else:
            kept.asked = self._clock()
            self._kept.move_to_end(subject)
        former = kept.bodies.get(variant)
        kept.bodies[variant] = body
        grown = body.size - (former.size if former else 0)
        kept.size += grown
        self.size += grown
        while self.size > self._most:
            self.drop(next(iter(self._kept)))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(UNASKED / 2, self._sweep)

    def _done(self, flight: Hashable, task: asyncio.Task[Body]) -> None:
        del self._making[flight]
        if not task.cancelled():
            task.exception()  # who waits is told; perhaps nobody does any more

    def _sweep(self) -> None:
        self.forget_unasked()
        again = bool(self._kept)
        self._timer = asyncio.get_running_loop().call_later(UNASKED / 2, self._sweep) if again else None

    def forget_unasked(self) -> None:
        """Let go of what nobody asked for in the last minute."""
        since = self._clock() - UNASKED
        while self._kept and next(iter(self._kept.values())).asked < since:
            self.drop(next(iter(self._kept)))
