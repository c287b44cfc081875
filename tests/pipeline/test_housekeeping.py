"""What keeps the event loop free is set while the relay runs, and undone behind it."""

from __future__ import annotations

import asyncio
import gc
import sys
from datetime import timedelta

import pytest

from relay.pipeline.housekeeping import SWITCH, THRESHOLDS, hand_back, tend_memory, until_next


async def test_while_the_relay_runs_its_program_is_not_looked_through_and_no_thread_keeps_the_loop_out() -> None:
    before = sys.getswitchinterval(), gc.get_threshold()
    assert gc.get_freeze_count() == 0
    tending = asyncio.create_task(tend_memory(timedelta(0)))
    while gc.get_threshold() != THRESHOLDS:
        await asyncio.sleep(0)
    assert gc.get_freeze_count()
    assert sys.getswitchinterval() == pytest.approx(SWITCH.total_seconds())
    tending.cancel()
    await asyncio.gather(tending, return_exceptions=True)
    assert (sys.getswitchinterval(), gc.get_threshold(), gc.get_freeze_count()) == (*before, 0)


@pytest.mark.parametrize("error", [OSError, AttributeError, TypeError])
def test_where_no_c_library_can_be_asked_for_memory_nothing_happens(error: type[Exception]) -> None:
    def program(_name: None) -> object:
        raise error

    hand_back(program)


@pytest.mark.parametrize(("took", "seconds"), [(0.0, 30), (0.0004, 30), (0.005, 30), (0.1, 600), (0.25, 1500)])
def test_what_holds_the_loop_for_long_is_done_rarely(took: float, seconds: int) -> None:
    assert until_next(took) == timedelta(seconds=seconds)


async def test_a_start_never_has_the_whole_program_looked_through() -> None:
    whole: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            whole.append(len(gc.get_objects()))

    program = len(gc.get_objects())
    gc.callbacks.append(note)
    tending = asyncio.create_task(tend_memory(timedelta(0)))
    try:
        await asyncio.sleep(0)
        begun, started = gc.get_freeze_count(), [[number] for number in range(1_000)]
        while gc.get_freeze_count() < begun + len(started):
            await asyncio.sleep(0)
    finally:
        gc.callbacks.remove(note)
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)
    assert max(whole, default=0) < program / 10


async def test_what_a_long_start_leaves_is_not_looked_through_either() -> None:
    started = asyncio.Event()
    tending = asyncio.create_task(tend_memory(timedelta(0), started))
    await asyncio.sleep(0)
    begun, read = gc.get_freeze_count(), [[number] for number in range(1_000)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert gc.get_freeze_count() <= begun
    assert gc.get_threshold()[2] > 1_000 * THRESHOLDS[2], "no search through all, however long it takes"
    started.set()
    while gc.get_freeze_count() < begun + len(read):
        await asyncio.sleep(0)
    tending.cancel()
    await asyncio.gather(tending, return_exceptions=True)
