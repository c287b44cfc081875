"""One queue for each host: pace, places, patience, and what a redirect costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from relay.http import HostPolicy, Unreachable
from relay.http.lanes import USUAL, CrowdedError, Lane, Lanes, Slots
from tests.servers.feeds import Document, FeedServer
from tests.support.fetching import Names, answer, client


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with FeedServer() as running:
        yield running


SECOND = timedelta(seconds=1)
SPARED = HostPolicy(name="spared", connections=1, gaps={"spared.example": timedelta(minutes=1)}, patience=SECOND)


async def use(lane: Lane, patience: timedelta | None = None) -> None:
    async with lane.turn(patience):
        await asyncio.sleep(0)


async def turned_away(lane: Lane, patience: timedelta = SECOND) -> float:
    with pytest.raises(CrowdedError) as crowded:
        await use(lane, patience)
    return crowded.value.after.total_seconds()


async def test_who_is_turned_away_is_told_another_time_each_a_pace_apart() -> None:
    lane = Lane(1, 60.0)
    await use(lane)
    times = [await turned_away(lane) for _ in range(4)]
    assert times == pytest.approx([60, 120, 180, 240], abs=1)


async def test_a_host_that_hangs_holds_nobody_longer_than_they_like() -> None:
    lane = Lane(1, 0.0)
    hanging = asyncio.Event()

    async def hang() -> None:
        async with lane.turn():
            await hanging.wait()

    first = asyncio.create_task(hang())
    await asyncio.sleep(0)
    begun = asyncio.get_running_loop().time()
    away = await asyncio.gather(*(turned_away(lane, timedelta(milliseconds=50)) for _ in range(9)))
    assert asyncio.get_running_loop().time() - begun < 1
    assert len(set(away)) == 9
    hanging.set()
    await first
    await use(lane, SECOND)
    assert lane.is_idle(asyncio.get_running_loop().time() + 60)


async def test_a_queue_that_is_short_enough_is_waited_for() -> None:
    lane = Lane(1, 0.02)
    await asyncio.gather(*(use(lane, SECOND) for _ in range(9)))


async def test_a_cancelled_wait_is_no_longer_in_the_queue() -> None:
    lane = Lane(1, 0.0)
    async with lane.turn():
        waiting = asyncio.create_task(use(lane))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert lane.is_idle(asyncio.get_running_loop().time())


async def test_callers_of_another_manner_stand_in_another_queue_and_names_below_one_in_the_same() -> None:
    lanes = Lanes(2, SECOND)
    assert lanes.of("a.spared.example", SPARED) is lanes.of("B.spared.example.", SPARED)
    assert lanes.of("a.spared.example", USUAL) is not lanes.of("b.spared.example", USUAL)
    assert lanes.of("ayllu.example", USUAL) is lanes.of("AYLLU.example", USUAL)
    assert lanes.of("ayllu.example", USUAL) is not lanes.of("ayllu.example", SPARED)


# --- at a server ---


async def test_a_host_that_wants_more_time_is_given_it_under_all_its_names(server: FeedServer) -> None:
    names = Names(www_spared_example=[["127.0.0.1"]], old_spared_example=[["127.0.0.1"]], else_example=[["127.0.0.1"]])
    async with client(resolver=names) as http:
        answer(await http.get(f"http://www.spared.example:{server.port}/html", manner=SPARED))
        later = await http.get(f"http://old.spared.example:{server.port}/html", manner=SPARED)
        answer(await http.get(f"http://else.example:{server.port}/html", manner=SPARED))
        answer(await http.get(f"http://old.spared.example:{server.port}/html"))
    assert isinstance(later, Unreachable)
    assert later.paced
    assert later.after is not None
    assert timedelta(seconds=58) < later.after <= timedelta(seconds=60)
    assert server.asked("/html") == 3


async def test_a_redirect_within_such_a_host_is_one_request(server: FeedServer) -> None:
    """Or the second hop would be turned away, and so each time anew."""
    names = Names(spared_example=[["127.0.0.1"]], www_spared_example=[["127.0.0.1"]])
    target = f"http://www.spared.example:{server.port}/html"
    server.put("/here", Document(b"", status=301, headers={"Location": target}))
    server.put("/there", Document(b"", status=301, headers={"Location": "/here"}))
    async with client(resolver=names) as http, asyncio.timeout(30):
        assert answer(await http.get(f"http://spared.example:{server.port}/there", manner=SPARED)).moved == target


async def test_a_redirect_to_such_a_host_waits_for_its_turn(server: FeedServer) -> None:
    spared = HostPolicy(
        name="x", gaps={"spared.example": timedelta(milliseconds=300)}, patience=timedelta(milliseconds=10)
    )
    names = Names(spared_example=[["127.0.0.1"]], else_example=[["127.0.0.1"]])
    server.put("/go", Document(b"", status=302, headers={"Location": f"http://spared.example:{server.port}/html"}))
    loop = asyncio.get_running_loop()
    async with client(resolver=names) as http:
        answer(await http.get(f"http://spared.example:{server.port}/html", manner=spared))
        begun = loop.time()
        answer(await http.get(f"http://else.example:{server.port}/go", manner=spared))
    assert loop.time() - begun >= 0.25


async def test_a_manner_may_want_fewer_places_than_there_are_and_never_has_more() -> None:
    lanes = Lanes(3, timedelta(0))
    for wanted, places in ((1, 1), (None, 3), (9, 3)):
        lane, active, most = lanes.of("x.example", HostPolicy(name=str(wanted), connections=wanted)), 0, 0

        async def use_it(lane: Lane = lane) -> None:
            nonlocal active, most
            async with lane.turn():
                active += 1
                most = max(most, active)
                await asyncio.sleep(0)
                active -= 1

        await asyncio.gather(*(use_it() for _ in range(6)))
        assert most == places


# --- who hangs, and who waits ---


async def begin(lane: Lane, name: str, order: list[str], until: asyncio.Event | None = None) -> None:
    async with lane.turn(name=name):
        order.append(name)
        if until is not None:
            await until.wait()


async def test_what_hangs_lets_others_pass_and_is_asked_among_its_like_the_next_time() -> None:
    lane = Lane(1, 0.0, slow=0.01)
    hanging, order = asyncio.Event(), list[str]()
    hung = [asyncio.create_task(begin(lane, f"hang {number}", order, hanging)) for number in range(3)]
    await asyncio.sleep(0)
    await begin(lane, "good", order)
    assert order == ["hang 0", "hang 1", "hang 2", "good"]
    again = asyncio.create_task(begin(lane, "hang 0", order, hanging))
    await asyncio.sleep(0)
    await begin(lane, "good", order)  # it need not wait for that one any more
    assert order[4:] == ["good"]
    assert not again.done()
    hanging.set()
    await asyncio.gather(*hung, again)
    await begin(lane, "hang 0", order)
    assert lane.is_idle(asyncio.get_running_loop().time() + 1)


async def test_a_crowd_of_the_slow_is_told_so() -> None:
    lane = Lane(1, 0.0, slow=0.0)
    hanging, order = asyncio.Event(), list[str]()
    hung = [asyncio.create_task(begin(lane, name, order, hanging)) for name in ("a", "b")]
    await asyncio.sleep(0)
    await begin(lane, "good", order)
    with pytest.raises(CrowdedError) as crowded:
        async with lane.turn(timedelta(milliseconds=1), "a"):
            pass
    assert crowded.value.why == "it was slow, and 2 others that are slow are asked there now"
    hanging.set()
    await asyncio.gather(*hung)


async def test_who_was_turned_away_comes_before_those_who_came_later() -> None:
    lane = Lane(1, 0.0)
    busy, order = asyncio.Event(), list[str]()
    first = asyncio.create_task(begin(lane, "first", order, busy))
    await asyncio.sleep(0)
    with pytest.raises(CrowdedError):
        async with lane.turn(timedelta(milliseconds=1), "early"):
            pass
    later = asyncio.create_task(begin(lane, "later", order))
    await asyncio.sleep(0)
    early = asyncio.create_task(begin(lane, "early", order))
    await asyncio.sleep(0)
    busy.set()
    await asyncio.gather(first, later, early)
    assert order == ["first", "early", "later"]


async def test_who_was_turned_away_is_not_turned_away_again_for_those_who_came_later() -> None:
    lane = Lane(1, 0.2)
    busy, order = asyncio.Event(), list[str]()
    first = asyncio.create_task(begin(lane, "first", order, busy))
    await asyncio.sleep(0)
    with pytest.raises(CrowdedError):
        async with lane.turn(timedelta(milliseconds=100), "early"):
            pass
    later = [asyncio.create_task(begin(lane, "later", order)) for _ in range(3)]
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(busy.set)
    async with lane.turn(timedelta(milliseconds=400), "early"):  # the pace of one, not of four
        order.append("early")
    await asyncio.gather(first, *later)
    assert order[:2] == ["first", "early"]


async def test_an_operator_who_allows_many_connections_allows_them_to_feeds_too() -> None:
    one_at_a_time = HostPolicy(name="feeds", connections=1)
    for connections, at_once in ((2, 1), (64, 64)):
        lane = Lanes(connections, timedelta(0), least=connections if connections > 2 else 1).of(
            "a.example", one_at_a_time
        )
        busy, order = asyncio.Event(), list[str]()
        tasks = [asyncio.create_task(begin(lane, str(number), order, busy)) for number in range(65)]
        await asyncio.sleep(0)
        assert len(order) == at_once
        busy.set()
        await asyncio.gather(*tasks)


async def test_who_is_cancelled_as_a_place_becomes_free_neither_takes_nor_keeps_it() -> None:
    places = Slots(1)
    await places.take(0.0)
    cancelled, next_one = (asyncio.create_task(places.take(since)) for since in (1.0, 2.0))
    await asyncio.sleep(0)
    cancelled.cancel()  # its future is cancelled at once, and it hears of that in the next turn of the loop
    places.leave()
    await next_one
    assert (await asyncio.gather(cancelled, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    places.leave()
    assert (places.taken, len(places)) == (0, 0)
