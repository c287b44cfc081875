"""What the networks' packages share: what an answer means, and what stands between a socket and the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from relay.http import BarredError, FloodError, Forbidden, HttpResponse, Unreachable
from relay.ports import Gone, TryLater
from relay.sources.kit import Buffer, Buffered, Missing, Ok, judge, trouble_of

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
URL = "https://ayllu.example/api"
FEEDS = ["#puno", "#cusco"]


def answered(status: int, **headers: str) -> Ok | Missing | TryLater | Gone:
    reply = HttpResponse(
        status=status, url=URL, headers={key.replace("_", "-"): text for key, text in headers.items()}, body=b"{}"
    )
    return judge(reply, NOW, lambda answer, host, _: Missing(host, answer.status))


def test_a_good_answer_says_where_it_is_from_and_how_long_to_wait() -> None:
    assert answered(200, retry_after="60") == Ok(b"{}", URL, timedelta(minutes=1))
    assert Ok(b"", URL).host == "ayllu.example"


def test_a_limit_is_a_matter_of_time_and_the_rest_is_read_by_the_protocol() -> None:
    limited = answered(429, retry_after="60")
    assert isinstance(limited, TryLater)
    assert limited.after == timedelta(minutes=1)
    assert answered(404) == Missing("ayllu.example", 404)


def test_no_answer_is_for_later_unless_the_address_is_forbidden() -> None:
    def judged(reply: Forbidden | Unreachable) -> object:
        return judge(reply, NOW, lambda _, host, __: Missing(host))

    assert judged(Forbidden("it is private")) == Gone("it is private")
    paced = Unreachable("others come first", timedelta(seconds=3), paced=True)
    assert judged(paced) == TryLater("others come first", timedelta(seconds=3), paced=True)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BarredError("all addresses are private"), "may not be reached: all addresses are private"),
        (FloodError("tells too much"), "tells too much"),
        (TimeoutError(), "did not answer in time"),
        (aiohttp.ClientPayloadError("with a token in it"), "broke the connection"),
    ],
)
def test_why_a_socket_broke_is_told_without_the_error_s_own_words(error: Exception, words: str) -> None:
    assert trouble_of(error) == words


# --- the buffer ---


def buffer(**options: float) -> Buffer[int]:
    return Buffer(lambda: FEEDS, capacity=4, at_once=None if "linger" in options else 3, **options)  # type: ignore[arg-type]  # floats


async def take(one: Buffer[int]) -> Buffered[int]:
    async with asyncio.timeout(5):
        taken = await one.take()
    assert taken is not None
    return taken


@asynccontextmanager
async def taking(one: Buffer[int]) -> AsyncIterator[asyncio.Task[Buffered[int] | None]]:
    task = asyncio.create_task(one.take())
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_came_is_taken_in_its_order_some_at_a_time() -> None:
    one = buffer()
    one.put([1, 2])
    one.put([3, 4])
    assert [(await take(one)).items, (await take(one)).items] == [(1, 2, 3), (4,)]
    async with taking(one) as waiting:
        assert not waiting.done()


async def test_whoever_fills_it_waits_for_room() -> None:
    one, full = buffer(), []
    for number in range(5):
        one.put([number])
        full.append(one.is_full)
    assert full == [False, False, False, True, True]
    room = asyncio.create_task(one.room())
    await asyncio.sleep(0)
    assert not room.done()
    await take(one)
    async with asyncio.timeout(5):
        await room


async def test_what_was_lost_is_told_by_feed_or_of_all_and_once() -> None:
    one = buffer()
    one.miss(["#puno"])
    assert (await take(one)).missed == ("#puno",)
    one.miss()
    assert (await take(one)).missed == ("#cusco", "#puno")
    one.miss([])
    assert (await take(one)).missed == ()


async def test_a_remark_is_news_where_it_is_another_one() -> None:
    one = buffer()
    one.remark("it is closed")
    assert (await take(one)).note == "it is closed"
    one.remark("it is closed")
    async with taking(one) as waiting:
        assert not waiting.done()
        one.remark("")
        taken = await asyncio.wait_for(waiting, 5)
    assert taken is not None
    assert taken.note == ""


async def test_where_nothing_comes_it_is_told_how_far_was_read() -> None:
    one = buffer(rest=0.001)
    one.reach(7)
    assert (await take(one)) == Buffered(items=(), missed=(), note="", read_to=7)


async def test_how_far_was_read_is_told_with_the_last_of_it() -> None:
    one = buffer()
    one.put([1, 2, 3, 4])
    one.reach(7)
    assert [(await take(one)).read_to, (await take(one)).read_to] == [0, 7]


async def test_what_comes_together_is_taken_together() -> None:
    one = buffer(linger=60)
    one.put([1])
    async with taking(one) as waiting:
        one.put([2, 3, 4])
        taken = await asyncio.wait_for(waiting, 5)
    assert taken is not None
    assert taken.items == (1, 2, 3, 4)
    async with taking(one) as waiting:
        assert not waiting.done()


@pytest.mark.parametrize("error", [None, ZeroDivisionError()])
async def test_at_the_end_what_is_there_is_given_out_and_then_the_error(error: Exception | None) -> None:
    one = buffer()
    one.put([1])
    one.end(error)
    assert (await take(one)).items == (1,)
    if error is None:
        assert await one.take() is None
    else:
        with pytest.raises(ZeroDivisionError):
            await one.take()
