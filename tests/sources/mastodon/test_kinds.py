"""What runs on a server: known by NodeInfo, handled or refused by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import Feed, FeedId, Published
from relay.plugins import PluginStorage, StorageBackend
from relay.ports import Batch, Refused, TryLater
from relay.sources.mastodon.about import streaming_address
from relay.sources.mastodon.kinds import Software, Speech, read_index, read_software, refusal
from relay.sources.mastodon.shapes import Instance, read
from tests.servers.mastodon.fediverse import Fediverse, asking, run

HOME = "https://ayllu.example"
TOKEN = "tok-4yllu"


@pytest.fixture
async def stage() -> AsyncIterator[Fediverse]:
    async with run() as server:
        server.tokens = {TOKEN}
        yield server


def feed(stage: Fediverse) -> Feed:
    return Feed(id=FeedId(1), source="mastodon", address=f"{stage.base}/api/v1/timelines/tag/rivers")


def asked(stage: Fediverse) -> list[str]:
    """What was asked but for what the server is."""
    return [one for one in stage.asked if "nodeinfo" not in one]


@pytest.mark.parametrize(
    ("name", "speech"),
    [
        ("mastodon", Speech.MASTODON),
        ("Akkoma", Speech.MASTODON),
        ("misskey", Speech.MISSKEY),
        ("Sharkey", Speech.MISSKEY),
        ("iceshrimp.net", Speech.MASTODON),
        ("pixelfed", Speech.NEITHER),
        ("lemmy", Speech.NEITHER),
        ("nobody knows this", Speech.MASTODON),
    ],
)
def test_each_kind_is_asked_in_its_own_way(name: str, speech: Speech) -> None:
    assert Software(name).kind.speech is speech


@pytest.mark.parametrize(
    ("name", "token", "says"),
    [
        ("mastodon", False, ""),
        ("gotosocial", False, "runs GoToSocial, which shows hashtags only to people with an account"),
        ("gotosocial", True, ""),
        ("takahe", False, "runs Takahē"),
        ("pixelfed", True, "https://ayllu.example/users/NAME.atom"),
        ("lemmy", True, "https://ayllu.example/feeds/c/COMMUNITY.xml"),
        ("misskey", False, ""),
    ],
)
def test_what_cannot_be_read_is_refused_by_name_with_what_to_do(name: str, says: str, *, token: bool) -> None:
    reason = refusal(Software(name).kind, HOME, token=token)
    assert (says in reason) if says else not reason


@given(st.binary(max_size=200))
def test_any_document_is_read(body: bytes) -> None:
    read_index(body)
    read_software(body)


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b'{"software": 5}', b'{"software": {"name": null}}', b'{"software": {}}', b'{"links": [5, {}]}'],
)
def test_a_document_of_another_shape_names_nothing(body: bytes) -> None:
    assert (read_software(body), read_index(body)) == (None, "")


def test_of_several_documents_the_newest_is_read() -> None:
    links = b'{"links": [{"href": "https://a.example/2.1"}, {"href": "https://a.example/2.0"}]}'
    assert read_index(links) == "https://a.example/2.1"


@pytest.mark.parametrize(
    ("told", "where"),
    [
        ("{}", "wss://ayllu.example/api/v1/streaming"),
        ('{"configuration": {"urls": {"streaming": "wss://s.example"}}}', "wss://s.example/api/v1/streaming"),
        (
            '{"configuration": {"urls": {"streaming": "wss://s.example:4000/"}}}',
            "wss://s.example:4000/api/v1/streaming",
        ),
        ('{"configuration": {"urls": {"streaming": "ws://s.example"}}}', "wss://s.example/api/v1/streaming"),
        ('{"urls": {"streaming_api": "wss://old.example"}}', "wss://old.example/api/v1/streaming"),
        ('{"configuration": {"urls": {"streaming": "ftp://x"}}}', "wss://ayllu.example/api/v1/streaming"),
        ('{"configuration": {"urls": {"streaming": "wss://me:pw@x"}}}', "wss://ayllu.example/api/v1/streaming"),
        ('{"configuration": {"urls": {"streaming": ""}}}', "wss://ayllu.example/api/v1/streaming"),
    ],
)
def test_a_token_is_never_sent_over_an_open_line(told: str, where: str) -> None:
    assert streaming_address(read(told.encode(), Instance), HOME) == where


# --- asked ---


async def test_what_a_server_is_is_asked_once_and_remembered_over_a_restart(stage: Fediverse) -> None:
    notes = PluginStorage("mastodon", StorageBackend())
    for _ in range(2):
        async with asking(stage.base, notes=notes) as source:
            for _ in range(3):
                assert isinstance(await source.poll(feed(stage)), Batch)
    assert len(stage.asked) - len(asked(stage)) == 2


async def test_a_server_that_does_not_say_is_asked_as_if_it_were_mastodon(stage: Fediverse) -> None:
    stage.software = ""
    stage.post("#rivers one")
    async with asking(stage.base) as source:
        batch = await source.poll(feed(stage))
    assert isinstance(batch, Batch)
    assert len(batch.events) == 1


@pytest.mark.parametrize("software", ["gotosocial", "takahe", "pixelfed", "lemmy"])
async def test_what_is_refused_is_not_asked_and_may_change(stage: Fediverse, software: str) -> None:
    stage.software = software
    async with asking(stage.base) as source:
        later = await source.poll(feed(stage))
        (check,) = await source.check()
    assert isinstance(later, TryLater)
    assert later.after
    assert later.reason == check.note
    assert not check.ok
    assert asked(stage) == []


async def test_with_a_token_gotosocial_is_read(stage: Fediverse) -> None:
    stage.software, stage.closed = "gotosocial", 401
    stage.post("#rivers one", id=1)
    async with asking(stage.base, tokens={stage.base: TOKEN}) as source:
        batch = await source.poll(feed(stage))
        assert isinstance(batch, Batch)
        (post,) = [event.post for event in batch.events if isinstance(event, Published)]
        stage.asked.clear()
        await source.recheck([post])
        assert asked(stage) == ["/api/v1/statuses/1"]


@pytest.mark.parametrize(("software", "many"), [("mastodon", "id[]"), ("pleroma", "ids[]"), ("akkoma", "ids[]")])
async def test_several_posts_at_once_are_asked_for_as_the_server_has_it(
    stage: Fediverse, software: str, many: str
) -> None:
    stage.software = software
    stage.post("#rivers one", id=5)
    async with asking(stage.base) as source:
        batch = await source.poll(feed(stage))
        assert isinstance(batch, Batch)
        stage.asked.clear()
        await source.recheck([event.post for event in batch.events if isinstance(event, Published)])
    assert unquote(stage.asked[0]) == f"/api/v1/statuses?{many}=5"


@pytest.mark.parametrize(
    ("software", "where"),
    [("pixelfed", "/users/illa.atom"), ("lemmy", "/feeds/u/illa.xml"), ("gotosocial", "/@illa/feed.rss")],
)
async def test_an_account_that_cannot_be_read_is_refused_with_the_address_of_its_feed(
    stage: Fediverse, software: str, where: str
) -> None:
    stage.software = software
    async with asking("https://social.invalid") as source:
        stage.say("lookup", b"<!doctype html>", status=404)
        refused = await source.resolve(f"{stage.base}/@illa")
    if isinstance(refused, Refused):
        assert f"{stage.base}{where}" in refused.reason


async def test_a_community_is_refused_with_the_address_of_its_feed() -> None:
    async with asking(HOME) as source:
        refused = await source.resolve("!bridges@lakes.example")
    assert isinstance(refused, Refused)
    assert "https://lakes.example/feeds/c/bridges.xml" in refused.reason
