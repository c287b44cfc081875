"""The HTTP door: method, parameters, what is to go wrong; then the operation, and an answer as Telegram has it."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.servers.telegram import messages, parameters
from tests.servers.telegram.buckets import flood
from tests.servers.telegram.faults import Drop, Effect, Flood, Refuse, Slow, Status
from tests.servers.telegram.refusal import Json, Refusal
from tests.servers.telegram.world import World


@dataclass
class Call:
    """What an operation gets."""

    params: Json
    files: set[str]
    field: str = ""
    """The parameter under which an upload without a name of its own lies."""


@dataclass
class Request:
    """One call as it came, and the status that it got (0: none)."""

    method: str
    params: Json
    files: list[str] = field(default_factory=list)
    status: int = 0
    description: str = ""
    result: Any = None
    at: float = field(default_factory=time.monotonic)


Operation = Callable[[Any, Call], Any]


class Operations:
    """The table of operations, by the lower case of their method."""

    def __init__(self) -> None:
        self.all: dict[str, Operation] = {}

    def __call__(self, operation: Operation) -> Operation:
        """Enter ``send_message`` as sendMessage."""
        self.all[operation.__name__.replace("_", "")] = operation
        return operation


class Door:
    """Answers calls from the world."""

    def __init__(self, world: World, *tables: Operations) -> None:
        self.world = world
        self.operations = {name: one for table in tables for name, one in table.all.items()}
        self.requests: list[Request] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One call from beginning to end."""
        asked = await _read(request)
        self.requests.append(asked)
        effect = self._effect(asked)
        if effect == Drop(committed=False):
            self.world.changed()
            return _dropped(request, hard=True)
        answer = await self._answer(request.match_info["token"], asked, effect)
        self.world.changed()
        if isinstance(effect, Slow):
            await asyncio.sleep(effect.seconds)
        if isinstance(effect, Drop):
            return _dropped(request, hard=False)
        asked.status = answer.status
        self.world.changed()
        return answer

    def _effect(self, asked: Request) -> Effect | None:
        key = asked.params.get("chat_id")
        found = next((one for one in self.world.chats.values() if one.username and f"@{one.username}" == key), None)
        return self.world.faults.take(asked.method, found.id if found else key if isinstance(key, int) else None)

    async def _answer(self, token: str, asked: Request, effect: Effect | None) -> web.Response:
        try:
            self._refuse_stranger(token)
            _refuse_planned(effect)
            asked.result = messages.shown(await self._operate(asked))
        except Refusal as refusal:
            asked.description = refusal.description
            return _response(refusal.status, refusal.body)
        except _Broken as broken:
            return _response(broken.status, {"ok": False, "error_code": broken.status, "description": "of the test"})
        if isinstance(effect, Status):
            return _response(effect.status, {"ok": False, "error_code": effect.status, "description": "of the test"})
        return _response(200, {"ok": True, "result": asked.result})

    def _refuse_stranger(self, token: str) -> None:
        if ":" not in token:
            raise Refusal(404, "Not Found")
        if token != self.world.token or self.world.revoked:
            raise Refusal(401, "Unauthorized")

    async def _operate(self, asked: Request) -> Any:
        operation = self.operations.get(asked.method.lower())
        uses_rich = asked.method == "sendRichMessage" or "rich_message" in asked.params
        if operation is None or (uses_rich and not self.world.rich):
            raise Refusal(404, "Not Found: method not found")
        parameters.check(asked.method, asked.params, set(asked.files))
        found = operation(self.world, Call(asked.params, set(asked.files)))
        return await found if inspect.isawaitable(found) else found


class _Broken(Exception):  # noqa: N818  # a planned answer, no error of ours
    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


def _refuse_planned(effect: Effect | None) -> None:
    if isinstance(effect, Flood):
        raise flood(effect.retry_after)
    if isinstance(effect, Refuse):
        raise Refusal(effect.status, effect.description)
    if isinstance(effect, Status) and not effect.committed:
        raise _Broken(effect.status)


async def _read(request: web.Request) -> Request:
    given = request.match_info["method"]
    method = parameters.method_named(given) or given
    raw: Json = dict(request.query)
    files: list[str] = []
    if request.content_type == "application/json":
        raw |= json.loads(await request.read() or b"{}")
    else:
        for name, part in (await request.post()).items():
            if isinstance(part, web.FileField):
                files.append(name)
            else:
                raw[name] = part
    return Request(method, parameters.decoded(method, raw), files)


def _response(status: int, body: Json) -> web.Response:
    headers = {"Content-Type": "application/json"}
    retry = body.get("parameters", {}).get("retry_after")
    if retry:
        headers["Retry-After"] = str(int(retry) or 1)
    return web.Response(status=status, body=json.dumps(body).encode(), headers=headers)


def _dropped(request: web.Request, *, hard: bool) -> web.Response:
    """The connection is gone; ``hard`` as a reset."""
    transport = request.transport
    if transport is not None:
        if hard:
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
