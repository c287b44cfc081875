"""The adapter alone against a real Synapse: the contract, threads, limits, and a crash of the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.matrix import Matrix, MatrixSettings
from adapters.matrix.pace import Attempt, MatrixPace
from adapters.matrix.sending import MatrixMessage
from relay.kit import readable
from relay.model import Action, Delivery
from relay.plugins import Host
from relay.ports import Adapter, Gone, Refused, Sent, TryLater
from relay.testing import AdapterContract, delivery, in_thread
from tests.servers.environments import only_when_real
from tests.servers.synapse import Synapse, running
from tests.support.fetching import client
from tests.support.matrix_homes import Home, Real, seen

pytestmark = pytest.mark.real


@dataclass
class World:
    """Our adapter on a real homeserver, and a room in which it is; Quilla reads along."""

    synapse: Synapse
    home: Home
    room: str
    adapter: Matrix

    @property
    def to(self) -> str:
        return f"matrix:{self.room}"

    async def send(self, number: int = 1, **changes: Any) -> Sent:
        outcome = await self.adapter.deliver(delivery(number, to=self.to, **changes))
        assert isinstance(outcome, Sent), outcome
        return outcome


async def opened(synapse: Synapse, http: Any) -> World:
    home = Real(synapse)
    room = await home.room("sami", ["quilla"])
    await home.invite("sami", room)
    token = await home.token()
    chosen = MatrixSettings.model_validate({"homeserver": home.url, "user": home.user, "token": token})
    adapter = Matrix(chosen, Host(http=http, name="Chasqui"))
    assert await adapter.api.join(room) == room
    return World(synapse, home, room, adapter)


@pytest.fixture
async def world(synapse: Synapse) -> AsyncIterator[World]:
    async with client() as http:
        world = await opened(synapse, http)
        yield world
        await world.adapter.close()


class TestContract(AdapterContract):
    @pytest.fixture(autouse=True)
    def _given(self, world: World) -> None:
        self.world = world
        self.to = world.to

    def make(self) -> Adapter:
        return self.world.adapter


def _id(name: str) -> dict[str, Any]:
    """Ids are for life there, as are transactions: each test has its own."""
    return {"id": f"{name}-{time.time_ns()}"}


async def test_a_thread_an_edit_and_a_deletion_read_by_somebody_else(world: World) -> None:
    first = await world.send(1, card=in_thread(1, 1), **_id("first"))
    second = await world.send(2, card=in_thread(2, 2), under=first.messages, **_id("second"))
    there = await seen(world.home, "quilla", world.room)
    assert [one.thread for one in there] == ["", readable(first.messages, MatrixMessage.parse)[0].event]
    await world.send(3, action=Action.EDIT, messages=second.messages, card=in_thread(3, 2), **_id("edit"))
    there = await seen(world.home, "quilla", world.room)
    assert "Post number 3." in there[1].body
    assert there[1].thread == readable(first.messages, MatrixMessage.parse)[0].event
    await world.send(1, action=Action.DELETE, messages=first.messages, **_id("gone"))
    assert len(await seen(world.home, "quilla", world.room)) == 1
    third = await world.send(4, card=in_thread(4, 3), under=first.messages, **_id("third"))
    assert third.messages


async def test_an_encrypted_room_and_a_silenced_one_get_nothing(world: World) -> None:
    await world.synapse.set_state("sami", world.room, "m.room.power_levels", {"events_default": 50})
    outcome = await world.adapter.deliver(delivery(to=world.to, **_id("silenced")))
    assert isinstance(outcome, Gone)
    assert "power level" in outcome.reason
    await world.synapse.set_state("sami", world.room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    world.adapter.rooms.forget(world.room)
    outcome = await world.adapter.deliver(delivery(to=world.to, **_id("encrypted")))
    assert isinstance(outcome, Gone)
    assert "encrypted" in outcome.reason
    own, room = await world.adapter.check([delivery(to=world.to).destination])
    assert own.ok
    assert "override_ratelimit" in own.note
    assert not room.ok


async def test_the_largest_text_fits_with_its_edit_and_a_larger_event_is_refused(world: World) -> None:
    """A text is cut so that its edit, which holds it twice, stays below 65,536 bytes."""
    from relay.model import Card
    from relay.testing import post, text

    for number, letter in enumerate(("a", "ñ", "𝄞", '"', "<"), 10):
        card = Card(post=post(number, body=text(*[letter * 900] * 40)), reason="#Qeswachaka")
        sent = await world.send(number, card=card, **_id("long"))
        await world.send(number, action=Action.EDIT, messages=sent.messages, card=card, **_id("edit"))
    content = {"msgtype": "m.notice", "body": "a" * 65_000, "m.mentions": {}}
    failed = await world.adapter.api.send(world.room, "too-large", content)
    assert not isinstance(failed, str)
    assert failed.code == "M_TOO_LARGE"


async def test_what_was_begun_before_the_server_crashed_is_the_same_message_after_it(tmp_path: Path) -> None:
    only_when_real()
    with running(tmp_path / "hs") as synapse:
        async with client() as http:
            world = await opened(synapse, http)
            what = delivery(1, to=world.to, **_id("crash"))
            first = await world.adapter.deliver(what)
            synapse.kill()
            outcome = await world.adapter.deliver(delivery(2, to=world.to))
            assert isinstance(outcome, TryLater)
            synapse.start()
            assert await world.adapter.deliver(what) == first
            assert len(await seen(world.home, "quilla", world.room)) == 1
            await world.adapter.close()


class Counting(MatrixPace):
    """Counts what was refused."""

    refusals = 0

    def refused(self, attempt: Attempt, after: float, now: float) -> None:
        self.refusals += 1
        super().refused(attempt, after, now)


@pytest.mark.timeout(300)
async def test_the_usual_limit_is_used_up_without_loss_without_repeats_and_with_few_refusals(
    usual_synapse: Synapse,
) -> None:
    """Synapse's own 0.2 a second over all rooms: three rooms with a backlog, each delivery tried when it is told to."""
    async with client() as http:
        world = await opened(usual_synapse, http)
        pace = world.adapter.calls.pace = Counting()
        rooms = [world.room]
        for _ in range(2):
            room = await world.home.room("sami", ["quilla"])
            await world.home.invite("sami", room)
            assert await world.adapter.api.join(room) == room
            rooms.append(room)
        begun = time.monotonic()
        times = await asyncio.gather(*(_drain(world.adapter, room, 9) for room in rooms))
        sent = sorted(moment - begun for room in times for moment in room)
        for room in rooms:
            bodies = [one.body for one in await seen(world.home, "quilla", room)]
            assert [f"Post number {number}." in body for number, body in enumerate(bodies)] == [True] * 9
        await world.adapter.close()
    late = sent[10:]  # so many it takes at once
    allowed, took = (len(late) - 1) / 0.2, late[-1] - late[0]
    print(f"{len(late)} posts in {took:.1f} s, of which the limit asks {allowed:.1f} s; {pace.refusals} refusals")
    assert allowed >= 0.9 * took
    assert pace.refusals <= 8


async def _drain(adapter: Matrix, room: str, count: int) -> list[float]:
    """One delivery after the other, as the outbox does it; the moments at which they were done."""
    times, wait = [], 0.0
    for number in range(count):
        what: Delivery = delivery(number, to=f"matrix:{room}", **_id(f"limited{number}"))
        while True:
            await asyncio.sleep(wait)
            outcome = await adapter.deliver(what)
            assert isinstance(outcome, Sent | TryLater), outcome
            if isinstance(outcome, Sent):
                wait = outcome.wait.total_seconds()
                break
            wait = outcome.after.total_seconds() if outcome.after else 2.0
        times.append(time.monotonic())
    return times


async def test_a_refused_delivery_says_so(world: World) -> None:
    outcome = await world.adapter.deliver(delivery(to="matrix:nonsense", **_id("nonsense")))
    assert isinstance(outcome, Refused)
