"""One connection to a Jetstream, from the handshake to its end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from relay.http import FloodError
from relay.ports import Watched
from relay.retrying import Retrying
from relay.sources.bluesky.firehose import Firehose, PostChange
from relay.sources.bluesky.jetstream_cursor import LARGEST, JetstreamQuery, Start, judge, outgrown, wanted_accounts
from relay.sources.kit import Buffer, trouble_of

_Socket = aiohttp.ClientWebSocketResponse[bool]

_UNEXPECTED = 100
"""So many messages in a row that are no events: this is no Jetstream."""
_CLOSING = 2.0
_DATA = frozenset({aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY})


@dataclass(frozen=True, slots=True, kw_only=True)
class JetstreamTimeouts:
    """How long to wait for what."""

    idle: timedelta = timedelta(seconds=30)
    """A server that tells nothing for so long is given up: somebody is always posting."""
    again: timedelta = timedelta(seconds=1)
    """Before the next connection; doubled with each round in which no server told anything."""
    longest: timedelta = timedelta(minutes=1)
    settle: timedelta = timedelta(seconds=1)
    """What is wanted changes in bursts; so long after a change it is asked for anew."""

    def retrying(self, each: int = 1) -> Retrying:
        return Retrying(first=self.again, longest=self.longest, each=each)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection ended; the reason is for people, and empty where it was our wish."""

    reason: str
    served: bool = False
    """It told something new, or did its duty where nothing was to be told."""
    poisoned: bool = False
    """What it sent last could not be taken in."""


class Course:
    """How far was read, over all connections; what is wanted goes into the buffer."""

    def __init__(self, firehose: Firehose, buffer: Buffer[PostChange], place: int) -> None:
        self.place = place
        self.buffer = buffer
        self.unexpected = 0
        """How many messages in a row were no events."""
        self._firehose = firehose
        self._asked: JetstreamQuery | None = None

    def begin(self, asked: JetstreamQuery) -> None:
        """The next event is the first one of a connection."""
        self._asked = asked
        self.unexpected = 0

    def take(self, message: bytes) -> None:
        told = self._firehose.read(message)
        at = self._firehose.time
        if not at:
            self.unexpected += 1
            return
        self.unexpected = 0
        if self._asked is not None:
            self._start(self._asked, at)
        self.place = max(self.place, at)
        if told:
            self.buffer.put(told)
        self.buffer.reach(self.place)

    def _start(self, asked: JetstreamQuery, first: int) -> None:
        self._asked = None
        start = judge(asked, first, time.time_ns() // 1000)
        if start is Start.AHEAD:
            self.place = 0
        if start is not Start.SMOOTH:
            self.buffer.miss()
        self.buffer.remark("")


async def changed(watched: Watched, enough: Callable[[], bool]) -> None:
    """Return once it is so, looking whenever what is wanted changes."""
    while True:
        change = asyncio.ensure_future(watched.changed())
        try:
            await asyncio.sleep(0)  # it has begun to look: no change is missed from here on
            if enough():
                return
            await change
        finally:
            change.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What one connection is about."""

    session: aiohttp.ClientSession
    host: str
    asked: JetstreamQuery
    watched: Watched
    course: Course
    timing: JetstreamTimeouts

    async def listen(self) -> Ended:
        """Take in what comes until it ends."""
        begun, place = time.monotonic(), self.course.place
        ended = await self._listen()
        served = self.course.place != place or self._did_its_duty(time.monotonic() - begun)
        if outgrown(self.asked.accounts, wanted_accounts(self.watched)):
            return Ended("", served=True)
        return Ended(f"{urlsplit(self.host).netloc} {ended.reason}", served, ended.poisoned)

    def _did_its_duty(self, seconds: float) -> bool:
        return self.asked.accounts is not None and seconds > self.timing.idle.total_seconds()

    async def _listen(self) -> Ended:
        try:
            async with self._connected() as socket, self._kept_current(socket):
                return await self._read(socket)
        except (aiohttp.ClientError, FloodError, OSError, ValueError) as error:
            return Ended(trouble_of(error))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[_Socket]:
        idle = self.timing.idle.total_seconds()
        async with asyncio.timeout(idle):
            socket = await self.session.ws_connect(
                address(self.host, self.asked),
                compress=15,
                heartbeat=idle,
                max_msg_size=2 * LARGEST,
                decode_text=False,  # a byte that is no UTF-8 costs its message, not the connection
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSING),
            )
        try:
            if hello := self.asked.hello():
                await socket.send_str(json.dumps(hello))
                self.course.buffer.remark("")
            yield socket
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING):
                    await socket.close()

    @asynccontextmanager
    async def _kept_current(self, socket: _Socket) -> AsyncIterator[None]:
        """Close the connection when something else is to be asked for."""
        task = asyncio.create_task(self._close_when_outgrown(socket), name="jetstream filter")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _close_when_outgrown(self, socket: _Socket) -> None:
        while not self._is_outgrown():
            await changed(self.watched, self._is_outgrown)
            await asyncio.sleep(self.timing.settle.total_seconds())
        await socket.close()

    def _is_outgrown(self) -> bool:
        return outgrown(self.asked.accounts, wanted_accounts(self.watched))

    async def _read(self, socket: _Socket) -> Ended:
        idle = self.timing.idle.total_seconds() if self.asked.accounts is None else None
        self.course.begin(self.asked)
        try:
            async with asyncio.timeout(idle) as limit:
                return await self._read_on(socket, limit, idle)
        except TimeoutError:
            return Ended("tells nothing any more")

    async def _read_on(self, socket: _Socket, limit: asyncio.Timeout, idle: float | None) -> Ended:
        course, buffer = self.course, self.course.buffer
        now, set_at = asyncio.get_running_loop().time, 0.0
        while (message := await socket.receive()).type in _DATA:
            course.take(message.data)
            if course.unexpected >= _UNEXPECTED:
                return Ended("sends what is no event of a Jetstream")
            if buffer.is_full:
                limit.reschedule(None)  # the server is not at fault
                await buffer.room()
                set_at = 0.0
            if idle and now() - set_at > 1.0:  # not with each message: timers are dear
                set_at = now()
                limit.reschedule(set_at + idle)
        if isinstance(message.data, FloodError):
            return Ended(str(message.data))
        poisoned = isinstance(message.data, aiohttp.WebSocketError)
        return Ended("sends what is no message" if poisoned else "closed the connection", poisoned=poisoned)


def address(host: str, asked: JetstreamQuery) -> URL:
    """Where to connect to: a server's own path is kept, without one it is the usual one."""
    url = URL(host)
    return (url if url.path.strip("/") else url.with_path("/subscribe")).with_query(asked.query())
