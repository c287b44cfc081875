"""What visitors ask of the store: many questions in one look, and few looks at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from itertools import chain
from typing import Generic, TypeVar

from relay.web.pacer import Pacer

_AT_ONCE = 2

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")
Asked = dict[K, list[asyncio.Future[V | None]]]


class VisitorTurns:
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

    def __init__(self, look: Callable[[Collection[K]], Awaitable[Mapping[K, V]]], pacer: Pacer) -> None:
        self._look, self._pacer = look, pacer
        self._asked: Asked[K, V] = {}
        self._running: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """What it is by now; None: there is no such thing. Raises what the look raises."""
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(key, []).append(answer)
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="look for visitors")
        return await answer

    def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        try:
            while self._asked:
                await self._pacer.turn()  # who comes before that is answered by this look as well
                asked, self._asked = self._asked, {}
                await self._answer(asked)
        finally:
            self._running = None
            _cancel(self._asked)  # it was stopped
            self._asked = {}

    async def _answer(self, asked: Asked[K, V]) -> None:
        found: Mapping[K, V] = {}
        trouble: Exception | None = None
        try:
            found = await self._look(tuple(asked))
        except Exception as error:  # noqa: BLE001 - told to those who asked
            trouble = error
        except asyncio.CancelledError:
            _cancel(asked)
            raise
        for key, answers in asked.items():
            for answer in answers:  # one at a time: each goes on to send a page
                self._pacer.submit(partial(_tell, answer, found.get(key), trouble))


def _tell(answer: asyncio.Future[V], value: V, trouble: Exception | None) -> None:
    if answer.done():
        return  # whoever asked has gone
    if trouble is None:
        answer.set_result(value)
    else:
        answer.set_exception(trouble)


def _cancel(asked: Asked[K, V]) -> None:
    for answer in chain.from_iterable(asked.values()):
        answer.cancel()
