"""Serves the lists: the front page, hashtags, authors, digests, their feeds, and what is said of privacy."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from urllib.parse import quote

from aiohttp import web

from relay.core.consent import Audience, Showing, page_runs_out, showing
from relay.core.hashtag import fold
from relay.i18n import Words, preferred, tongues
from relay.records import ListKind, ListPart, ListVersion, Page, ThreadList
from relay.web.answers import NOTHING, Body, body, root_of, send
from relay.web.context import Serving
from relay.web.listing import Entry, Listing, entries, json_feed
from relay.web.lookups import Rounds
from relay.web.pages import index_page, list_page, privacy_page

LATEST = 30
"""Threads on one page of a list."""
_TOGETHER = 100
"""Of what shares a message so much is on one page."""
_MARK = re.compile(r"[0-9A-Za-z_-]{0,64}")
"""What a mark in a list may look like (:attr:`relay.records.ThreadList.older`)."""
_KINDS = {"atom": "application/atom+xml", "json": "application/feed+json"}


@dataclass(frozen=True, slots=True)
class _Way:
    """How one request is to be answered; all of it is part of what an answer is kept under."""

    say: Words
    root: str
    form: str
    """Of a feed; empty: a page."""
    around: str
    """Whom to mention."""


class Lists:
    """Serves lists. ``versions`` tells what each part of one is by now; ``base`` is the address of the site's top."""

    def __init__(self, serving: Serving, versions: Rounds[ListPart, ListVersion], base: Callable[[], str]) -> None:
        self._store, self._site, self._cache = serving.store, serving.site, serving.cache
        self._take, self._layouts = serving.turns.take, serving.layouts
        self._reading, self._say = serving.reading, serving.say
        self._versions, self._base = versions, base

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._latest),
            web.get(r"/latest.{form:atom|json}", self._latest),
            web.get(r"/tag/{tag:[^/.]+}", self._tag),
            web.get(r"/tag/{tag:[^/.]+}.{form:atom|json}", self._tag),
            web.get(r"/author/{slug:[\w-]+}", self._author),
            web.get(r"/author/{slug:[\w-]+}.{form:atom|json}", self._author),
            web.get(r"/fold/{slug:[\w-]+}", self._digest),
            web.get("/privacy", self._privacy),
        ]

    # --- answers ---

    async def _latest(self, request: web.Request) -> web.Response:
        return await self._answer(request, ListPart(kind=ListKind.LATEST, limit=LATEST), self._make_latest)

    async def _tag(self, request: web.Request) -> web.Response:
        tag = fold(request.match_info["tag"], "")
        if not tag:
            raise web.HTTPNotFound
        return await self._answer(request, _part(request, ListKind.TAG, tag), self._make_tagged)

    async def _author(self, request: web.Request) -> web.Response:
        part = _part(request, ListKind.AUTHOR, request.match_info["slug"])
        return await self._answer(request, part, self._make_by_author)

    async def _digest(self, request: web.Request) -> web.Response:
        part = _part(request, ListKind.DIGEST, request.match_info["slug"], _TOGETHER)
        return await self._answer(request, part, self._make_folded)

    async def _privacy(self, request: web.Request) -> web.Response:
        liked = request.headers.get("Accept-Language", "")
        language = request.query.get("lang", "") or preferred(liked, self._site.language.partition("-")[0])
        known = language if language in tongues() else tongues()[0]
        root = root_of(request)

        async def make() -> Body:
            return body(privacy_page(self._site, language=known, root=root), "text/html")

        variant = known, root, tuple(self._site.accounts())
        return send(request, await self._cache.get(("privacy",), "", variant, make))  # a text would be a thread's slug

    async def _answer(
        self, request: web.Request, part: ListPart, make: Callable[[ListPart, _Way], Awaitable[Body]]
    ) -> web.Response:
        version = await self._versions.get(part)
        if version is None:
            self._cache.drop(part)
            raise web.HTTPNotFound
        form = request.match_info.get("form", "")
        way = _Way(self._say(request), root_of(request), form, " ".join(self._site.accounts()))

        async def made() -> Body:
            answer = await make(part, way)
            # what came in between and goes again leaves the list as it was, but not what was made of it meanwhile
            return answer if await self._versions.get(part) == version else replace(answer, keep=False)

        found = await self._cache.get(part, version, way, made)
        if found.status == 404:
            raise web.HTTPNotFound
        return send(request, found)

    # --- the lists ---

    async def _make_latest(self, part: ListPart, way: _Way) -> Body:
        followed = await self._take(self._store.list_followed)
        pages = await self._take(self._store.list_pages, part.limit)
        listing = Listing(
            title=way.say("Latest threads"),
            entries=self._entries(pages, Audience.EVERYBODY, way.say),
            address=f"{self._base()}/",
            feed="latest",
            site=self._site.name,
            say=way.say,
        )
        page = partial(index_page, listing, self._site, followed=followed, root=way.root)
        return await self._laid_out(way, listing, page)

    async def _make_tagged(self, part: ListPart, way: _Way) -> Body:
        listed = await self._take(self._store.list_tagged, part.name, part.limit, part.after)
        path = f"tag/{quote(part.name)}"
        lead = way.say("Posts with this hashtag, newest first.")
        listing = self._listing(listed, way, f"#{part.name}", lead, path, feed=path)
        # what nobody wrote about is not kept: the hashtag may be any word of a visitor's
        return await self._laid_out(way, listing, partial(list_page, listing, root=way.root), keep=bool(listed.pages))

    async def _make_by_author(self, part: ListPart, way: _Way) -> Body:
        page: Page | None = await self._take(self._store.get_page, part.name)
        if page is None or self._shown(page, Audience.EVERYBODY) is not Showing.THREAD:
            return NOTHING
        listed = await self._take(self._store.list_by_author, part.name, part.limit, part.after)
        author = self._reading(page, way.say).author
        path = f"author/{part.name}"
        listing = self._listing(listed, way, author.name, author.handle, path, feed=path)
        return await self._laid_out(way, listing, partial(list_page, listing, root=way.root))

    async def _make_folded(self, part: ListPart, way: _Way) -> Body:
        listed = await self._take(self._store.list_digest, part.name, part.limit, part.after)
        if listed is None:
            return NOTHING
        lead = way.say("Posts that were grouped in one message, newest first.")
        listing = self._listing(listed, way, listed.topic, lead, f"fold/{part.name}")
        stays = [page_runs_out(page, self._site.expire) for page in listed.pages]
        until = min((moment for moment in stays if moment and moment >= self._site.clock()), default=None)
        return await self._laid_out(way, listing, partial(list_page, listing, root=way.root), until=until)

    async def _laid_out(
        self,
        way: _Way,
        listing: Listing,
        page: Callable[[], str],
        *,
        until: datetime | None = None,
        keep: bool = True,
    ) -> Body:
        def make() -> Body:
            if not way.form:
                return body(page(), "text/html", until=until, keep=keep)
            feed = _atom(listing) if way.form == "atom" else json_feed(listing)
            return body(feed, _KINDS[way.form], until=until, keep=keep)

        return await self._layouts.make(len(listing.entries), make)

    def _shown(self, page: Page, audience: Audience) -> Showing:
        return showing(page, audience, self._site.expire, self._site.clock())

    def _entries(self, pages: Sequence[Page], audience: Audience, say: Words) -> tuple[Entry, ...]:
        return entries(pages, lambda page: self._shown(page, audience), lambda page: self._reading(page, say))

    def _listing(self, listed: ThreadList, way: _Way, title: str, lead: str, path: str, *, feed: str = "") -> Listing:
        """``feed``: the path of its feeds; a list without feeds is a digest's."""
        audience = Audience.EVERYBODY if feed else Audience.RECIPIENTS
        return Listing(
            title=title,
            lead=lead,
            entries=self._entries(listed.pages, audience, way.say),
            more=sum(self._shown(page, audience) is Showing.COUNTED for page in listed.pages),
            address=f"{self._base()}/{path}",
            older=f"after={listed.older}" if listed.older else "",
            feed=feed,
            site=self._site.name,
            say=way.say,
        )


def _part(request: web.Request, kind: ListKind, name: str, limit: int = LATEST) -> ListPart:
    after = request.query.get("after", "")
    if not _MARK.fullmatch(after):
        raise web.HTTPNotFound
    return ListPart(kind=kind, name=name, after=after, limit=limit)


def _atom(listing: Listing) -> str:
    from relay.web.atom import atom  # writes XML, which an idle relay never needs

    return atom(listing)
