"""The command table as Telegram's menus, per kind of chat and language; given to Telegram only when it has another."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
)

from adapters.telegram.requests import START
from relay.core.commands import TABLE
from relay.i18n import later, words
from relay.log import get_logger

LANGUAGES = ("", "es")
"""Telegram's keys; the empty one is for all who have no other."""
SUMMARY = 256
GREETS = later("Say hello, and how to begin")

_EVERYBODYS = frozenset({"help", "status", "subscriptions", "preview", "unroll"})

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Menu:
    """What people in one kind of chat see, in one language."""

    scope: BotCommandScope
    language: str
    commands: tuple[BotCommand, ...]


def menus() -> Iterator[Menu]:
    """All of them. Telegram shows the first that fits: an administrator sees no command of ``all_group_chats``."""
    every = [spec.name for spec in TABLE]
    for language in LANGUAGES:
        yield Menu(BotCommandScopeAllPrivateChats(), language, _commands([START, *every], language))
        yield Menu(BotCommandScopeAllChatAdministrators(), language, _commands(every, language))
        yield Menu(BotCommandScopeAllGroupChats(), language, _commands(_EVERYBODYS, language))


def same(ours: Sequence[BotCommand], theirs: Sequence[BotCommand]) -> bool:
    return [(one.command, one.description) for one in ours] == [(one.command, one.description) for one in theirs]


async def give(bot: Bot) -> None:
    """Give Telegram the menus that it does not have yet. Raises what the bot raises."""
    changed = 0
    for menu in menus():
        kept = await bot.get_my_commands(scope=menu.scope, language_code=menu.language)
        if not same(menu.commands, kept):
            await bot.set_my_commands(menu.commands, scope=menu.scope, language_code=menu.language)
            changed += 1
    if changed:
        log.info("commands given to telegram", menus=changed)


def _commands(names: Collection[str], language: str) -> tuple[BotCommand, ...]:
    say = words(language or "en")
    summaries = {START: GREETS} | {spec.name: spec.summary for spec in TABLE}
    return tuple(BotCommand(name, _cut(say(text))) for name, text in summaries.items() if name in names)


def _cut(text: str) -> str:
    return text if len(text) <= SUMMARY else f"{text[: SUMMARY - 1]}…"
