"""The process that parses feeds: a question on standard input, an answer on standard output. Starts quickly.

A question is a content type and a document, an answer a :class:`relay.sources.feed_parse.Document` in MessagePack, each
with its length before it. The process ends when its input does, so it outlives nobody, and when a document is too much.
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
_ORPHANED = 60


def ask(questions: IO[bytes], answers: IO[bytes], body: bytes, content_type: str) -> Document:
    """Put one question to a process and wait. Raises ``EOFError`` or ``OSError`` where the process ends over it."""
    kind = content_type.encode(errors="replace")
    questions.write(_QUESTION.pack(len(kind), len(body)) + kind + body)
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
            kind, size = _QUESTION.unpack(_take(questions, _QUESTION.size))
            content_type, body = _take(questions, kind).decode(), _take(questions, size)
            _limit_time(_ORPHANED)
            answer = msgspec.msgpack.encode(read(body, content_type))
            _limit_time(0)
            answers.write(_ANSWER.pack(len(answer)) + answer)
            answers.flush()


def _limit_time(seconds: int) -> None:
    """End this process if nobody is left who does it."""
    if sys.platform != "win32":
        signal.alarm(seconds)


def _limit_memory() -> None:
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(ValueError, OSError):  # not every system lets itself be limited
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    main()
