"""The lists: the front page, hashtags, authors, folds, their feeds, and what is said of privacy."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import feedparser
import pytest
from hypothesis import given
from selectolax.lexbor import LexborHTMLParser

from relay.options import DeliveryOptions
from relay.records import Allowance
from relay.rich import Text
from relay.testing import NOON, author, post, rich_post, text
from relay.web.epub import epub
from relay.web.thread_view import ThreadReading
from tests.support.digest_cases import bring, subscribe
from tests.support.list_pages import JOIN, Visitor, thread, visiting
from tests.support.reader import one
from tests.support.rendered import TEXTS
from tests.support.store_cases import carry, delete, publish, uri

SHY = replace(author("Sami"), discoverable=None)
REFUSING = replace(author("Killa"), refuses=True)


def headlines(tree: LexborHTMLParser) -> Sequence[str]:
    return [node.text(strip=True) for node in tree.css(".threads h2, .threads h3")]


# --- lists ---


async def test_the_front_page_shows_where_to_join_what_is_followed_and_whose_threads_may_be_listed() -> None:
    async with visiting(joins=(JOIN,)) as visitor:
        await subscribe(visitor.store, DeliveryOptions())
        await publish(visitor.store, *thread(1), *thread(3, by=SHY), *thread(5, by=REFUSING), *thread(7))
        tree = await visitor.tree("/")
    assert headlines(tree) == ["Thread 7", "Thread 1"]
    assert [a.attributes["href"] for a in tree.css(".joins a")] == [JOIN.url]
    assert [a.attributes["href"] for a in tree.css(".tags a")] == ["./tag/bridge"]


async def test_a_hashtag_s_page_shows_what_was_relayed_of_those_who_allow_lists() -> None:
    async with visiting() as visitor:
        await publish(visitor.store, *thread(1), *thread(3, by=SHY), *thread(5, by=REFUSING))
        tree = await visitor.tree("/tag/Bridge")
        assert headlines(tree) == ["Thread 1"]
        assert len(tree.css(".threads li")) == 1
        assert visitor.headers["X-Robots-Tag"] == "noindex, noarchive"
        assert (await visitor.get("/tag/!!"))[0] == 404


async def test_a_long_list_is_read_page_by_page() -> None:
    async with visiting() as visitor:
        await publish(visitor.store, *(post(n, tags=("bridge",), body=text(f"Post {n}")) for n in range(1, 66)))
        found, path = [], "/tag/bridge"
        while path:
            tree = await visitor.tree(path)
            found.append(headlines(tree))
            older = tree.css_first(".older a")
            path = f"/tag/bridge{older.attributes['href']}" if older else ""
        assert [len(some) for some in found] == [30, 30, 5]
        assert [*found[0], *found[1], *found[2]] == [f"Post {n}" for n in range(65, 0, -1)]
        assert (await visitor.get("/tag/bridge?after=x'--%00"))[0] == 404


async def test_an_author_s_list_is_there_only_where_the_author_allows_lists() -> None:
    async with visiting() as visitor:
        await publish(visitor.store, *thread(1), *thread(3, by=SHY), *thread(7))
        tree = await visitor.tree(f"/author/{await visitor.slug(1)}")
        assert headlines(tree) == ["Thread 7", "Thread 1"]
        assert (await visitor.get(f"/author/{await visitor.slug(3)}"))[0] == 404
        assert (await visitor.get("/author/nobody"))[0] == 404
        page = await visitor.tree(f"/t/{await visitor.slug(1)}")
        assert f"../author/{await visitor.slug(1)}" in [a.attributes["href"] for a in page.css("footer a")]


async def test_a_fold_s_page_shows_all_that_shared_the_message() -> None:
    async with visiting() as visitor:
        here = await subscribe(visitor.store, DeliveryOptions())
        posts = [post(n, body=text(f"Post {n}")) for n in range(1, 7)]
        await bring(visitor.store, *posts, to=here, allowance=Allowance(30, 2))
        [*_, digest] = await carry(visitor.store)
        tree = await visitor.tree(f"/fold/{digest.page}")
        assert headlines(tree) == ["Post 6", "Post 5", "Post 4", "Post 3"]
        assert (await visitor.get("/fold/nothing"))[0] == 404


async def test_a_fold_s_page_leads_to_the_originals_of_those_who_allow_no_lists() -> None:
    async with visiting() as visitor:
        here = await subscribe(visitor.store, DeliveryOptions())
        some = [post(1), post(2), post(3), post(4, author=SHY, body=text("Hush")), post(5, author=REFUSING), post(6)]
        await bring(visitor.store, *some, to=here, allowance=Allowance(30, 2))
        [*_, digest] = await carry(visitor.store)
        tree = await visitor.tree(f"/fold/{digest.page}")
    assert headlines(tree) == ["Post number 6.", "Post number 3."]
    [original] = tree.css(".threads .original")
    assert one(original, "bdi").text() == "Sami"
    assert one(original, "a").attributes["href"] == post(4).url
    assert "1 more post is not shown" in one(tree, "main").text()
    assert "Hush" not in (tree.html or "")


@pytest.mark.parametrize("path", ["/", "/tag/bridge"])
async def test_every_list_has_one_heading_and_its_landmarks(path: str) -> None:
    async with visiting() as visitor:
        await publish(visitor.store, *thread(1))
        tree = await visitor.tree(path)
    assert len(tree.css("h1")) == len(tree.css("main")) == len(tree.css("footer")) == 1
    assert not tree.css("script, iframe, form")


# --- feeds ---


@pytest.mark.parametrize("path", ["/latest", "/tag/bridge", "author"])
async def test_each_list_has_feeds_that_others_read(path: str) -> None:
    async with visiting(public_url="https://relay.example") as visitor:
        first = thread(1, title="Ropes & <knots>")
        await publish(visitor.store, *first, *thread(3))
        there = f"/author/{await visitor.slug(1)}" if path == "author" else path
        status, atom = await visitor.get(f"{there}.atom")
        assert status == 200
        assert visitor.headers["Content-Type"].startswith("application/atom+xml")
        read = feedparser.parse(atom)
        assert not read.bozo
        assert [entry.title for entry in read.entries] == ["Thread 3", "Ropes & <knots>"]
        assert read.entries[0].link == f"https://relay.example/t/{await visitor.slug(3)}"
        assert read.entries[0].author_detail.name.startswith("Illa")
        told = json.loads((await visitor.get(f"{there}.json"))[1])
        assert told["version"] == "https://jsonfeed.org/version/1.1"
        assert [item["url"] for item in told["items"]] == [entry.link for entry in read.entries]
        page = await visitor.tree("/" if path == "/latest" else there)
        kinds = [link.attributes["type"] for link in page.css("link[rel=alternate]")]
        assert kinds == ["application/atom+xml", "application/feed+json"]


# --- consent ---


async def test_a_page_that_nobody_reads_runs_out_and_one_that_is_read_stays() -> None:
    async with visiting() as visitor:
        await publish(visitor.store, *thread(1, by=SHY))
        path = f"/t/{await visitor.slug(1)}"
        for day in (20, 45, 70):
            visitor.day = day
            assert (await visitor.get(path))[0] == 200
            await _noted(visitor, path)
        visitor.day = 101
        status, page = await visitor.get(path)
        assert status == 410
        assert "expired" in page
        assert "Thread 1" not in page


async def _noted(visitor: Visitor, path: str) -> None:
    """The visit is written down beside the answer."""
    while True:
        page = await visitor.store.get_page(path.removeprefix("/t/"))
        if page and page.visited == NOON + timedelta(days=visitor.day):
            return


async def test_a_page_that_its_author_asked_for_or_allows_stays() -> None:
    async with visiting() as visitor:
        await publish(visitor.store, *thread(1, by=SHY), *thread(3))
        await visitor.store.save_visit(await visitor.slug(1), NOON, asked=True)
        visitor.day = 300
        assert (await visitor.get(f"/t/{await visitor.slug(1)}"))[0] == 200
        assert (await visitor.get(f"/t/{await visitor.slug(3)}"))[0] == 200


async def test_only_who_allows_it_is_found_by_search_engines() -> None:
    async with visiting() as visitor:
        await publish(visitor.store, *thread(1, by=replace(SHY, indexable=True)), *thread(3))
        tree = await visitor.tree(f"/t/{await visitor.slug(1)}")
        assert visitor.headers["X-Robots-Tag"] == "all"
        assert one(tree, "meta[name=robots]").attributes["content"] == "all"
        await visitor.tree(f"/t/{await visitor.slug(3)}")
        assert visitor.headers["X-Robots-Tag"] == "noindex, noarchive"
        assert "Allow: /t/" in (await visitor.get("/robots.txt"))[1]


async def test_what_is_deleted_is_in_no_list_and_no_feed() -> None:
    async with visiting() as visitor:
        await publish(visitor.store, *thread(1))
        for number in (1, 2):
            await delete(visitor.store, uri(number))
        for path in ("/", "/tag/bridge", "/latest.atom", "/tag/bridge.json"):
            assert "Thread 1" not in (await visitor.get(path))[1]


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/privacy", "What we keep and how to remove it"),
        ("/privacy?lang=es", "Qué guardamos y cómo quitarlo"),
        ("/privacy?lang=xx", "What we keep and how to remove it"),
    ],
)
async def test_privacy_is_told_in_plain_words(path: str, heading: str) -> None:
    async with visiting(contact="mailto:you@example.org") as visitor:
        tree = await visitor.tree(path)
    assert one(tree, "h1").text() == heading
    assert "30" in one(tree, "main").text()
    assert "72 h" in one(tree, "main").text()
    assert "you@example.org" in one(tree, "main").text()


# --- the book ---


async def test_a_thread_can_be_taken_away_as_a_book() -> None:
    async with visiting() as visitor:
        await publish(visitor.store, *thread(1), replace(rich_post(9), reply_to=uri(2)))
        book = zipfile.ZipFile(io.BytesIO(await visitor.data(f"/t/{await visitor.slug(1)}.epub")))
    assert book.infolist()[0].filename == "mimetype"
    assert book.infolist()[0].compress_type == zipfile.ZIP_STORED
    assert book.read("mimetype") == b"application/epub+zip"
    for name in book.namelist()[1:]:
        if not name.endswith(".css"):
            ET.fromstring(book.read(name))  # noqa: S314 - our own
    words = "".join(ET.fromstring(book.read("thread.xhtml")).itertext())  # noqa: S314 - our own
    assert words.index("Thread 1") < words.index("Post number 2.") < words.index("The bridge holds.")


@given(TEXTS)
def test_whatever_a_post_holds_the_book_is_well_formed(body: Text) -> None:
    said = post(1, body=body, title="<&>\u0007", language='e"n')
    made = zipfile.ZipFile(io.BytesIO(epub(ThreadReading(posts=(said,)))))
    ET.fromstring(made.read("thread.xhtml"))  # noqa: S314 - our own
    ET.fromstring(made.read("book.opf"))  # noqa: S314 - our own


def test_the_same_thread_is_the_same_book() -> None:
    assert epub(ThreadReading(posts=thread(1))) == epub(ThreadReading(posts=thread(1)))
