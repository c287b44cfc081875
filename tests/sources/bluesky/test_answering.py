"""Answering a mention on Bluesky: one post below it, whatever happens in between; silence where it is not welcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relay.ports import Answered, Gone, Mention, Mentions, Refused, TryLater
from relay.sources.bluesky import BlueskySource
from tests.servers.bluesky.account import reside, speak
from tests.servers.bluesky.jetstream import cid, did
from tests.servers.bluesky.world import Json
from tests.servers.bluesky.xrpc import ACCOUNT, CHASKI, HANDLE, HTML, Stage, asking, run

UNROLL = f"@{HANDLE} unroll"
LINK = "https://relay.example/t/k3v9Qm2xTbW0rYh7-_a"
TEXT = f"These 3 posts as one text: {LINK}"
KEY = "5f0c2b"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with run() as stage:
        reside(stage.world, CHASKI, HANDLE)
        yield stage


@pytest.fixture
async def source(stage: Stage) -> AsyncIterator[BlueskySource]:
    async with asking(stage, mentions=True, **ACCOUNT) as source:
        yield source


@pytest.fixture
async def mention(stage: Stage, source: BlueskySource) -> Mention:
    """Of the second post of a thread."""
    told = await source.mentions(HANDLE, "")
    assert isinstance(told, Mentions)
    speak(stage.world, UNROLL, reply_to=stage.world.thread(2)[-1], langs=["es"])
    told = await source.mentions(HANDLE, told.cursor or "")
    assert isinstance(told, Mentions)
    (mention,) = told.mentions
    return mention


async def reply(
    source: BlueskySource, mention: Mention, text: str = TEXT, *, key: str = KEY, again: bool = False
) -> object:
    return await source.answer(HANDLE, mention, text, key=key, again=again)


def answers(stage: Stage) -> dict[str, Json]:
    return {uri: said for uri, said in stage.world.records.items() if f"{CHASKI}/app.bsky.feed.post" in uri}


def the_answer(stage: Stage) -> Json:
    (said,) = answers(stage).values()
    return said


async def test_it_stands_below_the_mention_and_in_its_conversation(
    stage: Stage, source: BlueskySource, mention: Mention
) -> None:
    outcome = await reply(source, mention)
    ((uri, said),) = answers(stage).items()
    assert outcome == Answered(uri)
    root = stage.world.records[mention.uri]["reply"]["root"]
    assert said["reply"] == {
        "parent": {"uri": mention.uri, "cid": cid(stage.world.records[mention.uri])},
        "root": root,
    }
    assert root["uri"] != mention.uri
    assert (said["$type"], said["text"], said["langs"]) == ("app.bsky.feed.post", TEXT, ["es"])
    assert abs(datetime.fromisoformat(said["createdAt"]) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_its_address_is_a_link_and_nobody_is_mentioned(
    stage: Stage, source: BlueskySource, mention: Mention
) -> None:
    """Counted in bytes, behind letters that take several."""
    await reply(source, mention, f"👩‍👩‍👧 ñandú, @sami.ayllu.example #tag: {LINK}")
    said = the_answer(stage)
    (facet,) = said["facets"]
    index = facet["index"]
    assert said["text"].encode()[index["byteStart"] : index["byteEnd"]].decode() == LINK
    assert facet["features"] == [{"$type": "app.bsky.richtext.facet#link", "uri": LINK}]


async def test_without_an_address_there_is_no_link(stage: Stage, source: BlueskySource, mention: Mention) -> None:
    await reply(source, replace(mention, language="not a language"), "Done.")
    assert not {"facets", "langs"} & the_answer(stage).keys()


async def test_a_long_text_is_cut_and_its_address_is_not(stage: Stage, source: BlueskySource, mention: Mention) -> None:
    await reply(source, mention, f"{'🦙 ' * 200}{LINK}")
    said = the_answer(stage)
    assert said["text"].endswith(f"… {LINK}")
    assert len(said["facets"]) == 1


# --- once ---


async def test_each_try_is_the_same_post(stage: Stage, source: BlueskySource, mention: Mention) -> None:
    """Though by now the text would be another one."""
    first = await reply(source, mention)
    said = the_answer(stage)
    assert await reply(source, mention, f"These 4 posts as one text: {LINK}", again=True) == first
    assert await reply(source, mention, f"These 4 posts as one text: {LINK}") == first
    assert the_answer(stage) is said


async def test_a_try_that_failed_half_way_is_found(stage: Stage, source: BlueskySource, mention: Mention) -> None:
    """The server wrote it, and its answer was lost; meanwhile the mention was deleted."""
    await reply(source, mention)
    del stage.world.records[mention.uri]
    puts = len(stage.put)
    outcome = await reply(source, mention, again=True)
    assert isinstance(outcome, Answered)
    assert len(stage.put) == puts


async def test_a_try_that_never_arrived_is_made_again(stage: Stage, source: BlueskySource, mention: Mention) -> None:
    stage.say("putRecord", HTML, status=502, times=1)
    assert isinstance(await reply(source, mention), TryLater)
    assert answers(stage) == {}
    assert isinstance(await reply(source, mention, again=True), Answered)
    assert len(answers(stage)) == 1


async def test_two_tries_at_once_are_one_answer(stage: Stage, source: BlueskySource, mention: Mention) -> None:
    outcomes = await asyncio.gather(*(reply(source, mention, f"{number} {LINK}") for number in range(5)))
    assert outcomes == [Answered(uri) for uri in answers(stage)] * 5


async def test_another_post_at_its_place_is_left_alone(stage: Stage, source: BlueskySource, mention: Mention) -> None:
    await reply(source, mention)
    (uri,) = answers(stage)
    stage.world.records[uri] = ours = {"$type": "app.bsky.feed.post", "text": "ours"}
    for again in (True, False):
        assert isinstance(await reply(source, mention, again=again), Refused)
    assert stage.world.records[uri] is ours


async def test_answers_to_different_mentions_are_different_posts(
    stage: Stage, source: BlueskySource, mention: Mention
) -> None:
    """At the same moment too."""
    for number in range(20):
        assert isinstance(await reply(source, mention, key=str(number)), Answered)
    assert len(answers(stage)) == 20


# --- silence ---


async def test_a_thread_that_is_closed_to_answers_is_left_alone(
    stage: Stage, source: BlueskySource, mention: Mention
) -> None:
    stage.world.shown[mention.uri] = {"viewer": {"replyDisabled": True}}
    assert isinstance(await reply(source, mention), Refused)
    assert stage.put == []


async def test_who_blocked_the_account_is_left_alone(stage: Stage, source: BlueskySource, mention: Mention) -> None:
    stage.world.people[did("sami")]["viewer"] = {"blockedBy": True}
    assert isinstance(await reply(source, mention), Refused)
    assert stage.put == []


async def test_a_mention_that_was_deleted_is_not_answered(
    stage: Stage, source: BlueskySource, mention: Mention
) -> None:
    del stage.world.records[mention.uri]
    assert isinstance(await reply(source, mention), Refused)
    assert stage.put == []


async def test_what_was_kept_and_cannot_be_read_is_not_answered(source: BlueskySource, mention: Mention) -> None:
    assert isinstance(await reply(source, replace(mention, reply="{}")), Refused)


# --- when it does not go well ---


async def test_a_session_that_ran_out_is_renewed(stage: Stage, source: BlueskySource, mention: Mention) -> None:
    stage.expire()
    assert isinstance(await reply(source, mention), Answered)
    stage.say("getPosts", {"posts": [{"uri": mention.uri, "author": {}, "viewer": {}}]})
    stage.expire()
    assert isinstance(await reply(source, mention, key="other"), Answered)
    assert stage.count("createSession") == 1


async def test_the_limit_of_the_server_is_kept(stage: Stage, source: BlueskySource, mention: Mention) -> None:
    stage.writes = 0
    outcome = await reply(source, mention)
    assert isinstance(outcome, TryLater)
    assert outcome.after
    assert timedelta(minutes=9) < outcome.after <= timedelta(minutes=10)


async def test_the_last_write_of_a_while_asks_for_silence(
    stage: Stage, source: BlueskySource, mention: Mention
) -> None:
    limits = {"ratelimit-remaining": "0", "ratelimit-reset": str(int(datetime.now(UTC).timestamp()) + 600)}
    stage.say("putRecord", {"uri": "x", "cid": "y"}, headers=limits)
    outcome = await reply(source, mention)
    assert isinstance(outcome, Answered)
    assert timedelta(minutes=9) < outcome.wait <= timedelta(minutes=10)


@pytest.mark.parametrize(
    ("asked", "status", "body", "outcome"),
    [
        ("getPosts", 200, HTML, TryLater),
        ("getPosts", 200, b'{"posts": 5}', TryLater),
        ("getPosts", 502, HTML, TryLater),
        ("getPosts", 400, {"error": "AccountDeactivated"}, Gone),
        ("putRecord", 400, {"error": "InvalidRequest", "message": "Invalid record"}, Refused),
        ("putRecord", 400, {"error": "InvalidSwap"}, TryLater),
        ("putRecord", 403, HTML, TryLater),
        ("putRecord", 400, {"error": "AccountTakedown"}, Gone),
        ("putRecord", 301, b"", TryLater),
        ("putRecord", 500, b"", TryLater),
    ],
)
async def test_every_trouble_is_a_value(
    stage: Stage, source: BlueskySource, mention: Mention, asked: str, status: int, body: object, outcome: type
) -> None:
    stage.say(asked, body, status=status)
    assert isinstance(await reply(source, mention), outcome)
    assert answers(stage) == {}
