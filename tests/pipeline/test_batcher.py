"""Group commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from relay.pipeline.batcher import Batcher


async def test_what_is_asked_for_during_a_write_is_written_together() -> None:
    batches: list[list[int]] = []
    begun, go = asyncio.Event(), asyncio.Event()

    async def write(items: Sequence[int]) -> None:
        batches.append(list(items))
        begun.set()
        await go.wait()

    batcher = Batcher[int](write, limit=3)
    waiting = [asyncio.create_task(batcher.add(0))]
    await begun.wait()
    waiting += [asyncio.create_task(batcher.add(number)) for number in range(1, 6)]
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(*waiting)
    assert batches == [[0], [1, 2, 3], [4, 5]]


async def test_a_patient_one_writes_what_comes_meanwhile_with_the_first() -> None:
    batches: list[list[int]] = []
    asked: list[int] = []

    async def write(items: Sequence[int]) -> None:
        batches.append(list(items))

    def patience(waiting: int) -> float:
        asked.append(waiting)
        return 0.05

    batcher = Batcher[int](write, patience=patience)
    first = asyncio.create_task(batcher.add(0))
    while not asked:
        await asyncio.sleep(0)
    await asyncio.gather(first, batcher.add(1))
    assert (batches, asked) == ([[0, 1]], [1])


async def test_a_failed_write_is_told_to_those_who_waited_for_it_and_the_next_goes_on() -> None:
    async def write(items: Sequence[int]) -> None:
        if 1 in items:
            raise ValueError("no")

    batcher = Batcher[int](write)
    with pytest.raises(ValueError, match="no"):
        await batcher.add(1)
    await batcher.add(2)


async def test_stop_writes_what_waits_even_when_its_asker_was_cancelled() -> None:
    written: list[int] = []

    async def write(items: Sequence[int]) -> None:
        await asyncio.sleep(0)
        written.extend(items)

    batcher = Batcher[int](write)
    asker = asyncio.create_task(batcher.add(1))
    await asyncio.sleep(0)
    asker.cancel()
    await asyncio.gather(asker, return_exceptions=True)
    await batcher.stop()
    assert written == [1]
