"""The gateway of the loopback Discord, frame by frame."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.servers.discord import DiscordServer

Json = dict[str, Any]
GUILDS, MESSAGES, CONTENT = 1, 1 << 9, 1 << 15


class Socket:
    """A client that reads one frame at a time."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse, unpacker: Any = None) -> None:
        self.raw = raw
        self._unpacker = unpacker

    async def next(self) -> Json:
        frame = await self.raw.receive(timeout=2)
        if frame.type is aiohttp.WSMsgType.BINARY:
            assert frame.data.endswith(b"\x00\x00\xff\xff")  # what tells a client that a message ends here
            return dict(json.loads(self._unpacker.decompress(frame.data)))
        return dict(json.loads(frame.data)) if frame.type is aiohttp.WSMsgType.TEXT else {"closed": self.raw.close_code}

    async def until(self, event: str) -> list[Json]:
        """The events up to and with this one."""
        found = [await self.next()]
        while found[-1].get("t") != event:
            found.append(await self.next())
        return found

    async def identify(self, token: str, intents: int = GUILDS, **more: Any) -> None:
        await self.raw.send_json({"op": 2, "d": {"token": token, "intents": intents, "properties": {}, **more}})


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as running:
        yield running


@asynccontextmanager
async def connected(server: DiscordServer, query: str = "") -> AsyncIterator[Socket]:
    unpacker = zlib.decompressobj() if "zlib" in query else None
    async with aiohttp.ClientSession() as client, client.ws_connect(server.gateway_url + query) as raw:
        socket = Socket(raw, unpacker)
        assert (await socket.next())["op"] == 10
        yield socket


@pytest.mark.parametrize("query", ["", "?v=10&encoding=json&compress=zlib-stream"])
async def test_a_session_begins_with_hello_ready_and_the_guilds(server: DiscordServer, query: str) -> None:
    async with connected(server, query) as socket:
        await socket.identify(server.token)
        ready, created = await socket.until("GUILD_CREATE")
        assert ready["d"]["guilds"] == [{"id": server.guild.id, "unavailable": True}]
        assert ready["d"]["resume_gateway_url"].startswith(server.gateway_url)
        assert [one["id"] for one in created["d"]["channels"]] == [server.channel.id]
        assert (ready["s"], created["s"]) == (1, 2)


@pytest.mark.parametrize(("token", "intents", "code"), [("wrong", GUILDS, 4004), ("", GUILDS | CONTENT, 4014)])
async def test_who_may_not_come_in_is_told_by_the_code(
    server: DiscordServer, token: str, intents: int, code: int
) -> None:
    async with connected(server) as socket:
        await socket.identify(token or server.token, intents)
        assert await socket.next() == {"closed": code}


async def test_heartbeats_are_acknowledged_unless_the_server_falls_silent(server: DiscordServer) -> None:
    async with connected(server) as socket:
        await socket.raw.send_json({"op": 1, "d": None})
        assert (await socket.next())["op"] == 11
        server.silence()
        await socket.raw.send_json({"op": 1, "d": None})
        await socket.identify(server.token)
        assert (await socket.next())["t"] == "READY"  # nothing came before it


async def test_messages_are_told_to_those_with_the_intent_and_without_others_words(server: DiscordServer) -> None:
    async with connected(server) as deaf, connected(server) as keen:
        await deaf.identify(server.token)
        await keen.identify(server.token, GUILDS | MESSAGES)
        await deaf.until("GUILD_CREATE")
        await keen.until("GUILD_CREATE")
        server.post(server.channel, "hello")
        server.change_channel(server.channel, name="renamed")
        heard, changed = await keen.until("CHANNEL_UPDATE")
        assert (heard["t"], heard["d"]["content"], changed["d"]["name"]) == ("MESSAGE_CREATE", "", "renamed")
        assert [one["t"] for one in await deaf.until("CHANNEL_UPDATE")] == ["CHANNEL_UPDATE"]


async def test_a_resume_replays_what_was_missed_and_an_unknown_session_is_invalid(server: DiscordServer) -> None:
    async with connected(server) as socket:
        await socket.identify(server.token)
        ready = (await socket.until("GUILD_CREATE"))[0]
    other = server.add_channel("other")
    lost = {"token": server.token, "session_id": ready["d"]["session_id"], "seq": 2}
    async with connected(server) as socket:
        await socket.raw.send_json({"op": 6, "d": lost})
        missed, resumed = await socket.until("RESUMED")
        assert (missed["t"], missed["s"], missed["d"]["id"], resumed["s"]) == ("CHANNEL_CREATE", 3, other.id, 4)
        await socket.raw.send_json({"op": 6, "d": {**lost, "session_id": "unknown"}})
        assert await socket.next() == {"op": 9, "s": None, "t": None, "d": False}
    assert (server.identifies, server.resumes) == (1, 1)


async def test_a_shard_hears_of_its_own_guilds_only(server: DiscordServer) -> None:
    for _ in range(3):
        server.ids._last += 1 << 22  # a millisecond later: the shard is told by that
        server.add_guild()
    mine = {guild for guild in server.guilds if (int(guild) >> 22) % 2 == 1}
    assert 0 < len(mine) < 4
    async with connected(server) as socket:
        await socket.identify(server.token, shard=[1, 2])
        ready = await socket.next()
        assert {guild["id"] for guild in ready["d"]["guilds"]} == mine


async def test_guilds_fall_ill_recover_and_throw_the_bot_out(server: DiscordServer) -> None:
    async with connected(server) as socket:
        await socket.identify(server.token)
        await socket.until("GUILD_CREATE")
        server.outage(server.guild)
        assert (await socket.next())["d"] == {"id": server.guild.id, "unavailable": True}
        server.recover(server.guild)
        assert (await socket.next())["t"] == "GUILD_CREATE"
        server.remove_guild(server.guild)
        assert (await socket.next())["d"] == {"id": server.guild.id}
        server.add_channel("unheard")
        await server.reconnect()
        assert (await socket.next())["op"] == 7  # nothing of a guild that was left
