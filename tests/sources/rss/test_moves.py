"""Feeds that move, vanish, stand behind a page, fall silent, or have mirrors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from relay.model import Published
from relay.ports import Gone, Refused, Resolved, TryLater
from tests.servers.feeds import Document, FeedServer
from tests.support.feed_reading import DAY, NOW, Reader, fresh
from tests.support.fetching import Names
from tests.support.rss_cursor_cases import told

HOUR = timedelta(hours=1)


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with FeedServer() as running:
        yield running


@pytest.fixture
async def other() -> AsyncIterator[FeedServer]:
    async with FeedServer() as running:
        yield running


# --- moves ---


async def test_a_permanent_move_is_told_at_once_and_adopted_when_it_lasts(server: FeedServer) -> None:
    server.add_item("first")
    async with Reader(f"{server.url}/redirect?status=301&to=/feed.xml") as reader:
        for _ in range(2):
            assert (await reader.poll()).note == f"the feed has moved for good to {server.feed}"
            reader.now += 12 * HOUR
        await reader.poll()
        asked = server.asked("/redirect")
        server.add_item("second")
        batch = await reader.poll()
        assert batch.note == f"the feed has moved for good to {server.feed}, and is read there"
        assert server.asked("/redirect") == asked
        (event,) = batch.events
        assert isinstance(event, Published)
        assert (event.post.title, event.post.origin) == ("second", reader.feed.address)  # it keeps its name


async def test_a_temporary_redirect_is_followed_and_never_adopted(server: FeedServer) -> None:
    async with Reader(f"{server.url}/redirect?status=302&to=/feed.xml") as reader:
        for number in range(5):
            assert (await reader.poll()).note == ""
            assert server.asked("/redirect") == number + 1
            reader.now += DAY


async def test_a_feed_that_moved_and_is_not_there_any_more_is_looked_for_where_it_was(server: FeedServer) -> None:
    server.add_item("first")
    old = server.put("/old", Document(b"", status=301, headers={"Location": "/new"}))
    server.put("/new", server._rss())
    async with Reader(old) as reader:
        for _ in range(3):
            await reader.poll()
            reader.now += DAY
        server.put("/new", Document(b"", status=410))
        server.put("/old", server._rss())
        batch = await reader.poll()
        assert (batch.events, batch.note) == ((), "")
        assert server.asked("/old") == 4
        await reader.poll()
        assert server.asked("/old") == 5


# --- vanishing ---


async def test_a_feed_that_is_not_found_is_given_up_after_a_week(server: FeedServer) -> None:
    server.add_item("first")
    async with Reader(server.put("/x", server._rss())) as reader:
        await reader.poll()
        server.put("/x", Document(b"", status=404))
        for _ in range(7):
            answer = await reader.ask()
            assert isinstance(answer, TryLater), answer
            reader.now += DAY
        gone = await reader.ask()
        assert isinstance(gone, Gone)
        assert gone.reason == "127.0.0.1 has said for 7 days that there is no feed at this address (404)"


async def test_a_feed_that_comes_back_meanwhile_is_not_counted_on(server: FeedServer) -> None:
    address = server.put("/x", Document(b"", status=404))
    async with Reader(address) as reader:
        assert isinstance(await reader.ask(), TryLater)  # never seeded: this is remembered too
        reader.now += 6 * DAY
        server.put("/x", server._rss())
        await reader.poll()
        server.put("/x", Document(b"", status=404))
        assert isinstance(await reader.ask(), TryLater)
        reader.now += 6 * DAY
        assert isinstance(await reader.ask(), TryLater)
        server.put("/x", Document(b"", status=500))
        reader.now += 6 * DAY
        assert isinstance(await reader.ask(), TryLater)


# --- pages ---


async def test_the_address_of_a_page_finds_its_feed_and_remembers_it(server: FeedServer) -> None:
    server.add_item("first")
    async with Reader(f"{server.url}/html") as reader:
        assert await reader.read() == [("Published", "first")]
        server.add_item("second")
        assert await reader.read() == [("Published", "second")]
        assert server.asked("/html") == 1
        reader.now += DAY
        assert (await reader.poll()).note == ""


async def test_a_page_with_several_feeds_has_its_first_read_and_that_is_told(server: FeedServer) -> None:
    page = "<html><link rel=alternate type=application/atom+xml href=/atom.xml>"
    page += "<link rel=alternate type=application/rss+xml href=/comments.xml></html>"
    async with Reader(server.put("/page", Document(page.encode(), "text/html"))) as reader:
        batch = await reader.poll()
    assert batch.note == f"the page has more than one feed; {server.atom} is read, not {server.url}/comments.xml"


@pytest.mark.parametrize("target", ["/page", "/nothing", "http://10.0.0.1/feed", "javascript:alert(1)", "/html2"])
async def test_a_page_whose_feed_is_none_is_tried_again_or_refused(server: FeedServer, target: str) -> None:
    page = Document(f"<html><link rel=alternate type=application/rss+xml href='{target}'></html>".encode(), "text/html")
    server.put("/html2", Document(b"<!doctype html><p>Hello", "text/html"))
    async with Reader(server.put("/page", page)) as reader:
        answer = await reader.ask()
        assert isinstance(answer, TryLater | Gone)
        assert "home" not in reader.feed.cursor


# --- silence, and mirrors ---


def bell(server: FeedServer, newest: datetime, *, count: int = 6) -> None:
    """Publish every three hours, up to ``newest``; each entry under a name that all mirrors give it."""
    for number in range(count):
        server.add_item(
            f"{number}", guid=f"200000000000000000{number}", published=newest - 3 * HOUR * (count - number - 1)
        )


async def test_a_feed_that_is_silent_beyond_its_habit_is_told_though_it_answers(server: FeedServer) -> None:
    bell(server, NOW)
    async with Reader(server.feed) as reader:
        assert (await reader.poll()).note == ""
        reader.now += 8 * DAY
        silent = await reader.poll()
        assert server.unchanged["/feed.xml"] == 1
        assert silent.note == "nothing new since 2026-03-07, though something used to come every 3 hours"
        server.add_item("news", published=reader.now)
        assert (await reader.poll()).note == ""


async def test_several_addresses_are_mirrors_of_one_feed(server: FeedServer) -> None:
    async with Reader("") as reader:
        topic = f" {server.feed}  feed:{server.atom}\n{server.feed}#top "
        both = f"{server.feed} {server.atom}"
        assert await reader.source.resolve(topic) == Resolved(feeds=(both,), title=both)
        refused = await reader.source.resolve(f"{server.feed} http://10.0.0.1/rss")
        assert isinstance(refused, Refused)
        spaced = "https://bell.example/?q=a b"
        assert await reader.source.resolve(spaced) == Resolved(feeds=(spaced,), title=spaced)


async def test_a_mirror_takes_over_nothing_comes_twice_and_the_first_is_gone_back_to(
    server: FeedServer, other: FeedServer
) -> None:
    bell(server, NOW)
    bell(other, NOW)
    async with Reader(f"{server.feed} {other.feed}") as reader:
        assert len((await reader.poll()).events) == 6
        assert other.requests == []
        server.put("/feed.xml", Document(b"", status=503))
        other.add_item("news", guid="2000000000000000009", published=NOW + HOUR)
        reader.now += HOUR
        batch = await reader.poll()
        assert told(batch.events) == [("Published", "news")]
        assert batch.note == f"127.0.0.1 does not serve; {other.feed} is read instead"
        asked = server.asked("/feed.xml")
        reader.now += HOUR / 2
        await reader.poll()
        assert server.asked("/feed.xml") == asked  # not with every poll
        assert other.unchanged["/feed.xml"] == 1
        del server.documents["/feed.xml"]
        server.add_item("news", guid="2000000000000000009", published=NOW + HOUR)
        reader.now += HOUR
        batch = await reader.poll()
        assert (batch.events, batch.note) == ((), "")


async def test_a_mirror_takes_over_from_one_that_answers_but_has_fallen_silent(
    server: FeedServer, other: FeedServer
) -> None:
    bell(server, NOW)
    async with Reader(f"{server.feed} {other.feed}") as reader:
        await reader.poll()
        reader.now += 8 * DAY
        bell(other, NOW)
        silent = await reader.poll()  # both are
        assert "nothing new since 2026-03-07" in silent.note
        other.add_item("news", guid="2000000000000000009", published=reader.now)
        assert await reader.read() == [("Published", "news")]


@pytest.mark.parametrize(
    ("first", "second", "kind"), [(404, 404, TryLater), (410, 404, TryLater), (410, 410, Gone), (500, 410, TryLater)]
)
async def test_a_feed_is_gone_when_all_its_mirrors_are(
    server: FeedServer, other: FeedServer, first: int, second: int, kind: type
) -> None:
    async with Reader(f"{server.url}/status/{first} {other.url}/status/{second}") as reader:
        assert isinstance(await reader.ask(), kind)


async def test_a_mirror_does_not_take_over_from_one_whose_turn_is_yet_to_come(
    server: FeedServer, other: FeedServer
) -> None:
    bell(server, NOW)
    there = f"http://www.reddit.com:{server.port}/feed.xml"
    async with Reader(there, names=Names(www_reddit_com=[["127.0.0.1"]])) as reader:
        await reader.poll()
        reader.feed = fresh(f"{there} {other.feed}")
        answer = await reader.ask()
    assert isinstance(answer, TryLater)
    assert answer.paced
    assert answer.after is not None
    assert answer.after > timedelta(seconds=60)
    assert other.requests == []


# --- floods ---


async def test_old_entries_that_turn_up_come_late_and_of_too_many_at_once_only_some_stand_alone(
    server: FeedServer,
) -> None:
    bell(server, NOW)
    async with Reader(server.feed, at_once=3) as reader:
        await reader.poll()
        for number in range(500):
            server.add_item(f"old {number}", guid=f"urn:old:{number}", published=NOW - (10 + number) * DAY)
        for number in range(10):
            server.add_item(f"new {number}", guid=f"urn:new:{number}", published=NOW + timedelta(minutes=number))
        batch = await reader.poll()
        assert told(batch.events) == [("Published", f"new {number}") for number in range(10)]
        assert told(batch.late) == [("Published", f"old {number}") for number in reversed(range(500))]
        assert (batch.past, batch.at_once) == ((), 3)
        assert batch.note == ""  # nothing is wrong: the chats are told
        again = await reader.poll()
        assert (again.events, again.late, again.at_once, again.note) == ((), (), None, "")


async def test_a_feed_that_was_never_read_brings_its_whole_past_to_who_looks_at_it(server: FeedServer) -> None:
    bell(server, NOW, count=40)
    async with Reader(server.feed) as reader:
        batch = await reader.poll()
    assert (len(batch.events), batch.past) == (40, ())


# --- pace ---


async def test_a_feed_that_is_quiet_is_asked_less_often_until_it_changes(server: FeedServer) -> None:
    server.add_item("first")
    async with Reader(server.feed) as reader:
        assert (await reader.poll()).wait is None
        reader.now += DAY
        assert (await reader.poll()).wait == 8 * reader.source.interval
        server.add_item("second")
        assert (await reader.poll()).wait is None


async def test_what_a_document_says_counts_while_it_stays_the_same(server: FeedServer) -> None:
    feed = (
        "<rss version='2.0' xmlns:sy='http://purl.org/rss/1.0/modules/syndication/'><channel><title>x</title>"
        "<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>12</sy:updateFrequency>"
        "<skipHours><hour>14</hour><hour>15</hour></skipHours></channel></rss>"
    )
    async with Reader(server.put("/x", feed)) as reader:
        for _ in range(2):
            assert (await reader.poll()).wait == 4 * HOUR
        assert server.unchanged["/x"] == 1


# --- who may say that a feed is elsewhere ---


@pytest.mark.parametrize(
    "claim",
    [
        '<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="self" href="{0}"/>',
        '<itunes:new-feed-url xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd">{0}</itunes:new-feed-url>',
        "<link>{0}</link>",
        "<docs>{0}</docs>",
    ],
)
async def test_a_feed_cannot_say_that_it_is_another_one(server: FeedServer, claim: str) -> None:
    """Only the address that was subscribed to can tell where it went."""
    guid = server.add_item("The bridge stands.", guid="urn:bell:entry:1")
    items = f"<item><guid>{guid}</guid><title>The bridge fell.</title></item>"
    thief = server.put("/thief.xml", f"<rss version='2.0'><channel>{claim.format(server.feed)}{items}</channel></rss>")
    headers = {"Link": f'<{server.feed}>; rel="self"', "Content-Location": server.feed}
    named = server.put("/named.xml", Document(server.documents["/thief.xml"].body, headers=headers))
    found = []
    for address in (server.feed, thief, named):
        async with Reader(address) as reader:
            (event,) = (await reader.poll()).events
            assert isinstance(event, Published)
            found.append((event.post.uri, event.post.author.uri))
    assert len({uri for uri, _ in found}) == len({author for _, author in found}) == 3
