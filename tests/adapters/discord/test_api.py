"""The sender against a small HTTP server of the test's own: each answer is a value, and no secret is in any of them."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import structlog
from aiohttp import web
from pydantic import SecretStr

from adapters.discord.api import DiscordApi, DiscordMaybeSent, DiscordNotSent, DiscordReply
from adapters.discord.pace import Busy, DiscordPace, Route, Wait
from tests.servers.discord import DiscordServer

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.secret-secret-secret-secret-secret-se"
HOOK = "hook-token-hook-token-hook-token-hook-token-hook-token-hook-token-64"
PATH = "/channels/1/messages"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Scripted:
    """Answers what it is told, in order, the last for ever; keeps what it was asked."""

    answers: list[Answer]
    asked: list[tuple[str, str, Mapping[str, str], Any]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.asked.append((request.method, request.path_qs, request.headers, json.loads(text) if text else None))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


def says(status: int = 200, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body if body is not None else {}, status=status, headers=headers)

    return answer


async def drops(request: web.Request) -> web.StreamResponse:
    """The request was read; the connection ends without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stalls(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


@asynccontextmanager
async def scripted(*answers: Answer, **more: Any) -> AsyncIterator[tuple[Scripted, DiscordApi]]:
    server = Scripted(list(answers))
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    api = DiscordApi(SecretStr(TOKEN), f"http://127.0.0.1:{port}/api/v10", version="1.2.3", **more)
    try:
        yield server, api
    finally:
        await api.close()
        await runner.cleanup()


def limits(left: int, after: float) -> dict[str, str]:
    return {
        "X-RateLimit-Bucket": "b",
        "X-RateLimit-Limit": "5",
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Reset-After": str(after),
    }


async def test_a_request_says_who_asks_and_why() -> None:
    async with scripted(says(200, {"id": "7"})) as (server, api):
        reply = await api.request("POST", PATH, {"content": "ñ"}, query={"wait": "true"}, why="a webhook für ñ")
    assert isinstance(reply, DiscordReply)
    assert (reply.ok, reply.status, reply.body) == (True, 200, {"id": "7"})
    method, path, headers, body = server.asked[0]
    assert (method, path, body) == ("POST", "/api/v10/channels/1/messages?wait=true", {"content": "ñ"})
    assert headers["Authorization"] == f"Bot {TOKEN}"
    assert headers["User-Agent"].startswith("DiscordBot (https://")
    assert headers["User-Agent"].endswith(", 1.2.3)")
    assert headers["X-Audit-Log-Reason"] == "a%20webhook%20f%C3%BCr%20%C3%B1"


async def test_the_operators_address_stands_in_the_user_agent() -> None:
    async with scripted(says(), contact="https://ayllu.example/relay") as (server, api):
        await api.request("GET", "/users/@me")
    assert server.asked[0][2]["User-Agent"] == "DiscordBot (https://ayllu.example/relay, 1.2.3)"


async def test_a_webhook_is_asked_without_the_bots_token() -> None:
    async with scripted(says()) as (server, api):
        await api.request("POST", f"/webhooks/5/{HOOK}", {})
    assert "Authorization" not in server.asked[0][2]


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (403, {"message": "Missing Access", "code": 50001}, 50001, "Missing Access"),
        (404, {"message": "404: Not Found", "code": 0}, 0, "404: Not Found"),
        (500, None, 0, "HTTP 500"),
        (502, "not an object", 0, "HTTP 502"),
        (
            400,
            {
                "message": "Invalid Form Body",
                "code": 50035,
                "errors": {
                    "embeds": {"0": {"title": {"_errors": [{"code": "X", "message": "Must be 256 or fewer."}]}}}
                },
            },
            50035,
            "Invalid Form Body; embeds.0.title: Must be 256 or fewer.",
        ),
    ],
)
async def test_a_refusal_has_discords_own_code_and_words(status: int, body: object, code: int, message: str) -> None:
    async with scripted(says(status, body)) as (_, api):
        reply = await api.request("GET", "/channels/1")
    assert isinstance(reply, DiscordReply)
    assert (reply.ok, reply.status, reply.code, reply.message) == (False, status, code, message)


async def test_a_success_that_cannot_be_read_may_be_anything() -> None:
    async def page(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="<h1>Hotel Wi-Fi</h1>", content_type="text/html")

    async with scripted(page) as (_, api):
        assert isinstance(await api.request("GET", "/channels/1"), DiscordMaybeSent)


async def test_long_complaints_are_shortened() -> None:
    async with scripted(says(400, {"message": "x" * 5000, "code": 50035})) as (_, api):
        reply = await api.request("GET", "/channels/1")
    assert isinstance(reply, DiscordReply)
    assert len(reply.message) == 200


async def test_where_nobody_listens_nothing_was_sent() -> None:
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        api = DiscordApi(SecretStr(TOKEN), f"http://127.0.0.1:{port.getsockname()[1]}")
        answer = await api.request("POST", f"/webhooks/5/{HOOK}", {})
        await api.close()
    assert isinstance(answer, DiscordNotSent)
    assert "cannot be reached" in answer.reason
    assert HOOK not in repr(answer)


@pytest.mark.parametrize("fault", [drops, stalls])
async def test_no_answer_means_that_it_may_have_been_sent_and_it_is_not_tried_again(fault: Answer) -> None:
    async with scripted(fault, says(), answer_within=0.2) as (server, api):
        answer = await api.request("POST", f"/webhooks/5/{HOOK}", {})
        assert isinstance(answer, DiscordMaybeSent)
        assert HOOK not in repr(answer)
        assert len(server.asked) == 1
        assert isinstance(await api.request("POST", f"/webhooks/5/{HOOK}", {}), DiscordReply), "the lost one made room"


async def test_a_redirect_is_not_followed_with_the_token() -> None:
    async with scripted(says(302, headers={"Location": "/elsewhere"})) as (server, api):
        reply = await api.request("GET", "/channels/1")
    assert isinstance(reply, DiscordReply)
    assert not reply.ok
    assert len(server.asked) == 1


async def test_a_refused_token_stops_every_call_but_the_webhooks_and_is_told_once_loudly() -> None:
    with structlog.testing.capture_logs() as lines:
        async with scripted(says(401, {"message": "401: Unauthorized", "code": 0}), says()) as (server, api):
            reply = await api.request("GET", "/users/@me")
            later = [await api.request("GET", "/users/@me") for _ in range(3)]
            hook = await api.request("POST", f"/webhooks/5/{HOOK}", {})
    assert isinstance(reply, DiscordReply)
    assert reply.status == 401
    assert {type(one) for one in later} == {DiscordNotSent}
    assert all(isinstance(one, DiscordNotSent) and one.after == timedelta(minutes=5) for one in later)
    assert isinstance(hook, DiscordReply)
    assert len(server.asked) == 2
    assert [line["log_level"] for line in lines] == ["error"]
    assert "token refused" in lines[0]["event"]


async def test_a_401_of_a_webhook_is_not_about_the_bot() -> None:
    async with scripted(says(401, {"message": "Invalid Webhook Token", "code": 50027})) as (_, api):
        await api.request("POST", f"/webhooks/5/{HOOK}", {})
        assert not api.refused


async def test_an_empty_bucket_is_told_and_a_long_wait_is_the_callers() -> None:
    async with scripted(says(200, {}, limits(0, 60))) as (server, api):
        reply = await api.request("POST", PATH, {})
        answer = await api.request("POST", PATH, {})
    assert isinstance(reply, DiscordReply)
    assert timedelta(seconds=59) < reply.wait < timedelta(seconds=60.1)
    assert isinstance(answer, DiscordNotSent)
    assert answer.after is not None
    assert timedelta(seconds=59) < answer.after < timedelta(seconds=60.1)
    assert len(server.asked) == 1


async def test_a_short_wait_is_waited() -> None:
    async with scripted(says(200, {}, limits(0, 0.1))) as (server, api):
        await api.request("POST", PATH, {})
        assert isinstance(await api.request("POST", PATH, {}), DiscordReply)
    assert len(server.asked) == 2


async def test_while_the_bucket_is_not_known_one_request_waits_for_the_others_answer() -> None:
    here = asyncio.Event()
    most = running = 0

    async def counted(_request: web.Request) -> web.StreamResponse:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        here.set()
        return web.json_response({})

    async with scripted(counted) as (server, api):
        await asyncio.gather(*[api.request("POST", PATH, {}) for _ in range(2)])
        assert (most, len(server.asked)) == (1, 2)
        await asyncio.gather(*[api.request("POST", PATH, {}) for _ in range(3)])
        assert most == 3, "once it is known that nothing limits it, they go together"


async def test_a_cancelled_request_makes_room_for_the_next() -> None:
    async with scripted(stalls, says()) as (server, api):
        first = asyncio.create_task(api.request("POST", PATH, {}))
        while not server.asked:
            await asyncio.sleep(0.005)
        first.cancel()
        await asyncio.wait([first])
        assert isinstance(await api.request("POST", PATH, {}), DiscordReply)


@pytest.mark.parametrize(
    ("body", "headers", "everywhere"),
    [
        ({"message": "slow", "retry_after": 30.5, "global": False}, {"X-RateLimit-Scope": "user"}, False),
        ({"message": "slow", "retry_after": 30.5, "global": True}, {"X-RateLimit-Scope": "global"}, True),
        ([], {"Retry-After": "30.5"}, True),  # the guard in front of Discord: by address, without a body of Discord's
    ],
)
async def test_a_429_is_told_and_kept(body: object, headers: dict[str, str], everywhere: bool) -> None:
    async with scripted(says(429, body, headers), says()) as (_, api):
        reply = await api.request("POST", PATH, {})
        same = await api.request("POST", PATH, {})
        other = await api.request("GET", "/channels/2")
    assert isinstance(reply, DiscordReply)
    assert reply.retry_after == timedelta(seconds=30.5)
    assert isinstance(same, DiscordNotSent)
    assert isinstance(other, DiscordNotSent) == everywhere


async def test_too_many_refusals_stop_the_calls_with_a_clear_reason() -> None:
    async with scripted(says(403, {"message": "Missing Access", "code": 50001}), pace=DiscordPace(invalid=3)) as (
        server,
        api,
    ):
        answers = [await api.request("GET", "/channels/1") for _ in range(5)]
    assert [type(one) for one in answers] == [DiscordReply] * 3 + [DiscordNotSent] * 2
    assert isinstance(answers[-1], DiscordNotSent)
    assert "refused 3 requests" in answers[-1].reason
    assert len(server.asked) == 3


async def test_closing_twice_is_closing_once_and_it_opens_again_when_needed() -> None:
    async with scripted(says()) as (_, api):
        await api.close()
        await api.request("GET", "/channels/1")
        await api.close()
        await api.close()


async def test_no_secret_is_in_any_value_or_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("aiohttp", "aiohttp.client", "aiohttp.internal", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    seen: list[str] = []
    with structlog.testing.capture_logs() as lines:
        for fault in (drops, stalls, says(200, {"token": HOOK}), says(401, {"message": TOKEN}), says(429), says(500)):
            async with scripted(fault, answer_within=0.1) as (_, api):
                for path in (PATH, f"/webhooks/5/{HOOK}"):
                    seen += [repr(await api.request("POST", path, {})), repr(api), repr(vars(api))]
    everything = "\n".join([*seen, caplog.text, repr(lines)])
    assert TOKEN not in everything
    assert HOOK not in everything


class Crowded(DiscordPace):
    """Has no room for anybody until it was asked five times."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def room(self, route: Route, now: float) -> Wait | Busy | None:
        self.asked.append(route.resource)
        return Wait(0.001, "a crowd") if len(self.asked) <= 5 else super().room(route, now)


async def test_who_came_first_goes_first_when_all_must_wait() -> None:
    """Or the unlucky wait until their patience is over, and their channels look broken."""
    async with DiscordServer() as server:
        pace = Crowded()
        api = DiscordApi(SecretStr(server.token), server.api_url, pace=pace)
        other = server.add_channel("other")
        await asyncio.gather(*(api.request("GET", f"/channels/{one.id}") for one in (server.channel, other)))
        await api.close()
    assert pace.asked[:6] == [f"channels/{server.channel.id}"] * 6
    assert f"channels/{other.id}" in pace.asked
