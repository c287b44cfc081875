"""Redirects are followed as they are written; a cookie comes back on the way on which it was set, and is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from relay.http import Cookies, Unreachable
from tests.support.fetching import Names, answer, client, reason
from tests.support.thorough import examples

HOSTS = ("ayllu.example", "www.ayllu.example", "feeds.ayllu.example", "other.example", "evilayllu.example", "127.0.0.1")

SITE = {"ayllu.example", "www.ayllu.example", "feeds.ayllu.example"}


@dataclass
class Web:
    """Some hosts at one port; what each address answers is up to the test."""

    port: int = 0
    says: dict[str, tuple[int, Sequence[tuple[str, str]]]] = field(default_factory=dict)
    """Status and headers, by host and path."""
    wants: dict[str, str] = field(default_factory=dict)
    """Who brings this cookie to a host and path is given the feed there."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Host, path, and the cookies that came with it."""

    def names(self) -> Names:
        return Names(**{host.replace(".", "_"): [["127.0.0.1"]] for host in HOSTS[:-1]})

    def at(self, place: str) -> str:
        host, _, path = place.partition("/")
        return f"http://{host}:{self.port}/{path}"

    def lead(self, here: str, there: str, *cookies: str, status: int = 302) -> None:
        self.says[here] = (status, [("Location", self.at(there)), *(("Set-Cookie", one) for one in cookies)])

    async def answer(self, request: web.Request) -> web.Response:
        host = URL(f"http://{request.host}").host or ""
        place, cookie = f"{host}{request.path_qs}", request.headers.get("Cookie", "")
        self.asked.append((host, request.path, cookie))
        if place in self.wants and self.wants[place] in cookie.split("; "):
            return web.Response(text="<rss/>")
        status, headers = self.says.get(place, (200, ()))
        response = web.Response(status=status)
        for name, value in headers:
            response.headers.add(name, value)
        return response


@pytest.fixture
async def stage() -> AsyncIterator[Web]:
    running = Web()
    app = web.Application()
    app.router.add_get("/{path:.*}", running.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    running.port = runner.addresses[0][1]
    yield running
    await runner.cleanup()


@pytest.mark.parametrize("host", ["ayllu.example", "127.0.0.1"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_who_is_sent_to_the_same_address_with_a_cookie_reads_the_feed(stage: Web, host: str, status: int) -> None:
    stage.lead(f"{host}/feed", f"{host}/feed", "seen=Ab+/=; Path=/; HttpOnly", status=status)
    stage.wants[f"{host}/feed"] = "seen=Ab+/="
    async with client(resolver=stage.names()) as http:
        for _ in range(2):
            reply = answer(await http.get(stage.at(f"{host}/feed")))
            assert (reply.body, reply.moved) == (b"<rss/>", "")  # nor has it moved for good to where it is
    assert [cookie for *_, cookie in stage.asked] == ["", "seen=Ab+/="] * 2


async def test_a_site_s_door_at_another_of_its_hosts_sets_a_cookie_for_all_of_them(stage: Web) -> None:
    stage.lead("ayllu.example/feed", "feeds.ayllu.example/door")
    stage.lead(
        "feeds.ayllu.example/door", "ayllu.example/feed", "pass=1; Domain=.ayllu.example; Path=/", "own=2; Path=/"
    )
    stage.wants["ayllu.example/feed"] = "pass=1"
    async with client(resolver=stage.names()) as http:
        assert answer(await http.get(stage.at("ayllu.example/feed"))).body == b"<rss/>"
    assert [cookie for *_, cookie in stage.asked] == ["", "", "pass=1"]


@pytest.mark.parametrize(
    ("cookie", "there", "sent"),
    [
        ("a=1", "ayllu.example/y", "a=1"),
        ('a="1 2"; Path=/', "ayllu.example/y", "a=1 2"),
        ("a=1; Path=/x", "ayllu.example/y", ""),
        ("a=1; Path=/y", "ayllu.example/y/z", "a=1"),
        ("a=1; Secure", "ayllu.example/y", ""),
        ("a=1; Max-Age=0", "ayllu.example/y", ""),
        ("a=1; Expires=Fri, 02 Jan 1970 00:00:00 GMT", "ayllu.example/y", ""),
        ("a=1; Path=/", "feeds.ayllu.example/y", ""),
        ("a=1; Path=/; Domain=ayllu.example", "feeds.ayllu.example/y", "a=1"),
        ("a=1; Path=/; Domain=ayllu.example", "evilayllu.example/y", ""),
        ("a=1; Path=/; Domain=ayllu.example", "other.example/y", ""),
        ("a=1; Path=/; Domain=other.example", "other.example/y", ""),
        ("a=1; Path=/; Domain=example", "other.example/y", ""),
        ("a=1; Path=/; Domain=.example", "ayllu.example/y", ""),
        ("a=1; Path=/", "127.0.0.1/y", ""),
        ("a=1; Path=/; Domain=127.0.0.1", "127.0.0.1/y", ""),
        ("=1", "ayllu.example/y", ""),
        ("a=\xe9", "ayllu.example/y", ""),
    ],
)
async def test_a_cookie_goes_where_it_was_set_for(stage: Web, cookie: str, there: str, sent: str) -> None:
    stage.lead("ayllu.example/x", there, cookie)
    async with client(resolver=stage.names()) as http:
        await http.get(stage.at("ayllu.example/x"))
    assert stage.asked[-1][::2] == (there.partition("/")[0], sent)


async def test_a_circle_is_left_as_soon_as_nothing_new_is_said(stage: Web) -> None:
    stage.lead("ayllu.example/feed", "ayllu.example/feed", "a=1; Path=/")
    async with client(resolver=stage.names()) as http:
        assert reason(await http.get(stage.at("ayllu.example/feed"))) == "ayllu.example redirects in a circle"
    assert [cookie for *_, cookie in stage.asked] == ["", "a=1"]


async def test_a_server_that_counts_with_cookies_is_followed_five_times(stage: Web) -> None:
    async with client(resolver=stage.names()) as http:
        for number in range(9):
            there = f"ayllu.example/{number + 1}"
            stage.lead(f"ayllu.example/{number}", there, f"n={number}; Path=/")
        reply = await http.get(stage.at("ayllu.example/0"))
    assert isinstance(reply, Unreachable)
    assert len(stage.asked) == 6


async def test_few_cookies_are_kept_and_none_that_are_large(stage: Web) -> None:
    stage.lead("ayllu.example/x", "ayllu.example/y", *(f"c{number}=1" for number in range(50)))
    stage.lead("ayllu.example/large", "ayllu.example/y", *(f"{name}={'x' * 3_000}" for name in "abc"), "d=1")
    async with client(resolver=stage.names()) as http:
        await http.get(stage.at("ayllu.example/x"))
        assert len(stage.asked[-1][2].split("; ")) == 20
        await http.get(stage.at("ayllu.example/large"))
        assert stage.asked[-1][2] == f"a={'x' * 3_000}; b={'x' * 3_000}"


async def test_cookies_of_one_way_are_those_of_all_its_parts_and_of_no_other(stage: Web) -> None:
    stage.says["ayllu.example/page"] = (200, [("Set-Cookie", "a=1; Path=/")])
    async with client(resolver=stage.names()) as http:
        cookies = Cookies()
        for _ in range(2):
            await http.get(stage.at("ayllu.example/page"), cookies=cookies)
        await http.get(stage.at("other.example/page"), cookies=cookies)
        await http.get(stage.at("ayllu.example/page"))
    assert [cookie for *_, cookie in stage.asked] == ["", "a=1", "", ""]


COOKIE = st.builds(
    "{}={}{}{}".format,
    st.sampled_from("abc"),
    st.integers(0, 9),
    st.sampled_from(["", "; Path=/", "; Path=/x"]),
    st.sampled_from(["", *(f"; Domain={dot}{host}" for dot in ("", ".") for host in (*HOSTS, "example", ""))]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=examples(60))
@given(
    st.lists(st.tuples(st.sampled_from(HOSTS), st.lists(COOKIE, max_size=3)), min_size=2, max_size=5),
    st.sampled_from(HOSTS),
)
async def test_no_cookie_reaches_another_host_nor_the_next_poll(
    stage: Web, hops: list[tuple[str, list[str]]], after: str
) -> None:
    """Whatever hosts set on the way: each is sent what it, or a host of the same site for all its hosts, has set."""
    stage.asked.clear()
    stage.says.clear()
    for number, (host, cookies) in enumerate(hops):
        there = hops[number + 1][0] if number + 1 < len(hops) else host
        marked = [one.replace("=", f"={number}x", 1) for one in cookies]
        stage.lead(f"{host}/{number}", f"{there}/{number + 1}", *marked)
    async with client(resolver=stage.names()) as http:
        await http.get(stage.at(f"{hops[0][0]}/0"))
        way = list(stage.asked)
        await http.get(stage.at(f"{after}/{len(hops)}"))
    assert stage.asked[-1][2] == ""
    for host, _, sent in way:
        for cookie in filter(None, sent.split("; ")):
            setter, _ = hops[int(cookie.partition("=")[2].partition("x")[0])]
            assert setter == host or (setter in SITE and host in SITE), (host, cookie)


LOCATIONS: Mapping[str, tuple[str, str]] = {
    "relative": ("feed.xml", "/blog/feed.xml"),
    "of the host": ("/feed.xml", "/feed.xml"),
    "above": ("../feed.xml", "/feed.xml"),
    "only a query": ("?format=rss", "/blog/old?format=rss"),
    "spaces": ("/my feed.xml", "/my%20feed.xml"),
    "spaces around": ("  /feed.xml ", "/feed.xml"),
    "UTF-8": ("/año/ñandú.xml", "/a%C3%B1o/%C3%B1and%C3%BA.xml"),
    "a fragment": ("/feed.xml#top", "/feed.xml"),
    "another scheme for feeds": ("feed:/feed.xml", "/feed.xml"),
    "a percent sign": ("/100%.xml", "/100%25.xml"),
    "encoded": ("/a%2Fb%20c.xml?u=a%26b", "/a%2Fb%20c.xml?u=a%26b"),
}


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", LOCATIONS)
async def test_a_redirect_is_followed_as_it_is_written(stage: Web, name: str, status: int) -> None:
    location, path = LOCATIONS[name]
    stage.says["ayllu.example/blog/old"] = (status, [("Location", location)])
    async with client(resolver=stage.names()) as http:
        reply = answer(await http.get(stage.at("ayllu.example/blog/old")))
    assert reply.url == f"http://ayllu.example:{stage.port}{path}"
    assert stage.asked[-1][1] == URL(path, encoded=True).path
    assert reply.moved == (reply.url if status in {301, 308} else "")


async def test_a_redirect_without_a_scheme_keeps_the_one_that_is_used_and_the_first_of_two_counts(stage: Web) -> None:
    there = f"//other.example:{stage.port}/feed, a.xml"
    stage.says["ayllu.example/old"] = (301, [("Location", there), ("Location", "/another")])
    async with client(resolver=stage.names()) as http:
        reply = answer(await http.get(stage.at("ayllu.example/old")))
    assert reply.url == f"http://other.example:{stage.port}/feed,%20a.xml"


@pytest.mark.parametrize("host", ["ayllu.example", "www.ayllu.example"])
@pytest.mark.parametrize("written", ["ayllu.example", "www.ayllu.example", "AYLLU.example"])
async def test_a_host_without_a_scheme_is_no_path(stage: Web, host: str, written: str) -> None:
    stage.says[f"{host}/old"] = (302, [("Location", f"{written}:{stage.port}/feed.xml")])
    async with client(resolver=stage.names()) as http:
        reply = answer(await http.get(stage.at(f"{host}/old")))
    assert reply.url == f"http://{written.lower()}:{stage.port}/feed.xml"


async def test_several_choices_without_a_preferred_one_are_an_answer(stage: Web) -> None:
    stage.says["ayllu.example/x"] = (300, [("Link", '</feed>; rel="alternate"')])
    async with client(resolver=stage.names()) as http:
        reply = answer(await http.get(stage.at("ayllu.example/x")))
    assert (reply.status, reply.headers["link"]) == (300, '</feed>; rel="alternate"')


async def test_bytes_of_another_encoding_in_a_redirect_are_sent_back_as_they_are() -> None:
    asked: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /a\xf1o.xml\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening, client() as http:
        await http.get(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")
    assert asked == [b"GET / HTTP/1.1\r\n", b"GET /a%F1o.xml HTTP/1.1\r\n"]
