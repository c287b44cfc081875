"""Websockets that other people's servers fill: none holds the event loop, and a flood of them ends the connection.

aiohttp gives out what has arrived without ever giving way, also where it only reads until the other side says goodbye;
and a read of a quarter of a megabyte holds a hundred thousand empty messages.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp

_READS, _RESTS = 0.02, 0.01
"""Seconds for which messages are given out without a pause, and of the pause in which the others have their turn."""
_CLOSING = 2.0
"""Seconds within which a connection is closed, whatever still comes."""
_SHORT, _EMPTY_RATE = 32, 1_000
"""Bytes of a message that can tell nothing, and how many such messages and pings may come within a second."""
_PIECES = 4_000
"""Pieces in which one message may arrive; the largest that is taken comes in half of them."""
_CONTROL = frozenset({aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG})
_DATA = frozenset({aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY})


class FloodError(Exception):
    """The rest of a sentence that begins with the host."""


class Rate:
    """Counts what comes within each second."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._since = 0.0
        self._count = 0

    def exceeded(self, now: float) -> bool:
        """Whether this one is too many; ``now`` is in seconds."""
        if now - self._since >= 1.0:
            self._since, self._count = now, 0
        self._count += 1
        return self._count > self._most


class Socket(aiohttp.ClientWebSocketResponse[Any]):
    """A websocket whose messages are given out in turns.

    A flood is told as a message of the type ``ERROR`` that holds a :class:`FloodError`.
    """

    def __init__(self, reader: Any, *more: Any, **named: Any) -> None:
        self._turns = _Turns(reader)
        super().__init__(self._turns, *more, **named)  # type: ignore[arg-type]  # all that is asked of a reader

    def _on_data_received(self) -> None:
        """aiohttp calls it where there is a heartbeat: whoever sends anything is alive, but has to end a message."""
        super()._on_data_received()
        self._turns.pieces += 1
        if self._turns.pieces > _PIECES:
            self._handle_ping_pong_exception(FloodError("sends a message that has no end"))

    async def close(self, *, code: int = aiohttp.WSCloseCode.OK, message: bytes = b"") -> bool:
        try:
            async with asyncio.timeout(_CLOSING):
                return await super().close(code=code, message=message)
        except TimeoutError:  # it was hung up
            return True


class _Turns:
    """What a websocket reads from: every message passes here, pings and what comes after our goodbye as well."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._turn = time.monotonic()
        self._empty = Rate(_EMPTY_RATE)
        self.pieces = 0
        """What was received since the last message."""

    async def read(self) -> aiohttp.WSMessage:
        if (now := time.monotonic()) - self._turn > _READS:
            await asyncio.sleep(_RESTS)
            self._turn = now = time.monotonic()
        message: aiohttp.WSMessage = await self._queue.read()
        self.pieces = 0
        if _is_empty(message) and self._empty.exceeded(now):
            raise FloodError("floods the connection with empty messages")
        return message

    def feed_data(self, message: aiohttp.WSMessage, size: int) -> None:
        self._queue.feed_data(message, size)


def _is_empty(message: aiohttp.WSMessage) -> bool:
    return message.type in _CONTROL or (message.type in _DATA and len(message.data) < _SHORT)
