"""How the loops stand towards the store: who claims and for how long, and patience while the store does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from relay.log import Trouble
from relay.ports import Lease, StoreError

T = TypeVar("T")
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """Ingest and outbox of one process claim under one name."""

    owner: str
    lease: timedelta
    clock: Clock
    trouble: Trouble
    patience: timedelta = timedelta(seconds=1)

    def leased(self) -> Lease:
        now = self.clock()
        return Lease(owner=self.owner, now=now, until=now + self.lease)

    async def persist(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do ``act`` until the store takes it; a full disk or a locked database is told once, and once when it is over.

        ``act`` is called anew for every try, so that it claims under a fresh lease.
        """
        while True:
            try:
                answer = await act()
            except StoreError as error:
                self.trouble.broke("store", str(error))
                await asyncio.sleep(self.patience.total_seconds())
            else:
                self.trouble.works("store")
                return answer
