"""Feeds are read in a process of their own, with limits on time and memory; here only their news arrive.

feedparser holds the interpreter for hours over some hundred kilobytes of hostile text (a regular expression for e-mail
addresses is enough), and who may subscribe may name a feed of theirs. So a document that takes too long costs the
process, and the relay goes on. What counts is the processor's time: a busy machine makes no document too long.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import IO, TypeVar, cast

import msgspec

from relay.http.lanes import Slots
from relay.sources import feed_process
from relay.sources.feed_document import EntryChange, FeedChanges, KnownFeed
from relay.sources.feed_process import ParsedFeed, ParseRequest

LIMIT, LIMIT_PER_MB = timedelta(seconds=10), timedelta(seconds=2)
"""Of the processor's time for one document; an ordinary one of 100 entries takes a twentieth of a second."""
PATIENCE = 12
"""How many times as long the clock may run: only a machine that stands still takes longer."""
QUICK, QUICK_PER_MB = timedelta(seconds=0.3), timedelta(seconds=1)
"""The same of a document that others wait for: four times as long as an ordinary one takes."""
HEAD_START = 60.0
"""Seconds: what was quick the last time is read before what nobody knows, unless that has waited for so much longer."""
MANY = 10_000
"""Feeds that are remembered as quick or slow."""
LARGE = 1_000_000
"""Bytes of a document that nobody else has to wait for."""

MANY_LARGE, MANY_SLOW = 64, 16
"""Such documents that wait at a time: each may be of megabytes, and takes seconds."""
TURN = 100_000
"""Bytes of news that are taken up in one turn of the event loop: half a millisecond."""

STARTED = 120.0
"""Seconds within which a process starts, however busy the machine is."""

T = TypeVar("T")
_NEWS = msgspec.msgpack.Decoder(EntryChange)


class UnreadError(Exception):
    """There is no process that could read it just now; the text says why. That is no fault of the document."""


class FeedWorker:
    """Has documents read, large ones beside the others, and slow ones beside both. The processes end with this.

    A document that is slow is ended where the quick ones are read, and read again where the slow ones wait for each
    other: no quick one waits for more than that.
    """

    def __init__(self, limit: timedelta = LIMIT, quick: timedelta = QUICK) -> None:
        self._limit, self._least = limit, quick
        self._ordinary, self._large, self._slow = _Parser(), _Parser(MANY_LARGE), _Parser(MANY_SLOW)
        self._known_quick: OrderedDict[str, None] = OrderedDict()
        self._known_slow: OrderedDict[str, None] = OrderedDict()
        self._taking_up = asyncio.Lock()

    async def read(
        self, body: bytes, known: KnownFeed, name: str = ""
    ) -> tuple[FeedChanges, Sequence[EntryChange]] | None:
        """What the document says that is not known (:func:`relay.sources.feed_changes.find_changes`).

        None where that takes too long or too much memory, or breaks the parser. ``name`` is the feed's: where its last
        document was slow the next one does not begin among the quick ones. Raises :class:`UnreadError`.
        """
        answer = await self._asked(body, known, name)
        if answer is None:
            return None
        async with self._taking_up:  # what two documents brought is not taken up in the same turns
            return answer[0].changes, await _taken_up(*answer)

    async def _asked(self, body: bytes, known: KnownFeed, name: str) -> tuple[ParsedFeed, bytes] | None:
        size = len(body) / 1e6
        most = (self._limit + LIMIT_PER_MB * size).total_seconds()
        quick = min((self._least + QUICK_PER_MB * size).total_seconds(), most)
        if name not in self._known_slow:
            parser = self._large if len(body) > LARGE else self._ordinary
            ahead = HEAD_START if name in self._known_quick else 0.0
            answer, _ = await parser.ask(ParseRequest(quick, most * PATIENCE, known), body, ahead)
            if answer is not None or quick == most:
                _remember(self._known_quick, name)
                return answer
            self._known_quick.pop(name, None)
            _remember(self._known_slow, name)
        answer, took = await self._slow.ask(ParseRequest(most, most * PATIENCE, known), body)
        if answer is not None and took < quick:
            self._known_slow.pop(name, None)
        return answer


def _remember(kept: OrderedDict[str, None], name: str) -> None:
    if name:
        kept[name] = None
        kept.move_to_end(name)
    while len(kept) > MANY:
        kept.popitem(last=False)


async def _taken_up(answer: ParsedFeed, news: bytes) -> list[EntryChange]:
    """The news as values, so many at a time that the event loop is not held up."""
    view, at, since = memoryview(news), 0, 0
    changes = list[EntryChange]()
    for size in answer.sizes:
        if since and since + size > TURN:
            await asyncio.sleep(0)
            since = 0
        changes.append(_NEWS.decode(view[at : at + size]))
        at, since = at + size, since + size
    if since < at:  # there were several turns, and the next step will take its time, too
        await asyncio.sleep(0)
    return changes


class _Parser:
    """One process: it starts when it is needed, and again where it was ended. Documents wait for their turn."""

    def __init__(self, most: int = sys.maxsize) -> None:
        """``most``: so many may wait."""
        self._turn, self._most = Slots(1), most
        # of its own: the threads that all share may be waiting for names
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feeds")
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Callable[[], object] = lambda: None
        """Ends the process, once."""

    async def ask(
        self, question: ParseRequest, body: bytes, ahead: float = 0.0
    ) -> tuple[tuple[ParsedFeed, bytes] | None, float]:
        """The answer, and how many seconds it took once it was its turn. Raises :class:`UnreadError`."""
        if len(self._turn) >= self._most:
            raise UnreadError(f"{self._most} others that take long to read are before it")
        await self._turn.take(time.monotonic() - ahead)
        try:
            begun = time.monotonic()
            answer = await self._ask(question, body)
            return answer, time.monotonic() - begun
        finally:
            self._turn.leave()

    async def _ask(self, question: ParseRequest, body: bytes) -> tuple[ParsedFeed, bytes] | None:
        try:
            process = self._running()
            if process is None:  # its start is no part of the time of a document
                async with asyncio.timeout(STARTED):
                    process = await self._in_thread(self._start)
            async with asyncio.timeout(question.longest):
                return await self._in_thread(partial(feed_process.ask, *_pipes(process), question, body))
        except (OSError, EOFError):
            await asyncio.to_thread(self._stop)
            return None
        except asyncio.CancelledError:
            self._stop()
            raise

    def _in_thread(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """One thing at a time: a start that nobody waits for any more is over before the next one."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _running(self) -> subprocess.Popen[bytes] | None:
        return self._process if self._process is not None and self._process.poll() is None else None

    def _start(self) -> subprocess.Popen[bytes]:
        if process := self._running():  # whoever had it started was cancelled
            return process
        self._stop()
        command = [sys.executable, "-P", "-m", feed_process.__name__]
        pipe, apart = subprocess.PIPE, True  # Ctrl-C is for the relay
        try:
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=apart)  # noqa: S603 - our own
        except OSError as error:
            raise UnreadError(f"the process that reads feeds does not start: {error}") from error
        self._process, self._end = process, weakref.finalize(self, _end, process)
        if _pipes(process)[1].read(len(feed_process.READY)) != feed_process.READY:
            self._stop()
            raise UnreadError("the process that reads feeds ended before it had started")
        return process

    def _stop(self) -> None:
        self._end()
        self._process = None


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    return cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in _pipes(process):
        with contextlib.suppress(OSError):  # a question was half-way in
            pipe.close()
