"""From the firehose's bare records to posts: in batches, again while an AppView lags, by profile in the end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from relay.model import Post, PostUri
from relay.sources.bluesky.records import RecordPost, read_record
from relay.sources.bluesky.source import Hydrator
from relay.sources.bluesky.xrpc import XrpcApi
from relay.text import plain
from tests.servers.bluesky.jetstream import cid, did
from tests.servers.bluesky.world import label
from tests.servers.bluesky.xrpc import HTML, Stage, client, run

ILLA, SAMI = did("illa"), did("sami")
SOON = (timedelta(milliseconds=1),) * 3


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with run() as stage:
        yield stage


@pytest.fixture
async def hydrator(stage: Stage) -> AsyncIterator[Hydrator]:
    async with client() as http:
        yield Hydrator(XrpcApi(http, stage.appview), SOON)


def draft(stage: Stage, uri: str) -> RecordPost:
    said = stage.world.records[uri]
    _, _, who, _, rkey = uri.split("/")
    made = read_record(who, rkey, cid(said), json.dumps(said).encode(), datetime.now(UTC))
    assert made
    return made


def write(stage: Stage, *texts: str, by: str = "illa") -> list[RecordPost]:
    return [draft(stage, stage.world.post(text, by)) for text in texts]


def names(found: Mapping[PostUri, Post | None]) -> dict[str, str | None]:
    return {plain(post.body) if post else uri: post.author.name if post else None for uri, post in found.items()}


async def test_authors_are_told_by_the_appview_25_posts_a_request(hydrator: Hydrator, stage: Stage) -> None:
    drafts = write(stage, *(f"{number}" for number in range(60)))
    found = await hydrator.hydrate(drafts)
    assert [*found] == [one.uri for one in drafts]
    assert {post.author.name for post in found.values() if post} == {"Illa"}
    assert len(stage.asked) == 3


async def test_nothing_asked_is_nothing_answered(hydrator: Hydrator, stage: Stage) -> None:
    assert await hydrator.hydrate([]) == {}
    assert stage.asked == []


async def test_a_post_that_is_not_known_yet_is_asked_for_again(hydrator: Hydrator, stage: Stage) -> None:
    early, late = write(stage, "early", "late")
    stage.say("getPosts", {"posts": [stage.world.view(early.uri)]}, times=1)
    assert names(await hydrator.hydrate([early, late])) == {"early": "Illa", "late": "Illa"}
    assert late.uri.rpartition("/")[2] in stage.asked[1]
    assert early.uri.rpartition("/")[2] not in stage.asked[1]


async def test_what_stays_unknown_is_told_by_record_and_profile(hydrator: Hydrator, stage: Stage) -> None:
    """Profiles are kept for a while."""
    drafts = write(stage, "one", "two") + write(stage, "three", by="sami")
    stage.world.unknown.update(one.uri for one in drafts)
    assert names(await hydrator.hydrate(drafts)) == {"one": "Illa", "two": "Illa", "three": "Sami"}
    assert stage.count("getPosts") == 4
    await hydrator.hydrate(drafts)
    assert stage.count("getProfiles") == 1


async def test_the_view_of_an_older_version_is_none_of_the_newer(hydrator: Hydrator, stage: Stage) -> None:
    (old,) = write(stage, "as it was")
    before = stage.world.view(old.uri)
    stage.world.edit(old.uri, "as it is")
    stage.say("getPosts", {"posts": [before]}, times=2)
    found = await hydrator.hydrate([draft(stage, old.uri)])
    assert names(found) == {"as it is": "Illa"}
    assert stage.count("getPosts") == 3


@pytest.mark.parametrize("value", ["!no-unauthenticated", "!hide"])
@pytest.mark.parametrize("known", [True, False])
async def test_what_is_not_for_visitors_is_none(hydrator: Hydrator, stage: Stage, value: str, *, known: bool) -> None:
    drafts = write(stage, "not for you")
    stage.world.person("illa", labels=[label(value, ILLA)])
    if not known:
        stage.world.unknown.update(one.uri for one in drafts)
    assert await hydrator.hydrate(drafts) == {drafts[0].uri: None}


async def test_whose_account_is_gone_is_gone(hydrator: Hydrator, stage: Stage) -> None:
    drafts = write(stage, "a last word")
    stage.world.unknown.update(one.uri for one in drafts)
    stage.world.people.clear()
    assert await hydrator.hydrate(drafts) == {drafts[0].uri: None}


@pytest.mark.parametrize(("status", "body"), [(502, HTML), (403, HTML), (200, HTML), (200, b"{}"), (429, b"{}")])
async def test_what_nobody_can_tell_now_is_left_out(hydrator: Hydrator, stage: Stage, status: int, body: bytes) -> None:
    """To be asked for later: without a profile nobody knows whether the author lets it go."""
    drafts = write(stage, "waiting")
    stage.say("appview", body, status=status)
    assert await hydrator.hydrate(drafts) == {}
    stage.says.clear()
    assert names(await hydrator.hydrate(drafts)) == {"waiting": "Illa"}


async def test_an_unreadable_view_counts_as_gone(hydrator: Hydrator, stage: Stage) -> None:
    drafts = write(stage, "odd")
    stage.world.shown[drafts[0].uri] = {"record": 5}
    assert await hydrator.hydrate(drafts) == {drafts[0].uri: None}
