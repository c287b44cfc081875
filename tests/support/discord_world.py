"""What the tests of sending to Discord share: a loopback Discord with our adapter in it, and deliveries to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from adapters.discord.adapter import Discord
from adapters.discord.settings import DiscordSettings
from relay.model import Action, Card, Delivery
from relay.plugins import Host
from relay.ports import Outcome, Sent
from relay.testing import delivery, in_thread, post
from tests.servers.discord import Channel, DiscordServer, Permission, text_of
from tests.servers.discord_schema import problems

HOST = Host(http=None, name="Chasqui", version="1.2.3", colours={"fake": 0x6364FF})  # type: ignore[arg-type]  # not asked
LOOKS = Permission.VIEW | Permission.HISTORY
WRITES = LOOKS | Permission.SEND | Permission.EMBED
CREATE = "POST /channels/*/messages"


@asynccontextmanager
async def world(**settings: Any) -> AsyncIterator[tuple[DiscordServer, Discord]]:
    """A Discord and our adapter in it; in the end every request must fit the official document."""
    async with DiscordServer(window=0.05) as server:
        adapter = Discord(DiscordSettings(token=SecretStr(server.token), api_url=server.api_url, **settings), HOST)
        try:
            yield server, adapter
        finally:
            await adapter.close()
        assert problems(server.requests) == []


def to(channel: Channel, number: int = 1, **changes: Any) -> Delivery:
    return delivery(number, to=f"discord:{channel.id}", **changes)


def again(channel: Channel, sent: Outcome, action: Action, number: int = 1, **changes: Any) -> Delivery:
    assert isinstance(sent, Sent)
    return to(channel, number, action=action, messages=sent.messages, **changes)


def chosen(**options: Any) -> str:
    return json.dumps(options)


def texts(server: DiscordServer, channel: Channel) -> list[str]:
    return [text_of(message) for message in server.messages(channel)]


async def thread_of(adapter: Discord, channel: Channel, count: int = 3, **changes: Any) -> list[Outcome]:
    first = await adapter.deliver(to(channel, 1, card=in_thread(1, 1), **changes))
    assert isinstance(first, Sent)
    rest = [
        await adapter.deliver(to(channel, n, card=in_thread(n, n), under=first.messages, **changes))
        for n in range(2, count + 1)
    ]
    return [first, *rest]


def tagged(*tags: str) -> Card:
    return Card(post=post(1, tags=tags), reason="#Qeswachaka · ayllu.example")


def replace_style(settings: DiscordSettings, style: str) -> DiscordSettings:
    return settings.model_copy(update={"style": style})


@asynccontextmanager
async def refusing(path: str, status: int, code: int, **settings: Any) -> AsyncIterator[tuple[DiscordServer, Discord]]:
    """The loopback Discord behind a door that answers for it where the path ends so."""
    async with DiscordServer(window=0.05) as server, aiohttp.ClientSession() as session:

        async def answer(request: web.Request) -> web.Response:
            if f"{request.method} {request.path}".endswith(path):
                return web.json_response({"message": "Discord's words", "code": code}, status=status)
            url = f"{server.api_url}{request.raw_path.removeprefix('/api/v10')}"
            headers = {"Authorization": request.headers.get("Authorization", ""), "Content-Type": "application/json"}
            async with session.request(request.method, url, data=await request.read(), headers=headers) as reply:
                return web.Response(status=reply.status, body=await reply.read(), content_type="application/json")

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v10"
        adapter = Discord(DiscordSettings(token=SecretStr(server.token), api_url=url, **settings), HOST)
        try:
            yield server, adapter
        finally:
            await adapter.close()
            await runner.cleanup()
