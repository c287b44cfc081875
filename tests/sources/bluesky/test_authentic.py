"""A record counts as its author's only where the repository in its address is the author's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from relay.model import Post, Quote, QuoteState
from relay.sources.bluesky.address import RecordAddress
from relay.sources.bluesky.records import read_bare, read_record, read_view
from relay.sources.bluesky.repository import fetch_thread, has
from relay.sources.bluesky.xrpc import XrpcApi
from relay.text import plain
from tests.servers.bluesky.jetstream import POSTS, did, tid
from tests.servers.bluesky.world import Json, profile
from tests.servers.bluesky.xrpc import Stage, client, run
from tests.support.bluesky_records_cases import AT, NOW, draft, post, said, shown

ILLA, SAMI = did("illa"), did("sami")
HERS = f"at://{ILLA}/{POSTS}/{tid(AT)}"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with run() as stage:
        stage.world.person("illa")
        yield stage


@pytest.fixture
async def api(stage: Stage) -> AsyncIterator[XrpcApi]:
    async with client() as http:
        yield XrpcApi(http, stage.appview, directory=stage.home)


@pytest.mark.parametrize(
    "uri",
    [
        f"at://{SAMI}/{POSTS}/{tid(AT)}",
        f"at://illa.bsky.social/{POSTS}/{tid(AT)}",
        f"at://{ILLA}.evil/{POSTS}/{tid(AT)}",
        f"at://{ILLA}@{SAMI}/{POSTS}/{tid(AT)}",
    ],
)
def test_a_view_under_another_repository_s_name_is_no_post(uri: str) -> None:
    assert isinstance(read_view(json.dumps(shown()).encode()), Post)
    assert read_view(json.dumps(shown(uri=uri)).encode()) is None


def quoting(record: Json) -> Quote | None:
    embed = {"$type": "app.bsky.embed.record#view", "record": record}
    return post(embed=embed).quote


def test_a_quote_of_which_author_and_repository_disagree_is_a_link() -> None:
    quoted = {
        "$type": "app.bsky.embed.record#viewRecord",
        "uri": f"at://{SAMI}/{POSTS}/{tid(AT)}",
        "author": profile("sami"),
        "value": said("Bring rope."),
        "indexedAt": "2026-07-01T00:00:00Z",
    }
    true, forged = quoting(quoted), quoting({**quoted, "author": profile("illa")})
    assert true
    assert true.author
    assert plain(true.body) == "Bring rope."
    assert forged == Quote(url=true.url, state=QuoteState.HIDDEN)


def test_another_person_s_profile_gives_a_record_no_author() -> None:
    assert isinstance(read_bare(draft(), json.dumps(profile("illa")).encode()), Post)
    assert read_bare(draft(), json.dumps(profile("sami")).encode()) is None


def test_a_handle_is_one_that_the_appview_vouches_for() -> None:
    assert post(by=profile("illa", handle="handle.invalid")).author.handle == ""


@pytest.mark.parametrize("name", ["sami.ayllu.example", "@sami.ayllu.example", "Sami (@sami@ayllu.example)", "＠sami"])
def test_without_a_handle_nobody_is_called_by_another_one_s(name: str) -> None:
    assert post(by=profile("illa", handle="handle.invalid", displayName=name)).author.name == ILLA
    assert post(by=profile("illa", displayName=name)).author.name == name


@pytest.mark.parametrize("who", ["", "illa.bsky.social", f"{ILLA}/x", "did:plc:", "did:key:zQ3sh"])
def test_only_a_did_is_an_author(who: str) -> None:
    assert read_record(who, tid(AT), "", json.dumps(said()).encode(), NOW) is None


async def test_an_author_s_own_server_speaks_for_its_author_alone(api: XrpcApi, stage: Stage) -> None:
    uri = stage.world.post("hers")
    stage.world.person("sami")
    foreign = stage.world.post("his", "sami")
    where = RecordAddress(ILLA, uri.rpartition("/")[2])
    [told] = await fetch_thread(api, where)
    assert (told.uri, told.author.handle) == (uri, "")
    stage.say("com.atproto.repo.getRecord", {"uri": foreign, "cid": "x", "value": said("forged")})
    assert await fetch_thread(api, where) == ()
    assert not await has(api, where)


async def test_a_did_document_of_somebody_else_names_no_server(api: XrpcApi, stage: Stage) -> None:
    uri = stage.world.post("hers")
    where = RecordAddress(ILLA, uri.rpartition("/")[2])
    service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": stage.home}
    assert await has(api, where)
    stage.say("/did:", {"id": SAMI, "service": [service]})
    assert not await has(api, where)
    assert await fetch_thread(api, where) == ()
