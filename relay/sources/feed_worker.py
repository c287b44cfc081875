"""Feeds are parsed in a process of their own, with limits on time and memory; a small JSON Feed is parsed at once.

feedparser holds the interpreter for hours over some hundred kilobytes of hostile text (a regular expression for e-mail
addresses is enough), and who may subscribe may name a feed of theirs. So a document that takes too long costs the
process, and the relay goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
import weakref
from datetime import timedelta
from typing import IO, cast

from relay.sources import feed_process
from relay.sources.feed_parse import Document
from relay.sources.feed_posts import Item, Setting, arranged, works
from relay.sources.feed_read import is_quick, read

LIMIT = timedelta(seconds=10)
"""For one document; an ordinary one of 100 entries takes a twentieth of a second."""


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
    return arranged(items)


class FeedWorker:
    """Has documents parsed. The process starts when it is needed, and again where it was ended; it ends with this."""

    def __init__(self, limit: timedelta = LIMIT) -> None:
        self._limit = limit
        self._turn = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    async def parse(self, body: bytes, content_type: str) -> Document | None:
        """What the document says; None where that takes too long or too much memory, or breaks the parser."""
        if is_quick(body):
            return read(body, content_type)
        async with self._turn:
            if self._process is None or self._process.poll() is not None:
                self._process = self._start()
            try:
                async with asyncio.timeout(self._limit.total_seconds()):
                    return await asyncio.to_thread(feed_process.ask, *_pipes(self._process), body, content_type)
            except (OSError, EOFError):
                self._stop()
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
