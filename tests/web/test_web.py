"""The pages over HTTP: headers, formats, what is not there, asking the source, starting and stopping."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from urllib.parse import urljoin

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from relay.model import Removed
from relay.plugins import Hooks
from relay.records import Page, PageVersion, StoreError
from relay.store import Store
from relay.testing import author, post, text
from relay.web import Web
from relay.web.site import Site
from tests.support.reader import HTML, SLUG, Kept, one, page, served

# --- headers ---

EVERYWHERE = [f"/t/{SLUG}", f"/t/{SLUG}.md", "/", "/nothing", "/healthz", "/readyz", "/robots.txt", "/style.css"]


@pytest.mark.parametrize("path", EVERYWHERE)
async def test_every_answer_protects_its_reader_and_its_author(path: str) -> None:
    async with served(page()) as get:
        response = await get(path)
    policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "img-src": "https: http: data:",
        "media-src": "https: http:",
        "style-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert response.headers["X-Robots-Tag"] == "noindex, noarchive"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in response.headers
    assert "Python" not in response.headers["Server"]
    assert "<script" not in response.text


async def test_a_page_is_sent_once_and_may_be_kept_for_a_minute() -> None:
    async with served(page()) as get:
        first = await get(f"/t/{SLUG}")
        again = await get(f"/t/{SLUG}", headers={"If-None-Match": first.headers["ETag"]})
        changed = await get(f"/t/{SLUG}", headers={"If-None-Match": 'W/"else"'})
    assert first.headers["Cache-Control"] == "max-age=60"
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == "max-age=60"
    assert changed.status == 200


async def test_the_style_sheet_has_a_name_of_its_own_and_may_be_kept() -> None:
    async with served(page()) as get:
        href = one((await get("/")).tree, "link[rel=stylesheet]").attributes["href"] or ""
        response = await get(href.removeprefix("."))
    assert (response.status, response.kind) == (200, "text/css; charset=utf-8")
    assert "immutable" in response.headers["Cache-Control"]


async def test_head_answers_like_get_without_the_page() -> None:
    async with served(page()) as get:
        response = await get(f"/t/{SLUG}", method="HEAD")
    assert (response.status, response.kind, response.body) == (200, HTML, b"")


# --- formats ---


@pytest.mark.parametrize(
    ("ending", "kind", "begins"),
    [
        ("md", "text/markdown", r"# Illa (@illa@ayllu.example)"),
        ("txt", "text/plain", "Illa (@illa@ayllu.example)\n"),
        ("json", "application/json", "{"),
    ],
)
async def test_a_thread_can_be_taken_away(ending: str, kind: str, begins: str) -> None:
    async with served(page()) as get:
        response = await get(f"/t/{SLUG}.{ending}")
    assert (response.status, response.kind) == (200, f"{kind}; charset=utf-8")
    assert (response.text).startswith(begins)


# --- what is not there ---


@pytest.mark.parametrize("path", ["/t/unknown", "/t/unknown.md", f"/t/{SLUG}.exe", "/t/", "/a/b/c", "/t/../etc"])
async def test_what_is_not_there_is_a_friendly_page(path: str) -> None:
    async with served(page()) as get:
        response = await get(path)
    assert response.status == 404
    tree = response.tree
    assert one(tree, "h1").text() == "Nothing here"
    style = one(tree, "link[rel=stylesheet]").attributes["href"] or ""
    assert urljoin(path, style).startswith("/style.css?")


@pytest.mark.parametrize("end", ["%0d%0aX-Evil:%20a", "%0a", "%00", "%1b[31m", "%7f", "%c2%85", "%e2%80%a8"])
@pytest.mark.parametrize("path", ["/tag/a{}", "/tag/a{}.atom", "/t/a{}", "/{}", "/fold/a{}", "/hook/a{}"])
async def test_an_address_with_control_characters_leads_nowhere(path: str, end: str) -> None:
    async with served(page()) as get:
        response = await get(path.format(end))
    assert response.status == 404
    assert one(response.tree, "h1").text() == "Nothing here"
    assert "Evil" not in response.text


@pytest.mark.parametrize("ending", ["", ".md", ".json"])
async def test_a_page_whose_posts_were_all_removed_is_gone(ending: str) -> None:
    async with served(page(Removed(post(1).uri))) as get:
        response = await get(f"/t/{SLUG}{ending}")
    assert response.status == 410
    assert "The author removed this thread" in response.text


async def test_an_author_who_asks_not_to_be_kept_is_not_shown() -> None:
    refusing = replace(author(), refuses=True)
    async with served(page(post(1, author=refusing, body=text("Not for you.")))) as get:
        response, index = await get(f"/t/{SLUG}"), await get("/")
    assert response.status == 410
    assert "Not for you." not in response.text + index.text
    assert "https://ayllu.example/@illa/1" in response.text


async def test_another_method_is_refused_with_a_page() -> None:
    async with served(page()) as get:
        response = await get(f"/t/{SLUG}", method="POST")
    assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")


@pytest.mark.parametrize(("trouble", "status"), [(StoreError("the disk is full"), 503), (ValueError("secret"), 500)])
async def test_trouble_is_a_page_that_tells_no_secret(trouble: Exception, status: int) -> None:
    async with served(page(), trouble=trouble) as get:
        response = await get(f"/t/{SLUG}")
    assert response.status == status
    assert response.headers["Cache-Control"] == "no-store"
    assert str(trouble) not in response.text


async def test_visitors_do_not_fill_the_log_while_the_store_is_away() -> None:
    with capture_logs() as logs:
        async with served(page(), trouble=StoreError("the disk is full")) as get:
            for path in (f"/t/{SLUG}", f"/t/{SLUG}.md", "/", f"/t/{SLUG}"):
                assert (await get(path)).status == 503
    assert [line["reason"] for line in logs] == ["the disk is full"]


# --- crawlers and health ---


async def test_crawlers_are_asked_to_stay_away() -> None:
    async with served() as get:
        told = (await get("/robots.txt")).text
    assert told == "User-agent: *\nAllow: /t/\nAllow: /style.css\nDisallow: /\n"  # each page says for itself


async def test_health_is_told_apart_from_readiness() -> None:
    async with served() as get:
        ready = json.loads((await get("/readyz")).text)
    with capture_logs() as logs:
        async with served(trouble=StoreError("/home/chaski/relay.sqlite3 is locked (SECRET).", "is locked")) as get:
            health, unready, _again = await get("/healthz"), await get("/readyz"), await get("/readyz")
    async with served(unwritten="did not fit on the disk") as get:
        full = await get("/readyz")
    assert set(ready) == {"ready", "version", "connections", "bad_requests"}  # nobody's business is how much there is
    assert (health.status, health.text) == (200, "ok\n")
    assert (unready.status, json.loads(unready.text)) == (503, {"ready": False, "reason": "the database is locked"})
    assert [line["reason"] for line in logs] == ["/home/chaski/relay.sqlite3 is locked (SECRET)."]
    assert (full.status, json.loads(full.text)["reason"]) == (503, "the database did not fit on the disk")


# --- what platforms post ---


async def test_what_a_platform_posts_is_handed_to_who_listens_there() -> None:
    hooks, heard = Hooks(base="https://relay.example/chaski/"), []

    async def hook(headers: Mapping[str, str], body: bytes) -> int:
        heard.append((headers["x-secret"], body))
        return 202

    assert hooks.open("tele-1", hook) == "https://relay.example/chaski/hook/tele-1"
    async with served(hooks=hooks) as get:
        response = await get("/hook/tele-1", method="POST", headers={"X-Secret": "quipu"}, data=b"\xff{}")
        largest = await get("/hook/tele-1", method="POST", headers={"X-Secret": ""}, data=b"x" * 1_000_000)
        hooks.close("tele-1")
        closed = await get("/hook/tele-1", method="POST")
    assert heard == [("quipu", b"\xff{}"), ("", b"x" * 1_000_000)]
    assert [answer.status for answer in (response, largest, closed)] == [202, 202, 404]
    for answer in (response, closed):
        assert (answer.body, answer.headers["Cache-Control"]) == (b"", "no-store")
        assert answer.headers["X-Robots-Tag"] == "noindex, noarchive"


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/hook/nobody", "POST", 404), ("/hook/", "POST", 404), ("/hook/a/b", "POST", 404), ("/hook/nobody", "GET", 404)],
)
async def test_nobody_listens_elsewhere(path: str, method: str, status: int) -> None:
    async with served() as get:
        assert (await get(path, method=method)).status == status


async def test_what_is_too_large_is_not_handed_on() -> None:
    hooks = Hooks(base="https://relay.example")
    hooks.open("a", lambda _headers, _body: pytest.fail("it was handed on"))
    async with served(hooks=hooks) as get:
        response = await get("/hook/a", method="POST", data=b"x" * 1_000_001)
    assert (response.status, response.body) == (413, b"")


async def test_a_bug_in_who_listens_is_told_without_what_was_posted() -> None:
    hooks = Hooks(base="https://relay.example")

    async def hook(_headers: Mapping[str, str], _body: bytes) -> int:
        raise RuntimeError("oh")

    hooks.open("a", hook)
    with capture_logs() as logs:
        async with served(hooks=hooks) as get:
            response = await get("/hook/a", method="POST", data=b"between two people")
    assert (response.status, response.body) == (500, b"")
    [told] = [one for one in logs if one["log_level"] == "error"]
    assert (told["error"], "in hook" in told["stack"]) == ("RuntimeError", True)
    assert "between two people" not in str(logs)


@pytest.mark.parametrize("sent", ["Content-Length: 9\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\nno number\r\n"])
async def test_a_call_that_breaks_off_is_no_bug(sent: str, capsys: pytest.CaptureFixture[str]) -> None:
    web = Web(cast(Store, Kept()), None, Site(name="Chaski Wasi"))
    await web.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(web.url.rpartition(":")[2]))
    writer.write(f"POST /hook/a HTTP/1.1\r\nHost: chaski.example\r\n{sent}".encode())
    writer.write_eof()
    assert b" 500 " not in await reader.read()
    writer.close()
    await writer.wait_closed()
    await web.stop()
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err


# --- asking the source ---


async def test_a_page_not_looked_at_for_a_minute_is_looked_at() -> None:
    asked: list[Page] = []

    async def look(known: Page) -> Page:
        asked.append(known)
        return page(post(1), post(2), post(3, body=text("Just said.")), looked=datetime.now(UTC))

    stale = page(looked=datetime.now(UTC) - timedelta(minutes=2))
    async with served(stale, page(slug="fresh", looked=datetime.now(UTC)), look=look) as get:
        assert "Just said." in (await get(f"/t/{SLUG}")).text
        assert "Just said." in (await get(f"/t/{SLUG}")).text
        await get("/t/fresh")
    assert asked == [stale]


async def test_a_source_that_fails_costs_no_reader_the_page() -> None:
    async def look(_known: Page) -> Page:
        raise RuntimeError("no answer")

    async with served(page(), look=look) as get:
        assert "Post number 1." in (await get(f"/t/{SLUG}")).text


async def test_a_source_that_hangs_is_not_waited_for() -> None:
    """The reader gets what is stored; the look goes on until the server stops, which it does at once."""
    ended = asyncio.Event()

    async def look(_known: Page) -> Page:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async with served(page(), look=look, patience=timedelta(milliseconds=50)) as get:
        assert "Post number 1." in (await get(f"/t/{SLUG}")).text
        assert not ended.is_set()
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 1
    assert ended.is_set()


# --- starting and stopping ---


class Stuck(Kept):
    """A store that never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def get_page_versions(self, slugs: Collection[str]) -> Mapping[str, PageVersion]:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


class Slow(Kept):
    """A store that looks pages up once it ``may``, and never ends to write a visit."""

    def __init__(self, pages: Sequence[Page]) -> None:
        super().__init__(pages)
        self.asked, self.may = asyncio.Event(), asyncio.Event()

    async def save_visit(self, slug: str, now: datetime, *, asked: bool = False) -> None:
        await super().save_visit(slug, now, asked=asked)
        await asyncio.Event().wait()

    async def get_page_versions(self, slugs: Collection[str]) -> Mapping[str, PageVersion]:
        self.asked.set()
        await self.may.wait()
        return await super().get_page_versions(slugs)


async def test_it_stops_within_a_second_while_a_reader_waits() -> None:
    store = Stuck()
    web = Web(cast(Store, store), None, Site(name="Chaski Wasi"))
    await web.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(web.url.rpartition(":")[2]))
    writer.write(f"GET /t/{SLUG} HTTP/1.1\r\nHost: chaski.example\r\n\r\n".encode())
    await store.asked.wait()
    stopping = time.monotonic()
    await web.stop()
    assert time.monotonic() - stopping < 1
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_who_waits_as_it_stops_is_answered_where_that_is_a_matter_of_a_moment() -> None:
    slow = Slow([page()])
    web = Web(cast(Store, slow), None, Site(name="Chaski Wasi"))
    await web.start("127.0.0.1", 0)
    async with ClientSession() as session:
        asking = asyncio.create_task(session.get(f"{web.url}/t/{SLUG}"))
        await slow.asked.wait()
        stopping = asyncio.create_task(web.stop())
        while web.url:  # it still listens
            await asyncio.sleep(0)
        slow.may.set()
        answer = await asking
        assert answer.status == 200
        await stopping


async def test_of_all_who_read_a_page_one_visit_is_written_at_a_time() -> None:
    """Else they would fill the queue of a store that is locked, before all that the relay has to write."""
    slow = Slow([page(), page(post(8), slug="other")])
    slow.may.set()
    web = Web(cast(Store, slow), None, Site(name="Chaski Wasi"))
    await web.start("127.0.0.1", 0)
    async with ClientSession() as session:
        for path in (f"/t/{SLUG}", f"/t/{SLUG}.md", f"/t/{SLUG}", "/t/other"):
            async with session.get(web.url + path) as answer:
                assert answer.status == 200
    await web.stop()
    assert slow.visits == [SLUG, "other"]


async def test_stopping_twice_or_before_the_start_does_nothing() -> None:
    web = Web(cast(Store, Kept()), None, Site(name="Chaski Wasi"))
    await web.stop()
    await web.start("127.0.0.1", 0)
    await web.stop()
    await web.stop()
    assert web.url == ""


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    web = Web(cast(Store, Kept()), None, Site(name="Chaski Wasi"))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="address already in use"):
        await web.start("127.0.0.1", taken.getsockname()[1])
    assert web.url == ""


@pytest.mark.parametrize(
    ("host", "begins"), [("127.0.0.1", "http://127.0.0.1:"), ("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")]
)
async def test_its_address_can_be_opened_whatever_it_listens_on(host: str, begins: str) -> None:
    web = Web(cast(Store, Kept()), None, Site(name="Chaski Wasi"))
    try:
        await web.start(host, 0)
        assert web.url.startswith(begins)
        assert not web.url.endswith(":0")
    finally:
        await web.stop()


# --- the reader's language ---

SPANISH = {"Accept-Language": "es-PE,es;q=0.9,en;q=0.5"}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (f"/t/{SLUG}", "Leer el original"),
        (f"/t/{SLUG}.md", "Leer el original"),
        (f"/t/{SLUG}.txt", "2 publicaciones, 1 de julio de 2026"),
        ("/", "Hilos de las redes sociales abiertas"),
        ("/nothing", "Aquí no hay nada"),
        ("/privacy", "Qué guardamos"),
    ],
)
async def test_what_is_not_the_author_s_is_in_the_reader_s_language(path: str, says: str) -> None:
    async with served(page()) as get:
        spanish, english = await get(path, headers=SPANISH), await get(path)
    assert says in spanish.text
    assert says not in english.text
    if spanish.kind == HTML:
        assert (one(spanish.tree, "html").attributes["lang"], one(english.tree, "html").attributes["lang"]) == (
            "es",
            "en",
        )


async def test_a_page_that_was_made_for_one_language_is_not_sent_to_another() -> None:
    async with served(page()) as get:
        english = await get(f"/t/{SLUG}")
        spanish = await get(f"/t/{SLUG}", headers={**SPANISH, "If-None-Match": english.headers["ETag"]})
        again = await get(f"/t/{SLUG}", headers={**SPANISH, "If-None-Match": spanish.headers["ETag"]})
    assert (english.status, spanish.status, again.status) == (200, 200, 304)
    assert "Accept-Language" in spanish.headers["Vary"]
    assert "Post number 1." in spanish.text


async def test_who_never_wrote_a_language_gets_that_of_the_site() -> None:
    async with served(page(), site=Site(language="es-PE")) as get:
        assert "Leer el original" in (await get(f"/t/{SLUG}")).text
        assert "Read the original" in (await get(f"/t/{SLUG}", headers={"Accept-Language": "en"})).text


# --- what can be done ---


async def test_the_foot_says_how_to_ask_and_how_to_take_it_back() -> None:
    known: list[str] = []
    async with served(page(), site=Site(name="Plaza", accounts=lambda: known)) as get:
        before = one((await get(f"/t/{SLUG}")).tree, "footer").text()
        known += ["@plaza@ayllu.example", "@plaza.example"]
        after = one((await get(f"/t/{SLUG}")).tree, "footer").text()
        front = one((await get("/")).tree, "footer").text()
        privacy = (await get("/privacy")).text
    assert "/unroll" in before
    assert "stop" not in before
    for told in (after, front):
        assert "@plaza@ayllu.example unroll, @plaza.example unroll" in told
        assert "@plaza@ayllu.example stop, @plaza.example stop" in told
        assert "After 72 hours they are erased for good" in told
        assert "@plaza@ayllu.example undo stop, @plaza.example undo stop" in told
    assert "@plaza.example" in privacy
    assert "After 72 hours everything is erased for good" in privacy
    assert "write “undo stop”" in privacy


async def test_what_branches_off_is_folded_beside_the_thread() -> None:
    beside = replace(page(), asides=((post(9, body=text("By the way.")),),))
    async with served(beside) as get:
        tree = (await get(f"/t/{SLUG}")).tree
    assert "By the way." in one(tree, ".asides details").text()


async def test_what_was_written_long_ago_stays_for_those_who_are_told_of_it_now() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    old = replace(page(post(1, author=replace(author(), discoverable=None))), visited=None)
    site = Site(clock=lambda: now)
    async with served(old, site=site) as get:
        assert (await get(f"/t/{SLUG}")).status == 410
    async with served(replace(old, seen=now - timedelta(days=29)), site=site) as get:
        assert (await get(f"/t/{SLUG}")).status == 200
