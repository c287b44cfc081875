"""Whatever somebody sends to the web server of the real process, the log tells nothing of them or of what they sent."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.processes import RelayProcess
from tests.support.store_private_cases import files

MARK = "Quispicanchi"
"""What the log must not contain: it is in everything that is sent."""
CONFIG = """\
[store]
url = "sqlite:///{folder}/relay.sqlite3"
[web]
port = {port}
[sources.rss]
[adapters.console]
format = "json"
"""
HOST = "Host: relay.example\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"

NO_HTTP: dict[str, bytes] = {
    "another method": f"{MARK} / HTTP/1.1\r\n{HOST}\r\n".encode(),
    "a method of bytes": b"\xff\xfe\x00" + MARK.encode() + b" / HTTP/1.1\r\n\r\n",
    "a later version": f"GET /{MARK} HTTP/9.9\r\n{HOST}\r\n".encode(),
    "no request": f"{MARK}\r\n\r\n".encode(),
    "words": f"{MARK} is a province, and this is no request\r\n\r\n".encode(),
    "a space in the address": f"GET /{MARK} {MARK} HTTP/1.1\r\n{HOST}\r\n".encode(),
    "zeros in the address": f"GET /{MARK}\0 HTTP/1.1\r\n{HOST}\r\n".encode(),
    "zeros in a header": f"GET / HTTP/1.1\r\n{HOST}X: {MARK}\0\r\n\r\n".encode(),
    "a header without a colon": f"GET / HTTP/1.1\r\n{HOST}{MARK}\r\n\r\n".encode(),
    "a header that goes on": f"GET / HTTP/1.1\r\n{HOST}X: a\r\n {MARK}\r\n\r\n".encode(),
    "a name with spaces": f"GET / HTTP/1.1\r\n{HOST}{MARK} : a\r\n\r\n".encode(),
    "bare line feeds": f"GET /{MARK} HTTP/1.1\n{HOST}\r\n".encode(),
    "a long header": f"GET / HTTP/1.1\r\n{HOST}X: {MARK * 2_000}\r\n\r\n".encode(),
    "many headers": f"GET / HTTP/1.1\r\n{HOST}".encode() + f"X: {MARK}\r\n".encode() * 5_000 + b"\r\n",
    "a long address": f"GET /{MARK * 2_000} HTTP/1.1\r\n{HOST}\r\n".encode(),
    "both lengths": f"POST /hook/{MARK} HTTP/1.1\r\n{HOST}Content-Length: 3\r\n{CHUNKED}\r\n0\r\n\r\n".encode(),
    "two lengths": f"POST /hook/{MARK} HTTP/1.1\r\n{HOST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd".encode(),
    "no length": f"POST /hook/{MARK} HTTP/1.1\r\n{HOST}Content-Length: {MARK}\r\n\r\n".encode(),
    "a length below zero": f"POST /hook/{MARK} HTTP/1.1\r\n{HOST}Content-Length: -1\r\n\r\n".encode(),
    "bytes after zeros": b"\0" * 20 + MARK.encode() + b"\r\n\r\n",
    "two hosts": f"GET http://[{MARK}/ HTTP/1.1\r\n{HOST}\r\n".encode(),
    "a port that is none": f"GET http://x:{MARK}/ HTTP/1.1\r\n{HOST}\r\n".encode(),
    "a tunnel": f"CONNECT {MARK}:99999999 HTTP/1.1\r\n{HOST}\r\n".encode(),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + MARK.encode(),
}
CUT_OFF: dict[str, bytes] = {
    "no version": f"GET /{MARK}\r\n\r\n".encode(),
    "odd coding": f"POST /hook/{MARK} HTTP/1.1\r\n{HOST}Transfer-Encoding: x{MARK}, chunked\r\n\r\n".encode(),
    "half a line": f"GET /{MARK}".encode(),
    "half a head": f"GET /{MARK} HTTP/1.1\r\nX: {MARK}".encode(),
    "half a body": f"POST /hook/{MARK} HTTP/1.1\r\n{HOST}Content-Length: 99\r\n\r\n{MARK}".encode(),
    "a chunk that is none": f"POST /hook/{MARK} HTTP/1.1\r\n{HOST}{CHUNKED}\r\n{MARK}\r\n".encode(),
    "half a chunk": f"POST /hook/{MARK} HTTP/1.1\r\n{HOST}{CHUNKED}\r\nff\r\n{MARK}".encode(),
    "a broken coding": (
        f"POST /hook/{MARK} HTTP/1.1\r\n{HOST}Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n{MARK}".encode()
    ),
    "nothing": b"",
}
ODD_ADDRESSES = [
    f"/{MARK}",
    f"/tag/{MARK}%00",
    f"/tag/%ED%A0%80{MARK}",
    f"/tag/%FF{MARK}",
    f"/t/{MARK}%00.json",
    f"/t/%C3%A9{MARK}",
    f"/t/{MARK}/preview/{MARK}",
    f"/author/{MARK}.atom",
    f"/fold/{MARK}?after={'9' * 3000}",
    f"/tag/{MARK}?after=999999",
    f"/?after=\u0663{MARK}",
    f"/privacy?lang=../{MARK}",
    f"/privacy?lang={MARK}%00",
    f"/hook/{MARK}?hub.mode=subscribe&hub.challenge={MARK}",
    f"//{MARK}//..//etc",
    f"/%2e%2e/{MARK}",
    f"*{MARK}",
]
HEADERS = [
    f"Accept-Language: {MARK};q=zz, \xff",
    f'If-None-Match: {MARK}, "',
    f"Range: bytes={MARK}",
    f"Expect: {MARK}",
    f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {MARK}",
    f'Cookie: a={MARK}; =; "',
    f"X-Forwarded-For: {MARK}",
]


@pytest.fixture
async def relay(tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[tuple[RelayProcess, int]]:
    file = tmp_path / "relay.toml"
    file.write_text(CONFIG.format(folder=tmp_path, port=unused_tcp_port))
    async with RelayProcess(file, verbose=True) as process:
        await process.running.wait()
        yield process, unused_tcp_port


async def send(port: int, data: bytes, *, hang_up: bool = False) -> bytes:
    """Send bytes and read what comes until the server closes; ``hang_up``: go at once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        await writer.drain()
        async with asyncio.timeout(10):
            return b"" if hang_up else await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def figures(port: int) -> dict[str, object]:
    answer = await send(port, f"GET /readyz HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n".encode())
    found: dict[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


def told(relay: RelayProcess) -> list[str]:
    """Lines that say more than that the relay ran and stopped."""
    known = ("the relay runs", "the relay has stopped", "no [[subscriptions]]")
    return [line for line in relay.log if not any(one in line for one in known)]


@pytest.mark.siege
async def test_bad_requests_are_counted_and_nothing_is_written(relay: tuple[RelayProcess, int]) -> None:
    process, port = relay
    for name, data in NO_HTTP.items():
        answer = await send(port, data)
        assert answer.startswith(b"HTTP/1.0 400 "), name
        assert b"X-Content-Type-Options: nosniff" in answer, name
        assert b"Server: Chasqui\r\n" in answer, name
        assert b"<h1>That did not work</h1>" in answer, name
        assert MARK.encode() not in answer, name
    assert (await figures(port))["bad_requests"] == len(NO_HTTP)
    assert await process.stop() == 0
    assert told(process) == []


@pytest.mark.skipif(os.name != "posix", reason="there are no POSIX permissions")
async def test_the_files_of_a_running_relay_are_its_owner_s_alone(tmp_path: Path, unused_tcp_port: int) -> None:
    config = tmp_path / "relay.toml"
    data = tmp_path / "data"
    data.mkdir()
    config.write_text(CONFIG.format(folder=data, port=unused_tcp_port))
    before = os.umask(0)
    try:
        async with RelayProcess(config) as process:
            await process.running.wait()
            found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files(data)}
            assert await process.stop() == 0
    finally:
        os.umask(before)
    assert {"relay.sqlite3", "relay.sqlite3-wal", "relay.sqlite3-shm", "relay.sqlite3.lock"} <= set(found)
    assert set(found.values()) == {0o600}


@pytest.mark.siege
async def test_what_breaks_off_is_not_written(relay: tuple[RelayProcess, int]) -> None:
    process, port = relay
    for data in (*CUT_OFF.values(), *NO_HTTP.values()):
        await send(port, data, hang_up=True)
    with pytest.raises((ssl.SSLError, ConnectionError)):  # somebody takes it for https
        await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context(), server_hostname="x.example")
    assert (await figures(port))["ready"]
    assert await process.stop() == 0
    assert told(process) == []


@pytest.mark.siege
async def test_odd_addresses_and_headers_are_answered_and_not_written(relay: tuple[RelayProcess, int]) -> None:
    process, port = relay
    requests = [f"GET {address} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n" for address in ODD_ADDRESSES]
    requests += [
        f"GET {path} HTTP/1.1\r\n{HOST}Connection: close\r\n{header}\r\n\r\n"
        for header in HEADERS
        for path in ("/", "/tag/x")
    ]
    for request in requests:
        answer = await send(port, request.encode("utf-8", "surrogateescape"))
        assert answer[9:12] < b"500", request
    assert await process.stop() == 0
    assert told(process) == []
