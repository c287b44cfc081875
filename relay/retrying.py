"""Trying again what failed: the pauses grow, and people are told once when it breaks and once when it works again.

For every loop that talks to a network: those of the relay, and those of adapters and sources of your own.
"""

from __future__ import annotations

import asyncio
import random
import time
from datetime import timedelta

from relay.core.schedule import FIRST_RETRY, LONGEST_RETRY, backoff
from relay.log import Trouble


class Retrying:
    """Counts the failures in a row of one thing, and waits after each.

    ``what`` is the thing's name for people, and ``trouble`` says when it breaks and when it works; without it nothing
    is logged. Pauses double from ``first`` to ``longest``, with up to a half of jitter. The other side may ask for a
    pause of ``asked`` at most. ``each`` attempts share one step, where several servers take turns. ``steady``: an
    attempt that lasted as long as this was a good one, so the next failure counts as the first.
    """

    def __init__(
        self,
        what: str = "",
        trouble: Trouble | None = None,
        *,
        first: timedelta = FIRST_RETRY,
        longest: timedelta = LONGEST_RETRY,
        asked: timedelta = LONGEST_RETRY,
        each: int = 1,
        steady: timedelta | None = None,
    ) -> None:
        self.failures = 0
        self._what, self._trouble = what, trouble
        self._first, self._longest, self._asked = first, longest, asked
        self._each, self._steady = each, steady
        self._begun = time.monotonic()

    def begin(self) -> None:
        """An attempt begins now, where that is not at once after the pause before it."""
        self._begun = time.monotonic()

    def works(self, **context: object) -> None:
        """The last attempt went well."""
        self.failures = 0
        if self._trouble:
            self._trouble.works(self._what, **context)

    def broke(self, reason: str, **context: object) -> None:
        """Tell that it does not work, without a pause."""
        if self._trouble:
            self._trouble.broke(self._what, reason, **context)

    async def failed(self, reason: str, after: timedelta | None = None, **context: object) -> None:
        """Tell that an attempt failed, and wait. ``after``: how long the other side asks us to wait."""
        self.broke(reason, **context)
        await self.wait(after)

    async def wait(self, after: timedelta | None = None) -> None:
        """Count an attempt as failed, and sleep until the next one is due."""
        await asyncio.sleep(self.pause(after).total_seconds())
        self.begin()

    def pause(self, after: timedelta | None = None) -> timedelta:
        """Count an attempt as failed, and say how long to wait; the other side's word comes before our own growth."""
        lasted = time.monotonic() - self._begun
        if self._steady is not None and lasted > self._steady.total_seconds():
            self.failures = 0
        self.failures += 1
        if after and after > timedelta(0):  # less is no pause: it would be asked again and again
            return min(after, self._asked)
        step = 1 + (self.failures - 1) // self._each
        return backoff(step, random.random(), first=self._first, longest=self._longest)  # noqa: S311 - jitter, no secret
