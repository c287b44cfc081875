"""An account that has moved is told by its new name, as its own server alone can say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from relay.model import Feed, FeedId
from relay.ports import Batch, Resolved
from relay.sources.mastodon import MastodonSource
from relay.sources.mastodon.moved import moved, moved_uri
from relay.sources.mastodon.shapes import StatusAccount, read
from tests.servers.mastodon.fediverse import Fediverse, Json, asking, run
from tests.servers.misskey import run as misskey
from tests.support.authentic_run_cases import configured
from tests.support.command_line import relay as command
from tests.support.mastodon_timeline_cases import account_feed, begun

HERE = "https://social.example"
NEW: Json = Fediverse(HERE).person("ana@lakes.example")


def told(account: Json, base: str = HERE) -> str:
    return moved(read(json.dumps(account).encode(), StatusAccount), base)


@pytest.fixture
async def stage() -> AsyncIterator[Fediverse]:
    async with run() as server:
        yield server


@pytest.fixture
async def source(stage: Fediverse) -> AsyncIterator[MastodonSource]:
    async with asking(stage.base) as source:
        yield source


@pytest.mark.parametrize(
    ("changes", "new"),
    [
        ({"moved": NEW}, "@ana@lakes.example"),
        ({"moved": {"acct": "anita"}}, "@anita@social.example"),
        ({"moved": NEW | {"acct": "", "username": ""}}, NEW["uri"]),
        ({"moved": NEW | {"acct": "victim@else.example"}}, "@victim@lakes.example"),
        ({"moved": None}, ""),
        ({"moved": 5}, ""),
        ({"moved": {}}, ""),
        ({}, ""),
    ],
)
def test_its_new_name_is_told_with_what_to_do(changes: dict[str, Any], new: str) -> None:
    note = told(Fediverse(HERE).person("ana") | changes)
    assert (f"@ana@social.example has moved to {new}: subscribe" in note) is bool(new)
    assert bool(note) is bool(new)


def test_nobody_moves_to_where_they_are() -> None:
    person = Fediverse(HERE).person("ana")
    assert told(person | {"moved": person}) == ""


def test_another_server_cannot_say_that_somebody_has_moved() -> None:
    assert told(Fediverse(HERE).person("kofi@lakes.example") | {"moved": NEW}) == ""


@pytest.mark.parametrize(
    ("new", "is_told"), [("https://b.example/users/9", True), ("javascript:x", False), ("", False)]
)
def test_of_a_bare_uri_that_one_is_told(new: str, *, is_told: bool) -> None:
    assert bool(moved_uri("@ana@a.example", new, "https://a.example", "https://a.example/users/1")) is is_told


async def test_it_is_told_when_it_is_looked_up_and_with_each_poll(source: MastodonSource, stage: Fediverse) -> None:
    person = stage.person("ana")
    reader = await begun(source, account_feed(stage, person))
    stage.post("goodbye")
    assert (await reader.poll()).note == ""
    stage.person("ana", moved=NEW)
    resolved = await source.resolve(f"{stage.base}/@ana")
    assert isinstance(resolved, Resolved)
    for note in (resolved.note, (await reader.poll()).note):
        assert "has moved to @ana@lakes.example" in note


async def test_a_note_s_server_tells_it_when_it_is_looked_up() -> None:
    async with misskey() as stage, asking(stage.base) as source:
        stage.note("goodbye")
        stage.shows = {"movedTo": "https://lakes.example/users/9"}
        resolved = await source.resolve(f"{stage.base}/@illa")
    assert isinstance(resolved, Resolved)
    assert "has moved to https://lakes.example/users/9" in resolved.note


async def test_of_a_hashtag_it_is_no_news(source: MastodonSource, stage: Fediverse) -> None:
    stage.person("ana", moved=NEW)
    stage.post("#rivers")
    feed = Feed(id=FeedId(1), source="mastodon", address=f"{stage.base}/api/v1/timelines/tag/rivers")
    batch = await source.poll(feed)
    assert isinstance(batch, Batch)
    assert batch.note == ""


@pytest.mark.timeout(90)
async def test_relay_check_says_so_with_the_new_name(tmp_path: Path) -> None:
    async with run() as stage:
        stage.person("ana", moved=NEW)
        configured(tmp_path, f"{stage.base}/@ana", stage.base)
        code, out, err = await command("check", folder=tmp_path)
    assert code == 1, err
    assert "has moved to @ana@lakes.example" in out
