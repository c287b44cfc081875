"""Serves the pages. No reader is written down: no cookie, no script, no access log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from typing import TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

from relay import __version__
from relay.consent import Consent, page_consent, page_has_run_out
from relay.language import Words, later, preferred, words
from relay.log import Trouble, get_logger
from relay.plugins import Hooks
from relay.ports import Page, Store, StoreError
from relay.web.answers import BRIEFLY, FOREVER, answer, figures, root_of
from relay.web.doors import SILENT, Capacity, Doors
from relay.web.lists import Lists
from relay.web.made import Made
from relay.web.pages import NOBODY, POLICY, message_page, style, thread_page
from relay.web.previews import Previews
from relay.web.reading import Reading
from relay.web.recent import RecentPages, Turns
from relay.web.render import Format, render_thread
from relay.web.site import Site
from relay.web.visitors import Visitor, VisitorLog, described, has_control_characters

log = get_logger(__name__)

Look = Callable[[Page], Awaitable[Page]]
T = TypeVar("T")

LOOK_EVERY = timedelta(seconds=60)
PATIENCE = timedelta(seconds=5)
"""How long a reader waits for a look."""
LOOKS = 8
"""How many threads are asked for at the same time; above, a reader gets what is stored."""
ANSWER_WITHIN = timedelta(seconds=2)
"""How long a store may take to say that it is there."""
LONG = 500
"""Posts of a long thread."""
LARGEST_CALL = 1_000_000
"""Bytes of what a platform may post."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Server": "Chasqui",
    "X-Content-Type-Options": "nosniff",
}
_TYPES = {Format.MD: "text/markdown", Format.TXT: "text/plain", Format.JSON: "application/json"}
EPUB = "application/epub+zip"
_WORDS = {
    404: (
        later("Nothing here"),
        later("There is no such page. It may have been taken back by its author, or have run out."),
    ),
    500: (
        later("Something broke"),
        later("This page could not be made. It is our fault, not yours; please try again later."),
    ),
    503: (later("Out of reach"), later("The store does not answer at the moment. Please try again in a minute.")),
}


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
        self._store, self._look, self._site = store, look, site
        self._patience = patience
        self._hooks = hooks or Hooks()
        self._previews = previews or Previews()
        turns = Turns()
        self._pages = RecentPages(store, turns)
        self._lists = Lists(store, turns, self._pages, site, self._reading, self._say, lambda: self._base)
        self._long = asyncio.Semaphore(1)
        self._made = Made()
        self._visitors = VisitorLog()
        self._trouble = Trouble(log)
        self._visits: set[asyncio.Task[None]] = set()
        self._asked: dict[str, datetime] = {}
        self._looks: set[asyncio.Task[Page]] = set()
        self._runner: web.AppRunner | None = None
        self._doors = Doors(capacity or Capacity(), self._connection)

    @property
    def _base(self) -> str:
        return self._site.public_url.rstrip("/") or self.url

    @property
    def url(self) -> str:
        """The address that it listens on, with the real port; empty before the start."""
        host, port = self._doors.address
        if not host:
            return ""
        address = ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
        return f"http://{host}:{port}" if address.version == 4 else f"http://[{host}]:{port}"

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
        title, told = say("That does not work"), say("The server answers {status} to this request.")
        page = message_page(title, told.format(status=status), say, site=self._site.name, root="./")
        headers = {**HEADERS, "X-Robots-Tag": NOBODY, "Cache-Control": "no-store"}
        return web.Response(status=status, text=page, content_type="text/html", headers=headers)

    async def stop(self) -> None:
        """Let answers under way go out for a moment, then close; nothing happens where it does not run."""
        for task in (*self._looks, *self._visits):
            task.cancel()
        self._pages.stop()
        self._doors.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._dress], client_max_size=LARGEST_CALL)
        app.add_routes(
            [
                *self._lists.routes(),
                web.get(r"/t/{slug:[\w-]+}", self._thread),
                web.get(r"/t/{slug:[\w-]+}.{form:md|txt|json}", self._file),
                web.get(r"/t/{slug:[\w-]+}.epub", self._book),
                web.get(r"/t/{slug:[\w-]+}/preview/{name:[\w-]+}", self._preview),
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
            with self._serving(request):
                controlled = has_control_characters(request.path)  # they would stand in a title
                response = self._message(request, 404) if controlled else await handler(request)
        except web.HTTPException as error:
            response = self._message(request, error.status, headers=error.headers)
        except StoreError as error:
            self._trouble.broke("reading pages from the store", str(error))
            response = self._message(request, 503, headers={"Retry-After": "30"})
        except Exception as error:  # noqa: BLE001 - a bug of ours is told to the log, and the server goes on
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
        other = later("That does not work"), later("The server answers {status} to this request.")
        title, text = _WORDS.get(status, other)
        told = say(text).format(status=status)
        page = message_page(say(title), told, say, site=self._site.name, root=root_of(request))
        kept = {name: value for name, value in (headers or {}).items() if name in ("Allow", "Retry-After")}
        return web.Response(
            status=status, text=page, content_type="text/html", headers=kept | {"Cache-Control": "no-store"}
        )

    def _gone(self, request: web.Request, text: str, link: str = "") -> web.Response:
        say = self._say(request)
        page = message_page(say("Taken back"), text, say, site=self._site.name, root=root_of(request), link=link)
        headers = {"Cache-Control": BRIEFLY, "Vary": "Accept-Language"}
        return web.Response(status=410, text=page, content_type="text/html", headers=headers)

    async def _thread(self, request: web.Request) -> web.Response:
        found = await self._read(request)
        if isinstance(found, web.Response):
            return found
        reading, allowed = found
        robots = "all" if allowed.indexed else NOBODY
        root = root_of(request)
        around = " ".join((root, *self._site.accounts()))
        text = self._made.get(reading, allowed, around)
        if text is None:
            links = tuple(self._previews.links(reading))
            make = partial(thread_page, reading, self._site, root=root, listed=allowed.listed, links=links)
            text = await self._laid_out(reading, partial(make, robots=robots))
            self._made.put(reading, allowed, around, text)
        return answer(request, text, "text/html", robots=robots)

    async def _laid_out(self, reading: Reading, make: Callable[[], T]) -> T:
        """Long threads one after the other, which take seconds of the processor and much memory; others in 60 ms."""
        async with self._long if len(reading.posts) > LONG else nullcontext():
            return await asyncio.to_thread(make)

    async def _file(self, request: web.Request) -> web.Response:
        found = await self._read(request)
        if isinstance(found, web.Response):
            return found
        form = Format(request.match_info["form"])
        return answer(request, await self._laid_out(found[0], partial(render_thread, found[0], form)), _TYPES[form])

    async def _book(self, request: web.Request) -> web.Response:
        found = await self._read(request)
        if isinstance(found, web.Response):
            return found
        from relay.web.epub import epub  # reads XML, which an idle relay never needs

        response = answer(request, await self._laid_out(found[0], partial(epub, found[0])), EPUB)
        response.headers["Content-Disposition"] = f'attachment; filename="{found[0].slug}.epub"'
        return response

    async def _preview(self, request: web.Request) -> web.Response:
        """What a platform asks for that was shown the address of a page: in the site's language, for many readers."""
        found = await self._read(request, words(preferred("", self._site.language)))
        if isinstance(found, web.Response):
            return found
        made = self._previews.make(request.match_info["name"], found[0])
        if made is None:
            raise web.HTTPNotFound
        return answer(request, *made, spoken=False)

    async def _read(self, request: web.Request, say: Words | None = None) -> tuple[Reading, Consent] | web.Response:
        """The thread and what its author allows, or the page that says why there is none to be read."""
        page = await self._pages.get(request.match_info["slug"])
        self._trouble.works("reading pages from the store")
        if page is None:
            raise web.HTTPNotFound
        say = say or self._say(request)
        if page_has_run_out(page, self._site.expire, self._site.clock()):
            text = say("Nobody has read it for a while, so it has run out. It can be asked for anew.")
            return self._gone(request, text)
        page = await self._fresh(page)
        reading, allowed = self._reading(page, say), page_consent(page, self._site.expire)
        if not reading.written:
            return self._gone(request, say("What stood here has been removed by its author."))
        if not allowed.page:
            text = say("The author asks not to be kept on pages like this one.")
            return self._gone(request, text, reading.first.url)
        self._note_visit(page)
        return reading, allowed

    def _note_visit(self, page: Page) -> None:
        """A page that is read stays; once a day is often enough to know."""
        now = self._site.clock()
        if page.visited is not None and now - page.visited < timedelta(days=1):
            return
        visit = asyncio.create_task(self._visit(page.slug, now), name="visit")
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)

    async def _visit(self, slug: str, now: datetime) -> None:
        with suppress(StoreError):  # the next reader is a visit too
            await self._store.save_visit(slug, now)

    def _say(self, request: web.Request) -> Words:
        """The reader's language."""
        return words(preferred(request.headers.get("Accept-Language", ""), self._site.language))

    def _reading(self, page: Page, say: Words) -> Reading:
        address = f"{self._base}/t/{page.slug}"
        return Reading.of_page(page, site=self._site.name, language=self._site.language, address=address, say=say)

    # --- asking the source ---

    async def _fresh(self, page: Page) -> Page:
        """The page after its source was asked; as it is stored where that is not due, takes too long or fails."""
        if self._look is None or not self._due(page, datetime.now(UTC)):
            return page
        look = asyncio.create_task(self._asking(self._look, page), name="look at a page")
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
        self._asked = {slug: asked for slug, asked in self._asked.items() if since < asked <= now}
        if page.slug in self._asked or len(self._looks) >= LOOKS or (page.looked and since < page.looked <= now):
            return False
        self._asked[page.slug] = now
        return True

    async def _asking(self, look: Look, page: Page) -> Page:
        try:
            return await look(page)
        except Exception as error:  # noqa: BLE001 - a bug of ours is told to the log, and the server goes on
            log.error("a thread could not be looked at; its page is as it was", **described(error))  # noqa: TRY400 - see described
            return page

    # --- what is not a page ---

    async def _style(self, request: web.Request) -> web.Response:
        return answer(request, style(), "text/css", cache=FOREVER, spoken=False)

    async def _robots(self, request: web.Request) -> web.Response:
        return answer(
            request, "User-agent: *\nAllow: /t/\nAllow: /style.css\nDisallow: /\n", "text/plain", spoken=False
        )

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
