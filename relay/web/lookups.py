"""What visitors ask of the store: many questions in one look, and few looks at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeVar

_AT_ONCE = 2

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


class Turns:
    """What visitors ask of the store, two things at a time: the relay's own work waits behind these two alone."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def take(self, ask: Callable[..., Awaitable[T]], *what: object) -> T:
        async with self._room:
            return await ask(*what)


class Rounds(Generic[K, V]):
    """Answers all who ask while one look is under way by the next one.

    So everybody is answered by a look that began after they asked: it sees all that was committed by then, a take-down
    by any other process as well. The look that was under way may have begun before that, so nobody joins it.
    """

    def __init__(self, look: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._look = look
        self._asked: dict[K, None] = {}
        self._answer: asyncio.Future[Mapping[K, V]] | None = None
        self._running: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """What it is by now; None: there is no such thing. Raises what the look raises."""
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_future()
        answer = self._answer
        self._asked[key] = None
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="look for visitors")
        return (await asyncio.shield(answer)).get(key)

    def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        try:
            while self._answer is not None:
                asked, answer = self._asked, self._answer
                self._asked, self._answer = {}, None
                try:
                    found = await self._look(tuple(asked))
                except Exception as error:  # noqa: BLE001 - told to those who asked
                    answer.set_exception(error)
                    answer.exception()  # perhaps nobody waits for it any more
                except asyncio.CancelledError:
                    answer.cancel()
                    raise
                else:
                    answer.set_result(found)
        finally:
            self._running = None
            if self._answer is not None:  # it was stopped
                self._answer.cancel()
                self._asked, self._answer = {}, None
