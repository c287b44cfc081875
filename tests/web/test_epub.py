"""The book of a thread, judged by EPUBCheck where there is Java, and by what it found out."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from relay.model import LinkCard, Media, MediaKind, Poll, PollOption, Post, Quote, Removed
from relay.rich import Block, Form, Span, SpanStyle, Text
from relay.testing import author, post, rich_post, text
from relay.text import from_html, safe_url
from relay.web.epub import epub
from relay.web.thread_view import ThreadReading
from tests.servers.epubcheck import judged
from tests.support.reader import PICTURE
from tests.support.rendered import TEXTS

XHTML = "{http://www.w3.org/1999/xhtml}"
MARKUP = (
    '<h2>Ropes</h2><p>Some <b>bold</b> <i>words</i>, <a href="https://x.example/ü?a=1&amp;b=[2]#c#d">a link</a>,<br>'
    '<a href="mailto:illa@ayllu.example">mail</a> and <code>x &lt; y</code>.</p><hr>'
    "<pre><code>if a &amp;&amp; b</code></pre>"
    "<blockquote><p>Said.</p><blockquote><p>Said again.</p></blockquote></blockquote>"
    "<ol start=3><li>three<ul><li>deep</li></ul></li><li>four</li></ol>"
)
HIDDEN: Text = (Block((Span("It falls.", marks=(SpanStyle.SPOILER,)),)), Block((), form=Form.RULE))
PLAYED = Media(url="https://media.example/v.mp4", kind=MediaKind.VIDEO, alt="V", preview="https://media.example/p.png")
ADDRESSES = (
    "https://x.example/a[b]?c[]=d|e#f#g",
    "https://x.example/%zz%4",
    "https://x.example/'q'?a=1&b=2&amp;c",
    "https://a..b.example/",
    "https://x.example:99999/",
    "https://xn--.example/",
    f"https://{'a' * 70}.example/",
    "https://[::1]:80/x",
    "https://ü.example:8080/ü",
    "https://xn--strae-oqa.example/",
    "https://a_b.example",
    "https://1.2.3.400/",
    "mailto:a%20b@c.example",
)
WHOLE = (
    rich_post(1),
    post(2, warning="heights", sensitive=True, media=(PICTURE, replace(PICTURE, alt=""), PLAYED)),
    post(
        3,
        poll=Poll(options=(PollOption(text="Rope", votes=3), PollOption(text="Iron & steel")), votes=3),
        quote=Quote(url=post(90).url, author=author("Sami"), body=from_html(MARKUP), media=(PICTURE,)),
    ),
    Removed(post(4).uri),
    post(5, language="ar", title="الجسر", body=text("مرحبا بالعالم", "الجسر قائم.")),
    post(6, language="he", body=text("שלום עולם")),
    post(7, body=from_html(MARKUP), quote=Quote(url="https://q.example/1")),
    post(8, body=HIDDEN, link_card=LinkCard(url="https://l.example/?a=1&b=2", title="")),
    post(10, body=tuple(Block((Span("x", link=safe_url(one)),)) for one in ADDRESSES)),
    post(11, body=(), title="<Only> a title", url="at://did:plc:x/app.bsky.feed.post/1"),
)


def book(*posts: Post | Removed, language: str = "en") -> ThreadReading:
    return ThreadReading(posts=posts, language=language)


def element(reading: ThreadReading, file: str, path: str) -> ET.Element:
    made = zipfile.ZipFile(io.BytesIO(epub(reading)))
    found = ET.fromstring(made.read(file)).find(path)  # noqa: S314 - our own
    assert found is not None
    return found


@pytest.mark.real
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "reading",
    [
        pytest.param(
            ThreadReading(
                posts=WHOLE,
                asides=((post(20), post(21, title="Beside it")), (post(30, body=from_html(MARKUP)),)),
                updated=post(1).published + timedelta(days=1),
            ),
            id="one of everything",
        ),
        pytest.param(book(post(1, language="ar-u-x", title="الجسر", body=text("مرحبا"))), id="from right to left"),
        pytest.param(
            book(post(1, language="", author=replace(author(), name="", handle="")), language=""), id="nobody"
        ),
    ],
)
def test_epubcheck_finds_nothing(epubcheck: Path, reading: ThreadReading) -> None:
    assert judged(epub(reading), epubcheck) == []


@pytest.mark.real
@pytest.mark.timeout(180)
@settings(max_examples=2, deadline=None, phases=[Phase.generate])  # each is a start of Java
@given(st.lists(TEXTS, min_size=20, max_size=30))
def test_epubcheck_finds_nothing_whatever_people_write(epubcheck: Path, bodies: list[Text]) -> None:
    said = book(*(post(number, body=body, title="<&>\u0007") for number, body in enumerate(bodies, 1)))
    assert judged(epub(said), epubcheck) == []


@pytest.mark.parametrize(
    ("link", "written"),
    [
        ("https://x.example/a[b]?c[]=d#f#g", "https://x.example/a%5Bb%5D?c%5B%5D=d#f%23g"),
        ("https://x.example/%zz%41", "https://x.example/%25zz%41"),
        ("https://[::1]:80/x", "https://[::1]:80/x"),
        ("https://ü.example/?a=1&b='2'", "https://ü.example/?a=1&b='2'"),
        ("https://xn--strae-oqa.example/", "https://xn--strae-oqa.example/"),
        ("mailto:illa@ayllu.example", "mailto:illa@ayllu.example"),
        ("https://a..b.example/", None),
        ("https://x.example:99999/", None),
        ("https://xn--.example/", None),
    ],
)
def test_addresses_are_written_as_readers_of_books_take_them(link: str, written: str | None) -> None:
    there = element(
        book(post(1, body=(Block((Span("there", link=link),)),))), "thread.xhtml", f".//{XHTML}a[.='there']"
    )
    assert there.get("href") == written
    assert ("rel" in there.attrib) is (written is not None)


@pytest.mark.parametrize(
    ("said", "relays", "told"),
    [
        ("es", "en", "es"),
        ("zh-Hant-TW", "en", "zh-Hant-TW"),
        ("zh-cmn-Hans", "en", "zh"),
        ("x_odd tag", "en", "en"),
        ("", "", "und"),
    ],
)
def test_a_book_names_a_language(said: str, relays: str, told: str) -> None:
    reading = book(post(1, language=said), language=relays)
    assert element(reading, "book.opf", ".//{http://purl.org/dc/elements/1.1/}language").text == told
    assert element(reading, "thread.xhtml", ".").get("lang") == told


def test_a_book_has_a_title_and_names_no_empty_author() -> None:
    reading = book(post(1, author=replace(author(), name="\u202e", handle="")))
    package = element(reading, "book.opf", ".")
    words = [(one.tag.rpartition("}")[2], one.text) for one in package.iter() if "elements/1.1" in one.tag]
    assert ("title", post(1).url) in words
    assert all(text for _, text in words)
