"""Many readers on raw sockets, each asking for the next page as soon as it has one: as little work as can be."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from typing import cast

import uvloop

CLIENTS = 50
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class _Reader(asyncio.Protocol):
    """Asks for one page after the other on one connection, and reads no more of an answer than its length."""

    def __init__(self, requests: Sequence[bytes], first: int, until: float) -> None:
        self._requests, self._next, self._until = requests, first, until
        self._head, self._left = b"", 0
        self.answers = 0
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 1

    def data_received(self, data: bytes) -> None:
        if not self._left:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            length = _LENGTH.search(head)
            if not head.startswith(b"HTTP/1.1 200") or length is None:
                raise RuntimeError(f"no page: {head[:200]!r}")
            self._head, self._left, data = b"", int(length[1]), body
        self._left -= len(data)
        if self._left:
            return
        self.answers += 1
        if time.perf_counter() < self._until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None) if exc is None else self.ended.set_exception(exc)


def hammer(port: int, paths: Sequence[str], seconds: float, clients: int = CLIENTS) -> int:
    """So many answers came within this time."""
    requests = [f"GET {path} HTTP/1.1\r\nHost: pages.example\r\n\r\n".encode() for path in paths]

    async def main() -> int:
        loop, until = asyncio.get_running_loop(), time.perf_counter() + seconds
        readers = [
            (await loop.create_connection(lambda at=n: _Reader(requests, at, until), "127.0.0.1", port))[1]  # type: ignore[misc]  # a default
            for n in range(clients)
        ]
        await asyncio.gather(*(reader.ended for reader in readers))
        return sum(reader.answers for reader in readers)

    return uvloop.run(main())
