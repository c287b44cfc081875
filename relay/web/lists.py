"""Serves the lists: the front page, hashtags, authors, folds, their feeds, and what is said of privacy."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from aiohttp import web

from relay.consent import Asker, consent
from relay.hashtag import fold
from relay.model import Post
from relay.ports import Leaf, Page, Store
from relay.web.answers import answer, root_of
from relay.web.listing import Listing, atom, entries, json_feed
from relay.web.pages import index_page, list_page, privacy_page
from relay.web.reading import Reading
from relay.web.site import Site

LATEST = 30
"""Threads on one page of a list."""
_LANGUAGES = ("en", "es")
_KINDS = {"atom": "application/atom+xml", "json": "application/feed+json"}


class Lists:
    """``reading`` is how a thread reads, ``base`` the address of the site's top."""

    def __init__(self, store: Store, site: Site, reading: Callable[[Page], Reading], base: Callable[[], str]) -> None:
        self._store, self._site, self._reading, self._base = store, site, reading, base

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._index),
            web.get(r"/latest.{form:atom|json}", self._latest_feed),
            web.get(r"/tag/{tag:[^/.]+}", self._tag),
            web.get(r"/tag/{tag:[^/.]+}.{form:atom|json}", self._tag_feed),
            web.get(r"/author/{slug:[\w-]+}", self._author),
            web.get(r"/author/{slug:[\w-]+}.{form:atom|json}", self._author_feed),
            web.get(r"/fold/{slug:[\w-]+}", self._fold),
            web.get("/privacy", self._privacy),
        ]

    # --- the lists ---

    async def _latest(self) -> Listing:
        pages = [page for page in await self._store.list_pages(LATEST) if self._may_list(page)]
        return Listing(
            title="Latest threads unrolled",
            entries=entries(pages, self._reading),
            address=f"{self._base()}/",
            feed="latest",
            site=self._site.name,
        )

    async def _on_tag(self, request: web.Request) -> Listing:
        tag = fold(request.match_info["tag"], "")
        if not tag:
            raise web.HTTPNotFound
        leaf = await self._store.list_tagged(tag, LATEST, _before(request))
        path = f"tag/{quote(tag)}"
        lead = "What was relayed on this hashtag, the latest first."
        return self._listing(leaf, f"#{tag}", lead, path, feed=path)

    async def _by_author(self, request: web.Request) -> Listing:
        slug = request.match_info["slug"]
        page = await self._store.get_page(slug)
        author = next((post.author for post in page.posts if isinstance(post, Post)), None) if page else None
        if page is None or author is None or not self._may_list(page):
            raise web.HTTPNotFound
        leaf = await self._store.list_by_author(slug, LATEST, _before(request))
        path = f"author/{slug}"
        return self._listing(leaf, author.name, author.handle, path, feed=path)

    def _listing(self, leaf: Leaf, title: str, lead: str, path: str, *, feed: str = "") -> Listing:
        return Listing(
            title=title,
            lead=lead,
            entries=entries(leaf.pages, self._reading),
            address=f"{self._base()}/{path}",
            older=f"before={leaf.before}" if leaf.before else "",
            feed=feed,
            site=self._site.name,
        )

    def _may_list(self, page: Page) -> bool:
        author = next((post.author for post in page.posts if isinstance(post, Post)), None)
        asker = Asker.AUTHOR if page.asked else Asker.NOBODY
        return author is not None and consent(author, asker, self._site.expire).listed

    # --- answers ---

    async def _index(self, request: web.Request) -> web.Response:
        followed = await self._store.list_followed()
        page = index_page(await self._latest(), joins=self._site.joins, followed=followed, root=root_of(request))
        return answer(request, page, "text/html")

    async def _latest_feed(self, request: web.Request) -> web.Response:
        return _feed(request, await self._latest())

    async def _tag(self, request: web.Request) -> web.Response:
        return answer(request, list_page(await self._on_tag(request), root=root_of(request)), "text/html")

    async def _tag_feed(self, request: web.Request) -> web.Response:
        return _feed(request, await self._on_tag(request))

    async def _author(self, request: web.Request) -> web.Response:
        return answer(request, list_page(await self._by_author(request), root=root_of(request)), "text/html")

    async def _author_feed(self, request: web.Request) -> web.Response:
        return _feed(request, await self._by_author(request))

    async def _fold(self, request: web.Request) -> web.Response:
        slug = request.match_info["slug"]
        leaf = await self._store.list_folded(slug, LATEST, _before(request))
        if leaf is None:
            raise web.HTTPNotFound
        listing = self._listing(leaf, leaf.topic, "What came in one message, the latest first.", f"fold/{slug}")
        return answer(request, list_page(listing, root=root_of(request)), "text/html")

    async def _privacy(self, request: web.Request) -> web.Response:
        language = request.query.get("lang", "") or self._site.language.partition("-")[0]
        page = privacy_page(
            site=self._site.name,
            contact=self._site.contact.removeprefix("mailto:"),
            days=self._site.expire.days,
            language=language if language in _LANGUAGES else _LANGUAGES[0],
            root=root_of(request),
        )
        return answer(request, page, "text/html")


def _before(request: web.Request) -> int | None:
    """Where a page of a list begins; what is no number is none."""
    asked = request.query.get("before", "")
    return int(asked) if asked.isdecimal() and len(asked) < 19 else None


def _feed(request: web.Request, listing: Listing) -> web.Response:
    form = request.match_info["form"]
    return answer(request, atom(listing) if form == "atom" else json_feed(listing), _KINDS[form])
