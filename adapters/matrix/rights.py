"""Who may do what in a room: the homeserver is asked, for each command anew, and nothing is remembered."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from mautrix.types import EventType, PowerLevelStateEventContent, SerializerError, StateEvent, UserID

from adapters.matrix.api import Failed, Json, MatrixApi
from adapters.matrix.outcomes import ENCRYPTED
from adapters.matrix.room_notes import RoomNotes
from adapters.matrix.rooms import Rooms
from adapters.matrix.settings import MatrixSettings
from adapters.matrix.shapes import MEMBER
from relay.i18n import Words
from relay.ports import Refused

POWER = "m.room.power_levels"
CREATE = "m.room.create"
PAIR = 2
"""So many are alone with each other."""
KEPT = 600.0
"""Seconds for which a room in which there are more is not looked at again for that."""
MOST_KEPT = 5_000
_UNREADABLE = (SerializerError, TypeError, ValueError, OverflowError, AttributeError)
"""What mautrix raises at a content that somebody has made up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixStanding:
    """Which room is meant, whether the asker may manage it, and why the relay could not post there; empty: it could."""

    room: str
    may_manage: bool
    obstacle: str = ""
    direct: bool = False
    """A room to talk with one person alone."""


@dataclass(frozen=True, slots=True)
class Powers:
    """What counts in a room, as the homeserver tells it."""

    levels: Json | None
    """None: the room has none."""
    create: Json


class MatrixRights:
    """Asks for one account."""

    def __init__(
        self,
        api: MatrixApi,
        settings: MatrixSettings,
        rooms: Rooms,
        notes: RoomNotes,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api, self._settings, self._rooms, self._notes, self._clock = api, settings, rooms, notes, clock
        self._crowds: OrderedDict[str, float] = OrderedDict()

    async def here(self, room: str, asker: str, say: Words) -> MatrixStanding | Failed:
        """In the room in which it is asked."""
        direct = (await self._notes.read(room)).direct and await self.alone(room)
        if isinstance(direct, Failed):
            return direct
        powers, member = await asyncio.gather(self._powers(room), self._inside(room, asker))
        if isinstance(powers, Failed):
            return powers
        if isinstance(member, Failed):
            return member
        if direct:
            may = not self._settings.owners or asker in self._settings.owners
        else:
            may = level(powers, asker) >= self._settings.power
        obstacle = await self._obstacle(room, powers, say)
        if isinstance(obstacle, Failed):
            return obstacle
        return MatrixStanding(room=room, may_manage=may and member, obstacle=obstacle, direct=direct)

    async def about(self, named: str, here: str, asker: str, say: Words) -> MatrixStanding | Refused | Failed:
        """In a room that was named. ``Refused`` says the same to all who may not: it tells nothing of the room."""
        room = await self._rooms.find(named)
        if room == here:
            return await self.here(here, asker, say)
        standing = room if isinstance(room, Failed) else await self._elsewhere(room, asker, say)
        if isinstance(standing, Failed) and _is_trouble(standing):
            return standing
        if isinstance(standing, Failed) or not standing.may_manage:
            text = say(
                "I can do that for another room only if we are both in it and your power level there is {power} or "
                "more. Check the spelling of {room} and invite me there."
            )
            return Refused(text.format(room=named, power=self._settings.power))
        return standing

    async def alone(self, room: str) -> bool | Failed:
        """Whether there is nobody in the room but us and one other person."""
        asked = self._crowds.get(room)
        if asked is not None and self._clock() - asked < KEPT:
            return False
        members = await self._api.members(room)
        if isinstance(members, Failed):
            return members
        if len(members) <= PAIR:
            return True
        self._crowds[room] = self._clock()
        if len(self._crowds) > MOST_KEPT:
            self._crowds.popitem(last=False)
        return False

    async def _elsewhere(self, room: str, asker: str, say: Words) -> MatrixStanding | Failed:
        """A room that we have left tells how it was then: nobody is known to have a right there now."""
        for one in (self._api.user, asker):
            inside = await self._inside(room, one)
            if isinstance(inside, Failed):
                return inside
            if not inside:
                return MatrixStanding(room=room, may_manage=False)
        return await self.here(room, asker, say)

    async def _inside(self, room: str, user: str) -> bool | Failed:
        told = await self._api.state(room, MEMBER, user)
        if isinstance(told, Failed):
            return False if told.code == "M_NOT_FOUND" else told
        return told.get("membership") == "join"

    async def _powers(self, room: str) -> Powers | Failed:
        levels, create = await asyncio.gather(self._api.state(room, POWER), self._api.state_event(room, CREATE))
        if isinstance(create, Failed):
            return create
        if isinstance(levels, Failed) and levels.code != "M_NOT_FOUND":
            return levels
        return Powers(None if isinstance(levels, Failed) else levels, create)

    async def _obstacle(self, room: str, powers: Powers, say: Words) -> str | Failed:
        encrypted = await self._rooms.encrypted(room)
        if isinstance(encrypted, Failed):
            return encrypted
        if encrypted:
            return say(ENCRYPTED)
        ours, needed = level(powers, self._api.user), needed_to_post(powers)
        if ours >= needed:
            return ""
        text = say("I can't write in this room: it takes a power level of {needed}, and mine is {ours}.")
        return text.format(needed=needed, ours=ours)


# --- what counts; pure ---


def level(powers: Powers, user: str) -> float:
    """The power level of a user. Creators stand above all since room version 12, and nowhere in the levels.

    Of others nobody has any in a room whose levels nobody can read.
    """
    create = _created(powers.create)
    if powers.levels is None and create is not None and create.sender == user:
        powers = Powers({"users": {user: 100}}, powers.create)
    try:
        found = _levels(powers).get_user_level(UserID(user), create=create)
    except _UNREADABLE:
        found = PowerLevelStateEventContent(users_default=-1).get_user_level(UserID(user), create=create)
    return math.inf if found >= _INFINITE else found


def needed_to_post(powers: Powers) -> float:
    """The power level that it takes to post a message; where nobody can read it, the homeserver will tell."""
    try:
        return _levels(powers).get_event_level(EventType.ROOM_MESSAGE)
    except _UNREADABLE:
        return -math.inf


_INFINITE = 2**60 - 1
"""What mautrix says of creators."""


def _is_trouble(failed: Failed) -> bool:
    """It is no answer to what was asked, but trouble on the way."""
    return failed.limited or failed.unauthorized or failed.status in {0, 200} or failed.status >= 500


def _levels(powers: Powers) -> PowerLevelStateEventContent:
    return PowerLevelStateEventContent.deserialize(cast("Any", dict(powers.levels or {})))


def _created(event: Json) -> StateEvent | None:
    content = event.get("content")
    told: Json = {"event_id": "", "room_id": "", "origin_server_ts": 0, "state_key": "", "unsigned": {}}
    told |= {"type": CREATE, "sender": event.get("sender")}
    told["content"] = dict(content) if isinstance(content, dict) else {}  # mautrix writes into what it reads
    try:
        return StateEvent.deserialize(cast("Any", told))
    except _UNREADABLE:
        return None
