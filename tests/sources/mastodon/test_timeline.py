"""Polling hashtags and accounts: what is asked of a server on loopback, and what each answer means."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from relay.model import Feed, FeedId
from relay.ports import Batch, Gone, TryLater
from relay.sources.mastodon import MastodonSource
from tests.servers.mastodon.fediverse import Fediverse, asking, run
from tests.support.mastodon_timeline_cases import Reader, account_feed, begun, published, tag_feed


@pytest.fixture
async def stage() -> AsyncIterator[Fediverse]:
    async with run() as server:
        yield server


@pytest.fixture
async def source(stage: Fediverse) -> AsyncIterator[MastodonSource]:
    async with asking(stage.base) as source:
        yield source


HTML = b"<!doctype html><title>Back soon</title>"
SHAPES = [
    HTML,
    b"",
    b"{}",
    b"null",
    b'"x"',
    b'{"posts": []}',
    b"[1, 2]",
    b'[{"title": "news"}]',
    b"\xff\xfe",
    b'[{"id": "1"',
]


# --- polling ---


async def test_the_first_poll_shows_the_present_state_oldest_first(source: MastodonSource, stage: Fediverse) -> None:
    for number in range(50):
        stage.post(f"#rivers {number}")
    batch = await Reader(source, tag_feed(stage)).poll()
    assert published(batch) == [f"#rivers {number}" for number in range(10, 50)]
    assert not batch.more


async def test_only_what_is_new_comes_after_that_and_nothing_is_written_when_nothing_is(
    source: MastodonSource, stage: Fediverse
) -> None:
    stage.post("#rivers old")
    reader = await begun(source, tag_feed(stage))
    assert (await reader.poll()) == Batch()
    stage.post("#rivers new")
    assert published(await reader.poll()) == ["#rivers new"]
    assert (await reader.poll()) == Batch()


async def test_a_feed_that_was_empty_at_first_loses_nothing(source: MastodonSource, stage: Fediverse) -> None:
    reader = await begun(source, tag_feed(stage))
    texts = [f"#rivers {number}" for number in range(95)]
    for text in texts:
        stage.post(text)
    assert await reader.read() == texts


async def test_a_gap_is_walked_one_page_a_poll(source: MastodonSource, stage: Fediverse) -> None:
    stage.post("#rivers old")
    reader = await begun(source, tag_feed(stage))
    for number in range(100):
        stage.post(f"#rivers {number}")
    stage.asked.clear()
    batches = [await reader.poll() for _ in range(7)]
    assert [len(batch.events) for batch in batches] == [0, 40, 21, 21, 18, 0, 0]
    assert [batch.more for batch in batches] == [True, True, True, True, False, False, False]
    assert ["min_id" in asked for asked in stage.asked] == [False, True, True, True, True, False, False]


@pytest.mark.parametrize("seed", range(5))
async def test_no_gap_and_no_double_over_random_arrivals(source: MastodonSource, stage: Fediverse, seed: int) -> None:
    dice = random.Random(seed)
    for number in range(dice.randrange(60)):
        stage.post(f"#rivers before {number}")
    reader = await begun(source, tag_feed(stage))
    sent: list[str] = []
    read: list[str] = []
    for _ in range(12):
        recent = sorted(stage.posts)[-20:]
        for late in range(dice.choice([0, 0, 3]) if recent else 0):
            sent.append(f"#rivers late {len(sent)} {late}")
            stage.post(sent[-1], id=dice.choice(recent) + dice.randrange(1, 65_000))
        for _ in range(dice.choice([0, 1, 5, 60])):
            sent.append(f"#rivers {len(sent)}")
            stage.post(sent[-1])
        read += published(await reader.poll())
    read += await reader.read() + await reader.read()
    assert sorted(read) == sorted(sent)


async def test_a_hashtag_brings_replies_but_neither_unlisted_posts_nor_private_ones(
    source: MastodonSource, stage: Fediverse
) -> None:
    reader = await begun(source, tag_feed(stage))
    question = stage.post("#rivers question", "kofi")
    stage.post("#rivers answer", reply_to=question)
    for visibility in ("unlisted", "private", "direct", "list"):
        made = stage.post(f"#rivers {visibility}")
        stage.say("timelines", [made | {"visibility": visibility}], times=1)
        assert published(await reader.poll()) == []
        made["visibility"] = visibility
    assert published(await reader.poll()) == ["#rivers question", "#rivers answer"]


async def test_an_account_brings_its_threads_but_no_replies_to_others_and_no_boosts(
    source: MastodonSource, stage: Fediverse
) -> None:
    reader = await begun(source, account_feed(stage, stage.person("ana")))
    first = stage.post("one")
    stage.post("two", reply_to=first)
    question = stage.post("question", "kofi")
    answer = stage.post("answer", reply_to=question)
    stage.post("answer, continued", reply_to=answer)
    stage.post("", reblog=question)
    stage.post("quietly", visibility="unlisted")
    assert published(await reader.poll()) == ["one", "two"]
    assert any("exclude_reblogs=true" in one for one in stage.asked)


async def test_a_post_that_cannot_be_read_is_passed_over(source: MastodonSource, stage: Fediverse) -> None:
    reader = await begun(source, tag_feed(stage))
    stage.post("#rivers 1")
    stage.post("#rivers 2", content=5)
    stage.post("#rivers 3", url=None)
    stage.post("#rivers 4", account=None)
    stage.post("#rivers 5", in_reply_to_id=None, media_attachments=None)
    assert published(await reader.poll()) == ["#rivers 1", "#rivers 3", "#rivers 5"]
    assert published(await reader.poll()) == []


async def test_a_hashtag_that_the_server_never_met_is_empty(source: MastodonSource, stage: Fediverse) -> None:
    stage.say("timelines", {"error": "Record not found"}, status=404, times=1)
    reader = await begun(source, tag_feed(stage))
    stage.post("#rivers first")
    assert published(await reader.poll()) == ["#rivers first"]


async def test_an_account_that_is_gone_ends_its_feed(source: MastodonSource, stage: Fediverse) -> None:
    feed = account_feed(stage, {"id": "404"})
    gone = await source.poll(feed)
    assert isinstance(gone, Gone)
    assert "gone for good" in gone.reason


@pytest.mark.parametrize("address", ["timelines/tag/rivers", "accounts/5/statuses"])
async def test_a_server_that_shut_down_ends_its_feeds(source: MastodonSource, stage: Fediverse, address: str) -> None:
    stage.say("/api/", HTML, status=410)
    feed = Feed(id=FeedId(1), source="mastodon", address=f"{stage.base}/api/v1/{address}")
    assert isinstance(await source.poll(feed), Gone)


@pytest.mark.parametrize("address", ["timelines/tag/rivers", "accounts/5/statuses"])
async def test_a_page_in_front_of_the_api_ends_nothing(source: MastodonSource, stage: Fediverse, address: str) -> None:
    stage.say("/api/", HTML, status=404)
    feed = Feed(id=FeedId(1), source="mastodon", address=f"{stage.base}/api/v1/{address}")
    later = await source.poll(feed)
    assert isinstance(later, TryLater)
    assert "not as such a server does" in later.reason


async def test_an_address_that_may_not_be_fetched_ends_its_feed(source: MastodonSource) -> None:
    feed = Feed(id=FeedId(1), source="mastodon", address="https://192.168.1.1/api/v1/timelines/tag/rivers")
    assert isinstance(await source.poll(feed), Gone)


async def test_a_server_that_is_down_is_asked_later(source: MastodonSource) -> None:
    feed = Feed(id=FeedId(1), source="mastodon", address="http://127.0.0.1:9/api/v1/timelines/tag/rivers")
    assert isinstance(await source.poll(feed), TryLater)


@pytest.mark.parametrize("cursor", ["", "nonsense", '{"recent": 5}'])
async def test_a_lost_cursor_starts_anew_without_relaying_the_past(
    source: MastodonSource, stage: Fediverse, cursor: str
) -> None:
    stage.post("#rivers old")
    address = tag_feed(stage).address
    feed = Feed(id=FeedId(1), source="mastodon", address=address, cursor=cursor, seeded=True)
    reader = await begun(source, feed)
    assert (await source.poll(feed)) == Batch(cursor=reader.feed.cursor)
    stage.post("#rivers new")
    assert published(await reader.poll()) == ["#rivers new"]


async def test_a_server_is_believed_of_its_own_posts_only_unless_the_settings_name_it(stage: Fediverse) -> None:
    account = stage.person("ana")
    feed = account_feed(stage, account)
    async with asking("https://social.example") as strict, asking(stage.base) as trusting:
        readers = [await begun(strict, feed), await begun(trusting, feed)]
        stage.post("mine")
        boss = account | {"uri": "https://bank.example/users/boss"}
        stage.post("of somebody else", uri="https://bank.example/users/boss/statuses/2", account=boss)
        stage.post("forged", uri="https://bank.example/users/boss/statuses/1")
        stage.post("forged too", account=boss)
        assert [len((await reader.poll()).events) for reader in readers] == [1, 2]


# --- servers that do not want us, or are something else ---


@pytest.mark.parametrize("status", [401, 422])
async def test_a_closed_server_is_a_clear_state(source: MastodonSource, stage: Fediverse, status: int) -> None:
    stage.closed = status
    for feed in (tag_feed(stage), account_feed(stage, stage.person("ana"))):
        later = await source.poll(feed)
        assert isinstance(later, TryLater)
        assert "only to people with an account there" in later.reason
        assert "another instance" in later.reason
        assert later.after == timedelta(minutes=15)


async def test_of_a_server_that_shows_its_own_posts_only_those_are_read_and_the_operator_is_told(
    source: MastodonSource, stage: Fediverse
) -> None:
    stage.local_only = True
    stage.post("#rivers far", "kofi@lakes.example")
    reader = Reader(source, tag_feed(stage))
    assert "only the posts of its own users" in (await reader.poll()).note
    stage.post("#rivers near")
    stage.post("#rivers far again", "kofi@lakes.example")
    stage.asked.clear()
    batch = await reader.poll()
    assert published(batch) == ["#rivers near"]
    assert "only the posts of its own users" in batch.note
    assert sum(one.startswith("/api/v1/") for one in stage.asked) == 1


async def test_a_server_that_opens_up_is_found_out_and_its_past_is_no_news(
    source: MastodonSource, stage: Fediverse
) -> None:
    stage.local_only = True
    reader = await begun(source, tag_feed(stage))
    stage.post("#rivers far", "kofi@lakes.example")
    stage.local_only = False
    batches = [await reader.poll() for _ in range(61)]
    assert [text for batch in batches for text in published(batch)] == []
    stage.post("#rivers far again", "kofi@lakes.example")
    batch = await reader.poll()
    assert (published(batch), batch.note) == (["#rivers far again"], "")


async def test_a_server_that_forgets_a_hashtag_for_a_moment_brings_nothing_twice(
    source: MastodonSource, stage: Fediverse
) -> None:
    stage.local_only = True
    reader = await begun(source, tag_feed(stage))
    stage.post("#rivers near")
    await reader.read()
    stage.say(r"limit=40$", {"error": "Record not found"}, status=404, times=1)
    assert [text for _ in range(70) for text in published(await reader.poll())] == []


async def test_a_server_that_hides_hashtags_is_quietly_empty_and_floods_nobody_when_it_opens(
    source: MastodonSource, stage: Fediverse
) -> None:
    stage.hidden = True
    for number in range(200):
        stage.post(f"#rivers {number}", created_at="2020-01-01T00:00:00Z")
    reader = await begun(source, tag_feed(stage))
    assert (await reader.poll()) == Batch()
    stage.hidden = False
    assert await reader.read() == []
    stage.post("#rivers new")
    assert await reader.read() == ["#rivers new"]


async def test_a_limit_is_waited_out_until_its_reset(source: MastodonSource, stage: Fediverse) -> None:
    reset = (datetime.now(UTC) + timedelta(seconds=90)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    headers = {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    stage.say("timelines", {"error": "Too many requests"}, status=429, headers=headers)
    later = await source.poll(tag_feed(stage))
    assert isinstance(later, TryLater)
    assert later.after
    assert timedelta(seconds=80) < later.after <= timedelta(seconds=90)
    assert "slow down" in later.reason


async def test_the_last_request_of_a_limit_says_how_long_to_wait(source: MastodonSource, stage: Fediverse) -> None:
    reader = await begun(source, tag_feed(stage))
    page = [stage.post(f"#rivers {number}") for number in range(40)]
    reset = (datetime.now(UTC) + timedelta(seconds=90)).isoformat().replace("+00:00", "Z")
    stage.say("timelines", page, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset})
    batch = await reader.poll()
    assert batch.wait
    assert not batch.more


@pytest.mark.parametrize(
    ("status", "headers", "after"),
    [
        (429, {}, None),
        (429, {"retry-after": "30"}, timedelta(seconds=30)),
        (500, {}, None),
        (503, {"retry-after": "30"}, timedelta(seconds=30)),
        (403, {}, timedelta(minutes=15)),
        (400, {}, None),
        (418, {}, None),
    ],
)
async def test_other_refusals_are_tried_again(
    source: MastodonSource, stage: Fediverse, status: int, headers: dict[str, str], after: timedelta | None
) -> None:
    stage.say("timelines", HTML, status=status, headers=headers)
    later = await source.poll(tag_feed(stage))
    assert isinstance(later, TryLater)
    assert later.after == after
    assert str(status) in later.reason


@pytest.mark.parametrize("body", SHAPES)
async def test_an_answer_of_another_shape_is_told_and_moves_nothing(
    source: MastodonSource, stage: Fediverse, body: bytes
) -> None:
    reader = await begun(source, tag_feed(stage))
    stage.post("#rivers new")
    stage.say("timelines", body, times=1)
    later = await source.poll(reader.feed)
    assert isinstance(later, TryLater)
    assert "no list of posts" in later.reason
    assert published(await reader.poll()) == ["#rivers new"]
