"""Serves the pages. No reader is written down: no cookie, no script, no access log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import timedelta
from functools import cache, lru_cache
from ipaddress import ip_address
from typing import TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

from relay import __version__
from relay.i18n import Words, later, preferred, words
from relay.log import Trouble, get_logger
from relay.plugins import Hooks
from relay.records import ListPart, ListVersion, Page, PageVersion, StoreError
from relay.store import Store
from relay.web.answers import FOREVER, Body, body, figures, root_of, send
from relay.web.cache import Cache
from relay.web.connections import SILENT, Capacity, Doors
from relay.web.context import Serving
from relay.web.lists import Lists
from relay.web.lookups import Rounds
from relay.web.pacer import Pacer
from relay.web.pages import NOBODY, POLICY, message_page, style
from relay.web.previews import Previews
from relay.web.site import Site
from relay.web.thread_view import ThreadReading
from relay.web.threads import Look, ThreadPages, ThreadRefresh
from relay.web.visitors import Visitor, VisitorLog, described, has_control_characters

log = get_logger(__name__)

K = TypeVar("K")
V = TypeVar("V")

PATIENCE = timedelta(seconds=5)
"""How long a reader waits for a look."""
ANSWER_WITHIN = timedelta(seconds=2)
"""How long a store may take to say that it is there."""
LARGEST_CALL = 1_000_000
"""Bytes of what a platform may post."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Server": "Chasqui",
    "X-Content-Type-Options": "nosniff",
}
_ROBOTS = body("User-agent: *\nAllow: /t/\nAllow: /style.css\nDisallow: /\n", "text/plain", spoken=False)
_WORDS = {
    404: (
        later("Nothing here"),
        later("This page does not exist. Its author may have removed it, or it may have expired."),
    ),
    500: (
        later("Something went wrong"),
        later("We could not make this page. It's our fault, not yours. Please try again later."),
    ),
    503: (later("Not available right now"), later("The database is not answering. Please try again in a minute.")),
}


@cache
def _style() -> Body:
    return body(style(), "text/css", spoken=False, headers={"Cache-Control": FOREVER})


@lru_cache(maxsize=8)  # each message leads to a page
def _url(host: str, port: int) -> str:
    if not host:
        return ""
    address = ip_address(host)
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://{host}:{port}" if address.version == 4 else f"http://[{host}]:{port}"


def _route(request: web.Request) -> str:
    """Which kind of page was asked for; not which page."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else ""


class Web:
    """The web server of one relay. ``look`` asks the source for the whole thread of a page; it answers the new page."""

    def __init__(
        self,
        store: Store,
        look: Look | None,
        site: Site,
        *,
        patience: timedelta = PATIENCE,
        hooks: Hooks | None = None,
        previews: Previews | None = None,
        capacity: Capacity | None = None,
    ) -> None:
        self._store, self._site = store, site
        self._hooks = hooks or Hooks()
        pacer = Pacer(lambda: store.is_writing)
        self._cache = Cache(site.clock, pacer=pacer)
        self._page_versions = Rounds[str, PageVersion](
            lambda slugs: self._looked_up(store.get_page_versions, slugs), pacer
        )
        self._list_versions = Rounds[ListPart, ListVersion](
            lambda parts: self._looked_up(store.get_list_versions, parts), pacer
        )
        serving = Serving(store=store, site=site, cache=self._cache, reading=self._reading, say=self._say)
        asking = ThreadRefresh(look, patience)
        self._threads = ThreadPages(serving, self._page_versions, asking, previews or Previews())
        self._lists = Lists(serving, self._list_versions, lambda: self._base)
        self.besides: list[web.RouteDef] = []
        """What is served besides, if it is told before the start."""
        self._visitors = VisitorLog()
        self._trouble = Trouble(log)
        self._runner: web.AppRunner | None = None
        self._doors = Doors(capacity or Capacity(), self._connection, pacer)

    @property
    def _base(self) -> str:
        return self._site.public_url.rstrip("/") or self.url

    @property
    def url(self) -> str:
        """The address that it listens on, with the real port; empty before the start."""
        return _url(*self._doors.address)

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one. Raises ``OSError`` where the address cannot be had."""
        runner = web.AppRunner(self._application(), shutdown_timeout=0.3)
        await runner.setup()
        self._runner = runner
        try:
            await self._doors.open(host, port)
        except OSError:
            await runner.cleanup()
            raise

    def _connection(self) -> asyncio.BaseProtocol:
        if self._runner is None or self._runner.server is None:
            raise RuntimeError("the web server does not run")
        return Visitor(self._runner.server, self._refuse, self._visitors, keepalive=SILENT)

    def _refuse(self, status: int) -> web.Response:
        """What was no HTTP is answered in our words; a library's would say what was sent."""
        say = words(preferred("", self._site.language))
        title, told = say("That did not work"), say("The server answered this request with {status}.")
        page = message_page(title, told.format(status=status), say, site=self._site.name, root="./")
        headers = {**HEADERS, "X-Robots-Tag": NOBODY, "Cache-Control": "no-store"}
        return web.Response(status=status, text=page, content_type="text/html", headers=headers)

    async def stop(self) -> None:
        """Let answers under way go out for a moment, then close; nothing happens where it does not run."""
        self._threads.stop()
        self._doors.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._page_versions.stop()
        self._list_versions.stop()
        self._cache.stop()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._dress], client_max_size=LARGEST_CALL)
        app.add_routes(
            [
                *self._lists.routes(),
                *self._threads.routes(),
                web.get("/style.css", self._style),
                web.get("/robots.txt", self._robots),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.post(r"/hook/{name:[\w-]+}", self._hook),
                web.get(r"/hook/{name:[\w-]+}", self._proof, allow_head=False),
                *self.besides,
            ]
        )
        return app

    # --- answers ---

    @web.middleware
    async def _dress(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every answer carries the same headers, and every error is a page."""
        try:
            with self._serving(request):
                controlled = has_control_characters(request.path)  # they would stand in a title
                response = self._message(request, 404) if controlled else await handler(request)
        except web.HTTPException as error:
            response = self._message(request, error.status, headers=error.headers)
        except StoreError as error:
            self._trouble.broke("reading pages from the store", str(error))
            response = self._message(request, 503, headers={"Retry-After": "30"})
        except Exception as error:  # noqa: BLE001 - a bug of ours is told to the log, and the server goes on
            if request.transport is not None:  # else the visitor broke off, and nobody waits for an answer
                log.error("a page could not be made", route=_route(request), **described(error))  # noqa: TRY400 - see described
            response = self._message(request, 500)
        response.headers.update(HEADERS)
        response.headers.setdefault("X-Robots-Tag", NOBODY)
        return response

    def _serving(self, request: web.Request) -> AbstractContextManager[None]:
        """Who has yet to send the rest of a request gives way like one who never sent its head."""
        return nullcontext() if request.can_read_body else self._doors.serving(request.transport)

    def _message(self, request: web.Request, status: int, *, headers: Mapping[str, str] | None = None) -> web.Response:
        say = self._say(request)
        other = later("That did not work"), later("The server answered this request with {status}.")
        title, text = _WORDS.get(status, other)
        told = say(text).format(status=status)
        page = message_page(say(title), told, say, site=self._site.name, root=root_of(request))
        kept = {name: value for name, value in (headers or {}).items() if name in ("Allow", "Retry-After")}
        return web.Response(
            status=status, text=page, content_type="text/html", headers=kept | {"Cache-Control": "no-store"}
        )

    async def _looked_up(
        self, look: Callable[[Collection[K]], Awaitable[Mapping[K, V]]], keys: Collection[K]
    ) -> Mapping[K, V]:
        found = await look(keys)
        self._trouble.works("reading pages from the store")
        return found

    def _say(self, request: web.Request) -> Words:
        """The reader's language."""
        return words(preferred(request.headers.get("Accept-Language", ""), self._site.language))

    def _reading(self, page: Page, say: Words) -> ThreadReading:
        address = f"{self._base}/t/{page.slug}"
        return ThreadReading.of_page(page, site=self._site.name, language=self._site.language, address=address, say=say)

    # --- what is not a page ---

    async def _style(self, request: web.Request) -> web.Response:
        return send(request, _style())

    async def _robots(self, request: web.Request) -> web.Response:
        return send(request, _ROBOTS)

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        """200 where the store answers in time and takes what is new; 503 where it does not. Anybody may ask."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
                details = trouble = await self._store.get_trouble()
        except StoreError as error:
            details, trouble = str(error), error.trouble
        except TimeoutError:
            details = trouble = "does not answer"
        if trouble:
            self._trouble.broke("the database", details)
            return figures({"ready": False, "reason": f"the database {trouble}"}, status=503)
        self._trouble.works("the database")
        found: dict[str, object] = {"clock": told} if (told := self._site.clock_trouble()) else {}
        found |= {"connections": asdict(self._doors.figures), "bad_requests": self._visitors.bad_requests}
        return figures({"ready": True, "version": __version__} | found)

    async def _hook(self, request: web.Request) -> web.Response:
        """What a platform posts, handed to the adapter that listens there; a platform is answered by a status alone."""
        try:
            async with asyncio.timeout(SILENT):
                body = await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            status = error.status
        except TimeoutError:
            status = 408
        except (web.RequestPayloadError, ConnectionError):  # broken off, or no HTTP
            status = 400
        else:
            with self._serving(request):
                status = await self._call(request.match_info["name"], request, body)
        return web.Response(status=status, headers={"Cache-Control": "no-store"})

    async def _proof(self, request: web.Request) -> web.Response:
        """Whether we asked to be called at this address, in the words that the asker wants to read."""
        answer = self._hooks.prove(request.match_info["name"], dict(request.query))
        if answer is None:
            raise web.HTTPNotFound
        return web.Response(text=answer, content_type="text/plain", headers={"Cache-Control": "no-store"})

    async def _call(self, name: str, request: web.Request, body: bytes) -> int:
        headers = {key.lower(): value for key, value in request.headers.items()}
        try:
            return await self._hooks.call(name, headers, body)
        except Exception as error:  # noqa: BLE001 - a bug of ours is told to the log, and the server goes on
            log.error("a platform's call could not be taken", hook=name, **described(error))  # noqa: TRY400 - see described
            return 500
