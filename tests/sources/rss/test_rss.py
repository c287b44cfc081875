"""The RSS source: asked politely, read whatever comes, and every bad answer is a value with a reason."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest

from relay.http import Http, HttpSettings
from relay.model import Feed, FeedId, Published
from relay.plugins import Host, load
from relay.ports import Batch, Gone, Refused, Resolved, Source, TryLater
from relay.sources.feed_worker import FeedWorker, UnreadError
from relay.sources.rss import RssSettings, RssSource
from relay.text import plain
from tests.servers.feeds import Document, FeedServer
from tests.support.rss_cursor_cases import told

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with FeedServer() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    settings = HttpSettings.model_validate({"allow_private": ["127.0.0.0/8"], "pace": "0s", "timeout": "5s"})
    async with Http(settings, user_agent="test") as client:
        yield client


@pytest.fixture(scope="module")
def worker() -> FeedWorker:
    """One process for all tests: each start takes a tenth of a second."""
    return FeedWorker()


@pytest.fixture
def source(http: Http, worker: FeedWorker) -> RssSource:
    return RssSource(RssSettings(), http, clock=lambda: NOW, worker=worker)


def fresh(address: str) -> Feed:
    return Feed(id=FeedId(1), source="rss", address=address)


class Reader:
    """What the core does between polls: it keeps the cursor."""

    def __init__(self, source: RssSource, address: str) -> None:
        self.source = source
        self.feed = fresh(address)

    async def poll(self) -> Batch:
        answer = await self.source.poll(self.feed)
        assert isinstance(answer, Batch), answer
        self.feed = replace(self.feed, seeded=True, cursor=self.feed.cursor if answer.cursor is None else answer.cursor)
        return answer

    async def read(self) -> list[tuple[str, str]]:
        return told((await self.poll()).events)


# --- polls ---


@pytest.mark.parametrize("path", ["/feed.xml", "/atom.xml"])
async def test_a_feed_is_seeded_and_then_followed(server: FeedServer, source: RssSource, path: str) -> None:
    first = server.add_item("first")
    server.add_item("second")
    reader = Reader(source, server.url + path)
    assert await reader.read() == [("Published", "first"), ("Published", "second")]
    assert await reader.read() == []
    server.add_item("third")
    server.add_item("fourth")
    server.edit_item(first, body="<p>Other words.</p>")
    assert await reader.read() == [("Edited", "first"), ("Published", "third"), ("Published", "fourth")]
    assert await reader.read() == []


async def test_an_empty_feed_is_seeded_too_and_its_first_entry_is_news(server: FeedServer, source: RssSource) -> None:
    reader = Reader(source, server.feed)
    assert await reader.read() == []
    server.add_item("first")
    assert await reader.read() == [("Published", "first")]


async def test_what_did_not_change_is_not_sent_again_even_after_a_restart(server: FeedServer, http: Http) -> None:
    server.add_item("first")
    reader = Reader(RssSource(RssSettings(), http), server.feed)
    await reader.poll()
    reader.source = RssSource(RssSettings(), http)
    assert (await reader.poll()).events == ()
    assert await reader.poll() == Batch()
    assert server.unchanged["/feed.xml"] == 2
    server.add_item("second")
    assert await reader.read() == [("Published", "second")]


async def test_validators_are_sent_back_verbatim(server: FeedServer, source: RssSource) -> None:
    etag, modified = 'W/"a b;c"', "Sun,  1 Mar 2026 11:11:11 +0000"
    address = server.put("/x", Document(await body(server), headers={"ETag": etag, "Last-Modified": modified}))
    reader = Reader(source, address)
    await reader.poll()
    await reader.poll()
    sent = server.requests[-1][1]
    assert (sent["If-None-Match"], sent["If-Modified-Since"]) == (etag, modified)
    assert server.unchanged["/x"] == 1
    assert "If-None-Match" not in server.requests[-2][1]


async def body(server: FeedServer, *titles: str) -> bytes:
    for title in titles or ("x",):
        server.add_item(title)
    return server._rss()


async def test_the_same_document_without_validators_is_not_parsed_again(server: FeedServer, http: Http) -> None:
    address = server.put("/x", Document(await body(server), headers={"ETag": "", "Last-Modified": ""}))
    reader = Reader(RssSource(RssSettings(), http), address)
    await reader.poll()
    reader.source = again = RssSource(RssSettings(), http)
    assert (await reader.poll()).events == ()
    assert await reader.poll() == Batch()
    assert again._reader.worker._ordinary._process is None


async def test_a_document_that_nobody_could_read_just_now_is_read_at_the_next_poll(
    server: FeedServer, source: RssSource, http: Http
) -> None:
    class Busy(FeedWorker):
        async def read(self, *_args: object) -> NoReturn:
            raise UnreadError("16 others are before it")

    reader = Reader(source, server.feed)
    await reader.poll()
    server.add_item("first")
    answer = await RssSource(RssSettings(), http, worker=Busy()).poll(reader.feed)
    assert answer == TryLater(f"{server.feed} was not read: 16 others are before it", paced=True)
    assert await reader.read() == [("Published", "first")]


async def test_new_validators_of_the_same_document_are_kept(server: FeedServer, source: RssSource) -> None:
    same = await body(server)
    reader = Reader(source, server.put("/x", Document(same, headers={"ETag": '"1"'})))
    await reader.poll()
    server.put("/x", Document(same, headers={"ETag": '"2"'}))
    assert (await reader.poll()).events == ()
    await reader.poll()
    assert server.unchanged["/x"] == 1


async def test_an_unconditional_304_is_no_empty_feed(server: FeedServer, source: RssSource) -> None:
    answer = await source.poll(fresh(f"{server.url}/status/304"))
    assert isinstance(answer, TryLater)


async def test_a_feed_that_was_never_seeded_is_asked_as_if_for_the_first_time(
    server: FeedServer, source: RssSource
) -> None:
    server.add_item("first")
    reader = Reader(source, server.feed)
    await reader.poll()
    reader.feed = replace(reader.feed, seeded=False)
    assert await reader.read() == [("Published", "first")]


async def test_a_cursor_that_cannot_be_read_is_an_empty_one(server: FeedServer, source: RssSource) -> None:
    server.add_item("first")
    for cursor in ("", "{", "[]", '{"items": 3}', '{"etag": null}'):
        answer = await source.poll(replace(fresh(server.feed), seeded=True, cursor=cursor))
        assert isinstance(answer, Batch)
        assert told(answer.events) == [("Published", "first")]


async def test_a_permanent_move_is_told_and_followed(server: FeedServer, source: RssSource) -> None:
    server.add_item("first")
    reader = Reader(source, f"{server.url}/redirect?status=301&to=/feed.xml")
    batch = await reader.poll()
    assert batch.note == f"the feed has moved for good to {server.feed}"
    assert (await reader.poll()).note == batch.note
    assert told(batch.events) == [("Published", "first")]


async def test_a_truncated_feed_loses_and_repeats_nothing(server: FeedServer, source: RssSource) -> None:
    whole = await body(server, "a", "b", "c")
    reader = Reader(source, server.put("/x", whole))
    assert len((await reader.poll()).events) == 3
    whole = await body(server, "d", "e", "f")
    server.put("/x", Document(whole[: whole.index(b"d</title>")], headers={"ETag": '"of the whole"'}))
    batch = await reader.poll()
    assert told(batch.events) == [("Published", "e"), ("Published", "f")]
    assert "broke off" in batch.note
    server.put("/x", Document(whole, headers={"ETag": '"of the whole"'}))
    assert await reader.read() == [("Published", "d")]
    assert await reader.read() == []


async def test_a_feed_is_not_seeded_with_half_of_it(server: FeedServer, source: RssSource) -> None:
    server.add_item("first")
    answer = await source.poll(fresh(f"{server.url}/truncated.xml"))
    assert answer == TryLater(f"{server.url}/truncated.xml broke off in the middle of the feed")


@pytest.mark.parametrize(
    ("headers", "ttl", "wait"),
    [
        ({}, "", None),
        ({}, "30", timedelta(minutes=30)),
        ({}, "999999", timedelta(hours=24)),
        ({}, "soon", None),
        ({"Cache-Control": "public, max-age=900"}, "", timedelta(minutes=15)),
        ({"Cache-Control": "max-age=0"}, "", None),
        ({"Cache-Control": "max-age=99999999999"}, "", timedelta(hours=24)),
        ({"Cache-Control": "s-maxage=60"}, "", None),
        ({"Retry-After": "3600", "Cache-Control": "max-age=900"}, "30", timedelta(hours=1)),
        ({"Cache-Control": "max-age=900"}, "60", timedelta(hours=1)),
    ],
)
async def test_the_longest_time_that_the_publisher_asks_for_is_waited(
    server: FeedServer, source: RssSource, headers: dict[str, str], ttl: str, wait: timedelta | None
) -> None:
    feed = f"<rss version='2.0'><channel><title>x</title><ttl>{ttl}</ttl></channel></rss>"
    reader = Reader(source, server.put("/x", Document(feed.encode(), headers=headers)))
    assert (await reader.poll()).wait == wait
    assert (await reader.poll()).wait == wait
    assert server.unchanged["/x"] == 1


async def test_a_feed_that_changes_all_its_guids_floods_nobody(server: FeedServer, source: RssSource) -> None:
    old = await body(server, "a", "b", "c")
    reader = Reader(source, server.put("/x", old))
    await reader.poll()
    server.put("/x", old.replace(b"urn:bell:", b"https://bell.example/?p="))
    assert await reader.read() == []


# --- bad answers ---


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/huge.xml", "sends an answer larger than 10 MB"),
        ("/bomb.xml", "sends an answer larger than 10 MB"),
        ("/status/404", "answered 404: there is no feed at this address"),
        ("/status/400", "answered 400"),
        ("/status/429", "answered 429: it wants to be asked less often"),
        ("/status/500", "answered 500: it has trouble of its own"),
        ("/status/502", "answered 502"),
        ("/status/503", "answered 503"),
        ("/status/302", "answered 302"),
        ("/status/204", "is empty"),
    ],
)
async def test_a_bad_answer_is_told_and_tried_again(
    server: FeedServer, source: RssSource, path: str, told: str
) -> None:
    answer = await source.poll(fresh(server.url + path))
    assert isinstance(answer, TryLater)
    assert told.format(url=server.url) in answer.reason
    assert "127.0.0.1" in answer.reason
    assert answer.after is None


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("/status/401", timedelta(hours=4)),
        ("/status/403", timedelta(hours=4)),
        ("/status/403?Retry-After=60", timedelta(hours=4)),
        ("/status/403?Retry-After=86400", timedelta(hours=24)),
        ("/status/403?cf-mitigated=challenge", timedelta(hours=4)),
        ("/status/429?Retry-After=120", timedelta(minutes=2)),
        ("/status/429?Retry-After=Sat, 07 Mar 2026 12:10:00 GMT", timedelta(minutes=10)),
        ("/status/503?Retry-After=30", timedelta(seconds=30)),
        ("/status/500?Retry-After=30", timedelta(seconds=30)),
    ],
)
async def test_who_asks_to_be_left_alone_is(server: FeedServer, source: RssSource, path: str, after: timedelta) -> None:
    answer = await source.poll(fresh(server.url + path))
    assert isinstance(answer, TryLater)
    assert answer.after == after


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/status/410", "gone for good (410)"),
        ("/redirect?to=file:///etc/passwd", "only http and https"),
        ("/redirect?to=http://169.254.169.254/latest/", "not on the public internet"),
    ],
)
async def test_what_is_gone_or_forbidden_is_asked_no_more(
    server: FeedServer, source: RssSource, path: str, told: str
) -> None:
    answer = await source.poll(fresh(server.url + path))
    assert isinstance(answer, Gone)
    assert told in answer.reason


NO_FEED = "is a web page, not a feed, and names none; give the address of the feed itself"
UNREADABLE = [
    (b"", "is empty"),
    (b" \n\xef\xbb\xbf", "is empty"),
    (b'{"version": "2.0", "data": []}', "is not a feed"),
    (b"[]", "is JSON, but no feed"),
    (b"<!DOCTYPE html><p>x", NO_FEED),
    (b"<?xml version='1.0'?>\n<!-- hi -->\n<HTML><body>", NO_FEED),
    ("<!doctype html><p>x".encode("utf-16"), NO_FEED),
    (b"<!-- -->" * 500 + b"<a/>", "is not a feed"),
    (b"just words", "is not a feed"),
    (b"<opml version='2.0'><body/></opml>", "is not a feed"),
    (b"<?xml version='1.0' encoding='\x80'?><a/>", "is not a feed"),
    (bytes(range(256)) * 100, "is not a feed"),
]


@pytest.mark.parametrize(("body", "told"), UNREADABLE, ids=[f"{n}" for n in range(len(UNREADABLE))])
async def test_what_is_no_feed_is_called_by_its_name(
    server: FeedServer, source: RssSource, body: bytes, told: str
) -> None:
    answer = await source.poll(fresh(server.put("/x", body)))
    assert answer == TryLater(f"{server.url}/x {told}")


async def test_a_feed_in_a_wrong_encoding_is_read(server: FeedServer, source: RssSource) -> None:
    server.add_item("Qué año", "<p>Mañana</p>")
    batch = await Reader(source, f"{server.url}/latin1.xml").poll()
    (event,) = batch.events
    assert isinstance(event, Published)
    assert (event.post.title, plain(event.post.body)) == ("Qué año", "Mañana")


async def test_a_packed_feed_is_read(server: FeedServer, source: RssSource) -> None:
    packed = Document(gzip.compress(await body(server, "first")), headers={"Content-Encoding": "gzip"})
    assert await Reader(source, server.put("/x", packed)).read() == [("Published", "first")]


async def test_a_hanging_server_is_left(server: FeedServer) -> None:
    settings = HttpSettings.model_validate({"allow_private": ["127.0.0.0/8"], "pace": "0s", "timeout": "200ms"})
    async with Http(settings, user_agent="test") as http, asyncio.timeout(30):
        for path in ("/hang", "/drip"):
            answer = await RssSource(RssSettings(), http).poll(fresh(server.url + path))
            assert answer == TryLater("127.0.0.1 did not answer within 0.2 s")


async def test_a_private_address_is_not_asked(server: FeedServer) -> None:
    async with Http(HttpSettings(), user_agent="test") as http:
        answer = await RssSource(RssSettings(), http).poll(fresh(server.feed))
    assert isinstance(answer, Gone)
    assert server.requests == []


# --- topics ---


@pytest.mark.parametrize(
    ("topic", "address"),
    [
        ("https://bell.example/feed.xml", "https://bell.example/feed.xml"),
        ("  http://bell.example/?a=1&b=2#top ", "http://bell.example/?a=1&b=2"),
        ("feed://bell.example/rss", "http://bell.example/rss"),
        ("feed:https://bell.example/rss", "https://bell.example/rss"),
        ("https://bücher.example/rss", "https://bücher.example/rss"),
    ],
)
async def test_an_address_is_a_feed_without_a_look_at_it(source: RssSource, topic: str, address: str) -> None:
    assert await source.resolve(topic) == Resolved(feeds=(address,), title=address)


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("#bridge", "feeds have no hashtags"),
        ("＃bridge", "feeds have no hashtags"),
        ("@illa@puna.example", "feeds have no hashtags"),
        ("bell.example/feed.xml", "begins with https://"),
        ("bridge", "begins with https://"),
        ("", "begins with https://"),
        ("mailto:illa@puna.example", "begins with https://"),
        ("file:///etc/passwd", "only http and https"),
        ("https://illa:secret@bell.example/feed.xml", "user name or password"),
        ("http://10.0.0.1/feed.xml", "not on the public internet"),
        ("http://2130706433/feed.xml", "unusual way"),
        ("http://[::1/", "not a web address"),
    ],
)
async def test_what_is_no_feeds_address_is_refused_with_a_reason(source: RssSource, topic: str, told: str) -> None:
    answer = await source.resolve(topic)
    assert isinstance(answer, Refused)
    assert told in answer.reason
    assert "secret" not in answer.reason


# --- the plugin ---


async def test_the_plugin_builds_the_source(http: Http) -> None:
    plugin = load("sources", "rss")
    source: Source = plugin.build(plugin.settings.model_validate({"interval": "1h"}), Host(http=http, name="relay"))
    assert (source.name, source.interval) == ("rss", timedelta(hours=1))
    assert await source.check() == ()
