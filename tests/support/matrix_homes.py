"""One face for two homeservers: our own loopback one, and a real Synapse. What a reader of a room sees there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.servers.matrix import MatrixServer
from tests.servers.synapse import Synapse

Json = dict[str, Any]
BOT = "relay"


@dataclass(frozen=True)
class Seen:
    """A message as a reader sees it now: the latest edit, nothing where it was taken back."""

    event: str
    kind: str
    body: str
    html: str = ""
    thread: str = ""
    url: str = ""


class Home(Protocol):
    """A homeserver with a bot's account; people are called by their names."""

    url: str
    user: str
    """The bot."""
    server: str

    async def token(self) -> str: ...
    async def room(self, who: str, members: Sequence[str] = ()) -> str: ...
    async def invite(self, who: str, room: str) -> None:
        """Invite the bot."""

    async def kick(self, who: str, room: str) -> None:
        """Show the bot out."""

    async def say(self, who: str, room: str, text: str) -> None: ...
    async def events(self, who: str, room: str) -> list[Json]: ...


async def seen(home: Home, who: str, room: str) -> list[Seen]:
    """What the bot has said, as somebody in the room reads it."""
    found: dict[str, Json] = {}
    for event in await home.events(who, room):
        content, relation = event["content"], event["content"].get("m.relates_to", {})
        if event["type"] != "m.room.message" or event["sender"] != home.user:
            continue
        if relation.get("rel_type") == "m.replace":
            if relation["event_id"] in found:
                found[relation["event_id"]] |= content["m.new_content"]
        elif content:
            found[event["event_id"]] = dict(content)
    return [_seen(event, content) for event, content in found.items()]


def _seen(event: str, content: Json) -> Seen:
    relation = content.get("m.relates_to", {})
    thread = relation["event_id"] if relation.get("rel_type") == "m.thread" else ""
    html, url = content.get("formatted_body", ""), content.get("url", "")
    return Seen(event, content["msgtype"], content["body"], html, thread, url)


async def wait_for(home: Home, who: str, room: str, condition: Any, *, seconds: float = 20) -> list[Seen]:
    """What is to be read in the room when the condition holds of it. A homeserver tells tests nothing: it is asked."""
    there: list[Seen] = []
    try:
        async with asyncio.timeout(seconds):
            while not condition(there := await seen(home, who, room)):
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s; there is {there}") from None
    return there


async def told(home: Home, who: str, room: str, line: str) -> str:
    """What the relay answers to a line: its first message after it."""
    before = {one.event for one in await seen(home, who, room)}
    await home.say(who, room, line)
    there = await wait_for(home, who, room, lambda there: {one.event for one in there} - before)
    return next(one.body for one in there if one.event not in before)


class Loopback:
    """Our own."""

    def __init__(self, server: MatrixServer) -> None:
        self._server = server
        self.url, self.user, self.server = server.url, server.bot, server.name
        self._people: dict[str, Any] = {}

    def _person(self, name: str) -> Any:
        if name not in self._people:
            self._people[name] = self._server.person(name)
        return self._people[name]

    async def token(self) -> str:
        return self._server.token

    async def room(self, who: str, members: Sequence[str] = ()) -> str:
        room = self._server.add_room(self._person(who), members=[self._person(name) for name in members])
        return room.id

    async def invite(self, who: str, room: str) -> None:
        self._server.invite(room, self._person(who), self._server.bot)

    async def kick(self, who: str, room: str) -> None:
        self._server.kick(room, self._person(who), self._server.bot)

    async def say(self, who: str, room: str, text: str) -> None:
        await self._server.say(room, self._person(who), text)

    async def events(self, who: str, room: str) -> list[Json]:
        return list(self._server.find(room).events)


class Real:
    """Synapse."""

    def __init__(self, server: Synapse) -> None:
        self._server = server
        self.url, self.user, self.server = server.url, server.user(BOT), server.user("").removeprefix("@:")

    async def token(self) -> str:
        return await self._server.token(BOT, device="CHASQUI")

    async def room(self, who: str, members: Sequence[str] = ()) -> str:
        await self.token()  # the account must be there to be invited
        room = await self._server.room(who)
        for name in members:
            await self._server.token(name)
            await self._server.invite(who, room, name)
            await self._server.join(name, room)
        return room

    async def invite(self, who: str, room: str) -> None:
        await self._server.invite(who, room, BOT)

    async def kick(self, who: str, room: str) -> None:
        await self._server.as_user(who, "POST", f"rooms/{room}/kick", {"user_id": self.user})

    async def say(self, who: str, room: str, text: str) -> None:
        await self._server.say(who, room, text)

    async def events(self, who: str, room: str) -> list[Json]:
        return await self._server.read(who, room)
