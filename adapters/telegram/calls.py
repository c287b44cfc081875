"""Each call to Telegram, in its turn: the pace is waited for here, for a second at most, and learned from what came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, TelegramError

from adapters.telegram.pace import Chat, TelegramPace, TelegramTicket
from adapters.telegram.transport import AT_ONCE, NoSuchMethod, Slower, TelegramNotSent
from relay.log import get_logger
from relay.ports import TryLater

log = get_logger(__name__)

HOLD = 1.0
"""Seconds for which a hand of the outbox may be held back here; what takes longer waits in the outbox."""
EARLY = 0.15
"""So much of a second the next one may come too early: it waits here then, as the outbox cannot hit the moment."""
FETCHING = 5
"""So many of the calls at once may have media, which Telegram fetches meanwhile: texts are not held up by those."""
REFUSED_FOR = timedelta(minutes=5)
DEAD = "set adapters.telegram.token to the one that @BotFather gives, then restart"

_WORDS = frozenset({"sendMessage", "editMessageText", "editMessageCaption", "editMessageReplyMarkup"})
"""The methods for which Telegram fetches nothing."""

T = TypeVar("T")
Failed = TryLater | TelegramError
"""Not made, or what the library raised."""


class TelegramCalls:
    """Lets calls through at the pace that Telegram allows, and answers their failures as values."""

    def __init__(self, pace: TelegramPace, *, hold: float = HOLD, clock: Callable[[], float] = time.monotonic) -> None:
        self.pace, self._hold, self._clock = pace, hold, clock
        self._at_once, self._fetching = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(FETCHING)
        self._turn = asyncio.Lock()
        self._dead_until = 0.0

    async def paced(self, chat: Chat, kind: str, act: Callable[[], Awaitable[T]], *, items: int = 1) -> T | Failed:
        """Make a call that shows or changes ``items`` messages in a chat. ``kind``: its method."""
        if (dead := self._dead()) is not None:
            return dead
        until = self._clock() + self._hold
        if (early := await self._due(chat, items, until)) is not None:
            return early
        try:
            async with self._lane(kind):
                ticket = await self._ticket(chat, kind, items, until)
                if isinstance(ticket, TryLater):
                    return ticket
                try:
                    return await self._made(ticket, act)
                finally:
                    self._at_once.release()
        except _Late as late:
            return late.answer

    async def plain(self, act: Callable[[], Awaitable[T]]) -> T | Failed:
        """Make a call that shows nothing: it is in nobody's way."""
        if (dead := self._dead()) is not None:
            return dead
        try:
            async with _held(self._at_once, self._hold):
                return await act()
        except _Late as late:
            return late.answer
        except TelegramError as error:
            return self._noted(error)

    async def at_once(self, chat: Chat, kind: str, act: Callable[[], Awaitable[T]], *, items: int = 1) -> T | Failed:
        """Make a call for which a person waits: it waits for nothing, but what comes next waits for it."""
        return await self._made(self.pace.take(chat, items, kind, self._clock()), act)

    def refuse(self, reason: str) -> None:
        """The token is not good: nothing is sent for a while, and that is said once."""
        if not self._dead_until:
            log.error("token refused", reason=reason, todo=DEAD)
        self._dead_until = self._clock() + REFUSED_FOR.total_seconds()

    def gap(self, chat: Chat) -> timedelta:
        """How long the outbox is to wait before the next one at a chat."""
        wait = self.pace.wait(chat, 1, self._clock()) - EARLY * self.pace.second
        return timedelta(seconds=max(0.0, wait))

    # --- a place ---

    async def _due(self, chat: Chat, items: int, until: float) -> TryLater | None:
        """Wait for the chat's own pace; None: it has come to that."""
        wait = self.pace.wait(chat, items, self._clock())
        if wait > 0 and self._clock() + wait > until:
            return TryLater(f"the pace of {chat}", timedelta(seconds=wait), paced=True)
        await asyncio.sleep(wait)
        return None

    async def _ticket(self, chat: Chat, kind: str, items: int, until: float) -> TelegramTicket | TryLater:
        """A place in the pace, and with it one of the connections, which the caller gives back."""
        while True:
            if (late := await self._due(chat, items, until)) is not None:
                return late
            async with _held(self._turn, 2 * self._hold):  # first come, first served: small ones overtake nobody
                wait = self.pace.crowd(items, self._clock())
                if wait > 2 * self._hold:
                    return TryLater("the pace of all chats together", timedelta(seconds=wait), paced=True)
                await asyncio.sleep(wait)
                await _got(self._at_once, self._hold)
                if self.pace.wait(chat, items, self._clock()) + self.pace.crowd(items, self._clock()) <= 0:
                    return self.pace.take(chat, items, kind, self._clock())
                self._at_once.release()

    @asynccontextmanager
    async def _lane(self, kind: str) -> AsyncIterator[None]:
        """Calls with media are held up by each other only."""
        if kind in _WORDS:
            yield
        else:
            async with _held(self._fetching, self._hold):
                yield

    # --- the call ---

    async def _made(self, ticket: TelegramTicket, act: Callable[[], Awaitable[T]]) -> T | Failed:
        try:
            result = await act()
        except TelegramNotSent as error:
            self.pace.unsent(ticket)
            return error
        except Slower as error:
            self.pace.slowed(ticket, error.seconds, self._clock())
            return error
        except (BadRequest, Forbidden, ChatMigrated, InvalidToken, NoSuchMethod) as error:
            self.pace.refused(ticket, self._clock())
            return self._noted(error)
        except (TelegramError, asyncio.CancelledError) as error:
            self.pace.done(ticket, self._clock())
            if isinstance(error, asyncio.CancelledError):
                raise
            return self._noted(error)
        self.pace.done(ticket, self._clock())
        return result

    def _noted(self, error: TelegramError) -> TelegramError:
        if isinstance(error, InvalidToken | NoSuchMethod):
            self.refuse(error.message)
        return error

    def _dead(self) -> TryLater | None:
        if self._clock() >= self._dead_until:
            return None
        return TryLater(f"Telegram refuses the bot's token: {DEAD}", REFUSED_FOR)


class _Late(Exception):  # noqa: N818 - no error: a way out of what is waited for
    """No place came free in time."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = TryLater("too many requests to Telegram are under way")


@asynccontextmanager
async def _held(places: asyncio.Semaphore | asyncio.Lock, seconds: float) -> AsyncIterator[None]:
    await _got(places, seconds)
    try:
        yield
    finally:
        places.release()


async def _got(places: asyncio.Semaphore | asyncio.Lock, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await places.acquire()
    except TimeoutError:
        raise _Late from None
