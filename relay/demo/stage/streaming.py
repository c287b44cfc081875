"""The stage's websocket: who listens to a hashtag hears of it at once (docs.joinmastodon.org/methods/streaming)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from relay.demo.stage.entities import Json, fold


@dataclass(eq=False)
class _Ear:
    """One connection, the hashtags that it asked for, and what it has not heard yet."""

    tags: set[str] = field(default_factory=set)
    waiting: asyncio.Queue[str] = field(default_factory=asyncio.Queue)


@dataclass(slots=True)
class Streaming:
    """Tells what happens now, and remembers nothing."""

    _ears: list[_Ear] = field(default_factory=list)

    def tell(self, event: str, tags: Iterable[str], payload: Json | str) -> None:
        """``update``, ``status.update`` with the status, ``delete`` with its id; once for each hashtag listened to."""
        told = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
        for ear in self._ears:
            for tag in ear.tags.intersection(tags):
                ear.waiting.put_nowait(json.dumps({"stream": ["hashtag", tag], "event": event, "payload": told}))

    async def listen(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        ear = _Ear({fold(request.query["tag"])} if request.query.get("stream") == "hashtag" else set())
        self._ears.append(ear)
        writing = asyncio.create_task(_write(socket, ear))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    _heed(ear, json.loads(message.data))
        finally:
            self._ears.remove(ear)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        return socket


async def _write(socket: web.WebSocketResponse, ear: _Ear) -> None:
    while True:
        await socket.send_str(await ear.waiting.get())


def _heed(ear: _Ear, said: Json) -> None:
    if said.get("stream") == "hashtag":
        tags = {fold(str(said.get("tag")))}
        ear.tags = ear.tags | tags if said.get("type") == "subscribe" else ear.tags - tags
