"""JSON Feed 1.0 and 1.1: what can be read is read, whatever stands around it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model import MediaKind, Post
from relay.sources.feed_document import FeedDocument
from relay.sources.feed_json import is_json, parse_json
from relay.sources.feed_posts import read_items, setting_of
from relay.text import plain
from tests.support.feed_samples import NOW, URL
from tests.support.thorough import examples

VERSION = "https://jsonfeed.org/version/1.1"


def feed(*items: object, **more: object) -> bytes:
    return json.dumps({"version": VERSION, "title": "The Village Bell", "items": items, **more}).encode()


def posts(body: bytes) -> list[Post]:
    document = parse_json(body)
    return [item.post for item in read_items(document, setting_of(document, address=URL, url=URL, now=NOW))]


def only(**item: object) -> Post:
    (post,) = posts(feed({"id": "number one", **item}))
    return post


def test_a_feed_is_read() -> None:
    body = feed(
        {
            "id": "https://bell.example/2",
            "url": "https://bell.example/2",
            "title": "Snow & rope",
            "content_html": "<p>See <a href='/map'>the map</a>.</p>",
            "content_text": "See the map.",
            "date_published": "2026-03-01T09:00:00+01:00",
            "date_modified": "2026-03-01T10:00:00Z",
            "authors": [{"name": "Illa"}, {"name": "Sami"}],
            "tags": ["rope", "Rope", "bridge"],
            "language": "qu",
            "image": "https://bell.example/2.jpg",
            "attachments": [{"url": "/2.mp3", "mime_type": "audio/mpeg"}],
        },
        home_page_url="https://bell.example/",
        feed_url=URL,
        hubs=[{"type": "rssCloud", "url": "https://cloud.example/"}, {"type": "WebSub", "url": "https://hub.example/"}],
    )
    document = parse_json(body)
    assert (document.version, document.link, document.topic) == ("json1.1", "https://bell.example/", URL)
    assert document.hubs == ("https://hub.example/",)
    (post,) = posts(body)
    assert (post.uri, post.url) == ("rss:bell.example/feed.xml?:https://bell.example/2", "https://bell.example/2")
    assert (post.title, plain(post.body)) == ("Snow & rope", "See the map (https://bell.example/map).")
    assert post.body[0].spans[1].link == "https://bell.example/map"
    assert (post.author.name, post.language, post.tags) == ("Illa, Sami", "qu", ("rope", "bridge"))
    assert post.published == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert post.edited == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert [(media.url, media.kind, media.preview) for media in post.media] == [
        ("https://bell.example/2.mp3", MediaKind.AUDIO, "https://bell.example/2.jpg")
    ]


@pytest.mark.parametrize(
    ("item", "body"),
    [
        ({"content_text": "1 < 2\n\n<b>"}, "1 < 2\n\n<b>"),
        ({"content_html": "<p>1 &lt; 2", "content_text": "x"}, "1 < 2"),
        ({"content_html": "", "content_text": "x"}, "x"),
        ({"summary": "short"}, "short"),
        ({"content_text": 7, "summary": "short"}, "short"),
        ({"content_text": None}, ""),
        ({"content_text": "One\nTwo\n\nThree"}, "One\nTwo\n\nThree"),
        ({"content_html": "One &amp; two\nThree"}, "One & two\nThree"),
    ],
)
def test_the_body_is_the_richest_text(item: dict[str, object], body: str) -> None:
    assert plain(only(**item).body) == body


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ({"author": {"name": "Illa"}}, "Illa"),
        ({"authors": [{"url": "https://illa.example"}]}, "https://illa.example"),
        ({"authors": [], "author": {"name": "Illa"}}, "Illa"),
        ({"authors": "Illa"}, "Illa"),
        ({"authors": ["Illa", {"name": "Sami"}]}, "Illa, Sami"),
        ({"authors": {"name": "Illa"}}, "Illa"),
        ({"authors": {"0": {"name": "Illa"}, "1": {"name": "Sami"}}}, "Illa, Sami"),
        ({"author": "Illa"}, "Illa"),
        ({"author": [{"name": "Illa"}]}, "Illa"),
        ({"authors": [7, None], "author": {"name": "Illa"}}, "Illa"),
        ({}, "The Village Bell"),
    ],
)
def test_an_author_has_a_name(item: dict[str, object], name: str) -> None:
    assert only(title="x", **item).author.name == name


def test_the_authors_of_the_feed_are_those_of_its_items() -> None:
    assert posts(feed({"id": "1", "title": "x"}, authors=[{"name": "Sami"}]))[0].author.name == "Sami"


@pytest.mark.parametrize(
    ("given", "guid"), [(12, "12"), (1.5, "1.5"), ("x", "x"), (True, ""), (None, ""), ({}, ""), ("\ud83d", "?")]
)
def test_an_id_may_be_a_number(given: object, guid: str) -> None:
    (entry,) = parse_json(feed({"id": given, "title": "x"})).entries
    assert entry.guid == guid


def test_an_external_link_stands_in_for_a_missing_one() -> None:
    assert only(external_url="https://valle.example/1").url == "https://valle.example/1"
    assert only(external_url="https://valle.example/1", url="https://bell.example/1").url == "https://bell.example/1"


@pytest.mark.parametrize("date", ["", "yesterday", 7, None, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_date_that_cannot_be_is_now(date: object) -> None:
    assert only(title="x", date_published=date).published == NOW


def test_items_that_cannot_be_read_do_not_hide_the_others() -> None:
    body = feed({"id": "1", "title": "x"}, 7, None, [], "text", {}, {"id": ["a"]}, {"id": "2", "title": {"a": 1}})
    assert [entry.guid for entry in parse_json(body).entries] == ["1", "2"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"{" * 100_000,
        b'{"items": [{"id": "1"}]}',
        b'{"version": 1.1, "items": [{"id": "1"}]}',
        b'{"version": "https://jsonfeed.org/version/1.1", "items": "1"}',
        b"\xff\xfe{",
    ],
)
def test_what_is_no_feed_has_no_entries(body: bytes) -> None:
    assert parse_json(body).entries == ()


def test_what_is_not_quite_json_is_read_all_the_same() -> None:
    item = {"id": "1", "title": "año"}
    assert posts(b"\xef\xbb\xbf" + feed(item))[0].title == "año"
    assert posts(feed(item).replace(b"\\u00f1", b"\xc3\xb1\xff"))[0].title == "a\u00f1\ufffdo"
    assert posts(feed(item).replace(b"\\u00f1", b"\\ud83d"))[0].title == "a?o"
    assert posts(feed(item).replace(b"\\u00f1", b"\t"))[0].title == "a o"


WHOLE = f'{{"version": "{VERSION}", "items": [{{"id": "1", "title": "a // b, ] /* c */", "tags": ["x"]}}]}}'


@pytest.mark.parametrize(
    "text",
    [
        WHOLE.replace("}]}", "},]}"),
        WHOLE.replace("}]}", "}]\n,\n}"),
        WHOLE.replace('["x"]', '["x", ]'),
        WHOLE.replace('"items"', '// "items": []\n"items"'),
        WHOLE.replace('"items"', '/* "items": [ */"items"'),
        "// by hand\n/* { */ " + WHOLE,
        "\ufeff" + WHOLE,
        "\0" + WHOLE + "\0",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_what_people_write_by_hand_is_read_whole(text: str, encoding: str) -> None:
    body = text.encode(encoding)
    document = parse_json(body)
    assert is_json(body)
    assert not document.truncated
    (entry,) = document.entries
    assert (entry.title.text, entry.tags) == ("a // b, ] /* c */", ("x",))


def test_items_may_stand_in_an_object() -> None:
    body = json.dumps({"version": VERSION, "items": {"0": {"id": "1", "title": "x"}, "7": {"id": "2", "title": "y"}}})
    assert [entry.guid for entry in parse_json(body.encode()).entries] == ["1", "2"]
    body = json.dumps({"version": VERSION, "items": {"id": "1", "title": "x"}})
    assert [entry.guid for entry in parse_json(body.encode()).entries] == ["1"]


@pytest.mark.parametrize(
    ("date", "read"),
    [
        ("Sun, 01 Mar 2026 09:00:00 CET", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01 09:00", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        (1772355600, datetime(2026, 3, 1, 9, tzinfo=UTC)),
        (1772355600000, datetime(2026, 3, 1, 9, tzinfo=UTC)),
        (1772355600.5, datetime(2026, 3, 1, 9, tzinfo=UTC)),
    ],
)
def test_a_date_may_be_written_as_elsewhere(date: object, read: datetime) -> None:
    assert only(title="x", date_published=date).published.replace(microsecond=0) == read


def test_tags_may_stand_in_one_line() -> None:
    assert only(title="x", tags="rope, snow").tags == ("rope", "snow")


def test_of_the_files_of_one_title_one_is_taken() -> None:
    files = [
        {"url": "/1.mp3", "mime_type": "audio/mpeg", "title": "One", "size_in_bytes": 9_000_000},
        {"url": "/2.mp3", "mime_type": "audio/mpeg", "title": "Two"},
        {"url": "/1.opus", "mime_type": "audio/ogg", "title": "One", "size_in_bytes": 90_000_000},
        {"url": "/3.mp3", "mime_type": "audio/mpeg"},
        {"url": "/4.mp3", "mime_type": "audio/mpeg"},
    ]
    names = [media.url.rpartition("/")[2] for media in only(title="x", attachments=files).media]
    assert names == ["1.mp3", "2.mp3", "3.mp3", "4.mp3"]
    assert len(only(title="x", attachments=files[0]).media) == 1


@pytest.mark.parametrize(("guid", "page"), [("https://bell.example/1", "https://bell.example/1"), ("1", URL)])
def test_an_id_is_a_page_where_it_is_an_address(guid: str, page: str) -> None:
    assert posts(feed({"id": guid, "title": "x"}))[0].url == page


def test_of_a_feed_that_breaks_off_the_whole_items_are_read() -> None:
    body = feed(*({"id": f"number {n}", "title": "x"} for n in range(3)))
    for end in (body.index(b'"number 2') + 4, len(body) - 4):
        document = parse_json(body[:end])
        assert document.truncated
        assert [entry.guid for entry in document.entries] == ["number 0", "number 1"]
    assert not parse_json(body).truncated


@pytest.mark.parametrize(("body", "found"), [(b" {", True), (b"\xef\xbb\xbf\n{", True), (b"<", False), (b"[", False)])
def test_json_is_known_by_its_first_character(body: bytes, found: bool) -> None:
    assert is_json(body) is found


_KEYS = (
    "id url external_url title content_html content_text summary image banner_image date_published date_modified "
    "author authors tags language attachments version items hubs name mime_type"
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=8), st.just(VERSION)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(_KEYS.split()), inner, max_size=6)
    ),
    max_leaves=20,
)


@settings(max_examples=examples(200), deadline=None)
@given(_JSON, st.lists(_JSON, max_size=4))
def test_no_json_raises(whole: Any, items: list[Any]) -> None:
    assert isinstance(parse_json(json.dumps(whole).encode()), FeedDocument)
    body = feed(*items, {"id": "the last one", "title": "x"})
    assert parse_json(body).entries[-1].guid == "the last one"
    for post in posts(body):
        assert post.url.startswith("http")


@settings(max_examples=examples(200), deadline=None)
@given(st.data())
def test_no_damage_raises(data: st.DataObject) -> None:
    body = bytearray(feed({"id": "1", "title": "año", "tags": ["a"]}, {"id": "2", "content_html": "<p>x</p>"}))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(body)))
        body[start : start + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=8))
    posts(bytes(body))
