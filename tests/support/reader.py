"""A reader of the pages: a server that runs over a few of them, and what it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from aiohttp import ClientSession, DummyCookieJar
from selectolax.lexbor import LexborHTMLParser, LexborNode

from relay.model import Media, MediaKind, Post, Removed
from relay.plugins import Hooks
from relay.records import ListKind, ListPart, ListVersion, Page, PageVersion
from relay.store import Store
from relay.testing import post
from relay.web import Web
from relay.web.previews import Previews
from relay.web.site import Site

HTML = "text/html; charset=utf-8"
SLUG = "k3v9Qm2xTbW0rYh7-_a"
PICTURE = Media(url="https://ayllu.example/p.jpg", kind=MediaKind.IMAGE, alt="A bridge", width=1600, height=900)


def page(*posts: Post | Removed, slug: str = SLUG, looked: datetime | None = None) -> Page:
    shown = posts or (post(1), post(2))
    return Page(slug=slug, root=shown[0].uri, posts=shown, looked=looked, updated=datetime(2026, 7, 1, 13, tzinfo=UTC))


def _version(page: Page) -> PageVersion:
    return PageVersion(root=page.root, number=hash(page), looked=page.looked)


@dataclass
class Kept:
    """A store that knows a few pages; ``trouble`` is raised instead of any answer."""

    pages: Sequence[Page] = ()
    trouble: Exception | None = None
    unwritten: str = ""
    visits: list[str] = field(default_factory=list)
    is_writing = False

    async def get_page(self, slug: str) -> Page | None:
        return next((page for page in await self.list_pages(99) if page.slug == slug), None)

    async def get_page_versions(self, slugs: Collection[str]) -> Mapping[str, PageVersion]:
        there = {page.slug: page for page in await self.list_pages(99)}
        return {slug: _version(there[slug]) for slug in slugs if slug in there}

    async def get_list_versions(self, parts: Collection[ListPart]) -> Mapping[ListPart, ListVersion]:
        pages = tuple(map(_version, await self.list_pages(99)))
        return {part: ListVersion(pages=pages) for part in parts if part.kind is ListKind.LATEST}

    async def list_pages(self, limit: int) -> Sequence[Page]:
        if self.trouble:
            raise self.trouble
        return self.pages[:limit]

    async def list_followed(self) -> Sequence[str]:
        return ("qeswachaka",)

    async def save_visit(self, slug: str, now: datetime, *, asked: bool = False) -> None:
        self.visits.append(slug)

    async def get_trouble(self) -> str:
        await self.list_pages(0)
        return self.unwritten


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    kind: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def tree(self) -> LexborHTMLParser:
        return LexborHTMLParser(self.text)


Get = Callable[..., Awaitable[Answer]]


@asynccontextmanager
async def served(
    *pages: Page,
    look: Callable[[Page], Awaitable[Page]] | None = None,
    trouble: Exception | None = None,
    unwritten: str = "",
    public_url: str = "",
    patience: timedelta = timedelta(seconds=5),
    hooks: Hooks | None = None,
    site: Site | None = None,
    previews: Previews | None = None,
) -> AsyncIterator[Get]:
    """A running server over these pages; what it yields fetches a path."""
    store = Kept(pages, trouble, unwritten)

    async def looked(known: Page) -> Page:
        found = await look(known) if look else known
        store.pages = tuple(found if page.slug == found.slug else page for page in store.pages)
        return found

    web = Web(
        cast(Store, store),
        looked if look else None,
        site or Site(name="Chaski Wasi", public_url=public_url, language="qu"),
        patience=patience,
        hooks=hooks,
        previews=previews,
    )
    await web.start("127.0.0.1", 0)

    async def get(
        path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> Answer:
        asked = session.request(method, web.url + path, headers=headers, data=data, allow_redirects=False)
        async with asked as response:
            kind, body = response.headers.get("Content-Type", ""), await response.read()
            return Answer(status=response.status, kind=kind, headers=response.headers, body=body)

    try:
        async with ClientSession(cookie_jar=DummyCookieJar()) as session:
            yield get
    finally:
        await web.stop()


def one(tree: LexborHTMLParser | LexborNode, selector: str) -> LexborNode:
    (found,) = tree.css(selector)
    return found


def content(tree: LexborHTMLParser, name: str) -> str | None:
    found = tree.css_first(f'meta[property="{name}"], meta[name="{name}"]')
    return found.attributes["content"] if found else None
