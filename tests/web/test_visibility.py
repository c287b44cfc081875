"""No address of the pages tells of somebody who is not to be listed, but their own page, which nobody can guess.

Every route of the web application is asked. A new one fails the first test until it is put into one of the sets below.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from aiohttp import ClientSession, DummyCookieJar

from relay.core.consent import UNDO_FOR, Showing
from relay.model import Author, Post, PostUri
from relay.options import DeliveryOptions
from relay.plugins import Preview
from relay.records import Allowance
from relay.store import Store, open_store
from relay.testing import NOON, author, post, text
from relay.web import Web
from relay.web.previews import Previews
from relay.web.site import Site
from tests.support.digest_cases import bring, subscribe
from tests.support.store_cases import carry as carry_all
from tests.support.store_cases import delete, publish

LISTS = {
    "/",
    "/latest.{form}",
    "/tag/{tag}",
    "/tag/{tag}.{form}",
    "/author/{slug}",
    "/author/{slug}.{form}",
}
"""Lists that anybody may open."""
DIGESTS = {"/fold/{slug}"}
"""Pages of digests: their addresses were sent to one chat."""
THREADS = {"/t/{slug}", "/t/{slug}.{form}", "/t/{slug}.epub", "/t/{slug}/preview/{name}"}
"""The page of one thread, and its forms: their addresses cannot be guessed."""
OTHERS = {"/style.css", "/robots.txt", "/healthz", "/readyz", "/privacy", "/hook/{name}"}
"""What says nothing of any thread."""
FORMS = ("atom", "json", "md", "txt")


@dataclass(frozen=True)
class Person:
    """Somebody whose words, name and addresses contain ``mark`` and nobody else's do."""

    mark: str
    digest: Showing
    """What the page of a digest may show of their thread."""
    discoverable: bool | None = None
    indexable: bool | None = None
    refuses: bool = False

    @property
    def author(self) -> Author:
        plain = author(self.mark)
        said = {"discoverable": self.discoverable, "indexable": self.indexable, "refuses": self.refuses}
        return replace(plain, **said)  # type: ignore[arg-type]  # three fields of an author

    def thread(self, number: int) -> tuple[Post, Post]:
        who = self.author
        one, two = (
            post(
                number + place,
                uri=PostUri(f"{who.uri}/{place}"),
                url=f"{who.url}/{place}",
                aliases=(),
                author=who,
                tags=("bridge", "rope"),
                title=f"Title-{self.mark}",
                body=text(f"Words-{self.mark}."),
                warning=f"Warned-{self.mark}" if place else "",
            )
            for place in (0, 1)
        )
        return one, replace(two, reply_to=one.uri, reply_to_author=who.uri)


NO_FILTERS = Person("Ukuku", Showing.THREAD, discoverable=True)
SILENT = Person("Sallqa", Showing.HEADLINE)
DENYING = Person("Yuraq", Showing.LINK, discoverable=False)
INDEXED = Person("Waman", Showing.HEADLINE, indexable=True)
ASKED = Person("Kuntur", Showing.HEADLINE)
UNLISTED = Person("Wayra", Showing.LINK, discoverable=True)
CHANGED = Person("Chiri", Showing.LINK, discoverable=True)
REFUSING = Person("Tuta", Showing.COUNTED, discoverable=True, refuses=True)
DELETED = Person("Puyu", Showing.NOTHING, discoverable=True)
FORGOTTEN = Person("Qasa", Showing.NOTHING, discoverable=True)
HIDDEN = (SILENT, DENYING, INDEXED, ASKED, UNLISTED, CHANGED, REFUSING, DELETED, FORGOTTEN)
EVERYBODY = (NO_FILTERS, *HIDDEN)


def threads() -> list[Post]:
    posts = [one for place, who in enumerate(EVERYBODY) for one in who.thread(10 * place + 1)]
    return [_as_it_is(one) for one in posts]


def _as_it_is(one: Post) -> Post:
    if one.author.name == UNLISTED.mark:
        return replace(one, unlisted=True)
    if one.author.name == CHANGED.mark and one.reply_to:
        return replace(one, author=replace(one.author, discoverable=False))
    return one


class World:
    """A relay that has relayed a thread of everybody, one by one and as a digest."""

    def __init__(self, store: Store, web: Web, session: ClientSession) -> None:
        self.store, self.web, self.session = store, web, session
        self.slugs: dict[str, str] = {}
        self.digest = ""

    async def get(self, path: str, **headers: str) -> str:
        """The whole answer: its headers and its words."""
        async with self.session.get(self.web.url + path, headers=headers, allow_redirects=False) as answer:
            return f"{answer.status} {dict(answer.headers)}\n{(await answer.read()).decode(errors='replace')}"

    async def paths(self, routes: set[str], slug: str = "nothing") -> list[str]:
        """Every way to ask for these routes."""
        values = {"tag": ["bridge", "rope", "Bridge", "nothing"], "form": FORMS, "name": ["paper"], "slug": [slug]}
        made = sorted(routes)
        for name, some in values.items():
            made = [
                path.replace(f"{{{name}}}", one) for path in made for one in (some if f"{{{name}}}" in path else [""])
            ]
        return [path + query for path in made for query in ("", "?after=nothing", "?before=99", "?lang=es")]


@asynccontextmanager
async def world(day: float) -> AsyncIterator[World]:
    store = await open_store("sqlite://")
    clock = lambda: NOON + timedelta(days=day)  # noqa: E731 - a value for one field
    paper = Preview(rel="paper", kind="text/plain", make=lambda card, _say, _colour: f"{card.post.body}")
    site = Site(public_url="https://relay.example", clock=clock)
    web = Web(store, None, site, previews=Previews({"paper": paper}))
    await web.start("127.0.0.1", 0)
    try:
        async with ClientSession(cookie_jar=DummyCookieJar()) as session:
            here = World(store, web, session)
            await _relay(here)
            yield here
    finally:
        await web.stop()
        await store.close()


async def _relay(here: World) -> None:
    subscription = await subscribe(here.store, DeliveryOptions())
    await subscribe(here.store, DeliveryOptions(), topic="#rope", name="b")
    posts = threads()
    first = post(999, author=replace(author("Pampa"), discoverable=True))
    await bring(here.store, first, *posts, to=subscription, allowance=Allowance(30, 1))
    [*_, digest] = await carry_all(here.store)
    here.digest = digest.page
    for person in EVERYBODY:
        page = await here.store.get_page_of(f"{person.author.uri}/0")
        assert page
        here.slugs[person.mark] = page.slug
    for place in (0, 1):
        await delete(here.store, f"{DELETED.author.uri}/{place}")
    await here.store.save_author_stop(FORGOTTEN.author.uri, NOON, NOON + UNDO_FOR)
    await here.store.save_visit(here.slugs[ASKED.mark], NOON, asked=True)


def traces(answer: str, here: World, person: Person) -> list[str]:
    """What an answer tells of somebody."""
    known = {"mark": person.mark.casefold(), "slug": here.slugs[person.mark].casefold()}
    return [name for name, value in known.items() if value in answer.casefold()]


def test_every_route_is_classified() -> None:
    """A route that shows threads belongs into LISTS, DIGESTS or THREADS, and the tests below ask it."""
    app = Web(None, None, Site())._application()  # type: ignore[arg-type]  # it is not asked
    routes = {resource.canonical for resource in app.router.resources()}
    assert routes == LISTS | DIGESTS | THREADS | OTHERS


@pytest.mark.parametrize("day", [0, 100])
@pytest.mark.parametrize("language", ["en", "es"])
async def test_what_anybody_can_open_tells_of_nobody_who_is_not_to_be_listed(day: int, language: str) -> None:
    """After a hundred days that nobody read the pages, those that may run out have run out."""
    async with world(day) as here:
        shown = set()
        for path in await here.paths(LISTS | OTHERS, here.slugs[NO_FILTERS.mark]):
            answer = await here.get(path, **{"Accept-Language": language})
            found = {person.mark: some for person in HIDDEN if (some := traces(answer, here, person))}
            assert not found, path
            shown |= {path} if traces(answer, here, NO_FILTERS) else set()
        assert {"/", "/latest.atom", "/tag/bridge", "/tag/rope.json"} <= shown
        for person in HIDDEN:  # nor does anything lead on from the slug of their page
            for path in await here.paths({one for one in LISTS if "{slug}" in one}, here.slugs[person.mark]):
                assert (await here.get(path)).startswith("404"), path


@pytest.mark.parametrize("day", [0, 100])
async def test_a_page_tells_of_nobody_else(day: int) -> None:
    async with world(day) as here:
        for reader in EVERYBODY:
            for path in await here.paths(THREADS, here.slugs[reader.mark]):
                answer = await here.get(path)
                found = [person.mark for person in EVERYBODY if person is not reader and traces(answer, here, person)]
                assert not found, path


@pytest.mark.parametrize("person", [SILENT, REFUSING, DELETED, FORGOTTEN], ids=lambda person: person.mark)
async def test_a_page_that_is_no_more_has_no_words_in_any_form(person: Person) -> None:
    async with world(day=100) as here:
        for path in await here.paths(THREADS, here.slugs[person.mark]):
            answer = await here.get(path)
            assert f"words-{person.mark}".casefold() not in answer.casefold(), path
            assert f"title-{person.mark}".casefold() not in answer.casefold(), path


@pytest.mark.parametrize("day", [0, 100])
async def test_a_digest_leads_to_originals_without_words_or_pages(day: int) -> None:
    async with world(day) as here:
        for path in await here.paths(DIGESTS, here.digest):
            answer = await here.get(path)
            for person in EVERYBODY:
                found = set(traces(answer, here, person))
                says = f"words-{person.mark}".casefold() in answer.casefold()
                titled = f"title-{person.mark}".casefold() in answer.casefold()
                match person.digest:
                    case Showing.THREAD:
                        assert "after=" in path or (found == {"mark", "slug"} and titled)
                    case Showing.HEADLINE | Showing.LINK:
                        named = person.digest is Showing.HEADLINE and "after=" not in path
                        named &= day == 0 or person is not SILENT  # whose page has run out by then
                        assert (says, titled, "slug" in found) == (False, named, False), path
                        assert "after=" in path or f'href="{person.author.url}/0"' in answer, path
                    case _:
                        assert not found, path


async def test_lists_are_as_if_those_who_are_not_to_be_listed_were_not_there() -> None:
    """Neither a count nor a link to older threads tells that somebody was left out."""
    async with world(day=0) as here:
        before = [await here.get(path) for path in await here.paths(LISTS, here.slugs[NO_FILTERS.mark])]
        shy = [post(n, author=SILENT.author, tags=("bridge",), aliases=()) for n in range(1000, 1040)]
        await publish(here.store, *shy)
        after = [await here.get(path) for path in await here.paths(LISTS, here.slugs[NO_FILTERS.mark])]
        assert [_undated(one) for one in after] == [_undated(one) for one in before]


def _undated(answer: str) -> str:
    head, _, body = answer.partition("\n")
    return head.split(" ")[0] + body
