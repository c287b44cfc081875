"""What happens on Telegram while the relay listens: commands, buttons, and what becomes of the relay itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    Chat,
    ChatMember,
    ChatMemberUpdated,
)
from telegram.error import TelegramError

from adapters.telegram.calls import TelegramCalls
from adapters.telegram.comments import Comments
from adapters.telegram.conversations import TalkTimeouts, TelegramTalk
from adapters.telegram.receiving import TelegramPauses, TelegramUpdate, Tries, ask, be_called
from adapters.telegram.requests import START, forwarded_in
from adapters.telegram.rights import TelegramRights, is_away, is_silenced, may_post
from adapters.telegram.settings import TelegramSettings
from relay.core.commands import TABLE
from relay.i18n import Words, later, words
from relay.kit import RoomQueues
from relay.log import get_logger
from relay.model import Destination
from relay.plugins import Host
from relay.ports import Inbox

# The command table as Telegram's menus, per kind of chat and language; given to Telegram only when it has another.


LANGUAGES = ("", "es")
"""Telegram's keys; the empty one is for all who have no other."""
SUMMARY = 256
GREETS = later("How to start")

_EVERYBODYS = frozenset({"help", "status", "subscriptions", "preview", "unroll"})


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


# --- what becomes of the relay itself in a chat: let in, shown out, silenced ---

_GROUPS = frozenset({Chat.GROUP, Chat.SUPERGROUP})


async def tell_loss(update: ChatMemberUpdated, inbox: Inbox, say: Words) -> None:
    """Tell the inbox when nothing can be posted in a chat any more; its topics show it at the next post."""
    reason = closed(update.chat, update.new_chat_member, say)
    if reason:
        await inbox.lost(destinations(update.chat), reason)


def closed(chat: Chat, me: ChatMember, say: Words) -> str:
    """Why nothing can be posted in a chat, by what the relay is there; empty: something can. Pure."""
    if chat.type == Chat.PRIVATE:
        blocked = say("You blocked me, or never started me. Send /start, then /resume.")
        return blocked if is_away(me) else ""
    if is_away(me):
        return say("I am no longer in this chat. Add me again, then use /resume.")
    if chat.type == Chat.CHANNEL and not may_post(me):
        return say("I can't post here. In a channel, make me an administrator who can post messages, then use /resume.")
    if is_silenced(me):
        return say("I can't write here. An administrator has to allow it.")
    return ""


def let_in(update: ChatMemberUpdated) -> bool:
    """Whether a group has just let the relay in, so that it may say hello."""
    before, now = update.old_chat_member, update.new_chat_member
    new = is_away(before) and now.status in {ChatMember.MEMBER, ChatMember.ADMINISTRATOR}
    return new and update.chat.type in _GROUPS


def destinations(chat: Chat) -> list[Destination]:
    """All that a chat is called as a destination."""
    public = chat.username if chat.type != Chat.PRIVATE else None
    names = [str(chat.id), *([f"@{public}", f"@{public.lower()}"] if public else [])]
    return [Destination("telegram", name) for name in dict.fromkeys(names)]


# --- updates ---

OLD = timedelta(minutes=2)
"""What was written longer than this before the start is not obeyed: nobody waits for it any more."""

log = get_logger(__name__)


def _chat(heard: TelegramUpdate) -> int:
    return heard.update.effective_chat.id if heard.update.effective_chat else 0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramTiming:
    """How long is waited for what, and by which clock."""

    pauses: TelegramPauses = field(default_factory=TelegramPauses)
    patience: TalkTimeouts = field(default_factory=TalkTimeouts)
    now: Callable[[], datetime] = _now


class Updates:
    """Listens for one bot, with the rooms that it shares with the sender."""

    def __init__(
        self,
        settings: TelegramSettings,
        host: Host,
        bot: Bot,
        calls: TelegramCalls,
        comments: Comments,
        *,
        timing: TelegramTiming | None = None,
    ) -> None:
        self._settings = settings
        self._host = host
        self._bot = bot
        self._calls = calls
        self._comments = comments
        self._timing = timing or TelegramTiming()
        self._since = _now()

    async def run(self, inbox: Inbox) -> None:
        """Listen until cancelled. Returns where only a person can help: the log says how."""
        pauses = self._timing.pauses
        tries = Tries(pauses)
        self._since = self._timing.now() - OLD
        if not await self._named(tries):
            return
        turns = RoomQueues(self._handler(inbox), room=_chat, must=lambda heard: heard.update.my_chat_member is not None)
        menus = asyncio.create_task(self._give_menus())
        try:
            if self._settings.webhook:
                await be_called(self._bot, self._host, turns.take, tries, pauses)
            else:
                await ask(self._bot, turns.take, tries, pauses)
        finally:
            menus.cancel()
            await turns.close()
            with suppress(asyncio.CancelledError):
                await menus

    async def _named(self, tries: Tries) -> bool:
        """Find out what the bot is called; without that nobody knows which commands are for it."""
        while True:
            try:
                await self._bot.get_me()
            except TelegramError as error:
                if not await tries.failed(error):
                    return False
            else:
                return True

    async def _give_menus(self) -> None:
        try:
            await give(self._bot)
        except TelegramError as error:
            log.warning("the commands could not be given to telegram", reason=error.message)

    def _handler(self, inbox: Inbox) -> Callable[[TelegramUpdate], Awaitable[None]]:
        rights = TelegramRights(self._bot, self._settings.owners)
        talk = TelegramTalk(
            bot=self._bot,
            calls=self._calls,
            host=self._host,
            inbox=inbox,
            rights=rights,
            patience=self._timing.patience,
        )
        return lambda heard: self._handle(heard, talk, inbox)

    async def _handle(self, heard: TelegramUpdate, talk: TelegramTalk, inbox: Inbox) -> None:
        update = heard.update
        if (changed := update.my_chat_member) is not None:
            await tell_loss(changed, inbox, words(self._host.language))
            if let_in(changed) and changed.date >= self._since:
                await talk.welcome(changed.chat, changed.from_user.language_code or self._host.language)
        elif (query := update.callback_query) is not None:
            await talk.press(query, late=heard.late)
        elif (post := update.channel_post) is not None and post.date >= self._since:
            await talk.post(post)
        elif (message := update.message) is not None:
            if (copy := forwarded_in(message)) is not None:
                self._comments.forwarded(copy.channel, copy.channel_message, copy.group, copy.group_message)
            elif message.date >= self._since:
                await talk.message(message)
