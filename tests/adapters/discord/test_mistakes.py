"""What people get wrong at a real `relay run`, and what they are told: at once, for their eyes only."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers.discord import DiscordServer, Interaction, Permission
from tests.servers.mastodon import Mastodon
from tests.support.discord_run_cases import MastodonNetwork, configured
from tests.support.processes import RelayProcess
from tests.support.relay_runs import ILLA, database

MANY = " ".join(["#q"] * 500)
"""As many as Discord lets anybody type."""


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer(window=0.2) as opened:
        yield opened


@pytest.mark.siege
@pytest.mark.timeout(90)
async def test_every_mistake_has_a_clear_answer_and_changes_nothing(tmp_path: Path, server: DiscordServer) -> None:
    """One relay for all of them: to start it costs more than to ask it."""
    hidden = server.add_channel("hidden")
    server.allow(hidden, 0)
    async with Mastodon([ILLA]) as stage:
        config = configured(tmp_path, MastodonNetwork(stage), server)
        config.write_text(config.read_text().replace('allow_private = ["127.0.0.0/8"]', f"allow_private = {ALLOWED}"))
        config.write_text(config.read_text() + "[sources.rss]\n")
        config.write_text(config.read_text().replace("[store]", '[store]\nbusy_timeout = "1s"'))
        async with RelayProcess(config) as relay:
            await server.ready(seconds=20)
            mistakes = {
                "nothing at all": ("potato soup", None),
                "a private address": ("http://10.0.0.1/feed.xml", None),
                "an address of the cloud's own": ("http://169.254.169.254/latest/meta-data", None),
                "a server that does not answer": (f"http://{CLOSED}/feed.xml", None),
                "a dead link": (f"{stage.url}/nothing-here.xml", None),
                "five hundred hashtags": (MANY, None),
                "a channel that the bot cannot see": ("#bridge", hidden),
            }
            answers: dict[str, Interaction] = {}
            for name, (topic, channel) in mistakes.items():
                given = {"topic": topic} | ({"channel": channel} if channel else {})
                answers[name] = await server.command(server.channel, "subscribe", given)
                await answers[name].answered()
            for asked in answers.values():
                await asked.settled(seconds=40)
            answers["a member without rights"] = await refused(server)
            answers["a store that is busy"] = await while_busy(tmp_path, server)
            listed = await server.command(server.channel, "subscriptions")
            await listed.settled()
            assert await relay.stop() == 0
    for name, asked in answers.items():
        print(f"--- {name}\n{asked.text}")
        assert asked.ephemeral, name
        assert asked.text.strip(), name
    assert not [name for name, (topic, _) in mistakes.items() if topic in listed.text], listed.text
    assert "bug" not in "".join(asked.text for asked in answers.values())
    assert server.too_many == 0


CLOSED = "127.0.0.1:9"
ALLOWED = '["127.0.0.1/32"]'


async def refused(server: DiscordServer) -> Interaction:
    asked = await server.command(
        server.channel, "subscribe", {"topic": "#bridge"}, user=server.visitor, permissions=Permission.EVERYONE
    )
    await asked.settled()
    return asked


async def while_busy(folder: Path, server: DiscordServer) -> Interaction:
    """Somebody else holds the database for longer than the relay waits; the person is told so."""
    blocker = sqlite3.connect(database(folder).removeprefix("sqlite:///"), isolation_level=None)
    try:
        blocker.execute("BEGIN IMMEDIATE")
        asked = await server.command(server.channel, "subscribe", {"topic": "#harvest"})
        await asked.answered()
        async with asyncio.timeout(60):
            await asked.settled(seconds=60)
    finally:
        blocker.close()
    return asked
