"""Polling accounts and hashtags: what is asked of servers on loopback, and what each answer means."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from relay.model import Feed, FeedId, Published
from relay.ports import Batch, Gone, TryLater
from relay.sources.bluesky import BlueskySource
from relay.text import plain
from tests.servers.bluesky.jetstream import did
from tests.servers.bluesky.world import label
from tests.servers.bluesky.xrpc import ACCOUNT, HTML, Stage, asking, run

ILLA = did("illa")
SHAPES = [HTML, b"", b"{}", b"null", b'"x"', b"[1, 2]", b'{"posts": 5, "feed": 5}', b"\xff\xfe", b'{"feed": [']


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with run() as stage:
        stage.world.person("illa")
        yield stage


@pytest.fixture
async def source(stage: Stage) -> AsyncIterator[BlueskySource]:
    async with asking(stage, **ACCOUNT) as source:
        yield source


class Reader:
    """A feed and its cursor, as the core keeps them."""

    def __init__(self, source: BlueskySource, address: str) -> None:
        self.source = source
        self.feed = Feed(id=FeedId(1), source="bluesky", address=address)

    async def poll(self) -> Batch:
        batch = await self.source.poll(self.feed)
        assert isinstance(batch, Batch), batch
        cursor = self.feed.cursor if batch.cursor is None else batch.cursor
        self.feed = Feed(id=FeedId(1), source="bluesky", address=self.feed.address, cursor=cursor, seeded=True)
        return batch

    async def read(self) -> list[str]:
        """Poll until nothing more is to be read at once; the texts that came."""
        batch = await self.poll()
        texts = published(batch)
        while batch.more:
            batch = await self.poll()
            texts += published(batch)
        return texts


def published(batch: Batch) -> list[str]:
    assert all(isinstance(event, Published) for event in batch.events)
    return [plain(event.post.body) for event in batch.events if isinstance(event, Published)]


async def begun(source: BlueskySource, address: str) -> Reader:
    reader = Reader(source, address)
    await reader.poll()
    return reader


FEEDS = [ILLA, "tag:rivers"]


# --- both kinds ---


@pytest.mark.parametrize("feed", FEEDS)
async def test_the_first_poll_shows_the_present_state_oldest_first(
    source: BlueskySource, stage: Stage, feed: str
) -> None:
    for number in range(60):
        stage.world.post(f"#rivers {number}")
    batch = await Reader(source, feed).poll()
    assert published(batch) == [f"#rivers {number}" for number in range(10, 60)]
    assert not batch.more


@pytest.mark.parametrize("feed", FEEDS)
async def test_only_what_is_new_comes_after_that(source: BlueskySource, stage: Stage, feed: str) -> None:
    """And nothing is written when nothing is."""
    stage.world.post("#rivers old")
    reader = await begun(source, feed)
    assert await reader.poll() == Batch()
    stage.world.post("#rivers new")
    assert published(await reader.poll()) == ["#rivers new"]
    assert await reader.poll() == Batch()


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("count", [70, 470, 640])
async def test_a_gap_is_read_to_its_end(source: BlueskySource, stage: Stage, feed: str, count: int) -> None:
    """Ten pages a poll; what one poll brings is in order."""
    for number in range(25):
        stage.world.post(f"#rivers before {number}")
    reader = await begun(source, feed)
    texts = [f"#rivers {number}" for number in range(count)]
    for text in texts:
        stage.world.post(text)
    first = await reader.poll()
    assert published(first) == texts[-len(first.events) :]
    rest = await reader.read() if first.more else []
    assert sorted(rest + published(first)) == sorted(texts)
    assert first.more == (count > 500)
    assert await reader.read() == []


@pytest.mark.parametrize("seed", range(4))
async def test_no_gap_and_no_double_over_random_arrivals(source: BlueskySource, stage: Stage, seed: int) -> None:
    dice = random.Random(seed)
    for number in range(dice.randrange(60)):
        stage.world.post(f"#rivers before {number}")
    reader = await begun(source, dice.choice(FEEDS))
    sent, read = list[str](), list[str]()
    for _ in range(10):
        for _ in range(dice.choice([0, 1, 5, 60, 130])):
            sent.append(f"#rivers {len(sent)}")
            late = dice.random() < 0.1
            uri = stage.world.post(sent[-1])
            if late:  # it was written a little earlier than it became known
                stage.world.records[uri]["createdAt"] = stage.world.records[uri]["createdAt"].replace("Z", "1Z")
        if dice.random() < 0.2 and stage.world.records:
            gone = dice.choice(list(stage.world.records))
            text = stage.world.records.pop(gone)["text"]
            sent = [one for one in sent if one != text or one in read]
        read += await reader.read()
    assert sorted(read) == sorted(sent)


@pytest.mark.parametrize("feed", FEEDS)
async def test_trouble_on_a_later_page_keeps_what_was_read(source: BlueskySource, stage: Stage, feed: str) -> None:
    stage.world.post("#rivers before")
    reader = await begun(source, feed)
    texts = [f"#rivers {number}" for number in range(120)]
    for text in texts:
        stage.world.post(text)
    stage.say("cursor=", HTML, status=502, times=1)
    first = await reader.poll()
    assert len(first.events) == 50
    assert sorted(published(first) + await reader.read()) == sorted(texts)


@pytest.mark.parametrize("feed", FEEDS)
async def test_a_page_that_the_server_has_forgotten_is_looked_for_from_the_top(
    source: BlueskySource, stage: Stage, feed: str
) -> None:
    stage.world.post("#rivers before")
    reader = await begun(source, feed)
    texts = [f"#rivers {number}" for number in range(120)]
    for text in texts:
        stage.world.post(text)
    stage.say("cursor=", HTML, status=502, times=1)
    read = published(await reader.poll())
    stage.say("cursor=", {"error": "InvalidRequest", "message": "Malformed cursor"}, status=400, times=1)
    assert (await reader.poll()).events == ()
    assert {*read, *await reader.read()} == {*texts}


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("body", SHAPES)
async def test_an_odd_answer_is_asked_for_again(source: BlueskySource, stage: Stage, feed: str, body: bytes) -> None:
    stage.world.post("#rivers before")
    reader = await begun(source, feed)
    stage.say("getAuthorFeed|searchPosts", body)
    assert isinstance(await source.poll(reader.feed), TryLater)


@pytest.mark.parametrize("feed", FEEDS)
async def test_a_bad_post_costs_no_other(source: BlueskySource, stage: Stage, feed: str) -> None:
    reader = await begun(source, feed)
    bad, good = stage.world.post("#rivers bad"), stage.world.post("#rivers good")
    stage.world.shown[bad] = {"record": {"text": 5}}
    assert good
    assert published(await reader.poll()) == ["#rivers good"]


@pytest.mark.parametrize("feed", FEEDS)
async def test_a_cursor_that_was_lost_floods_nobody(source: BlueskySource, stage: Stage, feed: str) -> None:
    stage.world.post("#rivers old")
    lost = Feed(id=FeedId(1), source="bluesky", address=feed, cursor="{", seeded=True)
    batch = await source.poll(lost)
    assert isinstance(batch, Batch)
    assert batch.events == ()
    assert batch.cursor


async def test_a_server_that_asks_for_a_rest_gets_it(source: BlueskySource, stage: Stage) -> None:
    reader = await begun(source, ILLA)
    stage.say("getAuthorFeed", b"{}", status=429, headers={"ratelimit-reset": _in(90), "ratelimit-remaining": "0"})
    answer = await source.poll(reader.feed)
    assert isinstance(answer, TryLater)
    assert answer.after
    assert timedelta(seconds=60) < answer.after <= timedelta(seconds=90)


async def test_the_last_answer_for_a_while_is_still_read(source: BlueskySource, stage: Stage) -> None:
    reader = await begun(source, ILLA)
    page = {"feed": [], "cursor": "x"}
    stage.say("getAuthorFeed", page, headers={"ratelimit-reset": _in(90), "ratelimit-remaining": "0"})
    batch = await reader.poll()
    assert batch.wait
    assert not batch.more


def _in(seconds: int) -> str:
    return str(int((datetime.now(UTC) + timedelta(seconds=seconds)).timestamp()))


# --- accounts ---


async def test_of_an_account_come_its_own_threads_and_no_answers_or_reposts(
    source: BlueskySource, stage: Stage
) -> None:
    reader = await begun(source, ILLA)
    stranger = stage.world.post("a question", "sami")
    stage.world.repost(stranger, "illa")
    stage.world.post("an answer to it", reply_to=stranger)
    root, *_ = stage.world.thread(3)
    stage.world.post("an aside", reply_to=root)
    under = stage.world.post("answering again", reply_to=stranger)
    stage.world.post("and going on", reply_to=under)
    assert await reader.read() == ["1", "2", "3", "an aside", "and going on"]


async def test_a_page_of_reposts_alone_is_no_end(source: BlueskySource, stage: Stage) -> None:
    stage.world.post("before")
    reader = await begun(source, ILLA)
    stage.world.post("hidden below")
    stranger = stage.world.post("look", "sami")
    for _ in range(70):
        stage.world.repost(stranger, "illa")
    assert await reader.read() == ["hidden below"]


async def test_a_pinned_post_is_no_news_and_no_end_of_a_page(source: BlueskySource, stage: Stage) -> None:
    reader = await begun(source, ILLA)
    pinned = stage.world.view(stage.world.post("pinned"))
    stage.world.records.clear()
    pin = {"post": pinned, "reason": {"$type": "app.bsky.feed.defs#reasonPin"}}
    stage.say("getAuthorFeed", {"feed": [pin], "cursor": "~"}, times=1)
    stage.world.post("below")
    assert await reader.read() == ["below"]


async def test_visitors_are_enough_for_accounts(stage: Stage) -> None:
    async with asking(stage) as source:
        reader = await begun(source, ILLA)
        stage.world.post("hello")
        assert await reader.read() == ["hello"]
    assert stage.count("createSession") == 0


async def test_where_visitors_are_turned_away_the_account_is_shown(source: BlueskySource, stage: Stage) -> None:
    stage.closed = True
    reader = await begun(source, ILLA)
    stage.world.post("hello")
    assert await reader.read() == ["hello"]


async def test_turned_away_without_an_account_it_waits(stage: Stage) -> None:
    stage.closed = True
    async with asking(stage) as source:
        answer = await source.poll(Feed(id=FeedId(1), source="bluesky", address=ILLA))
    assert isinstance(answer, TryLater)
    assert answer.after == timedelta(minutes=15)


async def test_an_account_that_hides_from_visitors_is_told_of_and_not_read(source: BlueskySource, stage: Stage) -> None:
    reader = await begun(source, ILLA)
    stage.world.person("illa", labels=[label("!no-unauthenticated", ILLA)])
    stage.world.post("not for you")
    batch = await reader.poll()
    assert batch.events == ()
    assert "people with an account" in batch.note


async def test_an_account_that_is_gone_is_gone(source: BlueskySource, stage: Stage) -> None:
    assert isinstance(await source.poll(Feed(id=FeedId(1), source="bluesky", address=did("nobody"))), Gone)


async def test_an_account_that_sleeps_is_asked_for_tomorrow(source: BlueskySource, stage: Stage) -> None:
    stage.say("getAuthorFeed", {"error": "AccountDeactivated", "message": "x"}, status=400)
    answer = await source.poll(Feed(id=FeedId(1), source="bluesky", address=ILLA))
    assert isinstance(answer, TryLater)
    assert answer.after == timedelta(days=1)


# --- hashtags ---


async def test_a_hashtag_is_searched_for_with_the_account_at_its_own_server(
    source: BlueskySource, stage: Stage
) -> None:
    reader = await begun(source, "tag:rivers")
    stage.world.post("#Rivers rise", "sami")
    stage.world.post("#riversides")
    assert await reader.read() == ["#Rivers rise"]
    searches = [asked for asked in stage.asked if "searchPosts" in asked]
    assert all(asked.startswith("home") and "q=%23rivers" in asked and "tag=rivers" in asked for asked in searches)


async def test_without_an_account_hashtags_are_left_to_the_stream(stage: Stage) -> None:
    stage.world.post("#rivers rise")
    async with asking(stage) as source:
        batch = await source.poll(Feed(id=FeedId(1), source="bluesky", address="tag:rivers"))
    assert batch == Batch(wait=timedelta(hours=1))
    assert stage.asked == []


async def test_who_hides_from_visitors_is_not_found_by_hashtag(source: BlueskySource, stage: Stage) -> None:
    """Though the search of an account shows it."""
    stage.world.person("sami", labels=[label("!no-unauthenticated", did("sami"))])
    reader = await begun(source, "tag:rivers")
    stage.world.post("#rivers not for you", "sami")
    stage.world.post("#rivers for all")
    batch = await reader.poll()
    assert (published(batch), batch.note) == (["#rivers for all"], "")


async def test_an_address_of_another_kind_is_gone(source: BlueskySource) -> None:
    assert isinstance(await source.poll(Feed(id=FeedId(1), source="bluesky", address="https://x.example")), Gone)
