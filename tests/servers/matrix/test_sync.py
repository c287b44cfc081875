"""What the loopback homeserver tells in /sync, read by the unmodified mautrix."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from mautrix.client import ClientAPI
from mautrix.errors import MForbidden
from mautrix.types import Filter, PaginationDirection, RoomFilter, RoomID, StateFilter
from mautrix.types import RoomEventFilter as Events

from tests.servers.matrix import MatrixServer, Person, Room
from tests.support.servers_matrix_cases import MESSAGE, client_of, send, synced


@pytest.fixture
async def server() -> AsyncIterator[MatrixServer]:
    async with MatrixServer() as running:
        yield running
    assert running.faulty == []


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
def bot(server: MatrixServer, session: aiohttp.ClientSession) -> ClientAPI:
    return client_of(server, session)


@pytest.fixture
def sami(server: MatrixServer) -> Person:
    return server.person("sami")


@pytest.fixture
def plaza(server: MatrixServer, sami: Person) -> Room:
    return server.add_room(sami, name="Plaza", alias="plaza", members=(server.bot,))


async def test_a_sync_waits_for_what_happens(server: MatrixServer, bot: ClientAPI, sami: Person, plaza: Room) -> None:
    since = (await synced(bot))["next_batch"]
    assert set(await synced(bot, since, wait=20)) == {"next_batch"}
    waiting = asyncio.create_task(synced(bot, since))
    await server.polled()
    await server.heard()
    said = await server.say(plaza, sami, "!relay help")
    told = (await waiting)["rooms"]["join"][plaza.id]
    assert [one["event_id"] for one in told["timeline"]["events"]] == [said]
    assert (told["timeline"]["limited"], told["state"]["events"]) == (False, [])
    assert server.polling[server.bot] == 0


async def test_own_events_come_back_with_their_transaction_to_their_device(
    server: MatrixServer, session: aiohttp.ClientSession, sami: Person, plaza: Room
) -> None:
    bot, other = client_of(server, session), client_of(server, session, sami.token)
    since = (await synced(bot))["next_batch"]
    await send(bot, plaza, "one", txn="d-1")
    mine, theirs = [
        (await synced(one, since))["rooms"]["join"][plaza.id]["timeline"]["events"][0] for one in (bot, other)
    ]
    assert mine["unsigned"]["transaction_id"] == "d-1"
    assert "transaction_id" not in theirs["unsigned"]


async def test_invitations_departures_and_bans_are_told_once(
    server: MatrixServer, bot: ClientAPI, sami: Person, plaza: Room
) -> None:
    other = server.add_room(sami, name="Market")
    since = (await synced(bot))["next_batch"]
    server.invite(other, sami, is_direct=True)
    told = await synced(bot, since)
    state = told["rooms"]["invite"][other.id]["invite_state"]["events"]
    member = next(one for one in state if one.get("state_key") == server.bot)
    assert (member["sender"], member["content"]["is_direct"]) == (sami.id, True)
    assert {"m.room.create", "m.room.name", "m.room.join_rules"} <= {one["type"] for one in state}
    assert all(set(one) == {"type", "state_key", "sender", "content"} for one in state)
    assert "rooms" not in await synced(bot, told["next_batch"], wait=0)
    await bot.join_room_by_id(RoomID(other.id))
    entered = (await synced(bot, told["next_batch"]))["rooms"]["join"][other.id]
    assert {"m.room.name", "m.room.power_levels"} <= {
        one["type"] for part in ("state", "timeline") for one in entered[part]["events"]
    }
    since = (await synced(bot))["next_batch"]
    server.kick(plaza, sami, reason="enough")
    server.ban(other, sami)
    told = await synced(bot, since)
    gone = told["rooms"]["leave"]
    assert gone[plaza.id]["timeline"]["events"][-1]["content"]["reason"] == "enough"
    assert gone[other.id]["timeline"]["events"][-1]["content"]["membership"] == "ban"
    for later in (told["next_batch"], None):
        assert "rooms" not in await synced(bot, later, wait=0)
    with pytest.raises(MForbidden, match="banned"):
        await bot.join_room_by_id(RoomID(other.id))


async def test_a_withdrawn_invitation_is_a_departure(server: MatrixServer, bot: ClientAPI, sami: Person) -> None:
    room = server.add_room(sami)
    since = (await synced(bot))["next_batch"]
    server.invite(room, sami)
    server.kick(room, sami)
    events = (await synced(bot, since))["rooms"]["leave"][room.id]["timeline"]["events"]
    assert [one["content"]["membership"] for one in events] == ["leave"]


async def test_a_gap_is_limited_and_names_where_it_begins(
    server: MatrixServer, bot: ClientAPI, sami: Person, plaza: Room
) -> None:
    since = (await synced(bot))["next_batch"]
    said = [await server.say(plaza, sami, str(number)) for number in range(3)]
    server.set_power(plaza, server.bot, 7)
    wanted = Filter(room=RoomFilter(timeline=Events(limit=2, types=[MESSAGE]), state=StateFilter()))
    key = await bot.create_filter(wanted)
    told = (await synced(bot, since, filter_id=key))["rooms"]["join"][plaza.id]
    assert [one["event_id"] for one in told["timeline"]["events"]] == said[1:]
    assert told["timeline"]["limited"]
    assert [one["content"]["users"][server.bot] for one in told["state"]["events"]] == [7]
    before: Any = await bot.get_messages(
        RoomID(plaza.id), PaginationDirection.BACKWARD, told["timeline"]["prev_batch"], limit=1
    )
    assert [one.event_id for one in before.events] == said[:1]


async def test_a_filter_written_out_leaves_out_types_senders_and_rooms(
    server: MatrixServer, bot: ClientAPI, sami: Person, plaza: Room
) -> None:
    other = server.add_room(sami, members=(server.bot,))
    since = (await synced(bot))["next_batch"]
    await send(bot, plaza, "mine")
    await server.say(plaza, sami, "theirs")
    await server.say(other, sami, "elsewhere")
    wanted = {"room": {"not_rooms": [other.id], "timeline": {"not_senders": [server.bot], "types": ["m.room.*"]}}}
    told = (await synced(bot, since, filter_id=json.dumps(wanted)))["rooms"]["join"]
    assert [one["content"]["body"] for one in told[plaza.id]["timeline"]["events"]] == ["theirs"]
    assert other.id not in told
