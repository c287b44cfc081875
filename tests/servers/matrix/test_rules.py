"""What the loopback homeserver refuses, rule by rule, as a client without a library sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.matrix import LOST, Limited, MatrixServer, Person, Room
from tests.servers.matrix.buckets import Buckets
from tests.support.servers_matrix_rules_cases import Json, edit, text, thread

V3 = "/_matrix/client/v3"


class Client:
    """Somebody with a token and without a library."""

    def __init__(self, server: MatrixServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session
        self.number = 0
        self.headers: Any = {}

    async def call(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> tuple[int, Json]:
        given = self.server.token if token is None else token
        headers = {"Authorization": f"Bearer {given}"} if given else {}
        data: Json = {"data": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        async with self.session.request(method, f"{self.server.url}{path}", headers=headers, **data) as answer:
            self.headers = answer.headers
            return answer.status, await answer.json()

    async def send(self, room: Room | str, content: Any, *, txn: str = "") -> tuple[int, Json]:
        self.number += 1
        return await self.call("PUT", f"{V3}/rooms/{room}/send/m.room.message/{txn or self.number}", content)

    async def redact(self, room: Room, event: str, txn: str = "r") -> tuple[int, Json]:
        return await self.call("PUT", f"{V3}/rooms/{room.id}/redact/{event}/{txn}", {})


@pytest.fixture
async def server() -> AsyncIterator[MatrixServer]:
    async with MatrixServer() as running:
        yield running


@pytest.fixture
async def client(server: MatrixServer) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(server, session)


@pytest.fixture
def sami(server: MatrixServer) -> Person:
    return server.person("sami")


@pytest.fixture
def plaza(server: MatrixServer, sami: Person) -> Room:
    return server.add_room(sami, members=(server.bot,))


def _refusal(answer: tuple[int, Json]) -> tuple[int, str]:
    return answer[0], answer[1].get("errcode", "")


# --- refusals ---


async def test_nobody_is_let_in_without_a_good_token(client: Client) -> None:
    who = f"{V3}/account/whoami"
    assert _refusal(await client.call("GET", who, token="")) == (401, "M_MISSING_TOKEN")
    status, told = await client.call("GET", who, token="syt_old")
    assert (status, told["errcode"], told["soft_logout"]) == (401, "M_UNKNOWN_TOKEN", False)
    asked = f"{who}?access_token={client.server.token}"
    assert _refusal(await client.call("GET", asked, token="")) == (401, "M_MISSING_TOKEN")


async def test_what_is_no_call_is_not_recognized(client: Client) -> None:
    assert _refusal(await client.call("GET", f"{V3}/llamas")) == (404, "M_UNRECOGNIZED")
    status, told = await client.call("GET", "/_matrix/federation/v1/version", token="")
    assert (status, told["server"]["name"]) == (200, "Synapse")
    assert (await client.call("PUT", f"{V3}/presence/{client.server.bot}/status", {}))[0] == 200


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        (b"{", "M_NOT_JSON"),
        (b"", "M_NOT_JSON"),
        (b'{"a": NaN}', "M_NOT_JSON"),
        (b"[]", "M_BAD_JSON"),
        (b'{"msgtype": "m.text", "body": "x", "a": [1.5]}', "M_BAD_JSON"),
        (b'{"msgtype": "m.text", "body": "x", "a": 9007199254740992}', "M_BAD_JSON"),
    ],
)
async def test_only_canonical_json_objects_are_content(client: Client, plaza: Room, body: bytes, errcode: str) -> None:
    assert _refusal(await client.send(plaza, body)) == (400, errcode)
    assert client.server.raw(plaza) == []


async def test_an_event_has_65536_bytes_with_all_that_federation_adds(client: Client, plaza: Room) -> None:
    assert (await client.send(plaza, text("x" * 64_000)))[0] == 200
    assert _refusal(await client.send(plaza, text("x" * 65_000))) == (413, "M_TOO_LARGE")
    assert _refusal(await client.send(plaza, text("ñ" * 32_500))) == (413, "M_TOO_LARGE")


async def test_only_who_is_inside_may_send(client: Client, server: MatrixServer, sami: Person, plaza: Room) -> None:
    for room in ("!nowhere", server.add_room(sami)):
        status, told = await client.send(room, text())
        assert (status, told["errcode"]) == (403, "M_FORBIDDEN")
        assert "not in room" in told["error"]
    server.kick(plaza, sami)
    assert _refusal(await client.send(plaza, text())) == (403, "M_FORBIDDEN")
    assert _refusal(await client.call("POST", f"{V3}/rooms/{plaza.id}/leave")) == (403, "M_FORBIDDEN")
    assert (await client.call("POST", f"{V3}/rooms/{plaza.id}/forget"))[0] == 200


async def test_power_is_needed_to_send_to_redact_and_to_set_state(
    client: Client, server: MatrixServer, sami: Person
) -> None:
    room = server.add_room(sami, members=(server.bot,), users={server.bot: 10}, events_default=20)
    status, told = await client.send(room, text())
    assert (status, told["errcode"]) == (403, "M_FORBIDDEN")
    assert told["error"] == "You don't have permission to post that to the room. user_level (10) < send_level (20)"
    said = await server.say(room, sami, "hello")
    server.set_power(room, server.bot, 20)
    _, mine = await client.send(room, text())
    assert _refusal(await client.redact(room, said, "r1")) == (403, "M_FORBIDDEN")
    assert (await client.redact(room, mine["event_id"], "r2"))[0] == 200
    name = f"{V3}/rooms/{room.id}/state/m.room.name"
    assert _refusal(await client.call("PUT", name, {"name": "x"})) == (403, "M_FORBIDDEN")
    server.set_power(room, server.bot, 50)
    assert (await client.call("PUT", name, {"name": "x"}))[0] == 200
    assert (await client.call("GET", name)) == (200, {"name": "x"})
    _, whole = await client.call("GET", f"{name}/?format=event")
    assert (whole["sender"], whole["room_id"], whole["content"]) == (server.bot, room.id, {"name": "x"})
    assert (await client.redact(room, said, "r3"))[0] == 200
    assert room.by_id[said]["content"] == {}


async def test_creators_of_rooms_since_version_12_stand_above_the_levels(
    client: Client, server: MatrixServer, sami: Person
) -> None:
    room = server.add_room(sami, members=(server.bot,), users={server.bot: 100}, events_default=10**6)
    await server.say(room, sami, "hello")
    levels = room.content("m.room.power_levels")
    path = f"{V3}/rooms/{room.id}/state/m.room.power_levels"
    assert _refusal(await client.call("PUT", path, levels | {"users": {sami.id: 100}})) == (400, "M_BAD_JSON")
    old = server.add_room(sami, version="11", events_default=10**6)
    with pytest.raises(AssertionError, match="permission"):
        await server.say(old, sami, "hello")


async def test_threads_start_at_a_root_and_relations_at_something_known(
    client: Client, server: MatrixServer, sami: Person, plaza: Room
) -> None:
    _, root = await client.send(plaza, text())
    status, inside = await client.send(plaza, text(**thread(root["event_id"])))
    assert status == 200
    status, told = await client.send(plaza, text(**thread(inside["event_id"])))
    assert (status, told["errcode"], told["error"]) == (
        400, "M_UNKNOWN", "Cannot start threads from an event with a relation",
    )  # fmt: skip
    _, told = await client.send(plaza, edit("$nothing"))
    assert told["error"] == "Can't send relation to unknown event"
    elsewhere = await server.say(server.add_room(sami), sami, "there")
    _, told = await client.send(plaza, edit(elsewhere))
    assert told["error"] == "Relations must be in the same room"
    path = f"/_matrix/client/v1/rooms/{plaza.id}/relations/{root['event_id']}/m.thread"
    _, related = await client.call("GET", path)
    assert [one["event_id"] for one in related["chunk"]] == [inside["event_id"]]


async def test_only_own_messages_are_edited_and_never_an_edit(
    client: Client, server: MatrixServer, sami: Person, plaza: Room
) -> None:
    _, sent = await client.send(plaza, text("one"))
    _, change = await client.send(plaza, edit(sent["event_id"], "two"))
    assert (server.bodies(plaza), server.faulty) == (["two"], [])
    await client.send(plaza, edit(change["event_id"], "three"))
    await client.send(plaza, edit(await server.say(plaza, sami, "theirs"), "ours"))
    assert (server.bodies(plaza), len(server.faulty)) == (["two"], 2)
    await client.redact(plaza, change["event_id"])
    assert server.bodies(plaza) == ["one"]


async def test_a_transaction_is_one_event_whatever_is_in_it(client: Client, server: MatrixServer, plaza: Room) -> None:
    _, first = await client.send(plaza, text("one"), txn="t")
    assert await client.send(plaza, b"no json", txn="t") == (200, first)
    _, gone = await client.redact(plaza, first["event_id"], "u")
    assert await client.redact(plaza, first["event_id"], "u") == (200, gone)
    assert await client.send(plaza, text("one"), txn="t") == (200, first)
    assert (server.bodies(plaza), server.faulty) == ([], [])
    await client.redact(plaza, first["event_id"], "t")
    assert "used before" in server.faulty[0]


async def test_nothing_unknown_is_redacted_or_read(
    client: Client, server: MatrixServer, sami: Person, plaza: Room
) -> None:
    assert _refusal(await client.redact(plaza, "$nothing")) == (404, "M_NOT_FOUND")
    other = server.add_room(sami)
    said = await server.say(other, sami, "hidden")
    for room, event in ((plaza, "$nothing"), (other, said)):
        assert _refusal(await client.call("GET", f"{V3}/rooms/{room.id}/event/{event}")) == (404, "M_NOT_FOUND")
    for what in ("state", "messages?dir=b", "joined_members"):
        assert _refusal(await client.call("GET", f"{V3}/rooms/{other.id}/{what}")) == (403, "M_FORBIDDEN")


async def test_rooms_to_join_must_exist_and_welcome(client: Client, server: MatrixServer, sami: Person) -> None:
    public = server.add_room(sami, public=True)
    assert await client.call("POST", f"{V3}/rooms/{public.id}/join") == (200, {"room_id": public.id})
    for name, refusal in (
        ("!nowhere", (404, "M_UNKNOWN")),
        ("plaza", (400, "M_INVALID_PARAM")),
        ("%23nowhere:ayllu.example", (404, "M_NOT_FOUND")),
        (server.add_room(sami).id, (403, "M_FORBIDDEN")),
    ):
        assert _refusal(await client.call("POST", f"{V3}/join/{name}")) == refusal


async def test_joins_have_a_limiter_of_their_own() -> None:
    async with MatrixServer(joins=0.1) as server, aiohttp.ClientSession() as session:
        client, sami = Client(server, session), server.person("sami")
        rooms = [server.add_room(sami, public=True) for _ in range(11)]
        answers = [await client.call("POST", f"{V3}/join/{room.id}") for room in rooms]
        assert [status for status, _ in answers] == [200] * 10 + [429]
        assert (await client.call("POST", f"{V3}/join/{rooms[0].id}"))[0] == 200


async def test_an_upgraded_room_names_the_next_and_is_closed(
    client: Client, server: MatrixServer, sami: Person
) -> None:
    old = server.add_room(sami, alias="plaza", version="10", members=(server.bot,))
    new = server.upgrade(old)
    assert old.content("m.room.tombstone")["replacement_room"] == new.id
    assert new.content("m.room.create")["predecessor"]["room_id"] == old.id
    assert _refusal(await client.send(old, text())) == (403, "M_FORBIDDEN")
    assert (await client.call("GET", f"{V3}/directory/room/%23plaza:ayllu.example"))[1]["room_id"] == new.id


async def test_nothing_is_said_in_the_clear_in_an_encrypted_room(
    client: Client, server: MatrixServer, plaza: Room
) -> None:
    server.encrypt(plaza)
    assert plaza.encrypted
    await client.send(plaza, text())
    assert "in the clear" in server.faulty[0]


async def test_a_removed_room_lets_nobody_back(client: Client, server: MatrixServer, plaza: Room) -> None:
    server.remove_room(plaza)
    assert plaza.joined == []
    assert _refusal(await client.send(plaza, text())) == (403, "M_FORBIDDEN")
    assert _refusal(await client.call("POST", f"{V3}/join/{plaza.id}")) == (403, "M_FORBIDDEN")


async def test_others_account_data_are_not_told(client: Client, sami: Person) -> None:
    path = f"{V3}/user/{sami.id}/account_data/example.note"
    assert _refusal(await client.call("GET", path)) == (403, "M_FORBIDDEN")


# --- the limiter ---


@pytest.mark.parametrize(("told", "header", "body"), [("both", "5", 5000), ("header", "5", None), ("body", None, 5000)])
async def test_the_wait_is_told_in_header_and_body_or_in_one(told: Any, header: Any, body: Any) -> None:
    async with (
        MatrixServer(rate=0.2, burst=1, told=told, clock=lambda: 0.0) as server,
        aiohttp.ClientSession() as session,
    ):
        client, room = Client(server, session), server.add_room(server.person("sami"), members=(server.bot,))
        assert (await client.send(room, text()))[0] == 200
        status, refusal = await client.send(room, text())
        assert (status, refusal["errcode"], refusal.get("retry_after_ms")) == (429, "M_LIMIT_EXCEEDED", body)
        assert client.headers.get("Retry-After") == header
        server.faults.add("whoami", Limited(1.5, told))
        _, refusal = await client.call("GET", f"{V3}/account/whoami")
        assert (refusal.get("retry_after_ms"), client.headers.get("Retry-After")) == (body and 1500, header and "2")


@given(gaps=st.lists(st.floats(0, 60), max_size=60), burst=st.integers(1, 10), second=st.sampled_from([1.0, 0.01]))
def test_the_wait_that_is_told_is_enough_and_the_rate_is_kept(gaps: list[float], burst: int, second: float) -> None:
    now = [0.0]
    buckets = Buckets(rate=0.2, burst=burst, second=second, clock=lambda: now[0])
    taken: list[float] = []
    for gap in gaps:
        now[0] += gap * second
        wait = buckets.wait("@relay")
        assert buckets.wait("@other") == 0
        if wait:
            assert len([one for one in taken if one > now[0] - burst / 0.2 * second]) >= burst
            now[0] += wait
        assert buckets.wait("@relay") == pytest.approx(0, abs=1e-6)
        buckets.take("@relay")
        taken.append(now[0])


async def test_refused_events_cost_nothing_and_a_lost_answer_does() -> None:
    async with MatrixServer(rate=0.2, burst=2, clock=lambda: 0.0) as server, aiohttp.ClientSession() as session:
        client, room = Client(server, session), server.add_room(server.person("sami"), members=(server.bot,))
        assert (await client.send(room, edit("$nothing")))[0] == 400
        server.faults.add("send", LOST, 2)  # aiohttp asks once more by itself
        with pytest.raises(aiohttp.ClientError):
            await client.send(room, text())
        assert (await client.send(room, text()))[0] == 200
        assert (await client.send(room, text()))[0] == 429
