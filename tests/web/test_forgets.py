"""What is kept for visitors is shown to nobody once it was taken down, by whichever process and in whichever form."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from aiohttp import ClientSession, DummyCookieJar

from relay.core.consent import UNDO_FOR
from relay.model import Quote
from relay.options import DeliveryOptions
from relay.plugins import Preview
from relay.records import ActingUser, Allowance, ThreadList
from relay.store import Store, open_store
from relay.testing import NOON, author, post, text
from relay.web import Web
from relay.web.previews import Previews
from relay.web.site import Site
from tests.support.digest_cases import bring, subscribe
from tests.support.store_cases import ROOM, carry, delete, edit, publish, uri
from tests.support.store_forgotten_cases import stop, undo

SECRET = "Seven knots"
SAMI = author("Sami")
OTHER = replace(author("Killa"), discoverable=True)


class Reader:
    """Reads the pages of a relay as many do: again and again, in each form, with what is known from the last time."""

    def __init__(self, store: Store, web: Web, session: ClientSession) -> None:
        self.store, self.web, self.session = store, web, session
        self.days = 0.0
        self.paths: tuple[str, ...] = ()
        self.known: dict[tuple[str, str], tuple[str, bytes]] = {}

    async def get(self, path: str, language: str = "en") -> bytes:
        """What stands there by now: what was read before is shown again where the answer is that it is the same."""
        tag, known = self.known.get((path, language), ("", b""))
        headers = {"Accept-Language": language} | ({"If-None-Match": tag} if tag else {})
        async with self.session.get(self.web.url + path, headers=headers) as answer:
            assert answer.status in (200, 304, 404, 410)
            told = known if answer.status == 304 else await answer.read()
            self.known[path, language] = answer.headers.get("ETag", ""), told
            return told

    async def showing(self) -> set[str]:
        """Where the words are to be read."""
        asked = [(path, language) for path in self.paths for language in ("en", "es")]
        return {path for path, language in asked if SECRET.encode() in await self.get(path, language)}


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[Reader]:
    store = await open_store(url)
    paper = Preview(rel="paper", kind="text/plain", make=lambda card, _say, _colour: f"{card.post.body}")
    site = Site(public_url="https://relay.example", clock=lambda: NOON + timedelta(days=reader.days))
    web = Web(store, None, site, previews=Previews({"paper": paper}))
    await web.start("127.0.0.1", 0)
    try:
        async with ClientSession(cookie_jar=DummyCookieJar()) as session:
            reader = Reader(store, web, session)
            yield reader
    finally:
        await web.stop()
        await store.close()


THREAD = (
    post(1, title=SECRET, body=text(SECRET), tags=("bridge",)),
    post(2, body=text("And more."), reply_to=uri(1)),
)


async def fill(reader: Reader) -> None:
    """A thread that is on every list, and was read in each form."""
    here = await subscribe(reader.store, DeliveryOptions())
    first = post(900, author=OTHER, tags=("bridge",))
    await bring(reader.store, first, *THREAD, post(901, author=OTHER), to=here, allowance=Allowance(30, 1))
    [*_, digest] = await carry(reader.store)
    page = await reader.store.get_page_of(uri(1))
    assert page
    thread = [f"/t/{page.slug}{form}" for form in ("", ".md", ".txt", ".json", "/preview/paper")]
    lists = ["/", "/latest.atom", "/latest.json"]
    for path in ("tag/bridge", f"author/{page.slug}"):
        lists += [f"/{path}{form}" for form in ("", ".atom", ".json")]
    reader.paths = (*thread, *lists, f"/fold/{digest.page}")
    for _ in range(2):  # the first readers are noted as visitors
        assert await reader.showing() == set(reader.paths)


BotAction = Callable[[Store], Awaitable[object]]


async def _deleted(store: Store) -> None:
    for number in (1, 2):
        await delete(store, uri(number))


async def _edited(store: Store) -> None:
    await edit(store, replace(THREAD[0], title="Better", body=text("Better."), edited=NOON + timedelta(hours=1)))


async def _stopped(store: Store) -> None:
    await stop(store, author())


async def _forgotten(store: Store) -> None:
    await store.save_post_stop(uri(2), NOON, NOON + UNDO_FOR)


async def _erased(store: Store) -> None:
    await store.save_author_stop(author().uri, NOON, NOON)
    assert await store.save_erased(NOON + UNDO_FOR)


DEEDS = {
    "deletion": _deleted,
    "edit": _edited,
    "stop": _stopped,
    "operator": _forgotten,
    "erasure": _erased,
}


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
@pytest.mark.parametrize("deed", DEEDS)
async def test_what_was_taken_down_is_shown_nowhere_from_then_on(store_url: str, deed: str, *, elsewhere: bool) -> None:
    async with reading(store_url) as reader:
        await fill(reader)
        store = await open_store(store_url) if elsewhere else reader.store
        await DEEDS[deed](store)
        assert await reader.showing() == set()
        if elsewhere:
            await store.close()


async def test_who_says_no_to_lists_is_in_none_and_who_says_no_to_pages_has_none(store_url: str) -> None:
    async with reading(store_url) as reader:
        await fill(reader)
        other = await open_store(store_url)
        await publish(other, post(3, author=replace(author(), discoverable=False)))
        shown = await reader.showing()
        assert {path for path in shown if not path.startswith("/t/")} == set()
        await edit(other, replace(THREAD[0], author=replace(author(), refuses=True)))
        assert await reader.showing() == set()
        await other.close()


class Interrupted:
    """A store in which something is written between the look at a list and the reading of it."""

    def __init__(self, store: Store, deed: Callable[[], Awaitable[object]]) -> None:
        self.store, self.deed = store, deed

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    async def list_tagged(self, tag: str, limit: int, after: str = "") -> ThreadList:
        await self.deed()
        return await self.store.list_tagged(tag, limit, after)


async def test_what_came_while_a_list_was_made_and_went_again_is_shown_no_more(sqlite_url: str) -> None:
    """Then the list is the same as before it came, but what was made of it meanwhile is not."""
    store = await open_store(sqlite_url)
    await subscribe(store, DeliveryOptions())
    await publish(store, post(9, author=OTHER, tags=("bridge",)))
    web = Web(cast(Store, Interrupted(store, lambda: publish(store, THREAD[0]))), None, Site())
    await web.start("127.0.0.1", 0)
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:
        reader = Reader(store, web, session)
        assert SECRET.encode() in await reader.get("/tag/bridge")
        await delete(store, THREAD[0].uri)
        assert SECRET.encode() not in await reader.get("/tag/bridge")
    await web.stop()
    await store.close()


async def test_a_book_is_forgotten_too(sqlite_url: str) -> None:
    async with reading(sqlite_url) as reader:
        await fill(reader)
        book = f"{reader.paths[0]}.epub"
        assert (await reader.get(book)).startswith(b"PK")
        other = await open_store(sqlite_url)
        await _stopped(other)
        assert b"Removed" in await reader.get(book)
        await other.close()


async def test_a_page_that_ran_out_is_gone_and_comes_back_when_it_was_asked_for(store_url: str) -> None:
    async with reading(store_url) as reader:
        shy = tuple(replace(one, author=replace(SAMI, discoverable=None)) for one in THREAD)
        await publish(reader.store, *shy)
        page = await reader.store.get_page_of(uri(1))
        assert page
        reader.paths = tuple(f"/t/{page.slug}{form}" for form in ("", ".md", ".txt", ".json"))
        assert await reader.showing() == set(reader.paths)
        while (found := await reader.store.get_page(page.slug)) and found.visited is None:
            pass  # the visit is written down beside the answer
        reader.days = 31
        assert await reader.showing() == set()
        other = await open_store(store_url)
        await other.save_visit(page.slug, NOON + timedelta(days=31))
        await other.close()
        assert await reader.showing() == set(reader.paths)


async def test_a_quote_of_who_was_taken_out_goes_with_them_and_comes_back_with_them(store_url: str) -> None:
    async with reading(store_url) as reader:
        quote = Quote(url="https://ayllu.example/@sami/9", author=SAMI, body=text(SECRET))
        await publish(reader.store, post(1, quote=quote))
        page = await reader.store.get_page_of(uri(1))
        assert page
        reader.paths = tuple(f"/t/{page.slug}{form}" for form in ("", ".md", ".txt", ".json"))
        assert await reader.showing() == set(reader.paths)
        other = await open_store(store_url)
        await stop(other, SAMI)
        assert await reader.showing() == set()
        await undo(other, SAMI)
        assert await reader.showing() == set(reader.paths)
        await other.close()


async def test_what_a_channel_follows_is_hidden_at_once_when_it_says_so(store_url: str) -> None:
    async with reading(store_url) as reader:
        await subscribe(reader.store, DeliveryOptions(), name="chat")
        await publish(reader.store, *THREAD)
        by, other = ActingUser(user="7", action="settings", now=NOON), await open_store(store_url)
        assert SECRET.encode() not in await reader.get("/tag/bridge")
        for listed in (True, False):
            await other.save_listed(ROOM, by, listed=listed)
            assert (b"#bridge" in await reader.get("/")) is listed
            assert (SECRET.encode() in await reader.get("/tag/bridge")) is listed
        await other.close()


# --- how it is sent ---


@pytest.fixture
async def warm(sqlite_url: str) -> AsyncIterator[Reader]:
    async with reading(sqlite_url) as reader:
        await fill(reader)
        yield reader


async def _raw(reader: Reader, path: str, method: str = "GET", **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with reader.session.request(
        method, reader.web.url + path, headers=named, auto_decompress=False, skip_auto_headers=("Accept-Encoding",)
    ) as answer:
        return answer.status, answer.headers, await answer.read()


async def test_a_kept_answer_is_sent_in_the_form_that_the_reader_takes(warm: Reader) -> None:
    for path in warm.paths:
        _, plainly, plain = await _raw(warm, path)
        _, packedly, packed = await _raw(warm, path, Accept_Encoding="br, gzip;q=0.5")
        _, refused, whole = await _raw(warm, path, Accept_Encoding="gzip;q=0, *")
        assert "Content-Encoding" not in {**plainly, **refused}
        assert plain == whole
        assert plainly["ETag"] == packedly["ETag"]
        assert "Accept-Encoding" in packedly["Vary"]
        if "Content-Encoding" in packedly:
            assert gzip.decompress(packed) == plain
            assert int(packedly["Content-Length"]) == len(packed) < len(plain)
        else:
            assert len(plain) < 1_000


async def test_head_not_modified_and_a_range_are_answered_of_what_is_kept(warm: Reader) -> None:
    for path in warm.paths:
        status, headers, whole = await _raw(warm, path)
        assert (await _raw(warm, path, "HEAD"))[1]["Content-Length"] == headers["Content-Length"]
        assert (await _raw(warm, path, "HEAD"))[2] == b""
        again, told, nothing = await _raw(warm, path, If_None_Match=headers["ETag"])
        assert (again, nothing, told["ETag"], told["Vary"]) == (304, b"", headers["ETag"], headers["Vary"])
        parts, _, part = await _raw(warm, path, Range="bytes=0-9")
        assert (status, parts, part) == (200, 200, whole)  # a server may leave ranges out (RFC 9110, 14.2)


async def test_what_is_kept_in_one_language_or_form_is_not_sent_in_another(warm: Reader) -> None:
    page = warm.paths[0]
    english, spanish = [(await _raw(warm, page, Accept_Language=language))[2] for language in ("en", "es")]
    assert b"Read the original" in english
    assert b"Read the original" not in spanish
    assert b'lang="es"' in spanish
    kinds = {(await _raw(warm, path))[1]["Content-Type"] for path in warm.paths}
    assert len(kinds) >= 6
