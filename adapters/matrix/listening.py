"""What happens on Matrix while the relay listens: commands, and what becomes of the relay itself in rooms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import assert_never

from adapters.matrix.answers import back, hello, parted, sealed
from adapters.matrix.api import POLL, Failed, Json, MatrixApi
from adapters.matrix.calls import MatrixCalls
from adapters.matrix.card import answer
from adapters.matrix.conversations import LIFE, MatrixTalk, MatrixVoice, mark
from adapters.matrix.outcomes import ENCRYPTED
from adapters.matrix.requests import line_in
from adapters.matrix.rights import PAIR, MatrixRights
from adapters.matrix.room_notes import RoomNotes
from adapters.matrix.rooms import Rooms
from adapters.matrix.settings import MatrixSettings, may_invite, server_of
from adapters.matrix.shapes import ENCRYPTION, MEMBER, MESSAGE, TOMBSTONE, SyncBatch, read
from adapters.matrix.sync import Entered, Invited, Left, News, Replaced, RoomMessage, Sealed, news
from relay.kit import RoomQueues
from relay.log import Trouble, get_logger
from relay.model import Destination
from relay.plugins import Host
from relay.ports import Inbox
from relay.retrying import Retrying
from relay.rich import Text

# --- what becomes of the relay itself in rooms: invited, let in, shut out, and rooms that change under it ---

MOST_TOLD = 1_000
"""Invitations of strangers that are remembered as told."""


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
        api: MatrixApi,
        settings: MatrixSettings,
        rooms: Rooms,
        notes: RoomNotes,
        voice: MatrixVoice,
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
        first, longest = timedelta(seconds=self._manners.first), timedelta(seconds=self._manners.longest)
        tries, failures, asked = Retrying(first=first, longest=longest, asked=longest), 0, 0
        while isinstance(came := await self._api.join(room, (server_of(inviter),)), Failed):
            failures, asked = failures + (not came.limited), asked + came.limited
            hopeless = came.code == "M_FORBIDDEN" or came.unauthorized
            if hopeless or failures >= self._manners.tries or asked >= self._manners.asked:
                log.warning("a room could not be joined", room=room, inviter=inviter, reason=came.reason)
                return False
            await tries.wait(came.after if came.limited else None)
        log.info("joined a room", room=room, inviter=inviter)
        return True

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


# --- the homeserver is asked for news again and again, one question at a time ---

# Goes on until cancelled.

UPDATES = "the updates of matrix"
MOST_IN_A_ROOM = 50
"""Events of one room in one answer; of a room in which more happens than that the rest is not heard."""

_NONE: Json = {"types": []}
_STATE = [MEMBER, ENCRYPTION, TOMBSTONE]
SIEVE: Json = {
    "presence": _NONE,
    "account_data": _NONE,
    "room": {
        "account_data": _NONE,
        "ephemeral": _NONE,
        "state": {"types": _STATE, "lazy_load_members": True},
        "timeline": {"types": [MESSAGE, *_STATE], "limit": MOST_IN_A_ROOM, "lazy_load_members": True},
    },
}
"""Of all that happens only what concerns us; who may what is asked when somebody wants something."""

_SHUT = frozenset({"M_FORBIDDEN", "M_USER_DEACTIVATED", "M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"})
"""Answers to /sync, or to the login before it, after which no other try is of use. A lock may be lifted."""


Take = Callable[[SyncBatch, bool], None]
"""Never waits. Its second word is whether this is the present state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixPauses:
    """In seconds."""

    poll: float = POLL
    """How long the homeserver holds a question open."""
    first: float = 1.0
    longest: float = 60.0
    """Between two tries while something is wrong; they grow from the first to the longest."""
    asked: float = 3600.0
    """The longest that the homeserver may ask for."""
    empty: float = 0.2
    """After an answer without news: some answer at once, for what the filter keeps from us."""

    def retrying(self) -> Retrying:
        first, longest = timedelta(seconds=self.first), timedelta(seconds=self.longest)
        return Retrying(UPDATES, Trouble(log), first=first, longest=longest, asked=timedelta(seconds=self.asked))


def is_hopeless(failed: Failed) -> bool:
    """Whether there is no use in another try: the log says what a person has to do."""
    hopeless = failed.code in _SHUT or (failed.status == 401 and not failed.code)
    if hopeless:
        todo = "commands do not work until the relay is restarted with a token or password that the homeserver takes"
        log.error("token refused", what=UPDATES, reason=failed.reason, todo=todo)
    return hopeless


async def named(api: MatrixApi, tries: Retrying) -> bool:
    """Find out whether we are who we believe to be; else we would join as somebody else, and answer ourselves."""
    while isinstance(told := await api.whoami(), Failed):
        if is_hopeless(told):
            return False
        await tries.failed(told.reason, told.after)
    user, _ = told
    if user != api.user:
        todo = "set adapters.matrix.user to the user to whom the token belongs, then restart"
        log.error("commands do not work: the token belongs to somebody else", user=user, todo=todo)
    return user == api.user


async def ask(api: MatrixApi, take: Take, tries: Retrying, pauses: MatrixPauses) -> None:
    """Ask again and again. Returns where only a person can help: the log says how."""
    position = ""
    while True:
        told = await api.sync(position, SIEVE, hold=pauses.poll)
        batch = told if isinstance(told, Failed) else read(told)
        if isinstance(batch, SyncBatch) and not batch.position:
            batch = Failed("the homeserver's answer has no next_batch", status=200)
        if isinstance(batch, Failed):
            if is_hopeless(batch):
                return
            await tries.failed(batch.reason, batch.after)
            position = "" if batch.status == 400 else position  # it does not know the position (any more)
            continue
        tries.works()
        take(batch, not position)
        position = batch.position
        if batch.empty:
            await asyncio.sleep(pauses.empty)


# --- listening ---

OLD = timedelta(minutes=2)
"""What was written longer than this before the start is not obeyed, even if it comes now: nobody waits for it."""
MET = timedelta(hours=20)
"""For so long a room that let us in is greeted after a restart: until then homeservers know whether we have."""

log = get_logger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixTiming:
    """How long is waited for what, and by which clock."""

    pauses: MatrixPauses = field(default_factory=MatrixPauses)
    manners: Manners = field(default_factory=Manners)
    life: float = LIFE
    now: Callable[[], datetime] = _now


class Listening:
    """Listens for one account, with the rooms that it shares with the sender."""

    def __init__(
        self,
        settings: MatrixSettings,
        host: Host,
        api: MatrixApi,
        calls: MatrixCalls,
        rooms: Rooms,
        *,
        timing: MatrixTiming | None = None,
    ) -> None:
        self._settings, self._api, self._rooms = settings, api, rooms
        self._voice, self._notes = MatrixVoice(api, calls), RoomNotes(api, host.language)
        self._timing = timing or MatrixTiming()
        self._started = _now()
        self._inside: set[str] = set()
        self._members: dict[str, int] = {}
        """How many are in a room, where the homeserver has told."""

    async def run(self, inbox: Inbox) -> None:
        """Listen until cancelled. Returns where only a person can help: the log says how."""
        self._started = self._timing.now()
        self._inside, self._members = set(), {}
        tries = self._timing.pauses.retrying()
        if not await named(self._api, tries):
            return
        turns = RoomQueues(
            self._handler(inbox), room=lambda one: one.room, must=lambda one: not isinstance(one, RoomMessage)
        )

        def take(batch: SyncBatch, present: bool) -> None:  # noqa: FBT001 - as Take has it
            self._take(batch, turns, since=None if present else self._started - OLD)

        try:
            await ask(self._api, take, tries, self._timing.pauses)
        finally:
            await turns.close()

    def _take(self, batch: SyncBatch, turns: RoomQueues[News], since: datetime | None) -> None:
        for room in batch.joined:
            if room.members is not None:
                self._members[room.id] = room.members
        for one in news(batch, self._api.user, self._inside, since, self._started - MET):
            if isinstance(one, Sealed):
                self._rooms.now_encrypted(one.room)  # at once: the sender must know, whoever waits for an answer
            if self._concerns_us(one):
                turns.take(one)
        gone = {room.id for room in (*batch.invited, *batch.left)}
        before = self._inside if since is not None else set()
        self._inside = (before | {room.id for room in batch.joined}) - gone
        self._members = {room: count for room, count in self._members.items() if room in self._inside}

    def _concerns_us(self, one: News) -> bool:
        """Sort out most of what people write to each other."""
        if not isinstance(one, RoomMessage):
            return True
        line = line_in(one.event, us=self._settings.user, prefix=self._settings.prefix)
        return line is not None and (line.prefixed or self._members.get(one.room, PAIR) <= PAIR)

    def _handler(self, inbox: Inbox) -> Callable[[News], Awaitable[None]]:
        rights = MatrixRights(self._api, self._settings, self._rooms, self._notes)
        talk = MatrixTalk(
            settings=self._settings,
            inbox=inbox,
            rights=rights,
            notes=self._notes,
            voice=self._voice,
            life=self._timing.life,
        )
        joining = Joining(
            api=self._api,
            settings=self._settings,
            rooms=self._rooms,
            notes=self._notes,
            voice=self._voice,
            inbox=inbox,
            manners=self._timing.manners,
        )
        return lambda one: _handle(one, talk, joining)


async def _handle(one: News, talk: MatrixTalk, joining: Joining) -> None:
    match one:
        case RoomMessage():
            await talk.message(one)
        case Invited():
            await joining.invited(one)
        case Entered():
            await joining.entered(one)
        case Sealed():
            await joining.sealed(one)
        case Replaced():
            await joining.replaced(one)
        case Left():
            await joining.left(one)
        case _:
            assert_never(one)
