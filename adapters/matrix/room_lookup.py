"""The room that a delivery goes to, or why it cannot."""

from __future__ import annotations

from adapters.matrix.address import NO_ROOM, is_alias, is_id
from adapters.matrix.api import Failed, MatrixApi
from adapters.matrix.outcomes import ENCRYPTED, OUT, outcome_of, says
from adapters.matrix.rooms import Rooms, Successor
from adapters.matrix.settings import MatrixSettings, may_invite, server_of
from adapters.matrix.shapes import MEMBER
from relay.i18n import Words, later
from relay.model import Delivery, Destination
from relay.ports import Gone, Moved, Outcome, Refused

_STRANGER = Failed("whoever replaced the room may not invite us", "M_FORBIDDEN", 403)
_REPLACED = later("This room was replaced by another one. Invite me there, then {resume} here.")


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
