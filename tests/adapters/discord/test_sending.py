"""Posts become messages in the loopback Discord: once, in the style and under the name that was chosen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import structlog

from adapters.discord.adapter import Discord
from adapters.discord.sending import nonce
from relay.model import MessageId
from relay.ports import Sent, TryLater, Unknown
from relay.testing import delivery
from tests.servers.discord import LOST, RESET, Permission, Status, text_of
from tests.support.discord_world import (
    CREATE,
    HOST,
    WRITES,
    chosen,
    replace_style,
    thread_of,
    to,
    world,
)

# --- sending ---


async def test_a_post_becomes_a_message_that_pings_nobody_and_has_a_nonce() -> None:
    async with world() as (server, adapter):
        sent = await adapter.deliver(to(server.channel))
        (message,) = server.messages(server.channel)
        assert sent == Sent((MessageId(f"card/{server.channel.id}/{message['id']}"),))
        assert "Post number 1." in text_of(message)
        (request,) = server.asked(CREATE)
        assert request.body["enforce_nonce"] is True
        assert request.body["nonce"] == nonce(to(server.channel))
        assert request.body["allowed_mentions"] == {"parse": []}


def test_a_nonce_is_short_and_differs_by_delivery_channel_and_part() -> None:
    one = delivery(1, to="discord:1")
    all_of_them = {nonce(one), nonce(delivery(2, to="discord:1")), nonce(delivery(1, to="discord:2")), nonce(one, 1)}
    assert len(all_of_them) == 4
    assert {len(each) for each in all_of_them} == {24}


@pytest.mark.parametrize("fault", [LOST, RESET, Status(500, committed=True), Status(502)])
async def test_a_lost_answer_is_unknown_and_the_next_try_is_the_same_message(fault: Any) -> None:
    async with world() as (server, adapter):
        server.faults.add(CREATE, fault)
        assert isinstance(await adapter.deliver(to(server.channel)), Unknown)
        assert isinstance(await adapter.deliver(to(server.channel, attempts=1)), Sent)
        assert len(server.messages(server.channel)) == 1
        assert len(server.asked(CREATE)) == 2


async def test_sent_and_then_removed_by_a_moderator_is_sent() -> None:
    async with world() as (server, adapter):
        server.faults.add(CREATE, LOST)
        await adapter.deliver(to(server.channel))
        (message,) = server.messages(server.channel)
        server.delete_message(server.channel, message["id"])
        assert await adapter.deliver(to(server.channel, attempts=1)) == Sent(())
        assert server.messages(server.channel) == []


@pytest.mark.parametrize("doubt", [{"interrupted": True, "attempts": 1}, {"attempts": 4}])
async def test_in_doubt_our_own_message_is_found_and_adopted(doubt: dict[str, Any]) -> None:
    async with world() as (server, adapter):
        first = await adapter.deliver(to(server.channel))
        server.post(server.channel, "https://ayllu.example/@illa/1")
        assert await adapter.deliver(to(server.channel, **doubt)) == first
        assert len(server.asked(CREATE)) == 1


async def test_the_same_words_of_somebody_else_are_not_adopted() -> None:
    async with world() as (server, adapter):
        await adapter.deliver(to(server.channel))
        (ours,) = server.messages(server.channel)
        server.delete_message(server.channel, ours["id"])
        server.post(server.channel, f"<@{server.bot_id}>", components=ours["components"])
        await adapter.deliver(replace(to(server.channel, interrupted=True), id=delivery(7).id))
        assert len(server.asked(CREATE)) == 2


async def test_without_a_look_into_the_history_it_is_sent() -> None:
    async with world() as (server, adapter):
        server.allow(server.channel, WRITES & ~Permission.HISTORY)
        assert isinstance(await adapter.deliver(to(server.channel, interrupted=True)), Sent)
        assert len(server.messages(server.channel)) == 1


async def test_an_empty_bucket_asks_the_outbox_to_wait() -> None:
    async with world() as (server, adapter):
        server.window = 1.0
        waits = [await adapter.deliver(to(server.channel, number)) for number in range(1, 6)]
        assert [bool(one.wait) for one in waits if isinstance(one, Sent)] == [False] * 4 + [True]
        last = waits[-1]
        assert isinstance(last, Sent)
        assert timedelta(seconds=1) < last.wait < timedelta(seconds=5.1)
        assert server.too_many == 0


async def test_options_of_another_version_are_as_if_not_chosen() -> None:
    async with world() as (server, adapter):
        assert isinstance(await adapter.deliver(to(server.channel, options='{"sparkle": 1}')), Sent)
        assert isinstance(await adapter.deliver(to(server.channel, 2, options="{")), Sent)


async def test_a_subscription_may_choose_style_and_one_role() -> None:
    async with world() as (server, adapter):
        role = server.add_role("readers", mentionable=True)
        options = chosen(style="embed", mention_role=role.id)
        sent = await adapter.deliver(to(server.channel, options=options))
        (message,) = server.messages(server.channel)
        assert sent == Sent((MessageId(f"embed/{server.channel.id}/{message['id']}"),))
        assert message["embeds"]
        assert server.asked(CREATE)[0].body["allowed_mentions"] == {"parse": [], "roles": [role.id]}


async def test_the_colour_of_the_network_is_on_the_card() -> None:
    async with world() as (server, adapter):
        await adapter.deliver(to(server.channel))
        assert str(0x6364FF) in json.dumps(server.messages(server.channel)[0]["components"])


# --- webhooks ---


async def test_a_webhook_shows_the_author_and_is_made_once() -> None:
    async with world(style="webhook") as (server, adapter):
        sent = await adapter.deliver(to(server.channel))
        await adapter.deliver(to(server.channel, 2))
        (hook,) = server.webhooks(server.channel)
        first, second = server.messages(server.channel)
        assert sent == Sent((MessageId(f"webhook:{hook.id}/{server.channel.id}/{first['id']}"),))
        assert first["author"]["username"].startswith("Illa")
        assert second["webhook_id"] == hook.id


async def test_our_webhook_is_found_again_and_that_of_others_is_left_alone() -> None:
    async with world(style="webhook") as (server, adapter):
        server.add_webhook(server.channel, name="theirs")
        ours = server.add_webhook(server.channel, name="relay", ours=True)
        await adapter.deliver(to(server.channel))
        assert server.messages(server.channel)[0]["webhook_id"] == ours.id
        assert len(server.webhooks(server.channel)) == 2


async def test_a_removed_webhook_is_made_again_at_once() -> None:
    async with world(style="webhook") as (server, adapter):
        await adapter.deliver(to(server.channel))
        server.remove_webhook(server.webhooks(server.channel)[0])
        sent = await adapter.deliver(to(server.channel, 2))
        (hook,) = server.webhooks(server.channel)
        assert isinstance(sent, Sent)
        assert sent.messages[0].startswith(f"webhook:{hook.id}/")


async def test_a_webhook_that_never_works_is_tried_twice_not_for_ever() -> None:
    async with world(style="webhook") as (server, adapter):
        server.faults.add("POST /webhooks/*/*", Status(404), count=None)
        assert isinstance(await adapter.deliver(to(server.channel)), TryLater)
        assert len(server.asked("POST /webhooks/*/*")) == 2


async def test_without_the_right_to_webhooks_it_is_a_card_and_told_once() -> None:
    async with world(style="webhook") as (server, adapter):
        server.allow(server.channel, Permission.USUAL & ~Permission.MANAGE_WEBHOOKS)
        with structlog.testing.capture_logs() as lines:
            outcomes = [await adapter.deliver(to(server.channel, number)) for number in (1, 2)]
        assert [one.messages[0].split("/")[0] for one in outcomes if isinstance(one, Sent)] == ["card", "card"]
        assert len([line for line in lines if "webhooks" in line["event"]]) == 1
        assert len(server.asked("GET /channels/*/webhooks")) == 1


async def test_a_webhook_has_no_nonce_so_a_second_try_looks_first() -> None:
    async with world(style="webhook") as (server, adapter):
        server.faults.add("POST /webhooks/*/*", LOST)
        assert isinstance(await adapter.deliver(to(server.channel)), Unknown)
        (message,) = server.messages(server.channel)
        sent = await adapter.deliver(to(server.channel, attempts=1))
        assert isinstance(sent, Sent)
        assert sent.messages[0].endswith(message["id"])
        assert len(server.messages(server.channel)) == 1


async def test_the_name_of_a_webhook_is_one_that_discord_takes() -> None:
    async with world() as (server, adapter):
        host = replace(HOST, name="Discord clyde Relay")
        other = Discord(replace_style(adapter._settings, "webhook"), host)
        assert isinstance(await other.deliver(to(server.channel)), Sent)
        await other.close()
        assert server.webhooks(server.channel)[0].name == "Relay"


# --- announcements ---


async def test_announcements_are_published_ten_times_an_hour_and_not_again() -> None:
    async with world(crosspost=True) as (server, adapter):
        news = server.add_channel("news", kind=5)
        with structlog.testing.capture_logs() as lines:
            for number in range(1, 13):
                server.window = 0.001
                assert isinstance(await adapter.deliver(to(news, number)), Sent)
        published = [message["flags"] & 1 for message in server.messages(news)]
        assert published == [1] * 10 + [0] * 2
        assert len([line for line in lines if "publishing" in str(line.get("what"))]) == 1


@pytest.mark.parametrize("fault", [LOST, RESET, Status(500), Status(429), Status(403)])
async def test_a_post_that_cannot_be_published_is_sent_all_the_same(fault: Any) -> None:
    async with world() as (server, adapter):
        news = server.add_channel("news", kind=5)
        server.faults.add("POST /channels/*/messages/*/crosspost", fault)
        sent = await adapter.deliver(to(news, options=chosen(crosspost=True)))
        assert isinstance(sent, Sent)
        assert sent.messages
        assert len(server.messages(news)) == 1


async def test_only_what_stands_in_the_announcement_channel_is_published_and_only_if_wanted() -> None:
    async with world(crosspost=True) as (server, adapter):
        news = server.add_channel("news", kind=5)
        await thread_of(adapter, news, 2)
        await adapter.deliver(to(server.channel, 8))
        await adapter.deliver(to(news, 9, options=chosen(crosspost=False)))
        assert len(server.asked("POST /channels/*/messages/*/crosspost")) == 1
