"""The streaming half of a Mastodon server: one websocket, many hashtags, and no memory of what nobody heard."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from tests.servers.floods import pour
from tests.servers.mastodon.entities import Json, fold


@dataclass(eq=False)
class Ear:
    """One connection."""

    request: web.Request
    tags: set[str] = field(default_factory=set)
    waiting: asyncio.Queue[str] = field(default_factory=asyncio.Queue)


@dataclass
class Streams:
    """Who listens, and how they are treated."""

    multiplexed: bool = True
    """Hashtags besides the one in the address are understood."""
    edits: str = "status.update"
    """What an edit is called."""
    refuses: int = 0
    """The status that who wants to listen gets; 0: they may."""
    complaint: str = ""
    """What is said to each subscription."""
    deaf: bool = False
    """Connections stand, and nothing is told on them."""
    flood: bytes = b""
    """What each connection is filled with, as it goes over the wire."""
    ears: list[Ear] = field(default_factory=list)
    heard: list[Json] = field(default_factory=list)
    """What the listeners said."""
    tokens: list[str] = field(default_factory=list)
    """What was shown as a token, by each that connected."""
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def tell(self, event: str, status: Json) -> None:
        """To each listener once for each of its hashtags in the post; a deletion is a bare id."""
        payload = status["id"] if event == "delete" else json.dumps(status)
        for ear in () if self.deaf else self.ears:
            for tag in _tags(status) & ear.tags:
                frame = {"stream": ["hashtag", tag], "event": event, "payload": payload}
                ear.waiting.put_nowait(json.dumps(frame))

    def say(self, frame: str) -> None:
        """The same to all, whatever it is."""
        for ear in self.ears:
            ear.waiting.put_nowait(frame)

    def drop(self) -> None:
        """As if the network were gone: no goodbye, and what was on its way is lost."""
        for ear in self.ears:
            if ear.request.transport:
                ear.request.transport.abort()
        self.ears.clear()

    async def listening(self, *tags: str) -> None:
        """Until somebody listens for exactly these hashtags."""
        async with self.news, asyncio.timeout(10):
            await self.news.wait_for(lambda: any(ear.tags == {*map(fold, tags)} for ear in self.ears))

    async def connect(self, request: web.Request, allowed: set[str]) -> web.StreamResponse:
        protocol = request.headers.get("Sec-WebSocket-Protocol", "")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or protocol
        self.tokens.append(token)
        if self.refuses or token not in allowed:
            return web.json_response({"error": "no"}, status=self.refuses or 401)
        socket = web.WebSocketResponse(protocols=[protocol] if protocol else [])
        await socket.prepare(request)
        if self.flood:
            return await pour(request, socket, self.flood)
        ear = Ear(request, {fold(request.query["tag"])} if request.query.get("stream") == "hashtag" else set())
        self.ears.append(ear)
        await self._changed()
        writing = asyncio.create_task(_write(socket, ear.waiting))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._obey(ear, json.loads(message.data))
                    await self._changed()
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            if ear in self.ears:
                self.ears.remove(ear)
            await self._changed()
        return socket

    def _obey(self, ear: Ear, said: Json) -> None:
        self.heard.append(said)
        if self.complaint:
            ear.waiting.put_nowait(json.dumps({"error": self.complaint, "status": 400}))
        elif self.multiplexed and said.get("stream") == "hashtag":
            change = {"subscribe": ear.tags.add, "unsubscribe": ear.tags.discard}[said["type"]]
            change(fold(said["tag"]))

    async def _changed(self) -> None:
        async with self.news:
            self.news.notify_all()


async def _write(socket: web.WebSocketResponse, waiting: asyncio.Queue[str]) -> None:
    while True:
        await socket.send_str(await waiting.get())


def _tags(status: Json) -> set[str]:
    return {fold(tag["name"]) for tag in status["tags"]} if status["visibility"] == "public" else set()
