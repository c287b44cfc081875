"""What a room is called, whether it is encrypted, and what has taken its place: asked once, remembered for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from adapters.matrix.address import NO_ROOM, is_alias, is_id
from adapters.matrix.api import Failed, MatrixApi
from adapters.matrix.outcomes import ENCRYPTED, OUT, outcome_of, says
from adapters.matrix.settings import MatrixSettings, may_invite, server_of
from adapters.matrix.shapes import ENCRYPTION, MEMBER, TOMBSTONE
from relay.i18n import Words, later
from relay.model import Delivery, Destination
from relay.ports import Gone, Moved, Outcome, Refused

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


# --- the room that a delivery goes to, or why it cannot ---


_STRANGER = Failed("whoever replaced the room may not invite us", "M_FORBIDDEN", 403)
_REPLACED = later("This room was replaced by another one. Invite me there, then use {resume} here.")


class RoomFinder:
    """Finds rooms, and looks whether they are places for us: not encrypted, and not left for another one."""

    def __init__(self, *, api: MatrixApi, rooms: Rooms, settings: MatrixSettings, say: Words) -> None:
        self._api, self._rooms, self._settings = api, rooms, settings
        self._say, self._prefix = say, settings.prefix

    async def room_of(self, delivery: Delivery) -> str | Outcome:
        """The id of the room; an outcome where nothing can be sent there now."""
        address = delivery.destination.address
        if not is_id(address) and not is_alias(address):
            return Refused(f"{delivery.destination} is no room of Matrix: {NO_ROOM}")
        room = await self._rooms.find(address)
        encrypted = room if isinstance(room, Failed) else await self._encrypted(room)
        if isinstance(room, Failed) or isinstance(encrypted, Failed):
            failed = room if isinstance(room, Failed) else encrypted
            assert isinstance(failed, Failed)  # noqa: S101 - one of them is
            return outcome_of(failed, delivery, self._say, self._prefix)
        if encrypted:
            return Gone(self._say(ENCRYPTED))
        after = await self._rooms.successor(room)
        return await self._follow(delivery, after) if after else room

    async def _encrypted(self, room: str) -> bool | Failed:
        """Whether a room is, into which we go first where we are invited and have only not come to that yet."""
        told = await self._rooms.encrypted(room)
        if not isinstance(told, Failed) or not says(told, OUT) or await self._was_shown_out(room):
            return told
        joined = await self._api.join(room)
        if isinstance(joined, Failed):
            return joined if joined.limited or joined.status == 0 or joined.status >= 500 else told
        return await self._rooms.encrypted(room)

    async def _was_shown_out(self, room: str) -> bool:
        """Whoever was told to go does not come back by itself, not even where the door is open."""
        told = await self._api.state(room, MEMBER, self._api.user)
        return not isinstance(told, Failed) and told.get("membership") in {"leave", "ban"}

    async def _follow(self, delivery: Delivery, after: Successor) -> Outcome:
        """The room was upgraded: everything goes on in the new one, where whoever did that may invite us."""
        trusted = may_invite(self._settings, after.by)
        joined = await self._api.join(after.room, (server_of(after.by),)) if trusted else _STRANGER
        self._rooms.forget(delivery.destination.address)
        if not isinstance(joined, Failed):
            return Moved(Destination(delivery.destination.adapter, joined))
        if joined.limited or joined.status == 0 or joined.status >= 500:
            return outcome_of(joined, delivery, self._say, self._prefix)
        return Gone(self._say(_REPLACED).format(resume=f"{self._prefix} resume"))
