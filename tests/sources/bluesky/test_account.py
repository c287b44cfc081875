"""The account that answers: who it is, how it says that it is a bot's, and whether all that would work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from relay.ports import Account, Gone, TryLater
from relay.sources.bluesky import BlueskySource
from tests.servers.bluesky.jetstream import cid
from tests.servers.bluesky.world import Json
from tests.servers.bluesky.xrpc import ACCOUNT, CHASKI, HANDLE, HTML, Stage, asking, run

PROFILE = f"at://{CHASKI}/app.bsky.actor.profile/self"
US = Account(uri=CHASKI, handle=f"@{HANDLE}", url=f"https://bsky.app/profile/{CHASKI}")
BOT = {"val": "bot"}


def labels(*values: Json, **more: Any) -> Json:
    return {"$type": "com.atproto.label.defs#selfLabels", "values": list(values)} | more


def profile(**fields: Any) -> Json:
    picture = {"$type": "blob", "ref": {"$link": "bafyx"}, "mimeType": "image/png", "size": 12345678901234567890}
    return {"$type": "app.bsky.actor.profile", "displayName": "Chaski 🦙", "avatar": picture, "x.y": 1.50} | fields


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with run() as stage:
        stage.world.records[PROFILE] = profile()
        yield stage


@pytest.fixture
async def source(stage: Stage) -> AsyncIterator[BlueskySource]:
    async with asking(stage, mentions=True, jetstream=[], **ACCOUNT) as source:
        yield source


# --- who it is ---


async def test_it_is_called_as_others_know_it(source: BlueskySource) -> None:
    assert await source.account(HANDLE) == US


async def test_a_handle_that_does_not_hold_is_not_told(stage: Stage, source: BlueskySource) -> None:
    stage.say("getSession", {"did": CHASKI, "handle": "handle.invalid"})
    assert await source.account(HANDLE) == Account(uri=CHASKI, handle="", url=US.url)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [(502, HTML, TryLater), (200, HTML, TryLater), (400, {"error": "AccountTakedown"}, Gone), (403, b"", TryLater)],
)
async def test_who_cannot_be_known_is_a_value(
    stage: Stage, source: BlueskySource, status: int, body: object, outcome: type
) -> None:
    stage.say("getSession", body, status=status)
    assert isinstance(await source.account(HANDLE), outcome)
    assert isinstance(await source.mentions(HANDLE, ""), outcome)


# --- the mark ---


async def test_the_mark_is_added_and_all_else_stays(stage: Stage, source: BlueskySource) -> None:
    before = cid(stage.world.records[PROFILE])
    await source.account(HANDLE)
    assert stage.world.records[PROFILE] == profile(labels=labels(BOT))
    assert stage.put[0]["swapRecord"] == before
    await source.account(HANDLE)
    assert len(stage.put) == 1


async def test_other_labels_stay(stage: Stage, source: BlueskySource) -> None:
    other = {"val": "!no-unauthenticated", "x": 1}
    stage.world.records[PROFILE] = profile(labels=labels(other, more=[2]))
    assert await source.account(HANDLE) == US
    assert stage.world.records[PROFILE] == profile(labels=labels(other, BOT, more=[2]))


async def test_one_that_is_marked_is_not_touched(stage: Stage, source: BlueskySource) -> None:
    stage.world.records[PROFILE] = profile(labels=labels(BOT))
    assert await source.account(HANDLE) == US
    assert stage.put == []


async def test_an_account_without_a_profile_gets_one(stage: Stage, source: BlueskySource) -> None:
    del stage.world.records[PROFILE]
    assert await source.account(HANDLE) == US
    assert stage.world.records[PROFILE] == {"$type": "app.bsky.actor.profile", "labels": labels(BOT)}


async def test_a_profile_that_changed_meanwhile_is_read_again(stage: Stage, source: BlueskySource) -> None:
    stage.say("putRecord", {"error": "InvalidSwap"}, status=400, times=1)
    assert await source.account(HANDLE) == US
    assert stage.count("getRecord") == 2


@pytest.mark.parametrize(
    "found",
    [
        profile(labels={"$type": "x.y#z", "values": []}),
        profile(labels=labels(*({"val": str(number)} for number in range(10)))),
        profile(labels=[1]),
        profile(labels=labels() | {"values": 5}),
    ],
)
async def test_a_profile_that_takes_no_mark_is_left_as_it_is_and_told(
    stage: Stage, source: BlueskySource, found: Json
) -> None:
    stage.world.records[PROFILE] = found
    us = await source.account(HANDLE)
    assert isinstance(us, Account)
    assert HANDLE in us.note
    assert "bot" in us.note
    assert stage.put == []


@pytest.mark.parametrize(
    ("status", "body"), [(403, HTML), (400, {"error": "InvalidSwap"}), (400, {"error": "InvalidRequest"})]
)
async def test_a_server_that_takes_no_mark_is_told(
    stage: Stage, source: BlueskySource, status: int, body: object
) -> None:
    stage.say("putRecord", body, status=status)
    us = await source.account(HANDLE)
    assert isinstance(us, Account)
    assert "cannot be marked" in us.note


@pytest.mark.parametrize("method", ["getRecord", "putRecord"])
async def test_a_server_in_trouble_is_asked_later(stage: Stage, source: BlueskySource, method: str) -> None:
    stage.say(method, HTML, status=502, times=1)
    assert isinstance(await source.account(HANDLE), TryLater)
    assert await source.account(HANDLE) == US


# --- would it work? ---


async def test_a_check_says_who_is_answered_and_changes_nothing(stage: Stage, source: BlueskySource) -> None:
    _, line = await source.check()
    assert line.ok
    assert "who mentions it is answered" in line.note
    assert "will say on its profile" in line.note
    assert stage.put == []
    await source.account(HANDLE)
    _, line = await source.check()
    assert line.ok
    assert "its profile says that it is a bot" in line.note


async def test_a_check_says_that_the_profile_cannot_be_read(stage: Stage, source: BlueskySource) -> None:
    stage.say("getRecord", HTML, status=502)
    _, line = await source.check()
    assert not line.ok
    assert "cannot be read" in line.note
