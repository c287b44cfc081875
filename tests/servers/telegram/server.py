"""The loopback Bot API itself: the world and its HTTP door on one port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.servers.telegram import about, editing, sending
from tests.servers.telegram.calls import Door, Request
from tests.servers.telegram.people import People
from tests.servers.telegram.refusal import Json


class TelegramServer(People):
    """A Bot API for tests: strict where Telegram is, and everything in it can be seen and changed."""

    def __init__(self, *, window: float = 1.0, port: int = 0) -> None:
        super().__init__(window=window)
        self.api_url = ""
        self.door = Door(self, sending.operations, editing.operations, about.operations)
        self._port = port
        self._runner: web.AppRunner | None = None
        self._delivering: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after a ``stop`` at the same port, with the world as it was."""
        app = web.Application(client_max_size=60 << 20)
        app.router.add_get("/_test/counts", self._counts)
        app.router.add_get("/file/bot{token}/{path:.*}", self._file)
        app.router.add_route("*", "/bot{token}/{method}", self.door.handle)
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.api_url = f"http://127.0.0.1:{self._port}"
        self.updates.open()
        self._delivering = asyncio.create_task(self.updates.deliver())

    async def stop(self) -> None:
        """Nobody is there any more; connections are refused."""
        self.updates.close()
        if self._delivering:
            self._delivering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._delivering
        if self._runner:
            await self._runner.cleanup()

    # --- what was asked ---

    @property
    def requests(self) -> list[Request]:
        return self.door.requests

    def asked(self, method: str) -> list[Request]:
        """The calls of this method; ``send*`` is many of them."""
        return [one for one in self.requests if fnmatchcase(one.method, method)]

    @property
    def refused(self) -> list[Request]:
        """What we should not have asked."""
        usual = (("getUpdates", 409),)
        found = [one for one in self.requests if 400 <= one.status < 500 and one.status != 429]
        return [one for one in found if (one.method, one.status) not in usual]

    @property
    def too_many(self) -> int:
        return self.buckets.too_many

    @property
    def window(self) -> float:
        return self.buckets.window

    @window.setter
    def window(self, value: float) -> None:
        self.buckets.window = value

    @property
    def whole_seconds(self) -> bool:
        return self.buckets.whole_seconds

    @whole_seconds.setter
    def whole_seconds(self, value: bool) -> None:
        self.buckets.whole_seconds = value

    @property
    def webhook(self) -> Json | None:
        return self.updates.webhook

    @property
    def deliver_to(self) -> str | None:
        return self.updates.deliver_to

    @deliver_to.setter
    def deliver_to(self, origin: str | None) -> None:
        self.updates.deliver_to = origin

    async def _counts(self, _request: web.Request) -> web.Response:
        told: dict[str, Any] = {"requests": len(self.requests), "too_many": self.too_many}
        told |= {"refused": len(self.refused), "polls": self.updates.polls}
        told["messages"] = {str(chat.id): len(chat.ours) for chat in self.chats.values()}
        return web.json_response(told)

    async def _file(self, request: web.Request) -> web.Response:
        known = request.match_info["token"] == self.token
        return web.Response(body=b"a file") if known else web.Response(status=404)
