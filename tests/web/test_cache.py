"""An answer is made once for as long as what it shows is the same."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from relay.testing import NOON
from relay.web.answers import Body, body
from relay.web.cache import UNASKED, Cache
from tests.support.loop_watch import Turns


class Maker:
    """Makes bodies of ``size`` bytes, once it ``may``, and counts them."""

    def __init__(self, size: int = 10, *, until: datetime | None = None, keep: bool = True) -> None:
        self.size, self.until, self.keep = size, until, keep
        self.made = 0
        self.may = asyncio.Event()
        self.may.set()
        self.trouble: Exception | None = None

    async def __call__(self) -> Body:
        self.made += 1
        await self.may.wait()
        if self.trouble:
            raise self.trouble
        return body(b"x" * self.size, "text/plain", until=self.until, keep=self.keep)


async def test_an_answer_is_made_once_for_each_version_and_each_variant() -> None:
    cache, maker = Cache(), Maker()
    asked = [("a", 1, "page en"), ("a", 1, "page es"), ("a", 1, "md en"), ("b", 1, "page en")]
    for _ in range(3):
        for subject, version, variant in asked:
            await cache.get(subject, version, variant, maker)
    assert maker.made == len(asked)
    await cache.get("a", 2, "page en", maker)
    assert maker.made == len(asked) + 1


class Long:
    """A version that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Long.compared += 1
        return isinstance(other, Long)

    def __hash__(self) -> int:
        return 1


async def test_of_many_who_ask_with_one_look_at_the_version_only_the_first_compares_it() -> None:
    cache, maker = Cache(), Maker()
    await cache.get("a", Long(), "", maker)
    looked, Long.compared = Long(), 0
    for _ in range(5):
        await cache.get("a", looked, "", maker)
    assert (maker.made, Long.compared) == (1, 1)


async def test_with_another_version_every_form_of_it_leaves_the_memory() -> None:
    cache, maker = Cache(), Maker()
    for variant in ("page en", "page es", "md en"):
        await cache.get("a", 1, variant, maker)
    assert cache.size == 30
    await cache.get("a", 2, "page en", maker)
    assert cache.size == 10
    cache.drop("a")
    assert cache.size == 0


async def test_a_newer_version_is_never_answered_by_what_was_begun_before_it() -> None:
    cache, old, new = Cache(), Maker(1), Maker(2)
    old.may.clear()
    first = asyncio.create_task(cache.get("a", 1, "", old))
    await asyncio.sleep(0)
    assert (await cache.get("a", 2, "", new)).size == 2
    old.may.set()
    assert (await first).size == 1
    assert (await cache.get("a", 2, "", new)).size == 2


async def test_only_so_many_bytes_are_kept_and_those_asked_for_last() -> None:
    cache, maker = Cache(most=35), Maker()
    for subject in ("a", "b", "c", "a", "d"):
        await cache.get(subject, 1, "", maker)
    assert cache.size == 30
    maker.made = 0
    for subject in ("d", "a", "c"):
        await cache.get(subject, 1, "", maker)
    assert maker.made == 0
    await cache.get("b", 1, "", maker)
    assert maker.made == 1
    await cache.get("long", 1, "", Maker(36))
    assert cache.size == 30


async def test_many_who_ask_at_once_wait_for_one_making() -> None:
    cache, maker = Cache(), Maker()
    maker.may.clear()
    asked = [asyncio.create_task(cache.get("a", 1, "", maker)) for _ in range(50)]
    await asyncio.sleep(0)
    asked[0].cancel()
    await asyncio.sleep(0)
    maker.may.set()
    found = await asyncio.gather(*asked[1:])
    assert len(set(map(id, found))) == 1
    assert maker.made == 1


async def test_trouble_is_told_to_all_and_not_kept() -> None:
    cache, maker = Cache(), Maker()
    maker.trouble = RuntimeError("broken")
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await cache.get("a", 1, "", maker)
    maker.trouble = None
    assert (await cache.get("a", 1, "", maker)).size == 10


async def test_what_has_run_out_or_is_not_to_be_kept_is_made_anew() -> None:
    now = NOON
    cache = Cache(lambda: now)
    lasting, fleeting = Maker(until=NOON + timedelta(days=1)), Maker(keep=False)
    for day in (0, 1, 2):
        now = NOON + timedelta(days=day)
        await cache.get("a", 1, "", lasting)
        await cache.get("b", 1, "", fleeting)
    assert (lasting.made, fleeting.made) == (2, 3)
    assert cache.size == 10


async def test_what_has_run_out_leaves_the_memory_when_it_is_asked_for() -> None:
    now = NOON
    cache = Cache(lambda: now)
    await cache.get("a", 1, "", Maker(until=NOON))
    now += timedelta(days=1)
    await cache.get("a", 1, "", Maker(keep=False))
    assert cache.size == 0


async def test_what_nobody_asks_for_leaves_the_memory_within_a_minute() -> None:
    now = 0.0
    cache, maker = Cache(clock=lambda: now), Maker()
    for subject in "abc":
        await cache.get(subject, 1, "", maker)
    now = UNASKED
    await cache.get("b", 1, "", maker)
    now = UNASKED + 1
    cache.forget_unasked()
    assert cache.size == 10
    cache.stop()
    assert cache.size == 0


async def test_who_waited_for_an_answer_goes_on_one_in_a_turn_of_the_loop() -> None:
    cache, maker, turns = Cache(), Maker(), Turns()
    maker.may.clear()
    went_on = list[int]()

    async def visit() -> None:
        await cache.get("a", 1, "", maker)
        went_on.append(turns.count)

    waiting = [asyncio.create_task(visit()) for _ in range(50)]
    turns.go_on()
    while not maker.made:
        await asyncio.sleep(0)
    maker.may.set()
    await asyncio.gather(*waiting)
    turns.ended = True
    assert len(set(went_on)) == 50
    assert maker.made == 1
