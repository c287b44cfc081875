"""Edits, counts and deletions against the loopback Discord, and the names of messages."""

from __future__ import annotations

import json

import pytest

from adapters.discord.adapter import Discord
from adapters.discord.sending import DiscordMessage
from relay.model import Action, Card, MessageId
from relay.ports import Refused, Sent
from relay.testing import in_thread, post
from tests.servers.discord import Status
from tests.support.discord_world import (
    HOST,
    again,
    replace_style,
    texts,
    thread_of,
    to,
    world,
)

# --- changes ---


@pytest.mark.parametrize("style", ["card", "embed", "webhook"])
async def test_an_edit_a_count_and_a_deletion_reach_the_message(style: str) -> None:
    async with world(style=style) as (server, adapter):
        sent = await adapter.deliver(to(server.channel, card=in_thread(1, 1)))
        changed = Card(post=post(1, body=post(44).body), reason="x")
        # What was configured since does not matter: a message stays what it is.
        other = Discord(replace_style(adapter._settings, "card"), HOST)
        assert await other.deliver(again(server.channel, sent, Action.EDIT, card=changed)) == sent
        assert "Post number 44." in texts(server, server.channel)[0]
        grown = again(server.channel, sent, Action.COUNT, card=in_thread(1, 7))
        assert await other.deliver(grown) == sent
        assert "7" in texts(server, server.channel)[0] + json.dumps(server.messages(server.channel)[0]["components"])
        assert isinstance(await other.deliver(again(server.channel, sent, Action.DELETE)), Sent)
        assert server.messages(server.channel) == []
        assert isinstance(sent, Sent)
        for action in (Action.EDIT, Action.COUNT, Action.DELETE):
            gone = await other.deliver(again(server.channel, sent, action))
            assert isinstance(gone, Sent), gone
            assert gone.messages == sent.messages
        await other.close()


async def test_an_edit_in_a_sleeping_thread_wakes_it() -> None:
    async with world() as (server, adapter):
        _, second = await thread_of(adapter, server.channel, 2)
        (thread,) = server.threads(server.channel)
        server.change_channel(thread, archived=True)
        assert await adapter.deliver(again(server.channel, second, Action.EDIT, 2)) == second
        assert not thread.archived
        server.change_channel(thread, archived=True)
        server.faults.add("PATCH /channels/*", Status(403))
        outcome = await adapter.deliver(again(server.channel, second, Action.EDIT, 2))
        assert isinstance(outcome, Refused)


async def test_what_lay_in_a_removed_thread_is_gone_already() -> None:
    async with world() as (server, adapter):
        _, second = await thread_of(adapter, server.channel, 2)
        server.remove_channel(server.threads(server.channel)[0])
        for action in (Action.EDIT, Action.COUNT, Action.DELETE):
            assert await adapter.deliver(again(server.channel, second, action, 2)) == second


async def test_what_a_removed_webhook_sent_cannot_be_changed() -> None:
    async with world(style="webhook") as (server, adapter):
        sent = await adapter.deliver(to(server.channel))
        server.remove_webhook(server.webhooks(server.channel)[0])
        other = Discord(adapter._settings, HOST)
        assert isinstance(await other.deliver(again(server.channel, sent, Action.EDIT)), Refused)
        await other.close()


@pytest.mark.parametrize(
    "name", ["m1", "", "card/1", "card:5/1/2", "webhook/1/2", "card/x/2", "card/1/2/3", "CARD/1/2"]
)
async def test_a_foreign_message_id_is_refused(name: str) -> None:
    assert DiscordMessage.parse(MessageId(name)) is None
    async with world() as (server, adapter):
        change = to(server.channel, action=Action.EDIT, messages=(MessageId(name),))
        assert isinstance(await adapter.deliver(change), Refused)


@pytest.mark.parametrize("name", ["card/123/456", "embed/1/2", "webhook:789/123/456"])
def test_a_message_id_is_read_as_it_was_written(name: str) -> None:
    posted = DiscordMessage.parse(MessageId(name))
    assert posted is not None
    assert posted.id == name
