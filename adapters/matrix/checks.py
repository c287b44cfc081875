"""What ``relay check`` asks of a homeserver: who the bot is, and of each room whether it could post there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from adapters.matrix.address import NO_ROOM, is_alias, is_id
from adapters.matrix.api import Api, Failed
from adapters.matrix.calls import DEAD
from adapters.matrix.outcomes import ENCRYPTED
from adapters.matrix.rights import Powers, level, needed_to_post
from adapters.matrix.rooms import Rooms
from adapters.matrix.settings import MatrixSettings
from relay.model import Destination
from relay.ports import Check

CREATE, POWER, NAME = "m.room.create", "m.room.power_levels", "m.room.name"
PACE = (
    "how fast it may post, a homeserver does not tell: Synapse by default takes one message in five seconds of an "
    "account, in all its rooms together. An admin of the homeserver lifts that: POST "
    '/_synapse/admin/v1/users/{user}/override_ratelimit with {{"messages_per_second": 0, "burst_count": 0}}'
)
NOBODY = "nobody may invite it: name people or servers in adapters.matrix.invites (or owners)"


class Checks:
    def __init__(self, settings: MatrixSettings, api: Api, rooms: Rooms) -> None:
        self._settings, self._api, self._rooms = settings, api, rooms

    async def all(self, destinations: Collection[Destination]) -> Sequence[Check]:
        me = await self._api.whoami()
        if isinstance(me, Failed):
            return (Check(name="matrix", ok=False, note=_refusal(me)),)
        user, device = me
        if user != self._settings.user:
            note = f"the token is {user}'s: set adapters.matrix.user to that, or use a token of {self._settings.user}"
            return (Check(name="matrix", ok=False, note=note),)
        own = Check(name="matrix", ok=True, note=await self._introduced(user, device))
        return (own, *[await self._one(destination) for destination in destinations])

    async def _introduced(self, user: str, device: str) -> str:
        software = await self._api.software()
        notes = [f"the bot is {user} on {software or 'a homeserver'}, device {device or 'without a name'}"]
        if not device:
            notes.append("its token has no device: after a crash a post may come twice; use a token from a login")
        if not self._settings.invites and not self._settings.owners:
            notes.append(NOBODY)
        if software in {"", "Synapse"}:
            notes.append(PACE.format(user=user))
        return "; ".join(notes)

    async def _one(self, destination: Destination) -> Check:
        name, address = str(destination), destination.address
        if not is_id(address) and not is_alias(address):
            return Check(name=name, ok=False, note=NO_ROOM)
        room, joined = await self._rooms.find(address), await self._api.joined()
        if isinstance(room, Failed):
            return Check(name=name, ok=False, note=_refusal(room))
        if isinstance(joined, Failed):
            return Check(name=name, ok=False, note=_refusal(joined))
        if room not in joined:
            return Check(name=name, ok=False, note=f"the bot is not in this room: invite {self._api.user}")
        return await self._standing(name, room)

    async def _standing(self, name: str, room: str) -> Check:
        encrypted, create = await self._rooms.encrypted(room), await self._api.state_event(room, CREATE)
        if isinstance(encrypted, Failed):
            return Check(name=name, ok=False, note=_refusal(encrypted))
        if isinstance(create, Failed):
            return Check(name=name, ok=False, note=_refusal(create))
        if encrypted:
            return Check(name=name, ok=False, note=ENCRYPTED)
        if after := await self._rooms.successor(room):
            return Check(name=name, ok=False, note=f"this room was replaced by {after.room}")
        levels = await self._api.state(room, POWER)
        powers = Powers(None if isinstance(levels, Failed) else levels, create)
        ours, needed = level(powers, self._api.user), needed_to_post(powers)
        if ours < needed:
            note = f"it takes a power level of {needed:g} to post here, and the bot's is {ours:g}: raise it"
            return Check(name=name, ok=False, note=note)
        named = await self._api.state(room, NAME)
        return Check(name=name, ok=True, note="" if isinstance(named, Failed) else str(named.get("name", ""))[:100])


def _refusal(failed: Failed) -> str:
    if failed.unauthorized:
        return f"the homeserver refuses the token ({failed.reason}): {DEAD}"
    if failed.code == "M_FORBIDDEN" and not failed.limited:
        return f"the homeserver refuses it ({failed.reason}): look at adapters.matrix.user and password, or the room"
    if failed.code == "M_NOT_FOUND":
        return f"the homeserver knows no such room ({failed.reason})"
    if not failed.code and failed.status:
        return f"no homeserver answers there ({failed.reason}): look at adapters.matrix.homeserver"
    return failed.reason
