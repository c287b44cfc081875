"""Group commit: what is asked for while a write is under way is written together by the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Batcher(Generic[T]):
    """Collects items and hands them on in batches, in their order.

    It adds no delay of its own but the seconds that ``patience`` says for so many as wait. ``write`` is called with at
    most ``limit`` items, never twice at a time. Does not know what it writes, and does not retry: ``write`` returns
    when its items are safe.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[None]],
        *,
        limit: int = 200,
        patience: Callable[[int], float] = lambda _waiting: 0,
    ) -> None:
        self._write = write
        self._limit = limit
        self._patience = patience
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Return when the item has been written; raise what the write of its batch raised."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._drain())
        await written

    async def _drain(self) -> None:
        try:
            while self._waiting:
                if seconds := self._patience(len(self._waiting)):
                    await asyncio.sleep(seconds)
                batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                await self._hand_on(batch)
        finally:
            self._writer = None

    async def _hand_on(self, batch: list[tuple[T, asyncio.Future[None]]]) -> None:
        try:
            await self._write([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is not swallowed: everyone who waits for the batch gets it
            for _, written in batch:
                if not written.done():
                    written.set_exception(error)
        else:
            for _, written in batch:
                if not written.done():
                    written.set_result(None)

    async def stop(self) -> None:
        """Write what is still waiting."""
        while self._writer is not None:
            await asyncio.shield(self._writer)
