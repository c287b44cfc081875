"""What a hostile server sends on a websocket, as it goes over the wire (RFC 6455, section 5)."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import web

_END, _PACKED = 0x80, 0x40
_GO_ON, TEXT, BINARY, PING, PONG = 0x0, 0x1, 0x2, 0x9, 0xA
_MANY = 500_000
_STAYS = 0.5
"""Seconds for which a server waits to be left."""
MEGABYTE = 1_000_000


def frame(opcode: int, payload: bytes = b"", flags: int = _END) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([flags | opcode, size]) + payload
    if size < 2**16:
        return bytes([flags | opcode, 126]) + size.to_bytes(2, "big") + payload
    return bytes([flags | opcode, 127]) + size.to_bytes(8, "big") + payload


def _deflated(payload: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def _bomb(opcode: int, payload: bytes) -> bytes:
    return frame(opcode, _deflated(payload), _END | _PACKED)


EVENT = b'{"stream":["hashtag","rivers"],"event":"update","payload":"{}"}'
_DEEP = b'{"kind":"commit","time_us":1790000000000000,"a":' + b"[" * 400 + b"]" * 400 + b"}"

FLOODS: Mapping[str, bytes] = {
    "empty binary": frame(BINARY) * _MANY,
    "empty text": frame(TEXT) * _MANY,
    "empty continuations": frame(TEXT, b"", 0) + frame(_GO_ON, b"", 0) * _MANY,
    "pings": frame(PING) * _MANY,
    "pings with words": frame(PING, b"x" * 125) * 50_000,
    "pongs": frame(PONG) * _MANY,
    "pings between fragments": (frame(TEXT, b"", 0) + (frame(PING) + frame(_GO_ON, b"a", 0)) * (_MANY // 4)),
    "fragments of a byte": (frame(TEXT, b"[", 0) + frame(_GO_ON, b"[", 0) * 250_000 + frame(_GO_ON, b"]")) * 2,
    "messages of two fragments": (frame(TEXT, b"", 0) + frame(_GO_ON, b"")) * (_MANY // 2),
    "a byte each": frame(TEXT, b"{") * (_MANY // 2),
    "megabytes": frame(TEXT, b"[" * (MEGABYTE // 2)) * 40,
    "megabytes of numbers": frame(TEXT, b"[" + b"1," * (MEGABYTE // 3) + b"1]") * 20,
    "bombs": _bomb(TEXT, b" " * MEGABYTE) * 1_000,
    "bombs of JSON": _bomb(TEXT, b'{"a":[' + b"0," * (MEGABYTE // 2 - 10) + b"0]}") * 1_000,
    "bombs that are too large": _bomb(BINARY, b" " * 50 * MEGABYTE) * 10,
    "small bombs": _bomb(TEXT, b" " * 100_000) * 5_000,
    "garbage": frame(TEXT, b"\xff\xfe{" * 20) * 50_000,
    "JSON of no event": frame(TEXT, b'{"hello":"everybody","what":"is this","number":1}') * 50_000,
    "events": frame(TEXT, EVENT) * 50_000,
    "deep events": frame(TEXT, _DEEP) * 10_000,
    "goodbyes": frame(0x8, b"\x03\xe8") * _MANY,
    "pings after a goodbye": frame(0x8, b"\x03\xe8") + frame(PING) * _MANY,
    "reserved frames": frame(0x5) * _MANY,
}
"""Every kind, a few megabytes of it at most."""
ENDLESS = frame(TEXT, b"", 0)
"""Begins a message, in pieces of nothing and without an end."""


async def pour(request: web.Request, socket: web.WebSocketResponse, flood: bytes) -> web.WebSocketResponse:
    """Fill the connection; who has not ended it soon has it ended."""
    assert request.transport is not None
    request.transport.write(flood)
    while flood is ENDLESS and not request.transport.is_closing():
        if not request.transport.get_write_buffer_size():
            request.transport.write(frame(_GO_ON, b"", 0))
        await asyncio.sleep(0)
    with suppress(TimeoutError):
        async with asyncio.timeout(_STAYS):
            async for _ in socket:
                pass
    request.transport.close()
    return socket
