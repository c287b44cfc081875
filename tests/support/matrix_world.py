"""What the tests of Matrix share: a loopback homeserver, our parts in it, and an inbox that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from adapters.matrix.api import MatrixApi
from adapters.matrix.calls import MatrixCalls
from adapters.matrix.listening import Listening, Manners, MatrixPauses, MatrixTiming
from adapters.matrix.rooms import Rooms
from adapters.matrix.settings import MatrixSettings
from adapters.matrix.shapes import MatrixEvent
from relay.plugins import Host
from relay.ports import Answer, Command
from relay.testing import FakeInbox
from tests.servers.matrix import MatrixServer

QUICK = MatrixTiming(
    pauses=MatrixPauses(poll=5, first=0.01, longest=0.02, empty=0.001),
    manners=Manners(tries=3, first=0.01, longest=0.5),
    life=5,
)
US = "@relay:ayllu.example"


def settings(server: MatrixServer, **given: Any) -> MatrixSettings:
    """Those of the server's bot, which anybody of the server may invite."""
    plain = {"homeserver": server.url, "user": server.bot, "token": server.token, "invites": [server.name]}
    return MatrixSettings.model_validate(plain | given)


def host(**given: Any) -> Host:
    return Host(http=cast("Any", None), name="Chasqui", version="1.2.3", **given)


@dataclass
class Relay:
    """Our listening half at work on a server."""

    server: MatrixServer
    inbox: FakeInbox
    api: MatrixApi
    rooms: Rooms
    running: asyncio.Task[None]

    async def command(self) -> Command:
        return await asyncio.wait_for(self.inbox.commands.get(), 30)

    async def lost(self) -> tuple[set[str], str]:
        destinations, reason = await asyncio.wait_for(self.inbox.losses.get(), 30)
        return {str(one) for one in destinations}, reason

    async def asked(self, room: Any, person: Any, line: str, **more: Any) -> Command:
        """The command that a line becomes."""
        await self.server.say(room, person, line, **more)
        return await self.command()

    async def answer(self, room: Any, person: Any, line: str, **more: Any) -> dict[str, Any]:
        """The next message of the relay's after a line."""
        coming = asyncio.create_task(self.server.next_sent(room))
        await asyncio.sleep(0)  # it looks at what is there already before the line is written
        await self.server.say(room, person, line, **more)
        return await coming

    async def told(self, room: Any, person: Any, line: str, **more: Any) -> str:
        return str((await self.answer(room, person, line, **more))["content"]["body"])


@asynccontextmanager
async def listening(
    server: MatrixServer,
    reply: Answer | None = None,
    *,
    inbox: FakeInbox | None = None,
    timing: MatrixTiming = QUICK,
    language: str = "en",
    in_clear: int = 0,
    **given: Any,
) -> AsyncIterator[Relay]:
    """Listens on a server until the block ends; all that it has said there must then be as Matrix wants it.

    ``in_clear``: so many messages, not one more, it has said in encrypted rooms.
    """
    inbox = inbox or FakeInbox()
    inbox.reply = reply or inbox.reply
    chosen = settings(server, **given)
    api, calls = MatrixApi(chosen), MatrixCalls()
    rooms = Rooms(api)
    ears = Listening(chosen, host(language=language), api, calls, rooms, timing=timing)
    before = len(server.asked("sync"))
    task = asyncio.create_task(ears.run(inbox))
    try:
        # Not polled(): a listener before this one may still be waited for there.
        await server.wait_until(lambda: any("since" in one.query for one in server.asked("sync")[before:]))
        yield Relay(server, inbox, api, rooms, task)
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=2)
        await api.close()
        assert task.done()
    clear = [one for one in server.faulty if one.endswith("in the clear in an encrypted room")]
    assert [one for one in server.faulty if one not in clear] == []
    assert len(clear) == in_clear


@asynccontextmanager
async def listening_in_vain(server: MatrixServer, **given: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Listens with settings that are no good."""
    chosen = settings(server, **given)
    api = MatrixApi(chosen)
    ears = Listening(chosen, host(), api, MatrixCalls(), Rooms(api), timing=QUICK)
    task = asyncio.create_task(ears.run(FakeInbox()))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=2)
        await api.close()


def written(text: str, **more: Any) -> MatrixEvent:
    """A message as the homeserver tells of it; ``content`` is beside its words."""
    content = {"msgtype": "m.text", "body": text, "m.mentions": {}, **more.pop("content", {})}
    plain = {"type": "m.room.message", "sender": "@sami:ayllu.example", "event_id": "$line", "content": content}
    return MatrixEvent(**(plain | more))


def of_member(user: str, membership: str, **more: Any) -> MatrixEvent:
    """Somebody becomes something in a room."""
    content = {"membership": membership, **more.pop("content", {})}
    plain = {"type": "m.room.member", "sender": user, "state_key": user, "event_id": f"${membership}"}
    return MatrixEvent(**(plain | {"content": content} | more))
