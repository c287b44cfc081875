"""A feed server on loopback: two feeds that change, and everything that is wrong with feeds in the wild."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from html import escape
from types import TracebackType

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict, CIMultiDictProxy

EPOCH = datetime(2026, 3, 1, 12, tzinfo=UTC)
HUGE = 500_000_000
CHUNK = bytes(range(32, 96)) * 1024


@dataclass(frozen=True)
class Item:
    number: int
    guid: str
    title: str
    body: str
    """HTML."""
    published: datetime
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """What is served at one path of a test's own."""

    body: bytes
    content_type: str = "application/rss+xml"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Host:
    """What one address of the server has seen, and what it thinks of it."""

    gap: float
    begun: list[float] = field(default_factory=list)
    """When each request began."""
    active: int = 0
    connections: set[int] = field(default_factory=set)
    rude: list[str] = field(default_factory=list)

    def enter(self, now: float, connection: int) -> bool:
        """Whether this request is a polite one: alone, and not too soon after the last."""
        self.connections.add(connection)
        before = len(self.rude)
        if self.active:
            self.rude.append(f"{self.active + 1} requests at once")
        elif self.begun and now - self.begun[-1] < self.gap:
            self.rude.append(f"{now - self.begun[-1]:.3f} s after the last request")
        self.active += 1
        self.begun.append(now)
        return len(self.rude) == before


class FeedServer:
    """Serves ``/feed.xml`` and ``/atom.xml`` from the same items, with ETags that are honoured, and the paths below.

    ``/html`` a web page · ``/truncated.xml`` · ``/huge.xml`` 500 MB · ``/bomb.xml`` a gzip bomb · ``/latin1.xml``
    Latin-1 that calls itself UTF-8 · ``/redirect?to=…&status=302`` · ``/status/N?Header=value`` · ``/hang`` ·
    ``/drip`` one byte a tenth of a second
    """

    def __init__(
        self, title: str = "The Village Bell", *, hosts: Sequence[str] = ("127.0.0.1",), gap: float | None = None
    ) -> None:
        self.title = title
        self.hosts = {host: Host(gap or 0.0) for host in hosts}
        """The addresses that it listens on, all at one port."""
        self._strict = gap is not None
        """Who asks for more than one thing at once, or sooner than ``gap`` seconds after the last, is answered 429."""
        self.items: list[Item] = []
        """Newest first."""
        self.published = 0
        self.documents: dict[str, Document] = {}
        self.requests: list[tuple[str, CIMultiDictProxy[str]]] = []
        """Path and headers of each request, oldest first."""
        self.unchanged: Counter[str] = Counter()
        """Answers 304, by path."""
        self.sent: Counter[str] = Counter()
        """Bytes of the endless bodies that the network took, by path."""
        self.url = ""
        self._made: dict[str, Callable[[], Document]] = {
            "/feed.xml": lambda: Document(self._rss()),
            "/atom.xml": lambda: Document(self._atom(), "application/atom+xml"),
            "/html": lambda: Document(PAGE, "text/html; charset=utf-8"),
            "/truncated.xml": lambda: Document(self._rss().rpartition(b"</item>")[0][:-5]),
            "/bomb.xml": lambda: Document(_bomb(), headers={"Content-Encoding": "gzip"}),
            "/latin1.xml": lambda: Document(
                self._rss().decode().encode("latin-1"), "application/rss+xml; charset=utf-8"
            ),
        }
        self._stopped = asyncio.Event()

    async def __aenter__(self) -> FeedServer:
        app = web.Application()
        app.router.add_get("/huge.xml", self._huge)
        app.router.add_get("/hang", self._hang)
        app.router.add_get("/drip", self._drip)
        app.router.add_get("/redirect", self._redirect)
        app.router.add_get("/status/{status}", self._status)
        app.router.add_get("/{path:.*}", self._document)
        app.middlewares.append(self._note)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self.port = 0
        for host in self.hosts:
            await web.TCPSite(self._runner, host, self.port).start()
            self.port = self._runner.addresses[0][1]
        self.url = f"http://{next(iter(self.hosts))}:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        await self._runner.cleanup()

    @property
    def feed(self) -> str:
        return f"{self.url}/feed.xml"

    @property
    def atom(self) -> str:
        return f"{self.url}/atom.xml"

    # --- what a writer does ---

    def add_item(
        self,
        title: str,
        body: str = "<p>Nothing much.</p>",
        *,
        guid: str = "",
        published: datetime | None = None,
        tags: tuple[str, ...] = (),
    ) -> str:
        """Publish on top of both feeds, an hour after the last item unless said otherwise; its guid."""
        self.published += 1
        guid = guid or f"urn:bell:{self.published}"
        when = published or EPOCH + timedelta(hours=self.published)
        self.items.insert(0, Item(self.published, guid, title, body, when, tags))
        return guid

    def edit_item(self, guid: str, *, title: str | None = None, body: str | None = None) -> None:
        """Change the text; the date stays, as most writers leave it."""

        def edited(item: Item) -> Item:
            return replace(item, title=title or item.title, body=body or item.body)

        self.items = [edited(item) if item.guid == guid else item for item in self.items]

    def remove_item(self, guid: str) -> None:
        self.items = [item for item in self.items if item.guid != guid]

    def put(self, path: str, document: Document | bytes | str) -> str:
        """Serve a document of one's own at ``path``; its address."""
        if not isinstance(document, Document):
            document = Document(document.encode() if isinstance(document, str) else document)
        self.documents[path] = document
        return self.url + path

    def asked(self, path: str) -> int:
        """How often ``path`` was asked for."""
        return sum(1 for where, _ in self.requests if where == path)

    # --- what a reader gets ---

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests.append((request.path, request.headers))
        transport = request.transport
        if not self._strict or transport is None:
            return await handler(request)
        host = self.hosts[transport.get_extra_info("sockname")[0]]
        polite = host.enter(asyncio.get_running_loop().time(), transport.get_extra_info("peername")[1])
        try:
            await asyncio.sleep(0)  # long enough for another one to come in between
            return await handler(request) if polite else web.Response(status=429)
        finally:
            host.active -= 1

    async def _document(self, request: web.Request) -> web.StreamResponse:
        document = self._find(request.path)
        if document is None:
            return web.Response(status=404)
        tag = f'"{hashlib.blake2b(document.body, digest_size=8).hexdigest()}"'
        headers = {"ETag": tag, "Last-Modified": format_datetime(EPOCH, usegmt=True), **document.headers}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            self.unchanged[request.path] += 1
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = document.content_type
        return web.Response(body=document.body, status=document.status, headers=headers)

    def _find(self, path: str) -> Document | None:
        if path in self.documents:
            return self.documents[path]
        make = self._made.get(path)
        return make() if make else None

    def _rss(self) -> bytes:
        items = "".join(
            f'<item><guid isPermaLink="false">{escape(item.guid)}</guid><title>{escape(item.title)}</title>'
            f"<link>{self.url}/items/{item.number}</link><pubDate>{format_datetime(item.published)}</pubDate>"
            + "".join(f"<category>{escape(tag)}</category>" for tag in item.tags)
            + f"<description>{escape(item.body)}</description></item>\n"
            for item in self.items
        )
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel>'
            f"<title>{escape(self.title)}</title><link>{self.url}/</link>\n{items}</channel></rss>\n"
        ).encode()

    def _atom(self) -> bytes:
        entries = "".join(
            f"<entry><id>{escape(item.guid)}</id><title>{escape(item.title)}</title>"
            f'<link href="{self.url}/items/{item.number}"/><updated>{item.published.isoformat()}</updated>'
            + "".join(f'<category term="{escape(tag)}"/>' for tag in item.tags)
            + f'<content type="html">{escape(item.body)}</content></entry>\n'
            for item in self.items
        )
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
            f'<id>urn:bell</id><title>{escape(self.title)}</title><link href="{self.url}/"/>\n{entries}</feed>\n'
        ).encode()

    async def _redirect(self, request: web.Request) -> web.Response:
        status = int(request.query.get("status", "302"))
        return web.Response(status=status, headers={"Location": request.query["to"]})

    async def _status(self, request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]), headers=CIMultiDict(request.query))

    async def _hang(self, _: web.Request) -> web.Response:
        await self._stopped.wait()
        return web.Response()

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while not self._stopped.is_set():
                await response.write(b"<")
                await asyncio.sleep(0.1)
        return response

    async def _huge(self, request: web.Request) -> web.StreamResponse:
        """Chunk by chunk until the other side hangs up."""
        response = web.StreamResponse(headers={"Content-Type": "application/rss+xml"})
        await response.prepare(request)
        with suppress(ConnectionError):
            while self.sent[request.path] < HUGE:
                await response.write(CHUNK)
                self.sent[request.path] += len(CHUNK)
        return response


PAGE = b"""<!doctype html><html><head><title>The Village Bell</title>
<link rel="alternate" type="application/rss+xml" href="/feed.xml"></head><body><p>Welcome.</p></body></html>"""


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(100_000_000), 6)
