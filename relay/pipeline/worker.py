"""How the loops stand towards the store: who claims and for how long, and patience while the store does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from relay.log import Trouble
from relay.records import Lease, StoreError
from relay.store import Store

T = TypeVar("T")
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Ingest and outbox of one process claim under one name."""

    owner: str
    lease: timedelta
    clock: Clock
    trouble: Trouble
    patience: timedelta = timedelta(seconds=1)
    _failing: set[object] = field(default_factory=set)
    """What the store does not take at the moment: that others can still read does not mean that it works again."""

    def leased(self) -> Lease:
        now = self.clock()
        return Lease(owner=self.owner, now=now, until=now + self.lease)

    async def persist(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do ``act`` until the store takes it; a full disk or a locked database is told once, and once when it is over.

        ``act`` is called anew for every try, so that it claims under a fresh lease.
        """
        this = object()
        try:
            while True:
                try:
                    answer = await act()
                except StoreError as error:
                    self._failing.add(this)
                    self.trouble.broke("store", str(error))
                    await asyncio.sleep(self.patience.total_seconds())
                else:
                    break
        finally:
            self._failing.discard(this)
        if not self._failing:
            self.trouble.works("store")
        return answer

    async def while_held(self, store: Store, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do ``work`` in one process only: wait for the named lease, and hold it until the work has ended.

        Where the lease is lost the work is cancelled, and begins anew when the lease can be had again.
        """
        while True:
            await self._win(store, name)
            working = asyncio.create_task(work(), name=name)
            holding = asyncio.create_task(self._hold(store, name), name=f"hold {name}")
            try:
                await asyncio.wait({working, holding}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await end(working, holding)
            if not working.cancelled():
                return working.result()
            self.trouble.broke(name, "another relay has taken it over")

    async def _win(self, store: Store, name: str) -> None:
        while True:
            if await self.persist(lambda: store.claim_lease(name, self.leased())):
                return
            await asyncio.sleep(self.lease.total_seconds() / 3)

    async def _hold(self, store: Store, name: str) -> None:
        """Return when the lease is lost, or has lapsed while the store did not answer."""
        until = self.leased().until
        while True:
            await asyncio.sleep(self.lease.total_seconds() / 3)
            lease = self.leased()
            try:
                if not await store.claim_lease(name, lease):
                    return
            except StoreError as error:
                self.trouble.broke("store", str(error))
                if lease.now >= until:
                    return
            else:
                until = lease.until


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended. Unlike ``gather``, it ends at once when its caller is cancelled."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # somebody has looked at it: nothing is logged once more
