"""At the address is no feed, but something that leads to one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from relay.ports import Gone, TryLater
from relay.sources.rss.cursor import Cursor
from tests.servers.feeds import Document, FeedServer
from tests.support.feed_reading import DAY, Reader
from tests.support.fetching import Names
from tests.support.rss_cursor_cases import told

HTML = "text/html; charset=utf-8"


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with FeedServer() as running:
        running.add_item("first")
        yield running


def page(server: FeedServer, path: str, *, head: str = "", body: str = "<p>Hello.</p>", **headers: str) -> str:
    """Serve a web page; its address."""
    html = f"<!doctype html><html><head><title>T</title>{head}</head><body>{body}</body></html>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.put(path, Document(html.encode(), HTML, headers=named))


def refresh(target: str) -> str:
    return f'<meta http-equiv="refresh" content="0; url={target}">'


def feeds(*targets: str) -> str:
    return "".join(f'<link rel="alternate" type="application/rss+xml" href="{target}">' for target in targets)


def paths(server: FeedServer) -> list[str]:
    return [path for path, _ in server.requests]


# --- pages that go on ---


@pytest.mark.parametrize(
    "given",
    [
        {"head": refresh("/feed.xml")},
        {"head": refresh("feed.xml#x")},
        {"Refresh": "0; url=/feed.xml"},
        {"Link": '</feed.xml>; rel="alternate"; type="application/rss+xml"'},
        {"head": refresh("/redirect?to=/feed.xml")},
        {"head": refresh("/further")},
        {"head": refresh("/named")},
        {"head": feeds("/further")},
        {"head": f"<noscript>{refresh('/feed.xml')}</noscript><script>location = '/feed.xml'</script>"},
        {"body": "<a href='/feed.xml'>RSS</a>"},
    ],
)
async def test_a_page_that_leads_to_a_feed_is_followed_and_the_feed_remembered(
    server: FeedServer, given: dict[str, str]
) -> None:
    page(server, "/further", head=refresh("/feed.xml"))
    page(server, "/named", head=feeds("/feed.xml"))
    async with Reader(page(server, "/old", **given)) as reader:
        assert await reader.read() == [("Published", "first")]
        cursor = Cursor.load(reader.feed.cursor)
        assert (cursor.home.partition("?")[0].removeprefix(server.url), cursor.found, cursor.moving) in (
            ("/feed.xml", True, None),
            ("/redirect", True, None),
        )
        server.add_item("second")
        assert await reader.read() == [("Published", "second")]
        assert server.asked("/old") == 1


async def test_what_only_refreshes_is_followed_from_the_feed_s_address_too(server: FeedServer) -> None:
    """The feed was read at its address before, and at the place that a page names, before they went on."""
    for start in (server.put("/feed", server._rss()), page(server, "/page", head=feeds("/feed"))):
        server.put("/feed", server._rss())
        async with Reader(start) as reader:
            await reader.poll()
            page(server, "/feed", head=refresh("/feed.xml"))
            server.add_item(f"news {start}")
            assert await reader.read() == [("Published", f"news {start}")]
            assert Cursor.load(reader.feed.cursor).home == server.feed


async def test_a_page_that_goes_on_who_brings_its_cookie_is_asked_first_each_time(
    server: FeedServer,
) -> None:
    address = page(server, "/feed", head=refresh("/redirect?to=/feed.xml"), Set_Cookie="seen=1; Path=/")
    async with Reader(address) as reader:
        for _ in range(2):
            await reader.poll()
    assert [headers.get("Cookie") for _, headers in server.requests] == [None, "seen=1", "seen=1"] * 2
    assert paths(server) == ["/feed", "/redirect", "/feed.xml"] * 2


async def test_a_named_feed_is_asked_without_the_cookies_of_its_page(server: FeedServer) -> None:
    async with Reader(page(server, "/page", head=feeds("/feed.xml"), Set_Cookie="seen=1; Path=/")) as reader:
        await reader.poll()
    assert not any("Cookie" in headers for _, headers in server.requests)


@pytest.mark.parametrize(
    "target",
    [
        "/old",
        "/old#top",
        "",
        "/other",
        "http://10.0.0.1/feed",
        "http://[::1]/",
        "ftp://127.0.0.1/feed",
        "/status/404",
        "/x",
    ],
)
async def test_a_page_that_goes_on_to_no_feed_is_told_and_asked_little(server: FeedServer, target: str) -> None:
    page(server, "/other", head=refresh("/old"))
    page(server, "/x")
    async with Reader(page(server, "/old", head=refresh(target))) as reader:
        answer = await reader.ask()
    assert isinstance(answer, TryLater | Gone)
    assert answer.reason.startswith(f"{server.url}/old is a web page, not a feed")
    assert len(server.requests) <= 2
    assert "home" not in reader.feed.cursor


async def test_a_page_without_end_is_left_after_eight_requests(server: FeedServer) -> None:
    for number in range(20):
        page(server, f"/{number}", head=refresh(f"/{number + 1}"))
    async with Reader(f"{server.url}/0") as reader:
        answer = await reader.ask()
    assert isinstance(answer, TryLater)
    assert paths(server) == [f"/{number}" for number in range(8)]


async def test_servers_that_are_slow_do_not_make_a_poll_last(server: FeedServer) -> None:
    async with Reader(page(server, "/page", head=feeds(*(f"/{number}" for number in range(9))))) as reader:
        reader.source._reader = replace(reader.source._reader, patience=timedelta(0))
        assert isinstance(await reader.ask(), TryLater)
    assert paths(server) == ["/page", "/0", "/1"]


async def test_pages_that_name_each_other_are_asked_eight_times_at_most(server: FeedServer) -> None:
    names = [f"/{number}" for number in range(20)]
    for name in names:
        page(server, name, head=refresh("/0") + feeds(*names))
    async with Reader(f"{server.url}/1") as reader:
        assert isinstance(await reader.ask(), TryLater)
    assert len(paths(server)) == len(set(paths(server))) <= 8


# --- pages that name feeds ---


async def test_each_feed_is_tried_until_one_is_read_and_that_is_told(server: FeedServer) -> None:
    server.put("/gone", Document(b"", status=410))
    head = feeds("/nothing", "/redirect?to=/page", "/gone", "http://10.0.0.1/feed", "/feed.xml", "/atom.xml")
    async with Reader(page(server, "/page", head=head)) as reader:
        batch = await reader.poll()
        assert told(batch.events) == [("Published", "first")]
        read = f"the page has more than one feed; {server.feed} is read, not {server.url}/nothing, "
        assert batch.note.startswith(read)
        assert (await reader.poll()).note == ""
        assert paths(server)[-1] == "/feed.xml"
    assert "/atom.xml" not in paths(server)


async def test_no_more_than_five_feeds_are_tried(server: FeedServer) -> None:
    async with Reader(page(server, "/page", head=feeds(*(f"/{number}" for number in range(9))))) as reader:
        answer = await reader.ask()
    assert isinstance(answer, TryLater)
    assert answer.reason == (
        f"{server.url}/page is a web page, not a feed, and none of the addresses that it names is one: "
        "127.0.0.1 answered 404: there is no feed at this address"
    )
    assert paths(server) == ["/page", *(f"/{number}" for number in range(5))]


async def test_a_feed_that_is_overloaded_is_waited_for_and_no_other_one_taken(server: FeedServer) -> None:
    server.put("/busy", Document(b"", status=503, headers={"Retry-After": "600"}))
    async with Reader(page(server, "/page", head=feeds("/busy", "/feed.xml"))) as reader:
        answer = await reader.ask()
        assert isinstance(answer, TryLater)
        assert answer.after == timedelta(minutes=10)
        server.put("/busy", server._atom())
        await reader.poll()
        assert Cursor.load(reader.feed.cursor).home == f"{server.url}/busy"
    assert "/feed.xml" not in paths(server)


@pytest.mark.parametrize("status", [403, 404, 500, 503])
async def test_a_feed_that_is_away_is_not_exchanged_for_another_one_while_its_page_names_it(
    server: FeedServer, status: int
) -> None:
    main = server.put("/main", server._rss())
    async with Reader(page(server, "/page", head=feeds("/main", "/feed.xml"))) as reader:
        await reader.poll()
        server.put("/main", Document(b"", status=status))
        for _ in range(3):
            assert isinstance(await reader.ask(), TryLater)
            reader.now += DAY
        server.add_item("second")
        server.put("/main", server._rss())
        assert await reader.read() == [("Published", "second")]
        assert Cursor.load(reader.feed.cursor).home == main
    assert "/feed.xml" not in paths(server)


async def test_nor_is_one_that_the_page_names_by_an_address_from_which_it_moved(server: FeedServer) -> None:
    server.put("/main", server._rss())
    moved = "/redirect?status=301&amp;to=/main"
    async with Reader(page(server, "/page", head=feeds(moved, "/feed.xml"))) as reader:
        for _ in range(3):
            await reader.poll()
            reader.now += DAY
        assert Cursor.load(reader.feed.cursor).home == f"{server.url}/main"
        server.put("/main", Document(b"", status=404))
        for _ in range(2):
            assert isinstance(await reader.ask(), TryLater)
        server.add_item("second")
        server.put("/main", server._rss())
        assert await reader.read() == [("Published", "second")]
    assert "/feed.xml" not in paths(server)


@pytest.mark.parametrize("how", ["gone", "lost for a week", "not named any more"])
async def test_a_feed_that_will_not_come_back_is_exchanged_for_the_next_one(server: FeedServer, how: str) -> None:
    server.put("/main", server._rss())
    async with Reader(page(server, "/page", head=feeds("/main", "/feed.xml"))) as reader:
        await reader.poll()
        server.put("/main", Document(b"", status=410 if how == "gone" else 404))
        if how == "not named any more":
            page(server, "/page", head=feeds("/feed.xml"))
        if how == "lost for a week":
            assert isinstance(await reader.ask(), TryLater)
            reader.now += 8 * DAY
        server.add_item("second")
        assert await reader.read() == [("Published", "second")]
        assert Cursor.load(reader.feed.cursor).home == server.feed


async def test_a_page_whose_feeds_are_all_gone_for_good_is_given_up(server: FeedServer) -> None:
    server.put("/gone", Document(b"", status=410))
    async with Reader(page(server, "/page", head=feeds("/gone"))) as reader:
        assert isinstance(await reader.ask(), Gone)
        page(server, "/page", head=feeds("/gone", "/nothing"))
        assert isinstance(await reader.ask(), TryLater)


async def test_a_link_that_looks_like_a_feed_is_only_tried_for_who_subscribes(server: FeedServer) -> None:
    link = f"<a href='{server.feed}'>RSS</a><a href='/rss'>also</a>"
    async with Reader(page(server, "/page", body=link)) as reader:
        assert (await reader.poll()).note == f"the page names no feed; {server.feed}, which it links to, is read"
    async with Reader(server.put("/own", server._rss())) as reader:
        await reader.poll()
        page(server, "/own", body=f"We are being worked on. {link}")
        answer = await reader.ask()
    assert isinstance(answer, TryLater)
    assert answer.reason == (
        f"{server.url}/own is a web page, not a feed, and names none; give the address of the feed itself"
    )


async def test_links_that_only_look_like_feeds_are_not_spoken_of(server: FeedServer) -> None:
    async with Reader(page(server, "/page", body="<a href='/rss'>RSS</a><a href='/feed'>x</a>")) as reader:
        answer = await reader.ask()
    assert isinstance(answer, TryLater)
    assert answer.reason.endswith(
        "/page is a web page, not a feed, and names none; give the address of the feed itself"
    )
    assert paths(server) == ["/page", "/rss", "/feed"]


async def test_a_feed_s_own_links_and_refreshes_lead_nowhere(server: FeedServer) -> None:
    headers = {"Link": '</atom.xml>; rel="alternate"; type="application/atom+xml"', "Refresh": "0; url=/atom.xml"}
    async with Reader(server.put("/feed", Document(server._rss(), headers=headers))) as reader:
        await reader.poll()
    assert paths(server) == ["/feed"]


@pytest.mark.parametrize("status", [201, 203, 206, 226, 300])
async def test_a_feed_is_one_with_whatever_good_status(server: FeedServer, status: int) -> None:
    async with Reader(server.put("/feed", Document(server._rss(), status=status))) as reader:
        assert await reader.read() == [("Published", "first")]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Link": "</feed.xml>; rel=alternate; type=text/rss"}, ""),
        ({"Location": "/feed.xml"}, ""),
        ({}, f"<!doctype html>{feeds('/feed.xml')}"),
    ],
)
async def test_several_choices_lead_to_a_feed(server: FeedServer, headers: dict[str, str], body: str) -> None:
    async with Reader(server.put("/x", Document(body.encode(), HTML, status=300, headers=headers))) as reader:
        assert await reader.read() == [("Published", "first")]


async def test_the_feed_of_a_page_at_a_host_with_a_long_pace_is_read_with_the_page(server: FeedServer) -> None:
    there = f"http://www.reddit.com:{server.port}"
    page(server, "/r/ayllu", head=feeds("/feed.xml"))
    async with Reader(f"{there}/r/ayllu", names=Names(www_reddit_com=[["127.0.0.1"]])) as reader:
        assert await reader.read() == [("Published", "first")]
