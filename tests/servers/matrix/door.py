"""The HTTP door: who asks, what is to go wrong; then the operation, and an answer as Synapse has it."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.servers.matrix.faults import Drop, Effect, Garbage, Limited, Refuse, Slow, Status
from tests.servers.matrix.refusal import Json, Refusal, bad, limited
from tests.servers.matrix.world import World

CLIENT = "/_matrix/client/v3"
_PAGE = "<html><body><h1>Bad gateway</h1></body></html>"


@dataclass
class Request:
    """One call as it came, and the status that it got (0: none)."""

    operation: str
    method: str
    path: str
    params: dict[str, str]
    query: dict[str, str]
    headers: Mapping[str, str]
    raw: bytes = b""
    user: str = ""
    device: str = ""
    status: int = 0
    result: Any = None
    at: float = field(default_factory=time.monotonic)

    @property
    def room(self) -> str:
        return self.params.get("room", "")

    @property
    def body(self) -> Any:
        """The JSON in it; None where there is none."""
        try:
            return json.loads(self.raw)
        except ValueError:
            return None

    @property
    def txn(self) -> str:
        return self.params.get("txn", "")

    def json(self, *, empty: bool = False) -> Json:
        """The object in it, or a refusal."""
        if empty and not self.raw:
            return {}
        try:
            found = json.loads(self.raw, parse_constant=_no_number)
        except ValueError:
            raise bad("Content not JSON.", "M_NOT_JSON") from None
        if not isinstance(found, dict):
            raise bad("Content must be a JSON object.", "M_BAD_JSON")
        return found


def _no_number(name: str) -> None:
    raise ValueError(name)


Operation = Callable[[Any, Request], Any]


@dataclass
class Operations:
    """The table of operations: by which method and path they are asked, and whether by anybody."""

    all: list[tuple[str, str, Operation, bool]] = field(default_factory=list)

    def __call__(self, method: str, *paths: str, public: bool = False) -> Callable[[Operation], Operation]:
        """Enter an operation under its function's name."""

        def enter(operation: Operation) -> Operation:
            self.all += [(method, path, operation, public) for path in paths]
            return operation

        return enter


class Door:
    """Answers calls from the world."""

    def __init__(self, world: World, *tables: Operations) -> None:
        self.world = world
        self.entries = [entry for table in tables for entry in table.all]
        self.requests: list[Request] = []

    def routes(self) -> list[web.RouteDef]:
        made = [web.route(method, path, self._handler(one, public=open_)) for method, path, one, open_ in self.entries]
        return [*made, web.route("*", "/{anything:.*}", self._handler(_unrecognized, public=True))]

    def _handler(self, operation: Operation, *, public: bool) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            asked = await _read(request, operation.__name__.strip("_"))
            self.requests.append(asked)
            return await self._handle(request, asked, operation, public=public)

        return handle

    async def _handle(
        self, request: web.Request, asked: Request, operation: Operation, *, public: bool
    ) -> web.StreamResponse:
        effect = self.world.faults.take(asked.operation, self._room(asked))
        if effect == Drop(committed=False):
            self.world.changed()
            return _dropped(request, hard=True)
        answer = await self._answer(asked, operation, effect, public=public)
        self.world.changed()
        if isinstance(effect, Slow):
            await asyncio.sleep(effect.seconds)
        if isinstance(effect, Drop):
            return _dropped(request, hard=False)
        asked.status = answer.status
        self.world.changed()
        return answer

    def _room(self, asked: Request) -> str:
        return self.world.aliases.get(asked.room, asked.room)

    async def _answer(
        self, asked: Request, operation: Operation, effect: Effect | None, *, public: bool
    ) -> web.StreamResponse:
        try:
            if isinstance(effect, Garbage):
                return web.Response(status=effect.status, text=_PAGE, content_type="text/html")
            if isinstance(effect, Status) and not effect.committed:
                return web.Response(status=effect.status, text="of the test")
            _refuse_planned(effect)
            if not public:
                self._recognize(asked)
            found = operation(self.world, asked)
            asked.result = await found if inspect.isawaitable(found) else found
        except Refusal as refusal:
            if refusal.status == 429 and effect is None:
                await asyncio.sleep(self.world.hold)
            asked.result = refusal.body
            return web.json_response(refusal.body, status=refusal.status, headers=refusal.headers)
        if isinstance(effect, Status):
            return web.Response(status=effect.status, text="of the test")
        return asked.result if isinstance(asked.result, web.Response) else web.json_response(asked.result)

    def _recognize(self, asked: Request) -> None:
        scheme, _, token = asked.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise Refusal(401, "M_MISSING_TOKEN", "Missing access token")
        if token not in self.world.tokens:
            raise Refusal(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.", soft_logout=False)
        asked.user, asked.device = self.world.tokens[token]


def _unrecognized(_world: World, _asked: Request) -> Json:
    raise Refusal(404, "M_UNRECOGNIZED", "Unrecognized request")


def _refuse_planned(effect: Effect | None) -> None:
    if isinstance(effect, Limited):
        raise limited(effect.seconds, effect.told)
    if isinstance(effect, Refuse):
        raise Refusal(effect.status, effect.errcode, effect.error)


async def _read(request: web.Request, operation: str) -> Request:
    raw = await request.read()
    params = dict(request.match_info)
    return Request(operation, request.method, request.path, params, dict(request.query), request.headers, raw)


def _dropped(request: web.Request, *, hard: bool) -> web.Response:
    """The connection is gone; ``hard`` as a reset."""
    transport = request.transport
    if transport is not None:
        if hard:
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
