"""What several tests share with those of ingest."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from relay.model import Post
from relay.records import Claim, Settlement, State
from relay.store import Store
from relay.testing import NOON, post
from tests.support.outbox_cases import worker


def tagged(number: int, **changes: object) -> Post:
    return post(number, tags=("bridge",), **changes)


async def relayed(store: Store, count: int) -> list[str]:
    """The uris that wait to be delivered, when there are ``count``."""
    async with asyncio.timeout(10):
        while sum((await store.get_counts()).deliveries.values()) < count:
            await asyncio.sleep(0.005)
    found: list[str] = []
    while claimed := await store.claim_deliveries(
        Claim(adapters=("fake",), limit=9), worker("t", timedelta(0)).leased()
    ):
        found += [delivery.uri for delivery in claimed]
        await store.save_settlements(
            [Settlement(delivery=d.id, destination=d.destination, state=State.SENT, due=NOON) for d in claimed],
            worker("t").leased(),
        )
    return found
