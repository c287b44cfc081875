"""The quick reader has feedparser's result or none."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings

from relay.sources.feed_fast import fast
from relay.sources.feed_parse import parse
from relay.sources.feed_read import is_small, quick, read
from tests.feed_corpus import ATOM, RSS
from tests.feed_samples import FEEDS, atom, rss

_ANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
YOUTUBE = """<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns:media="http://search.yahoo.com/mrss/"
 xmlns="http://www.w3.org/2005/Atom"><link rel="self" href="http://tube.example/feeds?id=1"/><id>yt:channel:1</id>
 <yt:channelId>1</yt:channelId><title>Weaving</title><author><name>Illa</name><uri>https://tube.example/1</uri></author>
 <entry><id>yt:video:abc</id><yt:videoId>abc</yt:videoId><title>The rope</title>
 <link rel="alternate" href="https://tube.example/watch?v=abc"/><author><name>Illa</name></author>
 <published>2026-03-01T09:00:00+00:00</published><media:group><media:title>The rope</media:title>
 <media:content url="https://tube.example/v/abc" type="application/x-shockwave-flash" width="640" height="390"/>
 <media:thumbnail url="https://tube.example/abc.jpg" width="480"/><media:description>One line
Another line</media:description><media:community><media:starRating count="7"/><media:statistics views="99"/>
 </media:community></media:group></entry></feed>"""
ALT = "<media:content url='/{0}.png'><media:description type='plain'>Alt {0}</media:description></media:content>"


@pytest.mark.parametrize(
    "body",
    [
        (FEEDS / "rss20.xml").read_text(),
        (FEEDS / "mastodon.rss").read_text(),
        YOUTUBE,
        rss("<title>Tom &amp;amp; Jerry</title><guid isPermaLink='false'>12</guid><category domain='x'>a</category>"),
        rss("<title>x</title><description>Two pictures</description>" + ALT.format(1) + ALT.format(2)),
        rss("<title>x</title><enclosure url='/a.mp3' type='Audio/MPEG' length='1'/><source url='/s'>S</source>"),
        rss(channel="<title>x</title><ttl>30</ttl><skipHours><hour>3</hour></skipHours><image><url>/i</url></image>"),
        rss("<title>x</title>").replace("<rss ", "<rss xml:base='https://base.example/b/' xml:lang='qu' "),
        rss("<link>/1</link>").replace("<rss ", "<rss xml:base='https://base.example/b/' "),
        atom("<id>1</id><title type='html'>&lt;b&gt;Bold&lt;/b&gt;</title><content type='html'>&lt;p&gt;x</content>"),
        atom("<id>tag:a,1:1</id><title>1 &lt; 2</title><link rel='enclosure' href='/a.mp3'/><category term='a'/>"),
        "\ufeff" + rss("<title>año</title>"),
        rss("<title>año</title>").replace(' encoding="utf-8"', ""),
        "<!-- hello -->" + rss("<title>x</title>").partition("?>")[2],
        rss("<title>x<!-- y -->z</title><?what ever?>"),
        rss(),
    ],
)
def test_what_nearly_everybody_writes_is_read_quickly(body: str) -> None:
    read_fast = fast(body.encode(), "application/rss+xml; charset=utf-8")
    assert read_fast is not None
    assert read_fast == parse(body.encode(), "application/rss+xml; charset=utf-8")


@pytest.mark.parametrize(
    "body",
    [
        (FEEDS / "rss10.rdf").read_bytes(),
        (FEEDS / "rss091.xml").read_bytes(),
        rss("<title>año</title>").encode("utf-16"),
        rss("<title>año</title>").encode("latin-1"),
        rss("<title>año</title>").replace("utf-8", "latin-1").encode("latin-1"),
        rss("<title>Ã±\x85.</title>").encode(),
        rss("<title>x&nbsp;</title>").encode(),
        b"\n" + rss("<title>x</title>").encode(),
        rss("<title>x</title>")[:-9].encode(),
        b"<!DOCTYPE rss [<!ENTITY a 'b'>]>" + rss("<title>&a;</title>").partition("?>")[2].encode(),
        rss("<title>x</title><title>y</title>").encode(),
        rss("<title>x</title><dc:title>y</dc:title>").encode(),
        rss("<title>x</title><pubDate>1 März 2026</pubDate>").encode(),
        rss("<title>x</title><pubDate>Sun, 1 Mar 2026 09:00:00 CEST</pubDate>").encode(),
        rss("<title>x</title><description xml:base='/b'>y</description>").encode(),
        rss(ALT.format(1) + "<description>after its picture</description>").encode(),
        rss("<description><p>markup of the document's own</p></description>").encode(),
        rss("<title>x</title><unknown>y</unknown>").encode(),
        rss("<TITLE>x</TITLE>").encode(),
        atom("<id>1</id><content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>x</div></content>").encode(),
        atom("<id>1</id><source><title>y</title></source>").encode(),
        atom("<id>1</id>").replace("2005/Atom", "2005/atom").encode(),
        b"<feed version='0.3' xmlns='http://purl.org/atom/ns#'><entry><id>1</id></entry></feed>",
        b"<feed><entry><id>1</id></entry></feed>",
        b"<channel href='/' lastmod='2026-03-01'><item href='/1'><title>CDF</title></item></channel>",
        b"<rss version='2.0'>" + b"<a>" * 60_000 + b"</a>" * 60_000 + b"</rss>",
        b"<rss><channel/></rss>trailing",
        b"",
    ],
)
def test_what_takes_more_thought_is_left_to_feedparser(body: bytes) -> None:
    assert fast(body, "") is None
    assert read(body, "") == parse(body, "")


def test_a_charset_that_the_server_says_is_left_to_feedparser() -> None:
    body = rss("<title>x</title>").encode()
    assert fast(body, "text/xml; charset=iso-8859-1") is None
    assert fast(body, "text/xml; charset=UTF-8") is not None


@_ANY
@given(RSS)
def test_any_rss_is_read_as_feedparser_reads_it_or_not_at_all(body: str) -> None:
    whole = body.encode(errors="replace")
    assert fast(whole, "") in (None, parse(whole, ""))


@_ANY
@given(ATOM)
def test_any_atom_is_read_as_feedparser_reads_it_or_not_at_all(body: str) -> None:
    whole = body.encode(errors="replace")
    assert fast(whole, "") in (None, parse(whole, ""))


@pytest.mark.parametrize(
    "body",
    [
        rss(*["<title>x</title>"] * 200),
        rss("<description>" + "&lt;p&gt;" * 20_000 + "</description>"),
        rss("<title>" + "&amp;a;" * 25_000 + "</title>"),
        rss("<category>x</category>" * 1_500),
        rss("<link>" + "&amp;a" * 25_000 + "</link>"),
        atom("<id>1</id>" + "<author><name>x</name></author>" * 1_100),
        "<!--" + "-" * 190_000,
        "<?xml " + "?><" * 4_000,
        '{"version": "https://jsonfeed.org/version/1", "items": [' + '{"tags": ["a"]},' * 900 + "{}]}",
        '{"version": "https://jsonfeed.org/version/1", "items": [' + "[" * 190_000,
        rss("<title>x</title>").replace("<rss ", "<rss " + " ".join(f'xmlns:a{n}="u{n}"' for n in range(4_000)) + " "),
    ],
)
def test_no_small_document_holds_up_the_loop(body: str) -> None:
    """Ten milliseconds are the promise, which the benchmark measures; what grows with the square takes seconds."""
    whole = body.encode()
    assert is_small(whole)
    quick(whole, "")
    spent = []
    for _ in range(3):
        begun = time.thread_time()
        quick(whole, "")
        spent.append(time.thread_time() - begun)
    assert min(spent) < 0.2


def test_many_small_entries_are_not_small() -> None:
    assert not is_small(b"<item/>" * 1_000)
    assert not is_small(b"{" + b'"a":{},' * 2_000)
    assert not is_small(b"<a/>" * 10_000)
    assert not is_small(b"x" * 300_000)
