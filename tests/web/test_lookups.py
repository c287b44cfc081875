"""Many questions are answered by one look, which began after all of them were asked."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pytest

from relay.records import StoreError
from relay.web.lookups import Rounds, VisitorTurns
from relay.web.pacer import Pacer


@dataclass
class Slow:
    """A store that answers what it saw when the look began, once it may."""

    state: int = 0
    looks: list[tuple[str, ...]] = field(default_factory=list)
    may: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: Exception | None = None

    async def look(self, keys: Collection[str]) -> Mapping[str, int]:
        self.looks.append(tuple(keys))
        state = self.state
        self.begun.set()
        await self.may.wait()
        if self.trouble:
            raise self.trouble
        return {key: state for key in keys if key != "nothing"}


async def test_all_who_ask_while_a_look_is_under_way_are_answered_by_the_next() -> None:
    """What changed meanwhile, by whomever, is seen by everybody who asked after it."""
    slow = Slow()
    rounds = Rounds(slow.look, Pacer())
    first = asyncio.create_task(rounds.get("a"))
    await slow.begun.wait()
    slow.state = 1
    later = [asyncio.create_task(rounds.get(key)) for key in ("a", "b", "a", "nothing") * 20]
    await asyncio.sleep(0)
    slow.may.set()
    assert await first == 0
    assert await asyncio.gather(*later) == [1, 1, 1, None] * 20
    assert slow.looks == [("a",), ("a", "b", "nothing")]
    assert await rounds.get("b") == 1
    assert len(slow.looks) == 3


async def test_trouble_is_told_to_all_and_not_kept() -> None:
    slow = Slow(trouble=StoreError("gone"))
    slow.may.set()
    rounds = Rounds(slow.look, Pacer())
    told = await asyncio.gather(*(rounds.get(key) for key in "aab"), return_exceptions=True)
    assert all(isinstance(each, StoreError) for each in told)
    slow.trouble = None
    assert await rounds.get("a") == 0


async def test_who_hangs_up_takes_the_answer_from_nobody() -> None:
    slow = Slow()
    rounds = Rounds(slow.look, Pacer())
    asked = [asyncio.create_task(rounds.get("a")) for _ in range(3)]
    await slow.begun.wait()
    asked[0].cancel()
    slow.may.set()
    assert await asyncio.gather(*asked[1:]) == [0, 0]


async def test_it_can_be_stopped_while_somebody_waits() -> None:
    slow = Slow()
    rounds = Rounds(slow.look, Pacer())
    asked = [asyncio.create_task(rounds.get("a"))]
    await slow.begun.wait()
    asked.append(asyncio.create_task(rounds.get("b")))
    await asyncio.sleep(0)
    rounds.stop()
    for each in asked:
        with pytest.raises(asyncio.CancelledError):
            await each


async def test_of_all_that_visitors_ask_two_things_are_asked_of_the_store_at_a_time() -> None:
    """So what the relay itself asks waits for two of them, however many visitors there are."""
    slow, turns = Slow(), VisitorTurns()
    asked = [asyncio.create_task(turns.take(slow.look, (f"{number}",))) for number in range(20)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(slow.looks) == 2
    slow.may.set()
    await asyncio.gather(*asked)
    assert len(slow.looks) == 20
