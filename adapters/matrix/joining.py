"""What becomes of the relay itself in rooms: invited, let in, shut out, and rooms that change under it."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta

from adapters.matrix.answers import back, hello, parted, sealed
from adapters.matrix.api import Api, Failed
from adapters.matrix.card import answer
from adapters.matrix.news import Entered, Invited, Left, Replaced, Sealed
from adapters.matrix.notes import Notes
from adapters.matrix.outcomes import ENCRYPTED
from adapters.matrix.rooms import Rooms
from adapters.matrix.settings import MatrixSettings, may_invite, server_of
from adapters.matrix.voice import Voice, mark
from relay.core.schedule import backoff
from relay.log import get_logger
from relay.model import Destination
from relay.ports import Inbox
from relay.rich import Text

MOST_TOLD = 1_000
"""Invitations of strangers that are remembered as told."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How patiently rooms are joined; spans in seconds."""

    tries: int = 5
    """Failures after which a room is given up."""
    asked: int = 30
    """So often the homeserver may ask for patience meanwhile."""
    first: float = 2.0
    longest: float = 300.0
    """Between two tries; they grow from the first to the longest, which is also what the homeserver may ask for."""


class Joining:
    """Acts for one account, one room at a time as its caller brings them. Raises nothing that the homeserver says."""

    def __init__(
        self,
        *,
        api: Api,
        settings: MatrixSettings,
        rooms: Rooms,
        notes: Notes,
        voice: Voice,
        inbox: Inbox,
        manners: Manners,
    ) -> None:
        self._api, self._settings, self._rooms = api, settings, rooms
        self._notes, self._voice, self._inbox, self._manners = notes, voice, inbox, manners
        self._told: set[tuple[str, str]] = set()

    # --- let in ---

    async def invited(self, asked: Invited) -> None:
        """Join, where all who are told to have invited us may do that; the same invitation may come again."""
        stranger = next((one for one in asked.by if not may_invite(self._settings, one)), None)
        if stranger is not None or not asked.by:
            self._leave_alone(asked.room, stranger or "nobody")
            return
        await self._notes.change(asked.room, direct=asked.direct, owed=True)
        await self._join(asked.room, asked.by[0])

    async def entered(self, entry: Entered) -> None:
        """Say hello, or that we are back, or why we do not post there."""
        note = await self._notes.read(entry.room)
        if entry.earlier and not note.owed:
            return
        say, prefix, power = await self._notes.words(entry.room), self._settings.prefix, self._settings.power
        once = f"{mark(entry.room)}-{mark(entry.event)}"
        if await self._rooms.encrypted(entry.room) is True:
            await self._seal(entry.room, f"-{mark(entry.event)}" if note.encrypted else "")
        elif note.hello:
            if await self._say(entry.room, f"back-{once}", back(say, prefix=prefix)):
                await self._notes.change(entry.room, owed=False)
        elif await self._say(entry.room, f"hello-{once}", hello(say, prefix=prefix, power=power, direct=note.direct)):
            await self._notes.change(entry.room, hello=True, owed=False)

    def _leave_alone(self, room: str, inviter: str) -> None:
        if (room, inviter) in self._told or len(self._told) >= MOST_TOLD:
            return
        self._told.add((room, inviter))
        todo = f'to accept it, add {inviter}, or {server_of(inviter)}, or "*" to adapters.matrix.invites, then restart'
        log.warning("an invitation is left alone", room=room, inviter=inviter, todo=todo)

    async def _join(self, room: str, inviter: str) -> bool:
        """Join, patiently; whoever invited us has a homeserver that knows the room."""
        failures = asked = 0
        while isinstance(came := await self._api.join(room, (server_of(inviter),)), Failed):
            failures, asked = failures + (not came.limited), asked + came.limited
            hopeless = came.code == "M_FORBIDDEN" or came.unauthorized
            if hopeless or failures >= self._manners.tries or asked >= self._manners.asked:
                log.warning("a room could not be joined", room=room, inviter=inviter, reason=came.reason)
                return False
            await asyncio.sleep(self._pause(came, failures))
        log.info("joined a room", room=room, inviter=inviter)
        return True

    def _pause(self, failed: Failed, failures: int) -> float:
        longest = timedelta(seconds=self._manners.longest)
        if failed.limited and failed.after is not None:
            return min(failed.after, longest).total_seconds()
        first = timedelta(seconds=self._manners.first)
        return backoff(failures, random.random(), first=first, longest=longest).total_seconds()  # noqa: S311 - jitter

    # --- shut out ---

    async def left(self, parting: Left) -> None:
        """Tell the inbox that nothing can be posted there any more."""
        say = await self._notes.words(parting.room)
        prefix, us = self._settings.prefix, self._api.user
        self._rooms.forget(parting.room)
        await self._lose(parting.room, parted(say, prefix=prefix, us=us, by=parting.by, banned=parting.banned))

    async def sealed(self, room: Sealed) -> None:
        """Say once why nothing is posted there any more."""
        if not (await self._notes.read(room.room)).encrypted:
            await self._seal(room.room)

    async def replaced(self, by: Replaced) -> None:
        """Go where the room went, if whoever moved it may invite us; what is posted follows by itself."""
        self._rooms.forget(by.room)
        if may_invite(self._settings, by.by) and by.successor:
            await self._join(by.successor, by.by)

    async def _seal(self, room: str, again: str = "") -> None:
        """Whoever finds it out first, it is one message. ``again``: we have come back there."""
        say = await self._notes.words(room)
        await self._lose(room, say(ENCRYPTED))
        if await self._say(room, f"sealed-{mark(room)}{again}", sealed(say)):
            await self._notes.change(room, encrypted=True, owed=False)

    async def _lose(self, room: str, reason: str) -> None:
        await self._inbox.lost([Destination("matrix", name) for name in self._rooms.names(room)], reason)

    async def _say(self, room: str, transaction: str, text: Text) -> bool:
        return await self._voice.say(room, transaction, answer(text))
