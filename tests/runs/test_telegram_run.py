"""The real `relay run` between a network and the loopback Bot API: groups, topics, and a channel managed in private."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import pytest

from tests.servers.feeds import Document, FeedServer
from tests.servers.masto import Masto
from tests.servers.mastodon import Mastodon
from tests.servers.telegram import Refuse, TelegramServer, buttons_of, mentions_of, text_of
from tests.servers.telegram_schema import problems, spec_path
from tests.support.discord_run_cases import MastodonNetwork, MockNetwork, Network
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA, database
from tests.support.telegram_run_cases import configured, told


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(window=0.05) as opened:
        yield opened


@pytest.mark.timeout(60)
async def test_a_group_a_topic_and_a_channel_from_command_to_post_to_edit_to_deletion(
    tmp_path: Path, server: TelegramServer
) -> None:
    async with Mastodon([ILLA]) as stage:
        await follow_to_the_end(tmp_path, MastodonNetwork(stage), server)


@pytest.mark.real
@pytest.mark.timeout(120)
async def test_the_same_with_somebody_else_s_network(tmp_path: Path, server: TelegramServer, masto: Masto) -> None:
    await follow_to_the_end(tmp_path, MockNetwork(masto), server)


async def follow_to_the_end(folder: Path, network: Network, server: TelegramServer) -> None:
    group, channel, private = server.group, server.channel, server.private(server.admin)
    forum = server.add_group("Ayllu", forum=True)
    topic = server.add_topic(forum, "Bridges")
    await network.post("From before the subscription #qeswachaka")
    async with RelayProcess(configured(folder, network, server), verbose=True) as relay:
        await server.polled(seconds=20)
        assert "manage" in await told(server, group, server.visitor, "/subscribe #qeswachaka")
        assert "Done" in await told(server, group, server.admin, "/subscribe #qeswachaka")
        assert "Done" in await told(server, forum, server.admin, "/subscribe #qeswachaka", topic=topic)
        assert "Done" in await told(server, private, server.admin, f"/subscribe #qeswachaka @{channel.username}")
        await seeded(database(folder), 1)
        places = [(group, None), (forum, topic), (channel, None)]

        def shown(words: str) -> list[dict[str, object]]:
            """The messages with these words, one of each place."""
            return [
                message for chat, part in places for message in server.sent(chat, part) if words in text_of(message)
            ]

        first = await network.post("The bridge of @sami holds. #qeswachaka")
        await server.wait_until(lambda: len(shown("holds")) == 3)
        assert all("Original" in {button["text"] for button in buttons_of(message)} for message in shown("holds"))
        assert not [name for message in shown("holds") for name in mentions_of(message)]
        await network.edit(first, "The bridge held all night. #qeswachaka")
        await server.wait_until(lambda: len(shown("held all night")) == 3, seconds=20)
        assert shown("holds") == []
        await network.delete(first)
        await server.wait_until(lambda: shown("held all night") == [], seconds=20)

        assert "Unfollowed" in await told(server, group, server.admin, "/unsubscribe #qeswachaka")
        await network.post("A second one. #qeswachaka")
        await server.wait_until(lambda: len(shown("A second one")) == 2)
        assert not [message for message in server.sent(group) if "A second one" in text_of(message)]
        assert await relay.stop() == 0
    assert server.too_many == 0
    assert server.refused == []
    assert server.token not in "".join(relay.log)
    if spec_path():
        assert problems(server.requests) == []


@pytest.mark.siege
@pytest.mark.timeout(60)
async def test_pictures_of_one_post_arrive_as_an_album_whose_words_follow_an_edit(
    tmp_path: Path, server: TelegramServer
) -> None:
    async with FeedServer() as feeds, Mastodon([ILLA]) as stage:
        feeds.documents["/pictures.xml"] = album("")
        config = configured(tmp_path, MastodonNetwork(stage), server)
        subscription = f'[[subscriptions]]\ntopic = "{feeds.url}/pictures.xml"\nto = "telegram:{server.group.id}"\n'
        config.write_text(f'{config.read_text()}[sources.rss]\ninterval = "100ms"\n{subscription}')
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 1)
            feeds.documents["/pictures.xml"] = album("Two pictures of the bridge.")
            await server.wait_until(lambda: len(server.sent(server.group)) == 2)
            first, second = server.sent(server.group)
            assert first["media_group_id"] == second["media_group_id"]
            assert "Two pictures" in text_of(first)
            assert "Ropes over a river" in text_of(first)
            feeds.documents["/pictures.xml"] = album("Two pictures of the new bridge.")
            await server.wait_until(lambda: "the new bridge" in text_of(server.sent(server.group)[0]))
            assert await relay.stop() == 0
    assert server.refused == []
    if spec_path():
        assert problems(server.requests) == []


@pytest.mark.siege
@pytest.mark.timeout(60)
async def test_words_whose_pictures_telegram_refuses_arrive_once_with_links_to_them(
    tmp_path: Path, server: TelegramServer
) -> None:
    server.faults.add("sendMediaGroup", Refuse(400, "Bad Request: group send failed"), count=None)
    async with FeedServer() as feeds, Mastodon([ILLA]) as stage:
        feeds.documents["/pictures.xml"] = album("")
        config = configured(tmp_path, MastodonNetwork(stage), server)
        subscription = f'[[subscriptions]]\ntopic = "{feeds.url}/pictures.xml"\nto = "telegram:{server.group.id}"\n'
        config.write_text(f'{config.read_text()}[sources.rss]\ninterval = "100ms"\n{subscription}')
        async with RelayProcess(config) as relay:
            await seeded(database(tmp_path), 1)
            feeds.documents["/pictures.xml"] = album("Two pictures of the bridge.")
            await server.wait_until(lambda: bool(server.sent(server.group)))
            (message,) = server.sent(server.group)
            assert "Two pictures" in message["text"]
            assert "The same by night" in message["text"]
            assert [f"https://ayllu.example/{name}.png" in str(message) for name in ("day", "night")] == [True, True]
            feeds.documents["/pictures.xml"] = album("Two pictures of the new bridge.")
            await server.wait_until(lambda: "the new bridge" in text_of(server.sent(server.group)[0]))
            assert "https://ayllu.example/night.png" in str(server.sent(server.group))
            assert await relay.stop() == 0
    assert len(server.sent(server.group)) == 1


def album(words: str) -> Document:
    """A feed with one item that has two pictures; without words it has none yet."""
    pictures = "".join(
        f'<media:content url="https://ayllu.example/{name}.png" type="image/png"><media:description>{alt}'
        "</media:description></media:content>"
        for name, alt in (("day", "Ropes over a river"), ("night", "The same by night"))
    )
    item = (
        f'<item><guid isPermaLink="false">bridge</guid><link>https://ayllu.example/bridge</link>'
        f"<pubDate>{format_datetime(datetime.now(UTC))}</pubDate><description>{words}</description>{pictures}</item>"
    )
    return Document(
        '<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel><title>The Bell</title>'
        f"<link>https://ayllu.example/</link>{item if words else ''}</channel></rss>".encode()
    )


@pytest.mark.siege
@pytest.mark.timeout(60)
async def test_telegram_may_call_the_relay_instead_of_being_asked(tmp_path: Path, server: TelegramServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server.deliver_to = f"http://127.0.0.1:{port}"
    async with Mastodon([ILLA]) as stage:
        config = configured(tmp_path, MastodonNetwork(stage), server)
        text = config.read_text().replace("[web]\nport = 0", f"[web]\nport = {port}")
        config.write_text(text.replace("[adapters.telegram]", "[adapters.telegram]\nwebhook = true"))
        async with RelayProcess(config, verbose=True) as relay:
            await server.wait_until(lambda: server.webhook is not None, seconds=20)
            assert server.webhook
            assert server.webhook["url"] == "https://relay.example/hook/telegram"
            assert "subscribe" in await told(server, server.private(server.visitor), server.visitor, "/help")
            async with aiohttp.ClientSession() as stranger:
                forged = await stranger.post(f"{server.deliver_to}/hook/telegram", json={"update_id": 1})
                assert forged.status in {401, 403}
            assert await relay.stop() == 0
    assert server.asked("getUpdates") == []
    assert server.webhook["secret_token"] not in "".join(relay.log)
