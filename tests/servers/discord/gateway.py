"""The gateway: a real websocket with HELLO, IDENTIFY, RESUME and replay, compressed as the client asks."""

from __future__ import annotations

import asyncio
import json
import secrets
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.servers.discord.things import Guild, Json
from tests.servers.discord.world import CONTENT, GUILDS, World

_PRIVILEGED = 1 << 1 | 1 << 8 | CONTENT
_KEPT = 1000


@dataclass(eq=False)
class Line:
    """One websocket: what waits to be sent, and how it is packed."""

    socket: web.WebSocketResponse
    packer: Any
    waiting: asyncio.Queue[Json | None] = field(default_factory=asyncio.Queue)

    def put(self, payload: Json) -> None:
        self.waiting.put_nowait(payload)

    async def write(self) -> None:
        """Send in order what was put, until the socket closes."""
        while (payload := await self.waiting.get()) is not None:
            text = json.dumps(payload)
            try:
                await self._send(text)
            except ConnectionError:
                return

    async def _send(self, text: str) -> None:
        if self.packer is None:
            await self.socket.send_str(text)
        else:
            await self.socket.send_bytes(self.packer.compress(text.encode()) + self.packer.flush(zlib.Z_SYNC_FLUSH))


@dataclass(eq=False)
class Session:
    """What an IDENTIFY opened; it outlives its socket until it is forgotten."""

    id: str
    intents: int
    shard: tuple[int, int]
    line: Line | None
    seq: int = 0
    sent: deque[Json] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def hears(self, guild: Guild, intent: int) -> bool:
        return bool(intent == 0 or self.intents & intent) and (int(guild.id) >> 22) % self.shard[1] == self.shard[0]

    def dispatch(self, event: str, data: Json) -> None:
        """Number it, keep it for a RESUME, send it where there is a socket."""
        self.seq += 1
        payload = {"op": 0, "t": event, "s": self.seq, "d": data}
        self.sent.append(payload)
        if self.line:
            self.line.put(payload)


class Gateway:
    """All sessions of the one bot."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.url = ""
        self.heartbeat = 41.25
        self.silent = False
        self.identifies = 0
        self.resumes = 0
        self.sessions: dict[str, Session] = {}
        self.lines: set[Line] = set()

    @property
    def connected(self) -> list[Session]:
        return [session for session in self.sessions.values() if session.line]

    def tell(self, event: str, data: Json, guild: Guild, intent: int) -> None:
        """To each session that hears of this guild and has the intent (0: needs none)."""
        for session in self.sessions.values():
            if session.hears(guild, intent):
                session.dispatch(event, json.loads(json.dumps(data)))  # the world goes on changing what it told

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """One connection, from HELLO to its close."""
        websocket = web.WebSocketResponse(timeout=1.0)
        await websocket.prepare(request)
        packer = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        line = Line(websocket, packer)
        self.lines.add(line)
        writer = asyncio.create_task(line.write())
        line.put({"op": 10, "s": None, "t": None, "d": {"heartbeat_interval": int(self.heartbeat * 1000)}})
        try:
            await self._listen(line)
        finally:
            self._forget_line(line)
            line.waiting.put_nowait(None)
            await writer
        return websocket

    async def _listen(self, line: Line) -> None:
        async for message in line.socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            code = self._receive(line, json.loads(message.data))
            if code:
                await line.socket.close(code=code)

    def _forget_line(self, line: Line) -> None:
        self.lines.discard(line)
        for session in self.sessions.values():
            if session.line is line:
                session.line = None
        self.world.changed()

    def _receive(self, line: Line, payload: Json) -> int:
        """Do what the client asks; the code to close with, or 0."""
        data = payload.get("d")
        match payload.get("op"):
            case 1:
                if not self.silent:
                    line.put({"op": 11, "s": None, "t": None, "d": None})
                return 0
            case 2:
                return self._identify(line, data or {})
            case 6:
                return self._resume(line, data or {})
            case 3 | 4 | 8:
                return 0
        return 4001

    def _refused(self, data: Json) -> int:
        token = str(data.get("token", "")).removeprefix("Bot ")
        return 0 if token == self.world.token and not self.world.revoked else 4004

    def _identify(self, line: Line, data: Json) -> int:
        self.identifies += 1
        if any(session.line is line for session in self.sessions.values()):
            return 4005
        refused = self._refused(data) or (4014 if data.get("intents", 0) & _PRIVILEGED else 0)
        if refused:
            return refused
        first, total = data.get("shard") or (0, 1)
        session = Session(secrets.token_hex(16), data.get("intents", 0), (first, total), line)
        self.sessions[session.id] = session
        self._welcome(session)
        self.world.changed()
        return 0

    def _welcome(self, session: Session) -> None:
        mine = [guild for guild in self.world.guilds.values() if session.hears(guild, 0) and not guild.left]
        ready: Json = {"v": 10, "user": {**self.world.bot.json, "verified": True, "mfa_enabled": True, "email": None}}
        ready |= {"guilds": [{"id": guild.id, "unavailable": True} for guild in mine], "session_id": session.id}
        ready |= {
            "resume_gateway_url": f"{self.url}/resume",
            "application": {"id": self.world.application_id, "flags": 0},
        }
        ready |= {"shard": list(session.shard), "session_type": "normal", "private_channels": [], "relationships": []}
        session.dispatch("READY", ready)
        for guild in mine:
            if session.intents & GUILDS and not guild.away:
                session.dispatch("GUILD_CREATE", guild.created)

    def _resume(self, line: Line, data: Json) -> int:
        refused = self._refused(data)
        if refused:
            return refused
        session, seq = self.sessions.get(str(data.get("session_id"))), int(data.get("seq") or 0)
        if session is None or seq > session.seq:
            line.put({"op": 9, "s": None, "t": None, "d": False})
            return 0
        self.resumes += 1
        session.line = line
        for payload in [one for one in session.sent if one["s"] > seq]:
            line.put(payload)
        session.dispatch("RESUMED", {"_trace": []})
        self.world.changed()
        return 0

    def forget(self) -> None:
        """No session can be resumed any more."""
        for session in self.sessions.values():
            session.line = None
        self.sessions.clear()

    async def drop(self, code: int) -> None:
        """Close all sockets with this code."""
        lines = list(self.lines)
        await asyncio.gather(*(line.socket.close(code=code) for line in lines))
        for line in lines:
            self._forget_line(line)

    def reconnect(self) -> None:
        """Ask all clients to come again."""
        for line in self.lines:
            line.put({"op": 7, "s": None, "t": None, "d": None})
