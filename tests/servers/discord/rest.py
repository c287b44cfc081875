"""The HTTP door: who asks, what is to go wrong, which bucket; then the operation, and an answer as Discord has it."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.servers.discord.buckets import TooMany
from tests.servers.discord.faults import Drop, Effect, Global, Shared, Slow, Status
from tests.servers.discord.refusal import Refusal, invalid
from tests.servers.discord.things import Json
from tests.servers.discord.world import World

PREFIX = "/api/v10"
_HIDDEN = {"authorization", "cookie"}


@dataclass
class Request:
    """One request as it came, and the status that it got (0: none)."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: Mapping[str, str]
    at: float = field(default_factory=time.monotonic)
    status: int = 0
    files: list[Json] = field(default_factory=list)
    authorization: str = field(default="", repr=False)

    @property
    def whole(self) -> Any:
        """The body, with the files that came beside it."""
        return {**self.body, "attachments": self.files} if self.files else self.body


@dataclass(frozen=True)
class Ask:
    """What an operation gets: the ids in the path, the query, the body."""

    ids: tuple[str, ...]
    query: Mapping[str, str]
    body: Any

    @property
    def fields(self) -> Json:
        """The body, which must be an object."""
        if not isinstance(self.body, dict):
            raise Refusal(400, 50109, "The request body contains invalid JSON.")
        return self.body


Answer = tuple[int, Any]
Operation = Callable[[Any, Ask], Answer]


@dataclass(frozen=True)
class Route:
    method: str
    shape: re.Pattern[str]
    operation: Operation
    bucket: str
    bot: bool
    """It needs the bot's token, and counts for the bot's 50 a second."""

    def resource(self, ids: tuple[str, ...]) -> str:
        """What has a bucket of its own: the channel, the guild, the webhook with its token."""
        return "/".join(ids[: 1 if self.bot else 2])


class Routes:
    """The table of operations."""

    def __init__(self) -> None:
        self.all: list[Route] = []

    def __call__(
        self, method: str, path: str, *, bucket: str = "other", bot: bool = True
    ) -> Callable[[Operation], Operation]:
        """Enter the decorated operation under this path, ``*`` being an id."""
        shape = re.compile("^" + path.replace("*", "([^/]+)") + "$")

        def enter(operation: Operation) -> Operation:
            self.all.append(Route(method, shape, operation, bucket, bot))
            return operation

        return enter


class Rest:
    """Answers requests from the world; counts what Discord counts."""

    def __init__(self, world: World, routes: list[Route]) -> None:
        self.world = world
        self.routes = routes
        self.requests: list[Request] = []
        self.too_many = 0
        self.invalid = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request from beginning to end."""
        asked = await _read(request)
        self.requests.append(asked)
        effect = self.world.faults.take(asked.method, asked.path)
        if isinstance(effect, Drop) and not effect.committed:
            self.world.changed()
            return _dropped(request, hard=True)
        if isinstance(effect, Slow):
            await asyncio.sleep(effect.seconds)
        status, body, headers = self._answer(asked, effect)
        if isinstance(effect, Drop):
            self.world.changed()
            return _dropped(request, hard=False)
        self._count(asked, status, headers)
        return _response(status, body, headers)

    def _answer(self, asked: Request, effect: Effect | None) -> tuple[int, Any, dict[str, str]]:
        found = self._find(asked)
        if found is None:
            return 404, {"message": "404: Not Found", "code": 0}, {}
        route, ids = found
        if route.bot and (asked.authorization != f"Bot {self.world.token}" or self.world.revoked):
            return 401, {"message": "401: Unauthorized", "code": 0}, {}
        many = self._planned_limit(effect) or self._take(route, ids)
        limits = self.world.buckets.headers(route.bucket, route.resource(ids))
        if many:
            return 429, many.body, {**({} if many.scope == "global" else limits), **many.headers}
        if isinstance(effect, Status) and not effect.committed:
            return effect.status, _status_body(effect.status), limits
        status, body = self._operate(route, Ask(ids, asked.query, asked.whole))
        if isinstance(effect, Status):
            return effect.status, _status_body(effect.status), limits
        return status, body, limits

    def _find(self, asked: Request) -> tuple[Route, tuple[str, ...]] | None:
        for route in self.routes:
            match = route.shape.match(asked.path) if route.method == asked.method else None
            if match:
                return route, match.groups()
        return None

    def _take(self, route: Route, ids: tuple[str, ...]) -> TooMany | None:
        return self.world.buckets.take(route.bucket, route.resource(ids), counts_overall=route.bot)

    def _planned_limit(self, effect: Effect | None) -> TooMany | None:
        if isinstance(effect, Global):
            self.world.buckets.block(effect.seconds)
            return TooMany(effect.seconds, "global")
        return TooMany(effect.seconds, "shared") if isinstance(effect, Shared) else None

    def _operate(self, route: Route, ask: Ask) -> Answer:
        try:
            _refuse_addresses(self.world.bad_urls, ask.body)
            return route.operation(self.world, ask)
        except Refusal as refusal:
            return refusal.status, refusal.body

    def _count(self, asked: Request, status: int, headers: Mapping[str, str]) -> None:
        asked.status = status
        self.too_many += status == 429
        shared = headers.get("X-RateLimit-Scope") == "shared"
        self.invalid += status in (401, 403, 429) and not shared
        self.world.changed()


def _refuse_addresses(bad: set[str], body: Any, where: str = "") -> None:
    """Whatever field has one of these for its value; within a text they are words."""
    if isinstance(body, str) and body in bad:
        raise invalid(where.strip("."), "Not a well formed URL.", "URL_TYPE_INVALID_URL")
    if isinstance(body, dict):
        for key, one in body.items():
            _refuse_addresses(bad, one, f"{where}.{key}")
    if isinstance(body, list):
        for number, one in enumerate(body):
            _refuse_addresses(bad, one, f"{where}.{number}")


async def _read(request: web.Request) -> Request:
    headers = {key: value for key, value in request.headers.items() if key.lower() not in _HIDDEN}
    path = request.rel_url.raw_path.removeprefix(PREFIX).replace("%40", "@")
    authorization = request.headers.get("Authorization", "")
    asked = Request(request.method, path, dict(request.query), None, headers, authorization=authorization)
    if request.content_type == "multipart/form-data":
        parts = await request.post()
        asked.body = json.loads(str(parts.get("payload_json", "{}")))
        found = [part for part in parts.values() if isinstance(part, web.FileField)]
        asked.files = [_attachment(number, part) for number, part in enumerate(found)]
    else:
        asked.body = await _body(request)
    return asked


async def _body(request: web.Request) -> Any:
    raw = await request.read()
    if not raw or request.content_type != "application/json":
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _attachment(number: int, part: web.FileField) -> Json:
    url = f"https://cdn.ayllu.example/{number}/{part.filename}"
    size = len(part.file.read())
    return {"id": str(number), "filename": part.filename, "size": size, "url": url, "proxy_url": url}


def _status_body(status: int) -> Json:
    return {"message": f"{status}: of the test's making", "code": 0}


def _response(status: int, body: Any, headers: Mapping[str, str]) -> web.Response:
    if status == 204:
        return web.Response(status=204, headers=headers)
    # discord.py reads JSON only where the type stands there without a charset
    return web.Response(
        status=status, body=json.dumps(body).encode(), headers={**headers, "Content-Type": "application/json"}
    )


def _dropped(request: web.Request, *, hard: bool) -> web.Response:
    """The connection is gone; ``hard`` as a reset."""
    transport = request.transport
    if transport is not None:
        if hard:
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
