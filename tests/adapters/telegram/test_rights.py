"""Who may manage what, as Telegram says at the moment: groups, private chats, and channels named from there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.telegram.entities import JOINER
from tests.servers.telegram import RESET, TelegramServer
from tests.support.telegram_listening import listening


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(window=0.02) as started:
        yield started


async def test_in_a_group_its_administrators_may_and_telegram_is_asked_each_time(server: TelegramServer) -> None:
    async with listening(server) as relay:
        assert (await relay.asked(server.group, server.admin, "/pause")).may_manage
        assert not (await relay.asked(server.group, server.visitor, "/pause")).may_manage
        server.promote(server.group, server.visitor, "can_manage_chat")
        assert (await relay.asked(server.group, server.visitor, "/pause")).may_manage
        server.demote(server.group, server.visitor)
        assert not (await relay.asked(server.group, server.visitor, "/pause")).may_manage


async def test_an_administrator_who_stays_anonymous_may(server: TelegramServer) -> None:
    async with listening(server) as relay:
        command = await relay.asked(server.group, server.admin, "/pause", anonymous=True)
        assert (command.may_manage, command.user) == (True, f"telegram:{server.group.id}")


async def test_who_is_anonymous_cannot_manage_another_chat(server: TelegramServer) -> None:
    async with listening(server) as relay:
        told = await relay.told(server.group, server.admin, "/subscribe #Qeswachaka @ayllu", anonymous=True)
        assert "private chat" in told
        assert relay.inbox.commands.empty()


async def test_a_private_chat_is_its_persons_own(server: TelegramServer) -> None:
    async with listening(server) as relay:
        command = await relay.asked(server.private(server.visitor), server.visitor, "/subscribe #Qeswachaka")
        assert (command.may_manage, command.obstacle) == (True, "")
        assert command.destination.address == str(server.visitor.id)


async def test_with_owners_a_private_chat_is_for_them_alone_but_for_help(server: TelegramServer) -> None:
    async with listening(server, owners=[server.admin.id]) as relay:
        assert (await relay.asked(server.private(server.admin), server.admin, "/subscribe #x")).may_manage
        told = await relay.told(server.private(server.visitor), server.visitor, "/subscribe #x")
        assert "this relay's operators" in told
        assert (await relay.asked(server.private(server.visitor), server.visitor, "/help")).name == "help"
        assert (await relay.asked(server.group, server.admin, "/pause")).may_manage


@pytest.mark.parametrize("named", ["@ayllu", "@AYLLU", "id"])
async def test_a_channel_is_managed_from_a_private_chat(server: TelegramServer, named: str) -> None:
    """However it is named, it is one destination."""
    channel = server.channel
    async with listening(server, owners=[server.visitor.id]) as relay:
        line = f"/subscribe #Qeswachaka {channel.id if named == 'id' else named}"
        command = await relay.asked(server.private(server.admin), server.admin, line)
        assert (str(command.destination), command.community) == ("telegram:@ayllu", str(channel.id))
        assert (command.may_manage, command.obstacle) == (True, "")


async def test_a_channel_is_not_for_strangers_not_even_to_look_at(server: TelegramServer) -> None:
    async with listening(server) as relay:
        for line in ("/subscribe #x @ayllu", "/subscriptions @ayllu"):
            assert "administrator" in await relay.told(server.private(server.visitor), server.visitor, line)
        assert relay.inbox.commands.empty()


async def test_an_administrator_of_a_channel_must_be_one_who_may_post(server: TelegramServer) -> None:
    async with listening(server) as relay:
        server.promote(server.channel, server.visitor, "can_manage_chat")
        private = server.private(server.visitor)
        assert "Only an administrator" in await relay.told(private, server.visitor, "/subscribe #x @ayllu")
        server.promote(server.channel, server.visitor, "can_manage_chat", "can_post_messages")
        assert (await relay.asked(private, server.visitor, "/subscribe #x @ayllu")).may_manage


async def test_a_relay_that_may_not_post_in_the_channel_says_what_it_needs(server: TelegramServer) -> None:
    async with listening(server) as relay:
        server.promote(server.channel, server.bot, "can_edit_messages")
        command = await relay.asked(server.private(server.admin), server.admin, "/subscribe #x @ayllu")
        assert command.may_manage
        assert "can post messages" in command.obstacle


async def test_a_channel_without_the_relay_says_so(server: TelegramServer) -> None:
    async with listening(server) as relay:
        server.kick_bot(server.channel)
        told = await relay.told(server.private(server.admin), server.admin, "/subscribe #x @ayllu", language="en")
        assert "Add me there as an administrator" in told


async def test_what_is_not_there_or_is_a_person_is_no_channel(server: TelegramServer) -> None:
    private = server.private(server.admin)
    async with listening(server) as relay:
        for named in ("@nobody_here", "-1009999999999"):
            told = await relay.told(private, server.admin, f"/subscribe #x {named}")
            assert named in told.replace(JOINER, "")
        assert relay.inbox.commands.empty()


async def test_a_group_and_its_topic_are_managed_from_a_private_chat_too(server: TelegramServer) -> None:
    forum = server.add_group("Ayllu", forum=True)
    topic = server.add_topic(forum, "Bridges")
    async with listening(server) as relay:
        line = f"/subscribe #x {forum.id}/{topic.id}"
        command = await relay.asked(server.private(server.admin), server.admin, line)
        assert command.destination.address == f"{forum.id}/{topic.id}"
        assert (command.may_manage, command.obstacle) == (True, "")


async def test_a_group_in_which_only_administrators_write_is_an_obstacle(server: TelegramServer) -> None:
    server.permissions(server.group, can_send_messages=False)
    async with listening(server) as relay:
        line = f"/subscribe #x {server.group.id}"
        assert "allow it" in (await relay.asked(server.private(server.admin), server.admin, line)).obstacle


async def test_the_chat_itself_may_be_named(server: TelegramServer) -> None:
    async with listening(server) as relay:
        command = await relay.asked(server.group, server.admin, f"/subscribe #x {server.group.id}")
        assert (command.destination.address, command.may_manage) == (str(server.group.id), True)


async def test_where_telegram_does_not_answer_nothing_is_done(server: TelegramServer) -> None:
    server.faults.add("getChatMember", RESET)
    async with listening(server) as relay:
        assert "try again" in await relay.told(server.group, server.admin, "/pause")
        assert relay.inbox.commands.empty()
