"""The loop that erases what was hidden by a stop, when the time for undoing it has passed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from relay.log import get_logger
from relay.pipeline.worker import Tenure
from relay.records import StoreError
from relay.store import Store

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasing:
    """Looks for what is due, until cancelled. A relay that was down meanwhile erases it when it is up again."""

    store: Store
    tenure: Tenure
    sure: Callable[[], bool] = lambda: True
    """Whether the clock can be believed: what is erased does not come back."""
    every: timedelta = timedelta(minutes=1)
    compact_every: timedelta = timedelta(hours=6)
    """The database's file is written anew so often at most: of a large one that takes seconds."""

    async def run(self) -> None:
        time = asyncio.get_running_loop().time
        compact = time()
        while True:
            count = await self.erase()
            if count:
                log.info("what authors took back was erased", posts=count)
            if time() >= compact and await self._compact():
                compact = time() + self.compact_every.total_seconds()
            await asyncio.sleep(self.every.total_seconds())

    async def erase(self) -> int | None:
        """Erase what one stop hides, where one is due: how many posts."""
        if not self.sure():
            return None
        return await self.tenure.persist(lambda: self.store.save_erased(self.tenure.clock()))

    async def _compact(self) -> bool:
        """Whether the file was written anew."""
        try:
            return await self.store.save_compact()
        except StoreError as error:
            log.warning("the database could not be written anew; that is tried again", reason=str(error))
            return False
