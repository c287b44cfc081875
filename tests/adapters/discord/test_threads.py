"""Threads go on where they belong in the loopback Discord: in a thread, in a forum's post, or in the channel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.discord.adapter import Discord
from adapters.discord.channels import Channel as Facts
from adapters.discord.sending import tags_for
from relay.model import Action, Media, MediaKind
from relay.ports import Sent, Unknown
from relay.testing import in_thread, post
from tests.servers.discord import LOST, Permission
from tests.support.discord_world import (
    HOST,
    WRITES,
    again,
    chosen,
    tagged,
    texts,
    thread_of,
    to,
    world,
)

# --- threads ---


@pytest.mark.parametrize("style", ["card", "embed", "webhook"])
@pytest.mark.parametrize("kind", [0, 5])
async def test_a_thread_goes_on_in_its_own_discord_thread(kind: int, style: str) -> None:
    async with world(style=style) as (server, adapter):
        channel = server.add_channel("threads", kind=kind)
        await thread_of(adapter, channel)
        assert len(server.messages(channel)) == 1
        (thread,) = server.threads(channel)
        assert thread.id == server.messages(channel)[0]["id"]
        assert [f"Post number {n}." in text for n, text in enumerate(texts(server, thread), 2)] == [True, True]
        assert len(server.asked("POST /channels/*/messages/*/threads")) == 1


async def test_a_thread_that_is_open_already_is_gone_on_with_after_a_restart() -> None:
    async with world() as (server, adapter):
        first, _ = await thread_of(adapter, server.channel, 2)
        assert isinstance(first, Sent)
        other = Discord(adapter._settings, HOST)
        await other.deliver(to(server.channel, 3, card=in_thread(3, 3), under=first.messages))
        await other.close()
        (thread,) = server.threads(server.channel)
        assert len(server.messages(thread)) == 2


async def test_without_the_right_to_open_threads_it_goes_on_in_the_channel_and_asks_once() -> None:
    async with world() as (server, adapter):
        server.allow(server.channel, WRITES)
        outcomes = await thread_of(adapter, server.channel, 4)
        assert {type(one) for one in outcomes} == {Sent}
        assert len(server.messages(server.channel)) == 4
        assert len(server.asked("POST /channels/*/messages/*/threads")) == 1


async def test_where_the_first_message_is_gone_it_goes_on_in_the_channel() -> None:
    async with world() as (server, adapter):
        (first,) = await thread_of(adapter, server.channel, 1)
        assert isinstance(first, Sent)
        server.delete_message(server.channel, server.messages(server.channel)[0]["id"])
        sent = await adapter.deliver(to(server.channel, 2, card=in_thread(2, 2), under=first.messages))
        assert isinstance(sent, Sent)
        assert len(server.messages(server.channel)) == 1


async def test_a_thread_that_was_removed_or_closed_is_left_for_the_channel() -> None:
    async with world() as (server, adapter):
        for change in ("remove", "lock"):
            channel = server.add_channel(change, permissions=Permission.USUAL & ~Permission.MANAGE_THREADS)
            first, _ = await thread_of(adapter, channel, 2)
            assert isinstance(first, Sent)
            (thread,) = server.threads(channel)
            if change == "remove":
                server.remove_channel(thread)
            else:
                server.change_channel(thread, locked=True, archived=True)
            sent = await adapter.deliver(to(channel, 3, card=in_thread(3, 3), under=first.messages))
            assert isinstance(sent, Sent), sent
            assert len(server.messages(channel)) == 2


async def test_a_destination_that_is_a_thread_is_posted_in() -> None:
    async with world() as (server, adapter):
        await thread_of(adapter, server.channel, 2)
        (thread,) = server.threads(server.channel)
        first = await adapter.deliver(to(thread, 5))
        assert isinstance(first, Sent)
        sent = await adapter.deliver(to(thread, 6, card=in_thread(6, 2), under=first.messages))
        assert isinstance(sent, Sent)
        assert len(server.messages(thread)) == 3
        hooked = await adapter.deliver(to(thread, 7, options=chosen(style="webhook")))
        assert isinstance(hooked, Sent)
        assert len(server.messages(thread)) == 4
        assert isinstance(await adapter.deliver(again(thread, hooked, Action.EDIT, 7)), Sent)


async def test_sensitive_pictures_are_shown_where_the_channel_is_age_restricted_and_in_its_threads() -> None:
    async with world() as (server, adapter):
        picture = Media(url="https://ayllu.example/1.png", kind=MediaKind.IMAGE, alt="A rope bridge")
        card = replace(in_thread(2, 2), post=post(2, sensitive=True, media=(picture,)))
        shown = {}
        for nsfw in (True, False):
            channel = server.add_channel("place", nsfw=nsfw)
            (first,) = await thread_of(adapter, channel, 1)
            assert isinstance(first, Sent)
            await adapter.deliver(to(channel, 2, card=card, under=first.messages))
            (thread,) = server.threads(channel)
            sent = await adapter.deliver(to(thread, 2, card=card))
            assert isinstance(sent, Sent)
            shown[nsfw] = [find_type(message["components"], 12) for message in server.messages(thread)]
        assert shown == {True: [True, True], False: [False, False]}


def find_type(components: list[dict[str, Any]], kind: int) -> bool:
    return any(one["type"] == kind or find_type(one.get("components", []), kind) for one in components)


# --- forums ---


@pytest.mark.parametrize("style", ["card", "embed", "webhook"])
async def test_in_a_forum_a_thread_is_a_post_with_the_tags_that_the_forum_has(style: str) -> None:
    async with world(style=style) as (server, adapter):
        forum = server.add_channel("bridges", kind=15, tags=("#qeswachaka", "Rope", "Stone"))
        sent = await adapter.deliver(to(forum, card=tagged("Qeswachaka", "ROPE", "grass")))
        (thread,) = server.threads(forum)
        assert sorted(thread.applied_tags) == sorted(tag.id for tag in forum.tags[:2])
        assert "Post number 1." in texts(server, thread)[0]
        assert isinstance(sent, Sent)
        assert sent.messages[0].endswith(f"/{thread.id}/{thread.id}")
        await adapter.deliver(to(forum, 2, card=in_thread(2, 2), under=sent.messages))
        assert len(server.messages(thread)) == 2
        assert len(server.threads(forum)) == 1


def test_five_tags_at_most_and_the_first_one_where_one_is_demanded() -> None:
    tags = tuple((str(number), f"tag{number}") for number in range(9))
    forum = Facts(id="1", kind=15, tags=tags)
    assert tags_for(forum, tagged(*(f"Tag{number}" for number in range(9)))) == ["0", "1", "2", "3", "4"]
    assert tags_for(forum, tagged("other")) == []
    assert tags_for(replace(forum, needs_tag=True), tagged("other")) == ["0"]
    assert tags_for(Facts(id="1", kind=15, needs_tag=True), tagged("other")) == []


async def test_a_forum_that_demands_a_tag_gets_one() -> None:
    async with world() as (server, adapter):
        forum = server.add_channel("bridges", kind=15, tags=("News",), require_tag=True)
        assert isinstance(await adapter.deliver(to(forum)), Sent)


@pytest.mark.parametrize("style", ["card", "webhook"])
async def test_a_forum_post_whose_answer_was_lost_is_found_again(style: str) -> None:
    async with world(style=style) as (server, adapter):
        forum = server.add_channel("bridges", kind=15)
        server.faults.add("POST /channels/*/threads" if style == "card" else "POST /webhooks/*/*", LOST)
        assert isinstance(await adapter.deliver(to(forum)), Unknown)
        (thread,) = server.threads(forum)
        sent = await adapter.deliver(to(forum, attempts=1))
        assert isinstance(sent, Sent)
        assert sent.messages[0].endswith(f"/{thread.id}/{thread.id}")
        assert len(server.threads(forum)) == 1


async def test_a_forum_post_that_was_removed_goes_on_as_a_new_one() -> None:
    async with world() as (server, adapter):
        forum = server.add_channel("bridges", kind=15)
        (first,) = await thread_of(adapter, forum, 1)
        assert isinstance(first, Sent)
        server.remove_channel(server.threads(forum)[0])
        assert isinstance(await adapter.deliver(to(forum, 2, under=first.messages, card=in_thread(2, 2))), Sent)
        assert len([one for one in server.threads(forum) if not one.gone]) == 1


async def test_a_forum_post_goes_with_its_last_message_and_not_before() -> None:
    async with world() as (server, adapter):
        forum = server.add_channel("bridges", kind=15, permissions=Permission.USUAL | Permission.MANAGE_THREADS)
        first, second = await thread_of(adapter, forum, 2)
        (thread,) = server.threads(forum)
        assert isinstance(await adapter.deliver(again(forum, first, Action.DELETE)), Sent)
        assert len(server.messages(thread)) == 1
        assert isinstance(await adapter.deliver(again(forum, second, Action.DELETE, 2)), Sent)
        assert thread.gone


async def test_without_the_right_to_remove_the_forum_post_its_message_is_removed() -> None:
    async with world() as (server, adapter):
        forum = server.add_channel("bridges", kind=15, permissions=Permission.USUAL & ~Permission.MANAGE_THREADS)
        sent = await adapter.deliver(to(forum))
        assert isinstance(await adapter.deliver(again(forum, sent, Action.DELETE)), Sent)
        (thread,) = server.threads(forum)
        assert server.messages(thread) == []
