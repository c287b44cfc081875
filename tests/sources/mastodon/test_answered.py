"""Whom a post answers is looked up where its server leaves it out (``in_reply_to_account_id`` is null)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relay.model import Published
from relay.ports import TryLater
from relay.sources.mastodon import MastodonSource
from tests.servers.mastodon.fediverse import Fediverse, Json, asking, run
from tests.support.mastodon_timeline_cases import Reader, account_feed, begun, published, tag_feed

MENTION = '<p><span class="h-card"><a href="{}/@kofi" class="u-url mention">@<span>kofi</span></a></span> well</p>'


@pytest.fixture
async def stage() -> AsyncIterator[Fediverse]:
    async with run() as server:
        yield server


@pytest.fixture
async def source(stage: Fediverse) -> AsyncIterator[MastodonSource]:
    async with asking(stage.base) as source:
        yield source


@pytest.fixture
async def reader(source: MastodonSource, stage: Fediverse) -> Reader:
    return await begun(source, account_feed(stage, stage.person("ana")))


def forgets(status: Json) -> Json:
    status["in_reply_to_account_id"] = None
    return status


async def test_a_reply_to_oneself_is_relayed_whether_its_parent_is_on_the_page_or_not(
    source: MastodonSource, stage: Fediverse
) -> None:
    first = stage.post("one")
    reader = await begun(source, account_feed(stage, stage.person("ana")))
    second = forgets(stage.post("two", reply_to=first))
    forgets(stage.post("three", reply_to=second))
    batch = await reader.poll()
    assert published(batch) == ["two", "three"]
    authors = {event.post.reply_to_author for event in batch.events if isinstance(event, Published)}
    assert authors == {stage.person("ana")["uri"]}


async def test_what_goes_on_under_somebody_else_s_post_is_not(reader: Reader, stage: Fediverse) -> None:
    question = stage.post("question", "kofi")
    answer = forgets(stage.post("answer", reply_to=question))
    forgets(stage.post("answer, continued", reply_to=answer))
    told = stage.post("answer, as told", reply_to=question)
    forgets(stage.post("and on", reply_to=told))
    assert published(await reader.poll()) == []


@pytest.mark.parametrize("status", [404, 410, 401, 403, 500])
async def test_where_nobody_knows_the_parent_who_mentions_nobody_goes_on(
    reader: Reader, stage: Fediverse, status: int
) -> None:
    gone = stage.post("gone", "kofi")
    forgets(stage.post("on my own", reply_to=gone))
    forgets(stage.post("to you", reply_to=gone, content=MENTION.format(stage.base)))
    stage.say(f"statuses/{gone['id']}", {"error": "no"}, status=status)
    assert published(await reader.poll()) == ["on my own"]


async def test_posts_that_answer_each_other_in_a_circle_end(reader: Reader, stage: Fediverse) -> None:
    one = stage.post("one")
    two = forgets(stage.post("two", reply_to=one))
    forgets(one)["in_reply_to_id"] = two["id"]
    assert sorted(published(await reader.poll())) == ["one", "two"]


async def test_one_poll_asks_for_so_many_and_no_more(reader: Reader, stage: Fediverse) -> None:
    for number in range(30):
        parent = stage.post(f"parent {number}", "kofi")
        forgets(stage.post(f"answer {number}", reply_to=parent, content=MENTION.format(stage.base)))
    stage.asked.clear()
    while (batch := await reader.poll()).more:
        assert published(batch) == []
    assert sum("/api/v1/statuses/" in path for path in stage.asked) == 20


async def test_where_we_may_not_ask_now_nothing_is_lost(reader: Reader, stage: Fediverse) -> None:
    forgets(stage.post("two", reply_to=stage.post("one", "kofi")))
    stage.allowance = 1
    answer = await reader.source.poll(reader.feed)
    assert isinstance(answer, TryLater)
    assert (answer.paced, answer.cursor) == (True, None)


async def test_a_hashtag_s_answers_are_known_as_such(source: MastodonSource, stage: Fediverse) -> None:
    reader = await begun(source, tag_feed(stage))
    forgets(stage.post("#rivers answer", reply_to=stage.post("question", "kofi")))
    batch = await reader.poll()
    assert [event.post.reply_to_author for event in batch.events if isinstance(event, Published)] == [
        stage.person("kofi")["uri"]
    ]
