"""The loopback Discord itself: the world, its HTTP door and its gateway on one port of 127.0.0.1."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.servers.discord import application, channels, hooks
from tests.servers.discord.faults import fits
from tests.servers.discord.gateway import Gateway, Session
from tests.servers.discord.people import People
from tests.servers.discord.rest import PREFIX, Request, Rest
from tests.servers.discord.things import Guild, Json
from tests.servers.discord.world import GUILDS


class DiscordServer(People):
    """A Discord for tests: strict where Discord is, and everything in it can be seen and changed."""

    def __init__(self, *, window: float = 1.0, nonce_ttl: float = 300.0, shards: int = 1, port: int = 0) -> None:
        self.gateway: Gateway | None = None
        super().__init__(window=window, nonce_ttl=nonce_ttl)
        self.shards = shards
        self.gateway = Gateway(self)
        self.rest = Rest(self, [*channels.routes.all, *hooks.routes.all, *application.routes.all])
        self.gateway_url = ""
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
        app = web.Application(client_max_size=30 << 20)
        app.router.add_get("/gateway{rest:.*}", self.line.handle)
        app.router.add_get("/_test/counts", self._counts)
        app.router.add_route("*", PREFIX + "/{rest:.*}", self.rest.handle)
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.api_url = f"http://127.0.0.1:{self._port}{PREFIX}"
        self.gateway_url = self.line.url = f"ws://127.0.0.1:{self._port}/gateway"

    async def stop(self) -> None:
        """Nobody is there any more; connections are refused."""
        await self.line.drop(1001)
        if self._runner:
            await self._runner.cleanup()

    @property
    def line(self) -> Gateway:
        assert self.gateway is not None
        return self.gateway

    def tell(self, event: str, data: Json, guild: Guild, intent: int = GUILDS) -> None:
        """To the gateway's sessions, where they hear of it."""
        if self.gateway is not None and (not guild.left or event == "GUILD_DELETE"):
            self.gateway.tell(event, data, guild, intent)
        self.changed()

    # --- what was asked ---

    @property
    def requests(self) -> list[Request]:
        return self.rest.requests

    def asked(self, route: str) -> list[Request]:
        """The requests for such a route, as faults name it."""
        return [one for one in self.rest.requests if fits(route, one.method, one.path)]

    @property
    def too_many(self) -> int:
        return self.rest.too_many

    @property
    def invalid(self) -> int:
        return self.rest.invalid

    @property
    def identifies(self) -> int:
        return self.line.identifies

    @property
    def resumes(self) -> int:
        return self.line.resumes

    @property
    def sessions(self) -> list[Session]:
        return self.line.connected

    @property
    def window(self) -> float:
        return self.buckets.window

    @window.setter
    def window(self, value: float) -> None:
        self.buckets.window = value

    # --- what befalls the gateway ---

    async def ready(self, sessions: int = 1, seconds: float = 10) -> None:
        try:
            await self.wait_until(lambda: len(self.sessions) >= sessions, seconds)
        except AssertionError:
            raise AssertionError(f"of {sessions} sessions {len(self.sessions)} came within {seconds:g} s") from None

    async def drop_gateway(self, *, resume: bool = True, code: int = 4000) -> None:
        """All sockets close; without ``resume`` the sessions are forgotten too."""
        if not resume:
            self.line.forget()
        await self.line.drop(code)

    async def reconnect(self) -> None:
        """Discord asks its clients to connect anew."""
        self.line.reconnect()

    def silence(self, on: bool = True) -> None:  # noqa: FBT002  # a switch of the test, read as one
        """No heartbeat is acknowledged while this is on."""
        self.line.silent = on

    def revoke_token(self) -> None:
        """The token is worth nothing from now on."""
        self.revoked = True

    async def _counts(self, _request: web.Request) -> web.Response:
        told: dict[str, Any] = {"requests": len(self.requests), "too_many": self.too_many, "invalid": self.invalid}
        told["identifies"] = self.identifies
        told["messages"] = {channel.id: len(channel.messages) for channel in self.channels.values()}
        return web.json_response(told)
