"""A page that takes long to read is not read for each visitor anew."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from relay.ports import Page, StoreError
from relay.web.recent import RecentPages, Turns
from tests.reader import page


@dataclass
class Slow:
    """A store in which a page takes ``took`` seconds of the clock to read, once it may be."""

    took: float
    now: float = 0.0
    reads: list[str] = field(default_factory=list)
    may: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: Exception | None = None

    async def get_page(self, slug: str) -> Page | None:
        self.reads.append(slug)
        await self.may.wait()
        self.now += self.took
        if self.trouble:
            raise self.trouble
        return page(slug=slug)


async def read_at(slow: Slow, *moments: float) -> int:
    """How many readings it takes to ask at these moments."""
    slow.may.set()
    pages = RecentPages(slow, Turns(), lambda: slow.now)
    for moment in moments:
        slow.now = max(slow.now, moment)
        found = await pages.get("a")
        assert found
        assert found.slug == "a"
    return len(slow.reads)


async def test_what_takes_long_is_kept_for_ten_times_as_long_and_not_for_longer() -> None:
    assert await read_at(Slow(took=1.0), 0, 2, 5, 10.9) == 1
    assert await read_at(Slow(took=1.0), 0, 2, 11.1) == 2


async def test_what_is_read_at_once_is_read_each_time() -> None:
    assert await read_at(Slow(took=0.01), 0, 0, 0) == 3


async def test_what_is_taken_out_is_gone_soon_however_long_it_takes_to_read() -> None:
    assert await read_at(Slow(took=60.0), 0, 79) == 1
    assert await read_at(Slow(took=60.0), 0, 80.1) == 2


async def test_who_asks_at_the_same_time_waits_for_one_reading() -> None:
    slow = Slow(took=0.0)
    pages = RecentPages(slow, Turns(), lambda: slow.now)
    asked = [asyncio.create_task(pages.get("a")) for _ in range(50)]
    await asyncio.sleep(0)
    asked[0].cancel()
    await asyncio.sleep(0)
    slow.may.set()
    found = await asyncio.gather(*asked[1:])
    assert all(found)
    assert slow.reads == ["a"]
    assert asked[0].cancelled()


async def test_trouble_is_told_to_all_and_not_kept() -> None:
    slow = Slow(took=1.0, trouble=StoreError("gone"))
    slow.may.set()
    pages = RecentPages(slow, Turns(), lambda: slow.now)
    for _ in range(2):
        with pytest.raises(StoreError):
            await pages.get("a")
    slow.trouble = None
    assert await pages.get("a")


async def test_few_are_kept() -> None:
    slow = Slow(took=1.0)
    slow.may.set()
    pages = RecentPages(slow, Turns(), lambda: slow.now)
    for slug in "abcdefghij":
        await pages.get(slug)
    slow.reads.clear()
    for slug in "jih":
        await pages.get(slug)
    assert slow.reads == []
    await pages.get("a")
    assert slow.reads == ["a"]


async def test_of_all_that_visitors_ask_two_things_are_asked_of_the_store_at_a_time() -> None:
    """So what the relay itself asks waits for two of them, however many visitors there are."""
    slow, turns = Slow(took=0.0), Turns()
    pages = RecentPages(slow, turns)
    asked = [asyncio.create_task(pages.get(f"page {number}")) for number in range(20)]
    lists = [asyncio.create_task(turns.take(slow.get_page, f"list {number}")) for number in range(20)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(slow.reads) == 2
    slow.may.set()
    await asyncio.gather(*asked, *lists)
    assert len(slow.reads) == 40
