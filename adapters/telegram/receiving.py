"""The two ways in which updates come from Telegram: it is asked for them, or it calls. Both go on until cancelled."""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from telegram import Bot, Update
from telegram.error import Conflict, InvalidToken, TelegramError

from adapters.telegram.transport import Slower
from relay.log import Trouble, get_logger
from relay.plugins import Host
from relay.retrying import Retrying

ALLOWED = ("message", "channel_post", "callback_query", "my_chat_member")
HOOK = "telegram"
UPDATES = "the updates of telegram"
MOST_AT_ONCE = 100
ANOTHER = "another relay (or program) uses this token"

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TelegramUpdate:
    """An update; ``late``: it waited for us to begin."""

    update: Update
    late: bool = False


Take = Callable[[TelegramUpdate], None]
"""Never waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramPauses:
    """In seconds."""

    poll: int = 30
    """How long Telegram holds a question for updates open."""
    first: float = 1.0
    longest: float = 60.0
    """Between two tries while something is wrong; they grow from the first to the longest."""
    conflict: float = 30.0
    """Before the token is used again that another one uses."""
    peace: float = 300.0
    """Without a conflict, until it counts as over: two that share a token take turns."""
    look: float = 300.0
    """Between two looks at whether Telegram still calls us."""

    def retrying(self) -> Retrying:
        first, longest = timedelta(seconds=self.first), timedelta(seconds=self.longest)
        return Retrying(UPDATES, Trouble(log), first=first, longest=longest, asked=longest * 60)


class Tries:
    """What goes wrong is told once, and so is its end."""

    def __init__(self, pauses: TelegramPauses) -> None:
        self._pauses = pauses
        self._tries = pauses.retrying()
        self._conflict: float | None = None

    def went_well(self) -> None:
        now = asyncio.get_running_loop().time()
        self._tries.failures = 0
        if self._conflict is None or now - self._conflict > self._pauses.peace:
            self._conflict = None
            self._tries.works()

    async def failed(self, error: TelegramError) -> bool:
        """Wait as long as is fit. False: there is no use in another try."""
        if isinstance(error, InvalidToken):
            log.error("commands do not work until the relay is restarted with a token that telegram takes")
            return False
        if isinstance(error, Conflict):
            self.taken()
            await self._tries.wait(timedelta(seconds=self._pauses.conflict))
        elif isinstance(error, Slower):
            await self._tries.wait(timedelta(seconds=error.seconds))
        else:
            await self._tries.failed(error.message)
        return True

    def taken(self) -> None:
        """Another one uses the token: one loud line, until that is over."""
        if self._conflict is None:
            log.error(ANOTHER, what=UPDATES, todo="stop it, or give it a token of its own")
            self._tries.broke(ANOTHER)
        self._conflict = asyncio.get_running_loop().time()


async def ask(bot: Bot, take: Take, tries: Tries, pauses: TelegramPauses) -> None:
    """Ask for updates again and again. Returns where only a person can help: the log says how."""
    polling = Polling(bot, take, pauses)
    while True:
        try:
            await polling.once()
            tries.went_well()
        except TelegramError as error:
            if isinstance(error, Conflict):
                polling.called = True  # perhaps it is an address that somebody has set meanwhile
            if not await tries.failed(error):
                return


class Polling:
    """Knows which update is the next."""

    def __init__(self, bot: Bot, take: Take, pauses: TelegramPauses) -> None:
        self._bot = bot
        self._take = take
        self._pauses = pauses
        self._offset: int | None = None
        self._late = True
        self.called = True
        """Telegram may still call somebody, and then it cannot be asked."""

    async def once(self) -> None:
        """Ask once; what was taken before is off Telegram's list then."""
        if self.called:
            await self._bot.delete_webhook()
            self.called = False
        try:
            updates = await self._bot.get_updates(
                offset=self._offset,
                limit=MOST_AT_ONCE,
                timeout=0 if self._late else self._pauses.poll,
                allowed_updates=ALLOWED,
            )
        except TelegramError:
            raise
        except Exception:  # the library stumbles over one of them, and would for ever, as nobody knows which
            log.exception("an update of telegram cannot be read; all that waited are dropped")
            await self._bot.delete_webhook(drop_pending_updates=True)
            return
        for update in updates:
            self._offset = update.update_id + 1
            self._take(TelegramUpdate(update, self._late))
        self._late = self._late and len(updates) == MOST_AT_ONCE


async def be_called(bot: Bot, host: Host, take: Take, tries: Tries, pauses: TelegramPauses) -> None:
    """Have Telegram call the relay. Returns where only a person can help: the log says how."""
    hook = Called(bot, take)
    try:
        url = host.hooks.open(HOOK, hook)
    except ValueError as error:
        log.error("telegram cannot call this relay", reason=str(error))  # noqa: TRY400 - no bug of ours
        return
    try:
        while True:
            try:
                await _keep_called(bot, url, hook, tries, pauses)
            except TelegramError as error:
                if not await tries.failed(error):
                    return
    finally:
        host.hooks.close(HOOK)


async def _keep_called(bot: Bot, url: str, hook: Called, tries: Tries, pauses: TelegramPauses) -> None:
    """Give Telegram our address, and see that nobody gives it another one."""
    hook.late = (await bot.get_webhook_info()).pending_update_count
    await bot.set_webhook(url, secret_token=hook.secret, allowed_updates=ALLOWED)
    tries.went_well()
    while True:
        await asyncio.sleep(pauses.look)
        told = await bot.get_webhook_info()
        if told.url != url:
            raise Conflict(ANOTHER)
        if told.pending_update_count and told.last_error_message:
            raise UnheardError(f"telegram calls {url} in vain: {told.last_error_message}")
        tries.went_well()


class UnheardError(TelegramError):
    """Telegram calls, and does not get through."""


class Called:
    """Takes Telegram's calls: only those that know the secret of this start."""

    def __init__(self, bot: Bot, take: Take) -> None:
        self._bot = bot
        self._take = take
        self.secret = secrets.token_urlsafe(32)
        self.late = 0
        """So many have waited for us to begin."""

    async def __call__(self, headers: Mapping[str, str], body: bytes) -> int:
        """Answer the HTTP status at once: what an update asks for is done afterwards."""
        given = headers.get("x-telegram-bot-api-secret-token", "")
        if not hmac.compare_digest(given.encode(), self.secret.encode()):
            return 403
        try:
            update = Update.de_json(json.loads(body), self._bot)
        except Exception:  # the same call would come again for a day
            log.exception("an update of telegram cannot be read; it is dropped")
            return 200
        self._take(TelegramUpdate(update, self.late > 0))
        self.late = max(0, self.late - 1)
        return 200
