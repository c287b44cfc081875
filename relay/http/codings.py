"""Unpacks the body of an answer. Its bytes decide how; what ``Content-Encoding`` says of them is often wrong.

Servers name charsets there ("UTF-8") or ways of transport ("aws-chunked"), say gzip of plain text, or nothing of gzip.
"""

from __future__ import annotations

import zlib
from io import BytesIO

_GZIP = b"\x1f\x8b\x08"
_BLANK = b" \t\r\n\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
"""How a document in UTF-16 begins."""
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r"))
_UNREAD = {"br": "Brotli", "zstd": "Zstandard", "dcb": "Brotli", "dcz": "Zstandard", "compress": "compress"}
_LAYERS = 3
_MEMBERS = 100
_STEP = 2**17
"""Bytes that are unpacked, and that come out, at a time."""


class TooLargeError(Exception):
    """More comes out than is wanted."""


class PackedError(Exception):
    """It is packed in a way that nobody asked for; the text is the name of that."""


def unpack(body: bytes, said: str, limit: int) -> bytes:
    """The body before any packing, all of it. Takes time and memory in proportion to ``body`` and ``limit``.

    ``said`` is the header (RFC 9110 8.4); a name in it that means no packing counts for nothing. What is cut off is
    unpacked as far as it goes. Raises :class:`TooLargeError` where that is more than ``limit`` bytes,
    :class:`PackedError`, and ``zlib.error`` where the packing is broken.
    """
    names = {name.strip().lower().removeprefix("x-") for name in said.split(",")}
    if body[:16].lstrip(_BLANK).startswith(_GZIP):  # a script wrote an empty line first
        body = body.lstrip(_BLANK)
    layers = 0
    while body.startswith(_GZIP) and layers < _LAYERS:
        body = _gunzip(body, limit)
        layers += 1
    packed = not names.isdisjoint(("gzip", "deflate"))
    if packed and _is_zlib(body):
        return _inflate(body, limit, zlib.MAX_WBITS)
    if layers or is_plain(body):
        return body
    if unread := next((name for name in _UNREAD if name in names), ""):
        raise PackedError(f"{_UNREAD[unread]}: {unread}" if unread != "compress" else unread)
    return _inflate(body, limit, -zlib.MAX_WBITS) if packed else body


def _gunzip(body: bytes, limit: int) -> bytes:
    """One stream after the other (RFC 1952 2.2); what follows them and is none is ignored."""
    unpacked = BytesIO()
    for _ in range(_MEMBERS):
        body = _stream(body, unpacked, limit, 16 + zlib.MAX_WBITS)
        if not body.startswith(_GZIP):
            break
    return unpacked.getvalue()


def _inflate(body: bytes, limit: int, window: int) -> bytes:
    unpacked = BytesIO()
    _stream(body, unpacked, limit, window)
    return unpacked.getvalue()


def _stream(body: bytes, unpacked: BytesIO, limit: int, window: int) -> bytes:
    """Unpack the first stream of ``body``, in steps, as one long step would hold the interpreter; what follows it."""
    stream, packed = zlib.decompressobj(window), memoryview(body)
    for at in range(0, len(packed), _STEP):
        rest: bytes | memoryview = packed[at : at + _STEP]
        while True:
            most = min(_STEP, limit + 1 - unpacked.tell())
            part = stream.decompress(rest, most)
            unpacked.write(part)
            if unpacked.tell() > limit:
                raise TooLargeError
            if stream.eof:
                return stream.unused_data + packed[at + _STEP :]
            rest = stream.unconsumed_tail
            if len(part) < most and not rest:
                break
    return b""


def _is_zlib(body: bytes) -> bool:
    """The first two bytes are a header of RFC 1950 2.2."""
    return len(body) > 1 and body[0] & 15 == zlib.DEFLATED and body[0] < 128 and (body[0] << 8 | body[1]) % 31 == 0


def is_plain(body: bytes) -> bool:
    """It begins like a document, not like something packed: that has control characters among its first bytes."""
    start = body[:100]
    return start.startswith(_WIDE) or len(start.translate(None, _CONTROLS)) == len(start)
