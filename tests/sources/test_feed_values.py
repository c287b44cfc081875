"""What feedparser gets wrong, or leaves open, comes out as the publisher meant it: addresses and texts."""

from __future__ import annotations

import pytest

from relay.model import Post
from relay.text import text_content
from tests.support.feed_samples import URL, document, posts
from tests.support.feed_values_cases import FILE, SITE, in_rss, rss

JSON = "<link rel='alternate' type='application/json' href='https://api.example/1'/>"


def in_atom(entry: str, head: str = f"<link href='{SITE}'/>", attributes: str = "", url: str = URL) -> Post:
    space = f'xmlns="http://www.w3.org/2005/Atom" {attributes}'
    (post,) = posts(f"<feed {space}><title>x</title>{head}<entry><title>x</title>{entry}</entry></feed>", url=url)
    return post


def links(post: Post) -> list[str]:
    return [span.link for block in post.body for span in block.spans if span.link]


# --- the page of an entry ---


@pytest.mark.parametrize(
    ("item", "page"),
    [
        # a guid is a page only by itself, and only where it is not said to be none
        (f"<guid>4de5-1f0a</guid>{FILE}", "https://files.example/7.mp3"),
        ("<guid>4de5-1f0a</guid>", SITE),
        ("<guid>/2026/1</guid>", SITE),
        ("<guid isPermaLink='true'>4de5</guid>", SITE),
        ("<guid>urn:uuid:4de5</guid>", SITE),
        ("<guid>tag:bell.example,2026:1</guid>", SITE),
        ("<guid>mailto:illa@bell.example</guid>", SITE),
        ("<guid>at://did:plc:illa/app.bsky.feed.post/1</guid>", SITE),
        ("<guid>https://bell.example/1</guid>", "https://bell.example/1"),
        ("<guid isPermaLink='True'>https://bell.example/1</guid>", "https://bell.example/1"),
        ("<guid isPermaLink='false'>https://bell.example/1</guid>", SITE),
        ("<guid isPermaLink='False'>https://bell.example/1</guid>", SITE),
        (f"<guid isPermaLink='false'>https://api.example/1</guid>{FILE}", "https://files.example/7.mp3"),
        ("<guid>1</guid><enclosure url='https://files.example/7.jpg' type='image/jpeg'/>", SITE),
        ("<guid>https://bell.example/?p=1</guid><link>https://bell.example/1</link>", "https://bell.example/1"),
        ("<link>https://bell.example/1</link><guid>https://bell.example/?p=1</guid>", "https://bell.example/1"),
        ("<link/><guid>https://bell.example/1</guid>", "https://bell.example/1"),
        # the text counts, and of several links the one that is the page
        ("<link uri='at://did:plc:illa/app.bsky.feed.post/1'>https://bell.example/1</link>", "https://bell.example/1"),
        ("<link url='https://other.example/'>https://bell.example/1</link>", "https://bell.example/1"),
        ("<link url='https://bell.example/1'/>", "https://bell.example/1"),
        ("<link href=''>https://bell.example/1</link>", "https://bell.example/1"),
        ("<link><![CDATA[\n  https://bell.example/1\n]]></link>", "https://bell.example/1"),
        (
            "<link>https://bell.example/1</link><atom:link rel='self' href='https://api.example/1'/>",
            "https://bell.example/1",
        ),
        (
            "<atom:link rel='self' href='https://api.example/1'/><link>https://bell.example/1</link>",
            "https://bell.example/1",
        ),
        ("<link/><atom:link rel='alternate' href='https://bell.example/1'/>", "https://bell.example/1"),
        (
            "<link>https://bell.example/1</link><atom:link rel='enclosure' href='https://files.example/1'/>",
            "https://bell.example/1",
        ),
        (
            "<link>https://bell.example/1</link><source url='https://other.example/feed'>Other</source>",
            "https://bell.example/1",
        ),
        (
            "<link>https://bell.example/1</link><image><link>https://other.example/</link></image>",
            "https://bell.example/1",
        ),
        # a counting service leads on to the page
        (
            "<link>https://count.example/~r/bell/~3/x</link><feedburner:origLink>https://bell.example/1</feedburner:origLink>",
            "https://bell.example/1",
        ),
        (
            "<pheedo:origLink>https://bell.example/1</pheedo:origLink><link>https://count.example/x</link>",
            "https://bell.example/1",
        ),
        ("<link>https://bell.example/1</link><feedburner:origLink>1</feedburner:origLink>", "https://bell.example/1"),
        ("<link>https://bell.example/?a=1&amp;amp;b=2</link>", "https://bell.example/?a=1&b=2"),
        ("<guid>HTTPS://bell.example/1</guid>", "https://bell.example/1"),
        # a bare & stays what it is
        (
            "<link>https://bell.example/?a=1&copy=2&para=3&lang=en</link>",
            "https://bell.example/?a=1&copy=2&para=3&lang=en",
        ),
        ("<link>https://bell.example/?a=1&amp;copy=2</link><b>", "https://bell.example/?a=1&copy=2"),
        ("<link>https://bell.example/?a=1&copy=2</link><b>", "https://bell.example/?a=1&copy=2"),
        ("<link><![CDATA[https://bell.example/?a=1&copy=2]]></link>", "https://bell.example/?a=1&copy=2"),
        ("<link>www.bell.example/1</link>", "https://www.bell.example/1"),
        # relative to the site
        ("<link>/2026/1</link>", "https://bell.example/2026/1"),
        ("<link xml:base='https://other.example/a/'>1</link>", "https://other.example/a/1"),
        ("<link>//other.example/1</link>", "https://other.example/1"),
    ],
)
def test_an_entry_of_rss_leads_to_its_page(item: str, page: str) -> None:
    post = in_rss(f"<title>One</title>{item}")
    assert (post.url, post.title) == (page, "One")


@pytest.mark.parametrize(
    ("links_", "page"),
    [
        (
            "<link href='https://bell.example/1'/><link rel='enclosure'>https://files.example/1.jpg</link>",
            "https://bell.example/1",
        ),
        ("<link rel='enclosure'>https://files.example/1.jpg</link>", SITE),
        ("<link rel='self' href='https://api.example/1'/>", SITE),
        (f"{JSON}<link href='https://bell.example/1'/>", "https://bell.example/1"),
        (f"<link href='https://bell.example/1'/>{JSON}", "https://bell.example/1"),
        (JSON, "https://api.example/1"),
        (
            "<link rel='alternate' type='application/atom+xml' href='/1.atom'/><link type='text/plain' href='/1.txt'/>",
            "https://bell.example/1.txt",
        ),
        ("<link hreflang='es' href='/es/1'/><link hreflang='qu' href='/qu/1'/>", "https://bell.example/es/1"),
        (
            "<link rel='http://www.iana.org/assignments/relation/alternate' href='https://bell.example/1'/>",
            "https://bell.example/1",
        ),
        ("<link rel='via' href='https://other.example/1'/><link rel='related' href='https://other.example/2'/>", SITE),
        ("<id>https://bell.example/1</id>", "https://bell.example/1"),
        ("<id>tag:bell.example,2026:1</id>", SITE),
        ("<link href='/1'/>", "https://bell.example/1"),
    ],
)
def test_an_entry_of_atom_leads_to_its_page(links_: str, page: str) -> None:
    assert in_atom(links_).url == page


def test_an_opaque_guid_is_no_page_with_a_base_either() -> None:
    (post,) = posts(
        '<rss xml:base="https://bell.example/a/"><channel><item><title>x</title><guid>7</guid></item></channel></rss>'
    )
    assert post.url == URL
    assert in_atom("<id>7</id>", attributes="xml:base='https://bell.example/a/'").url == SITE


def test_a_feed_has_the_page_that_it_names() -> None:
    """And no other that stands in it."""
    for head, page in {
        "<link/><atom:link rel='self' href='https://bell.example/feed.xml'/>": "",
        "<link>https://bell.example/</link><atom:link rel='hub' href='https://hub.example/'/>": SITE,
        "<image><url>/a.png</url><link>https://other.example/</link></image><link>https://bell.example/</link>": SITE,
    }.items():
        assert document(rss("<title>x</title>", head)).link == page


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ("<link>/2026/1</link>", "//feeds.example/2026/1"),
        ("<link>https://count.example/x</link><pheedo:origLink>/1</pheedo:origLink>", "//count.example/x"),
        ("<guid>4de5</guid><link>/2026/1</link>", "4de5"),
        ("<guid>4de5</guid>", "4de5"),
    ],
)
def test_what_an_entry_is_called_does_not_depend_on_how_its_page_is_read(item: str, name: str) -> None:
    """As it was called before relative addresses were the site's: nothing comes again."""
    (post,) = posts(rss(f"<title>x</title>{item}"), address="https://feeds.example/bell")
    assert post.uri.endswith(f":{name}")


# --- bases ---


@pytest.mark.parametrize(
    ("where", "link"),
    [
        ("/about", "https://bell.example/about"),
        ("about", "https://bell.example/about"),
        ("?p=2", "https://bell.example/?p=2"),
        ("#fn1", "https://bell.example/2026/1?a=1&copy=2#fn1"),
        ("https://other.example/#fn1", "https://other.example/#fn1"),
    ],
)
def test_addresses_in_a_text_are_those_of_the_site(where: str, link: str) -> None:
    """Also where the feed is read from another host."""
    item = f"<link>/2026/1?a=1&amp;copy=2</link><description>&lt;a href='{where}'>x&lt;/a></description>{FILE}"
    for url in (URL, "https://feeds.example/bell"):
        (post,) = posts(rss(item), url=url)
        assert links(post) == [link]


def test_media_and_pictures_are_those_of_the_site() -> None:
    (post,) = posts(
        rss("<enclosure url='/1.mp3' type='audio/mpeg'/><itunes:image href='a.jpg'/>"), url="https://feeds.example/"
    )
    assert [(one.url, one.preview) for one in post.media] == [
        ("https://bell.example/1.mp3", "https://bell.example/a.jpg")
    ]


def test_what_an_entry_says_of_its_base_goes_first() -> None:
    text = "<content type='html' xml:base='https://other.example/a/'>&lt;a href='b'>x&lt;/a></content>"
    assert links(in_atom(text)) == ["https://other.example/a/b"]
    assert links(in_atom(text.replace("https://other.example", ""), url="https://bell.example/feeds/1")) == [
        f"{SITE}a/b"
    ]


def test_the_base_of_an_entry_holds_for_its_files() -> None:
    item = "<title>x</title><enclosure url='1.mp3' type='audio/mpeg'/>"
    (post,) = posts(rss(item).replace("<item>", "<item xml:base='https://other.example/a/'>"))
    assert [one.url for one in post.media] == ["https://other.example/a/1.mp3"]


def test_atom_is_relative_to_where_it_was_read_on_the_same_host_and_to_its_site_on_another() -> None:
    assert in_atom("<link href='1'/>", url="https://bell.example/blog/feed").url == "https://bell.example/blog/1"
    assert in_atom("<link href='1'/>", url="https://feeds.example/blog/feed").url == "https://bell.example/1"


# --- texts ---


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("&lt;![CDATA[some &lt;b&gt;rope&lt;/b&gt; text]]&gt;", "some rope text"),
        ("<![CDATA[<![CDATA[some <b>rope</b>]]>]]&gt;", "some rope"),
        ("&lt;![CDATA[&lt;![CDATA[some rope]]&gt;]]&gt;", "some rope"),
        ("<![CDATA[a ]]]]><![CDATA[> b]]>", "a ]]> b"),
        ("&lt;![CDATA[a]]&gt;&lt;![CDATA[b]]&gt;", "ab"),
        ("&lt;![CDATA[cut off", "cut off"),
        ("Before &lt;![CDATA[&lt;p>rope&lt;/p>]]&gt;", "Before\n\nrope"),
        ("&amp;lt;![CDATA[x]]&amp;gt;", "<![CDATA[x]]>"),
        # no tag at all: its lines are lines
        ("One\nTwo\n\nThree", "One\nTwo\n\nThree"),
        ("Rope &amp;amp; snow\n&lt;3 &amp;lt;b&amp;gt;", "Rope & snow\n<3 <b>"),
        ("One\r\nTwo", "One\nTwo"),
        ("\n      One\n      two\n\n      Three\n    ", "One two\n\nThree"),
        ("One\n two", "One two"),
        # HTML
        ("&lt;p>One\ntwo&lt;/p>\n\n&lt;p>Three&lt;/p>", "One two\n\nThree"),
        ("One&lt;br>two\n\nthree", "One\ntwo three"),
        ("One\ntwo &lt;a href='/x'>x&lt;/a>", "One two x (https://bell.example/x)"),
        (
            "One\ntwo &lt;a href='https://bell.example/x'>bell.example/x&lt;/a>\n\nThree",
            "One\ntwo bell.example/x\n\nThree",
        ),
        ("Snow &lt; rope", "Snow < rope"),
        (
            "Ask &lt;illa@bell.example>\nor &lt;https://bell.example/>",
            "Ask <illa@bell.example>\nor <https://bell.example/>",
        ),
    ],
)
def test_a_description_says_what_its_publisher_wrote(written: str, text: str) -> None:
    for tag in ("description", "content:encoded"):
        (post,) = posts(rss(f"<title>One</title><{tag}>{written}</{tag}>"))
        assert text_content(post.body).replace(" (https://bell.example/x)", "") == text.replace(
            " (https://bell.example/x)", ""
        )


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("<media:group><media:description>Rope\n\nSnow</media:description></media:group>", "Rope\n\nSnow"),
        ("<media:description>1 &lt; 2 &amp;amp; 3</media:description>", "1 < 2 & 3"),
        ("<media:description>&lt;p>Rope&lt;/p>\nSnow</media:description>", "Rope\n\nSnow"),
        ("<media:description type='html'>Rope\nSnow</media:description>", "Rope Snow"),
        ("<media:description>No</media:description><summary>Rope</summary>", "Rope"),
        ("<summary>Rope</summary><media:description>No</media:description>", "Rope"),
        ("<media:description>No</media:description><content type='html'>Rope</content>", "Rope"),
        ("<summary>Rope\nSnow</summary>", "Rope\nSnow"),
    ],
)
def test_what_is_said_of_a_film_is_plain_text_and_stands_for_a_text_that_is_missing(entry: str, text: str) -> None:
    assert text_content(in_atom(entry, attributes='xmlns:media="http://search.yahoo.com/mrss/"').body) == text


def test_a_title_is_unwrapped_too() -> None:
    assert in_rss("<title>&lt;![CDATA[Rope &amp;amp; snow]]&gt;</title>").title == "Rope & snow"
    assert in_atom("<content type='html'>&lt;![CDATA[&lt;b>Rope&lt;/b>]]&gt;</content>").body[0].spans[0].text == "Rope"
