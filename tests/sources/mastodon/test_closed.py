"""Servers that are closed to visitors: tokens, and RSS as the last resort; and servers that want to be asked less."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from relay.model import MediaKind, Published
from relay.ports import Batch, TryLater
from relay.sources.mastodon import MastodonSettings, MastodonSource, tag_rss
from relay.sources.mastodon.timeline_cursor import moment
from relay.text import plain
from tests.servers.mastodon.fediverse import Fediverse, asking, run
from tests.servers.mastodon.things import rss
from tests.support.mastodon_timeline_cases import Reader, begun, published, tag_feed

TOKEN = "tok-Qeswachaka"


@pytest.fixture
async def stage() -> AsyncIterator[Fediverse]:
    async with run() as server:
        server.tokens = {TOKEN}
        yield server


@pytest.fixture
async def source(stage: Fediverse) -> AsyncIterator[MastodonSource]:
    async with asking(stage.base) as source:
        yield source


# --- tokens ---


def test_a_token_belongs_to_an_instance_however_it_is_written() -> None:
    settings = MastodonSettings.model_validate(
        {"instances": ["ayllu.example"], "tokens": {"https://Ayllu.example/": TOKEN}}
    )
    assert settings.tokens["https://ayllu.example"].get_secret_value() == TOKEN
    assert TOKEN not in repr(settings)


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        ({"https://lakes.example": TOKEN}, "https://lakes.example, which is not among the instances"),
        ({"nonsense/": TOKEN}, "not among the instances"),
        ({"https://ayllu.example": "two words"}, "no space in it"),
        ({"https://ayllu.example": ""}, "no space in it"),
        ({"ftp://ayllu.example": TOKEN}, "no address of a server"),
    ],
)
def test_a_token_for_nothing_is_an_error_that_does_not_show_it(tokens: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as caught:
        MastodonSettings.model_validate({"instances": ["https://ayllu.example"], "tokens": tokens})
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("closed", [401, 422])
async def test_a_token_opens_what_is_closed_to_visitors(stage: Fediverse, closed: int) -> None:
    stage.closed = closed
    async with asking(stage.base, tokens={stage.base: TOKEN}) as source:
        reader = await begun(source, tag_feed(stage))
        stage.post("#rivers one")
        assert published(await reader.poll()) == ["#rivers one"]
        (check,) = await source.check()
    assert (check.ok, check.note) == (True, "Mastodon 4.6.4 · live")


async def test_a_token_is_shown_to_its_own_instance_alone(stage: Fediverse) -> None:
    async with run() as other:
        stage.say("timelines", status=301, headers={"location": f"{other.base}/api/v1/timelines/tag/rivers"})
        async with asking(stage.base, other.base, tokens={stage.base: TOKEN}) as source:
            await source.poll(tag_feed(stage))
            await source.poll(tag_feed(other))
        assert TOKEN in stage.shown
        assert set(other.shown) == {""}


async def test_a_token_that_is_not_accepted_is_told_without_showing_it(stage: Fediverse) -> None:
    async with asking(stage.base, tokens={stage.base: "tok-wrong"}) as source:
        later = await source.poll(tag_feed(stage))
        (check,) = await source.check()
    assert isinstance(later, TryLater)
    assert "does not accept the access token" in later.reason
    assert not check.ok
    assert "tok-wrong" not in later.reason + check.note + repr(source) + "".join(stage.asked)


# --- RSS ---


@pytest.mark.parametrize("closed", [401, 422])
async def test_the_last_resort_is_rss(source: MastodonSource, stage: Fediverse, closed: int) -> None:
    stage.closed, stage.rss = closed, True
    stage.post("#rivers before")
    reader = Reader(source, tag_feed(stage))
    batch = await reader.poll()
    assert published(batch) == ["#rivers before"]
    assert "only as RSS" in batch.note
    made = stage.post("#rivers new", "ana", spoiler_text="mud")
    stage.asked.clear()
    batch = await reader.poll()
    (event,) = batch.events
    assert isinstance(event, Published)
    post = event.post
    assert (plain(post.body), post.warning, post.tags) == ("#rivers new", "mud", ("rivers",))
    assert (post.uri, post.url, post.author.uri) == (made["uri"], made["url"], made["account"]["uri"])
    assert post.author.handle == f"@ana@{stage.base.removeprefix('http://')}"
    assert stage.asked == ["/tags/rivers.rss?limit=40"]


async def test_an_empty_feed_is_a_closed_server(source: MastodonSource, stage: Fediverse) -> None:
    stage.closed = 422
    later = await source.poll(tag_feed(stage))
    assert isinstance(later, TryLater)
    assert "only to people with an account there" in later.reason


async def test_a_server_that_closes_and_opens_again_loses_nothing_and_floods_nobody(
    source: MastodonSource, stage: Fediverse
) -> None:
    reader = await begun(source, tag_feed(stage))
    sent: list[str] = []
    read: list[str] = []

    def write(count: int) -> None:
        for _ in range(count):
            sent.append(f"#rivers {len(sent)}")
            stage.post(sent[-1], id=max(stage.posts, default=116_000_000_000_000_000) + 2 * 65_536_000)

    write(30)
    read += await reader.read()
    stage.closed, stage.rss = 422, True
    write(5)
    read += await reader.read()
    write(5)
    read += await reader.read()
    stage.closed = 0
    for _ in range(70):  # now and then the whole is tried again
        read += await reader.read()
    write(3)
    read += await reader.read()
    assert sorted(set(read), key=sent.index) == sent
    assert len(read) <= len(sent) + 3


@pytest.mark.parametrize(
    ("url", "uri", "handle"),
    [
        ("https://a.example/@ana/5", "https://a.example/users/ana/statuses/5", "@ana@a.example"),
        ("https://b.example/@kofi/5", "https://b.example/users/kofi/statuses/5", "@kofi@b.example"),
        ("https://mk.example/notes/9abc", "https://mk.example/notes/9abc", ""),
    ],
)
def test_an_author_is_known_by_the_address(url: str, uri: str, handle: str) -> None:
    item = {"url": url, "published": "2026-07-01T12:00:00+00:00", "content": "<p>x</p>"}
    post = tag_rss.read_item(str(item).replace("'", '"').encode(), "https://a.example")
    assert post is not None
    assert (post.uri, post.author.handle) == (uri, handle)


def test_an_address_that_names_somebody_of_another_server_tells_no_author() -> None:
    item = b'{"url":"https://a.example/@kofi@b.example/5","published":"2026-07-01T12:00:00+00:00","content":"x"}'
    assert tag_rss.read_item(item, "https://a.example") is None


def test_pictures_come_with_their_descriptions() -> None:
    picture = {"url": "https://a.example/1.png", "description": "A rope & a bridge"}
    stage = Fediverse(base="https://a.example")
    ((_, raw),) = tag_rss.read_items(rss([stage.post("#rivers", media_attachments=[picture])])).items()
    post = tag_rss.read_item(raw, "https://a.example")
    assert post is not None
    (media,) = post.media
    assert (media.url, media.kind, media.alt) == ("https://a.example/1.png", MediaKind.IMAGE, "A rope & a bridge")


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rss><channel><item><link>&b;</link></item></channel></rss>'
)


@pytest.mark.parametrize(
    "body",
    [b"", b"<", b"<rss/>", b"{}", b"\xff\xfe", BOMB, b"<html><body>", b'<?xml version="1.0" encoding="x"?><rss/>'],
)
def test_what_is_no_such_feed_holds_nothing(body: bytes) -> None:
    assert tag_rss.read_items(body) == {}


@given(st.binary(max_size=300))
def test_any_bytes_are_read(body: bytes) -> None:
    tag_rss.read_items(body)
    tag_rss.read_item(body, "https://a.example")
    tag_rss.read_items(b"<rss><channel><item><link>" + body + b"</link><pubDate>x</pubDate></item></channel></rss>")


@given(st.text(max_size=30))
def test_any_id_has_a_moment_or_none(identifier: str) -> None:
    moment(identifier)
    moment(f"{identifier}-x")


# --- asked less ---


async def test_what_one_feed_is_told_holds_for_all_of_the_instance(source: MastodonSource, stage: Fediverse) -> None:
    await source.poll(tag_feed(stage))
    stage.allowance = 0
    first = await source.poll(tag_feed(stage))
    asked = len(stage.asked)
    second = await source.poll(tag_feed(stage, "lakes"))
    assert isinstance(first, TryLater)
    assert isinstance(second, TryLater)
    assert second.paced
    assert second.after is not None
    assert timedelta(minutes=4, seconds=50) < second.after <= timedelta(minutes=5, seconds=5)
    assert len(stage.asked) == asked


async def test_the_last_answer_of_an_allowance_is_taken_and_then_nothing_is_asked(
    source: MastodonSource, stage: Fediverse
) -> None:
    stage.post("#rivers one")
    await source.check()
    stage.allowance = 1
    batch = await source.poll(tag_feed(stage))
    assert isinstance(batch, Batch)
    assert batch.wait is not None
    assert isinstance(await source.poll(tag_feed(stage, "lakes")), TryLater)


async def test_many_feeds_of_one_instance_share_what_it_allows(source: MastodonSource, stage: Fediverse) -> None:
    waits: list[timedelta | None] = []
    for number in range(60):
        batch = await source.poll(tag_feed(stage, f"t{number}"))
        assert isinstance(batch, Batch)
        waits.append(batch.wait)
    assert waits[:40] == [None] * 40
    assert waits[-1] == timedelta(seconds=90)


async def test_a_gap_is_walked_at_the_pace_that_the_server_allows(source: MastodonSource, stage: Fediverse) -> None:
    reader = await begun(source, tag_feed(stage))
    for number in range(400):
        stage.post(f"#rivers {number}")
    budget = source._api.budgets.of(stage.base)
    for _ in range(262):
        budget.take(source._api.clock(), paging=True)
    texts: list[str] = []
    batch = await reader.poll()
    while batch.more:
        batch = await reader.poll()
        texts += published(batch)
    assert batch.wait is not None
    assert batch.wait > timedelta(minutes=4)
    assert batch.cursor is None
    assert texts == [f"#rivers {number}" for number in range(len(texts))]


async def test_a_copy_at_another_instance_that_has_more_wins(stage: Fediverse) -> None:
    picture = {"id": "1", "type": "image", "url": "https://a.example/1.png", "description": "A bridge"}
    async with run() as other, asking(stage.base, other.base) as source:
        readers = [await begun(source, tag_feed(server)) for server in (stage, other)]
        made = stage.post("#rivers one", "sami@lakes.example")
        other.post("#rivers one", "sami@lakes.example", uri=made["uri"], media_attachments=[picture])
        batches = [*[await reader.poll() for reader in readers]]
    first, second = (event.post for batch in batches for event in batch.events if isinstance(event, Published))
    assert (first.media, second.media[0].alt) == ((), "A bridge")
    assert (second.uri, second.origin) == (first.uri, first.origin)
    assert set(first.aliases) < set(second.aliases)


async def test_since_when_an_account_is_there_is_known(source: MastodonSource, stage: Fediverse) -> None:
    reader = await begun(source, tag_feed(stage))
    stage.post("#rivers one")
    (event,) = (await reader.poll()).events
    assert isinstance(event, Published)
    assert str(event.post.author.created) == "2024-03-01 00:00:00+00:00"
