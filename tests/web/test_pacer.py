"""What many visitors need is done a step at a time, and what else is ready or at work is not kept waiting for them."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from select import select
from typing import cast

from relay.store import Store
from relay.web import Web
from relay.web.pacer import Pacer
from relay.web.site import Site
from tests.support.reader import SLUG, Kept, page

VISITORS = 50


@dataclass
class Other:
    """What else is ready in each turn of the event loop: it notes how many visitors were answered."""

    waiting: set[socket.socket]
    answered: list[int] = field(default_factory=list)

    def have_turn(self) -> None:
        found, _, _ = select(self.waiting, (), (), 0)
        self.waiting -= set(found)
        self.answered.append(len(found))
        if self.waiting:
            asyncio.get_running_loop().call_soon(self.have_turn)


async def test_of_fifty_requests_that_are_ready_at_once_few_are_answered_in_a_turn_of_the_loop() -> None:
    web = Web(cast(Store, Kept((page(),))), None, Site(name="Chaski Wasi"))
    await web.start("127.0.0.1", 0)
    visitors = [await _connected(web) for _ in range(VISITORS)]
    for _ in range(2):  # the page is made for the first one, and at hand for the second
        for visitor in visitors:  # the server has no turn meanwhile
            visitor.sendall(f"GET /t/{SLUG} HTTP/1.1\r\nHost: chaski.example\r\n\r\n".encode())
        other = Other(set(visitors))
        other.have_turn()
        async with asyncio.timeout(30):
            while other.waiting:
                await asyncio.sleep(0.01)
        for visitor in visitors:
            assert visitor.recv(2**20).startswith(b"HTTP/1.1 200")
    assert sum(other.answered) == VISITORS
    assert max(other.answered) <= 2
    for visitor in visitors:
        visitor.close()
    await web.stop()


async def _connected(web: Web) -> socket.socket:
    visitor = socket.socket()
    visitor.settimeout(0)
    await asyncio.get_running_loop().sock_connect(visitor, ("127.0.0.1", int(web.url.rpartition(":")[2])))
    return visitor


class Visitors:
    """They need one step after the other."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self.steps = 0
        pacer.submit(self.step)

    def step(self) -> None:
        self.steps += 1
        if self.steps < 10_000:
            self._pacer.submit(self.step)


async def test_while_the_relay_writes_visitors_wait() -> None:
    seen, over = list[int](), asyncio.Event()

    def is_busy() -> bool:
        seen.append(visitors.steps)
        if len(seen) == 5:
            over.set()
        return len(seen) < 5

    visitors = Visitors(Pacer(is_busy, longest=3600))
    async with asyncio.timeout(30):
        await over.wait()
        assert len(set(seen)) == 1
        while visitors.steps == seen[0]:
            await asyncio.sleep(0)


async def test_visitors_have_their_turns_beside_a_relay_that_always_writes() -> None:
    visitors = Visitors(Pacer(lambda: True))
    async with asyncio.timeout(30):
        while visitors.steps < 10_000:
            await asyncio.sleep(0.01)
