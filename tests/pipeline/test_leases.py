"""What only one process may do is done by one, and by another when that one is gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from relay.pipeline.worker import end
from relay.records import Lease, StoreError
from tests.support.outbox_cases import worker

QUICK = timedelta(milliseconds=30)


class Leases:
    """A store that answers about one lease: it is ours, theirs, or nobody answers; the last answer stays."""

    def __init__(self, answers: str) -> None:
        self.answers = answers.split()
        self.asked = asyncio.Condition()
        self.count = 0

    async def claim_lease(self, name: str, lease: Lease) -> bool:
        assert name == "adapter:fake"
        assert lease.until - lease.now == QUICK
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        async with self.asked:
            self.count += 1
            self.asked.notify_all()
        if answer == "nobody":
            raise StoreError("busy")
        return answer == "ours"

    async def asked_for(self, count: int) -> None:
        async with asyncio.timeout(30), self.asked:
            await self.asked.wait_for(lambda: self.count >= count)


class Work:
    """Runs until it is cancelled; counts how often it began and ended."""

    def __init__(self) -> None:
        self.began: asyncio.Queue[None] = asyncio.Queue()
        self.ended: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self) -> None:
        self.began.put_nowait(None)
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.put_nowait(None)


def held(store: Any, work: Any) -> asyncio.Task[None]:
    return asyncio.create_task(worker(lease=QUICK).while_held(store, "adapter:fake", work))


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_nothing_is_done_before_the_lease_is_ours() -> None:
    leases, work = Leases("theirs"), Work()
    task = held(leases, work)
    await leases.asked_for(3)
    assert work.began.empty()
    leases.answers = ["ours"]
    async with asyncio.timeout(30):
        await work.began.get()
    await stop(task)
    assert work.ended.qsize() == 1, "who is stopped stops the work"


async def test_a_held_lease_is_held_on_to_and_the_work_goes_on() -> None:
    leases, work = Leases("ours"), Work()
    task = held(leases, work)
    await leases.asked_for(5)
    assert (work.began.qsize(), work.ended.qsize()) == (1, 0)
    await stop(task)


async def test_a_lost_lease_ends_the_work_until_it_is_ours_again() -> None:
    leases, work = Leases("ours theirs theirs ours"), Work()
    task = held(leases, work)
    async with asyncio.timeout(30):
        await work.began.get()
        await work.ended.get()
        await work.began.get()
    assert leases.count >= 4
    await stop(task)


async def test_one_failure_of_the_store_ends_nothing_but_a_lapsed_lease_does() -> None:
    leases, work = Leases("ours nobody ours"), Work()
    task = held(leases, work)
    await leases.asked_for(4)
    assert work.ended.empty()
    leases.answers = ["nobody"]
    async with asyncio.timeout(30):
        await work.ended.get()
    await stop(task)


async def test_work_that_ends_ends_it_and_a_bug_is_not_swallowed() -> None:
    async def done() -> None:
        """An adapter without commands."""

    async def broken() -> None:
        raise ZeroDivisionError

    async with asyncio.timeout(30):
        await held(Leases("ours"), done)
        with pytest.raises(ZeroDivisionError):
            await held(Leases("ours"), broken)


async def test_a_store_that_can_be_read_works_again_when_what_could_not_be_written_is() -> None:
    """Else a log would tell of a locked database again and again."""
    one = replace(worker(), patience=timedelta(milliseconds=1))
    locked, tried = True, asyncio.Event()

    async def write() -> None:
        if locked:
            tried.set()
            raise StoreError("locked")

    async def read() -> None:
        pass

    with capture_logs() as logs:
        writing = asyncio.create_task(one.persist(write))
        given_up = asyncio.create_task(one.persist(write))
        for _ in range(3):
            tried.clear()
            await tried.wait()
            await one.persist(read)
        await end(given_up)
        assert [entry["event"] for entry in logs] == ["does not work"]
        locked = False
        await writing
        await one.persist(read)
    assert [entry["event"] for entry in logs] == ["does not work", "works again"]
