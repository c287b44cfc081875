"""The script fits the demo, and the play leaves on the stage what ``expected`` says."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import feedparser
import pytest
from aiohttp import ClientSession

from relay.demo.stage import AUTHOR, GRACE, HASHTAG, LENGTH, SCRIPT, Draft, Item, Stage, expected, open_stage, perform
from relay.demo.stage.entities import fold, hashtags
from relay.demo.stage.play import Expected
from relay.demo.stage.scenery import pictures
from relay.demo.stage.script import SCENE, Correct, Print, Say, Withdraw

# --- the script ---

POSTS = [step for step in SCRIPT if isinstance(step, Say)]
THREAD = [post for post in POSTS if post.author == AUTHOR]
AT = {step.name: step.at for step in SCRIPT if isinstance(step, Say | Print)}


def test_steps_are_in_order_names_are_unique_and_texts_fit() -> None:
    assert [step.at for step in SCRIPT] == sorted(step.at for step in SCRIPT)
    names = [thing.name for thing in (*SCENE, *SCRIPT) if isinstance(thing, Draft | Item)]
    assert len(names) == len(set(names))
    assert timedelta(seconds=18) < LENGTH < timedelta(seconds=25)
    assert all(len(thing.text) <= 500 for thing in (*SCENE, *SCRIPT) if not isinstance(thing, Withdraw))


@pytest.mark.parametrize("change", [step for step in SCRIPT if isinstance(step, Correct | Withdraw)])
def test_a_relay_has_time_to_relay_before_a_change(change: Correct | Withdraw) -> None:
    assert change.at - AT[change.name] >= GRACE.total_seconds()


def test_changes_concern_posts_that_say_they_are_new() -> None:
    """A relay looks at old posts less often; nobody should wait for the end of the demo because of that."""
    changed = {step.name for step in SCRIPT if isinstance(step, Correct | Withdraw)}
    assert [post.ago for post in POSTS if post.name in changed] == [timedelta(0)] * 2


def test_the_thread_shows_what_a_thread_can_hold() -> None:
    withdrawn = {step.name for step in SCRIPT if isinstance(step, Withdraw)}
    left = [post for post in THREAD if post.name not in withdrawn]
    assert len(left) == 12
    assert [post.reply_to for post in left] == ["", *(post.name for post in left[:-1])]
    assert max(earlier.ago - later.ago for earlier, later in pairwise(THREAD)) >= timedelta(hours=3)
    assert min(len(post.text) for post in THREAD) < 100
    assert max(len(post.text) for post in THREAD) > 450
    assert all(any(getattr(post, part) for post in THREAD) for part in ("picture", "warning", "quote"))
    assert all(post.picture.file in pictures() and post.picture.alt for post in THREAD if post.picture)
    assert {"R", "AL"} & {unicodedata.bidirectional(letter) for post in THREAD for letter in post.text}
    assert {post.language for post in POSTS} >= {"en", "es", "ja", "ar"}
    assert all(fold(HASHTAG) in map(fold, hashtags(post.text)) for post in THREAD)


# --- the performance ---


@pytest.fixture
async def played() -> AsyncIterator[tuple[Stage, Expected, list[str]]]:
    async with open_stage() as stage:
        steps: list[str] = []
        await perform(stage, speed=100, on_step=lambda step: steps.append(step.name))
        yield stage, expected(stage), steps


async def test_the_timeline_and_the_feed_hold_exactly_what_is_expected(
    played: tuple[Stage, Expected, list[str]],
) -> None:
    stage, due, steps = played
    assert steps == [step.name for step in SCRIPT]
    eve = stage.uris["eve"].rpartition("/")[2]
    async with ClientSession(stage.url) as session:
        async with session.get(f"/api/v1/timelines/tag/{HASHTAG}?limit=40&min_id={eve}") as answer:
            posts = await answer.json()
        async with session.get(stage.feed_url) as answer:
            news = feedparser.parse(await answer.read()).entries
    arrived = {post["uri"] for post in posts} | {stage.uris["ford"]}
    assert {entry.id for entry in news} - arrived <= due.unwanted
    assert arrived == due.sent - due.deleted
    assert {post["uri"] for post in posts if post["edited_at"]} == due.edited == {stage.uris["measure"]}
    assert due.deleted == {stage.uris["anger"]}


async def test_expected_parts_everything_and_keeps_the_order(played: tuple[Stage, Expected, list[str]]) -> None:
    stage, due, _ = played
    assert due.sent | due.unwanted == set(stage.posted)
    assert not due.sent & due.unwanted
    assert due.edited | due.deleted <= due.sent
    assert due.unwanted == {stage.uris[name] for name in ("first-knot", "dry", "market", "eve", "plea")}
    assert sorted(due.thread, key=stage.posted.__getitem__) == list(due.thread)
    assert len(due.sent) == len(THREAD) + 5


async def test_the_context_of_the_root_holds_the_thread(played: tuple[Stage, Expected, list[str]]) -> None:
    stage, due, _ = played
    number = due.root.rpartition("/")[2]
    async with ClientSession(stage.url) as session, session.get(f"/api/v1/statuses/{number}/context") as answer:
        context = await answer.json()
    own = [post["uri"] for post in context["descendants"] if post["account"]["username"] == AUTHOR]
    assert (due.root, *own) == due.thread
    assert len(context["descendants"]) == len(own) + 2


async def test_expected_grows_with_the_play() -> None:
    """Stopped in the middle, it asks for what was played only."""
    async with open_stage() as stage:
        stage.post(THREAD[0])
        due = expected(stage)
        assert due.sent == {due.root} == set(due.thread)
        assert not due.edited | due.deleted
