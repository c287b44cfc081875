"""What every adapter needs to talk with people: an order in each room, an answer whatever happens, a line read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from structlog.testing import capture_logs

from relay.core.commands import Mistake, command_of
from relay.i18n import words
from relay.kit import (
    MOST_WAITING,
    MessageIds,
    RoomQueues,
    answered,
    failed,
    options_in,
    places_in,
    readable,
    said,
    shortened,
)
from relay.model import MessageId
from relay.ports import Refused
from relay.rich import SpanStyle
from relay.text import text_content

SAY = words("en")


@dataclass
class Rooms:
    """Handles (room, word); each waits until its room is open."""

    open: dict[str, asyncio.Event] = field(default_factory=dict)
    handled: list[tuple[str, str]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, one: tuple[str, str]) -> None:
        room, word = one
        if room in self.open:
            await self.open[room].wait()
        if word == "bug":
            raise ZeroDivisionError
        self.handled.append(one)
        self.news.set()

    async def until(self, *expected: tuple[str, str]) -> None:
        async with asyncio.timeout(5):
            while self.handled != [*expected]:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def turns(rooms: Rooms) -> AsyncIterator[RoomQueues[tuple[str, str]]]:
    taking = RoomQueues(rooms.handle, room=lambda one: one[0], must=lambda one: one[1] == "must")
    try:
        yield taking
    finally:
        await taking.close()


async def test_one_room_waits_for_itself_and_for_no_other() -> None:
    rooms = Rooms(open={"plaza": asyncio.Event()})
    async with turns(rooms) as taking:
        for one in (("plaza", "1"), ("plaza", "2"), ("hall", "1")):
            taking.take(one)
        await rooms.until(("hall", "1"))
        rooms.open["plaza"].set()
        await rooms.until(("hall", "1"), ("plaza", "1"), ("plaza", "2"))


async def test_a_bug_costs_what_it_happened_in_and_nothing_after_it() -> None:
    rooms = Rooms()
    with capture_logs() as logs:
        async with turns(rooms) as taking:
            taking.take(("plaza", "bug"))
            taking.take(("plaza", "1"))
            await rooms.until(("plaza", "1"))
    assert [(one["log_level"], one["room"]) for one in logs] == [("error", "plaza")]


async def test_what_waited_for_something_that_was_cancelled_costs_nothing_after_it() -> None:
    handled = asyncio.Event()

    async def handle(one: str) -> None:
        if one == "second":
            handled.set()
        else:
            await cancelled()

    async def cancelled() -> None:
        raise asyncio.CancelledError

    taking = RoomQueues(handle, room=lambda _: "plaza", must=lambda _: True)
    taking.take("first")
    taking.take("second")
    async with asyncio.timeout(5):
        await handled.wait()
    await taking.close()


async def test_of_a_flood_some_is_left_out_but_for_what_must_be_known() -> None:
    rooms = Rooms(open={"plaza": asyncio.Event()})
    with capture_logs() as logs:
        async with turns(rooms) as taking:
            for number in range(MOST_WAITING + 3):
                taking.take(("plaza", str(number)))
            taking.take(("plaza", "must"))
            rooms.open["plaza"].set()
            await rooms.until(*[("plaza", str(number)) for number in range(MOST_WAITING)], ("plaza", "must"))
    assert [one["room"] for one in logs] == ["plaza"]


async def test_what_ends_in_a_bug_or_takes_too_long_is_answered_too() -> None:
    async def works() -> str:
        return "done"

    async def breaks() -> str:
        raise ZeroDivisionError

    async def hangs() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    with capture_logs() as logs:
        answers = [await answered(work(), SAY, within=within) for work, within in ((works, 5), (breaks, 5), (hangs, 0))]
    assert answers[0] == "done"
    assert all(isinstance(one, Refused) and one.reason for one in answers[1:])
    assert [one["event"] for one in logs] == ["a command failed"]


def test_the_values_of_a_sentence_are_code_and_a_reason_is_told_as_it_is() -> None:
    assert [span.marks for span in said("Write {command} here.", command="/help")[0].spans] == [
        (),
        (SpanStyle.CODE,),
        (),
    ]
    answer = failed("no {place} here")
    assert answer.failed
    assert text_content(answer.text) == "no {place} here"


@pytest.mark.parametrize(("text", "shown"), [("12345", "12345"), ("123456", "1234…")])
def test_a_label_is_shortened_to_what_fits(text: str, shown: str) -> None:
    assert shortened(text, 5) == shown


class Options(BaseModel):
    silent: bool | None = None
    rich: bool | None = None


@pytest.mark.parametrize(
    ("rest", "left", "chosen"),
    [
        ("#Puno", "#Puno", None),
        ("#Puno silent=yes", "#Puno", {"silent": True}),
        ("--rich=no #Puno silent=default", "#Puno", {"rich": False, "silent": None}),
        ("#Puno notsilent=yes", "#Puno notsilent=yes", None),
    ],
)
def test_options_of_the_platform_s_own_are_read_out_of_a_line(rest: str, left: str, chosen: object) -> None:
    read = options_in(rest, "subscribe", Options, SAY, example="silent=yes")
    assert not isinstance(read, Refused)
    assert (read[0], json.loads(read[1]) if read[1] else None) == (left, chosen)


def test_an_option_that_makes_no_sense_is_explained() -> None:
    read = options_in("#Puno silent=perhaps", "settings", Options, SAY, example="silent=yes")
    assert isinstance(read, Refused)
    assert "silent, rich" in read.reason


def test_commands_that_choose_nothing_have_no_options() -> None:
    assert options_in("silent=yes", "unroll", Options, SAY, example="silent=yes") == ("silent=yes", "")


@pytest.mark.parametrize(
    ("line", "places"),
    [
        ("subscribe #Puno", ([], [])),
        ("subscribe #Puno @plaza", ([], ["@plaza"])),
        ("subscribe #Puno channel=@hall", (["@hall"], [])),
        ("help @plaza", ([], [])),
    ],
)
def test_a_place_is_told_from_what_else_is_typed(line: str, places: object) -> None:
    parsed = command_of(line)
    assert not isinstance(parsed, Mistake)
    given, typed, named = places_in(parsed, lambda word: word.startswith("@"))
    assert (typed, named) == places
    assert "channel" not in given


IDS = MessageIds("{kind}/{room}/{number}", kind="text|picture", room=r"[^/]{1,20}", number=r"\d{1,10}")


@given(st.sampled_from(["text", "picture"]), st.from_regex(r"[^/]{1,20}", fullmatch=True), st.integers(0, 10**10 - 1))
def test_what_is_written_of_a_message_is_read_again(kind: str, room: str, number: int) -> None:
    text = IDS.write(kind=kind, room=room, number=number)
    assert IDS.read(text) == {"kind": kind, "room": room, "number": str(number)}


def test_what_another_adapter_wrote_is_left_alone() -> None:
    foreign = [MessageId(text) for text in ("", "text/1", "text//1", "sound/1/1", "text/1/1/1", "text/1/x")]
    ours = MessageId("text/1/1")
    assert readable([*foreign, ours], IDS.read) == ({"kind": "text", "room": "1", "number": "1"},)
