"""A web page says where its feeds are, and where it goes on to."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sources.feed_discovery import Lead, leads
from tests.support.feed_discovery_cases import HOSTILE, Hostile

URL = "https://ayllu.example/blog/page"
RSS = '<link rel="alternate" type="application/rss+xml" title="{1}" href="{0}">'


def found(page: str | bytes, headers: Mapping[str, str] | None = None, url: str = URL) -> list[str]:
    """The addresses in the order in which they are tried, without this host's name."""
    body = page if isinstance(page, bytes) else page.encode()
    return [lead.url.replace("https://ayllu.example", "") for lead in leads(body, url, headers or {})]


FEED = "<link rel=alternate type=application/rss+xml href=/cut>"


def in_head(html: str) -> str:
    return f"<!doctype html><html><head><title>T</title>{html}</head><body><p>x</p></body></html>"


# --- feeds ---


@pytest.mark.parametrize(
    ("html", "address"),
    [
        ('<link rel="alternate" type="application/rss+xml" title="News" href="/feed">', "/feed"),
        ("<LINK REL=ALTERNATE TYPE=application/atom+xml HREF=a.atom>", "/blog/a.atom"),
        ("<link href='/f' type='application/rss+xml' rel='home Alternate'/>", "/f"),
        ('<link\nrel="alternate"\n type="application/rss+xml"\n\n href="\n/feed\n"\n>', "/feed"),
        ('<link rel="alternate" type="application/feed+json" href="feed.json">', "/blog/feed.json"),
        ('<link rel="alternate" type="application/json" href="/feed.json">', "/feed.json"),
        ('<link rel="alternate" type="application/rdf+xml" href="/x">', "/x"),
        ('<link rel="alternate" type="application/x-rss+xml" href="/x">', "/x"),
        ('<link rel="alternate" type="application/rss xml" href="/x">', "/x"),
        ('<link rel="alternate" type="application/atom" href="/x">', "/x"),
        ('<link rel="alternate" type="text/rss" href="/x">', "/x"),
        ('<link rel="alternate" href="/rss" title="no type">', "/rss"),
        ('<link rel="feed" href="/h">', "/h"),
        ('<link rel="feed" type="text/html" href="/h">', "/h"),
        ('<link rel="alternate home" type="text/xml" href="/rss.xml?a=1">', "/rss.xml?a=1"),
        ('<link rel="alternate" type="application/rss+xml; charset=utf-8" href="/feed#x">', "/feed"),
        ('<link rel="alternate" type="application/rss+xml" hreflang="es" href="/es">', "/es"),
        ('<link rel="alternate" type="application/rss+xml" href="/f?a=1&amp;b=2&#38;c=3">', "/f?a=1&b=2&c=3"),
        ('<link rel="alternate" type="application/rss+xml" href="//feeds.example/a b">', "https://feeds.example/a%20b"),
        (
            '<link rel="alternate" type="application/rss+xml" href="feed:https://feeds.example/">',
            "https://feeds.example/",
        ),
        ('<link rel="alternate" type="application/rss+xml" href="feed://feeds.example/x">', "https://feeds.example/x"),
        ('<link rel="alternate" type="application/rss+xml" title="Ayllu > News" href="f">', "/blog/f"),
        ("<link rel='alternate' type='application/rss+xml' title='a < b \"c\"' href='f'>", "/blog/f"),
        ('<link rel="alternate" title=">" type="application/rss+xml" data-x="<link>" href="f">', "/blog/f"),
        ('<base href="/other/"><link rel="alternate" type="application/rss+xml" href="f">', "/other/f"),
        ('<base href="https://b.example/"><link rel="alternate" type="text/rss" href="f">', "https://b.example/f"),
        ('<base target="_top"><base href="/o/"><link rel="feed" href="f">', "/o/f"),
        ('<base href="http://[">' + RSS.format("f", ""), "/blog/f"),
        (f"<!-- {RSS.format('/old', '')} -->{RSS.format('/new', '')}", "/new"),
        (f"<!-- > {RSS.format('/old', '')} --->{RSS.format('/new', '')}", "/new"),
        (f"<script>x = '{RSS.format('/old', '')}'</script>{RSS.format('/new', '')}", "/new"),
        (f"<style>{RSS.format('/old', '')}</style>{RSS.format('/new', '')}", "/new"),
        (f"<template>{RSS.format('/old', '')}</template>{RSS.format('/new', '')}", "/new"),
        (f"<noscript>{RSS.format('/old', '')}</noscript>{RSS.format('/new', '')}", "/new"),
        (f"<title>{RSS.format('/old', '')}</title>{RSS.format('/new', '')}", "/new"),
        (f"{RSS.format('', '')}<link href rel=alternate type=text/rss>{RSS.format('/new', '')}", "/new"),
        (f"{RSS.format('#', '')}{RSS.format('page', '')}{RSS.format('  ', '')}{RSS.format('/new', '')}", "/new"),
        (f"text in the head <p>{RSS.format('/new', '')}", "/new"),
        (f"<script>{'x' * 90_000}</script>{RSS.format('/new', '')}", "/new"),
        (f"<link rel=icon href='data:image/png;base64,{'A' * 90_000}'>{RSS.format('/new', '')}", "/new"),
        (f"<style>{'a > b {}' * 30_000}</style>{RSS.format('/new', '')}", "/new"),
        ("<meta name=x content=''>" * 900 + RSS.format("/new", "x" * 3_000), "/new"),
    ],
)
def test_a_feed_is_found(html: str, address: str) -> None:
    assert found(in_head(html)) == [address]


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<p>no feed</p>",
        '<link rel="stylesheet" type="application/rss+xml" href="/feed">',
        '<link rel="alternate" type="application/json" href="/wp-json/wp/v2/posts/1">',
        '<link rel="alternate" type="application/json+oembed" href="/oembed?url=x">',
        '<link rel="alternate" type="text/xml+oembed" href="/oembed?url=x">',
        '<link rel="alternate" hreflang="es" href="/es/feed">',
        '<link rel="alternate" media="handheld" href="https://m.ayllu.example/">',
        '<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">',
        '<link rel="alternate" type="application/rss+xml" href="https://who:secret@ayllu.example/feed">',
        '<link rel="alternate" type="application/rss+xml">',
        '<link rel="self hub" type="application/rss+xml" href="/feed">',
        '{"html": "<link rel=feed href=/feed>"}',
        ' ["<a href=/feed.xml>"]',
        '<a href="https://other.example/feed.xml">theirs</a>',
        '<a href="/feedback">write to us</a><a href="/index">x</a><a href="/about/press">y</a>',
        '<a href="mailto:feed@ayllu.example">feed</a><a>feed</a><a href="">feed.xml</a>',
    ],
)
def test_what_is_no_feed_is_not_offered(html: str) -> None:
    assert found(html) == []


def test_feeds_are_in_order_each_once_and_those_of_comments_last() -> None:
    head = "".join(
        RSS.format(*one)
        for one in (
            ("/one/feed", "Ayllu » Comments Feed"),
            ("/two/comments/feed", "x"),
            ("/drei", "Kommentare"),
            ("/tres", "Comentarios"),
            ("/feed", "Ayllu"),
            ("/feed", "again"),
            ("/tag/feed", "Rope"),
        )
    )
    page = f"<html><head>{head}</head><body><div>{RSS.format('/body', 'In the text')}</div></body></html>"
    header = {"link": '</header>; rel="alternate"; type="application/atom+xml", </feed>; rel=feed'}
    assert found(page, header) == [
        *("/feed", "/tag/feed", "/header", "/body"),
        *("/one/feed", "/two/comments/feed", "/drei", "/tres"),
    ]


@pytest.mark.parametrize(
    ("header", "addresses"),
    [
        ('</f>; rel="alternate"; type="application/rss+xml"', ["/f"]),
        ("<f>;rel=alternate;type=application/atom+xml", ["/blog/f"]),
        ("<https://f.example/?a=1,2>; REL=Alternate; TYPE='x'; type=text/rss", []),
        ('<https://f.example/?a=1,2>; title="a, <b>; c"; REL=Alternate; TYPE=text/rss', ["https://f.example/?a=1,2"]),
        ('</a>; rel="next", </f>; type="application/feed+json"; rel="home alternate"', ["/f"]),
        ('</a>; rel="alternate" ;type="text/rss" , </b> ; rel = "alternate"; type = "text/rss"', ["/a", "/b"]),
        ('</wp-json/>; rel="https://api.w.org/", </p/1>; rel="alternate"; type="application/json"', []),
        ('</f>; rel="self"; type="application/rss+xml", <https://hub.example/>; rel="hub"', []),
        ("</s.css>; rel=preload; as=style, </f>; rel=alternate; type=text/rss; rel=next", ["/f"]),
        ('</f>; title="a \\"b\\", <c>"; rel=alternate; type=text/rss', ["/f"]),
        ("</f>; title*=UTF-8''A%20b; rel=alternate; type=text/rss", ["/f"]),
        ('</f>; type="application/rss+xml"', []),
        ("<>; rel=alternate; type=text/rss", []),
        ("f; rel=alternate; type=text/rss, <<f>>", []),
    ],
)
def test_a_feed_is_found_in_the_header(header: str, addresses: list[str]) -> None:
    assert found(b"<!doctype html><p>x", {"link": header}) == addresses
    assert found(b"", {"link": header}) == addresses


def test_the_base_of_a_page_is_not_that_of_its_header() -> None:
    header = {"link": "<f>; rel=feed", "refresh": "0; url=r"}
    assert found("<base href=/b/><link rel=feed href=f>", header) == ["/blog/r", "/b/f", "/blog/f"]


def test_links_that_look_like_feeds_count_where_none_is_named_within_the_site() -> None:
    hrefs = (
        "https://other.example/rss",
        "/about",
        "feed/",
        "https://feeds.ayllu.example/index.xml",
        "/all.atom.xml?x=1",
    )
    body = "".join(f"<p><a href='{href}'>x</a></p>" for href in (*hrefs, "feed/", "/rss"))
    guesses = leads(body.encode(), "https://www.ayllu.example/blog/", {})
    assert guesses == [
        Lead("https://www.ayllu.example/blog/feed/", is_guess=True),
        Lead("https://feeds.ayllu.example/index.xml", is_guess=True),
        Lead("https://www.ayllu.example/all.atom.xml?x=1", is_guess=True),
    ]
    assert found(f"{RSS.format('/named', '')}{body}") == ["/named"]


@pytest.mark.parametrize("shift", range(4))
def test_a_long_script_may_be_cut_within_a_character(shift: int) -> None:
    script = f"<script>{'x' * shift}{'ñ🦙' * 5_000}</script>"
    assert [lead.url for lead in leads(f"{script}{in_head(FEED)}".encode(), URL, {})] == ["https://ayllu.example/cut"]


def test_a_page_in_another_encoding_is_read() -> None:
    page = in_head(RSS.format("/año", "Año"))
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        body = page.encode(encoding)
        assert found(body, {"content-type": "text/html; charset=iso-8859-1"}) == ["/a%C3%B1o"], encoding


# --- pages that go on to another one ---


@pytest.mark.parametrize(
    ("content", "address"),
    [
        ("0;url=/feed", "/feed"),
        ("0; URL=feed.xml", "/blog/feed.xml"),
        ("5;/feed", "/feed"),
        ("0 ; url = '/feed'", "/feed"),
        ('0, url="/a b"x', "/a%20b"),
        ("0.5;url=https://other.example/x#top", "https://other.example/x"),
        (" 30 url=/feed ", "/feed"),
        ("0;url='/feed", "/feed"),
        ("0;url=/urls?url=1;2", "/urls?url=1;2"),
        ("0;url=feed://other.example/x", "https://other.example/x"),
        ("0", "/blog/page"),
        ("0;", "/blog/page"),
        ("0;url=", "/blog/page"),
        ("url=/feed", None),
        (";url=/feed", None),
        ("soon;url=/feed", None),
        ("0;url=javascript:alert(1)", None),
        ("0;url=data:text/html,x", None),
        ("0;url=https://who:secret@ayllu.example/", None),
        ("0;url=http://[", None),
        ("", None),
    ],
)
def test_where_a_page_goes_on_to(content: str, address: str | None) -> None:
    meta = f"<meta http-equiv=' Refresh' content='{content.replace(chr(39), '&#39;')}'>"
    for page, headers in ((in_head(meta), {}), (f"<title>T</title>{meta}", {}), ("", {"refresh": content})):
        assert leads(page.encode(), URL, headers) == (
            [Lead(address if "//" in address else f"https://ayllu.example{address}", is_feed=False)] if address else []
        )


@pytest.mark.parametrize(
    "html",
    [
        '<body><p><meta http-equiv="refresh" content="0;url=/feed"></p></body>',
        "<!-- <meta http-equiv=refresh content='0;url=/feed'> -->",
        "<script>'<meta http-equiv=refresh content=\"0;url=/feed\">'</script>",
        "<template><meta http-equiv=refresh content='0;url=/feed'></template>",
        "<textarea><meta http-equiv=refresh content='0;url=/feed'></textarea>",
        "<meta name=refresh content='0;url=/feed'>",
        "<meta http-equiv=refresh>",
        '{"html": "<p><meta http-equiv=refresh content=0;url=/feed>"}',
    ],
)
def test_a_page_that_only_speaks_of_going_on_stays(html: str) -> None:
    assert found(html) == []


def test_a_page_that_stands_in_comes_before_feeds_and_one_that_is_shown_later_after_them() -> None:
    def meta(seconds: int, href: str) -> str:
        return f"<meta http-equiv=refresh content='{seconds};url={href}'>"

    head = f"{meta(300, '/later')}<noscript>{meta(0, '/plain')}</noscript>{RSS.format('/feed', '')}{meta(3, '/new')}"
    assert found(in_head(head)) == ["/new", "/feed", "/later", "/plain"]
    assert found(in_head(head), {"refresh": "0; url=/now"}) == ["/now", "/new", "/feed", "/later", "/plain"]


# --- hostile ones ---


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.before.decode() + hostile.pattern)
def test_a_hostile_page_takes_little_time(hostile: Hostile) -> None:
    page = hostile.page
    begun = time.thread_time()
    leads(page, URL, {"link": "<a>; rel=feed, " * 5_000, "refresh": "0; " * 5_000})
    assert time.thread_time() - begun < 5  # it takes 0.1; what grows with the square of the length takes minutes


PIECES = st.sampled_from(
    ["<link rel=feed href=", "/f", "'", '"', ">", "<", "<!--", "-->", "<base href=//x/>", "<meta http-equiv=refresh "]
)
PAGES = st.lists(PIECES | st.text(max_size=5)).map(lambda parts: "".join(parts).encode(errors="replace"))


@given(st.binary() | PAGES, st.text(), st.text())
def test_no_page_and_no_header_raises(page: bytes, link: str, refresh: str) -> None:
    assert all(lead.url.startswith("http") for lead in leads(page, URL, {"link": link, "refresh": refresh}))
