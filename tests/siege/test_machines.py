"""Several relays on one database, one of which stands still: it delays what it holds, and sends none of it late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

import pytest
from sqlalchemy import create_engine, text

from relay.config import OutboxSettings
from relay.log import Trouble
from relay.model import Action, Destination, Post, Published
from relay.pipeline.outbox import Outbox
from relay.pipeline.worker import Worker
from relay.records import Claim, State
from relay.store import Store, deliveries, open_store
from relay.testing import NOON, FakeAdapter, post
from tests.support.store_cases import CLAIM, claim, lease, publish, said, settled, states, uri

T = TypeVar("T")
_LIMIT = text("SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'")
LEASE = timedelta(seconds=30)
HERE, THERE = Destination("fake", "here"), Destination("fake", "there")


async def test_who_stands_still_delays_what_it_holds_until_its_lease_ends_and_nothing_else(store: Store) -> None:
    rooms = [Destination("fake", str(number)) for number in range(6)]
    await publish(store, post(1), post(2), to=rooms)
    held = await claim(store, owner="frozen", claim=Claim(adapters=("fake",), limit=2))
    served: list[str] = []

    async def serve(now: float) -> None:
        batch = await claim(store, owner="other", now=now)
        while batch:
            served.extend(str(delivery.destination) for delivery in batch)
            done = [settled(delivery, due=now) for delivery in batch]
            batch = await store.save_settlements(done, lease("other", now=now), CLAIM)

    mine = {str(delivery.destination) for delivery in held}
    await serve(now=4)
    assert sorted(served) == sorted([str(room) for room in rooms if str(room) not in mine] * 2)
    await serve(now=5)
    assert sorted(served) == sorted([str(room) for room in rooms] * 2)
    assert not await store.save_settlements([settled(one) for one in held], lease("frozen", now=6), CLAIM)
    assert await states(store) == {(Action.SEND, State.SENT): 12}


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Frozen:
    """A store whose process stands still for longer than its lease, just after something was claimed for it."""

    store: Store
    clock: Clock
    method: str
    meanwhile: Callable[[], Awaitable[None]]
    thawed: asyncio.Event = field(default_factory=asyncio.Event)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        return self._freezing(found) if name == self.method and not self.thawed.is_set() else found

    def _freezing(self, call: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        async def freeze(*arguments: Any) -> T:
            answer = await call(*arguments)
            if getattr(answer, "deliveries", answer):
                self.clock.now += LEASE
                await self.meanwhile()
                self.thawed.set()
            return answer

        return freeze


@dataclass
class Machine:
    owner: str
    store: Store
    clock: Clock
    adapter: FakeAdapter = field(default_factory=FakeAdapter)

    def __post_init__(self) -> None:
        worker = Worker(owner=self.owner, lease=LEASE, clock=self.clock, trouble=Trouble())
        self.outbox = Outbox(store=self.store, adapters={"fake": self.adapter}, worker=worker)
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Machine:
        self._running = asyncio.create_task(self.outbox.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._running
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self.outbox.stop(timedelta(seconds=1))

    async def bring(self, *posts: Post, to: Destination) -> None:
        """Take posts in, and what they ask of the outbox at once."""
        intake = said(*map(Published, posts), to=(to,))
        claim, lease = self.outbox.claim(), self.outbox.worker.leased()
        self.outbox.take(await self.store.add_intakes([intake], lease, claim))

    def sent(self) -> list[str]:
        return [delivery.uri for delivery in self.adapter.delivered]


@pytest.mark.parametrize("method", ["claim_deliveries", "save_settlements", "add_intakes"])
async def test_who_stood_still_sends_nothing_that_another_has_taken_over(method: str) -> None:
    """However it was claimed: by the loop, with a settlement, or with the intake that asked for it."""
    clock = Clock()
    store = await open_store("sqlite://")
    posts = [post(number) for number in range(3)]
    other = Machine("other", store, clock)

    async def meanwhile() -> None:
        """The other relay delivers everything."""
        async with other:
            await other.adapter.wait_for(len(posts) - len(machine.sent()))

    frozen = Frozen(store, clock, method, meanwhile)
    machine = Machine("frozen", cast(Store, frozen), clock)
    if method == "add_intakes":
        await machine.bring(*posts, to=HERE)
    else:
        await publish(store, *posts, to=[HERE])
    async with asyncio.timeout(30), machine:
        await frozen.thawed.wait()
        await machine.bring(post(9), to=THERE)  # which it delivers after what it had claimed
        while post(9).uri not in machine.sent():
            await machine.adapter.wait_for(len(machine.sent()) + 1)
    assert sorted([*machine.sent(), *other.sent()]) == [uri(number) for number in (0, 1, 2, 9)]
    assert await states(store) == {(Action.SEND, State.SENT): 4}
    await store.close()


async def test_a_transaction_that_stands_still_keeps_its_locks_no_longer_than_a_lease(postgres_url: str) -> None:
    store = await open_store(postgres_url)
    limit = await store._db.write(lambda connection: connection.scalar(_LIMIT))
    await store.close()
    assert timedelta(milliseconds=int(limit)) < OutboxSettings().lease


def test_a_claim_reads_no_more_destinations_than_it_takes(postgres_url: str) -> None:
    """However many are due at the same moment: they are taken from the index, not sorted first."""
    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for other in ("seqscan", "bitmapscan", "sort"):  # which it prefers, as there is nothing in the table
            connection.execute(text(f"SET enable_{other} = off"))
        claims = str(deliveries._due.compile(dialect=engine.dialect))
        plan = connection.exec_driver_sql(f"EXPLAIN {claims}", {"now": 1, "adapters": "{fake}", "limit": 10})
        told = "\n".join(line for (line,) in plan)
    engine.dispose()
    assert "ix_destinations_due" in told
    assert "Sort" not in told
