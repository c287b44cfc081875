"""The process that parses feeds: a question on standard input, an answer on standard output. Starts quickly.

A question is a :class:`Question` and a document, an answer a :class:`relay.sources.feed_parse.Document`, each with its
length before it. The process ends when its input does, so it outlives nobody, and when a document takes more memory or
more of the processor's time than it may: what others do on the machine does not count.
"""

from __future__ import annotations

import contextlib
import signal
import struct
import sys
from typing import IO

import msgspec

from relay.sources.feed_parse import Document
from relay.sources.feed_read import read

_QUESTION = struct.Struct("!II")
_ANSWER = struct.Struct("!I")
_MEMORY = 1 << 30


class Question(msgspec.Struct, frozen=True, array_like=True):
    """How to read a document (:func:`relay.sources.feed_read.read`)."""

    seconds: float
    """Of the processor's time that it may take."""
    longest: float
    """Seconds by the clock; if nobody is left who ends this process, it ends itself."""
    content_type: str
    around: str = ""
    known: frozenset[str] = frozenset()


def ask(questions: IO[bytes], answers: IO[bytes], question: Question, body: bytes) -> Document:
    """Put one question to a process and wait. Raises ``EOFError`` or ``OSError`` where the process ends over it."""
    head = msgspec.msgpack.encode(question)
    questions.write(_QUESTION.pack(len(head), len(body)) + head)
    questions.write(body)
    questions.flush()
    (size,) = _ANSWER.unpack(_take(answers, _ANSWER.size))
    return msgspec.msgpack.decode(_take(answers, size), type=Document)


def _take(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def main() -> None:
    _limit_memory()
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(EOFError, BrokenPipeError, MemoryError, RecursionError):
        while True:
            head, size = _QUESTION.unpack(_take(questions, _QUESTION.size))
            question, body = msgspec.msgpack.decode(_take(questions, head), type=Question), _take(questions, size)
            _limit_time(question.seconds, question.longest)
            document = read(body, question.content_type, question.around, question.known)
            answer = msgspec.msgpack.encode(document)
            _limit_time(0, 0)
            answers.write(_ANSWER.pack(len(answer)) + answer)
            answers.flush()


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
