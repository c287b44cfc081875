"""Feeds of all bad kinds beside some good ones, at one address: who was asked when."""

from __future__ import annotations

import asyncio
import gzip
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from itertools import pairwise
from types import TracebackType

from aiohttp import web

from tests.support.hostile_documents import FEEDS

KINDS = ("hang", "drip", "endless", "bomb", "tangle", "tags", "reset", "circle", "silent")
GOOD = 3


@cache
def bomb() -> bytes:
    """A hundred megabytes of nothing, packed."""
    return gzip.compress(bytes(100_000_000), 6)


@cache
def tangle() -> bytes:
    """An author's name in which feedparser looks for an e-mail address: longer than any document may take."""
    return b"<rss version='2.0'><channel><item><author>" + b"a" * 300_000 + b"</author></item></channel></rss>"


@cache
def tags() -> bytes:
    return FEEDS["nested elements"](900_000)


class BadNeighbours:
    """``/KIND/N.xml`` of each of :data:`KINDS`, and ``/good/N.xml``, which says something new each time."""

    def __init__(self, each: int = 4) -> None:
        self.bad = [f"/{kind}/{number}.xml" for kind in KINDS for number in range(each)]
        self.good = [f"/good/{number}.xml" for number in range(GOOD)]
        self.asked: dict[str, list[float]] = defaultdict(list)
        """By path, the moments at which it was asked for, in seconds by the loop's clock."""
        self._stopped = asyncio.Event()
        self._answers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
            "good": self._fresh,
            "hang": self._hang,
            "drip": self._drip,
            "endless": self._endless,
            "reset": self._reset,
            "circle": self._circle,
            "silent": self._silent,
            "bomb": self._sent(bomb, {"Content-Encoding": "gzip"}),
            "tangle": self._sent(tangle),
            "tags": self._sent(tags),
        }

    async def __aenter__(self) -> BadNeighbours:
        app = web.Application()
        app.router.add_get("/{kind}/{name}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        await self._runner.cleanup()

    def longest_gap(self, path: str, until: float) -> float:
        """Seconds between two requests for it, or from the last one until then."""
        moments = [*self.asked[path], until]
        return max((later - earlier for earlier, later in pairwise(moments)), default=until)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.path].append(asyncio.get_running_loop().time())
        return await self._answers[request.match_info["kind"]](request)

    async def _fresh(self, request: web.Request) -> web.StreamResponse:
        number = len(self.asked[request.path])
        item = f"<item><guid>{request.path}-{number}</guid><title>Number {number}</title></item>"
        text = f"<rss version='2.0'><channel><title>Good</title>{item}</channel></rss>"
        return web.Response(text=text, content_type="application/rss+xml")

    def _sent(
        self, body: Callable[[], bytes], headers: dict[str, str] | None = None
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def send(_: web.Request) -> web.StreamResponse:
            return web.Response(body=body(), headers={"Content-Type": "application/rss+xml", **(headers or {})})

        return send

    async def _hang(self, _: web.Request) -> web.StreamResponse:
        await self._stopped.wait()
        return web.Response()

    async def _silent(self, request: web.Request) -> web.StreamResponse:
        """Headers, and then nothing."""
        response = web.StreamResponse(headers={"Content-Type": "application/rss+xml"})
        await response.prepare(request)
        await self._stopped.wait()
        return response

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while not self._stopped.is_set():
                await response.write(b"<")
                await asyncio.sleep(0.1)
        return response

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/rss+xml"})
        await response.prepare(request)
        with suppress(ConnectionError):
            while not self._stopped.is_set():
                await response.write(b"<a/>" * 2_000)
                await asyncio.sleep(0.001)
        return response

    async def _reset(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _circle(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"{request.path}?again=1" if not request.query else request.path)
