"""The source as the core sees it: settings, what topics mean, what became of posts, whether it would work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from relay.http import Http, HttpSettings
from relay.model import Deleted, Edited, Post, PostUri
from relay.plugins import Host
from relay.ports import (
    Batch,
    Gone,
    MentionedSource,
    RecheckingSource,
    Refused,
    Resolved,
    Source,
    StreamingSource,
    ThreadedSource,
    TryLater,
)
from relay.sources.bluesky import BlueskySettings, BlueskySource, plugin
from relay.sources.bluesky.source import recheck
from relay.sources.bluesky.xrpc import XrpcApi
from relay.testing import SourceContract
from relay.text import plain
from tests.servers.bluesky.jetstream import did
from tests.servers.bluesky.world import Json, label
from tests.servers.bluesky.xrpc import ACCOUNT, HANDLE, HTML, PASSWORD, Stage, asking, client, run

ILLA = did("illa")
SHAPES = [HTML, b"", b"{}", b"null", b'"x"', b"[1, 2]", b'{"posts": 5, "feed": 5}', b"\xff\xfe", b'{"feed": [']


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with run() as stage:
        stage.world.person("illa")
        yield stage


@pytest.fixture
async def source(stage: Stage) -> AsyncIterator[BlueskySource]:
    async with asking(stage) as source:
        yield source


class TestContract(SourceContract):
    def make(self) -> Source:
        http = Http(HttpSettings(), user_agent="test")
        return plugin.build(plugin.settings(), Host(http=http, name="test"))


# --- settings, plugin ---


async def test_the_plugin_builds_a_source_that_does_all_a_source_can() -> None:
    async with Http(HttpSettings(), user_agent="test") as http:
        source = plugin.build(plugin.settings(), Host(http=http, name="test"))
    assert isinstance(source, ThreadedSource)
    assert isinstance(source, RecheckingSource)
    assert isinstance(source, StreamingSource)
    assert isinstance(source, MentionedSource)
    assert (source.name, source.interval, source.sweep) == ("bluesky", timedelta(seconds=60), timedelta(minutes=5))
    assert len(source.streams()) == 1


def test_the_public_servers_are_asked_unless_told_otherwise() -> None:
    settings = BlueskySettings()
    assert (settings.api_url, settings.pds_url) == ("https://public.api.bsky.app", "https://bsky.social")
    assert len(settings.jetstream) == 4
    assert all(host.startswith("wss://jetstream") for host in settings.jetstream)


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ({"api_url": "https://API.Example/"}, {"api_url": "https://api.example"}),
        ({"pds_url": " http://127.0.0.1:2583 "}, {"pds_url": "http://127.0.0.1:2583"}),
        ({"jetstream": ["wss://a.example/", "wss://a.example"]}, {"jetstream": ("wss://a.example",)}),
        ({"jetstream": []}, {"jetstream": ()}),
        ({"handle": " @illa.example", "app_password": "x"}, {"handle": "illa.example"}),
    ],
)
def test_settings_are_written_in_any_sensible_way(written: Json, understood: Json) -> None:
    settings = BlueskySettings.model_validate(written)
    assert {name: getattr(settings, name) for name in understood} == understood


@pytest.mark.parametrize(
    "written",
    [
        {"api_url": "ftp://api.example"},
        {"api_url": "api.example"},
        {"pds_url": "https://user:pass@pds.example"},
        {"jetstream": ["https://jetstream.example"]},
        {"handle": "illa.example"},
        {"app_password": "x"},
        {"handle": "not a handle", "app_password": "x"},
        {"mentions": True},
        {"interval": "0s"},
        {"instance": "x"},
    ],
)
def test_settings_that_cannot_work_are_refused(written: Json) -> None:
    with pytest.raises(ValidationError):
        BlueskySettings.model_validate(written)


def test_the_password_is_in_no_text() -> None:
    assert PASSWORD not in f"{BlueskySettings.model_validate(ACCOUNT)!r}"


# --- topics ---


@pytest.mark.parametrize(
    ("topic", "feed", "tag"),
    [
        ("#Qeswachaka", "tag:qeswachaka", "qeswachaka"),
        ("＃Ríos", "tag:ríos", "ríos"),
        ("#Straße", "tag:straße", "strasse"),
        ("#c++", "tag:c++", "c++"),
    ],
)
async def test_a_hashtag_is_known_by_its_looks(
    source: BlueskySource, stage: Stage, topic: str, feed: str, tag: str
) -> None:
    """Bluesky folds capitals and keeps accents."""
    assert await source.resolve(topic) == Resolved(feeds=(feed,), tag=tag, title=f"#{topic[1:]}")
    assert stage.asked == []


@pytest.mark.parametrize("topic", ["#two words", "#2026", "##x", "#!?", f"#{'x' * 65}", "#"])
async def test_what_is_no_hashtag_is_refused(source: BlueskySource, topic: str) -> None:
    assert isinstance(await source.resolve(topic), Refused)


async def test_hashtags_need_a_stream_or_an_account(stage: Stage) -> None:
    async with asking(stage, jetstream=[]) as source:
        assert isinstance(await source.resolve("#Qeswachaka"), Refused)
        assert source.streams() == ()
    async with asking(stage, jetstream=[], **ACCOUNT) as source:
        assert isinstance(await source.resolve("#Qeswachaka"), Resolved)


@pytest.mark.parametrize(
    "topic",
    [
        "@illa.ayllu.example",
        "@Illa.Ayllu.Example",
        ILLA,
        "https://bsky.app/profile/illa.ayllu.example",
        f"at://{ILLA}",
    ],
)
async def test_an_account_is_followed_by_did(source: BlueskySource, topic: str) -> None:
    assert await source.resolve(topic) == Resolved(feeds=(ILLA,), title="@illa.ayllu.example", account=True)


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        ("@nobody.ayllu.example", "no such account"),
        ("@illa@ayllu.example", "Fediverse"),
        ("@illa", "in full"),
        ("https://social.example/@illa", "write it like"),
        (f"https://bsky.app/profile/{ILLA}/post/3kabc", "the address of a post"),
        (f"at://{ILLA}/app.bsky.feed.post/3kabc", "the address of a post"),
    ],
)
async def test_what_cannot_be_followed_says_why(source: BlueskySource, topic: str, words: str) -> None:
    answer = await source.resolve(topic)
    assert isinstance(answer, Refused)
    assert words in answer.reason


async def test_who_wants_no_visitors_cannot_be_followed(source: BlueskySource, stage: Stage) -> None:
    stage.world.person("illa", labels=[label("!no-unauthenticated", ILLA)])
    answer = await source.resolve("@illa.ayllu.example")
    assert isinstance(answer, Refused)
    assert "people with an account" in answer.reason


@pytest.mark.parametrize("status", [403, 429, 500, 502])
async def test_a_server_in_trouble_may_know_later(source: BlueskySource, stage: Stage, status: int) -> None:
    stage.say("getProfile", HTML, status=status)
    assert isinstance(await source.resolve("@illa.ayllu.example"), TryLater)


@pytest.mark.parametrize("error", ["AccountDeactivated", "AccountTakedown"])
async def test_an_account_that_sleeps_may_wake(source: BlueskySource, stage: Stage, error: str) -> None:
    stage.say("getProfile", {"error": error, "message": "Account is deactivated"}, status=400)
    assert isinstance(await source.resolve("@illa.ayllu.example"), TryLater)


@pytest.mark.parametrize("body", SHAPES)
async def test_an_odd_answer_is_no_account(source: BlueskySource, stage: Stage, body: bytes) -> None:
    stage.say("getProfile", body)
    assert isinstance(await source.resolve("@illa.ayllu.example"), TryLater)


# --- what became of posts ---


async def known(source: BlueskySource, uri: str) -> Post:
    (post, *_) = await thread(source, uri)
    return post


async def thread(source: BlueskySource, uri: str) -> list[Post]:
    found = await source.fetch_thread(uri)
    assert not isinstance(found, Refused | TryLater | Gone), found
    return list(found)


async def test_changes_and_deletions_are_told_and_nothing_else(source: BlueskySource, stage: Stage) -> None:
    uris = [stage.world.post(f"number {number}") for number in range(4)]
    posts = [await known(source, uri) for uri in uris]
    assert await source.recheck(posts) == Batch()
    stage.world.edit(uris[1], "rewritten")
    del stage.world.records[uris[2]]
    batch = await source.recheck(posts)
    assert isinstance(batch, Batch)
    edited, deleted = batch.events
    assert isinstance(edited, Edited)
    assert (edited.post.uri, plain(edited.post.body)) == (uris[1], "rewritten")
    assert deleted == Deleted(uris[2])
    assert stage.count("getPosts") == 2


async def test_what_is_hidden_later_goes_as_if_deleted(source: BlueskySource, stage: Stage) -> None:
    uri = stage.world.post("secret now")
    posts = [await known(source, uri)]
    stage.world.person("illa", labels=[label("!no-unauthenticated", ILLA)])
    assert await source.recheck(posts) == Batch(events=(Deleted(uri),))


async def test_a_warning_that_came_later_is_an_edit(source: BlueskySource, stage: Stage) -> None:
    uri = stage.world.post("look away")
    posts = [await known(source, uri)]
    stage.world.shown[uri] = {"labels": [label("graphic-media")]}
    batch = await source.recheck(posts)
    assert isinstance(batch, Batch)
    assert [event.post.warning for event in batch.events if isinstance(event, Edited)] == ["Graphic media"]


async def test_a_thread_deleted_as_a_whole_is_believed(source: BlueskySource, stage: Stage) -> None:
    posts = [await known(source, uri) for uri in stage.world.thread(3)]
    stage.world.records.clear()
    assert await source.recheck(posts) == Batch(events=tuple(Deleted(post.uri) for post in posts))


async def test_an_answer_with_nothing_in_it_is_doubted(source: BlueskySource, stage: Stage) -> None:
    posts = [await known(source, uri) for uri in stage.world.thread(3)]
    stage.say("getPosts", {"posts": []})
    assert isinstance(await source.recheck(posts), TryLater)


async def test_a_post_that_the_appview_does_not_know_yet_is_not_deleted(stage: Stage) -> None:
    """From the firehose we may have it earlier; whoever wrote it still has it."""
    stage.world.now = int(datetime.now(UTC).timestamp()) * 1_000_000
    kept, deleted = stage.world.post("new"), stage.world.post("regretted")
    async with asking(stage) as source, client() as http:
        posts = [await known(source, uri) for uri in (kept, deleted)]
        stage.world.unknown.add(kept)
        del stage.world.records[deleted]
        api = XrpcApi(http, stage.appview, directory=stage.home)
        assert await recheck(api, posts) == Batch(events=(Deleted(deleted),))
        stage.say("home/did", HTML, status=502)
        assert await recheck(api, posts) == Batch(events=(Deleted(kept), Deleted(deleted)))


@pytest.mark.parametrize("body", SHAPES)
async def test_an_odd_answer_deletes_nothing(source: BlueskySource, stage: Stage, body: bytes) -> None:
    posts = [await known(source, stage.world.post("still here"))]
    stage.say("getPosts", body)
    assert isinstance(await source.recheck(posts), TryLater)


async def test_a_post_that_comes_back_odd_is_left_as_it_was(source: BlueskySource, stage: Stage) -> None:
    uri = stage.world.post("still here")
    posts = [await known(source, uri), replace(await known(source, uri), uri=PostUri("at://x/y/z"))]
    stage.say("getPosts", {"posts": [{"uri": uri, "record": 5}]})
    assert await source.recheck(posts) == Batch(events=(Deleted("at://x/y/z"),))


# --- would it work? ---


async def checked(stage: Stage, **settings: Any) -> list[tuple[str, bool, str]]:
    async with asking(stage, **{"jetstream": [], **settings}) as source:
        return [(line.name, line.ok, line.note) for line in await source.check()]


async def test_an_open_server_and_an_account_are_fine(stage: Stage) -> None:
    (api, account) = await checked(stage, **ACCOUNT)
    assert api == (f"bluesky {stage.appview.partition('//')[2]}", True, "")
    note = f"signed in at {stage.home.partition('//')[2]}; who mentions it is not answered (mentions = false)"
    assert account == (f"bluesky {HANDLE}", True, note)


async def test_without_an_account_it_says_where_hashtags_come_from(stage: Stage) -> None:
    ((_, ok, note),) = await checked(stage)
    assert ok
    assert "streams" in note


async def test_a_closed_server_and_a_wrong_password_are_told(stage: Stage) -> None:
    stage.closed = True
    (_, api_ok, api_note), (_, ok, note) = await checked(stage, handle=HANDLE, app_password="wrong")
    assert (api_ok, ok) == (False, False)
    assert "refuses" in api_note
    assert "check handle and app_password" in note
    assert "wrong" not in note


async def test_each_jetstream_is_asked_too(stage: Stage) -> None:
    (_, (name, ok, note)) = await checked(stage, jetstream=["ws://127.0.0.1:9"])
    assert (name, ok) == ("bluesky 127.0.0.1:9", False)
    assert "cannot be reached" in note


@pytest.mark.parametrize("status", [404, 500, 501])
async def test_what_is_no_server_of_bluesky_is_told(stage: Stage, status: int) -> None:
    stage.say("getProfile", HTML, status=status)
    ((_, ok, note),) = await checked(stage)
    assert not ok
    assert note
