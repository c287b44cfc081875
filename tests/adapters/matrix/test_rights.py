"""Who may manage what, as the homeserver says at the moment: rooms, direct rooms, and rooms named from elsewhere."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.matrix.rights import Powers, level, needed_to_post
from tests.servers.matrix import RESET, MatrixServer, Person, Refuse, Room, Status
from tests.support.matrix_world import listening


@pytest.fixture
async def server() -> AsyncIterator[MatrixServer]:
    async with MatrixServer() as started:
        yield started


SAMI, ILLA, WAYRA = "@sami:ayllu.example", "@illa:ayllu.example", "@wayra:ayllu.example"


def made(version: object = "12", **content: Any) -> dict[str, Any]:
    return {"type": "m.room.create", "sender": SAMI, "content": {"room_version": version, **content}}


# --- what counts; pure ---


@pytest.mark.parametrize(
    ("create", "levels", "sami", "illa", "wayra"),
    [
        (made("12"), {}, math.inf, 0, 0),
        (made("12", additional_creators=[ILLA]), {"users": {WAYRA: 50}}, math.inf, math.inf, 50),
        (made("12", additional_creators=5), {"users": {WAYRA: 50}}, 0, 0, 50),
        (made("12", additional_creators=ILLA), {"users": {WAYRA: 50}}, math.inf, 0, 50),
        (made("org.example.new"), {}, math.inf, 0, 0),
        (made("11"), {"users": {ILLA: 50}}, 0, 50, 0),
        (made("11"), {"users": {SAMI: 100, ILLA: 50}, "users_default": 10}, 100, 50, 10),
        (made("11"), {"users": {SAMI: -5}}, -5, 0, 0),
        (made("9"), {"users": {SAMI: "100"}, "users_default": "7"}, 100, 7, 7),
        (made("11"), None, 100, 0, 0),
        (made("12"), None, math.inf, 0, 0),
        (made("11"), {"users": "x"}, -1, -1, -1),
        (made("11"), {"users": {ILLA: None}}, 0, -1, 0),
        (made("12"), {"users": []}, math.inf, -1, -1),
        ({"type": "m.room.create"}, {"users": {ILLA: 50}}, 0, 50, 0),
        ({"content": 5, "sender": SAMI}, None, 100, 0, 0),
    ],
)
def test_power_levels(
    create: dict[str, Any], levels: dict[str, Any] | None, sami: float, illa: float, wayra: float
) -> None:
    powers = Powers(levels, create)
    assert [level(powers, one) for one in (SAMI, ILLA, WAYRA)] == [sami, illa, wayra]


@pytest.mark.parametrize(
    ("levels", "needed"),
    [
        (None, 0),
        ({}, 0),
        ({"events_default": 50}, 50),
        ({"events_default": 50, "events": {"m.room.message": 10}}, 10),
        ({"events": {"m.room.message": "20"}}, 20),
        ({"state_default": 50}, 0),
        ({"events": "x"}, -math.inf),
    ],
)
def test_the_power_that_it_takes_to_post(levels: dict[str, Any] | None, needed: float) -> None:
    assert needed_to_post(Powers(levels, made())) == needed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([SAMI, "x", "m.room.message"]), inner),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["users", "users_default", "events", "events_default", "notifications"]), JSON),
    st.dictionaries(st.sampled_from(["room_version", "additional_creators", "predecessor", "type"]), JSON),
    JSON,
)
def test_whatever_somebody_puts_into_a_room_s_state_nothing_raises(levels: Any, content: Any, sender: Any) -> None:
    for powers in (Powers(levels, {"sender": sender, "content": content}), Powers(None, {"content": content})):
        assert not math.isnan(level(powers, SAMI))
        assert not math.isnan(needed_to_post(powers))


# --- rooms ---


def plaza(server: MatrixServer, **more: Any) -> tuple[Room, Person, Person]:
    """A room of Sami's in which Illa is, too, with no power."""
    sami, illa = server.person("sami"), server.person("illa")
    return server.add_room(sami, members=[server.bot, illa], **more), sami, illa


@pytest.mark.parametrize("version", ["12", "11", "9"])
async def test_in_a_room_power_counts_and_the_homeserver_is_asked_each_time(server: MatrixServer, version: str) -> None:
    room, sami, illa = plaza(server, version=version)
    async with listening(server) as relay:
        assert (await relay.asked(room, sami, "!relay pause")).may_manage
        assert not (await relay.asked(room, illa, "!relay pause")).may_manage
        server.set_power(room, illa, 49)
        assert not (await relay.asked(room, illa, "!relay pause")).may_manage
        server.set_power(room, illa, 50)
        assert (await relay.asked(room, illa, "!relay pause")).may_manage


async def test_who_has_left_meanwhile_may_nothing(server: MatrixServer) -> None:
    room, sami, illa = plaza(server, users={"@illa:ayllu.example": 50})
    async with listening(server) as relay:
        await server.say(room, illa, "!relay pause")
        server.kick(room, sami, illa)
        assert not (await relay.command()).may_manage


async def test_how_much_power_it_takes_is_the_operators(server: MatrixServer) -> None:
    room, _, illa = plaza(server)
    async with listening(server, power=0) as relay:
        assert (await relay.asked(room, illa, "!relay pause")).may_manage


async def test_a_command_says_where_by_whom_and_in_which_language(server: MatrixServer) -> None:
    room, sami, _ = plaza(server)
    async with listening(server, language="es") as relay:
        command = await relay.asked(room, sami, "!relay subscribe #Qeswachaka notify=yes")
    assert str(command.destination) == f"matrix:{room.id}"
    assert (command.user, command.community, command.language) == (sami.id, "ayllu.example", "es")
    assert (command.arguments, command.options) == ({"topic": "#Qeswachaka"}, '{"notify": true}')
    assert command.obstacle == ""


async def test_where_our_power_is_too_low_that_is_an_obstacle_and_told_with_both_numbers(server: MatrixServer) -> None:
    room, sami, _ = plaza(server)
    other = server.add_room(sami, members=[server.bot], events_default=25)
    async with listening(server) as relay:
        obstacle = (await relay.asked(room, sami, f"!relay subscribe #x {other.id}")).obstacle
        assert "25" in obstacle
        assert "mine is 0" in obstacle
        server.set_power(other, server.bot, 25)
        assert not (await relay.asked(room, sami, f"!relay subscribe #x {other.id}")).obstacle


async def test_an_encrypted_room_is_an_obstacle(server: MatrixServer) -> None:
    room, sami, _ = plaza(server)
    other = server.add_room(sami, members=[server.bot], encrypted=True)
    async with listening(server, in_clear=1) as relay:
        assert "encrypted" in (await relay.asked(room, sami, f"!relay subscribe #x {other.id}")).obstacle


@pytest.mark.parametrize("operation", ["get_state", "joined_members"])
@pytest.mark.parametrize("effect", [RESET, Status(502), Refuse(403, "M_FORBIDDEN")], ids=repr)
async def test_where_the_homeserver_does_not_answer_nothing_is_done(
    server: MatrixServer, effect: Any, operation: str
) -> None:
    room, sami, _ = plaza(server)
    async with listening(server) as relay:
        server.faults.add(operation, effect, count=None)
        if operation == "get_state":
            assert "try again" in await relay.told(room, sami, "!relay pause")
        else:
            assert (await relay.asked(room, sami, "!relay pause")).may_manage, "it is not asked there"
        assert relay.inbox.commands.empty()
        server.faults.clear()


# --- direct rooms ---


async def direct(server: MatrixServer, person: Person) -> Room:
    """A room to which the bot was invited to talk with one person alone."""
    room = server.add_room(person)
    server.invite(room, person, is_direct=True)
    await server.wait_until(lambda: server.sent(room))
    return room


async def test_a_direct_room_is_its_persons_own(server: MatrixServer) -> None:
    illa = server.person("illa")
    async with listening(server) as relay:
        room = await direct(server, illa)
        command = await relay.asked(room, illa, "subscribe #Qeswachaka")
        assert (command.may_manage, command.obstacle) == (True, "")
        assert "Start with" in server.bodies(room)[0]


async def test_with_owners_a_direct_room_is_for_them_alone_but_for_help(server: MatrixServer) -> None:
    sami, illa = server.person("sami"), server.person("illa")
    async with listening(server, owners=[sami.id]) as relay:
        hers = await direct(server, illa)
        assert (await relay.asked(await direct(server, sami), sami, "subscribe #x")).may_manage
        assert "this relay's operators" in await relay.told(hers, illa, "subscribe #x")
        assert (await relay.asked(hers, illa, "help")).name == "help"
        assert (await relay.asked(plaza(server)[0], sami, "!relay pause")).may_manage


async def test_where_nobody_tells_who_is_in_a_direct_room_nothing_is_done_there(server: MatrixServer) -> None:
    """Else somebody who is no owner could manage it by the power that they have in it."""
    illa = server.person("illa")
    async with listening(server, owners=["@owner:ayllu.example"]) as relay:
        room = await direct(server, illa)
        server.faults.add("joined_members", Status(500))
        assert "try again" in await relay.told(room, illa, "!relay pause")
        assert relay.inbox.commands.empty()


async def test_a_direct_room_into_which_others_came_is_one_like_any(server: MatrixServer) -> None:
    """Else everybody whom its creator lets in could manage it."""
    illa, wayra = server.person("illa"), server.person("wayra")
    async with listening(server) as relay:
        room = await direct(server, illa)
        server.invite(room, illa, wayra)
        server.join(room, wayra)
        assert not (await relay.asked(room, wayra, "!relay pause")).may_manage
        assert (await relay.asked(room, illa, "!relay pause")).may_manage


async def test_who_begins_a_room_may_manage_it_before_others_come_whoever_the_owners_are(server: MatrixServer) -> None:
    illa = server.person("illa")
    room = server.add_room(illa, name="Plaza", members=[server.bot])
    async with listening(server, owners=["@owner:ayllu.example"]) as relay:
        assert (await relay.asked(room, illa, "!relay subscribe #x")).may_manage


@pytest.mark.parametrize(
    ("line", "flagged", "alone", "heard"),
    [
        ("subscribe #x", True, True, True),
        ("what is this", True, True, True),
        ("subscribe #x", False, True, True),
        ("what is this", False, True, False),
        ("subscribe #x", True, False, False),
        ("subscribe #x", False, False, False),
        ("!relay what is this", False, False, True),
    ],
)
async def test_where_the_prefix_may_be_left_out(
    server: MatrixServer, line: str, flagged: bool, alone: bool, heard: bool
) -> None:
    """With nobody else there; and any word counts only where somebody came to talk with us."""
    sami, illa = server.person("sami"), server.person("illa")
    room = server.add_room(sami)
    async with listening(server) as relay:
        server.invite(room, sami, is_direct=flagged)
        await server.wait_until(lambda: server.sent(room))
        if not alone:
            server.invite(room, sami, illa)
            server.join(room, illa)
        await server.say(room, sami, line)
        await server.say(room, sami, "!relay status")
        await server.wait_until(lambda: len(server.sent(room)) == (3 if heard else 2))
        names = [relay.inbox.commands.get_nowait().name for _ in range(relay.inbox.commands.qsize())]
        assert names == (["subscribe"] if heard and "subscribe" in line else []) + ["status"]


# --- rooms named from elsewhere ---


@pytest.mark.parametrize("named", ["alias", "id", "link"])
async def test_a_room_is_managed_from_another_one(server: MatrixServer, named: str) -> None:
    """However it is named, it is one destination."""
    room, sami, _ = plaza(server)
    other = server.add_room(sami, members=[server.bot], alias="plaza")
    typed = {"alias": "#plaza:ayllu.example", "id": other.id, "link": f"https://matrix.to/#/{other.id}"}[named]
    async with listening(server) as relay:
        command = await relay.asked(room, sami, f"!relay subscribe #Qeswachaka {typed}")
        assert (str(command.destination), command.may_manage) == (f"matrix:{other.id}", True)
        assert command.arguments == {"topic": "#Qeswachaka"}


async def test_strangers_are_told_nothing_of_a_room(server: MatrixServer) -> None:
    """Whether it is there, whether we are in it, and whether they lack the power: the same words."""
    room, sami, illa = plaza(server)
    hidden = server.add_room(sami, members=[server.bot], alias="hidden")
    without = server.add_room(sami, members=[server.bot, illa], alias="without")
    away = server.add_room(illa, alias="away")
    left = server.add_room(illa, alias="left", members=[server.bot])
    server.kick(left, illa)
    lines = [*(one.id for one in (hidden, without, away, left)), "!nowhere", "#nowhere:ayllu.example"]
    lines += [f"#{one}:ayllu.example" for one in ("hidden", "without", "away", "left")]
    async with listening(server) as relay:
        told = set()
        for named in lines:
            for command in ("subscribe #x", "subscriptions"):
                answer = await relay.told(room, illa, f"!relay {command} {named}")
                told.add(answer.replace("\u2060", "").replace(named, "…"))
        assert len(told) == 1
        assert relay.inbox.commands.empty()


@pytest.mark.parametrize("named", ["alias", "id"])
async def test_the_room_itself_may_be_named(server: MatrixServer, named: str) -> None:
    room, sami, illa = plaza(server, alias="plaza")
    typed = "#plaza:ayllu.example" if named == "alias" else room.id
    async with listening(server) as relay:
        assert (await relay.asked(room, sami, f"!relay subscribe #x {typed}")).may_manage
        assert (await relay.asked(room, illa, f"!relay subscriptions {typed}")).destination.address == room.id


async def test_an_alias_whose_server_is_away_is_trouble_and_no_refusal(server: MatrixServer) -> None:
    room, sami, _ = plaza(server)
    async with listening(server) as relay:
        server.faults.add("alias", Status(502))
        assert "try again" in await relay.told(room, sami, "!relay subscribe #x #plaza:other.example")
