"""Misskey and its forks, against a server on loopback: the same source, another API."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from relay.core.unroll import unroll
from relay.model import Deleted, Edited, Feed, FeedId, Post, Published
from relay.ports import Batch, Gone, Refused, Resolved, TryLater
from relay.sources.mastodon import MastodonSource
from relay.text import plain
from tests.servers.mastodon.fediverse import asking
from tests.servers.misskey import Misskey, run
from tests.support.mastodon_listening import SOON, Core, running


@pytest.fixture
async def stage() -> AsyncIterator[Misskey]:
    async with run() as server:
        yield server


@pytest.fixture
async def source(stage: Misskey) -> AsyncIterator[MastodonSource]:
    async with asking(stage.base, patience=SOON) as source:
        yield source


async def feed_of(source: MastodonSource, topic: str = "#rivers") -> Feed:
    resolved = await source.resolve(topic)
    assert isinstance(resolved, Resolved)
    return Feed(id=FeedId(1), source="mastodon", address=resolved.feeds[0])


async def polled(source: MastodonSource, feed: Feed) -> tuple[Feed, list[str]]:
    """Until nothing more is to be read at once."""
    texts: list[str] = []
    while True:
        batch = await source.poll(feed)
        assert isinstance(batch, Batch), batch
        texts += [plain(one.post.body) for one in batch.events if isinstance(one, Published)]
        feed = replace(feed, seeded=True, cursor=feed.cursor if batch.cursor is None else batch.cursor)
        if not batch.more:
            return feed, texts


@pytest.mark.parametrize("software", ["misskey", "Sharkey", "cherrypick", "firefish", "iceshrimp", "calckey"])
async def test_it_is_known_by_nodeinfo_and_asked_in_its_own_way(
    source: MastodonSource, stage: Misskey, software: str
) -> None:
    stage.software = software
    stage.note("#rivers low")
    _, texts = await polled(source, await feed_of(source))
    assert texts == ["#rivers low"]
    assert stage.asked == [("search-by-tag", {"tag": "rivers", "limit": 40})]


async def test_a_hashtag_is_read_without_gap_or_double(source: MastodonSource, stage: Misskey) -> None:
    stage.note("#rivers before")
    feed, _ = await polled(source, await feed_of(source))
    sent: list[str] = []
    read: list[str] = []
    dice = random.Random(5)
    for _ in range(12):
        for _ in range(dice.choice([0, 1, 3, 45, 90])):
            sent.append(f"#rivers {len(sent)}")
            stage.note(sent[-1])
        feed, texts = await polled(source, feed)
        read += texts
    assert read == sent


async def test_only_what_is_for_everybody_is_relayed(source: MastodonSource, stage: Misskey) -> None:
    feed, _ = await polled(source, await feed_of(source))
    public = stage.note("#rivers public")
    stage.note("#rivers home", visibility="home")
    stage.note("#rivers here only", localOnly=True)
    stage.note(None, tags=["rivers"], renoteId=public["id"], renote=public)
    assert (await polled(source, feed))[1] == ["#rivers public"]


async def test_a_server_in_trouble_is_asked_later(source: MastodonSource, stage: Misskey) -> None:
    stage.refuses = 429
    later = await source.poll(await feed_of(source))
    assert isinstance(later, TryLater)
    assert "slow down" in later.reason


async def test_what_became_of_notes(source: MastodonSource, stage: Misskey) -> None:
    made = [stage.note(f"#rivers {number}") for number in range(3)]
    batch = await source.poll(await feed_of(source))
    assert isinstance(batch, Batch)
    posts = [event.post for event in batch.events if isinstance(event, Published)]
    assert await source.recheck(posts) == Batch()
    made[0] |= {"text": "#rivers better", "updatedAt": "2099-01-01T00:00:00.000Z"}
    del stage.notes[made[1]["id"]]
    batch = await source.recheck(posts)
    assert isinstance(batch, Batch)
    edited, deleted = batch.events
    assert isinstance(edited, Edited)
    assert plain(edited.post.body) == "#rivers better"
    assert deleted == Deleted(posts[1].uri)
    stage.refuses = 500
    assert isinstance(await source.recheck(posts), TryLater)


async def test_a_thread_comes_whole_from_its_middle(source: MastodonSource, stage: Misskey) -> None:
    notes = [stage.note("0")]
    for number in range(1, 12):
        notes.append(stage.note(str(number), reply_to=notes[-1]))
        stage.note("hm", "sami", reply_to=notes[-1])
    found = await source.fetch_thread(f"{stage.base}/notes/{notes[5]['id']}")
    assert isinstance(found, list)
    assert plain(found[0].body) == "5"
    assert {plain(post.body) for post in found} == {*map(str, range(12))}
    assert found[0].reply_to in next(post for post in found if plain(post.body) == "4").aliases


@pytest.mark.parametrize("where", [0, 150, 299])
async def test_a_thread_of_three_hundred_takes_few_requests(source: MastodonSource, stage: Misskey, where: int) -> None:
    question = stage.note("why?", "sami")
    notes = [stage.note("0", reply_to=question)]
    for number in range(1, 300):
        notes.append(stage.note(str(number), reply_to=notes[-1]))
        stage.note("hm", "sami", reply_to=notes[-1])
        stage.note("something else")
    found = await source.fetch_thread(f"{stage.base}/notes/{notes[where]['id']}")
    assert isinstance(found, list)
    assert {plain(post.body) for post in found} == {"why?", *map(str, range(300))}
    thread = unroll(found, found[0].uri)
    assert thread
    assert [plain(post.body) for post in thread.posts if isinstance(post, Post)] == [*map(str, range(300))]
    assert len(stage.asked) <= 12


async def test_what_the_author_wrote_long_after_a_thread_is_not_read(source: MastodonSource, stage: Misskey) -> None:
    first = stage.note("0")
    stage.note("1", reply_to=first)
    for number in range(500):
        stage.note(f"something else {number}")
    found = await source.fetch_thread(f"{stage.base}/notes/{first['id']}")
    assert isinstance(found, list)
    assert {plain(post.body) for post in found} == {"0", "1"}
    assert [question for question, _ in stage.asked].count("notes") == 2


async def test_what_stands_below_a_deleted_note_is_told_too(source: MastodonSource, stage: Misskey) -> None:
    notes = [stage.note("0")]
    for number in range(1, 6):
        notes.append(stage.note(str(number), reply_to=notes[-1]))
    stage.note("of another thread", reply_to=stage.note("another thread"))
    stage.delete(notes[2])
    found = await source.fetch_thread(f"{stage.base}/notes/{notes[0]['id']}")
    assert isinstance(found, list)
    assert sorted(plain(post.body) for post in found) == ["0", "1", "3", "4", "5"]


async def test_a_note_that_is_not_there_or_not_for_everybody(source: MastodonSource, stage: Misskey) -> None:
    assert isinstance(await source.fetch_thread(f"{stage.base}/notes/9zq0000099"), Gone)
    secret = stage.note("psst", visibility="followers")
    assert isinstance(await source.fetch_thread(f"{stage.base}/notes/{secret['id']}"), Gone)


# --- accounts ---


@pytest.mark.parametrize("form", ["{base}/@illa", "@Illa@{host}"])
async def test_an_account_there_is_followed_without_its_answers_to_others(
    source: MastodonSource, stage: Misskey, form: str
) -> None:
    first = stage.note("before")
    topic = form.format(base=stage.base, host=stage.base.partition("//")[2])
    resolved = await source.resolve(topic)
    assert isinstance(resolved, Resolved)
    assert (resolved.account, resolved.title.lower()) == (True, f"@illa@{stage.base.partition('//')[2]}")
    feed, texts = await polled(source, await feed_of(source, topic))
    assert texts == ["before"]
    stage.note("and on", reply_to=first)
    stage.note("to somebody", reply_to=stage.note("hello", "sami"))
    stage.note("for home timelines", visibility="home")
    stage.note("for followers", visibility="followers")
    feed, texts = await polled(source, feed)
    assert texts == ["and on"]
    sent = [f"number {number}" for number in range(150)]
    for text in sent:
        stage.note(text)
    assert (await polled(source, feed))[1] == sent


async def test_an_account_that_is_not_there_is_refused(source: MastodonSource, stage: Misskey) -> None:
    stage.note("something", "sami")
    refused = await source.resolve(f"{stage.base}/@illa")
    assert isinstance(refused, Refused)
    assert "no such account" in refused.reason


async def test_an_account_that_was_deleted_ends_its_feed(source: MastodonSource, stage: Misskey) -> None:
    stage.note("one")
    feed, _ = await polled(source, await feed_of(source, f"{stage.base}/@illa"))
    stage.notes.clear()
    assert isinstance(await source.poll(feed), Gone)


async def test_an_account_of_a_server_in_trouble_may_be_known_later(source: MastodonSource, stage: Misskey) -> None:
    stage.refuses = 500
    assert isinstance(await source.resolve(f"{stage.base}/@illa"), TryLater)


@pytest.mark.parametrize("shows", [{"host": "ayllu.example"}, {"username": "sami"}, {"id": None}, {"id": ""}])
async def test_an_account_is_the_one_that_was_asked_for_or_none(
    source: MastodonSource, stage: Misskey, shows: dict[str, object]
) -> None:
    stage.note("one")
    stage.shows = shows
    assert isinstance(await source.resolve(f"{stage.base}/@illa"), Refused)


async def test_what_became_of_the_notes_of_a_server_that_nobody_configured(stage: Misskey) -> None:
    async with asking("https://mastodon.example") as source:
        note = stage.note("one")
        feed = Feed(id=FeedId(1), source="mastodon", address=f"{stage.base}/api/users/notes?userId=uilla")
        batch = await source.poll(feed)
        assert isinstance(batch, Batch)
        (told,) = batch.events
        assert isinstance(told, Published)
        del stage.notes[note["id"]]
        assert await source.recheck([told.post]) == Batch(events=(Deleted(told.post.uri),))


async def test_check_says_what_runs_there(source: MastodonSource) -> None:
    (check,) = await source.check()
    assert (check.ok, check.note) == (True, "Misskey 2026.5.0 · live")


# --- live, without an account ---


async def test_notes_come_as_they_are_written(source: MastodonSource, stage: Misskey) -> None:
    core = Core(source, stage.base)
    await core.follow("#rivers", "#lakes")
    async with running(core):
        await stage.listening("rivers", "lakes")
        stage.note("#rivers one")
        stage.note("#lakes two")
        stage.say("nonsense")
        stage.say('{"type": "channel", "body": {"id": "rivers", "type": "note", "body": 5}}')
        stage.note("#rivers here only", localOnly=True)
        await core.until(lambda: core.texts() == ["#lakes two", "#rivers one"])
        await core.follow("#lakes")
        await stage.listening("lakes")
        assert (await core.poll(next(iter(core.feeds)))).wait == timedelta(minutes=5)


async def test_disconnects_lose_nothing(source: MastodonSource, stage: Misskey) -> None:
    core = Core(source, stage.base)
    await core.follow("#rivers")
    async with running(core):
        await stage.listening("rivers")
        for number in range(300):
            stage.note(f"#rivers {number}")
            if number % 60 == 30:
                stage.drop()
                stage.note(f"#rivers unheard {number}")
        await core.until(lambda: len(core.posts) == 305)
