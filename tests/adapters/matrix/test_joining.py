"""What becomes of the relay in rooms on Matrix: invited, let in, shut out, and rooms that are encrypted or replaced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.matrix.api import Failed, MatrixApi
from adapters.matrix.outcomes import ENCRYPTED
from adapters.matrix.room_notes import KIND, RoomNote
from adapters.matrix.rooms import KEPT, Rooms, Successor
from adapters.matrix.settings import MatrixSettings, may_invite
from relay.i18n import words
from tests.servers.matrix import RESET, Limited, MatrixServer, Person, Refuse, Room, Status
from tests.support.matrix_world import listening, settings


@pytest.fixture
async def server() -> AsyncIterator[MatrixServer]:
    async with MatrixServer() as started:
        yield started


def plaza(server: MatrixServer, **more: Any) -> tuple[Room, Person]:
    sami = server.person("sami")
    return server.add_room(sami, **more), sami


async def until_in(server: MatrixServer, room: Room, count: int = 1) -> str:
    """What the relay says once it is in; so many messages of its stand there then."""
    await server.wait_until(lambda: len(server.sent(room)) == count)
    return server.bodies(room)[-1]


# --- who may invite ---


@pytest.mark.parametrize(
    ("owners", "invites", "may"),
    [
        ([], [], False),
        (["@sami:ayllu.example"], [], True),
        ([], ["@sami:ayllu.example"], True),
        ([], ["@illa:ayllu.example"], False),
        ([], ["ayllu.example"], True),
        ([], ["AYLLU.example"], True),
        ([], ["example"], False),
        ([], ["llu.example"], False),
        ([], ["*"], True),
    ],
)
def test_who_may_invite(owners: list[str], invites: list[str], may: bool) -> None:
    plain = {"homeserver": "http://127.0.0.1:1", "user": "@relay:ayllu.example", "token": "x"}
    chosen = MatrixSettings.model_validate({**plain, "owners": owners, "invites": invites})
    assert may_invite(chosen, "@sami:ayllu.example") is may


async def test_an_invitation_is_accepted_and_hello_is_said_once(server: MatrixServer) -> None:
    room, sami = plaza(server)
    async with listening(server):
        server.invite(room, sami)
        told = await until_in(server, room)
        server.invite(room, sami, server.person("illa"))
        await server.heard()
        await server.polled()
    assert "!relay subscribe #Qeswachaka" in told
    assert "!relay help" in told
    assert "50" in told
    assert len(server.sent(room)) == 1
    assert server.sent(room)[0]["content"]["msgtype"] == "m.notice"
    assert RoomNote.read(server.notes[server.bot, room.id, KIND][1]) == RoomNote(hello=True)


async def test_an_invitation_that_waited_for_the_start_is_accepted(server: MatrixServer) -> None:
    room, sami = plaza(server)
    server.invite(room, sami)
    async with listening(server):
        await until_in(server, room)


async def test_hello_is_said_in_the_relays_language(server: MatrixServer) -> None:
    room, sami = plaza(server)
    async with listening(server, language="es"):
        server.invite(room, sami)
        about = words("es")("I post hashtags, accounts and feeds from the open social web in this chat.")
        assert about in await until_in(server, room)


async def test_a_room_that_we_were_in_before_the_start_gets_no_hello(server: MatrixServer) -> None:
    room, sami = plaza(server, members=[server.bot])
    async with listening(server) as relay:
        await relay.told(room, sami, "!relay status")
        assert len(server.sent(room)) == 1


async def test_an_invitation_by_a_stranger_is_left_alone_and_told_once(server: MatrixServer) -> None:
    room, sami = plaza(server)
    with capture_logs() as logs:
        async with listening(server, invites=["other.example", "@illa:ayllu.example"]):
            for _ in range(3):
                server.invite(room, sami)
                await server.heard()
            await server.polled()
    (line,) = [one for one in logs if one["event"] == "an invitation is left alone"]
    assert line["inviter"] == sami.id
    assert "adapters.matrix.invites" in line["todo"]
    assert room.membership(server.bot) == "invite"
    assert server.asked("join") == []


async def test_a_limit_of_joins_is_waited_for(server: MatrixServer) -> None:
    room, sami = plaza(server)
    async with listening(server):
        server.faults.add("join", Limited(0.02), count=8)
        server.invite(room, sami)
        await until_in(server, room)
    assert len(server.asked("join")) == 9


@pytest.mark.parametrize("effect", [RESET, Status(502), Refuse(404, "M_UNKNOWN")], ids=repr)
async def test_a_join_that_failed_is_tried_again(server: MatrixServer, effect: Any) -> None:
    room, sami = plaza(server)
    async with listening(server):
        server.faults.add("join", effect, count=2)
        server.invite(room, sami)
        await until_in(server, room)


@pytest.mark.parametrize(("effect", "tries"), [(Status(502), 3), (Refuse(403, "M_FORBIDDEN"), 1)], ids=repr)
async def test_a_join_that_fails_for_good_is_told(server: MatrixServer, effect: Any, tries: int) -> None:
    room, sami = plaza(server)
    other, _ = plaza(server)
    with capture_logs() as logs:
        async with listening(server):
            server.faults.add("join", effect, count=None, room=room)
            server.invite(room, sami)
            await server.wait_until(lambda: len(server.asked("join")) == tries)
            server.invite(other, sami)
            await until_in(server, other)
    assert [one["room"] for one in logs if one["event"] == "a room could not be joined"] == [room.id]
    assert len([one for one in server.asked("join") if one.room == room.id]) == tries


async def test_a_hello_that_was_not_taken_is_not_marked_as_said(server: MatrixServer) -> None:
    room, sami = plaza(server)
    async with listening(server) as relay:
        server.faults.add("send", Refuse(403, "M_FORBIDDEN"))
        server.invite(room, sami)
        await server.wait_until(lambda: server.asked("send"))
        await relay.told(room, sami, "!relay status")
    assert RoomNote.read(server.notes[server.bot, room.id, KIND][1]) == RoomNote(owed=True)


# --- shut out ---


@pytest.mark.parametrize(
    ("deed", "words_of_it"),
    [
        ("kick", "@sami:ayllu.example removed me"),
        ("ban", "banned me"),
        ("leave", "I have left"),
        ("gone", "@admin"),
    ],
)
async def test_whatever_ends_it_all_names_of_the_room_are_lost(
    server: MatrixServer, deed: str, words_of_it: str
) -> None:
    room, sami = plaza(server, members=[server.bot], alias="plaza")
    async with listening(server) as relay:
        await relay.asked(room, sami, "!relay status #plaza:ayllu.example")
        match deed:
            case "kick":
                server.kick(room, sami)
            case "ban":
                server.ban(room, sami)
            case "leave":
                server.leave(room, server.bot)
            case _:
                server.remove_room(room)
        lost, reason = await relay.lost()
        before = len(server.asked("get_state"))
        await relay.rooms.encrypted(room.id)
        assert len(server.asked("get_state")) == before + 1, "what was known of it is worth nothing any more"
    assert lost == {f"matrix:{room.id}", "matrix:#plaza:ayllu.example"}
    assert words_of_it in reason
    assert "!relay resume" in reason


async def test_an_invitation_that_is_taken_back_is_no_loss(server: MatrixServer) -> None:
    room, sami = plaza(server)
    other, _ = plaza(server, members=[server.bot])
    async with listening(server, invites=[]) as relay:
        server.invite(room, sami)
        await server.heard()
        server.kick(room, sami)
        server.kick(other, sami)
        assert (await relay.lost())[0] == {f"matrix:{other.id}"}


async def test_invited_again_it_says_how_to_go_on_and_not_hello(server: MatrixServer) -> None:
    room, sami = plaza(server)
    async with listening(server) as relay:
        server.invite(room, sami)
        await until_in(server, room)
        server.kick(room, sami)
        await relay.lost()
        server.invite(room, sami)
        assert "!relay resume" in await until_in(server, room, 2)
        server.kick(room, sami)
        server.invite(room, sami)
        assert "!relay resume" in await until_in(server, room, 3)
        assert (await relay.lost())[0] == {f"matrix:{room.id}"}


# --- encrypted rooms ---


async def test_in_an_encrypted_room_it_says_once_that_it_does_not_post_there_and_why(server: MatrixServer) -> None:
    room, sami = plaza(server, encrypted=True)
    async with listening(server, in_clear=2) as relay:
        server.invite(room, sami)
        lost, reason = await relay.lost()
        assert await until_in(server, room) == ENCRYPTED
        assert (await relay.asked(room, sami, "!relay status")).obstacle == ENCRYPTED
        await until_in(server, room, 2)
        assert relay.inbox.losses.empty()
    assert (lost, reason) == ({f"matrix:{room.id}"}, ENCRYPTED)
    assert RoomNote.read(server.notes[server.bot, room.id, KIND][1]) == RoomNote(encrypted=True)


async def test_a_room_that_becomes_encrypted_is_lost_with_all_its_names(server: MatrixServer) -> None:
    room, sami = plaza(server, members=[server.bot], alias="plaza")
    async with listening(server, in_clear=1) as relay:
        await relay.asked(room, sami, "!relay status #plaza:ayllu.example")
        await server.wait_until(lambda: len(server.sent(room)) == 1)
        assert await relay.rooms.encrypted(room.id) is False
        server.encrypt(room)
        lost, reason = await relay.lost()
        assert await relay.rooms.encrypted(room.id) is True
        assert await until_in(server, room, 2) == ENCRYPTED
    assert lost == {f"matrix:{room.id}", "matrix:#plaza:ayllu.example"}
    assert reason == ENCRYPTED


async def test_a_room_that_became_encrypted_while_nobody_listened_is_told_at_the_start(server: MatrixServer) -> None:
    room, sami = plaza(server, members=[server.bot], encrypted=True)
    async with listening(server, in_clear=1) as relay:
        await relay.lost()
        assert await until_in(server, room) == ENCRYPTED
        await server.wait_until(lambda: (server.bot, room.id, KIND) in server.notes)
    async with listening(server, in_clear=2) as relay:
        await relay.told(room, sami, "!relay status")
        assert relay.inbox.losses.empty()


async def test_a_restart_within_two_minutes_says_nothing_again(server: MatrixServer) -> None:
    """Synapse would answer the question for the present as it did before: all that happened since would come again."""
    room, sami = plaza(server, alias="plaza")
    async with listening(server):
        server.invite(room, sami)
        await until_in(server, room)
    secret = server.add_room(sami, encrypted=True)
    async with listening(server, in_clear=1):
        server.invite(secret, sami)
        await until_in(server, secret)
        await server.wait_until(lambda: (server.bot, secret.id, KIND) in server.notes)
    async with listening(server, in_clear=1) as relay:
        await relay.asked(room, sami, "!relay status")
    assert len(server.sent(secret)) == 1
    assert len(server.sent(room)) == 2  # hello, and the answer


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("killed", ["before it was said", "before it was noted down"])
async def test_killed_while_it_came_in_it_says_once_what_it_has_to_say(
    server: MatrixServer, killed: str, *, encrypted: bool
) -> None:
    room, sami = plaza(server, encrypted=encrypted)
    step = "send" if killed == "before it was said" else "put_room_account_data"
    server.faults.add(step, RESET, None, after=int(step != "send"))  # that it is on its way was noted down
    async with listening(server, in_clear=int(encrypted and killed != "before it was said")):
        server.invite(room, sami)
        await server.wait_until(lambda: len(server.asked(step)) > (step != "send"))
    server.faults.clear()
    for _ in range(2):
        async with listening(server, in_clear=int(encrypted)) as relay:
            await until_in(server, room)
            await relay.asked(server.add_room(sami, members=[server.bot]), sami, "!relay status")
    assert len(server.sent(room)) == 1


# --- rooms that were replaced ---


@pytest.mark.parametrize("may", [True, False])
async def test_into_a_room_that_replaces_ours_it_goes_where_it_may_be_invited(server: MatrixServer, may: bool) -> None:
    room, sami = plaza(server, members=[server.bot])
    other, _ = plaza(server)
    async with listening(server, invites=["@illa:ayllu.example", *([sami.id] if may else [])]) as relay:
        after = server.upgrade(room)
        server.set_state(after, "m.room.join_rules", {"join_rule": "public"})
        if may:
            await until_in(server, after)
        else:
            await relay.asked(room, sami, "!relay status")
            assert server.asked("join") == []
        assert await relay.rooms.successor(room.id) == Successor(after.id, sami.id)
        assert await relay.rooms.successor(other.id) is None


# --- what is known of rooms ---


@pytest.fixture
async def api(server: MatrixServer) -> AsyncIterator[MatrixApi]:
    made = MatrixApi(settings(server))
    yield made
    await made.close()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_an_alias_is_resolved_once_in_a_while_and_names_the_room(server: MatrixServer, api: MatrixApi) -> None:
    room, _ = plaza(server, members=[server.bot], alias="plaza")
    clock = Clock()
    rooms, alias = Rooms(api, clock=clock), "#plaza:ayllu.example"
    assert [await rooms.find(room.id), await rooms.find(alias), await rooms.find(alias)] == [room.id] * 3
    assert len(server.asked("alias")) == 1
    assert rooms.names(room.id) == [room.id, alias]
    other, _ = plaza(server)
    server.set_alias(other, alias)
    assert await rooms.find(alias) == room.id
    clock.now += KEPT
    assert await rooms.find(alias) == other.id
    assert (rooms.names(room.id), rooms.names(other.id)) == ([room.id], [other.id, alias])


@pytest.mark.parametrize("by", ["id", "alias"])
async def test_a_room_that_is_forgotten_is_asked_for_anew_and_keeps_its_names(
    server: MatrixServer, api: MatrixApi, by: str
) -> None:
    room, _ = plaza(server, members=[server.bot], alias="plaza")
    rooms, alias = Rooms(api), "#plaza:ayllu.example"
    assert await rooms.find(alias) == room.id
    assert await rooms.encrypted(room.id) is False
    rooms.forget(room.id if by == "id" else alias)
    assert rooms.names(room.id) == [room.id, alias]
    assert await rooms.find(alias) == room.id
    assert await rooms.encrypted(room.id) is False
    assert (len(server.asked("alias")), len(server.asked("get_state"))) == (2, 2)


@pytest.mark.parametrize("address", ["plaza", "@illa:ayllu.example", "", "#plaza"])
async def test_what_is_no_room_is_not_asked_for(server: MatrixServer, api: MatrixApi, address: str) -> None:
    assert isinstance(await Rooms(api).find(address), Failed)
    assert server.requests == []


async def test_an_alias_that_leads_nowhere_is_a_failure_that_is_not_remembered(
    server: MatrixServer, api: MatrixApi
) -> None:
    rooms = Rooms(api)
    assert isinstance(await rooms.find("#plaza:ayllu.example"), Failed)
    room, _ = plaza(server, alias="plaza")
    assert await rooms.find("#plaza:ayllu.example") == room.id


async def test_whether_a_room_is_encrypted_is_asked_once_in_a_while_and_true_for_good(
    server: MatrixServer, api: MatrixApi
) -> None:
    room, _ = plaza(server, members=[server.bot])
    clock = Clock()
    rooms = Rooms(api, clock=clock)
    assert [await rooms.encrypted(room.id), await rooms.encrypted(room.id)] == [False, False]
    assert len(server.asked("get_state")) == 1
    server.encrypt(room)
    clock.now += KEPT
    assert await rooms.encrypted(room.id) is True
    clock.now += 10 * KEPT
    assert await rooms.encrypted(room.id) is True
    assert len(server.asked("get_state")) == 2


async def test_a_room_that_we_cannot_look_into_is_neither_encrypted_nor_open(
    server: MatrixServer, api: MatrixApi
) -> None:
    room, _ = plaza(server)
    assert isinstance(await Rooms(api).encrypted(room.id), Failed)
    assert await Rooms(api).successor(room.id) is None


async def test_what_the_listener_tells_counts_at_once(server: MatrixServer, api: MatrixApi) -> None:
    room, _ = plaza(server, members=[server.bot])
    rooms = Rooms(api)
    assert await rooms.encrypted(room.id) is False
    rooms.now_encrypted(room.id)
    assert await rooms.encrypted(room.id) is True


@pytest.mark.parametrize(
    ("told", "note"),
    [
        ({}, RoomNote()),
        ({"language": 5, "hello": "yes", "encrypted": 1, "direct": None}, RoomNote()),
        ({"language": "es", "hello": True, "more": []}, RoomNote(language="es", hello=True)),
    ],
)
def test_a_note_that_cannot_be_understood_is_as_if_it_were_not_there(told: dict[str, object], note: RoomNote) -> None:
    assert RoomNote.read(told) == note
    assert RoomNote.read(note.written()) == note
