"""The loopback Discord is believed by the unmodified discord.py, and says no as Discord does."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.servers.discord import RESET, DiscordServer, Global, Slow, text_of
from tests.servers.discord_schema import problems, spec_path

Json = dict[str, Any]


class Bot(discord.AutoShardedClient):
    """A bot of a few lines, as anybody writes it."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents(guilds=True), guild_ready_timeout=0)
        self.tree: app_commands.CommandTree[Bot] = app_commands.CommandTree(self)
        self.lost: asyncio.Queue[int] = asyncio.Queue()
        _enter_commands(self.tree)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """No 5 s of courtesy on loopback."""

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        self.lost.put_nowait(channel.id)


def _enter_commands(tree: app_commands.CommandTree[Bot]) -> None:
    @tree.command(description="Follow a topic")
    async def subscribe(
        interaction: discord.Interaction[Bot], topic: str, channel: app_commands.AppCommandChannel | None = None
    ) -> None:
        may = channel.permissions.manage_channels if channel else interaction.permissions.manage_channels
        await interaction.response.send_message(f"{topic} {may} {interaction.locale}", view=_Yes(), ephemeral=True)

    @subscribe.autocomplete("topic")
    async def complete(_interaction: discord.Interaction[Bot], typed: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=f"{typed}Aquí", value=f"{typed}aqui")]

    @tree.command(description="Take your time")
    async def unroll(interaction: discord.Interaction[Bot], url: str) -> None:
        await interaction.response.defer(ephemeral=True)
        await interaction.edit_original_response(content=f"unrolled {url}")
        await interaction.followup.send("and more", ephemeral=True)

    @tree.context_menu(name="Unroll thread")
    async def menu(interaction: discord.Interaction[Bot], message: discord.Message) -> None:
        await interaction.response.send_message(message.content)


class _Yes(discord.ui.View):
    @discord.ui.button(label="Yes", custom_id="yes")
    async def yes(self, interaction: discord.Interaction[Bot], _button: discord.ui.Button[_Yes]) -> None:
        await interaction.response.edit_message(content="it is so", view=None)


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer(window=0.05) as running:
        yield running


@pytest.fixture
def endpoints(server: DiscordServer) -> Iterator[None]:
    """discord.py has its endpoints in class attributes."""
    kept = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = server.api_url, yarl.URL(server.gateway_url)
    yield
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = kept


@pytest.fixture
async def bot(server: DiscordServer, endpoints: None) -> AsyncIterator[Bot]:
    async with running(server) as made:
        yield made


@asynccontextmanager
async def running(server: DiscordServer) -> AsyncIterator[Bot]:
    made = Bot()
    async with made:
        task = asyncio.create_task(made.start(server.token))
        await server.ready()
        await made.wait_until_ready()
        yield made
        await made.close()
        await task


async def soon(lost: asyncio.Queue[int]) -> int:
    async with asyncio.timeout(3):
        return await lost.get()


def text_channel(bot: Bot, server: DiscordServer) -> discord.TextChannel:
    found = bot.get_channel(int(server.channel.id))
    assert isinstance(found, discord.TextChannel)
    return found


async def test_discord_py_logs_in_and_finds_its_guild_with_channels_roles_and_its_own_permissions(
    server: DiscordServer, bot: Bot
) -> None:
    guild = bot.get_guild(int(server.guild.id))
    assert guild
    assert [role.name for role in guild.me.roles] == ["@everyone", "chasqui"]
    assert text_channel(bot, server).permissions_for(guild.me).value == server.channel.permissions
    assert (server.identifies, server.syncs, server.invalid) == (1, 1, 0)


async def test_a_command_is_answered_and_its_button_changes_the_answer(server: DiscordServer, bot: Bot) -> None:
    other = server.add_channel("other")
    given = {"topic": "#Qeswachaka", "channel": other}
    asked = await server.command(server.channel, "subscribe", given, there=0, locale="es-ES")
    assert (await asked.answered())["type"] == 4
    assert (asked.text, asked.ephemeral, asked.deferred) == ("#Qeswachaka False es-ES", True, False)
    assert server.messages(server.channel) == []  # only the person sees it
    await (await server.press(asked, "Yes")).settled()
    assert asked.text == "it is so"
    assert asked.buttons == []


async def test_a_deferred_answer_settles_and_follow_ups_stand_below(server: DiscordServer, bot: Bot) -> None:
    asked = await server.command(server.channel, "unroll", {"url": "https://ayllu.example/1"}, user=server.visitor)
    assert (await asked.settled())["content"] == "unrolled https://ayllu.example/1"
    await server.wait_until(lambda: len(asked.messages) == 2)
    assert (asked.deferred, asked.ephemeral) == (True, True)
    assert asked.text.endswith("and more")


async def test_completion_and_the_menu_of_a_message_reach_the_bot(server: DiscordServer, bot: Bot) -> None:
    offered = await server.autocomplete(server.channel, "subscribe", "topic", "#no")
    assert [(choice["name"], choice["value"]) for choice in offered] == [("#noAquí", "#noaqui")]
    asked = await server.menu(server.channel, "Unroll thread", content="https://ayllu.example/2")
    assert (await asked.settled())["content"] == "https://ayllu.example/2"
    assert not asked.ephemeral
    assert asked.messages[0] in server.messages(server.channel)


async def test_a_client_that_would_not_send_such_a_command_is_not_played(server: DiscordServer, bot: Bot) -> None:
    server.patience = 0.01
    attempts: list[tuple[str, Json, str]] = [
        ("follow", {}, "never synced"),
        ("subscribe", {}, "without .'topic'."),
        ("subscribe", {"topic": "#x", "mood": 1}, "has no .'mood'."),
        ("subscribe", {"topic": 5}, "nothing that a client sends"),
    ]
    for name, given, told in attempts:
        with pytest.raises(AssertionError, match=told):
            await server.command(server.channel, name, given)


async def test_an_interaction_that_nobody_answers_fails_the_test_with_a_reason(server: DiscordServer, bot: Bot) -> None:
    server.faults.add("POST /interactions/*/*/callback", Slow(0.2))
    asked = await server.command(server.channel, "unroll", {"url": "x"})
    with pytest.raises(AssertionError, match=r"not answered within 0\.05 s"):
        await asked.answered(0.05)
    await asked.settled()


async def test_messages_are_sent_edited_and_deleted_and_a_thread_hangs_on_one(server: DiscordServer, bot: Bot) -> None:
    channel = text_channel(bot, server)
    sent = await channel.send("hello", embed=discord.Embed(title="t", description="d"))
    assert text_of(server.messages(str(channel.id))[0]) == "hello\nt\nd"
    thread = await sent.create_thread(name="more")
    assert thread.id == sent.id
    await server.wait_until(lambda: server.threads(server.channel))
    await thread.send("inside")
    await sent.edit(content="changed", embed=None)
    assert text_of(server.messages(server.channel)[0]) == "changed"
    await sent.delete()
    assert server.messages(server.channel) == []
    with pytest.raises(discord.NotFound):
        await sent.edit(content="x")


async def test_new_components_go_through_discord_py(server: DiscordServer, bot: Bot) -> None:
    view = discord.ui.LayoutView()
    row: discord.ui.ActionRow[discord.ui.LayoutView] = discord.ui.ActionRow()
    row.add_item(discord.ui.Button(label="Original", url="https://ayllu.example/1"))
    view.add_item(discord.ui.Container(discord.ui.TextDisplay("a card"), row))
    sent = await text_channel(bot, server).send(view=view)
    assert text_of(server.messages(server.channel)[0]) == "a card"
    assert sent.flags.components_v2


async def test_the_sixth_message_in_a_window_waits_and_a_429_is_obeyed(server: DiscordServer, bot: Bot) -> None:
    channel = text_channel(bot, server)
    for number in range(7):
        await channel.send(str(number))
    assert server.too_many == 0  # the headers were enough
    server.faults.add("POST /channels/*/messages", Global(0.1))
    await channel.send("late")
    assert (server.too_many, server.invalid, len(server.messages(server.channel))) == (1, 1, 8)


async def test_a_dropped_gateway_is_resumed_and_what_happened_meanwhile_is_told(
    server: DiscordServer, bot: Bot
) -> None:
    other = server.add_channel("other")
    await server.drop_gateway()
    server.remove_channel(other)
    await server.wait_until(lambda: server.resumes == 1)
    assert await soon(bot.lost) == int(other.id)
    assert server.identifies == 1


async def test_a_session_that_is_forgotten_is_opened_anew(server: DiscordServer, bot: Bot) -> None:
    await server.drop_gateway(resume=False)
    await server.wait_until(lambda: server.identifies == 2 and server.sessions)
    await server.reconnect()
    await server.wait_until(lambda: server.resumes == 1)


async def test_two_processes_with_one_token_both_hear_of_it(server: DiscordServer, bot: Bot) -> None:
    async with running(server) as second:
        await server.ready(sessions=2)
        server.remove_channel(server.channel)
        assert await soon(bot.lost) == await soon(second.lost) == int(server.channel.id)


async def test_an_interaction_is_acknowledged_once_in_time_and_its_token_dies(server: DiscordServer, bot: Bot) -> None:
    asked = await server.command(server.channel, "unroll", {"url": "x"})
    first = f"/interactions/{asked.id}/{asked.token}/callback"
    answer = {"type": 4, "data": {"content": "a"}}
    await asked.settled()
    assert await told(server, "POST", first, answer) == (400, 40060)
    assert await told(server, "POST", f"/interactions/{asked.id}/unknown/callback", answer) == (404, 10062)
    later = f"/webhooks/{server.application_id}/{asked.token}"
    assert await told(server, "PATCH", f"{later}/messages/@original", {"content": "b"}) == (200, 0)
    asked.expire()
    assert await told(server, "POST", later, {"content": "b"}) == (401, 50027)
    assert asked.messages[0]["content"] == "b"


async def test_an_answer_after_three_seconds_is_too_late_and_a_deferral_says_nothing(
    server: DiscordServer, bot: Bot
) -> None:
    server.faults.add("POST /interactions/*/*/callback", RESET)
    asked = await server.command(server.channel, "subscribe", {"topic": "#x"})
    await server.wait_until(lambda: server.asked("POST /interactions/*/*/callback"))
    first = f"/interactions/{asked.id}/{asked.token}/callback"
    assert await told(server, "POST", first, {"type": 5, "data": {"content": "a"}}) == (400, 50035)
    assert await told(server, "POST", first, {"type": 8, "data": {"choices": []}}) == (400, 50035)
    assert await told(server, "POST", first, {"type": 4, "data": {}}) == (400, 50006)
    asked.began -= 3
    assert await told(server, "POST", first, {"type": 4, "data": {"content": "a"}}) == (404, 10062)


async def test_a_message_with_a_file_keeps_it(server: DiscordServer, bot: Bot) -> None:
    await text_channel(bot, server).send("see", file=discord.File(io.BytesIO(b"abc"), "a.txt"))
    assert [(one["filename"], one["size"]) for one in server.messages(server.channel)[0]["attachments"]] == [
        ("a.txt", 3)
    ]


async def told(server: DiscordServer, method: str, path: str, body: Json) -> tuple[int, int]:
    """Status and Discord's code for what another client asks."""
    async with aiohttp.ClientSession() as client, client.request(method, server.api_url + path, json=body) as answer:
        return answer.status, (await answer.json()).get("code", 0)


async def test_a_wrong_token_does_not_log_in(server: DiscordServer, endpoints: None) -> None:
    server.revoke_token()
    bot = Bot()
    with pytest.raises(discord.LoginFailure):
        async with bot:
            await bot.start(server.token)
    assert server.invalid == 1


async def test_all_that_discord_py_asked_for_fits_the_official_document(server: DiscordServer, bot: Bot) -> None:
    if spec_path() is None:
        pytest.skip("RELAY_TEST_SPECS names no folder with discord-openapi.json")
    await (await server.command(server.channel, "unroll", {"url": "x"})).settled()
    await text_channel(bot, server).send("hello")
    assert server.asked("POST /interactions/*/*/callback")
    assert problems(server.requests) == []
