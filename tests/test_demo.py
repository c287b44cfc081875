"""The script fits the demo, and its source tells it as a network would."""

from __future__ import annotations

import asyncio
import unicodedata
from contextlib import aclosing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import aiohttp
import pytest

from relay import demo
from relay.demo.drawings import drawing
from relay.demo.script import (
    AUTHOR,
    FAREWELL,
    HASHTAG,
    POSTSCRIPT,
    RELAY,
    REQUEST,
    SCENE,
    SCRIPT,
    Correction,
    Draft,
    Withdrawal,
)
from relay.demo.source import FEED, ScriptedSource, uri_of
from relay.model import Deleted, Edited, Feed, FeedId, Published
from relay.pipeline.streams import Watch
from relay.ports import Batch, Refused, Resolved, Source
from relay.testing import SourceContract

BASE = "http://127.0.0.1:1"
POSTS = {step.name: step for step in SCRIPT if isinstance(step, Draft)}
THREAD = [post for post in POSTS.values() if post.author == AUTHOR]
CHANGES = [step for step in SCRIPT if isinstance(step, Correction | Withdrawal)]


class TestContract(SourceContract):
    def make(self) -> Source:
        return ScriptedSource(BASE)


# --- the script ---


def test_steps_are_in_order_names_are_unique_and_texts_fit() -> None:
    assert [step.at for step in SCRIPT] == sorted(step.at for step in SCRIPT)
    names = [step.name for step in (*SCENE, *SCRIPT) if isinstance(step, Draft)]
    assert len(names) == len(set(names))
    assert 18 < SCRIPT[-1].at < 25
    assert all(len(step.text) <= 500 for step in (*SCENE, *SCRIPT) if not isinstance(step, Withdrawal))


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_comes_when_people_have_read_the_post(change: Correction | Withdrawal) -> None:
    assert change.at - POSTS[change.name].at >= 4


def test_the_thread_shows_what_a_thread_can_hold() -> None:
    withdrawn = {step.name for step in SCRIPT if isinstance(step, Withdrawal)}
    left = [post for post in THREAD if post.name not in withdrawn]
    assert len(left) == 12
    assert [post.reply_to for post in left] == ["", *(post.name for post in left[:-1])]
    assert max(earlier.ago - later.ago for earlier, later in pairwise(THREAD)) >= timedelta(hours=3)
    assert min(len(post.text) for post in THREAD) < 100
    assert max(len(post.text) for post in THREAD) > 450
    assert all(any(getattr(post, part) for post in THREAD) for part in ("drawing", "warning", "quote"))
    assert all(post.alt for post in THREAD if post.drawing)
    assert {"R", "AL"} & {unicodedata.bidirectional(letter) for post in THREAD for letter in post.text}
    assert {post.language for post in POSTS.values()} >= {"en", "es", "ja", "ar"}
    assert all(f"#{HASHTAG}" in post.text for post in THREAD)


def test_the_newspaper_and_the_hashtag_are_to_be_relayed_and_nothing_else() -> None:
    wanted = demo.expected()
    unwanted = {uri_of(post) for post in POSTS.values()} - wanted[Draft]
    assert unwanted == {uri_of(POSTS["plea"])}
    assert wanted[Correction] == {uri_of(POSTS["measure"])}
    assert wanted[Withdrawal] == {uri_of(POSTS["anger"])}


# --- the source ---


@pytest.fixture
async def source() -> ScriptedSource:
    """A source on which the whole script was played."""
    source = ScriptedSource(BASE)
    await source.play(*SCENE, *SCRIPT)
    return source


async def polled(source: ScriptedSource, topic: str, cursor: str = "") -> Batch:
    found = await source.resolve(topic)
    assert isinstance(found, Resolved)
    return await source.poll(
        Feed(id=FeedId(1), source=source.name, address=found.feeds[0], cursor=cursor, seeded=bool(cursor))
    )


async def test_what_stood_there_before_is_news_to_nobody() -> None:
    source = ScriptedSource(BASE)
    await source.play(*SCENE)
    first = await polled(source, f"#{HASHTAG}")
    assert (len(first.past), first.events) == (3, ())
    await source.play(*SCRIPT)
    second = await polled(source, f"#{HASHTAG.lower()}", first.cursor or "")
    wanted = demo.expected()
    published = {event.post.uri for event in second.events if isinstance(event, Published)}
    assert published == wanted[Draft] - {uri_of(POSTS["ford"])}
    assert {event.post.uri for event in second.events if isinstance(event, Edited)} == wanted[Correction]
    assert {event.ref for event in second.events if isinstance(event, Deleted)} == wanted[Withdrawal]
    assert (await polled(source, f"#{HASHTAG}", second.cursor or "")).events == ()


async def test_the_newspaper_is_a_feed_of_its_own(source: ScriptedSource) -> None:
    news = await polled(source, FEED)
    assert [event.post.title for event in news.past if isinstance(event, Published)] == [
        "Market moves to the church steps",
        "Bridge closed until the lanterns hang",
    ]


async def test_a_thread_holds_its_conversation_without_what_was_deleted(source: ScriptedSource) -> None:
    told = await source.fetch_thread(uri_of(POSTS["rope"]))
    assert not isinstance(told, Refused)
    assert told[0].uri == uri_of(POSTS["rope"])
    assert {post.uri for post in told if post.author.uri == told[0].author.uri} == set(demo.thread())
    assert {post.author.name for post in told} == {"Killa Quispe", "Tomás Ccori", "Haruka Minato 港はるか"}
    assert isinstance(await source.fetch_thread(uri_of(POSTS["anger"])), Refused)


async def test_what_happens_is_streamed_at_once() -> None:
    source = ScriptedSource(BASE)
    await source.play(*SCENE)
    async with aclosing(source.stream(source.name, Watch(), "")) as stream, asyncio.timeout(5):
        heard = asyncio.create_task(anext(stream))
        async with source.changed:
            await source.changed.wait_for(lambda: "stream" in source.listening)
        await source.play(POSTS["opening"])
        [(address, event)] = (await heard).events
    assert isinstance(event, Published)
    assert (address, event.post.uri) == (f"tag:{HASHTAG.lower()}", uri_of(POSTS["opening"]))


async def test_a_mention_is_told_once_and_its_answer_names_who_asked(source: ScriptedSource) -> None:
    since = await source.mentions(RELAY, "")
    await source.play(POSTSCRIPT, REQUEST)
    told = await source.mentions(RELAY, since.cursor or "")
    [mention] = told.mentions
    assert (mention.about, mention.asker) == (uri_of(POSTSCRIPT), source.author("haruka"))
    assert (await source.mentions(RELAY, told.cursor or "")).mentions == ()
    await source.answer(RELAY, mention, "Here.", key="1", again=False)
    assert source.answers == ["@haruka Here."]


async def test_what_is_said_in_private_is_no_post(source: ScriptedSource) -> None:
    await source.play(FAREWELL)
    assert FAREWELL.name not in source.posts
    assert isinstance(await source.fetch_thread(uri_of(FAREWELL)), Refused)


async def test_people_posts_and_drawings_can_be_looked_at(tmp_path: Path) -> None:
    async with demo._opened(demo._config(tmp_path, 0), speed=1) as played, aiohttp.ClientSession() as session:
        await played._attended()
        places = {"nayra": "Ties the first knot", "dry": "I asked it", "market": "Potatoes", "night.svg": "<svg"}
        for name, words in places.items():
            async with session.get(f"{played.app.web.url}/plaza/{name}") as answer:
                assert words in await answer.text()
        async with session.get(f"{played.app.web.url}/plaza/opening") as answer:
            assert answer.status == 404


@pytest.mark.parametrize("name", ["morning", "night", AUTHOR])
def test_a_drawing_is_well_formed(name: str) -> None:
    ET.fromstring(drawing(name))  # noqa: S314 - our own drawing
