"""The loopback homeserver itself: the world and its HTTP door on one port of 127.0.0.1."""

from __future__ import annotations

from fnmatch import fnmatchcase
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.servers.matrix import account, reading, sending, syncing
from tests.servers.matrix.door import Door, Request
from tests.servers.matrix.people import People


class MatrixServer(People):
    """A homeserver for tests: strict where Synapse is, and everything in it can be seen and changed."""

    def __init__(self, *, port: int = 0, **world: Any) -> None:
        super().__init__(**world)
        self.url = ""
        self.door = Door(self, account.operations, sending.operations, reading.operations, syncing.operations)
        self._port = port
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after a ``stop`` at the same port, with the world as it was."""
        app = web.Application(client_max_size=200 << 20)
        app.router.add_get("/_test/counts", self._counts)
        app.router.add_get("/_test/sent/{room}", self._sent)
        app.router.add_routes(self.door.routes())
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Nobody is there any more; connections are refused."""
        if self._runner:
            await self._runner.cleanup()

    # --- what was asked ---

    @property
    def requests(self) -> list[Request]:
        return self.door.requests

    def asked(self, operation: str) -> list[Request]:
        """The calls of this operation; ``*_state`` is many of them."""
        return [one for one in self.requests if fnmatchcase(one.operation, operation)]

    @property
    def refused(self) -> list[Request]:
        """What we should not have asked."""
        return [one for one in self.requests if 400 <= one.status < 500 and one.status != 429]

    @property
    def too_many(self) -> int:
        return self.buckets.too_many + self.join_buckets.too_many

    # --- what other processes ask in tests ---

    async def _counts(self, _request: web.Request) -> web.Response:
        told: dict[str, Any] = {"requests": len(self.requests), "too_many": self.too_many, "faulty": self.faulty}
        told |= {"refused": len(self.refused), "polls": len(self.asked("sync"))}
        told["messages"] = {room.id: len(self.sent(room)) for room in self.rooms.values()}
        return web.json_response(told)

    async def _sent(self, request: web.Request) -> web.Response:
        return web.json_response(self.sent(request.match_info["room"]))
