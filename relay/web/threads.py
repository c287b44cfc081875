"""Serves the threads: each as a page, a file, a book and what previews show of it; its source is asked for news."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from aiohttp import web

from relay.core.consent import Consent, page_consent, page_has_run_out, page_runs_out
from relay.i18n import Words, preferred, words
from relay.log import get_logger
from relay.records import Page, PageVersion, StoreError
from relay.web.answers import NOTHING, Body, body, root_of, send
from relay.web.context import Serving
from relay.web.lookups import Rounds
from relay.web.pages import NOBODY, message_page, thread_page
from relay.web.previews import Previews
from relay.web.render import Format, render_thread
from relay.web.thread_view import ThreadReading
from relay.web.visitors import described

log = get_logger(__name__)

Look = Callable[[Page], Awaitable[object]]
LOOK_EVERY = timedelta(seconds=60)
LOOKS = 8
"""How many threads are asked for at the same time; above, a reader gets what is stored."""
EPUB = "application/epub+zip"
_TYPES = {Format.MD: "text/markdown", Format.TXT: "text/plain", Format.JSON: "application/json"}


class ThreadRefresh:
    """Asks the sources of threads that somebody reads for news of them: ``look`` does that, if anything can."""

    def __init__(self, look: Look | None, patience: timedelta) -> None:
        self._look, self._patience = look, patience
        self._asked: dict[str, datetime] = {}
        self._looks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        for task in self._looks:
            task.cancel()

    def is_due(self, slug: str, looked: datetime | None, now: datetime) -> bool:
        """Whether to ask now; a source that was asked is left alone for a while, whatever it answered."""
        since = now - LOOK_EVERY
        for other, asked in list(self._asked.items()):  # in the order in which they were asked
            if since < asked <= now:
                break
            del self._asked[other]
        recently = slug in self._asked or (looked and since < looked <= now)
        if self._look is None or recently or len(self._looks) >= LOOKS:
            return False
        self._asked[slug] = now
        return True

    async def ask(self, page: Page) -> None:
        """Returns once it answered, failed, takes too long, or is stopped: the reader goes on without it."""
        task = asyncio.create_task(self._ask(page), name="look at a page")
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)
        await asyncio.wait([task], timeout=self._patience.total_seconds())

    async def _ask(self, page: Page) -> None:
        try:
            if self._look is not None:
                await self._look(page)
        except Exception as error:  # noqa: BLE001 - a bug of ours is told to the log, and the server goes on
            log.error("a thread could not be looked at; its page is as it was", **described(error))  # noqa: TRY400 - see described


class ThreadPages:
    """Serves threads. ``versions`` tells what each is by now."""

    def __init__(
        self, serving: Serving, versions: Rounds[str, PageVersion], asking: ThreadRefresh, previews: Previews
    ) -> None:
        self._store, self._site, self._cache = serving.store, serving.site, serving.cache
        self._take, self._layouts = serving.turns.take, serving.layouts
        self._reading, self._say = serving.reading, serving.say
        self._versions, self._asking, self._previews = versions, asking, previews
        self._visits: dict[str, asyncio.Task[None]] = {}
        """Those that are being written, by the page."""

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(r"/t/{slug:[\w-]+}", self._page),
            web.get(r"/t/{slug:[\w-]+}.{form:md|txt|json}", self._file),
            web.get(r"/t/{slug:[\w-]+}.epub", self._book),
            web.get(r"/t/{slug:[\w-]+}/preview/{name:[\w-]+}", self._preview),
        ]

    def stop(self) -> None:
        self._asking.stop()
        for task in self._visits.values():
            task.cancel()

    # --- answers ---

    async def _page(self, request: web.Request) -> web.Response:
        root, around = root_of(request), " ".join(self._site.accounts())

        def laid_out(reading: ThreadReading, allowed: Consent, until: datetime | None) -> Body:
            robots = "all" if allowed.indexed else NOBODY
            links = tuple(self._previews.links(reading))
            text = thread_page(reading, self._site, root=root, listed=allowed.listed, links=links, robots=robots)
            return body(text, "text/html", until=until, headers={"X-Robots-Tag": robots})

        return await self._answer(request, ("page", root, around), self._say(request), laid_out)

    async def _file(self, request: web.Request) -> web.Response:
        form = Format(request.match_info["form"])

        def laid_out(reading: ThreadReading, _allowed: Consent, until: datetime | None) -> Body:
            return body(render_thread(reading, form), _TYPES[form], until=until)

        return await self._answer(request, (form,), self._say(request), laid_out)

    async def _book(self, request: web.Request) -> web.Response:
        def laid_out(reading: ThreadReading, _allowed: Consent, until: datetime | None) -> Body:
            from relay.web.epub import epub  # reads XML, which an idle relay never needs

            named = {"Content-Disposition": f'attachment; filename="{reading.slug}.epub"'}
            return body(epub(reading), EPUB, until=until, headers=named)

        return await self._answer(request, ("epub",), self._say(request), laid_out)

    async def _preview(self, request: web.Request) -> web.Response:
        """What a platform asks for that was shown the address of a page: in the site's language, for many readers."""
        name = request.match_info["name"]
        if name not in self._previews.known:
            raise web.HTTPNotFound

        def laid_out(reading: ThreadReading, _allowed: Consent, until: datetime | None) -> Body:
            made = self._previews.make(name, reading)
            return body(*made, spoken=False, until=until) if made else NOTHING

        return await self._answer(request, ("preview", name), words(preferred("", self._site.language)), laid_out)

    async def _answer(
        self,
        request: web.Request,
        variant: tuple[str, ...],
        say: Words,
        laid_out: Callable[[ThreadReading, Consent, datetime | None], Body],
    ) -> web.Response:
        """The thread in one form, or the page that says why there is none to be read."""
        slug = request.match_info["slug"]
        version = await self._version(slug)
        if version is None:
            self._cache.drop(slug)
            raise web.HTTPNotFound
        make = partial(self._make, slug, say, root_of(request), laid_out)
        found = await self._cache.get(slug, version, (*variant, say.tag), make)
        if found.status == 404:
            raise web.HTTPNotFound
        if found.status == 200:
            self._note_visit(slug, version.visited)
        return send(request, found)

    async def _make(
        self, slug: str, say: Words, root: str, laid_out: Callable[[ThreadReading, Consent, datetime | None], Body]
    ) -> Body:
        page: Page | None = await self._take(self._store.get_page, slug)
        if page is None:
            return NOTHING
        until = page_runs_out(page, self._site.expire)
        if page_has_run_out(page, self._site.expire, self._site.clock()):
            text = say("This page expired because nobody had read it for a while. You can ask for it again.")
            return self._gone(say, root, text, keep=False)  # what was read again since may be read here again
        reading, allowed = self._reading(page, say), page_consent(page, self._site.expire)
        if not reading.written:
            return self._gone(say, root, say("The author removed this thread."))
        if not allowed.page:
            text = say("The author asks not to be archived.")
            return self._gone(say, root, text, link=reading.first.url)
        return await self._layouts.make(len(reading.posts), partial(laid_out, reading, allowed, until))

    def _gone(self, say: Words, root: str, text: str, *, link: str = "", keep: bool = True) -> Body:
        page = message_page(say("Removed"), text, say, site=self._site.name, root=root, link=link)
        return body(page, "text/html", status=410, keep=keep)

    # --- visits ---

    def _note_visit(self, slug: str, visited: datetime | None) -> None:
        """A page that is read stays; once a day is often enough to know. However many read it, one of them is noted."""
        now = self._site.clock()
        if slug in self._visits or (visited is not None and now - visited < timedelta(days=1)):
            return
        visit = self._visits[slug] = asyncio.create_task(self._visit(slug, now), name="visit")
        visit.add_done_callback(lambda _: self._visits.pop(slug))

    async def _visit(self, slug: str, now: datetime) -> None:
        with suppress(StoreError):  # the next reader is a visit too
            await self._store.save_visit(slug, now)

    # --- asking the source ---

    async def _version(self, slug: str) -> PageVersion | None:
        """What the page is by now, after its source was asked where that is due."""
        version = await self._versions.get(slug)
        if version is None or not self._asking.is_due(slug, version.looked, datetime.now(UTC)):
            return version
        if await self._store.get_trouble():
            return version  # what its source tells could not be kept
        page: Page | None = await self._take(self._store.get_page, slug)
        if page is None or page_has_run_out(page, self._site.expire, self._site.clock()):
            return version
        await self._asking.ask(page)
        return await self._versions.get(slug)
