"""What the loopback Discord answers to a client that does wrong, is told to wait, or is cut off."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from tests.servers.discord import (
    LOST,
    RESET,
    DiscordServer,
    Global,
    Permission,
    Request,
    Shared,
    Slow,
    Status,
)
from tests.servers.discord.components import every
from tests.servers.discord.messages import numbered
from tests.servers.discord_schema import problems, spec_path

Json = dict[str, Any]
V2 = 1 << 15


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def told(self) -> tuple[int, int]:
        """Status and Discord's code."""
        return self.status, self.body.get("code", 0) if isinstance(self.body, dict) else 0


Asking = Callable[..., Awaitable[Reply]]


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as running:
        yield running


@pytest.fixture
async def ask(server: DiscordServer) -> AsyncIterator[Asking]:
    """A client that does exactly what it is told."""
    async with aiohttp.ClientSession() as client:

        async def asking(method: str, path: str, body: object = None, *, token: str = "", **query: str) -> Reply:
            headers = {"Authorization": f"Bot {token or server.token}"}
            url = server.api_url + path
            async with client.request(method, url, json=body, headers=headers, params=query) as answer:
                told = await answer.json() if answer.status != 204 else None
                return Reply(answer.status, told, dict(answer.headers))

        yield asking


def text(content: str) -> Json:
    return {"type": 10, "content": content}


def row(*buttons: Json) -> Json:
    return {"type": 1, "components": list(buttons)}


def link(url: str) -> Json:
    return {"type": 2, "style": 5, "label": "Original", "url": url}


def new(*components: Json, **more: Any) -> Json:
    return {"flags": V2, "components": list(components), **more}


def gallery(count: int, **more: Any) -> Json:
    return {"type": 12, "items": [{"media": {"url": "https://ayllu.example/a.png"}, **more}] * count}


REFUSED: list[tuple[Json, tuple[int, int]]] = [
    ({"content": "a" * 2001}, (400, 50035)),
    ({"content": "  "}, (400, 50006)),
    ({}, (400, 50006)),
    ({"content": "a", "nonce": "n" * 26}, (400, 50035)),
    ({"content": "a", "contents": "b"}, (400, 50035)),
    ({"content": "a", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, (400, 50035)),
    ({"embeds": [{"title": "a" * 257}]}, (400, 50035)),
    ({"embeds": [{"description": "a" * 4000}] * 2}, (400, 50035)),
    ({"embeds": [{"title": "a", "url": "nowhere"}]}, (400, 50035)),
    ({"embeds": [{"title": "a"}] * 11}, (400, 50035)),
    ({"embeds": [{"fields": [{"name": "", "value": "v"}]}]}, (400, 50035)),
    (new(text("a"), content="b"), (400, 50035)),
    (new(text("a"), embeds=[{"title": "b"}]), (400, 50035)),
    (new(*[text("a")] * 41), (400, 50035)),
    (new({"type": 17, "components": [text("a")] * 40}), (400, 50035)),
    (new(text("a" * 2001), text("a" * 2000)), (400, 50035)),
    (new(text("語" * 3386 + "a")), (500, 0)),
    (new(text("a"), row(link("https://ayllu.example/" + "a" * 500))), (400, 50035)),
    (new(text("a"), row(link("javascript:alert(1)"))), (400, 50035)),
    (new(text("a"), row(*[link("https://ayllu.example")] * 6)), (400, 50035)),
    (new(gallery(0)), (400, 50035)),
    (new(gallery(11)), (400, 50035)),
    (new(gallery(1, description="a" * 1025)), (400, 50035)),
    (new(gallery(1, description="")), (400, 50035)),
    (new({"type": 9, "components": [text("a")]}), (400, 50035)),
    (new({"type": 17, "components": [{"type": 17, "components": [text("a")]}]}), (400, 50035)),
    ({"components": [text("a")]}, (400, 50035)),
]
TAKEN: list[Json] = [
    {"content": "a" * 2000, "nonce": "n" * 25},
    {"embeds": [{"description": "a" * 3000}] * 2},
    new({"type": 17, "components": [text("a")] * 39}),
    new(text("a" * 4000)),
    new(text("語" * 3386)),
    new(text("a"), row(link("https://ayllu.example/" + "a" * 490)), gallery(10, description="a" * 1024)),
    new(gallery(1)),
]


@pytest.mark.parametrize(("body", "told"), REFUSED)
async def test_a_body_outside_of_the_rules_is_refused_with_discord_s_code(
    server: DiscordServer, ask: Asking, body: Json, told: tuple[int, int]
) -> None:
    reply = await ask("POST", f"/channels/{server.channel.id}/messages", body)
    assert reply.told == told
    assert server.messages(server.channel) == []


@pytest.mark.parametrize("body", TAKEN)
async def test_a_body_just_within_the_rules_is_taken(server: DiscordServer, ask: Asking, body: Json) -> None:
    assert (await ask("POST", f"/channels/{server.channel.id}/messages", body)).status == 200


def test_components_get_ids_of_their_own_in_order() -> None:
    made = numbered([{"type": 17, "components": [text("a"), row(link("x"), link("y"))]}, text("b")])
    assert [part["id"] for part in every(made)] == [1, 2, 3, 4, 5, 6]


async def test_permissions_channels_and_tokens_have_their_codes_and_count_as_invalid(
    server: DiscordServer, ask: Asking
) -> None:
    path = f"/channels/{server.channel.id}/messages"
    hello = {"content": "hello"}
    assert (await ask("POST", "/channels/1/messages", hello)).told == (404, 10003)
    server.allow(server.channel, Permission.VIEW)
    assert (await ask("POST", path, hello)).told == (403, 50013)
    server.allow(server.channel, Permission.SEND)
    assert (await ask("POST", path, hello)).told == (403, 50001)
    assert (await ask("GET", f"/channels/{server.channel.id}")).told == (403, 50001)
    server.allow(server.channel, Permission.USUAL)
    assert (await ask("POST", path, hello)).status == 200
    assert (await ask("POST", path, hello, token="wrong")).told == (401, 0)
    assert (await ask("POST", f"/channels/{server.add_channel(kind=15).id}/messages", hello)).told == (400, 50008)
    server.remove_channel(server.channel)
    assert (await ask("POST", path, hello)).told == (404, 10003)
    assert server.invalid == 4


async def test_only_own_messages_are_edited_and_the_new_components_stay(server: DiscordServer, ask: Asking) -> None:
    server.buckets.off = True
    path = f"/channels/{server.channel.id}/messages"
    other = server.post(server.channel, "mine")
    assert (await ask("PATCH", f"{path}/{other['id']}", {"content": "x"})).told == (403, 50005)
    assert (await ask("GET", f"{path}/{other['id']}")).body["content"] == ""  # no intent for contents
    sent = (await ask("POST", path, new(text("a")))).body
    wrong: list[Json] = [{"flags": 0}, {"content": "x"}, {"components": []}]
    for body in wrong:
        assert (await ask("PATCH", f"{path}/{sent['id']}", body)).status == 400
    assert (await ask("PATCH", f"{path}/{sent['id']}", {"components": [text("b")]})).status == 200
    assert (await ask("PATCH", f"{path}/1", {"content": "x"})).told == (404, 10008)


async def test_a_nonce_answers_the_same_message_until_it_is_deleted_or_forgotten(
    server: DiscordServer, ask: Asking
) -> None:
    path, other = f"/channels/{server.channel.id}/messages", server.add_channel("other")
    body = {"content": "hello", "nonce": "n1", "enforce_nonce": True}
    first = (await ask("POST", path, body)).body
    assert (await ask("POST", f"/channels/{other.id}/messages", body)).body["id"] == first["id"]
    assert (await ask("POST", path, {**body, "enforce_nonce": False})).body["id"] != first["id"]
    server.nonces["", ""] = server.nonces[server.bot_id, "n1"]
    await ask("DELETE", f"{path}/{server.messages(server.channel)[-1]['id']}")
    assert (await ask("POST", path, body)).told == (404, 10008)
    server.nonce_ttl = 0.0
    assert (await ask("POST", path, body)).status == 200


async def test_nobody_is_pinged_unless_it_is_allowed_and_the_bot_may(server: DiscordServer, ask: Asking) -> None:
    path, role = f"/channels/{server.channel.id}/messages", server.add_role("readers", mentionable=True)
    said = {"content": f"@everyone <@{server.visitor.id}> <@&{role.id}>"}
    loud = (await ask("POST", path, said)).body
    assert ([one["id"] for one in loud["mentions"]], loud["mention_roles"]) == ([server.visitor.id], [role.id])
    assert loud["mention_everyone"] is False  # the bot lacks the permission
    quiet = (await ask("POST", path, {**said, "allowed_mentions": {"parse": []}})).body
    assert (quiet["mentions"], quiet["mention_roles"]) == ([], [])
    one = (await ask("POST", path, {**said, "allowed_mentions": {"parse": [], "roles": [role.id]}})).body
    assert (one["mentions"], one["mention_roles"]) == ([], [role.id])


async def test_threads_forum_posts_and_crossposts_are_made_once(server: DiscordServer, ask: Asking) -> None:
    news, forum = server.add_channel("n", kind=5), server.add_channel("f", kind=15, tags=["ayllu"], require_tag=True)
    sent = (await ask("POST", f"/channels/{news.id}/messages", {"content": "a"})).body
    path = f"/channels/{news.id}/messages/{sent['id']}"
    assert (await ask("POST", f"{path}/threads", {"name": "n" * 101})).told == (400, 50035)
    thread = await ask("POST", f"{path}/threads", {"name": "more"})
    assert (thread.status, thread.body["id"], thread.body["type"]) == (201, sent["id"], 10)
    assert (await ask("POST", f"{path}/threads", {"name": "more"})).told == (400, 160004)
    assert (await ask("POST", f"{path}/crosspost")).status == 200
    assert (await ask("POST", f"{path}/crosspost")).told == (400, 40033)
    post: Json = {"name": "a post", "message": {"content": "first"}}
    assert (await ask("POST", f"/channels/{forum.id}/threads", post)).told == (400, 40067)
    made = await ask("POST", f"/channels/{forum.id}/threads", {**post, "applied_tags": [forum.tags[0].id]})
    assert (made.status, made.body["message"]["id"]) == (201, made.body["id"])
    assert [one.id for one in server.threads(forum)] == [made.body["id"]]
    server.change_channel(made.body["id"], archived=True)
    assert (
        await ask("PATCH", f"/channels/{made.body['id']}/messages/{made.body['id']}", {"content": "x"})
    ).status == 400
    assert (await ask("POST", f"/channels/{made.body['id']}/messages", {"content": "wakes it up"})).status == 200
    assert not server.threads(forum)[0].archived


async def test_webhooks_speak_under_other_names_and_end(server: DiscordServer, ask: Asking) -> None:
    server.buckets.off = True
    hook = server.add_webhook(server.channel)
    path = f"/webhooks/{hook.id}/{hook.token}"
    assert len(hook.token) >= 60
    for name in ("Discordia", "", "a" * 81):
        assert (await ask("POST", path, {"content": "a", "username": name})).told == (400, 50035)
    assert (await ask("POST", path, {"content": "a", "thread_name": "t"})).told == (400, 220003)
    assert (await ask("POST", path, {"content": "a"})).status == 204
    buttons = {"content": "a", "components": [row(link("https://ayllu.example"))]}
    assert (await ask("POST", path, buttons, wait="true")).body["components"] == []
    sent = (await ask("POST", path, buttons, wait="true", with_components="true")).body
    assert sent["components"]
    assert (await ask("PATCH", f"{path}/messages/{sent['id']}", {"content": "b"})).body["content"] == "b"
    assert (await ask("GET", f"{path}/messages/{sent['id']}")).body["webhook_id"] == hook.id
    assert (await ask("DELETE", f"{path}/messages/{sent['id']}")).status == 204
    assert (await ask("POST", f"/webhooks/{hook.id}/wrong", {"content": "a"})).told == (401, 50027)
    server.remove_webhook(hook)
    assert (await ask("GET", path)).told == (404, 10015)


async def test_a_forum_s_webhook_needs_a_thread(server: DiscordServer, ask: Asking) -> None:
    forum = server.add_channel("f", kind=15)
    hook = server.add_webhook(forum, ours=True)
    path = f"/webhooks/{hook.id}/{hook.token}"
    assert (await ask("POST", path, {"content": "a"})).told == (400, 220001)
    sent = (await ask("POST", path, {"content": "a", "thread_name": "t"}, wait="true")).body
    assert server.threads(forum)[0].id == sent["id"] == sent["channel_id"]
    inside = await ask("POST", path, {"content": "b"}, wait="true", thread_id=sent["id"])
    assert inside.body["channel_id"] == sent["id"]
    assert (await ask("PATCH", f"{path}/messages/{sent['id']}", {"content": "c"})).told == (404, 10008)
    assert (await ask("POST", path, {"content": "b", "thread_name": "t"}, thread_id=sent["id"])).told == (400, 220002)


async def test_buckets_are_told_in_headers_and_held(server: DiscordServer, ask: Asking) -> None:
    path, other = f"/channels/{server.channel.id}/messages", server.add_channel("other")
    server.window = 12.0
    replies = [await ask("POST", path, {"content": "a"}) for _ in range(6)]
    assert [one.headers["X-RateLimit-Remaining"] for one in replies] == ["4", "3", "2", "1", "0", "0"]
    late = replies[-1]
    assert (late.status, late.headers["X-RateLimit-Scope"], late.body["global"]) == (429, "user", False)
    assert late.headers["Via"]
    assert 0 < late.body["retry_after"] <= 60
    assert (await ask("POST", f"/channels/{other.id}/messages", {"content": "a"})).status == 200
    assert late.headers["Content-Type"] == "application/json"  # exactly: discord.py compares
    assert (server.too_many, server.invalid, len(server.messages(server.channel))) == (1, 1, 5)


async def test_the_whole_bot_has_fifty_a_second_and_a_webhook_is_not_of_the_bot(
    server: DiscordServer, ask: Asking
) -> None:
    server.window = 600.0  # a busy machine needs more than a second for so many requests
    for number in range(50):
        assert (await ask("GET", f"/channels/{server.channel.id}" if number % 2 else "/users/@me")).status == 200
    late = await ask("GET", "/users/@me")
    assert (late.status, late.body["global"], late.headers["X-RateLimit-Scope"]) == (429, True, "global")
    assert 0 < late.body["retry_after"] <= 600
    hook = server.add_webhook(server.channel)
    assert (await ask("POST", f"/webhooks/{hook.id}/{hook.token}", {"content": "a"})).status == 204


async def test_faults_strike_as_often_as_they_are_planned(server: DiscordServer, ask: Asking) -> None:
    path = f"/channels/{server.channel.id}/messages"
    route, hello = "POST /channels/*/messages", {"content": "a"}
    for effect, kept in ((RESET, 0), (LOST, 1)):
        server.faults.add(route, effect)
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask("POST", path, hello)
        assert len(server.messages(server.channel)) == kept
    assert [one.status for one in server.asked(route)] == [0, 0]
    server.faults.add(route, Status(503), after=1)
    assert [(await ask("POST", path, hello)).status for _ in range(3)] == [200, 503, 200]
    server.faults.add(route, Status(500, committed=True))
    assert (await ask("POST", path, hello)).status == 500
    assert (len(server.messages(server.channel)), server.faults.left) == (4, 0)


async def test_a_slow_answer_comes_late_and_planned_limits_have_their_scope(server: DiscordServer, ask: Asking) -> None:
    path, hello = f"/channels/{server.channel.id}/messages", {"content": "a"}
    server.faults.add("*", Slow(0.05))
    began = time.monotonic()
    await ask("POST", path, hello)
    assert time.monotonic() - began >= 0.05
    server.faults.add("POST /channels/*/messages", Shared(0.1))
    assert (await ask("POST", path, hello)).headers["X-RateLimit-Scope"] == "shared"
    assert (server.too_many, server.invalid) == (1, 0)  # the others' fault
    server.faults.add("POST /channels/*/messages", Global(30.0))
    assert (await ask("POST", path, hello)).body["global"]
    assert (await ask("GET", "/users/@me")).body["global"]  # all of the bot's


async def test_history_is_listed_newest_first_and_after_a_message(server: DiscordServer, ask: Asking) -> None:
    ids = [server.post(server.channel, str(number))["id"] for number in range(5)]
    path = f"/channels/{server.channel.id}/messages"
    assert [one["id"] for one in (await ask("GET", path, limit="2")).body] == [ids[4], ids[3]]
    assert [one["id"] for one in (await ask("GET", path, limit="2", after=ids[0])).body] == [ids[2], ids[1]]
    assert (await ask("GET", path, limit="101")).told == (400, 50035)
    server.allow(server.channel, Permission.VIEW)
    assert (await ask("GET", path)).body == []  # without the permission to read back


async def test_secrets_do_not_stay_in_what_was_asked(server: DiscordServer, ask: Asking) -> None:
    await ask("GET", "/users/@me")
    assert server.token not in repr(server.requests)


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "told"),
    [
        ("POST", "/channels/1/messages", {}, {"embeds": [{"title": "a" * 257}]}, "too long"),
        ("POST", "/channels/1/messages", {}, {"content": 5}, "not of type"),
        ("POST", "/channels/1/messages", {"wait": "true"}, {"content": "a"}, "no query parameter 'wait'"),
        ("POST", "/channels/1/messages", {}, None, "no body"),
        ("POST", "/channels/1/massages", {}, {}, "no such operation"),
        ("POST", "/interactions/1/t/callback", {}, {"type": 4, "data": {"embeds": [{"title": "a" * 257}]}}, "too long"),
        (
            "POST",
            "/interactions/1/t/callback",
            {},
            {"type": 8, "data": {"choices": [{"name": "a" * 101, "value": "v"}]}},
            "",
        ),
        ("PUT", "/applications/1/commands", {}, [{"name": "a", "description": "d" * 101}], "too long"),
    ],
)
def test_the_official_document_finds_what_is_wrong(
    method: str, path: str, query: dict[str, str], body: Any, told: str
) -> None:
    if spec_path() is None:
        pytest.skip("RELAY_TEST_SPECS names no folder with discord-openapi.json")
    found = problems([Request(method, path, query, body, {})])
    assert [told in one for one in found] == [True], found
