"""From bytes to entries: encodings, broken documents, what is no feed."""

from __future__ import annotations

from datetime import timedelta
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.sources.feed_document import FeedDocument
from relay.sources.feed_parse import MANY
from relay.sources.feed_posts import note
from tests.support.feed_samples import FEEDS, NOW, document, posts, rss
from tests.support.thorough import examples


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("utf-8", ""),
        ("utf-8", "text/xml"),
        ("utf-8", "text/html"),
        ("utf-8", "application/octet-stream"),
        ("utf-8", "nonsense/\xe9"),
        ("latin-1", "application/rss+xml; charset=utf-8"),
        ("latin-1", ""),
        ("utf-16", "application/rss+xml"),
    ],
)
def test_a_wrong_encoding_is_seen_through(encoding: str, content_type: str) -> None:
    body = rss("<title>Qué año</title>").encode(encoding)
    assert posts(body, content_type=content_type)[0].title == "Qué año"


@pytest.mark.parametrize(
    "broken",
    [
        "\n\n  " + rss("<title>x</title>"),
        rss("<title>x&nbsp;</title>"),
        rss("<title>x\x0b</title>"),
        rss("<title>x</title><foo>"),
        rss("<title>x</title>") + "<script>advert()</script>",
        rss("<title>x</title>").replace("<rss ", "<rss foo=bar "),
        rss("<title>x</title>").removesuffix(">"),
    ],
)
def test_a_feed_that_is_not_well_formed_is_read_whole(broken: str) -> None:
    read = document(broken)
    assert not read.truncated
    assert [entry.title.text.strip() for entry in read.entries] == ["x"]


def test_the_last_entry_of_a_truncated_feed_is_left_for_later() -> None:
    whole = rss("<title>one</title>", "<title>two</title>", "<title>three</title>")
    for end in (whole.index("three"), whole.index("three</") + 5, whole.rindex("</item>")):
        read = document(whole[:end])
        assert read.truncated
        assert [entry.title.text for entry in read.entries] == ["one", "two"]
        assert "broke off" in note(read)


@pytest.mark.parametrize("body", ["", "plain words", "{}", "<html><body>x</body></html>", "\0\0\0", "<a/>"])
def test_what_is_no_feed_has_no_version(body: str) -> None:
    assert document(body) == FeedDocument(truncated=document(body).truncated)


def test_entities_are_not_expanded_without_end() -> None:
    laughs = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 9))
    read = document(f"<!DOCTYPE rss [<!ENTITY l0 'ha'>{laughs}]>" + rss("<title>&l8;</title>"))
    assert all(len(entry.title.text) <= 2000 for entry in read.entries)


def test_the_newest_of_too_many_entries_are_read() -> None:
    entries = [
        f"<guid>number {n:06}</guid><pubDate>{n % 28 + 1} Jan 2026 00:00:00 GMT</pubDate>" for n in range(MANY + 9)
    ]
    read = document(rss(*entries))
    assert len(read.entries) == MANY
    assert f"{MANY + 9} entries" in note(read)


def test_a_bridge_that_reports_its_own_trouble_publishes_nothing() -> None:
    body = rss("<title>Bridge returned error 0! (19999)</title>", "<title>real</title>")
    assert [post.title for post in posts(body)] == ["real"]
    assert "Bridge returned error" in note(document(body))


# --- anything at all ---

SEEDS = [path.read_bytes() for path in sorted(FEEDS.iterdir())]


@settings(max_examples=examples(150), deadline=None)
@given(st.data())
def test_no_document_raises(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(body)))
        body[start : start + data.draw(st.integers(0, 60))] = data.draw(st.binary(max_size=20))
    found = posts(bytes(body))
    assert len({post.uri for post in found}) == len(found)
    assert all(post.url.startswith("http") and post.published <= NOW + timedelta(minutes=15) for post in found)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.text(max_size=40), min_size=6, max_size=6))
def test_no_text_raises(texts: list[str]) -> None:
    names = ("guid", "link", "title", "description", "pubDate", "category")
    body = rss("".join(f"<{name}>{escape(text)}</{name}>" for name, text in zip(names, texts, strict=True)))
    posts(body.encode(errors="replace"))
