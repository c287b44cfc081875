"""Feeds are parsed in a process of their own, with limits on time and memory; a small JSON Feed is parsed at once.

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
from collections.abc import Collection
from datetime import timedelta
from typing import IO, cast

from relay.sources import feed_process
from relay.sources.feed_parse import Document
from relay.sources.feed_posts import Item, Setting, arranged, works
from relay.sources.feed_process import Question
from relay.sources.feed_read import is_quick, read

LIMIT, LIMIT_PER_MB = timedelta(seconds=10), timedelta(seconds=2)
"""Of the processor's time for one document; an ordinary one of 100 entries takes a twentieth of a second."""
PATIENCE = 12
"""How many times as long the clock may run: only a machine that stands still takes longer."""
LARGE = 1_000_000
"""Bytes of a document that nobody else has to wait for."""

_SLICE = 0.002
"""Seconds for which the event loop is held at a time while entries become posts."""
_LONG = 20_000
"""Characters of a text that becomes a post in a thread."""


async def items_of(document: Document, setting: Setting) -> tuple[Item, ...]:
    """The document's entries as posts (:func:`relay.sources.feed_posts.read_items`), without holding up the loop."""
    items: list[Item] = []
    await asyncio.sleep(0)
    begun = time.perf_counter()
    for length, work in works(document, setting):
        items.append(await asyncio.to_thread(work) if length > _LONG else work())
        if time.perf_counter() - begun > _SLICE:
            await asyncio.sleep(0)
            begun = time.perf_counter()
    await asyncio.sleep(0)
    posts = arranged(items)
    await asyncio.sleep(0)  # what is made of a thousand of them takes some milliseconds, too
    return posts


class FeedWorker:
    """Has documents parsed, large ones beside the others. The processes end with this."""

    def __init__(self, limit: timedelta = LIMIT) -> None:
        self._limit = limit
        self._ordinary, self._large = _Parser(), _Parser()

    async def parse(
        self, body: bytes, content_type: str, around: str = "", known: Collection[str] = ()
    ) -> Document | None:
        """What the document says that is not known (:func:`relay.sources.feed_read.read`).

        None where that takes too long or too much memory, or breaks the parser.
        """
        if is_quick(body):
            return read(body, content_type)
        seconds = (self._limit + LIMIT_PER_MB * (len(body) / 1e6)).total_seconds()
        question = Question(seconds, seconds * PATIENCE, content_type, around, frozenset(known))
        return await (self._large if len(body) > LARGE else self._ordinary).parse(question, body)


class _Parser:
    """One process: it starts when it is needed, and again where it was ended. Documents wait for their turn."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    async def parse(self, question: Question, body: bytes) -> Document | None:
        async with self._turn:
            if self._process is None or self._process.poll() is not None:
                self._process = await asyncio.to_thread(self._start)
            try:
                async with asyncio.timeout(question.longest):
                    return await asyncio.to_thread(feed_process.ask, *_pipes(self._process), question, body)
            except (OSError, EOFError):
                await asyncio.to_thread(self._stop)
                return None
            except asyncio.CancelledError:
                self._stop()
                raise

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process:
            self._stop()
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", feed_process.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the relay
        )
        self._end = weakref.finalize(self, _end, process)
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
