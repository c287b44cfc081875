"""What happens on Telegram while the relay listens: commands, buttons, and what becomes of the relay itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from telegram import Bot
from telegram.error import TelegramError

from adapters.telegram import menu
from adapters.telegram.asking import forwarded_in
from adapters.telegram.calls import Calls
from adapters.telegram.comments import Comments
from adapters.telegram.presence import let_in, tell_loss
from adapters.telegram.receiving import Heard, Pauses, Tries, ask, be_called
from adapters.telegram.rights import Rights
from adapters.telegram.settings import TelegramSettings
from adapters.telegram.talking import Patience, Talk
from relay.i18n import words
from relay.log import get_logger
from relay.plugins import Host
from relay.ports import Inbox

CLOSING = 1.5
"""Seconds for what is still being answered to end."""
OLD = timedelta(minutes=2)
"""What was written longer than this before the start is not obeyed: nobody waits for it any more."""
MOST_WAITING = 30
"""In one chat; more than that is no conversation."""

log = get_logger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long is waited for what, and by which clock."""

    pauses: Pauses = field(default_factory=Pauses)
    patience: Patience = field(default_factory=Patience)
    now: Callable[[], datetime] = _now


class Updates:
    """Listens for one bot, with the rooms that it shares with the sender."""

    def __init__(
        self,
        settings: TelegramSettings,
        host: Host,
        bot: Bot,
        calls: Calls,
        comments: Comments,
        *,
        timing: Timing | None = None,
    ) -> None:
        self._settings = settings
        self._host = host
        self._bot = bot
        self._calls = calls
        self._comments = comments
        self._timing = timing or Timing()
        self._since = _now()

    async def run(self, inbox: Inbox) -> None:
        """Listen until cancelled. Returns where only a person can help: the log says how."""
        pauses = self._timing.pauses
        tries = Tries(pauses)
        self._since = self._timing.now() - OLD
        if not await self._named(tries):
            return
        turns = Turns(self._handler(inbox))
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
            await menu.give(self._bot)
        except TelegramError as error:
            log.warning("the commands could not be given to telegram", reason=error.message)

    def _handler(self, inbox: Inbox) -> Callable[[Heard], Awaitable[None]]:
        rights = Rights(self._bot, self._settings.owners)
        talk = Talk(
            bot=self._bot,
            calls=self._calls,
            host=self._host,
            inbox=inbox,
            rights=rights,
            patience=self._timing.patience,
        )
        return lambda heard: self._handle(heard, talk, inbox)

    async def _handle(self, heard: Heard, talk: Talk, inbox: Inbox) -> None:
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


class Turns:
    """Hands on each chat's updates one after the other, and the chats' beside each other."""

    def __init__(self, handle: Callable[[Heard], Awaitable[None]]) -> None:
        self._handle = handle
        self._waiting: dict[int, deque[Heard]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def take(self, heard: Heard) -> None:
        """Never waits. What one chat sends faster than it can be answered is left out, but for what we must know."""
        update = heard.update
        chat = update.effective_chat.id if update.effective_chat else 0
        waiting = self._waiting.get(chat)
        if waiting is None:
            waiting = self._waiting[chat] = deque()
            task = asyncio.create_task(self._work(chat, waiting))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        if len(waiting) < MOST_WAITING or update.my_chat_member is not None:
            waiting.append(heard)
        elif len(waiting) == MOST_WAITING:
            log.warning("a chat asks faster than it can be answered; some of it is left out", chat=chat)

    async def close(self) -> None:
        """Give up on what is still being answered."""
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=CLOSING)

    async def _work(self, chat: int, waiting: deque[Heard]) -> None:
        try:
            while waiting:
                heard = waiting.popleft()
                try:
                    await self._handle(heard)
                except Exception:
                    log.exception("an update of telegram ended in a bug", update=heard.update.update_id)
        finally:
            del self._waiting[chat]
