"""A WebSub hub on loopback: takes subscriptions, asks back, and tells of news, honestly or not."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlencode

import aiohttp
from aiohttp import web


@dataclass
class Asked:
    """What a subscriber wanted, and what came of it."""

    form: dict[str, str]
    verified: bool = False

    @property
    def topic(self) -> str:
        return self.form["hub.topic"]

    @property
    def callback(self) -> str:
        return self.form["hub.callback"]


@dataclass
class HubServer:
    lease: int = 864_000
    status: int = 202
    """What a request is answered."""
    asks_back: bool = True
    asked: list[Asked] = field(default_factory=list)
    """Oldest first."""
    came: asyncio.Event = field(default_factory=asyncio.Event)
    """A request was answered, and its subscriber asked back."""
    url: str = ""

    async def __aenter__(self) -> HubServer:
        app = web.Application()
        app.router.add_post("/", self._subscribe)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        self._client = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()
        await self._runner.cleanup()

    async def _subscribe(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(asked := Asked(form))
        if 200 <= self.status < 300 and self.asks_back:
            asked.verified = await self.verify(asked)
        self.came.set()
        return web.Response(status=self.status)

    async def verify(self, asked: Asked, **changes: str) -> bool:
        """Ask the subscriber whether it meant it; whether it says so in the right words."""
        challenge = secrets.token_hex(8)
        status, text = await self.get(
            asked.callback,
            **{"mode": "subscribe", "topic": asked.topic, "challenge": challenge, "lease_seconds": str(self.lease)}
            | changes,
        )
        return (status, text) == (200, challenge)

    async def get(self, callback: str, **query: str) -> tuple[int, str]:
        """Say something to a callback by GET; what it answers."""
        said = urlencode({f"hub.{name}": value for name, value in query.items()})
        async with self._client.get(f"{callback}?{said}") as answer:
            return answer.status, await answer.text()

    async def tell(self, asked: Asked, body: bytes = b"<feed/>", *, algorithm: str = "sha256", secret: str = "") -> int:
        """Tell of news, signed with the subscriber's secret or another one; no algorithm: not signed."""
        headers = {"Link": f'<{self.url}>; rel="hub"', "Content-Type": "application/atom+xml"}
        if algorithm:
            signature = hmac.new((secret or asked.form["hub.secret"]).encode(), body, algorithm).hexdigest()
            headers["X-Hub-Signature"] = f"{algorithm}={signature}"
        async with self._client.post(asked.callback, data=body, headers=headers) as answer:
            return answer.status
