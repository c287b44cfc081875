"""A Misskey server on loopback: notes by hashtag and by account, threads, and the websocket's channel ``hashtag``."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from tests.servers.floods import pour

Json = dict[str, Any]

_START = datetime.now(UTC)
_NO_USER = {"error": {"message": "No such user.", "code": "NO_SUCH_USER", "id": "4362f8dc", "kind": "client"}}
_NO_NOTE = {"error": {"message": "No such note.", "code": "NO_SUCH_NOTE", "id": "24fcbfc6", "kind": "client"}}


@dataclass(eq=False)
class Ear:
    request: web.Request
    channels: dict[str, str] = field(default_factory=dict)
    """The hashtags, by the names that the listener gave them."""
    waiting: asyncio.Queue[str] = field(default_factory=asyncio.Queue)


@dataclass
class Misskey:
    """One server."""

    base: str = ""
    software: str = "misskey"
    notes: dict[str, Json] = field(default_factory=dict)
    refuses: int = 0
    """The status with which its API answers; 0: as it should."""
    shows: Json = field(default_factory=dict)
    """What it shows of an account otherwise than it is."""
    flood: bytes = b""
    """What each connection is filled with, as it goes over the wire."""
    ears: list[Ear] = field(default_factory=list)
    asked: list[tuple[str, Json]] = field(default_factory=list)
    """The path and the body of each question."""
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def delete(self, note: Json) -> None:
        """What answered it stays, and still says what it answered, but shows it no more."""
        del self.notes[note["id"]]
        for answer in self.notes.values():
            if answer["replyId"] == note["id"]:
                answer["reply"] = None

    def note(self, text: str | None, by: str = "illa", *, reply_to: Json | None = None, **changes: Any) -> Json:
        """A note as the API tells it; ``by`` with a host is somebody of another server."""
        number = len(self.notes) + 1
        identifier = f"9zq{number:07d}"
        who, _, host = by.partition("@")
        at = _START + timedelta(milliseconds=number)
        note: Json = {
            "id": identifier,
            "createdAt": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "userId": f"u{who}",
            "user": {
                "id": f"u{who}",
                "username": who,
                "host": host or None,
                "name": who.title(),
                "avatarUrl": f"{self.base}/avatar/{who}.webp",
                "isBot": False,
            },
            "text": text,
            "cw": None,
            "visibility": "public",
            "localOnly": False,
            "tags": [tag.lower() for tag in re.findall(r"#(\w+)", text or "")],
            "fileIds": [],
            "files": [],
            "replyId": reply_to["id"] if reply_to else None,
            "renoteId": None,
        }
        if reply_to:
            note["reply"] = {**reply_to, "reply": None}
        if host:
            note |= {"uri": f"https://{host}/notes/{identifier}", "url": f"https://{host}/notes/{identifier}"}
        self.notes[identifier] = note | changes
        self._tell(self.notes[identifier])
        return self.notes[identifier]

    def _tell(self, note: Json) -> None:
        for ear in self.ears if note["visibility"] == "public" else ():
            for name, tag in ear.channels.items():
                if tag in note["tags"]:
                    frame = {"type": "channel", "body": {"id": name, "type": "note", "body": note}}
                    ear.waiting.put_nowait(json.dumps(frame))

    def say(self, frame: str) -> None:
        for ear in self.ears:
            ear.waiting.put_nowait(frame)

    def drop(self) -> None:
        for ear in self.ears:
            if ear.request.transport:
                ear.request.transport.abort()
        self.ears.clear()

    async def listening(self, *tags: str) -> None:
        async with self.news, asyncio.timeout(10):
            await self.news.wait_for(lambda: any({*ear.channels.values()} == {*tags} for ear in self.ears))

    # --- what a visitor sees ---

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/.well-known/nodeinfo", self._nodeinfo),
                web.get("/nodeinfo/2.0", self._nodeinfo),
                web.get("/streaming", self._stream),
                web.post("/api/notes/{question:.+}", self._answer),
                web.post("/api/users/{question:.+}", self._answer_of_users),
            ]
        )
        return app

    async def _nodeinfo(self, request: web.Request) -> web.Response:
        if request.path == "/nodeinfo/2.0":
            return web.json_response({"version": "2.0", "software": {"name": self.software, "version": "2026.5.0"}})
        rel = "http://nodeinfo.diaspora.software/ns/schema/2.0"
        return web.json_response({"links": [{"rel": rel, "href": f"{self.base}/nodeinfo/2.0"}]})

    async def _answer(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return web.json_response({"error": {"code": "INVALID_PARAM"}}, status=400)
        asked = await request.json()
        question = request.match_info["question"]
        self.asked.append((question, asked))
        if self.refuses:
            return web.json_response({"error": {"code": "RATE_LIMIT_EXCEEDED"}}, status=self.refuses)
        if question == "search-by-tag":
            return web.json_response(self._page(asked))
        note = self.notes.get(asked["noteId"])
        if note is None or note["visibility"] not in {"public", "home"}:
            return web.json_response(_NO_NOTE, status=400)
        start, limit = asked.get("offset", 0), min(asked.get("limit", 10), 100)
        answers = {"show": note, "conversation": [*self._above(note)][start : start + limit]}
        return web.json_response(answers[question])

    async def _answer_of_users(self, request: web.Request) -> web.Response:
        asked = await request.json()
        question = request.match_info["question"]
        self.asked.append((question, asked))
        if self.refuses:
            return web.json_response({"error": {"code": "RATE_LIMIT_EXCEEDED"}}, status=self.refuses)
        user = next((n["user"] for n in self.notes.values() if _is_meant(n["user"], asked)), None)
        if user is None:
            return web.json_response(_NO_USER, status=404 if question == "show" else 400)
        if question == "show":
            return web.json_response(user | self.shows)
        found = [n for n in self.notes.values() if n["userId"] == user["id"] and n["visibility"] in {"public", "home"}]
        found = [n for n in found if asked.get("withReplies") or not n["replyId"]]
        return web.json_response(_page(found, asked))

    def _page(self, asked: Json) -> list[Json]:
        """Newest first; from a place on, oldest first."""
        found = [n for n in self.notes.values() if asked["tag"] in n["tags"] and n["visibility"] in {"public", "home"}]
        return _page(found, asked)

    def _above(self, note: Json) -> Iterable[Json]:
        while note := self.notes.get(note["replyId"] or "", {}):
            yield note

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if self.flood:
            return await pour(request, socket, self.flood)
        ear = Ear(request)
        self.ears.append(ear)
        writing = asyncio.create_task(_write(socket, ear.waiting))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    _obey(ear, json.loads(message.data))
                    async with self.news:
                        self.news.notify_all()
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            if ear in self.ears:
                self.ears.remove(ear)
        return socket


def _page(found: Iterable[Json], asked: Json) -> list[Json]:
    since = asked.get("sinceId")
    if since is not None:
        return sorted((n for n in found if n["id"] > since), key=lambda n: n["id"])[: asked["limit"]]
    return sorted(found, key=lambda n: n["id"], reverse=True)[: asked["limit"]]


def _is_meant(user: Json, asked: Json) -> bool:
    if "userId" in asked:
        return bool(user["id"] == asked["userId"])
    return user["host"] is None and bool(user["username"].lower() == asked["username"].lower())


def _obey(ear: Ear, said: Json) -> None:
    body = said["body"]
    if said["type"] == "connect" and body["channel"] == "hashtag":
        ((ear.channels[body["id"]],),) = body["params"]["q"]
    elif said["type"] == "disconnect":
        ear.channels.pop(body["id"], None)


async def _write(socket: web.WebSocketResponse, waiting: asyncio.Queue[str]) -> None:
    while True:
        await socket.send_str(await waiting.get())


@asynccontextmanager
async def run() -> AsyncIterator[Misskey]:
    """The server on a free port of 127.0.0.1, until the block ends."""
    stage = Misskey()
    async with TestServer(stage.app(), host="127.0.0.1") as server:
        stage.base = f"http://127.0.0.1:{server.port}"
        yield stage
