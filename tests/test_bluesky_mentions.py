"""Speaking as an account on Bluesky: who mentions it is heard, and answered below."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from relay.ports import Account, Answered, Mention, MentionedSource, Mentions, Refused, TryLater
from relay.sources.bluesky import BlueskySettings, BlueskySource
from relay.sources.bluesky.speech import MOST, record_key, written
from relay.text import graphemes
from tests.servers.bluesky.jetstream import did
from tests.servers.bluesky.world import label
from tests.servers.bluesky.xrpc import ACCOUNT, HANDLE, Stage, asking, run

OWN = "did:plc:chaski234567"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with run() as stage:
        stage.world.people[OWN] = {"did": OWN, "handle": HANDLE, "displayName": "Chaski", "labels": []}
        yield stage


@pytest.fixture
async def source(stage: Stage) -> AsyncIterator[BlueskySource]:
    async with asking(stage, mentions=True, **ACCOUNT) as source:
        yield source


def mentioning(text: str = f"@{HANDLE} unroll", whom: str = OWN) -> list[dict[str, Any]]:
    end = len(text.partition(" ")[0].encode())
    feature = {"$type": "app.bsky.richtext.facet#mention", "did": whom}
    return [{"index": {"byteStart": 0, "byteEnd": end}, "features": [feature]}]


def ask(stage: Stage, about: str = "", by: str = "sami", at: int = 0, **changes: Any) -> str:
    world = stage.world
    changes = {"facets": mentioning(), **changes}
    return world.notify(world.post(f"@{HANDLE} unroll", by, reply_to=about, **changes), at=at)


async def heard(source: BlueskySource, cursor: str = "") -> Mentions:
    told = await source.mentions(HANDLE, cursor)
    assert isinstance(told, Mentions), told
    return told


async def begun(source: BlueskySource) -> str:
    told = await heard(source)
    assert not told.mentions
    assert told.cursor
    return told.cursor


async def one(source: BlueskySource, stage: Stage, about: str = "", **changes: Any) -> Mention:
    cursor = await begun(source)
    ask(stage, about or stage.world.post("A bridge."), **changes)
    [mention] = (await heard(source, cursor)).mentions
    return mention


async def answer(source: BlueskySource, mention: Mention, text: str = "Here:", *, again: bool = False) -> object:
    return await source.answer(HANDLE, mention, text, key="0123456789abcdef", again=again)


def posted(stage: Stage) -> list[dict[str, Any]]:
    return [record for uri, record in stage.world.records.items() if uri.startswith(f"at://{OWN}/")]


# --- who we are ---


async def test_the_account_says_who_it_is_and_is_labelled_as_a_bot(source: BlueskySource, stage: Stage) -> None:
    assert isinstance(source, MentionedSource)
    assert source.accounts() == (HANDLE,)
    stage.world.people[OWN]["labels"] = [{"val": "!no-unauthenticated"}]
    us = await source.account(HANDLE)
    assert us == Account(uri=OWN, handle=f"@{HANDLE}", url=f"https://bsky.app/profile/{OWN}")
    assert [one["val"] for one in stage.profile["labels"]["values"]] == ["!no-unauthenticated", "bot"]
    assert stage.profile["displayName"] == "Chaski"
    await source.account(HANDLE)
    assert len(stage.puts) == 1


async def test_a_profile_that_cannot_be_changed_is_said(source: BlueskySource, stage: Stage) -> None:
    stage.say("putRecord", {"error": "InvalidSwap"}, status=400)
    us = await source.account(HANDLE)
    assert isinstance(us, Account)
    assert "bot" in us.note


async def test_without_the_setting_nobody_is_heard(stage: Stage) -> None:
    async with asking(stage, **ACCOUNT) as source:
        assert source.accounts() == ()
    with pytest.raises(ValueError, match="takes an account"):
        BlueskySettings(mentions=True)


async def test_checks_say_whether_mentions_are_answered(source: BlueskySource, stage: Stage) -> None:
    found = {check.name: check for check in await source.check()}
    assert found["bluesky mentions"].note == f"answers who mentions @{HANDLE}"
    stage.say("listNotifications", {"error": "Forbidden"}, status=403)
    found = {check.name: check for check in await source.check()}
    assert not found["bluesky mentions"].ok


# --- hearing ---


async def test_a_mention_tells_who_asks_what_about_what(source: BlueskySource, stage: Stage) -> None:
    root = stage.world.post("A bridge.")
    middle = stage.world.post("It holds.", reply_to=root)
    mention = await one(source, stage, middle, langs=["es"])
    assert (mention.asker.uri, mention.asker.handle) == (did("sami"), "@sami.ayllu.example")
    assert (mention.text, mention.language, mention.about) == (f"@{HANDLE} unroll", "es", middle)
    assert mention.uri.startswith(f"at://{did('sami')}/")
    assert not mention.asker.bot


async def test_a_quote_is_what_a_post_asks_about_that_answers_nothing(source: BlueskySource, stage: Stage) -> None:
    cursor = await begun(source)
    quoted = stage.world.post("A bridge.")
    ref = {"uri": quoted, "cid": "bafyreiabc"}
    ask(stage, embed={"$type": "app.bsky.embed.record", "record": ref})
    ask(stage, embed={"$type": "app.bsky.embed.recordWithMedia", "record": {"record": ref}, "media": {}})
    ask(stage)
    told = await heard(source, cursor)
    assert [mention.about for mention in told.mentions] == [quoted, quoted, ""]


async def test_only_a_facet_mentions_and_we_do_not_mention_ourselves(source: BlueskySource, stage: Stage) -> None:
    cursor = await begun(source)
    stage.world.people[did("chaski")] = stage.world.people[OWN]
    ask(stage, facets=[])
    ask(stage, facets=mentioning(whom=did("kusi")))
    stage.world.notify(ask(stage, by="kusi", labels={}), "reply")
    told = await heard(source, cursor)
    assert [mention.asker.name for mention in told.mentions] == ["Kusi"]


async def test_bots_say_what_they_are(source: BlueskySource, stage: Stage) -> None:
    stage.world.person("sami", labels=[label("bot", did("sami"))])
    assert (await one(source, stage)).asker.bot


async def test_what_came_while_nobody_read_is_read_in_its_order_and_once(source: BlueskySource, stage: Stage) -> None:
    ask(stage)
    cursor = await begun(source)
    uris = [ask(stage) for _ in range(700)]
    found, more = [], True
    while more:
        told = await heard(source, cursor)
        found += [mention.uri for mention in told.mentions]
        cursor, more = told.cursor or cursor, told.more
    assert sorted(found) == sorted(uris)
    assert (await heard(source, cursor)).mentions == ()


async def test_what_becomes_known_late_is_not_lost(source: BlueskySource, stage: Stage) -> None:
    """Of the same moment as the newest that is known, or a little before it."""
    first = ask(stage)
    cursor = await begun(source)
    now = stage.world.now
    late = [ask(stage, at=now), ask(stage, at=now - 5_000_000)]
    told = await heard(source, cursor)
    assert {mention.uri for mention in told.mentions} == set(late)
    assert first not in late


async def test_a_session_that_ran_out_is_renewed(source: BlueskySource, stage: Stage) -> None:
    mention = await one(source, stage)
    stage.expire()
    assert isinstance(await answer(source, mention), Answered)
    assert stage.count("refreshSession") == 1


# --- answering ---


async def test_an_answer_stands_below_the_mention_and_names_nobody(source: BlueskySource, stage: Stage) -> None:
    root = stage.world.post("A bridge.")
    mention = await one(source, stage, stage.world.post("It holds.", reply_to=root))
    outcome = await answer(source, mention, "🧵 3 posts: https://relay.example/t/abc")
    [record] = posted(stage)
    assert isinstance(outcome, Answered)
    assert outcome.uri in stage.world.records
    assert (record["reply"]["parent"]["uri"], record["reply"]["root"]["uri"]) == (mention.uri, root)
    [facet] = record["facets"]
    said = record["text"].encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]]
    assert said.decode() == facet["features"][0]["uri"] == "https://relay.example/t/abc"


async def test_the_same_answer_again_is_the_same_post(source: BlueskySource, stage: Stage) -> None:
    mention = await one(source, stage)
    first = await answer(source, mention)
    assert await answer(source, mention, again=True) == first
    assert stage.count("putRecord") == 2  # the profile, and one answer
    assert await answer(source, mention) == first
    assert len(posted(stage)) == 1


async def test_an_earlier_try_that_posted_nothing_is_made_good(source: BlueskySource, stage: Stage) -> None:
    assert isinstance(await answer(source, await one(source, stage), again=True), Answered)
    assert len(posted(stage)) == 1


async def test_what_is_gone_or_closed_is_not_answered(source: BlueskySource, stage: Stage) -> None:
    mention = await one(source, stage)
    stage.world.shown[mention.uri] = {"viewer": {"replyDisabled": True}}
    assert isinstance(await answer(source, mention), Refused)
    del stage.world.records[mention.uri]
    assert isinstance(await answer(source, mention), Refused)
    assert isinstance(await answer(source, replace(mention, reply="{")), Refused)
    assert not posted(stage)


async def test_the_limit_of_the_server_is_kept(source: BlueskySource, stage: Stage) -> None:
    mention = await one(source, stage)
    stage.say("putRecord", {"error": "RateLimitExceeded"}, status=429, headers={"retry-after": "290"})
    outcome = await answer(source, mention)
    assert isinstance(outcome, TryLater)
    assert outcome.after
    assert outcome.after.total_seconds() == 290


@pytest.mark.parametrize("text", ["e" * 400, "👩‍👩‍👧‍👦" * 400, "e" * 400 + " https://relay.example/t/abc"])
def test_a_post_is_as_long_as_it_may_be_and_its_address_whole(text: str) -> None:
    said = written(text, datetime.now(UTC))
    assert len(graphemes(said["text"])) == MOST
    assert said["text"].endswith("https://relay.example/t/abc" if "http" in text else "…")


def test_a_record_key_is_a_time_and_the_same_for_each_try() -> None:
    at = datetime(2026, 7, 1, 12, tzinfo=UTC)
    keys = [record_key(at, f"{number:032x}") for number in range(1000)]
    assert len(set(keys)) == 1000
    assert keys[0] == record_key(at, f"{0:032x}")
    assert all(len(key) == 13 and key[:5] == keys[0][:5] for key in keys)
