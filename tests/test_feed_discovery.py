"""A web page says where its feeds are."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sources.feed_discovery import Offered, feeds_in

URL = "https://ayllu.example/blog/page"


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<link rel="alternate" type="application/rss+xml" title="News" href="/feed">', ("/feed", "News", "rss")),
        ("<LINK REL=ALTERNATE TYPE=application/atom+xml HREF=a.atom>", ("/blog/a.atom", "", "atom")),
        ('<link rel="alternate" type="application/feed+json" href="feed.json">', ("/blog/feed.json", "", "json")),
        ('<link rel="alternate" type="application/json" href="/feed.json">', ("/feed.json", "", "json")),
        ('<link rel="feed" href="/h">', ("/h", "", "feed")),
        ('<link rel="feed" type="text/html" href="/h">', ("/h", "", "feed")),
        ('<link rel="alternate home" type="text/xml" href="/rss.xml?a=1">', ("/rss.xml?a=1", "", "feed")),
        ('<link rel="alternate" type="application/rss+xml; charset=utf-8" href="/feed#x">', ("/feed", "", "rss")),
        ('<base href="/other/"><link rel="alternate" type="application/rss+xml" href="f">', ("/other/f", "", "rss")),
        (
            '<link rel="alternate" type="application/rss+xml" href="f" title="Qué &amp; año">',
            ("/blog/f", "Qué & año", "rss"),
        ),
    ],
)
def test_a_feed_is_found(html: str, found: tuple[str, str, str]) -> None:
    path, title, kind = found
    page = f"<!doctype html><html><head>{html}</head><body><p>x</body>".encode()
    assert feeds_in(page, URL) == [Offered(f"https://ayllu.example{path}", title, kind)]


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<p>no feed</p>",
        '<link rel="stylesheet" type="application/rss+xml" href="/feed">',
        '<link rel="alternate" type="application/json" href="/wp-json/wp/v2/posts/1">',
        '<link rel="alternate" hreflang="es" href="/es/feed">',
        '<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">',
        '<link rel="alternate" type="application/rss+xml" href="https://who:secret@ayllu.example/feed">',
        '<link rel="alternate" type="application/rss+xml">',
    ],
)
def test_what_is_no_feed_is_not_offered(html: str) -> None:
    assert feeds_in(html.encode(), URL) == []


def test_each_feed_is_offered_once_and_those_of_comments_last() -> None:
    link = '<link rel="alternate" type="application/rss+xml" title="{1}" href="{0}">'
    page = "".join(
        link.format(*one)
        for one in (
            ("/comments/feed", "Ayllu » Comments"),
            ("/feed", "Ayllu"),
            ("/feed", "again"),
            ("/tag/feed", "Rope"),
        )
    )
    assert [offered.title for offered in feeds_in(page.encode(), URL)] == ["Ayllu", "Rope", "Ayllu » Comments"]


@pytest.mark.parametrize(
    "page", [b"<link " * 200_000, b"<div>" * 200_000, b"<link rel=x href=y>" * 100_000, b"<" * 900_000]
)
def test_a_hostile_page_takes_little_time(page: bytes) -> None:
    begun = time.thread_time()
    feeds_in(page, URL)
    assert time.thread_time() - begun < 0.2


@given(st.one_of(st.binary(), st.text().map(lambda text: f"<link rel=feed href='{text}'>".encode(errors="replace"))))
def test_no_page_raises(page: bytes) -> None:
    assert all(offered.url.startswith("http") for offered in feeds_in(page, URL))
