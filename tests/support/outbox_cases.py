"""What several tests share with those of outbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from relay.log import Trouble
from relay.model import (
    Destination,
    Post,
    Published,
    Subscription,
    SubscriptionId,
)
from relay.pipeline.outbox import Outbox
from relay.pipeline.worker import Worker
from relay.ports import Adapter
from relay.records import Intake, PlannedSend, State
from relay.store import Store
from relay.testing import post


def worker(owner: str = "one", lease: timedelta = timedelta(seconds=30)) -> Worker:
    return Worker(
        owner=owner,
        lease=lease,
        clock=lambda: datetime.now(UTC),
        trouble=Trouble(),
        patience=timedelta(milliseconds=10),
    )


def planned(one: Post, *to: str) -> PlannedSend:
    by = {name: Subscription(id=SubscriptionId(0), topic="why", destination=Destination.parse(name)) for name in to}
    return PlannedSend(uri=one.uri, by=by)


async def want(store: Store, numbers: Sequence[int], *to: str) -> None:
    """Ask for posts at destinations, as an intake would."""
    posts = [post(number) for number in numbers]
    await store.add_intakes(
        [
            Intake(
                feed=None,
                events=tuple(Published(one) for one in posts),
                planned_sends=tuple(planned(one, *to) for one in posts),
            )
        ],
        worker().leased(),
    )


@asynccontextmanager
async def running(store: Store, *adapters: Adapter, **settings: object) -> AsyncIterator[Outbox]:
    outbox = Outbox(
        store=store,
        adapters={adapter.name: adapter for adapter in adapters},
        worker=settings.pop("worker", worker()),  # type: ignore[arg-type]  # a table of keywords
        idle=timedelta(milliseconds=20),
        **settings,  # type: ignore[arg-type]  # as above
    )
    loop = asyncio.create_task(outbox.run())
    try:
        yield outbox
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await outbox.stop(timedelta(seconds=1))


async def until(store: Store, **wanted: int) -> None:
    """Wait until the store counts so many deliveries in each state."""
    async with asyncio.timeout(10):
        while True:
            found = await store.get_counts()
            by_state = dict.fromkeys(State, 0)
            for (_, state), number in found.deliveries.items():
                by_state[state] += number
            if all(by_state[State(name)] == number for name, number in wanted.items()):
                return
            await asyncio.sleep(0.005)
