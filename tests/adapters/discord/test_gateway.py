"""The gateway on the unmodified discord.py, over real sockets, against our own Discord on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route
from pydantic import SecretStr
from structlog.testing import capture_logs

from adapters.discord.api import DiscordApi
from adapters.discord.gateway import GATEWAY, Gateway, _close
from adapters.discord.interactions import Waiting
from adapters.discord.pace import DiscordPace
from adapters.discord.settings import DiscordSettings
from relay.i18n import words
from relay.model import Card, Media, MediaKind
from relay.plugins import Host
from relay.ports import Answer, Choice, Command
from relay.testing import FakeInbox, post, text
from tests.servers.discord import DiscordServer, Permission
from tests.servers.discord_schema import problems

HOST = Host(http=cast("Any", None), name="Chasqui", colours={"fake": 0x6364FF})


@dataclass
class Around:
    """Stands for what the gateway shares with the sender: the channels that it remembers, and the good of the token."""

    forgotten: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    def forget(self, channel: str, /) -> None:
        self.forgotten.add(channel)

    def refuse(self, reason: str) -> None:
        self.refused.append(reason)

    def counting(self) -> aiohttp.TraceConfig:
        return aiohttp.TraceConfig()


@dataclass
class Relay:
    server: DiscordServer
    inbox: FakeInbox
    around: Around
    running: asyncio.Task[None]

    async def command(self) -> Command:
        return await asyncio.wait_for(self.inbox.commands.get(), 30)

    async def lost(self) -> tuple[set[str], str]:
        destinations, reason = await asyncio.wait_for(self.inbox.losses.get(), 30)
        return {one.address for one in destinations}, reason


@pytest.fixture(autouse=True)
def endpoints() -> Iterator[None]:
    """discord.py has its endpoints for the whole process: put them back."""
    base, gateway = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    yield
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = base, gateway


def gateway(server: DiscordServer, around: Around, **settings: Any) -> Gateway:
    given = {"token": server.token, "api_url": server.api_url, "gateway_url": server.gateway_url}
    read = DiscordSettings.model_validate(given | settings)
    return Gateway(read, HOST, around, around, waiting=Waiting(identify=0), guild_ready_timeout=0.02)


@asynccontextmanager
async def running(server: DiscordServer, reply: Answer | None = None, **settings: Any) -> AsyncIterator[Relay]:
    inbox, around = FakeInbox(), Around()
    inbox.reply = reply or inbox.reply
    task = asyncio.create_task(gateway(server, around, **settings).run(inbox))
    try:
        await server.ready()
        yield Relay(server, inbox, around, task)
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=5)


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as started:
        yield started


async def test_a_command_over_the_wire_arrives_and_is_answered(server: DiscordServer) -> None:
    cards = (Card(post=post(), reason="#Qeswachaka"),)
    reply = Answer(text=text("Done."), cards=cards, choices=(Choice("Show the latest three", "preview #Qeswachaka"),))
    async with running(server, reply) as relay:
        other = server.add_channel("news", kind=5)
        asked = await server.command(
            server.channel, "subscribe", {"topic": "#Qeswachaka", "channel": other, "style": "embed"}, locale="es-ES"
        )
        command = await relay.command()
        assert command.destination.address == other.id
        assert command.community == server.guild.id
        assert command.user == f"discord:{server.manager.id}"
        assert command.language == "es-ES"
        assert command.may_manage
        assert command.obstacle == ""
        assert json.loads(command.options) == {"style": "embed"}
        await asked.settled()
        await until(lambda: len(asked.messages) == 2)
        assert asked.ephemeral
        assert "Post number 1." in asked.text
        await server.press(asked, "Show the latest three")
        pressed = await relay.command()
        assert (pressed.name, pressed.destination) == ("preview", command.destination)
    assert not problems(server.requests)


async def test_a_post_in_an_answer_whose_pictures_are_refused_is_shown_with_links(server: DiscordServer) -> None:
    loom = Media(url="https://ayllu.example/loom.png", kind=MediaKind.IMAGE, alt="The loom of the village")
    server.bad_urls.add(loom.url)
    cards = tuple(Card(post=one, reason="#Qeswachaka") for one in (post(1, media=(loom,)), post(2)))
    async with running(server, Answer(text=text("The latest:"), cards=cards)) as relay:
        asked = await server.command(server.channel, "preview", {"topic": "#Qeswachaka"})
        await relay.command()
        await until(lambda: len(asked.messages) == 3)
        assert "The loom of the village" in asked.text
        assert "Post number 2." in asked.text


@pytest.mark.parametrize(
    ("rights", "may"),
    [
        ({}, True),
        ({"there": Permission.VIEW}, False),
        ({"permissions": Permission.VIEW, "there": Permission.VIEW | Permission.MANAGE_CHANNELS}, True),
        ({"there": Permission.ADMINISTRATOR}, True),
    ],
)
async def test_what_the_person_may_do_counts_where_it_is_to_be_done(
    server: DiscordServer, rights: dict[str, Any], may: bool
) -> None:
    async with running(server) as relay:
        await server.command(server.channel, "pause", {"channel": server.add_channel("news")}, **rights)
        assert (await relay.command()).may_manage is may


async def test_what_the_relay_may_not_do_there_is_said(server: DiscordServer) -> None:
    async with running(server) as relay:
        await server.command(
            server.channel,
            "subscribe",
            {"topic": "#x", "channel": server.add_channel("news")},
            app_permissions=Permission.VIEW | Permission.EMBED,
        )
        assert (await relay.command()).obstacle.endswith("Send Messages")


@pytest.mark.parametrize(
    ("configured", "given", "needed"), [("card", "webhook", True), ("webhook", "card", False), ("webhook", None, True)]
)
async def test_the_authors_name_needs_one_more_permission(
    server: DiscordServer, configured: str, given: str | None, needed: bool
) -> None:
    may = Permission.USUAL & ~Permission.MANAGE_WEBHOOKS
    async with running(server, style=configured) as relay:
        style = {"style": given} if given else {}
        await server.command(server.channel, "subscribe", {"topic": "#x", **style}, app_permissions=may)
        assert ("Manage Webhooks" in (await relay.command()).obstacle) is needed


async def test_a_role_that_all_may_mention_may_be_mentioned(server: DiscordServer) -> None:
    role = server.add_role("Weavers", mentionable=True)
    async with running(server) as relay:
        await server.command(server.channel, "subscribe", {"topic": "#x", "mention_role": role})
        assert json.loads((await relay.command()).options) == {"mention_role": role.id}


async def test_the_commands_are_given_to_discord_once(server: DiscordServer) -> None:
    for _ in range(2):
        async with running(server):
            pass
    assert server.syncs == 1
    assert "help" in {command["name"] for command in server.commands}


async def test_a_relay_for_other_guilds_says_so_and_logs_a_new_guild_once(server: DiscordServer) -> None:
    with capture_logs() as logs:
        async with running(server, guilds=("1",)) as relay:
            asked = await server.command(server.channel, "help")
            await asked.answered()
            assert asked.text == words("en")("This relay is not set up for this server.")
            assert relay.inbox.commands.empty()
            another = server.add_guild("Another")
            await until(lambda: another.id in strange(logs))
            server.outage(another)
            server.recover(another)
            await _answered(server)
    assert sorted(strange(logs)) == sorted([server.guild.id, another.id])


def strange(logs: Sequence[Mapping[str, Any]]) -> list[str]:
    return [one["guild"] for one in logs if one["event"].startswith("not one of our guilds")]


async def until(condition: Callable[[], object]) -> None:
    """A log has no event to await."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


# --- what is lost ---


async def test_a_channel_that_is_deleted_is_lost(server: DiscordServer) -> None:
    async with running(server) as relay:
        channel = server.add_channel("news")
        server.remove_channel(channel)
        assert await relay.lost() == ({channel.id}, "the channel was deleted")
        assert channel.id in relay.around.forgotten


async def test_a_guild_that_throws_the_relay_out_is_lost_with_all_in_it(server: DiscordServer) -> None:
    async with running(server) as relay:
        guild = server.add_guild("Another")
        channels = {server.add_channel(name, guild=guild).id for name in ("one", "two")}
        await _seen(relay)
        server.remove_guild(guild)
        lost, reason = await relay.lost()
        assert lost >= channels
        assert server.channel.id not in lost
        assert reason == "the relay was removed from the server"


async def test_a_guild_that_is_away_for_a_while_is_not_lost(server: DiscordServer) -> None:
    async with running(server) as relay:
        await _seen(relay)
        server.outage(server.guild)
        server.recover(server.guild)
        await _seen(relay)
        assert relay.inbox.losses.empty()


async def test_a_channel_in_which_the_relay_may_no_longer_post_is_lost_once(server: DiscordServer) -> None:
    async with running(server) as relay:
        channel = server.add_channel("news")
        await _seen(relay)
        server.allow(channel, Permission.VIEW)
        lost, reason = await relay.lost()
        assert lost == {channel.id}
        assert reason == "the relay can no longer post there; it needs: Send Messages"
        assert channel.id in relay.around.forgotten
        server.change_channel(channel, name="olds")
        await _seen(relay)
        assert relay.inbox.losses.empty()


async def test_a_role_that_takes_the_right_to_post_closes_all_that_it_opened(server: DiscordServer) -> None:
    async with running(server) as relay:
        guild = server.add_guild("Another", permissions=Permission.USUAL)
        channels = {server.add_channel(name, guild=guild).id for name in ("one", "two")}
        await _seen(relay)
        for role in guild.roles:
            server.change_role(role, permissions=Permission.HISTORY)
        told: set[str] = set()
        while not told >= channels:
            told |= (await relay.lost())[0]
        assert server.channel.id not in told


async def test_threads_are_lost_when_they_are_deleted_or_locked(server: DiscordServer) -> None:
    async with running(server) as relay:
        guild = server.add_guild("Another", permissions=Permission.USUAL & ~Permission.MANAGE_THREADS)
        forum = server.add_channel("forum", kind=15, guild=guild)
        one, two = (server.add_thread(forum, f"{int(forum.id) + nth}", "a post", server.manager.id) for nth in (1, 2))
        await _seen(relay)
        server.change_channel(one, locked=True)
        assert await relay.lost() == ({one.id}, "the thread was locked")
        server.remove_channel(two)
        assert await relay.lost() == ({two.id}, "the thread was deleted")


async def test_a_channel_that_only_changes_its_looks_is_asked_for_again_and_not_lost(server: DiscordServer) -> None:
    async with running(server) as relay:
        server.change_channel(server.channel, nsfw=True)
        await until(lambda: server.channel.id in relay.around.forgotten)
        await _seen(relay)
        assert relay.inbox.losses.empty()


async def _seen(relay: Relay) -> None:
    """All events so far have arrived, and what they started has begun: the socket and the loop keep the order."""
    await _answered(relay.server)
    await relay.command()


async def _answered(server: DiscordServer) -> None:
    await (await server.command(server.channel, "status")).answered()


# --- the connection ---


async def test_a_lost_gateway_is_resumed_and_told_once(server: DiscordServer) -> None:
    with capture_logs() as logs:
        async with running(server) as relay:
            await server.drop_gateway()
            await server.wait_until(lambda: server.resumes == 1)
            await _seen(relay)
    told = [one["event"] for one in logs if one.get("what") == GATEWAY]
    assert told == ["does not work", "works again"]
    assert server.identifies == 1


async def test_a_forgotten_session_begins_anew_at_the_same_place(server: DiscordServer) -> None:
    assert Waiting().identify == 5
    async with running(server) as relay:
        await server.drop_gateway(resume=False)
        await server.wait_until(lambda: server.identifies == 2)
        await _seen(relay)


async def test_a_wrong_token_ends_it_and_is_told(server: DiscordServer) -> None:
    around = Around()
    await asyncio.wait_for(gateway(server, around, token="made-up").run(FakeInbox()), 30)
    assert around.refused == ["at the gateway"]
    assert server.identifies == 0


async def test_a_token_that_is_taken_back_ends_it_and_is_told(server: DiscordServer) -> None:
    async with running(server) as relay:
        server.revoke_token()
        await server.drop_gateway(resume=False, code=4004)
        await asyncio.wait_for(relay.running, 30)
        assert relay.around.refused == ["at the gateway"]


@pytest.mark.parametrize(("code", "what"), [(4014, "intents"), (4012, "update discord.py")])
async def test_what_only_a_person_can_put_right_ends_it_with_a_word(
    server: DiscordServer, code: int, what: str
) -> None:
    with capture_logs() as logs:
        async with running(server) as relay:
            await server.drop_gateway(code=code)
            await asyncio.wait_for(relay.running, 30)
    assert [what in one["reason"] for one in logs if one["log_level"] == "error"] == [True]
    assert not relay.around.refused


async def test_a_server_that_is_not_there_is_told_once_and_tried_again(server: DiscordServer) -> None:
    away = gateway(server, Around(), api_url="http://127.0.0.1:9/api/v10")
    with capture_logs() as logs:
        task = asyncio.create_task(away.run(FakeInbox()))
        await until(lambda: any(one.get("what") == GATEWAY for one in logs))
        assert not task.done()
        task.cancel()
        await asyncio.wait([task], timeout=5)
    assert task.cancelled()


@pytest.mark.parametrize("silent", [False, True])
async def test_it_can_be_stopped_within_two_seconds(server: DiscordServer, silent: bool) -> None:
    async with running(server) as relay:
        relay.inbox.hold = asyncio.Event()
        await server.command(server.channel, "help")
        await relay.command()
        server.silence(silent)
        relay.running.cancel()
        done, _ = await asyncio.wait([relay.running], timeout=2)
        assert done


async def test_a_server_that_does_not_say_good_bye_holds_nobody_up() -> None:
    """Its socket would be waited for ten seconds; the session is closed all the same."""
    closed = asyncio.Event()

    async def set_closed() -> None:
        closed.set()

    deaf = SimpleNamespace(close=asyncio.Event().wait, http=SimpleNamespace(close=set_closed))
    async with asyncio.timeout(1):
        await _close(cast("Any", deaf), within=0.01)
    assert closed.is_set()


async def test_no_log_line_holds_a_secret_at_any_level(server: DiscordServer) -> None:
    """Of discord.py neither: it writes the addresses of interactions, which are passwords, at DEBUG."""
    lines: list[str] = []
    handler = logging.Handler(logging.DEBUG)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]  # our own handler
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with capture_logs() as logs:
            async with running(server) as relay:
                asked = await server.command(server.channel, "help")
                await relay.command()
                await asked.answered()
                asked.expire()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    everything = "\n".join([*lines, *map(str, logs)])
    assert server.token not in everything
    assert asked.token not in everything
    assert not re.search(r"/(interactions|webhooks)/\d+/\w", everything)


async def test_what_discord_py_asks_comes_out_of_the_same_budget() -> None:
    """Fifty a second are for the bot, whoever asks: a start with a backlog must not meet a 429."""
    async with DiscordServer() as server:
        given = DiscordSettings(token=SecretStr(server.token), api_url=server.api_url, gateway_url=server.gateway_url)
        pace = DiscordPace()
        api = DiscordApi(given.token, given.api_url, pace=pace)
        gateway = Gateway(given, HOST, api, Around(), guild_ready_timeout=0)
        listening = asyncio.create_task(gateway.run(FakeInbox()))
        try:
            await server.ready()
            asked = len(server.requests)
            assert asked >= 4
            assert pace._bot.flying + len(pace._bot.over) >= asked
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await api.close()
