"""Serves the pages. No reader is written down: no cookie, no script, no access log."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from aiohttp import ETag, web
from aiohttp.typedefs import Handler

from relay import __version__
from relay.log import get_logger
from relay.plugins import Hooks
from relay.ports import Page, State, Store, StoreError
from relay.web.pages import POLICY, index_page, message_page, style, thread_page
from relay.web.reading import Reading
from relay.web.render import Format, render_thread

log = get_logger(__name__)

Look = Callable[[Page], Awaitable[Page]]

LOOK_EVERY = timedelta(seconds=60)
PATIENCE = timedelta(seconds=5)
"""How long a reader waits for a look."""
LOOKS = 8
"""How many threads are asked for at the same time; above, a reader gets what is stored."""
ANSWER_WITHIN = timedelta(seconds=2)
"""How long a store may take to say that it is there."""
LATEST = 30
LARGEST_CALL = 1_000_000
"""Bytes of what a platform may post."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Server": "Chasqui",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, noarchive",
}
_BRIEFLY = "max-age=60"  # short, so that what an author takes back is gone soon
_FOREVER = "public, max-age=31536000, immutable"
_TYPES = {Format.MD: "text/markdown", Format.TXT: "text/plain", Format.JSON: "application/json"}
_WORDS = {
    404: ("Nothing here", "There is no such page. It may have been taken back by its author, or have run out."),
    500: ("Something broke", "This page could not be made. It is our fault, not yours; please try again later."),
    503: ("Out of reach", "The store does not answer at the moment. Please try again in a minute."),
}


class Web:
    """The web server of one relay. ``look`` asks the source for the whole thread of a page; it answers the new page."""

    def __init__(
        self,
        store: Store,
        look: Look | None,
        *,
        name: str,
        public_url: str = "",
        language: str = "en",
        patience: timedelta = PATIENCE,
        hooks: Hooks | None = None,
    ) -> None:
        self._store = store
        self._look = look
        self._name = name
        self._public_url = public_url.rstrip("/")
        self._language = language
        self._patience = patience
        self._hooks = hooks or Hooks()
        self._asked: dict[str, datetime] = {}
        self._looks: set[asyncio.Task[Page]] = set()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address that it listens on, with the real port; empty before the start."""
        if self._runner is None or not self._runner.addresses:
            return ""
        host, port, *_ = self._runner.addresses[0]
        address = ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
        return f"http://{host}:{port}" if address.version == 4 else f"http://[{host}]:{port}"

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one. Raises ``OSError`` where the address cannot be had."""
        runner = web.AppRunner(self._application(), access_log=None, keepalive_timeout=30, shutdown_timeout=0.3)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def stop(self) -> None:
        """Let answers under way go out for a moment, then close; nothing happens where it does not run."""
        for look in self._looks:
            look.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._dress], client_max_size=LARGEST_CALL)
        app.add_routes(
            [
                web.get("/", self._index),
                web.get(r"/t/{slug:[\w-]+}", self._thread),
                web.get(r"/t/{slug:[\w-]+}.{form:md|txt|json}", self._file),
                web.get("/style.css", self._style),
                web.get("/robots.txt", self._robots),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.post(r"/hook/{name:[\w-]+}", self._hook),
                web.get(r"/hook/{name:[\w-]+}", self._proof, allow_head=False),
            ]
        )
        return app

    # --- answers ---

    @web.middleware
    async def _dress(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every answer carries the same headers, and every error is a page."""
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = self._message(request, error.status, headers=error.headers)
        except StoreError as error:
            log.warning("a page could not be read from the store", reason=str(error))
            response = self._message(request, 503, headers={"Retry-After": "30"})
        except Exception:
            log.exception("a page could not be made", path=request.path)
            response = self._message(request, 500)
        response.headers.update(HEADERS)
        return response

    def _message(self, request: web.Request, status: int, *, headers: Mapping[str, str] | None = None) -> web.Response:
        title, text = _WORDS.get(status, ("That does not work", f"The server answers {status} to this request."))
        page = message_page(title, text, site=self._name, root=_root(request))
        kept = {name: value for name, value in (headers or {}).items() if name in ("Allow", "Retry-After")}
        return web.Response(
            status=status, text=page, content_type="text/html", headers=kept | {"Cache-Control": "no-store"}
        )

    def _gone(self, request: web.Request, text: str, link: str = "") -> web.Response:
        page = message_page(
            "Taken back", text, site=self._name, root=_root(request), link=link, words="Read the original"
        )
        return web.Response(status=410, text=page, content_type="text/html", headers={"Cache-Control": _BRIEFLY})

    async def _index(self, request: web.Request) -> web.Response:
        pages = await self._store.list_pages(LATEST)
        readings = [self._reading(page) for page in pages]
        latest = [reading for reading in readings if reading.written and not reading.author.refuses]
        return _answer(request, index_page(latest, site=self._name, root=_root(request)), "text/html")

    async def _thread(self, request: web.Request) -> web.Response:
        reading = await self._read(request)
        if isinstance(reading, web.Response):
            return reading
        text = await asyncio.to_thread(thread_page, reading, root=_root(request))  # the longest take 60 ms
        return _answer(request, text, "text/html")

    async def _file(self, request: web.Request) -> web.Response:
        reading = await self._read(request)
        if isinstance(reading, web.Response):
            return reading
        form = Format(request.match_info["form"])
        return _answer(request, await asyncio.to_thread(render_thread, reading, form), _TYPES[form])

    async def _read(self, request: web.Request) -> Reading | web.Response:
        """The thread, or the page that says why there is none to be read."""
        page = await self._store.get_page(request.match_info["slug"])
        if page is None:
            raise web.HTTPNotFound
        reading = self._reading(await self._fresh(page))
        if not reading.written:
            return self._gone(request, "What stood here has been removed by its author.")
        if reading.author.refuses:
            return self._gone(request, "The author asks not to be kept on pages like this one.", reading.first.url)
        return reading

    def _reading(self, page: Page) -> Reading:
        address = f"{self._public_url or self.url}/t/{page.slug}"
        return Reading.of_page(page, site=self._name, language=self._language, address=address)

    # --- asking the source ---

    async def _fresh(self, page: Page) -> Page:
        """The page after its source was asked; as it is stored where that is not due, takes too long or fails."""
        if self._look is None or not self._due(page, datetime.now(UTC)):
            return page
        look = asyncio.create_task(self._asking(self._look, page), name=f"look at {page.slug}")
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                return await asyncio.shield(look)  # the reader goes on without it; the next one sees what it brings
        except TimeoutError:
            return page

    def _due(self, page: Page, now: datetime) -> bool:
        """Whether to ask now; a source that was asked is left alone for a while, whatever it answered."""
        since = now - LOOK_EVERY
        self._asked = {slug: asked for slug, asked in self._asked.items() if asked > since}
        if page.slug in self._asked or len(self._looks) >= LOOKS or (page.looked and page.looked > since):
            return False
        self._asked[page.slug] = now
        return True

    async def _asking(self, look: Look, page: Page) -> Page:
        try:
            return await look(page)
        except Exception:
            log.exception("a thread could not be looked at; its page is shown as it is stored", page=page.slug)
            return page

    # --- what is not a page ---

    async def _style(self, request: web.Request) -> web.Response:
        return _answer(request, style(), "text/css", cache=_FOREVER)

    async def _robots(self, request: web.Request) -> web.Response:
        return _answer(request, "User-agent: *\nDisallow: /\n", "text/plain")

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        """200 where the store answers in time, with a few figures; 503 where it does not."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
                counts = await self._store.get_counts()
        except (StoreError, TimeoutError) as error:
            return _figures({"ready": False, "reason": str(error) or "the store does not answer"}, status=503)
        states: Counter[State] = Counter()
        for (_action, state), count in counts.deliveries.items():
            states[state] += count
        deliveries = {state.value: states[state] for state in State}
        figures = {"posts": counts.posts, "deliveries": deliveries, "unknown": counts.unknown}
        return _figures({"ready": True, "version": __version__} | figures)

    async def _hook(self, request: web.Request) -> web.Response:
        """What a platform posts, handed to the adapter that listens there; a platform is answered by a status alone."""
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            status = error.status
        except (web.RequestPayloadError, ConnectionError):  # broken off, or no HTTP
            status = 400
        else:
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
        except Exception:
            log.exception("a platform's call could not be taken", hook=name)
            return 500


def _root(request: web.Request) -> str:
    """The relative address of the site's top, so that the pages work below any prefix of a proxy."""
    return "../" * (request.path.count("/") - 1) or "./"


def _figures(values: Mapping[str, object], *, status: int = 200) -> web.Response:
    text = json.dumps(values) + "\n"
    return web.Response(
        status=status, text=text, content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _answer(request: web.Request, text: str, kind: str, *, cache: str = _BRIEFLY) -> web.Response:
    """The text, or 304 where the reader has it already (RFC 9110, 13.1.2)."""
    tag = ETag(hashlib.sha256(text.encode()).hexdigest()[:20], is_weak=True)  # weak: it is sent compressed or not
    known = any(each.value in ("*", tag.value) for each in request.if_none_match or ())
    response = web.Response(status=304) if known else web.Response(text=text, content_type=kind, charset="utf-8")
    response.etag = tag
    response.headers.update({"Cache-Control": cache, "Vary": "Accept-Encoding"})
    if not known:
        response.enable_compression()
    return response
