"""What happens on Matrix is heard once and in order: as a table, and over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adapters.matrix.listening import UPDATES, MatrixPauses
from adapters.matrix.shapes import MatrixEvent, SyncBatch, SyncRoom, read
from adapters.matrix.sync import Entered, Invited, Left, News, Replaced, RoomMessage, Sealed, news
from relay.kit import MOST_WAITING
from relay.ports import Answer, Command
from relay.testing import FakeInbox, text
from tests.servers.matrix import RESET, Garbage, Limited, MatrixServer, Refuse, Slow, Status
from tests.support.matrix_world import QUICK, US, listening, listening_in_vain, of_member, written


@pytest.fixture
async def server() -> AsyncIterator[MatrixServer]:
    async with MatrixServer() as started:
        yield started


# --- what an answer to /sync means; pure ---

PLAZA, SAMI = "!plaza", "@sami:ayllu.example"
START = datetime(2026, 7, 1, 12, tzinfo=UTC)
NOW = int(START.timestamp() * 1000)
LINE = written("!relay help", origin_server_ts=NOW)
OTHER = written("!relay status", event_id="$other", origin_server_ts=NOW)
EARLY = written("!relay help", origin_server_ts=NOW - 1)
OURS = written("!relay help", sender=US, origin_server_ts=NOW)
JOIN = of_member(US, "join", origin_server_ts=NOW, unsigned={"prev_content": {"membership": "invite"}})
RENAMED = of_member(US, "join", event_id="$name", unsigned={"prev_content": {"membership": "join"}})
ENCRYPTION = MatrixEvent("m.room.encryption", SAMI, {"algorithm": "x"}, state_key="")
TOMBSTONE = MatrixEvent("m.room.tombstone", SAMI, {"replacement_room": "!agora"}, state_key="")
HEARD, CAME = RoomMessage(room=PLAZA, event=LINE), Entered(room=PLAZA, event="$join")


def inside(*timeline: MatrixEvent, state: tuple[MatrixEvent, ...] = (), before: bool = True) -> list[News]:
    """The news of a room that we are in, and perhaps were in before."""
    batch = SyncBatch("s2", joined=(SyncRoom(PLAZA, state, timeline),))
    return list(news(batch, US, [PLAZA] if before else [], START))


def test_of_a_room_in_which_we_were_all_is_heard_but_what_is_old_or_our_own() -> None:
    assert inside(EARLY, LINE, OURS, OTHER) == [HEARD, RoomMessage(room=PLAZA, event=OTHER)]


def test_of_a_room_that_we_have_joined_only_what_follows_is_heard() -> None:
    """Else whoever lets us in could have us do what somebody wrote there long ago."""
    assert inside(LINE, JOIN, OTHER, before=False) == [CAME, RoomMessage(room=PLAZA, event=OTHER)]
    assert inside(LINE, JOIN, OTHER) == [CAME, RoomMessage(room=PLAZA, event=OTHER)], "we were out of it meanwhile"


def test_where_more_was_said_since_we_joined_than_is_told_our_join_is_in_the_state() -> None:
    assert inside(LINE, state=(JOIN,), before=False) == [CAME, HEARD]
    assert inside(LINE, before=False) == [], "nobody knows whether that was before us"


def test_a_change_of_our_name_is_no_coming_in() -> None:
    assert inside(LINE, RENAMED) == [HEARD]
    assert inside(JOIN, RENAMED, LINE, before=False) == [CAME, HEARD]


def test_our_join_of_long_ago_which_is_told_again_beside_what_we_say_is_none_either() -> None:
    """Synapse does that for clients that load members lazily."""
    assert inside(OURS, LINE, state=(JOIN,)) == [HEARD]


def test_encryption_and_a_successor_are_heard_of_even_behind_a_gap() -> None:
    assert inside(ENCRYPTION, LINE) == [Sealed(room=PLAZA), HEARD]
    assert inside(LINE, state=(ENCRYPTION,)) == [Sealed(room=PLAZA), HEARD]
    assert inside(TOMBSTONE) == [Replaced(room=PLAZA, by=SAMI, successor="!agora")]


def test_of_the_present_state_nothing_is_obeyed_and_invitations_are() -> None:
    asked = SyncRoom("!other", (of_member(US, "invite", sender=SAMI, content={"is_direct": True}),))
    batch = SyncBatch("s1", joined=(SyncRoom(PLAZA, (ENCRYPTION,), (LINE, JOIN, OTHER, TOMBSTONE)),), invited=(asked,))
    invited = Invited(room="!other", by=(SAMI,), direct=True)
    assert list(news(batch, US, [], None)) == [invited, Sealed(room=PLAZA)]
    met = Entered(room=PLAZA, event="$join", earlier=True)
    assert list(news(batch, US, [], None, JOIN.when)) == [invited, met, Sealed(room=PLAZA)], "nothing of ours follows"
    assert list(news(batch, US, [], None, JOIN.when + timedelta(seconds=1))) == [invited, Sealed(room=PLAZA)]
    said = SyncBatch("s1", joined=(SyncRoom(PLAZA, (), (JOIN, OURS, LINE)),))
    assert list(news(said, US, [], None, JOIN.when)) == []


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([of_member(US, "leave", sender=SAMI)], Left(room=PLAZA, by=SAMI)),
        ([LINE, of_member(US, "ban", sender=SAMI)], Left(room=PLAZA, by=SAMI, banned=True)),
        ([of_member(US, "leave")], Left(room=PLAZA, by=US)),
        ([of_member(SAMI, "leave")], Left(room=PLAZA)),
        ([], Left(room=PLAZA)),
    ],
    ids=["put out", "banned", "left", "somebody else besides", "nobody knows"],
)
def test_how_we_left(events: list[MatrixEvent], expected: News) -> None:
    batch = SyncBatch("s2", left=(SyncRoom(PLAZA, (), tuple(events)),))
    assert list(news(batch, US, [PLAZA], START)) == [expected]
    assert list(news(batch, US, [], START)) == [], "an invitation was taken back"


def test_invited_anew_we_were_put_out_before() -> None:
    batch = SyncBatch("s2", invited=(SyncRoom(PLAZA, (of_member(US, "invite", sender=SAMI),)),))
    assert list(news(batch, US, [PLAZA], START)) == [Left(room=PLAZA), Invited(room=PLAZA, by=(SAMI,))]


def test_all_who_are_told_to_have_invited_us_count() -> None:
    """The first homeserver on the way can put in what it wants."""
    forged = of_member(US, "invite", sender="@owner:ayllu.example")
    batch = SyncBatch("s2", invited=(SyncRoom(PLAZA, (forged, of_member(US, "invite", sender=SAMI))),))
    assert list(news(batch, US, [], START)) == [Invited(room=PLAZA, by=("@owner:ayllu.example", SAMI))]


# --- what has another shape ---

GOOD = {"type": "m.room.message", "sender": SAMI, "event_id": "$1", "content": {"body": "x"}}


def told_of(*events: Any) -> dict[str, Any]:
    return {"next_batch": "s1", "rooms": {"join": {PLAZA: {"timeline": {"events": list(events)}}}}}


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "x",
        {},
        {**GOOD, "sender": 5},
        {**GOOD, "content": "x"},
        {**GOOD, "event_id": None},
        {**GOOD, "origin_server_ts": "now"},
        {**GOOD, "unsigned": []},
    ],
)
def test_a_strange_event_is_left_out_and_the_next_is_read(bad: Any) -> None:
    (room,) = read(told_of(bad, GOOD)).joined
    assert [one.event_id for one in room.timeline] == ["$1"]


@pytest.mark.parametrize(
    "rooms",
    [
        None,
        5,
        {"join": []},
        {"join": {PLAZA: None}},
        {"join": {PLAZA: {"timeline": [], "summary": 5}}},
        {"join": {"x": {}}},
    ],
)
def test_strange_rooms_are_left_out(rooms: Any) -> None:
    assert read({"next_batch": "s1", "rooms": rooms}).position == "s1"
    assert not any(room.events for room in read({"next_batch": "s1", "rooms": rooms}).joined)


def test_how_many_are_in_a_room_is_told_now_and_then() -> None:
    told = told_of()
    assert read(told).joined[0].members is None
    told["rooms"]["join"][PLAZA]["summary"] = {"m.joined_member_count": 3}
    assert read(told).joined[0].members == 3


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "sender", "content", "events", "join", "unsigned", "state_key", "m.relates_to"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(ANY, ANY, ANY)
def test_whatever_is_told_nothing_raises(event: Any, content: Any, rooms: Any) -> None:
    told = told_of(event, {**GOOD, "content": content}, {**GOOD, "origin_server_ts": content, "unsigned": event})
    told["rooms"] |= {"invite": rooms, "leave": {PLAZA: rooms}}
    for one in (event, told):
        for since in (None, START):
            list(news(read(one), US, [PLAZA], since))


@given(st.integers())
def test_a_time_that_is_none_is_long_ago(number: int) -> None:
    assert MatrixEvent("x", SAMI, origin_server_ts=number).when.tzinfo is UTC


# --- the loop ---


async def test_what_stood_there_before_the_start_is_not_obeyed(server: MatrixServer) -> None:
    sami = server.person("sami")
    room = server.add_room(sami, members=[server.bot])
    await server.say(room, sami, "!relay pause")
    async with listening(server) as relay:
        assert (await relay.asked(room, sami, "!relay status")).name == "status"
        assert relay.inbox.commands.empty()


async def test_what_stood_there_before_we_came_is_not_obeyed(server: MatrixServer) -> None:
    sami = server.person("sami")
    room = server.add_room(sami)
    await server.say(room, sami, "!relay pause")
    async with listening(server) as relay:
        server.invite(room, sami)
        await server.wait_until(lambda: server.sent(room))
        assert (await relay.asked(room, sami, "!relay status")).name == "status"
        assert relay.inbox.commands.empty()


async def test_what_comes_late_from_elsewhere_is_not_obeyed(server: MatrixServer) -> None:
    sami = server.person("sami")
    room = server.add_room(sami, members=[server.bot])
    ahead = replace(QUICK, now=lambda: datetime.now(UTC) + timedelta(minutes=3))
    async with listening(server, timing=ahead) as relay:
        await server.say(room, sami, "!relay status")
        await server.heard()
        assert relay.inbox.commands.empty()


@pytest.mark.parametrize("effect", [RESET, Status(502), Garbage(), Garbage(404), Limited(0.05)], ids=repr)
async def test_trouble_is_told_once_and_its_end_too(server: MatrixServer, effect: Any) -> None:
    sami = server.person("sami")
    room = server.add_room(sami, members=[server.bot])
    with capture_logs() as logs:
        async with listening(server) as relay:
            server.faults.add("sync", effect, 4)
            assert (await relay.asked(room, sami, "!relay status")).name == "status"
            await server.wait_until(lambda: not server.faults.left)
            assert (await relay.asked(room, sami, "!relay status")).name == "status"
            await server.polled()
    about = [one["event"] for one in logs if one.get("what") == UPDATES]
    assert about == ["does not work", "works again"]


async def test_a_limit_is_waited_for_as_long_as_it_says(server: MatrixServer) -> None:
    patient = replace(QUICK, pauses=MatrixPauses(poll=0.01, first=0.001, longest=0.001, empty=0.001))
    async with listening(server, timing=patient):
        server.faults.add("sync", Limited(0.3))
        await server.wait_until(lambda: not server.faults.left)
        limited = asyncio.get_running_loop().time()
        before = len(server.asked("sync"))
        await server.wait_until(lambda: len(server.asked("sync")) > before)
        assert asyncio.get_running_loop().time() - limited >= 0.25


async def test_a_position_that_is_forgotten_is_a_new_beginning(server: MatrixServer) -> None:
    """What happened meanwhile may be old by then, and is not obeyed; what comes after is."""
    sami = server.person("sami")
    room, lost = (server.add_room(sami, members=[server.bot]) for _ in range(2))
    async with listening(server) as relay:
        server.faults.add("sync", Refuse(400, "M_INVALID_PARAM"), count=None)
        await relay.asked(room, sami, "!relay status")
        await server.wait_until(lambda: any("since" not in one.query for one in server.asked("sync")[1:]))
        server.kick(lost, sami)
        await server.say(room, sami, "!relay pause")
        server.faults.clear()
        assert (await relay.lost())[0] == {f"matrix:{lost.id}"}
        await server.heard()
        assert (await relay.asked(room, sami, "!relay status")).name == "status"


async def test_a_token_that_is_refused_ends_it_with_one_loud_line(server: MatrixServer) -> None:
    with capture_logs() as logs:
        async with listening(server) as relay:
            server.revoke_token()
            server.add_room(server.person("sami"), members=[server.bot])
            await asyncio.wait_for(relay.running, 30)
    assert [one["event"] for one in logs if one["log_level"] == "error"] == ["token refused"]


async def test_with_a_password_a_token_that_lapses_is_renewed(server: MatrixServer) -> None:
    sami = server.person("sami")
    room = server.add_room(sami, members=[server.bot])
    with capture_logs() as logs:
        async with listening(server, token=None, password=server.password) as relay:
            server.revoke_token()
            assert (await relay.asked(room, sami, "!relay status")).name == "status"
    assert [one for one in logs if one["log_level"] == "error"] == []


async def test_a_wrong_password_ends_it_too(server: MatrixServer) -> None:
    with capture_logs() as logs:
        async with listening_in_vain(server, token=None, password="no") as running:
            await asyncio.wait_for(running, 30)
    assert [one["event"] for one in logs if one["log_level"] == "error"] == ["token refused"]


async def test_a_token_of_somebody_else_ends_it_with_a_line_that_says_whose(server: MatrixServer) -> None:
    with capture_logs() as logs:
        async with listening_in_vain(server, user="@another:ayllu.example") as running:
            await asyncio.wait_for(running, 30)
    (line,) = [one for one in logs if one["log_level"] == "error"]
    assert line["user"] == server.bot


async def test_it_stops_at_once_though_an_answer_is_under_way(server: MatrixServer) -> None:
    sami = server.person("sami")
    room = server.add_room(sami, members=[server.bot])
    inbox = FakeInbox(hold=asyncio.Event())
    server.faults.add("get_state", Slow(30), count=None)
    async with listening(server, inbox=inbox) as relay:
        await server.say(room, sami, "!relay status")
        await server.wait_until(lambda: server.asked("get_state"))
        began = asyncio.get_running_loop().time()
        relay.running.cancel()
        await asyncio.wait([relay.running], timeout=5)
        assert asyncio.get_running_loop().time() - began < 1.5
    server.faults.clear()


# --- rooms beside each other ---


class Held(FakeInbox):
    """Holds the answers about one room."""

    def __init__(self, held: str) -> None:
        super().__init__()
        self.held, self.gate = held, asyncio.Event()

    async def answer(self, command: Command) -> Answer:
        self.commands.put_nowait(command)
        if command.destination.address == self.held:
            await self.gate.wait()
        return Answer(text=text(f"{command.name}."))


async def test_one_room_waits_for_no_other_and_is_answered_in_order(server: MatrixServer) -> None:
    sami = server.person("sami")
    slow, quick = (server.add_room(sami, members=[server.bot]) for _ in range(2))
    inbox = Held(slow.id)
    async with listening(server, inbox=inbox) as relay:
        await relay.asked(slow, sami, "!relay status")
        await server.say(slow, sami, "!relay help")
        assert await relay.told(quick, sami, "!relay status") == "status."
        assert server.sent(slow) == []
        inbox.gate.set()
        await server.wait_until(lambda: len(server.sent(slow)) == 2)
        assert [one.splitlines()[0] for one in server.bodies(slow)] == ["status.", "help."]


async def test_a_flood_in_one_room_is_cut_and_what_we_must_know_is_not(server: MatrixServer) -> None:
    sami = server.person("sami")
    room = server.add_room(sami, members=[server.bot])
    inbox = Held(room.id)
    with capture_logs() as logs:
        async with listening(server, inbox=inbox) as relay:
            await relay.asked(room, sami, "!relay status")
            for _ in range(MOST_WAITING + 5):
                await server.say(room, sami, "!relay status")
                await server.heard()
            server.kick(room, sami)
            await server.heard()
            inbox.gate.set()
            assert (await relay.lost())[0] == {f"matrix:{room.id}"}
            assert inbox.commands.qsize() == MOST_WAITING
    assert [one["event"] for one in logs].count(
        "a room asks faster than it can be answered; some of it is left out"
    ) >= 1


async def test_what_people_talk_about_costs_nothing(server: MatrixServer) -> None:
    """In a room with many, only lines that begin with the prefix make us ask anything."""
    sami = server.person("sami")
    room = server.add_room(sami, members=[server.bot, server.person("illa")])
    async with listening(server) as relay:
        for line in ("Good morning", "help", "status of the bridge?"):
            await server.say(room, sami, line)
        await relay.asked(room, sami, "!relay status")
        await server.say(room, sami, "help me")
        await relay.asked(room, sami, "!relay status")
        assert len(server.asked("joined_members")) <= 1


@pytest.mark.parametrize("prefix", ["!relay", "!Chasqui"])
async def test_the_prefix_is_the_operators(server: MatrixServer, prefix: str) -> None:
    sami = server.person("sami")
    room = server.add_room(sami, members=[server.bot])
    async with listening(server, prefix=prefix) as relay:
        assert (await relay.asked(room, sami, f"{prefix.upper()} status")).name == "status"
