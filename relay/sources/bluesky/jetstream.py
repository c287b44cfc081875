"""Listening to Jetstreams: one connection at a time, each server in turn, from where the last one broke off."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

import aiohttp

from relay.core.schedule import backoff
from relay.ports import Watched
from relay.sources.bluesky.jetstream_place import Asked, resume, wanted_accounts
from relay.sources.bluesky.jetstream_socket import Connection, Course, Timing, changed

_POISONED = 3
"""So often in a row a connection broke over the same message: it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Reads on and on until it is cancelled."""

    hosts: Sequence[str]
    sockets: Callable[[], aiohttp.ClientSession]
    """Opens a guarded session (:meth:`relay.http.Http.sockets`)."""
    watched: Watched
    course: Course
    timing: Timing

    async def run(self) -> None:
        async with self.sockets() as session:
            await self._take_turns(session)

    async def _take_turns(self, session: aiohttp.ClientSession) -> None:
        failures = poisoned = 0
        for host in cycle(self.hosts):
            asked = await self._ask()
            await self.course.basin.room()
            connection = Connection(
                session=session,
                host=host,
                asked=asked,
                watched=self.watched,
                course=self.course,
                timing=self.timing,
            )
            ended = await connection.listen()
            failures = 0 if ended.served else failures + 1
            poisoned = poisoned + 1 if ended.poisoned and not ended.served else 0
            if failures:
                self.course.basin.remark(ended.reason)
            if poisoned >= _POISONED:
                poisoned = self.course.place = 0
            await asyncio.sleep(self._pause(failures))

    def _pause(self, failures: int) -> float:
        rounds = 1 + max(failures - 1, 0) // len(self.hosts)
        first, longest = self.timing.again, self.timing.longest
        return backoff(rounds, random.random(), first=first, longest=longest).total_seconds()  # noqa: S311 - jitter, no secret

    async def _ask(self) -> Asked:
        """What to ask for; waits while nobody wants anything, and what is told meanwhile is nobody's loss."""
        while not self._is_wanted():
            self.course.place = 0
            self.course.basin.reach(0)
            self.course.basin.remark("")
            await changed(self.watched, self._is_wanted)
        return Asked(wanted_accounts(self.watched), resume(self.course.place))

    def _is_wanted(self) -> bool:
        return wanted_accounts(self.watched) != frozenset()
