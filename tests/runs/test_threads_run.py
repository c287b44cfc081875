"""A thread that grows without its hashtag: one message at each platform with the right count, and a page of it all.

What are days for people are moments here: only the spans between the looks are others.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from tests.servers.discord import DiscordServer
from tests.servers.discord.messages import buttons_of as discord_buttons
from tests.servers.discord.messages import text_of as discord_text
from tests.servers.environments import free_port
from tests.servers.mastodon import Draft, Mastodon
from tests.servers.matrix import MatrixServer
from tests.servers.telegram import TelegramServer, buttons_of, text_of
from tests.support.matrix_homes import Loopback, seen
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA, database

CONFIG = """\
[relay]
public_url = "http://127.0.0.1:{port}"
[store]
url = "{store}"
[web]
port = {port}
[threads]
looks = ["400ms", "1500ms", "3s", "6s"]
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
[sources.mastodon]
instances = ["{instance}"]
interval = "100ms"
sweep = "300ms"
[adapters.console]
format = "json"
[adapters.discord]
token = "{discord.token}"
api_url = "{discord.api_url}"
gateway_url = "{discord.gateway_url}"
[adapters.telegram]
token = "{telegram.token}"
api_url = "{telegram.api_url}"
[adapters.matrix]
homeserver = "{home.url}"
user = "{home.user}"
token = "{token}"
invites = ["{home.server}"]
[[subscriptions]]
topic = "#bridge"
to = ["console", "discord:{channel}", "telegram:{group}", "matrix:{room}"]
"""


@pytest.mark.timeout(90)
async def test_a_thread_grows_as_one_message_at_each_platform(tmp_path: Path) -> None:
    async with (
        Mastodon([ILLA]) as stage,
        DiscordServer() as discord,
        TelegramServer(window=0.05) as telegram,
        MatrixServer() as homeserver,
    ):
        home = Loopback(homeserver)
        room = await home.room("sami")
        await home.invite("sami", room)
        channel = discord.add_channel("bridges")
        told = {
            "port": free_port(),
            "store": database(tmp_path),
            "instance": stage.url,
            "discord": discord,
            "telegram": telegram,
            "home": home,
            "token": await home.token(),
            "channel": channel.id,
            "group": telegram.group.id,
            "room": room,
        }
        config = tmp_path / "relay.toml"
        config.write_text(CONFIG.format(**told))
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 1)
            stage.post(Draft(author="illa", text="The old bridge comes down. #bridge", name="one"))
            await relay.wait_until(lambda lines: lines)
            stage.post(Draft(author="illa", text="Every house owes a rope.", name="two", reply_to="one"))
            await _counts(relay, 2)
            stage.post(Draft(author="illa", text="I wrote this in anger.", name="three", reply_to="two"))
            stage.post(Draft(author="illa", text="We cross at night.", name="four", reply_to="three"))
            await _counts(relay, 4)
            stage.delete("three")
            stage.edit("two", "Every house owes the bridge a rope.")
            await _counts(relay, 3)

            await discord.wait_until(lambda: "Unroll (3)" in _labels(discord_buttons, discord.messages(channel)))
            await telegram.wait_until(lambda: "Unroll (3)" in _labels(buttons_of, telegram.sent(telegram.group)))
            rooms = [one.body for one in await seen(home, "sami", room)]
            await _page_reads(relay.lines[-1]["thread"]["unroll"])
            await relay.stop()
        assert len([one for one in discord.messages(channel) if "comes down" in discord_text(one)]) == 1
        assert len([one for one in telegram.sent(telegram.group) if "comes down" in text_of(one)]) == 1
        assert len([body for body in rooms if "comes down" in body]) == 1
        assert {line["action"] for line in relay.lines} <= {"send", "count"}
        assert [line["action"] for line in relay.lines].count("send") == 1


def _labels(buttons: Callable[..., list[dict[str, object]]], messages: list[dict[str, object]]) -> list[object]:
    return [button.get("label") or button.get("text") for message in messages for button in buttons(message)]


async def _counts(relay: RelayProcess, length: int) -> None:
    await relay.wait_until(
        lambda lines: lines and lines[-1]["thread"] and lines[-1]["thread"]["count"] == length, seconds=20
    )


async def _page_reads(address: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        page = await answer.text()
    there = [
        page.index(words) for words in ("comes down", "owes the bridge a rope", "[post removed]", "cross at night")
    ]
    assert there == sorted(there)
    assert "in anger" not in page
