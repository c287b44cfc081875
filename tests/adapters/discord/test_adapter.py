"""The Discord adapter as the relay sees it: the contract of every adapter, its checks, and no secret anywhere."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
import structlog
from pydantic import SecretStr, ValidationError

from adapters.discord import Discord, DiscordOptions, DiscordSettings, build, plugin
from relay.model import Action, Destination
from relay.plugins import Host, load
from relay.ports import Adapter, Sent
from relay.testing import AdapterContract, FakeInbox, delivery, in_thread
from tests.servers.discord import LOST, DiscordServer, Permission, Status

HOST = Host(http=None, name="Chasqui", version="1.2.3")  # type: ignore[arg-type]  # never asked for anything


def settings_for(server: DiscordServer, **more: object) -> DiscordSettings:
    where = {"api_url": server.api_url, "gateway_url": server.gateway_url}
    return DiscordSettings.model_validate({"token": server.token, **where, **more})


class DiscordContract(AdapterContract):
    """Against the loopback Discord; each adapter that a test makes is closed after it."""

    settings: dict[str, object] = {}  # noqa: RUF012 - pytest's classes are never made twice
    kind = 0

    @pytest_asyncio.fixture(autouse=True)
    async def discord(self) -> AsyncIterator[None]:
        async with DiscordServer(window=0.05) as server:
            self.server, self.made = server, list[Discord]()
            self.to = f"discord:{server.add_channel('place', kind=self.kind).id}"
            yield
            for adapter in self.made:
                await adapter.close()

    def make(self) -> Adapter:
        adapter = build(settings_for(self.server, **self.settings), HOST)
        self.made.append(adapter)
        return adapter


class TestCards(DiscordContract):
    pass


class TestEmbeds(DiscordContract):
    settings = {"style": "embed"}  # noqa: RUF012 - as above


class TestWebhooks(DiscordContract):
    settings = {"style": "webhook"}  # noqa: RUF012 - as above


class TestForums(DiscordContract):
    kind = 15


class TestForumsByWebhook(DiscordContract):
    settings = {"style": "webhook"}  # noqa: RUF012 - as above
    kind = 15


class TestAnnouncements(DiscordContract):
    settings = {"crosspost": True}  # noqa: RUF012 - as above
    kind = 5


# --- settings ---


def test_the_entry_point_is_this_plugin() -> None:
    assert load("adapters", "discord") is plugin
    assert plugin.options is DiscordOptions


def test_the_token_is_a_secret_and_ids_may_be_numbers() -> None:
    settings = DiscordSettings.model_validate({"token": " abc.def ", "guilds": [123, "456"]})
    assert settings.token.get_secret_value() == "abc.def"
    assert "abc.def" not in repr(settings)
    assert settings.guilds == ("123", "456")


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": ""},
        {"token": "two words"},
        {"token": "x", "guilds": ["my server"]},
        {"token": "x", "guilds": [True]},
        {"token": "x", "style": "fancy"},
        {"token": "x", "api_url": "discord.com"},
        {"token": "x", "gateway_url": "https://x"},
        {"token": "x", "sparkle": 1},
        {},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DiscordSettings.model_validate(wrong)


def test_delivering_needs_no_discord_py() -> None:
    """It takes a second and 30 MB to load: only who listens for commands pays for it."""
    code = "import sys, adapters.discord; sys.exit('discord' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- checks ---


async def test_a_check_says_who_the_bot_is_where_it_may_post_and_what_is_missing() -> None:
    async with DiscordServer() as server:
        adapter = Discord(settings_for(server), HOST)
        bare = server.add_channel("bare", permissions=Permission.VIEW)
        blind = server.add_channel("blind", permissions=0)
        box = server.add_channel("box", kind=4)
        plain = server.add_channel("plain", permissions=Permission.VIEW | Permission.SEND | Permission.EMBED)
        addresses = [server.channel.id, bare.id, blind.id, box.id, plain.id, "1234567890123456789", "general"]
        checks = await adapter.check([Destination("discord", address) for address in addresses])
        await adapter.close()
    assert [check.ok for check in checks] == [True, True, False, False, False, True, False, False]
    me, fine, lacking, hidden, category, thrifty, unknown, named = checks
    assert server.application_id in me.note
    assert "permissions=" in me.note
    assert "chasqui" in me.note
    assert "#general" in fine.note
    assert "Send Messages" in lacking.note
    assert "View Channel" in hidden.note
    assert "category" in category.note
    assert "Read Message History" in thrifty.note
    assert "no such channel" in unknown.note
    assert "Copy Channel ID" in named.note
    assert [check.name for check in checks[1:]] == [f"discord:{address}" for address in addresses]


async def test_a_check_of_many_channels_asks_for_each_guild_once() -> None:
    async with DiscordServer() as server:
        adapter = Discord(settings_for(server), HOST)
        places = [Destination("discord", server.add_channel(f"c{number}").id) for number in range(5)]
        assert all(check.ok for check in await adapter.check(places))
        await adapter.close()
        assert len(server.asked("GET /guilds/*")) == 1


async def test_a_check_of_webhooks_asks_for_the_right_to_them() -> None:
    async with DiscordServer() as server:
        adapter = Discord(settings_for(server, style="webhook"), HOST)
        server.allow(server.channel, Permission.USUAL & ~Permission.MANAGE_WEBHOOKS)
        _, check = await adapter.check([Destination("discord", server.channel.id)])
        await adapter.close()
    assert not check.ok
    assert "Manage Webhooks" in check.note


async def test_a_check_of_another_server_than_the_allowed_ones_says_so() -> None:
    async with DiscordServer() as server:
        adapter = Discord(settings_for(server, guilds=["1"]), HOST)
        _, check = await adapter.check([Destination("discord", server.channel.id)])
        await adapter.close()
    assert not check.ok


async def test_a_check_with_a_bad_token_says_what_to_do() -> None:
    async with DiscordServer() as server:
        server.revoke_token()
        adapter = Discord(settings_for(server), HOST)
        (check,) = await adapter.check([Destination("discord", server.channel.id)])
        await adapter.close()
    assert not check.ok
    assert "adapters.discord.token" in check.note


async def test_a_check_where_discord_cannot_be_reached_says_so() -> None:
    settings = DiscordSettings(token=SecretStr("x"), api_url="http://127.0.0.1:9")
    adapter = Discord(settings, HOST)
    (check,) = await adapter.check()
    await adapter.close()
    assert not check.ok
    assert "cannot be reached" in check.note


# --- running ---


@pytest.mark.filterwarnings("ignore:'audioop' is deprecated:DeprecationWarning")  # discord.py's, at its import
async def test_a_refused_token_ends_the_commands_with_one_loud_line_and_nothing_else() -> None:
    """The other adapters of the process go on: nothing is raised."""
    async with DiscordServer() as server:
        server.revoke_token()
        adapter = Discord(settings_for(server), HOST)
        with structlog.testing.capture_logs() as lines:
            async with asyncio.timeout(10):
                await adapter.run(FakeInbox())
                await adapter.deliver(delivery(to=f"discord:{server.channel.id}"))
        await adapter.close()
    assert [line["event"].split(":")[0] for line in lines if line["log_level"] == "error"] == ["token refused"]
    assert server.asked("GET /channels/*") == []


# --- secrets ---


async def test_no_secret_is_logged_at_any_level_whatever_happens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in [*logging.Logger.manager.loggerDict, "aiohttp.client", "asyncio"]:
        if name != "aiohttp.access":  # the server's own lines in this very process
            caplog.set_level(logging.DEBUG, logger=name)
    seen: list[str] = []
    with structlog.testing.capture_logs() as lines:
        async with DiscordServer(window=0.02) as server:
            adapter = Discord(settings_for(server, style="webhook"), HOST)
            where = f"discord:{server.channel.id}"
            for number, fault in enumerate([None, LOST, Status(500), Status(404), Status(401), Status(429)], 1):
                if fault is not None:
                    server.faults.add("POST /webhooks/*/*", fault)
                first = await adapter.deliver(delivery(number, to=where, card=in_thread(number, 1)))
                seen.append(repr(first))
                if isinstance(first, Sent):
                    server.faults.add("PATCH /webhooks/*/*/messages/*", Status(500))
                    edit = delivery(number, action=Action.EDIT, to=where, messages=first.messages)
                    seen.append(repr(await adapter.deliver(edit)))
            hooks = [hook.token for hook in server.webhooks(server.channel)]
            server.revoke_token()
            seen.append(repr(await adapter.check([Destination("discord", server.channel.id)])))
            seen.append(repr(await adapter.deliver(delivery(9, to=where, options='{"style": "card"}'))))
            await adapter.close()
    told = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]
    everything = "\n".join([*seen, *told, repr(lines)])
    assert hooks
    for secret in (server.token, *hooks):
        assert secret not in everything


async def test_the_pace_of_one_channel_holds_no_other() -> None:
    """Twenty posts each to two channels, one of which Discord has closed for a while."""
    async with DiscordServer(window=1.0) as server:
        adapter = Discord(settings_for(server), HOST)
        other = server.add_channel("other")
        for number in range(1, 6):
            await adapter.deliver(delivery(number, to=f"discord:{server.channel.id}"))
        async with asyncio.timeout(1):
            held = await adapter.deliver(delivery(6, to=f"discord:{server.channel.id}"))
            free = await adapter.deliver(replace(delivery(7), destination=Destination("discord", other.id)))
        await adapter.close()
    assert not isinstance(held, Sent)
    assert isinstance(free, Sent)
    assert server.too_many == 0
