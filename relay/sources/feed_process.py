"""The process that parses feeds: a question on standard input, an answer on standard output. Starts quickly.

A question is a :class:`ParseRequest` and a document, an answer a :class:`ParsedFeed` and the news, each with its length
before it. The process ends when its input does, so it outlives nobody, and when a document takes more memory or more of
the processor's time than it may: what others do on the machine does not count.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import IO

import msgspec

from relay.sources.feed_document import EntryChange, FeedChanges, KnownFeed

READY = b"\n"
"""What the process says first, when a question will not wait for it."""
_SIZES = struct.Struct("!II")
_MEMORY = 1 << 30
_LATER = 5
"""How much later than the relay itself it gets a processor that is wanted by both."""


class ParseRequest(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a feed, and how long reading it may take."""

    seconds: float
    """Of the processor's time that it may take."""
    longest: float
    """Seconds by the clock; if nobody is left who ends this process, it ends itself."""
    known: KnownFeed


class ParsedFeed(msgspec.Struct, frozen=True, array_like=True):
    """What a document says, without its news: whoever takes them up does so one by one."""

    changes: FeedChanges
    sizes: list[int]
    """The length of each news (:class:`relay.sources.feed_changes.EntryChange`), which follow one another."""


def ask(questions: IO[bytes], answers: IO[bytes], question: ParseRequest, body: bytes) -> tuple[ParsedFeed, bytes]:
    """Put one question to a process and wait. Raises ``EOFError`` or ``OSError`` where the process ends over it."""
    head = msgspec.json.encode(question)
    questions.write(_SIZES.pack(len(head), len(body)) + head)
    questions.write(body)
    questions.flush()
    sizes = _SIZES.unpack(_take(answers, _SIZES.size))
    answer, news = (_take(answers, size) for size in sizes)  # all of it, or the next answer would begin in this one
    return msgspec.json.decode(answer, type=ParsedFeed), news


def _take(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def main() -> None:
    _limit_memory()
    if sys.platform != "win32":
        os.nice(_LATER)
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    find_changes = _find_changes()
    with contextlib.suppress(EOFError, BrokenPipeError, MemoryError, RecursionError):
        answers.write(READY)
        answers.flush()
        while True:
            head, size = _SIZES.unpack(_take(questions, _SIZES.size))
            question, body = msgspec.json.decode(_take(questions, head), type=ParseRequest), _take(questions, size)
            _limit_time(question.seconds, question.longest)
            changes, found = find_changes(body, question.known)
            news = [msgspec.msgpack.encode(change) for change in found]
            answer = msgspec.json.encode(ParsedFeed(changes, list(map(len, news))))
            _limit_time(0, 0)
            answers.write(_SIZES.pack(len(answer), sum(map(len, news))) + answer)
            answers.writelines(news)
            answers.flush()


def _find_changes() -> Callable[[bytes, KnownFeed], tuple[FeedChanges, Sequence[EntryChange]]]:
    """What answers a question; all that takes its time is loaded before a question's time begins."""
    for fetching in ("urllib.error", "urllib.request", "feedparser.http"):  # 4 MB with what they load
        sys.modules[fetching] = ModuleType(fetching, "Nothing is fetched in this process.")
    from relay.sources import feed_changes

    importlib.import_module("relay.sources.feed_parser")
    return feed_changes.find_changes


def _limit_time(seconds: float, longest: float) -> None:
    """End this process by a signal when it has worked, or the clock has run, for so long; 0 for never."""
    if sys.platform != "win32":  # which has no such signals: there the relay ends it by the clock
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, longest)


def _limit_memory() -> None:
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(ValueError, OSError):  # not every system lets itself be limited
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    main()
