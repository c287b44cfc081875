"""Listening to an instance: one websocket, opened again whenever it closes, with polls for what it lost."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from relay.model import Quote, QuoteState
from relay.ports import StreamingSource
from relay.sources.mastodon import MastodonSource
from relay.sources.mastodon.live import LiveTimeouts
from relay.text import plain
from tests.servers.mastodon.fediverse import Fediverse, Json, asking, run
from tests.support.mastodon_listening import SOON, Core, running

TOKEN = "tok-Q3sw4ch4k4"


@pytest.fixture
async def stage() -> AsyncIterator[Fediverse]:
    async with run() as server:
        server.tokens = {TOKEN}
        yield server


@pytest.fixture
async def source(stage: Fediverse) -> AsyncIterator[MastodonSource]:
    async with asking(stage.base, tokens={stage.base: TOKEN}, patience=SOON) as source:
        yield source


@pytest.fixture
async def core(source: MastodonSource, stage: Fediverse) -> AsyncIterator[Core]:
    core = Core(source, stage.base)
    await core.follow("#rivers", "#lakes")
    async with running(core):
        await stage.streams.listening("rivers", "lakes")
        yield core


def frame(status: Json, tag: str = "rivers") -> str:
    return json.dumps({"stream": ["hashtag", tag], "event": "update", "payload": json.dumps(status)})


def test_each_instance_is_a_stream(source: MastodonSource, stage: Fediverse) -> None:
    assert isinstance(source, StreamingSource)
    assert source.streams() == (stage.base,)


async def test_posts_come_as_they_are_written_over_one_connection(core: Core, stage: Fediverse) -> None:
    stage.post("#rivers one")
    stage.post("#lakes two")
    stage.post("#Rivers and #lakes three")
    stage.post("#seas four")
    await core.until(lambda: len(core.posts) == 3)
    assert core.texts() == ["#Rivers and #lakes three", "#lakes two", "#rivers one"]
    assert len(stage.streams.ears) == 1


async def test_a_post_in_two_hashtags_is_told_for_the_feed_of_each(core: Core, stage: Fediverse) -> None:
    stage.post("#rivers #lakes")
    await core.until(lambda: {one for told in core.told for one, _ in told.events} == set(core.feeds))


async def test_what_is_not_public_is_not_told(core: Core, stage: Fediverse) -> None:
    public = stage.post("#rivers in the open")
    for visibility in ("unlisted", "private", "direct", "local", "mutuals_only", "list"):
        hidden = public | {"visibility": visibility, "uri": f"{public['uri']}-{visibility}"}
        stage.streams.say(
            json.dumps({"stream": ["hashtag", "rivers"], "event": "update", "payload": json.dumps(hidden)})
        )
    kept = public | {"local_only": True, "uri": f"{public['uri']}-kept"}
    stage.streams.say(frame(kept))
    stage.post("#rivers last")
    await core.until(lambda: len(core.posts) == 2)
    assert core.texts() == ["#rivers in the open", "#rivers last"]


@pytest.mark.parametrize("name", ["status.update", "status_update"])
async def test_an_edit_is_told_whatever_it_is_called(core: Core, stage: Fediverse, name: str) -> None:
    stage.streams.edits = name
    made = stage.post("#rivers one")
    await core.until(lambda: bool(core.posts))
    stage.edit(made, "#rivers better")
    await core.until(lambda: core.texts() == ["#rivers better"])


async def test_a_quote_that_was_taken_back_is_told_without_a_date_of_an_edit(core: Core, stage: Fediverse) -> None:
    made = stage.post("#rivers", quote={"state": "accepted", "quoted_status": stage.post("The well is dry.", "kofi")})
    await core.until(lambda: bool(core.posts))
    made["quote"] = {"state": "revoked", "quoted_status": None}
    stage.streams.tell("status.update", made)
    await core.until(lambda: all(post.quote == Quote(state=QuoteState.WITHDRAWN) for post in core.posts.values()))


async def test_a_deletion_is_told_by_the_name_that_a_poll_gave_the_post(core: Core, stage: Fediverse) -> None:
    made = stage.post("#rivers one")
    await core.until(lambda: bool(core.posts))
    stage.delete(made)
    await core.until(lambda: bool(core.gone))
    (post,) = core.posts.values()
    assert set(core.gone) == set(post.aliases)


async def test_hashtags_that_are_wanted_later_are_added_and_those_that_are_not_are_left(
    core: Core, stage: Fediverse
) -> None:
    await core.follow("#lakes", "#seas")
    await stage.streams.listening("lakes", "seas")
    await core.follow("#rivers")
    await stage.streams.listening("rivers")
    assert len(stage.streams.ears) == 1
    assert len(stage.streams.tokens) == 1


async def test_a_new_hashtag_is_polled_when_it_is_listened_to(core: Core, stage: Fediverse) -> None:
    """Between its first poll and the subscription something may have been written."""
    stage.streams.deaf = True
    await core.follow("#rivers", "#seas")
    stage.post("#seas early")
    await core.until(lambda: core.texts() == ["#seas early"])


async def test_nobody_connects_before_a_hashtag_is_wanted(source: MastodonSource, stage: Fediverse) -> None:
    core = Core(source, stage.base)
    async with running(core):
        await asyncio.sleep(0.05)
        assert not stage.streams.tokens
        await core.follow("#rivers")
        await stage.streams.listening("rivers")


async def test_an_instance_without_a_token_is_silent(stage: Fediverse) -> None:
    async with asking(stage.base, patience=SOON) as source:
        core = Core(source, stage.base)
        await core.follow("#rivers")
        async with running(core):
            await asyncio.sleep(0.05)
        assert (core.told, stage.streams.tokens) == ([], [])


# --- what breaks ---


async def test_after_each_connection_all_feeds_are_polled(core: Core, stage: Fediverse) -> None:
    """When it fell and when it stands again: in between nobody was told."""
    await core.until(lambda: core.polls >= 4)
    stage.streams.refuses = 503
    stage.streams.drop()
    await core.until(lambda: core.polls >= 6 and any("HTTP 503" in note for note in core.notes()))
    stage.post("#rivers unheard")
    stage.streams.refuses = 0
    await core.until(lambda: core.texts() == ["#rivers unheard"])
    await stage.streams.listening("rivers", "lakes")
    assert {one for told in core.told for one in told.missed} == set(core.feeds)


async def test_a_server_that_does_not_answer_is_told_and_then_that_all_is_well(core: Core, stage: Fediverse) -> None:
    stage.streams.refuses = 503
    stage.streams.drop()
    await core.until(lambda: any("HTTP 503" in note for note in core.notes()))
    stage.streams.refuses = 0
    await stage.streams.listening("rivers", "lakes")
    stage.post("#rivers after")
    await core.until(lambda: bool(core.posts))
    assert not core.told[-1].note


async def test_a_token_that_is_not_accepted_is_told_and_shown_to_nobody(stage: Fediverse) -> None:
    async with asking(stage.base, tokens={stage.base: TOKEN}, patience=SOON) as source:
        core = Core(source, stage.base)
        await core.follow("#rivers")
        stage.tokens.clear()
        async with running(core):
            await core.until(lambda: any(core.notes()))
    (note, *_) = [note for note in core.notes() if note]
    assert "does not accept the access token" in note
    assert not any(TOKEN in text for text in (*core.notes(), *stage.asked, repr(source)))


async def test_a_server_that_does_not_stream_what_was_asked_for_is_polled_as_often_as_ever(
    source: MastodonSource, stage: Fediverse
) -> None:
    stage.streams.complaint = "Unknown stream type"
    core = Core(source, stage.base)
    await core.follow("#rivers", "#lakes")
    async with running(core):
        await core.until(lambda: any("Unknown stream type" in note for note in core.notes()))
        assert {(await core.poll(one)).wait for one in core.feeds} == {None}


async def test_a_server_that_falls_silent_is_left(stage: Fediverse) -> None:
    """Its connection stands, but nobody is at its end."""
    async with asking(
        stage.base, tokens={stage.base: TOKEN}, patience=LiveTimeouts(beat=0.2, first=timedelta(0))
    ) as source:
        core = Core(source, stage.base)
        await core.follow("#rivers")
        async with running(core):
            await stage.streams.listening("rivers")
            for ear in stage.streams.ears:
                assert ear.request.transport
                ear.request.transport.pause_reading()
            await core.until(lambda: any(core.notes()), within=10)
            stage.streams.drop()


async def test_polls_are_rarer_while_a_stream_stands(core: Core, stage: Fediverse) -> None:
    stage.post("#rivers one")
    await core.until(lambda: bool(core.posts))
    assert {(await core.poll(one)).wait for one in core.feeds} == {core.source.interval * 5}
    stage.streams.refuses = 503
    stage.streams.drop()
    await core.until(lambda: any(core.notes()))
    assert {(await core.poll(one)).wait for one in core.feeds} == {None}


async def test_where_one_hashtag_is_all_that_a_stream_takes_the_others_are_polled_as_ever(stage: Fediverse) -> None:
    stage.software, stage.streams.multiplexed = "wildebeest", False
    async with asking(stage.base, tokens={stage.base: TOKEN}, patience=SOON) as source:
        core = Core(source, stage.base)
        await core.follow("#rivers", "#lakes")
        async with running(core):
            await stage.streams.listening("rivers")
            stage.post("#rivers one")
            await core.until(lambda: bool(core.posts))
            waits = [(await core.poll(one)).wait for one in sorted(core.feeds)]
    assert waits == [None, source.interval * 5]


@pytest.mark.parametrize(
    "other",
    [
        "",
        "x",
        "[]",
        "null",
        "{}",
        '{"event": "update"}',
        '{"event": "update", "payload": null}',
        '{"event": "update", "payload": "{"}',
        '{"event": "update", "payload": "\\ud800"}',
        '{"stream": 5, "event": "update", "payload": 5}',
        '{"stream": ["hashtag"], "event": "update", "payload": "[]"}',
        '{"event": "delete", "payload": {}}',
        '{"event": "delete", "payload": ""}',
        '{"event": "notification", "payload": "{}"}',
        '{"event": "filters_changed"}',
        '{"event": ["update"], "payload": "{}"}',
        "[" * 100_000,
        "\x00",
    ],
)
async def test_a_frame_of_any_other_kind_is_passed_over(core: Core, stage: Fediverse, other: str) -> None:
    stage.streams.say(other)
    stage.post("#rivers after")
    await core.until(lambda: core.texts() == ["#rivers after"])
    assert len(stage.streams.tokens) == 1


async def test_a_frame_that_is_too_large_costs_the_connection_and_no_post(core: Core, stage: Fediverse) -> None:
    stage.streams.say("x" * (2**20 + 1))
    stage.post("#rivers after")
    await core.until(lambda: core.texts() == ["#rivers after"])


async def test_the_token_goes_where_the_instance_says_that_it_streams(stage: Fediverse) -> None:
    async with run() as other:
        other.tokens = {TOKEN}
        stage.streaming = other.base.replace("http", "ws")
        async with asking(stage.base, tokens={stage.base: TOKEN}, patience=SOON) as source:
            core = Core(source, stage.base)
            await core.follow("#rivers")
            async with running(core):
                await other.streams.listening("rivers")
        assert other.streams.tokens == [TOKEN]
        assert not any("token" in asked.lower() for asked in other.asked)


async def test_a_private_address_that_an_instance_names_is_not_reached(stage: Fediverse) -> None:
    stage.streaming = "ws://192.168.1.1"
    async with asking(stage.base, tokens={stage.base: TOKEN}, patience=SOON) as source:
        core = Core(source, stage.base)
        await core.follow("#rivers")
        async with running(core):
            await core.until(lambda: any("192.168.1.1" in note for note in core.notes()))


async def test_gotosocial_takes_the_token_as_a_protocol(stage: Fediverse) -> None:
    stage.software = "gotosocial"
    async with asking(stage.base, tokens={stage.base: TOKEN}, patience=SOON) as source:
        core = Core(source, stage.base)
        await core.follow("#rivers", "#lakes")
        async with running(core):
            await stage.streams.listening("rivers", "lakes")
            (ear,) = stage.streams.ears
    assert ear.request.headers.get("Sec-WebSocket-Protocol") == TOKEN
    assert "Authorization" not in ear.request.headers


async def test_it_can_be_stopped_at_any_moment(source: MastodonSource, stage: Fediverse) -> None:
    for pause in (0.0, 0.001, 0.02, 0.1):
        core = Core(source, stage.base)
        await core.follow("#rivers")
        async with running(core):
            await asyncio.sleep(pause)


@pytest.mark.siege
@pytest.mark.parametrize("seed", range(3))
async def test_disconnects_at_random_moments_lose_nothing_and_bring_nothing_twice(stage: Fediverse, seed: int) -> None:
    """Over 2,000 posts each: what a stream lost polls find, and what both bring is one post."""
    dice = random.Random(seed)
    async with asking(stage.base, tokens={stage.base: TOKEN}, patience=SOON) as source:
        core = Core(source, stage.base)
        await core.follow("#rivers", "#lakes")
        async with running(core):
            await stage.streams.listening("rivers", "lakes")
            sent: list[str] = []
            while len(sent) < 2000:
                for _ in range(dice.choice([1, 1, 5, 30, 120])):
                    sent.append(f"{dice.choice(['#rivers', '#lakes', '#rivers #lakes'])} {len(sent)}")
                    stage.post(sent[-1])
                if dice.random() < 0.1:
                    stage.streams.drop()
                stage.streams.refuses = 503 if dice.random() < 0.1 else 0
                await asyncio.sleep(dice.choice([0, 0.001, 0.02]))
            stage.streams.refuses = 0
            await core.until(lambda: len(core.posts) >= len(sent))
    assert sorted(plain(post.body) for post in core.posts.values()) == sorted(sent)
