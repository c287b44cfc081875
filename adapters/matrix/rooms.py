"""What a room is called, whether it is encrypted, and what has taken its place: asked once, remembered for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from adapters.matrix.address import is_alias, is_id
from adapters.matrix.api import Failed, MatrixApi
from adapters.matrix.shapes import ENCRYPTION, TOMBSTONE

KEPT = 600.0
"""Seconds for which what was asked is remembered."""
MOST_KEPT = 5_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Named:
    """Where an alias led to, when it was asked for."""

    room: str
    asked: float


@dataclass(frozen=True, slots=True)
class Successor:
    """The room in which another one goes on, and who said so."""

    room: str
    by: str


class Rooms:
    """Knows the rooms of one account; joins none."""

    def __init__(self, api: MatrixApi, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._clock = api, clock
        self._aliases: OrderedDict[str, _Named] = OrderedDict()
        self._open: OrderedDict[str, float] = OrderedDict()
        """Rooms that were not encrypted, and when that was asked."""
        self._lasting: OrderedDict[str, float] = OrderedDict()
        """Rooms that nothing had taken the place of, and when that was asked."""
        self._sealed: OrderedDict[str, None] = OrderedDict()
        """Encrypted ones: that never ends."""

    async def find(self, address: str) -> str | Failed:
        """The id of the room with this id or alias; whether we are in it is another question."""
        if is_id(address):
            return address
        if not is_alias(address):
            return Failed(f"{address} is neither a room's id nor its alias", "M_INVALID_PARAM", 400)
        known = self._aliases.get(address)
        if known is not None and self._clock() - known.asked < KEPT:
            return known.room
        room = await self._api.resolve(address)
        if not isinstance(room, Failed):
            _keep(self._aliases, address, _Named(room, self._clock()))
        return room

    async def encrypted(self, room: str) -> bool | Failed:
        """Whether what is written there is for the devices of its members alone."""
        if room in self._sealed:
            return True
        if (asked := self._open.get(room)) is not None and self._clock() - asked < KEPT:
            return False
        told = await self._api.state(room, ENCRYPTION)
        if not isinstance(told, Failed):
            self.now_encrypted(room)
            return True
        if told.code != "M_NOT_FOUND":
            return told
        if room not in self._sealed:  # it may have become so while we asked
            _keep(self._open, room, self._clock())
        return room in self._sealed

    def now_encrypted(self, room: str) -> None:
        """The homeserver has told so."""
        self._open.pop(room, None)
        _keep(self._sealed, room, None)

    async def successor(self, room: str) -> Successor | None:
        """The room that has taken its place; None: there is none, or nobody tells us."""
        if (asked := self._lasting.get(room)) is not None and self._clock() - asked < KEPT:
            return None
        told = await self._api.state_event(room, TOMBSTONE)
        if isinstance(told, Failed):
            if told.code == "M_NOT_FOUND":
                _keep(self._lasting, room, self._clock())
            return None
        content = told.get("content")
        after = content.get("replacement_room") if isinstance(content, dict) else None
        known = isinstance(after, str) and is_id(after) and after != room
        return Successor(str(after), str(told.get("sender", ""))) if known else None

    def names(self, room: str) -> list[str]:
        """All that the room is called, as far as we have come across it: its id first."""
        return [room, *(alias for alias, named in self._aliases.items() if named.room == room)]

    def forget(self, address: str) -> None:
        """Ask anew for all that concerns the room with this id or alias; its names stay known."""
        room = self._aliases[address].room if address in self._aliases else address
        for kept in (self._open, self._lasting, self._sealed):
            kept.pop(room, None)
        for alias in self.names(room)[1:]:
            self._aliases[alias] = _Named(room, self._clock() - KEPT)


def _keep(kept: OrderedDict[str, T], key: str, value: T) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > MOST_KEPT:
        kept.popitem(last=False)
