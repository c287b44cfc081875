"""Fetching: what is too much, what a host is spared, and what people are told."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from pydantic import ValidationError
from yarl import URL

from relay.http import HttpSettings, Unreachable
from relay.http.client import PackedError, _plain_headers, unpack
from tests.servers.feeds import Document, FeedServer
from tests.support.fetching import Names, answer, client, reason


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with FeedServer() as running:
        yield running


# --- too much, too slow, broken ---


@pytest.mark.parametrize("path", ["/huge.xml", "/bomb.xml"])
async def test_a_body_without_end_is_left_early_and_in_little_memory(server: FeedServer, path: str) -> None:
    async with client(max_body="2MB") as http:
        await http.get(f"{server.url}/feed.xml")
        await http.get(f"{server.url}{path}")
        tracemalloc.start()
        told = reason(await http.get(f"{server.url}{path}"))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert told == "127.0.0.1 sends an answer larger than 2 MB"
    assert peak < 10_000_000
    assert server.sent[path] < 20_000_000


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_a_long_body_is_not_copied(server: FeedServer, coding: str) -> None:
    """To copy megabytes holds the interpreter, in whatever thread, and so the loop."""
    body = b"<rss>" + b"ropes of grass " * 400_000
    sent = gz(body) if coding == "gzip" else body
    server.put("/long", Document(sent, headers={"Content-Encoding": coding}))
    async with client() as http:
        await http.get(f"{server.url}/long")
        tracemalloc.start()
        read = answer(await http.get(f"{server.url}/long")).body
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert read == body
    assert peak < 1.7 * len(body)


@pytest.mark.parametrize(
    ("coding", "packed"), [("identity", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_the_limit_is_met_exactly(server: FeedServer, coding: str, packed: Callable[[bytes], bytes]) -> None:
    for size in (1000, 1001):
        server.put(f"/{size}", Document(packed(b"x" * size), headers={"Content-Encoding": coding}))
    async with client(max_body=1000) as http:
        assert answer(await http.get(f"{server.url}/1000")).body == b"x" * 1000
        assert isinstance(await http.get(f"{server.url}/1001"), Unreachable)


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


def gz(data: bytes) -> bytes:
    """Without the moment in it: the names of the tests are made of these bytes, and are the same in each process."""
    return gzip.compress(data, mtime=0)


XML = b"<?xml version='1.0'?><rss><channel><title>The bridge</title></channel></rss>"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.mark.parametrize(
    ("coding", "body", "read"),
    [
        ("", b"plain", b"plain"),
        ("identity", b"plain", b"plain"),
        ("gzip", gz(b"packed"), b"packed"),
        ("GZip", gz(b"packed"), b"packed"),
        ("x-gzip", gz(b"packed"), b"packed"),
        ("deflate", zlib.compress(b"packed"), b"packed"),
        ("deflate", raw_deflate(b"packed"), b"packed"),
        ("gzip", gz(b"packed") + b"\r\n", b"packed"),
        ("gzip", gz(b"packed" * 1000)[:-4], b"packed" * 1000),
        ("gzip", b"", b""),
        ("deflate", b"\x06\x06", None),
        ("gzip", b"\x1f\x8b\x08" + bytes(20), None),
        *[(name, XML, XML) for name in ("UTF-8", "utf8", "none", "binary", "aws-chunked", "iso-8859-1", "ñ", ",, ,")],
        *[(name, XML, XML) for name in ("gzip", "deflate", "br", "x-gzip, br", "zstd", "gzip, gzip")],
        *[(name, XML.decode().encode("utf-16"), XML.decode().encode("utf-16")) for name in ("gzip", "utf-16")],
        *[(name, gz(XML), XML) for name in ("aws-chunked,gzip", "UTF-8, gzip", "gzip, gzip", "gzip,", "br")],
        *[(name, gz(XML), XML) for name in ("", "UTF-8", "none", "deflate", "identity")],
        *[(name, gz(gz(XML)), XML) for name in ("", "gzip", "gzip, gzip", "gzip, aws-chunked")],
        *[(name, zlib.compress(XML), XML) for name in ("deflate", "gzip", "UTF-8, deflate", "deflate, deflate")],
        *[(name, gz(raw_deflate(XML)), raw_deflate(XML)) for name in ("", "gzip")],
        *[(name, gz(PNG), PNG) for name in ("", "gzip", "gzip, gzip", "deflate")],
        *[(name, PNG, PNG) for name in ("", "UTF-8", "binary")],
        ("deflate, gzip", gz(zlib.compress(XML)), XML),
        ("deflate", raw_deflate(XML), XML),
        ("gzip", gz(XML[:9]) + gz(XML[9:]) + bytes(3), XML),
        *[(name, b"\r\n" + gz(XML), XML) for name in ("", "gzip")],
        ("", gz(XML)[:-9], XML),
        ("", PNG + gz(XML), PNG + gz(XML)),
    ],
)
async def test_packed_answers_are_unpacked(server: FeedServer, coding: str, body: bytes, read: bytes | None) -> None:
    server.put("/packed", Document(body, headers={"Content-Encoding": coding} if coding else {}))
    async with client() as http:
        reply = await http.get(f"{server.url}/packed")
    if read is None:
        assert "127.0.0.1 " in reason(reply)
    else:
        assert answer(reply).body == read


@pytest.mark.parametrize(
    ("coding", "name"), [("br", "Brotli: br"), ("UTF-8, zstd", "Zstandard: zstd"), ("compress", "compress")]
)
async def test_a_packing_that_was_not_asked_for_is_called_by_its_name(
    server: FeedServer, coding: str, name: str
) -> None:
    server.put("/packed", Document(b"\x28\xb5\x2f\xfd\x02\x80\x01", headers={"Content-Encoding": coding}))
    async with client() as http:
        told = reason(await http.get(f"{server.url}/packed"))
    assert told == f"127.0.0.1 packs its answer in a way that was not asked for ({name})"


@pytest.mark.parametrize("body", [b"\x1f\x8b\x08" + bytes(20), b"\x0b\x02\x80", gz(bytes(2_000_000))])
async def test_an_error_is_told_however_its_page_is_packed(server: FeedServer, body: bytes) -> None:
    server.put("/x", Document(body, status=410, headers={"Content-Encoding": "br"}))
    async with client(max_body="1MB") as http:
        reply = answer(await http.get(f"{server.url}/x"))
    assert (reply.status, reply.body) == (410, b"")


@pytest.mark.parametrize("coding", ["", "gzip", "aws-chunked,gzip", "gzip, gzip"])
@pytest.mark.parametrize("layers", [1, 2, 3])
async def test_a_bomb_is_one_however_it_is_packed_and_whatever_is_said_of_it(
    server: FeedServer, coding: str, layers: int
) -> None:
    bomb = bytes(5_000_000)
    for _ in range(layers):
        bomb = gzip.compress(bomb)
    server.put("/bomb", Document(bomb, headers={"Content-Encoding": coding} if coding else {}))
    async with client(max_body="2MB") as http:
        tracemalloc.start()
        told = reason(await http.get(f"{server.url}/bomb"))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert told == "127.0.0.1 sends an answer larger than 2 MB"
    assert peak < 10_000_000


def test_many_small_streams_one_behind_the_other_take_little_time() -> None:
    begun = time.thread_time()
    unpack(gzip.compress(b"") * 400_000, "gzip", 10_000_000)
    assert time.thread_time() - begun < 5  # all of them would take minutes


@given(st.binary(), st.sampled_from(["", "UTF-8", "aws-chunked"]), st.integers(0, 3))
def test_what_was_packed_with_gzip_comes_out_as_it_was(body: bytes, said: str, packed: int) -> None:
    assume(not body.startswith(b"\x1f\x8b\x08"))
    sent = body
    for _ in range(packed):
        sent = gzip.compress(sent)
    assert unpack(sent, said, 10_000) == body


@given(st.binary(), st.sampled_from(["gzip", "deflate", "br", "gzip, deflate"]))
def test_whatever_is_said_of_it_is_read_or_refused(body: bytes, said: str) -> None:
    with suppress(PackedError, zlib.error):
        assert len(unpack(body, said, 10_000)) <= 10_000


@pytest.mark.parametrize("path", ["/hang", "/drip"])
async def test_a_server_that_takes_for_ever_is_left_after_the_time_out(server: FeedServer, path: str) -> None:
    async with client(timeout="300ms") as http, asyncio.timeout(30):
        assert reason(await http.get(server.url + path)) == "127.0.0.1 did not answer within 0.3 s"


@asynccontextmanager
async def wire(speak: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that reads a request and then says what it likes; its address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await speak(writer)
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer as a web server does"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", "broke off in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nonly this", "broke off in the middle"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", "does not answer as a web server does"),
    ],
)
async def test_a_server_that_does_not_speak_http_is_a_value(said: bytes, told: str) -> None:
    async def speak(writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    async with wire(speak) as url, client() as http:
        assert told in reason(await http.get(url))


async def test_a_length_that_is_announced_too_large_is_believed_before_it_comes() -> None:
    async def speak(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")

    async with wire(speak) as url, client(max_body=1000) as http:
        assert reason(await http.get(url)) == "127.0.0.1 sends an answer larger than 1 kB"


async def test_a_reset_connection_is_a_value() -> None:
    async def speak(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        await writer.drain()
        writer.transport.abort()

    async with wire(speak) as url, client() as http:
        assert reason(await http.get(url)).startswith("127.0.0.1 ")


async def test_a_closed_port_an_unknown_name_and_a_false_tls_server_are_told_apart(server: FeedServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = taken.getsockname()[1]
        async with client(resolver=Names()) as http:
            assert reason(await http.get(f"http://127.0.0.1:{closed}/")) == (
                "127.0.0.1 cannot be reached: Connection refused"
            )
            assert reason(await http.get("http://bücher.example/")) == (
                "bücher.example is a name that could not be looked up"
            )
            assert "secure connection" in reason(await http.get(f"https://127.0.0.1:{server.port}/"))


async def test_headers_come_in_lower_case_joined_and_printable() -> None:
    async def speak(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nLink: <a>\r\nLINK: <b>\r\nETag: caf\xe9\r\nContent-Length: 0\r\n\r\n")

    async with wire(speak) as url, client() as http:
        headers = answer(await http.get(url)).headers
    assert headers["link"] == "<a>, <b>"
    assert headers["etag"] == "caf�"


# --- politeness ---


async def test_requests_to_one_host_start_a_pace_apart_in_the_order_of_asking(server: FeedServer) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with client(pace="50ms") as http:
        await asyncio.gather(*(http.get(f"{server.url}/{n}") for n in range(4)))
    assert [path for path, _ in server.requests] == ["/0", "/1", "/2", "/3"]
    assert loop.time() - begun >= 0.15


async def test_waiting_for_a_turn_is_not_part_of_the_time_out_and_delays_no_other_host(server: FeedServer) -> None:
    names = Names(one_example=[["127.0.0.1"]], two_example=[["127.0.0.1"]])
    async with client(pace="150ms", timeout="250ms", resolver=names) as http:
        crowd = [asyncio.create_task(http.get(f"http://one.example:{server.port}/html")) for _ in range(4)]
        await asyncio.sleep(0)
        answer(await http.get(f"http://two.example:{server.port}/html"))
        assert not all(task.done() for task in crowd)
        assert [answer(reply).status for reply in await asyncio.gather(*crowd)] == [200] * 4


async def test_one_host_is_asked_no_more_than_so_many_things_at_once() -> None:
    active = most = 0

    async def speak(writer: asyncio.StreamWriter) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0.02)
        active -= 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with wire(speak) as url, client(connections_per_host=3) as http:
        await asyncio.gather(*(http.get(url) for _ in range(9)))
    assert most == 3


async def test_a_cancelled_wait_frees_its_place(server: FeedServer) -> None:
    async with client(connections_per_host=1) as http:
        hanging = asyncio.create_task(http.get(f"{server.url}/hang"))
        waiting = asyncio.create_task(http.get(f"{server.url}/html"))
        while not server.requests:
            await asyncio.sleep(0)
        waiting.cancel()
        hanging.cancel()
        await asyncio.gather(hanging, waiting, return_exceptions=True)
        assert answer(await http.get(f"{server.url}/html")).status == 200


async def test_hosts_that_are_done_with_are_forgotten() -> None:
    async with client(resolver=Names()) as http:
        for number in range(1500):
            await http.get(f"http://host{number}.example/")
        assert len(http._lanes) <= 1000


async def test_a_request_says_who_asks_and_nothing_else(server: FeedServer) -> None:
    server.put("/cookie", Document(b"", headers={"Set-Cookie": "id=1; Path=/"}))
    async with client(resolver=Names(bell_example=[["127.0.0.1"]])) as http:
        url = f"http://bell.example:{server.port}"
        await http.get(f"{url}/cookie")
        await http.get(f"{url}/redirect", params={"to": "/html"}, headers={"If-None-Match": 'W/"1"'})
    sent = [headers for _, headers in server.requests]
    assert not any({"Cookie", "Referer"} & set(headers) for headers in sent)
    assert {headers["User-Agent"] for headers in sent} == {"test/1.0 (+https://relay.example)"}
    assert {headers["Accept-Encoding"] for headers in sent} == {"gzip, deflate"}
    assert [headers.get("If-None-Match") for headers in sent] == [None, 'W/"1"', 'W/"1"']


async def test_a_connection_is_kept_for_the_next_request() -> None:
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while (await reader.readline()).strip():
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening, client() as http:
        for _ in range(3):
            await http.get(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")
    assert connections == 1


async def test_parameters_are_added_to_those_in_the_address(server: FeedServer) -> None:
    async with client() as http:
        reply = await http.get(f"{server.url}/html?a=1", params=[("id[]", "1"), ("id[]", "2")])
    assert URL(answer(reply).url).query_string == "a=1&id[]=1&id[]=2"


async def test_a_client_that_was_never_used_closes() -> None:
    await client().close()


# --- settings ---


@pytest.mark.parametrize(
    ("written", "size"),
    [(5, 5), ("10MB", 10_000_000), ("512 KiB", 524_288), ("1.5 mb", 1_500_000), ("100", 100), ("7b", 7)],
)
def test_a_size_is_written_as_people_do(written: object, size: int) -> None:
    assert HttpSettings.model_validate({"max_body": written}).max_body == size


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_body": "10 apples"},
        {"max_body": 0},
        {"timeout": "0s"},
        {"pace": -1},
        {"connections_per_host": 0},
        {"allow_private": ["10.0.0.1/8"]},
        {"allow_private": ["localhost"]},
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HttpSettings.model_validate(wrong)


def test_a_flood_of_headers_is_joined_in_linear_time_and_cut() -> None:
    headers = CIMultiDictProxy(CIMultiDict([("Link", "<https://a.example/>" * 20)] * 100_000))
    began = time.process_time()
    plain = _plain_headers(headers)
    assert time.process_time() - began < 2
    assert len(plain["link"]) == 16_000
