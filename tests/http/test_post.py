"""What is posted: to whom, and never to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from relay.http import Forbidden
from tests.support.fetching import Names, answer, client


class Box:
    """Takes what is sent to it, and sends on whom it is told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, bytes]] = []
        """Method, path and body of each request."""
        self.headers: list[dict[str, str]] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((request.method, request.path, await request.read()))
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if target := request.query.get("to"):
            return web.Response(status=int(request.query["status"]), headers={"Location": target})
        return web.Response(status=202, text="taken")


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    running = Box()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", running.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    running.port = runner.addresses[0][1]
    yield running
    await runner.cleanup()


async def test_a_form_is_posted_and_the_answer_read(box: Box) -> None:
    async with client() as http:
        reply = answer(await http.post(f"{box.url}/hub", {"hub.topic": "https://a.example/?b=1&c=ñ"}))
    assert (reply.status, reply.body) == (202, b"taken")
    assert box.taken == [("POST", "/hub", b"hub.topic=https%3A%2F%2Fa.example%2F%3Fb%3D1%26c%3D%C3%B1")]
    assert box.headers[0]["content-type"] == "application/x-www-form-urlencoded"
    assert not {"cookie", "referer"} & set(box.headers[0])


@pytest.mark.parametrize(
    ("headers", "kind"), [(None, "application/json"), ({"Content-Type": "application/xml"}, "application/xml")]
)
async def test_bytes_are_json_unless_it_is_said_otherwise(box: Box, headers: dict[str, str] | None, kind: str) -> None:
    async with client() as http:
        await http.post(f"{box.url}/x", b"{}", headers=headers)
    assert box.taken[0][2] == b"{}"
    assert box.headers[0]["content-type"] == kind


@pytest.mark.parametrize(("status", "followed"), [(307, True), (308, True), (301, False), (302, False), (303, False)])
async def test_only_a_redirect_that_keeps_the_method_is_followed(box: Box, status: int, followed: bool) -> None:
    async with client() as http:
        reply = answer(await http.post(f"{box.url}/x?to=/y&status={status}", {"a": "b"}))
    assert reply.status == (202 if followed else status)
    assert box.taken == [("POST", "/x", b"a=b"), ("POST", "/y", b"a=b")][: 1 + followed]


async def test_what_is_posted_is_not_carried_to_another_origin(box: Box) -> None:
    names = Names(one_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
    async with client(resolver=names) as http:
        target = f"http://other.example:{box.port}/y"
        reply = await http.post(f"http://one.example:{box.port}/x?to={target}&status=307", {"hub.secret": "quipu"})
    assert answer(reply).status == 307
    assert [path for _, path, _ in box.taken] == ["/x"]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://u:p@127.0.0.1:{port}/",
        "http://inside.example/",
        "ftp://127.0.0.1:{port}/",
        "http://[::1",
    ],
)
async def test_nothing_is_posted_to_a_place_that_is_not_to_be_reached(box: Box, url: str) -> None:
    async with client(resolver=Names(inside_example=[["10.0.0.7"]])) as http:
        assert isinstance(await http.post(url.format(port=box.port), {"a": "b"}), Forbidden)
    assert box.taken == []


async def test_a_redirected_post_is_guarded_like_the_first(box: Box) -> None:
    async with client() as http:
        reply = await http.post(f"{box.url}/x?to=http://10.0.0.1/&status=308", {"a": "b"})
    assert isinstance(reply, Forbidden)
