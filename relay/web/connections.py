"""Who may be connected to the web server: so many in all, so many from one address, and nobody who only holds a place.

Addresses are counted while a connection stands and written down nowhere. A connection that has not sent a whole request
gives way to a new one where there is no room; aiohttp's keep-alive time-out ends it anyway. One that does not read what
it asked for is dropped. What all of them bring is handed on in the pacer's turns (:mod:`relay.web.pacer`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import cast

from relay.http.guard import LOCAL, Network
from relay.web.pacer import Pacer

SILENT = 10.0
"""Seconds to send a request's head, or the next request."""
STALLED = 15.0
"""Seconds in which a reader must take something of what waits for it."""
SLOWEST = 120.0
"""Seconds in which a reader must have taken all that waits for it."""
_LOOK = 1.0
_BACKLOG = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How many connections there may be. Behind a reverse proxy all come from its address: such are not counted."""

    total: int = 512
    per_address: int = 64
    proxies: Sequence[Network] = LOCAL
    stalled: float = STALLED
    slowest: float = SLOWEST


@dataclass(slots=True, kw_only=True)
class Figures:
    open: int = 0
    refused: int = 0
    """Turned away, or sent away before they had asked for anything."""
    slow: int = 0
    """Dropped because they did not read."""


class Doors:
    """Builds the protocol of each connection. ``make`` builds aiohttp's, which does the talking."""

    def __init__(self, capacity: Capacity, make: Callable[[], asyncio.BaseProtocol], pacer: Pacer) -> None:
        self.figures, self.pacer = Figures(), pacer
        self._capacity, self._make = capacity, make
        self._open: dict[asyncio.BaseTransport, Door] = {}  # in the order in which they came
        self._from: Counter[str] = Counter()
        self._look: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> None:
        """Raises ``OSError`` where the address cannot be had."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Door(self), host, port, backlog=_BACKLOG)
        self._look = loop.call_later(_LOOK, self._sweep)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens; an empty host before the start and after the end."""
        names = [one.getsockname() for one in self._server.sockets] if self._server else []
        return (names[0][0], names[0][1]) if names else ("", 0)

    def close(self) -> None:
        """Take no new connections; those that stand are aiohttp's to end."""
        if self._look:
            self._look.cancel()
        if self._server:
            self._server.close()
            self._server = None

    @contextmanager
    def serving(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """While this connection is being answered, it gives way to nobody."""
        door = self._open.get(transport) if transport else None
        if door is None:
            yield
            return
        door.serving = True
        try:
            yield
        finally:
            door.serving = False

    # --- what doors call ---

    def admit(self, door: Door) -> asyncio.Protocol | None:
        """The protocol for a new connection; None: there is no room for it."""
        place = door.place
        if self._is_counted(place) and self._from[place] >= self._capacity.per_address:
            full = not self._make_room(one for one in self._open.values() if one.place == place)
        elif len(self._open) >= self._capacity.total:
            full = not self._make_room(self._open.values())
        else:
            full = False
        if full:
            self.figures.refused += 1
            return None
        self._open[door.transport] = door
        self._from[place] += 1
        self.figures.open = len(self._open)
        return cast("asyncio.Protocol", self._make())

    def leave(self, door: Door) -> None:
        if self._open.pop(door.transport, None) is not None:
            self._from[door.place] -= 1
            if not self._from[door.place]:
                del self._from[door.place]
            self.figures.open = len(self._open)

    # --- making room ---

    def _is_counted(self, place: str) -> bool:
        if not place:
            return False
        address = ip_address(place)
        return not any(address in network for network in self._capacity.proxies)

    def _make_room(self, doors: Iterable[Door]) -> bool:
        """Send away one of these that has no request to be served; False: there is none.

        It is one of the address that has most connections, and of those the oldest.
        """
        waiting = max(
            (door for door in doors if door.is_waiting), key=lambda door: self._from[door.place], default=None
        )
        if waiting is None:
            return False
        self.figures.refused += 1
        self.leave(waiting)
        waiting.transport.abort()
        return True

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for door in [door for door in self._open.values() if door.is_stuck(now, self._capacity)]:
            self.figures.slow += 1
            self.leave(door)
            door.transport.abort()
        self._look = loop.call_later(_LOOK, self._sweep)


class Door(asyncio.Protocol):
    """One connection: it is let in or not, then passes on everything to the protocol behind it."""

    transport: asyncio.Transport

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._behind: asyncio.Protocol | None = None
        self.place = ""
        self.serving = False
        self._brought = b""
        self._unread = 0
        self._since = self._moved = 0.0

    @property
    def is_waiting(self) -> bool:
        return not self.serving and not self.transport.get_write_buffer_size()

    def is_stuck(self, now: float, capacity: Capacity) -> bool:
        """Whether what is to be read has been waiting for too long; asked every second."""
        unread = self.transport.get_write_buffer_size()
        if not unread or not self._unread:
            self._since = self._moved = now
        elif unread < self._unread:
            self._moved = now
        self._unread = unread
        return bool(unread) and (now - self._moved > capacity.stalled or now - self._since > capacity.slowest)

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.place = _place(transport.get_extra_info("peername"))
        self._behind = self._doors.admit(self)
        if self._behind is None:
            self.transport.abort()
        else:
            self._behind.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._brought:
            self.transport.pause_reading()
            self._doors.pacer.submit(self.hand_on)
        self._brought += data

    def hand_on(self) -> None:
        """Let the protocol behind have what was brought, which may be nothing by now."""
        data, self._brought = self._brought, b""
        if data and self._behind is not None:
            if not self.transport.is_closing():
                self.transport.resume_reading()  # before: the protocol behind may have its own reasons to pause
            self._behind.data_received(data)

    def eof_received(self) -> bool | None:
        self.hand_on()
        return self._behind.eof_received() if self._behind is not None else None

    def pause_writing(self) -> None:
        if self._behind is not None:
            self._behind.pause_writing()

    def resume_writing(self) -> None:
        if self._behind is not None:
            self._behind.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._doors.leave(self)
        self._brought = b""
        if self._behind is not None:
            self._behind.connection_lost(exc)


def _place(peer: object) -> str:
    """What counts as one address: of IPv6 the whole network that one customer is given."""
    if not isinstance(peer, tuple):
        return ""
    address = ip_address(str(peer[0]).partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False).network_address) if not address.is_loopback else str(address)
    return str(address)
