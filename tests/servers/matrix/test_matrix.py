"""The loopback homeserver is believed by the unmodified mautrix, and its faults and doors do what they promise."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from mautrix.client import ClientAPI
from mautrix.errors import (
    MatrixConnectionError,
    MatrixError,
    MatrixRequestError,
    MForbidden,
    MLimitExceeded,
    MNotFound,
    MUnknownToken,
)
from mautrix.types import (
    EventID,
    EventType,
    ImageInfo,
    MediaMessageEventContent,
    MessageType,
    PaginationDirection,
    PowerLevelStateEventContent,
    RelatesTo,
    RelationType,
    RoomAlias,
    RoomID,
    UserID,
)
from mautrix.types import (
    RoomEventFilter as Events,
)

from tests.servers.matrix import (
    LOST,
    RESET,
    Garbage,
    Limited,
    MatrixServer,
    Person,
    Refuse,
    Room,
    Slow,
    Status,
    text_of,
)
from tests.support.servers_matrix_cases import MESSAGE, client_of, send, synced, text


@pytest.fixture
async def server() -> AsyncIterator[MatrixServer]:
    async with MatrixServer() as running:
        yield running
    assert running.faulty == []


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


Json = dict[str, Any]


@pytest.fixture
def bot(server: MatrixServer, session: aiohttp.ClientSession) -> ClientAPI:
    return client_of(server, session)


@pytest.fixture
def sami(server: MatrixServer) -> Person:
    return server.person("sami")


@pytest.fixture
def plaza(server: MatrixServer, sami: Person) -> Room:
    return server.add_room(sami, name="Plaza", alias="plaza", members=(server.bot,))


def _relation(kind: RelationType, event: str) -> RelatesTo:
    return RelatesTo(rel_type=kind, event_id=EventID(event))


# --- the library believes it ---


async def test_the_server_and_the_account_are_told(server: MatrixServer, bot: ClientAPI) -> None:
    versions, whoami = await bot.versions(), await bot.whoami()
    assert "v1.12" in [str(one) for one in versions.versions]
    assert (whoami.user_id, whoami.device_id) == ("@relay:ayllu.example", "CHASQUI")
    assert (await bot.get_media_repo_config()).upload_size == 50 << 20


async def test_a_login_keeps_the_device_and_a_wrong_password_is_refused(
    server: MatrixServer, session: aiohttp.ClientSession, plaza: Room
) -> None:
    client = client_of(server, session, token="")
    with pytest.raises(MForbidden, match="Invalid username or password"):
        await client.login(password="wrong", device_id="CHASQUI")
    before = await send(client_of(server, session), plaza, "once", txn="t1")
    told = await client.login(password=server.password, device_id="CHASQUI")
    assert (told.user_id, told.device_id) == (server.bot, "CHASQUI")
    assert await send(client, plaza, "once", txn="t1") == before
    await client.login(password=server.password, device_id="OTHER")
    assert await send(client, plaza, "once", txn="t1") != before
    await client_of(server, session).whoami()  # Synapse leaves the older token


async def test_at_most_one_token_for_a_device_where_wanted(session: aiohttp.ClientSession) -> None:
    async with MatrixServer(one_token=True) as server:
        old, new = client_of(server, session), client_of(server, session, token="")
        await new.login(password=server.password, device_id="CHASQUI")
        await new.whoami()
        with pytest.raises(MUnknownToken):
            await old.whoami()


async def test_messages_edits_threads_and_redactions_are_seen_as_members_see_them(
    server: MatrixServer, bot: ClientAPI, plaza: Room
) -> None:
    root = await send(bot, plaza, "one", html="<b>one</b>")
    thread = _relation(RelationType.THREAD, root)
    thread["m.in_reply_to"] = {"event_id": root}
    inside = await send(bot, plaza, "two", relates_to=thread)
    edit = text("other")
    edit.set_edit(inside)
    await bot.send_message_event(RoomID(plaza.id), MESSAGE, edit)
    first, second = server.sent(plaza)
    assert (text_of(first["content"]["formatted_body"]), second["content"]["body"]) == ("one", "other")
    assert second["content"]["m.relates_to"]["rel_type"] == "m.thread"
    shown = await bot.get_event(RoomID(plaza.id), inside)
    assert shown.content.body == "two"
    assert shown.serialize()["unsigned"]["m.relations"]["m.replace"]["content"]["body"] == "* other"
    await bot.redact(RoomID(plaza.id), root, reason="deleted")
    assert server.bodies(plaza) == ["other"]
    gone = server.raw(plaza)[0]
    assert (gone["content"], gone["unsigned"]["redacted_because"]["content"]["reason"]) == ({}, "deleted")


async def test_history_is_read_backwards_in_pages(server: MatrixServer, bot: ClientAPI, plaza: Room) -> None:
    for number in range(5):
        await send(bot, plaza, f"n{number}")
    wanted = Events(types=[MESSAGE], senders=[UserID(server.bot)])
    read: list[str] = []
    start = None
    while True:
        page: Any = await bot.get_messages(
            RoomID(plaza.id), PaginationDirection.BACKWARD, start, limit=2, filter_json=wanted
        )
        read += [one.content.body for one in page.events]
        start = page.end
        if start is None:
            break
    assert read == ["n4", "n3", "n2", "n1", "n0"]


async def test_rooms_are_found_joined_left_and_forgotten(server: MatrixServer, bot: ClientAPI, sami: Person) -> None:
    room = server.add_room(sami, alias="llamas")
    found = await bot.resolve_room_alias(RoomAlias("#llamas:ayllu.example"))
    assert found.room_id == room.id
    with pytest.raises(MForbidden, match="not invited"):
        await bot.join_room_by_id(found.room_id)
    server.invite(room, sami)
    for _ in range(2):
        assert await bot.join_room("#llamas:ayllu.example", max_retries=0) == room.id  # type: ignore[arg-type]  # an alias
    assert len([one for one in room.events if one["type"] == "m.room.member" and one["sender"] == server.bot]) == 1
    assert await bot.get_joined_rooms() == [room.id]
    assert set(await bot.get_joined_members(found.room_id)) == {server.bot, sami.id}
    await bot.leave_room(found.room_id)
    await bot.forget_room(found.room_id)
    assert await bot.get_joined_rooms() == []
    server.delete_alias("llamas")
    with pytest.raises(MNotFound):
        await bot.resolve_room_alias(RoomAlias("#llamas:ayllu.example"))


async def test_state_tells_levels_creators_and_names(
    server: MatrixServer, session: aiohttp.ClientSession, sami: Person
) -> None:
    bot, illa = client_of(server, session), server.person("illa")
    new = server.add_room(sami, name="Plaza", members=(server.bot,), users={illa.id: 50})
    old = server.add_room(sami, version="10", members=(server.bot,))
    assert ":" not in new.id
    assert old.id.endswith(":ayllu.example")
    create = await bot.get_state_event(RoomID(new.id), EventType.ROOM_CREATE, format="event")
    assert create.sender == sami.id
    levels = await bot.get_state_event(RoomID(new.id), EventType.ROOM_POWER_LEVELS)
    assert isinstance(levels, PowerLevelStateEventContent)
    assert levels.get_user_level(UserID(illa.id), create) == 50
    assert levels.get_user_level(UserID(sami.id), create) > 10**9
    before = await bot.get_state_event(RoomID(old.id), EventType.ROOM_POWER_LEVELS)
    assert isinstance(before, PowerLevelStateEventContent)
    assert before.get_user_level(UserID(sami.id)) == 100
    assert len(await bot.get_state(RoomID(new.id))) == len(new.state)
    with pytest.raises(MNotFound):
        await bot.get_state_event(RoomID(new.id), EventType.ROOM_ENCRYPTION)


async def test_media_are_uploaded_sent_and_read_with_a_token(
    server: MatrixServer, bot: ClientAPI, session: aiohttp.ClientSession, plaza: Room
) -> None:
    url = await bot.upload_media(b"a picture", mime_type="image/png", filename="a.png")
    info = ImageInfo(mimetype="image/png", size=9, width=3, height=2)
    picture = MediaMessageEventContent(msgtype=MessageType.IMAGE, body="a llama", url=url, info=info)
    picture["m.mentions"] = {}
    await bot.send_message_event(RoomID(plaza.id), MESSAGE, picture)
    assert await bot.download_media(url) == b"a picture"
    assert server.uploads[url].name == "a.png"
    old = f"{server.url}/_matrix/media/v3/download/{url.removeprefix('mxc://')}"
    async with session.get(old, headers={"Authorization": f"Bearer {server.token}"}) as answer:
        assert answer.status == 404
    server.upload_limit = 8
    with pytest.raises(MatrixRequestError) as refused:
        await bot.upload_media(b"a picture", mime_type="image/png")
    assert (refused.value.http_status, refused.value.errcode) == (413, "M_TOO_LARGE")
    server.upload_limit, server.quota_full = 100, True
    with pytest.raises(MForbidden, match="Media upload limit exceeded"):
        await bot.upload_media(b"a picture", mime_type="image/png")


async def test_account_data_are_kept_for_the_account_and_for_a_room(
    server: MatrixServer, bot: ClientAPI, plaza: Room
) -> None:
    with pytest.raises(MNotFound):
        await bot.get_account_data("example.note", RoomID(plaza.id))
    since = (await synced(bot))["next_batch"]
    note: Any = {"a": 1}
    other: Any = {"b": 2}
    await bot.set_account_data("example.note", note, RoomID(plaza.id))
    await bot.set_account_data("example.note", other)
    assert await bot.get_account_data("example.note", RoomID(plaza.id)) == note
    told = await synced(bot, since)
    assert told["rooms"]["join"][plaza.id]["account_data"]["events"] == [{"type": "example.note", "content": note}]
    assert told["account_data"]["events"] == [{"type": "example.note", "content": other}]


async def test_people_edit_redact_and_wait_for_the_bot(
    server: MatrixServer, bot: ClientAPI, sami: Person, plaza: Room
) -> None:
    said = await server.say(plaza, sami, "!relay hlep")
    change = await server.edit(plaza, sami, said, "!relay help")
    assert plaza.by_id[change]["content"]["m.new_content"]["body"] == "!relay help"
    waiting = asyncio.create_task(server.next_sent(plaza))
    await send(bot, plaza, "help")
    answer = await waiting
    assert answer["content"]["body"] == "help"
    with pytest.raises(AssertionError, match="permission to redact"):
        server.redact(plaza, server.bot, said)
    server.redact(plaza, sami, answer["event_id"], reason="spam")
    assert (server.sent(plaza), server.raw(plaza)[0]["content"]) == ([], {})


# --- what goes wrong ---


async def test_a_lost_answer_is_found_again_by_its_transaction(
    server: MatrixServer, bot: ClientAPI, plaza: Room
) -> None:
    server.faults.add("send", LOST, 2, room=plaza)  # aiohttp asks once more by itself
    with pytest.raises(MatrixConnectionError):
        await send(bot, plaza, "one", txn="d-1")
    assert server.bodies(plaza) == ["one"]
    again = await send(bot, plaza, "ignored", txn="d-1")
    assert (server.bodies(plaza), again) == (["one"], server.raw(plaza)[0]["event_id"])
    assert [one.status for one in server.asked("send")] == [0, 0, 200]


@pytest.mark.parametrize(
    ("effect", "count"),
    [(RESET, 2), (Status(502), 1), (Garbage(200), 1), (Garbage(404), 1), (Limited(2), 1), (Refuse(403, "M_X"), 1)],
)
async def test_what_is_refused_was_not_done(
    server: MatrixServer, bot: ClientAPI, plaza: Room, effect: Any, count: int
) -> None:
    server.faults.add("se*", effect, count, after=1)
    await send(bot, plaza, "one")
    with pytest.raises(MatrixError):
        await send(bot, plaza, "two")
    await send(bot, plaza, "three")
    assert (server.bodies(plaza), server.faults.left) == (["one", "three"], 0)


async def test_an_answer_may_be_slow_or_an_error_although_it_was_done(
    server: MatrixServer, bot: ClientAPI, plaza: Room
) -> None:
    server.faults.add("send", Slow(60))
    slow = asyncio.create_task(send(bot, plaza, "one"))
    await server.wait_until(lambda: server.bodies(plaza) == ["one"])
    assert not slow.done()
    slow.cancel()
    server.faults.add("send", Status(500, committed=True))
    with pytest.raises(MatrixRequestError):
        await send(bot, plaza, "two")
    assert server.bodies(plaza) == ["one", "two"]


async def test_a_revoked_token_is_unknown_and_another_works(
    server: MatrixServer, session: aiohttp.ClientSession, bot: ClientAPI
) -> None:
    server.revoke_token()
    with pytest.raises(MUnknownToken):
        await bot.whoami()
    await client_of(server, session, server.new_token(server.bot, "CHASQUI")).whoami()


async def test_it_stops_and_comes_back_at_the_same_port_with_its_world(
    server: MatrixServer, bot: ClientAPI, plaza: Room
) -> None:
    before = await send(bot, plaza, "one", txn="t")
    since = (await synced(bot))["next_batch"]
    waiting = asyncio.create_task(synced(bot, since))
    await server.polled()
    await server.stop()
    with pytest.raises(MatrixConnectionError):
        await waiting
    with pytest.raises(MatrixConnectionError):
        await bot.whoami()
    await server.start()
    assert await send(bot, plaza, "one", txn="t") == before
    assert server.bodies(plaza) == ["one"]


async def test_the_limiter_is_one_bucket_for_all_rooms_of_an_account(session: aiohttp.ClientSession) -> None:
    now = [100.0]
    async with MatrixServer(rate=0.2, burst=3, clock=lambda: now[0]) as server:
        bot, sami = client_of(server, session), server.person("sami")
        rooms = [server.add_room(sami, members=(server.bot,)) for _ in range(2)]
        sent = [await send(bot, rooms[number % 2], "x", txn=f"t{number}") for number in range(3)]
        with pytest.raises(MLimitExceeded):
            await send(bot, rooms[0], "one too many")
        with pytest.raises(MLimitExceeded):
            await bot.redact(RoomID(rooms[0].id), sent[0])
        await bot.upload_media(b"a picture", mime_type="image/png")
        assert await send(bot, rooms[0], "x", txn="t0") == sent[0]
        now[0] += 5
        await send(bot, rooms[1], "again")
        with pytest.raises(MLimitExceeded):
            await send(bot, rooms[1], "too soon")
        assert server.too_many == 3


async def test_it_runs_as_a_process_of_its_own() -> None:
    command = (sys.executable, "-m", "tests.servers.matrix", "--rate", "50", "--rooms", "2")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout
        told = json.loads(await process.stdout.readline())
        async with aiohttp.ClientSession() as session:
            client = ClientAPI(told["user"], base_url=told["url"], token=told["token"], client_session=session)
            room = told["rooms"][1]
            await client.send_message_event(room, MESSAGE, text("one"))
            async with session.get(f"{told['url']}/_test/counts") as answer:
                counts = await answer.json()
            async with session.get(f"{told['url']}/_test/sent/{room}") as answer:
                sent = await answer.json()
    finally:
        process.terminate()
        await process.wait()
    assert (counts["messages"][room], counts["refused"], counts["faulty"]) == (1, 0, [])
    assert [one["content"]["body"] for one in sent] == ["one"]
