"""The real `relay run` between a network and the loopback Discord: subscribed by slash command, followed to the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers.discord import DiscordServer, text_of
from tests.servers.discord_schema import problems, spec_path
from tests.servers.masto import Masto
from tests.servers.mastodon import Mastodon
from tests.support.discord_run_cases import MastodonNetwork, MockNetwork, Network, configured
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA, database


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer(window=0.2) as opened:
        yield opened


@pytest.mark.timeout(60)
async def test_from_slash_command_to_card_to_edit_to_deletion(tmp_path: Path, server: DiscordServer) -> None:
    async with Mastodon([ILLA]) as stage:
        await follow_to_the_end(tmp_path, MastodonNetwork(stage), server)


@pytest.mark.real
@pytest.mark.timeout(120)
async def test_the_same_with_somebody_else_s_network(tmp_path: Path, server: DiscordServer, masto: Masto) -> None:
    await follow_to_the_end(tmp_path, MockNetwork(masto), server)


async def follow_to_the_end(folder: Path, network: Network, server: DiscordServer) -> None:
    here = server.channel
    await network.post("From before the subscription #qeswachaka")
    async with RelayProcess(configured(folder, network, server)) as relay:
        await server.ready(seconds=20)
        asked = await server.command(here, "subscribe", {"topic": "#qeswachaka"})
        await asked.settled()
        assert "#qeswachaka" in asked.text
        assert asked.ephemeral
        await seeded(database(folder), 1)

        first = await network.post("The bridge holds. #qeswachaka")
        await server.wait_until(lambda: len(server.messages(here)) == 1)
        [card] = server.messages(here)
        assert "The bridge holds." in text_of(card)
        await network.edit(first, "The bridge held all night. #qeswachaka")
        await server.wait_until(lambda: "held all night" in text_of(server.messages(here)[0]), seconds=20)
        assert server.messages(here)[0]["id"] == card["id"]
        second = await network.post("A second one. #qeswachaka")
        await server.wait_until(lambda: len(server.messages(here)) == 2)
        await network.delete(first)
        await server.wait_until(lambda: [m["id"] for m in server.messages(here)] != [card["id"]], seconds=20)
        await server.wait_until(lambda: len(server.messages(here)) == 1, seconds=20)
        assert "A second one." in text_of(server.messages(here)[0])

        gone = await server.command(here, "unsubscribe", {"topic": "#qeswachaka"})
        await gone.settled()
        shown = await server.command(here, "subscriptions")
        await shown.settled()
        assert "#qeswachaka" not in shown.text
        await network.post("Nobody asked for this one. #qeswachaka")
        again = await server.command(here, "preview", {"topic": "#qeswachaka"})
        await again.settled()
        await server.wait_until(lambda: "Nobody asked" in again.text)  # it could be read, and was not sent
        assert len(server.messages(here)) == 1
        await network.delete(second)
        assert await relay.stop() == 0
    assert server.too_many == 0
    assert server.invalid == 0
    assert server.token not in "".join(relay.log)
    if spec_path():
        assert problems(server.requests) == []


@pytest.mark.siege
@pytest.mark.timeout(60)
async def test_losing_the_gateway_stops_no_post_and_losing_the_right_to_post_pauses(
    tmp_path: Path, server: DiscordServer
) -> None:
    here = server.channel
    async with Mastodon([ILLA]) as stage:
        network = MastodonNetwork(stage)
        async with RelayProcess(configured(tmp_path, network, server), verbose=True) as relay:
            await server.ready(seconds=20)
            await (await server.command(here, "subscribe", {"topic": "#qeswachaka"})).settled()
            await seeded(database(tmp_path), 1)

            await server.drop_gateway()
            await network.post("Without a gateway #qeswachaka")
            await server.wait_until(lambda: len(server.messages(here)) == 1)
            await server.wait_until(lambda: server.resumes == 1)

            usual = here.permissions
            server.allow(here, 0)
            await told(server, "the relay can no longer post there")
            await network.post("Nobody may post this now #qeswachaka")
            refused = await server.command(here, "resume")
            await refused.settled()
            assert "View Channel" in refused.text
            assert len(server.messages(here)) == 1

            server.allow(here, usual)
            resumed = await server.command(here, "resume")
            await resumed.settled()
            await server.wait_until(lambda: len(server.messages(here)) == 2)
            assert await relay.stop() == 0
    log = "".join(relay.log)
    assert server.token not in log
    assert not [it for it in server.requests if "/interactions/" in it.path and it.path.split("/")[3] in log]
    assert server.too_many == 0


async def told(server: DiscordServer, words: str) -> None:
    """Return when `/status` says so."""
    async with asyncio.timeout(10):
        while True:
            status = await server.command(server.channel, "status")
            await status.settled()
            if words in status.text:
                return
