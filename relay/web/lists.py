"""Serves the lists: the front page, hashtags, authors, folds, their feeds, and what is said of privacy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote

from aiohttp import web

from relay.consent import Audience, Showing, showing
from relay.hashtag import fold
from relay.language import Words, preferred, tongues
from relay.ports import Leaf, Page, Store
from relay.web.answers import answer, root_of
from relay.web.listing import Entry, Listing, atom, entries, json_feed
from relay.web.pages import index_page, list_page, privacy_page
from relay.web.reading import Reading
from relay.web.recent import RecentPages, Turns
from relay.web.site import Site

LATEST = 30
_TOGETHER = 100
"""Of what shares a message so much is on one page."""
"""Threads on one page of a list."""
_KINDS = {"atom": "application/atom+xml", "json": "application/feed+json"}


class Lists:
    """``reading`` is how a thread reads, ``say`` the reader's language, ``base`` the address of the site's top."""

    def __init__(
        self,
        store: Store,
        turns: Turns,
        pages: RecentPages,
        site: Site,
        reading: Callable[[Page, Words], Reading],
        say: Callable[[web.Request], Words],
        base: Callable[[], str],
    ) -> None:
        self._store, self._take, self._pages, self._site = store, turns.take, pages, site
        self._reading, self._say, self._base = reading, say, base

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

    async def _latest(self, request: web.Request) -> Listing:
        say = self._say(request)
        pages = await self._take(self._store.list_pages, LATEST)
        return Listing(
            title=say("Latest threads unrolled"),
            entries=self._entries(pages, Audience.EVERYBODY, say),
            address=f"{self._base()}/",
            feed="latest",
            site=self._site.name,
            say=say,
        )

    async def _on_tag(self, request: web.Request) -> Listing:
        tag = fold(request.match_info["tag"], "")
        if not tag:
            raise web.HTTPNotFound
        leaf = await self._take(self._store.list_tagged, tag, LATEST, _skipped(request))
        path = f"tag/{quote(tag)}"
        say = self._say(request)
        lead = say("What was relayed on this hashtag, the latest first.")
        return self._listing(request, leaf, f"#{tag}", lead, path, feed=path)

    async def _by_author(self, request: web.Request) -> Listing:
        slug = request.match_info["slug"]
        page = await self._pages.get(slug)
        if page is None or self._shown(page, Audience.EVERYBODY) is not Showing.THREAD:
            raise web.HTTPNotFound
        say = self._say(request)
        leaf = await self._take(self._store.list_by_author, slug, LATEST, _skipped(request))
        author = self._reading(page, say).author
        path = f"author/{slug}"
        return self._listing(request, leaf, author.name, author.handle, path, feed=path)

    def _shown(self, page: Page, audience: Audience) -> Showing:
        return showing(page, audience, self._site.expire, self._site.clock())

    def _entries(self, pages: Sequence[Page], audience: Audience, say: Words) -> tuple[Entry, ...]:
        return entries(pages, lambda page: self._shown(page, audience), lambda page: self._reading(page, say))

    def _listing(
        self, request: web.Request, leaf: Leaf, title: str, lead: str, path: str, *, feed: str = ""
    ) -> Listing:
        """``feed``: the path of its feeds; a list without feeds is a digest's."""
        say = self._say(request)
        audience = Audience.EVERYBODY if feed else Audience.RECIPIENTS
        return Listing(
            title=title,
            lead=lead,
            entries=self._entries(leaf.pages, audience, say),
            more=sum(self._shown(page, audience) is Showing.COUNTED for page in leaf.pages),
            address=f"{self._base()}/{path}",
            older=f"page={_number(request) + 1}" if leaf.more else "",
            feed=feed,
            site=self._site.name,
            say=say,
        )

    # --- answers ---

    async def _index(self, request: web.Request) -> web.Response:
        followed = await self._take(self._store.list_followed)
        latest = await self._latest(request)
        page = index_page(latest, self._site, followed=followed, root=root_of(request))
        return answer(request, page, "text/html")

    async def _latest_feed(self, request: web.Request) -> web.Response:
        return _feed(request, await self._latest(request))

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
        leaf = await self._take(self._store.list_folded, slug, _TOGETHER, _skipped(request, _TOGETHER))
        if leaf is None:
            raise web.HTTPNotFound
        say = self._say(request)
        lead = say("What came together, the latest first.")
        listing = self._listing(request, leaf, leaf.topic, lead, f"fold/{slug}")
        return answer(request, list_page(listing, root=root_of(request)), "text/html")

    async def _privacy(self, request: web.Request) -> web.Response:
        liked = request.headers.get("Accept-Language", "")
        language = request.query.get("lang", "") or preferred(liked, self._site.language.partition("-")[0])
        known = language if language in tongues() else tongues()[0]
        page = privacy_page(self._site, language=known, root=root_of(request))
        return answer(request, page, "text/html")


def _number(request: web.Request) -> int:
    """Which page of a list is asked for, from 1; what is no number is the first."""
    asked = request.query.get("page", "")
    return max(1, int(asked)) if asked.isdecimal() and len(asked) < 7 else 1


def _skipped(request: web.Request, each: int = LATEST) -> int:
    """The threads on the pages before."""
    return (_number(request) - 1) * each


def _feed(request: web.Request, listing: Listing) -> web.Response:
    form = request.match_info["form"]
    return answer(request, atom(listing) if form == "atom" else json_feed(listing), _KINDS[form])
