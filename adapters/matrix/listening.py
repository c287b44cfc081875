"""What happens on Matrix while the relay listens: commands, and what becomes of the relay itself in rooms."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import assert_never

from adapters.matrix.api import Api
from adapters.matrix.asking import line_in
from adapters.matrix.calls import Calls
from adapters.matrix.joining import Joining, Manners
from adapters.matrix.news import Entered, Invited, Left, News, Replaced, Said, Sealed, news
from adapters.matrix.notes import Notes
from adapters.matrix.receiving import Pauses, Tries, ask, named
from adapters.matrix.rights import PAIR, Rights
from adapters.matrix.rooms import Rooms
from adapters.matrix.settings import MatrixSettings
from adapters.matrix.shapes import Batch
from adapters.matrix.talking import LIFE, Talk
from adapters.matrix.voice import Voice
from relay.log import get_logger
from relay.plugins import Host
from relay.ports import Inbox

CLOSING = 1.5
"""Seconds for what is still being answered to end."""
OLD = timedelta(minutes=2)
"""What was written longer than this before the start is not obeyed, even if it comes now: nobody waits for it."""
MET = timedelta(hours=20)
"""For so long a room that let us in is greeted after a restart: until then homeservers know whether we have."""
MOST_WAITING = 30
"""In one room; more than that is no conversation."""

log = get_logger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long is waited for what, and by which clock."""

    pauses: Pauses = field(default_factory=Pauses)
    manners: Manners = field(default_factory=Manners)
    life: float = LIFE
    now: Callable[[], datetime] = _now


class Listening:
    """Listens for one account, with the rooms that it shares with the sender."""

    def __init__(
        self,
        settings: MatrixSettings,
        host: Host,
        api: Api,
        calls: Calls,
        rooms: Rooms,
        *,
        timing: Timing | None = None,
    ) -> None:
        self._settings, self._api, self._rooms = settings, api, rooms
        self._voice, self._notes = Voice(api, calls), Notes(api, host.language)
        self._timing = timing or Timing()
        self._started = _now()
        self._inside: set[str] = set()
        self._members: dict[str, int] = {}
        """How many are in a room, where the homeserver has told."""

    async def run(self, inbox: Inbox) -> None:
        """Listen until cancelled. Returns where only a person can help: the log says how."""
        self._started = self._timing.now()
        self._inside, self._members = set(), {}
        tries = Tries(self._timing.pauses)
        if not await named(self._api, tries):
            return
        turns = Turns(self._handler(inbox))

        def take(batch: Batch, present: bool) -> None:  # noqa: FBT001 - as Take has it
            self._take(batch, turns, since=None if present else self._started - OLD)

        try:
            await ask(self._api, take, tries, self._timing.pauses)
        finally:
            await turns.close()

    def _take(self, batch: Batch, turns: Turns, since: datetime | None) -> None:
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
        if not isinstance(one, Said):
            return True
        line = line_in(one.event, us=self._settings.user, prefix=self._settings.prefix)
        return line is not None and (line.prefixed or self._members.get(one.room, PAIR) <= PAIR)

    def _handler(self, inbox: Inbox) -> Callable[[News], Awaitable[None]]:
        rights = Rights(self._api, self._settings, self._rooms, self._notes)
        talk = Talk(
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


async def _handle(one: News, talk: Talk, joining: Joining) -> None:
    match one:
        case Said():
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


class Turns:
    """Hands on each room's news one after the other, and the rooms' beside each other."""

    def __init__(self, handle: Callable[[News], Awaitable[None]]) -> None:
        self._handle = handle
        self._waiting: dict[str, deque[News]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def take(self, one: News) -> None:
        """Never waits. What is written in one room faster than it can be answered is left out; nothing else is."""
        waiting = self._waiting.get(one.room)
        if waiting is None:
            waiting = self._waiting[one.room] = deque()
            task = asyncio.create_task(self._work(one.room, waiting))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        if len(waiting) < MOST_WAITING or not isinstance(one, Said):
            waiting.append(one)
        elif len(waiting) == MOST_WAITING:
            log.warning("a room asks faster than it can be answered; some of it is left out", room=one.room)

    async def close(self) -> None:
        """Give up on what is still being answered."""
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=CLOSING)

    async def _work(self, room: str, waiting: deque[News]) -> None:
        try:
            while waiting:
                one = waiting.popleft()
                try:
                    await self._handle(one)
                except Exception:
                    log.exception("an event of matrix ended in a bug", room=room, kind=type(one).__name__)
        finally:
            del self._waiting[room]
