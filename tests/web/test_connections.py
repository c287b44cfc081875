"""Connections to the web server are limited, and whoever only holds a place loses it: through the real process."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import ClassVar

import aiohttp
import pytest

from relay.descriptors import for_visitors
from relay.web.connections import Capacity, Doors
from relay.web.pacer import Pacer
from tests.servers.mastodon import Draft, Mastodon
from tests.support.loop_watch import Turns
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA, actions, configured, database

# --- the rule ---


class Echo(asyncio.Protocol):
    """Answers each piece with a byte."""

    transports: ClassVar[list[asyncio.Transport]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.transports.append(transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"x")


@dataclass
class Street:
    """Doors, and who stands before them."""

    doors: Doors
    people: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def connect(self, source: str = "127.0.0.1") -> int:
        self.people.append(await asyncio.open_connection(*self.doors.address, local_addr=(source, 0)))
        return len(self.people) - 1

    async def is_answered(self, number: int) -> bool:
        reader, writer = self.people[number]
        try:
            writer.write(b"?")
            return await asyncio.wait_for(reader.read(1), 30) == b"x"
        except ConnectionError:
            return False

    async def leave(self, number: int) -> None:
        writer = self.people[number][1]
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def street(capacity: Capacity) -> AsyncIterator[Street]:
    one = Street(Doors(capacity, Echo, Pacer()))
    await one.doors.open("127.0.0.1", 0)
    try:
        yield one
    finally:
        for number in range(len(one.people)):
            await one.leave(number)
        async with asyncio.timeout(30):
            while one.doors.figures.open:
                await asyncio.sleep(0.01)
        one.doors.close()


async def test_of_what_many_bring_at_once_one_piece_is_handed_on_in_a_turn_of_the_loop() -> None:
    """So the relay's own work, which needs some turns, has them between one visitor and the next."""
    turns, handed = Turns(), list[int]()

    class Noting(Echo):
        def data_received(self, data: bytes) -> None:
            handed.append(turns.count)
            super().data_received(data)

    async with street(Capacity()) as one:
        one.doors._make = Noting
        for _ in range(20):
            await one.connect()
        turns.go_on()
        assert all(await asyncio.gather(*map(one.is_answered, range(20))))
        turns.ended = True
    assert len(handed) == len(set(handed)) == 20


async def test_what_is_brought_in_pieces_or_with_the_end_is_handed_on_whole() -> None:
    brought = bytearray()
    over = asyncio.Event()

    class Taking(Echo):
        def data_received(self, data: bytes) -> None:
            brought.extend(data)

        def eof_received(self) -> bool:
            over.set()
            return False

    async with street(Capacity()) as one:
        one.doors._make = Taking
        writer = one.people[await one.connect()][1]
        writer.write(b"x" * 3_000_000 + b"end")
        writer.write_eof()
        await over.wait()
    assert len(brought) == 3_000_003
    assert brought.endswith(b"end")


async def test_an_error_over_what_one_brings_keeps_nobody_else_waiting() -> None:
    told = asyncio.Queue[dict[str, object]]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.put_nowait(context))

    class Failing(Echo):
        def data_received(self, data: bytes) -> None:
            if data == b"!":
                raise ValueError(data)
            super().data_received(data)

    async with street(Capacity()) as one:
        one.doors._make = Failing
        writer = one.people[await one.connect()][1]
        writer.write(b"!")
        assert isinstance((await told.get())["exception"], ValueError)
        assert await one.is_answered(await one.connect())


async def test_an_address_has_so_many_connections_and_the_newest_ones_stand() -> None:
    async with street(Capacity(total=100, per_address=3, proxies=())) as one:
        people = [await one.connect() for _ in range(8)]
        assert await one.is_answered(await one.connect("127.0.0.2"))
        assert await one.is_answered(people[-1])
        assert not await one.is_answered(people[0])
        assert (one.doors.figures.open, one.doors.figures.refused) == (4, 5)


async def test_a_proxy_may_have_as_many_as_there_are() -> None:
    async with street(Capacity(total=100, per_address=3, proxies=(ip_network("127.0.0.0/8"),))) as one:
        people = [await one.connect() for _ in range(50)]
        assert all([await one.is_answered(number) for number in people])
        assert one.doors.figures.refused == 0


async def test_where_all_places_are_taken_the_address_with_most_gives_way() -> None:
    async with street(Capacity(total=10)) as one:
        kept = await one.connect("127.0.0.2")
        for _ in range(30):
            await one.connect()
        assert await one.is_answered(kept)
        assert await one.is_answered(await one.connect("127.0.0.3"))
        assert one.doors.figures.open == 10


async def test_who_is_being_served_gives_way_to_nobody() -> None:
    async with street(Capacity(total=2, per_address=2, proxies=())) as one:
        first, second = await one.connect(), await one.connect()
        assert await one.is_answered(first)
        assert await one.is_answered(second)
        with ExitStack() as served:
            for transport in Echo.transports[-2:]:
                served.enter_context(one.doors.serving(transport))
            assert not await one.is_answered(await one.connect())
            assert not await one.is_answered(await one.connect("127.0.0.2"))
        assert one.doors.figures.refused == 2
        assert await one.is_answered(first)


async def test_whoever_waits_gives_way_where_all_of_the_busiest_address_are_served() -> None:
    async with street(Capacity(total=3)) as one:
        people = [await one.connect(), await one.connect()]
        assert all([await one.is_answered(number) for number in people])
        waiting = await one.connect("127.0.0.2")
        assert await one.is_answered(waiting)
        with ExitStack() as served:
            for transport in Echo.transports[-3:-1]:
                served.enter_context(one.doors.serving(transport))
            assert await one.is_answered(await one.connect("127.0.0.3"))
            assert not await one.is_answered(waiting)
        assert all([await one.is_answered(number) for number in people])


async def test_a_connection_that_ended_is_forgotten() -> None:
    async with street(Capacity(total=5, per_address=5, proxies=())) as one:
        for _ in range(20):
            number = await one.connect()
            assert await one.is_answered(number)
            await one.leave(number)
            async with asyncio.timeout(30):
                while one.doors.figures.open:
                    await asyncio.sleep(0.01)
        assert one.doors.figures.refused == 0


@pytest.mark.parametrize("limits", [{"stalled": 0.5}, {"slowest": 0.5}])
async def test_who_does_not_read_is_dropped(limits: dict[str, float]) -> None:
    """Or reads a bit now and then."""
    async with street(Capacity(**limits)) as one:  # type: ignore[arg-type]  # a test names the fields
        await one.connect()
        async with asyncio.timeout(10):
            while not Echo.transports[-1].is_closing():
                Echo.transports[-1].write(b"x" * 2**20)
                await asyncio.sleep(0.05)
        assert one.doors.figures.slow == 1


@pytest.mark.parametrize(("asked", "most"), [(0, 4096), (100, 100), (10**6, 10**6)])
def test_visitors_never_get_what_the_relay_needs(asked: int, most: int) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 0 < for_visitors(asked) <= min(most, soft - min(256, soft // 2))


# --- the real process ---


async def get(url: str, source: str) -> tuple[int, str]:
    connector = aiohttp.TCPConnector(local_addr=(source, 0), force_close=True)
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def half_open(
    place: tuple[str, int], many: int, source: str, begun: bytes = b"GET / HTTP/1.1\r\nHost: relay.example\r\nX-A: "
) -> list[socket.socket]:
    """Connections that begin a request and never end it."""
    opened = []
    for _ in range(many):
        one = socket.socket()
        one.bind((source, 0))
        one.settimeout(0)
        opened.append(one)
        try:
            await asyncio.get_running_loop().sock_connect(one, place)
            await asyncio.get_running_loop().sock_sendall(one, begun)
        except OSError:
            continue
    return opened


@pytest.mark.siege
async def test_thirteen_hundred_half_open_connections_do_not_stop_the_relay(tmp_path: Path) -> None:
    async with Mastodon([ILLA]) as stage:
        relay = RelayProcess(configured(tmp_path, stage), descriptors=256)
        async with relay:
            await seeded(database(tmp_path), 3)
            await relay.running.wait()
            place = relay.pages
            base = f"http://{place[0]}:{place[1]}"
            sockets = await half_open(place, 650, "127.0.0.1")
            assert await get(f"{base}/healthz", "127.0.0.2") == (200, "ok\n")
            stage.post(Draft(author="illa", text="Under siege #bridge", name="siege"))
            sockets += await half_open(place, 650, "127.0.0.1")
            await relay.wait_until(lambda lines: actions(lines, "send"))
            assert await get(f"{base}/healthz", "127.0.0.2") == (200, "ok\n")
            status, ready = await get(f"{base}/readyz", "127.0.0.2")
            assert status == 200
            assert json.loads(ready)["connections"]["refused"] > 1000
            for one in sockets:
                one.close()
            async with asyncio.timeout(10):
                assert await relay.stop() == 0
    log = "".join(relay.log)
    assert "127.0.0.1:" not in log.replace(f"{place[0]}:{place[1]}", "").replace(stage.host, "")
    assert "Too many open files" not in log


@pytest.mark.siege
@pytest.mark.parametrize(
    "rest", [b"Content-Length: 900000\r\n\r\nab", b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"]
)
async def test_bodies_that_never_end_keep_nobody_out(tmp_path: Path, rest: bytes) -> None:
    async with Mastodon([ILLA]) as stage, RelayProcess(configured(tmp_path, stage), descriptors=256) as relay:
        await relay.running.wait()
        place = relay.pages
        begun = b"POST /hook/nobody HTTP/1.1\r\nHost: relay.example\r\n" + rest
        sockets = await half_open(place, 400, "127.0.0.1", begun)
        assert await get(f"http://{place[0]}:{place[1]}/healthz", "127.0.0.2") == (200, "ok\n")
        for one in sockets:
            one.close()
        assert await relay.stop() == 0


@pytest.mark.siege
async def test_who_sends_no_whole_head_or_reads_nothing_is_dropped(tmp_path: Path) -> None:
    async with Mastodon([ILLA]) as stage, RelayProcess(configured(tmp_path, stage)) as relay:
        await relay.running.wait()
        place = relay.pages
        reader, writer = await asyncio.open_connection(*place)
        writer.write(b"GET / HTTP/1.1\r\nX-A: ")
        dripping = asyncio.create_task(_drip(writer))
        async with asyncio.timeout(40):
            assert await reader.read() == b""
        dripping.cancel()
        await asyncio.wait([dripping])
        writer.close()

        loop = asyncio.get_running_loop()
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.settimeout(0)
            await loop.sock_connect(deaf, place)
            asking = asyncio.create_task(_ask_on(deaf))
            slow = 0
            async with asyncio.timeout(90):
                while not slow:
                    await asyncio.sleep(1)
                    ready = await get(f"http://{place[0]}:{place[1]}/readyz", "127.0.0.2")
                    slow = json.loads(ready[1])["connections"]["slow"]
            asking.cancel()
            await asyncio.wait([asking])
        assert await relay.stop() == 0


async def _drip(writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"a")
        await asyncio.sleep(0.5)


async def _ask_on(deaf: socket.socket) -> None:
    """Ask again and again, and never read an answer."""
    with suppress(OSError):
        while True:
            await asyncio.get_running_loop().sock_sendall(deaf, b"GET /style.css HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
