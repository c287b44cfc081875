"""Feeds as text, and what becomes of them, for the tests of the rooms that read feeds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from relay.model import Post
from relay.sources.feed_document import FeedDocument
from relay.sources.feed_posts import EntryPost, read_items, setting_of
from relay.sources.feed_read import read

FEEDS = Path(__file__).parents[1] / "data" / "feeds"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://bell.example/feed.xml"


def rss(*items: str, channel: str = "<title>The Village Bell</title><link>https://bell.example/</link>") -> str:
    spaces = (
        'xmlns:media="http://search.yahoo.com/mrss/" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    )
    body = "".join(f"<item>{item}</item>" for item in items)
    return f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0" {spaces}><channel>{channel}{body}</channel></rss>'


def atom(*entries: str) -> str:
    body = "".join(f"<entry>{entry}</entry>" for entry in entries)
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>The Village Bell</title>{body}</feed>'


def document(body: bytes | str, content_type: str = "") -> FeedDocument:
    return read(body.encode() if isinstance(body, str) else body, content_type)


def items(body: bytes | str, *, address: str = URL, url: str = "", content_type: str = "") -> tuple[EntryPost, ...]:
    read = document(body, content_type)
    return read_items(read, setting_of(read, address=address, url=url or address, now=NOW))


def posts(body: bytes | str, *, address: str = URL, url: str = "", content_type: str = "") -> list[Post]:
    return [item.post for item in items(body, address=address, url=url, content_type=content_type)]


def only(*parts: str) -> Post:
    (post,) = posts(rss("".join(parts)))
    return post
