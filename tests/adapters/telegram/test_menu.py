"""The command table in Telegram's menus, in English and Spanish, given only when Telegram has another."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from telegram import BotCommand

from adapters.telegram.updates import give, menus, same
from relay.core.commands import TABLE
from relay.i18n import words
from tests.servers.telegram import TelegramServer
from tests.support.telegram_listening import bot


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(window=0.02) as started:
        yield started


SEEN = {(menu.scope.type, menu.language): [one.command for one in menu.commands] for menu in menus()}


@pytest.mark.parametrize("language", ["", "es"])
def test_each_kind_of_chat_sees_what_it_can_use(language: str) -> None:
    every = [spec.name for spec in TABLE]
    assert SEEN["all_private_chats", language] == ["start", *every]
    assert SEEN["all_chat_administrators", language] == every
    for_all = ["subscriptions", "preview", "unroll", "status", "help"]
    assert SEEN["all_group_chats", language] == for_all


def test_summaries_fit_and_are_translated() -> None:
    for menu in menus():
        assert all(1 <= len(one.description) <= 256 for one in menu.commands)
        say = words(menu.language or "en")
        told = {one.command: one.description for one in menu.commands}
        assert all(told[spec.name] == say(spec.summary) for spec in TABLE if spec.name in told)


def test_a_menu_is_the_same_only_in_the_same_words_and_order() -> None:
    one, two = BotCommand("help", "Help"), BotCommand("status", "Status")
    assert same([one, two], [BotCommand("help", "Help"), two])
    assert not same([one, two], [two, one])
    assert not same([one], [BotCommand("help", "Aid")])
    assert not same([one, two], [one])


async def test_telegram_is_given_only_what_it_does_not_have(server: TelegramServer) -> None:
    async with bot(server) as asking:
        await give(asking)
        assert len(server.asked("setMyCommands")) == 6
        await give(asking)
        assert len(server.asked("setMyCommands")) == 6
        server.commands["all_group_chats", "es"] = []
        await give(asking)
        assert len(server.asked("setMyCommands")) == 7
    assert server.refused == []
