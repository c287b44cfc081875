"""What stands between a socket and whoever takes from it: a bounded heap that is taken as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from relay.sources.bluesky.firehose import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Haul:
    """All that came since the last one, in its order."""

    told: tuple[Told, ...]
    read_to: int
    """The newest time that was read, in microseconds; 0: nothing was, or nobody listens for anything."""
    missed: bool
    note: str


class Basin:
    """One side pours in and stops while it is full, the other takes everything at once.

    So what was read up to ``read_to`` is in this haul or an earlier one. ``linger``: how long a haul may gather, in
    seconds; ``rest``: how often it is told how far was read when nothing was wanted.
    """

    def __init__(self, start: int, *, capacity: int = 200, linger: float = 0.1, rest: float = 5.0) -> None:
        self._capacity = capacity
        self._linger = linger
        self._rest = rest
        self._told: list[Told] = []
        self._read_to = self._known_to = start
        self._missed = False
        self._note = self._known_note = ""
        self._over: BaseException | None = None
        self._stirred = asyncio.Event()
        self._full = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    # --- pouring in ---

    @property
    def is_full(self) -> bool:
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait until there is some."""
        await self._room.wait()

    def pour(self, told: Sequence[Told]) -> None:
        self._told += told
        if len(self._told) >= self._capacity:
            self._room.clear()
            self._full.set()
        self._stirred.set()

    def reach(self, time_us: int) -> None:
        """Everything up to this time was poured in."""
        self._read_to = time_us

    def miss(self) -> None:
        """Something may have been lost."""
        self._missed = True
        self._stirred.set()

    def remark(self, note: str) -> None:
        """What does not work; empty: all is well."""
        self._note = note
        if note != self._known_note:
            self._stirred.set()

    def end(self, error: BaseException | None) -> None:
        """Nobody pours any more; whoever takes is told of the error."""
        self._over = error or EOFError("nobody listens any more")
        self._stirred.set()
        self._full.set()

    # --- taking ---

    async def take(self) -> Haul:
        """Wait for news, or for a while where there is none but how far was read."""
        while not (await self._stir() or self._read_to != self._known_to):
            pass
        if self._told:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._linger):
                    await self._full.wait()
        if self._over is not None:
            raise self._over
        return self._scoop()

    async def _stir(self) -> bool:
        try:
            async with asyncio.timeout(self._rest):
                await self._stirred.wait()
        except TimeoutError:
            return False
        return True

    def _scoop(self) -> Haul:
        haul = Haul(told=tuple(self._told), read_to=self._read_to, missed=self._missed, note=self._note)
        self._told.clear()
        self._missed = False
        self._known_to, self._known_note = self._read_to, self._note
        self._stirred.clear()
        self._full.clear()
        self._room.set()
        return haul
