"""What hostile servers send: each kind of text in every field, and documents whose shape is the harm."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

from tests.support.hostile import Kind

Json = dict[str, Any]

FIRST = 114_000_000_000_000_000
WHEN = "2026-03-01T12:00:00Z"
DID = "did:plc:" + "a" * 24


def _dumped(value: object) -> bytes:
    """As servers write it; half a pair of surrogates can only be written escaped."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


# --- Mastodon ---


def status(base: str, number: int = 0, **changes: Any) -> Json:
    account = {"id": "1", "acct": "illa", "username": "illa", "display_name": "Illa", "uri": f"{base}/users/illa"}
    usual = {
        "id": str(FIRST + number * 65_536),
        "uri": f"{base}/users/illa/statuses/{FIRST + number * 65_536}",
        "url": f"{base}/@illa/{FIRST + number * 65_536}",
        "created_at": WHEN,
        "visibility": "public",
        "content": "<p>#qeswachaka</p>",
        "tags": [{"name": "qeswachaka"}],
        "account": account,
    }
    return {**usual, **changes}


def statuses(base: str, kind: Kind, length: int, many: int) -> bytes:
    text, name = kind(length), kind(length // 10)
    account = status(base)["account"] | {
        "display_name": name,
        "note": name,
        "acct": name[:2_000],
        "avatar": name,
        "fields": [{"name": name[:5_000], "value": name}] * 4,
    }
    fields = {
        "content": text,
        "spoiler_text": name,
        "language": name[:5_000],
        "account": account,
        "tags": [{"name": "qeswachaka"}, *({"name": name[:200]} for _ in range(20))],
        "mentions": [{"id": "2", "url": name[:200]}] * 20,
        "media_attachments": [{"type": "image", "url": f"{base}/a.png", "description": name}] * 4,
        "poll": {"options": [{"title": name[:5_000]}] * 4},
        "card": {"url": f"{base}/c", "title": name, "description": name, "image": name},
    }
    return _dumped([status(base, number, **fields) for number in reversed(range(many))])


def _within(base: str, field: str, value: bytes) -> bytes:
    """A status with a field of raw JSON."""
    return b"[" + _dumped(status(base))[:-1] + b',"' + field.encode() + b'":' + value + b"}]"


def _list(item: bytes, size: int) -> bytes:
    return b"[" + item + (b"," + item) * (size // (len(item) + 1)) + b"]"


def _quoted(base: str, size: int) -> bytes:
    head = _dumped(status(base))[:-1] + b',"quote":{"state":"accepted","quoted_status":'
    times = min(size // (len(head) + 3), 400)
    return b"[" + head * times + _dumped(status(base)) + b"}}" * times + b"]"


SHAPES: Mapping[str, Callable[[str, int], bytes]] = {
    "a list of numbers": lambda _, size: _list(b"0", size),
    "a list of objects": lambda _, size: _list(b"{}", size),
    "a list of ids": lambda _, size: b"[" + b",".join(b'{"id":%d}' % n for n in range(size // 16)) + b"]",
    "open lists": lambda _, size: b"[" * size,
    "nested lists": lambda _, size: b"[" * (size // 2) + b"]" * (size // 2),
    "nested lists in a status": lambda base, size: _within(base, "tags", b"[" * (size // 2) + b"]" * (size // 2)),
    "nested objects": lambda base, size: _within(base, "poll", b'{"a":' * (size // 6) + b"0" + b"}" * (size // 6)),
    "tags": lambda base, size: _within(base, "tags", _list(b'{"name":"qeswachaka"}', size)),
    "different tags": lambda base, size: _within(
        base, "tags", b"[" + b",".join(b'{"name":"t%d"}' % n for n in range(size // 20)) + b"]"
    ),
    "mentions": lambda base, size: _within(base, "mentions", _list(b'{"id":"2","url":"https://a.example/"}', size)),
    "pictures": lambda base, size: _within(base, "media_attachments", _list(b'{"url":"https://a.example/b"}', size)),
    "choices": lambda base, size: _within(base, "poll", b'{"options":' + _list(b'{"title":"a"}', size) + b"}"),
    "unknown fields": lambda base, size: _within(
        base, "more", b"{" + b",".join(b'"k%d":0' % n for n in range(size // 11)) + b"}"
    ),
    "one field often": lambda base, size: _within(base, "a", b"0" + b',"content":"a"' * (size // 14)),
    "a long number": lambda base, size: _within(base, "favourites_count", b"1" * size),
    "a long id": lambda base, size: _within(base, "id", b"1" * size),
    "a long date": lambda base, size: _within(base, "created_at", b'"' + b"1" * size + b'"'),
    "escapes": lambda base, size: _within(base, "content", b'"' + b"\\u00e9" * (size // 6) + b'"'),
    "half pairs": lambda base, size: _within(base, "content", b'"' + b"\\ud800" * (size // 6) + b'"'),
    "no UTF-8": lambda base, size: _within(base, "content", b'"' + b"\xff" * size + b'"'),
    "no UTF-8 and a list": lambda base, size: _within(base, "a", b'"\xff","tags":' + _list(b'{"a":[]}', size)),
    "white space": lambda _, size: b" " * size,
    "quotes in quotes": _quoted,
}
"""Documents of a Mastodon server whose shape is the harm, of about so many bytes."""


# --- Misskey ---


def notes(base: str, kind: Kind, length: int, many: int) -> bytes:
    del base
    text, name = kind(length), kind(length // 10)
    user = {"id": "u", "username": "illa", "name": name, "description": name, "avatarUrl": name}
    note = {
        "createdAt": WHEN,
        "text": text,
        "cw": name,
        "visibility": "public",
        "user": user,
        "tags": ["qeswachaka", *[name[:200]] * 20],
        "files": [{"url": "https://a.example/b.png", "type": "image/png", "comment": name}] * 4,
        "poll": {"choices": [{"text": name[:5_000]}] * 4},
    }
    return _dumped([note | {"id": f"9z{number:08d}"} for number in range(many)])


# --- Bluesky ---


def record(kind: Kind, length: int) -> Json:
    text, name = kind(length), kind(length // 10)
    mark = {"index": {"byteStart": 0, "byteEnd": length}, "features": _features(name)}
    return {
        "$type": "app.bsky.feed.post",
        "createdAt": WHEN,
        "text": text,
        "langs": [name[:200]] * 5,
        "tags": ["qeswachaka", *[name[:200]] * 20],
        "facets": [mark] * 10,
        "bridgyOriginalText": text,
        "embed": {"$type": "app.bsky.embed.external", "external": {"uri": "https://a.example", "title": name}},
    }


def _features(name: str) -> list[Json]:
    kind = "app.bsky.richtext.facet#"
    return [{"$type": f"{kind}tag", "tag": name[:1_000]}, {"$type": f"{kind}link", "uri": name[:1_000]}]


def views(kind: Kind, length: int, many: int) -> bytes:
    name = kind(length // 10)
    author = {"did": DID, "handle": "illa.example", "displayName": name, "description": name, "avatar": name}
    said = record(kind, length)
    feed = [
        {"post": {"uri": f"at://{DID}/app.bsky.feed.post/3k{n}", "author": author, "record": said, "indexedAt": WHEN}}
        for n in range(many)
    ]
    return _dumped({"feed": feed})


def thread(kind: Kind, length: int, many: int) -> bytes:
    posts = [one["post"] for one in json.loads(views(kind, length, many))["feed"]]
    replies = [{"$type": "app.bsky.feed.defs#threadViewPost", "post": post} for post in posts[1:]]
    return _dumped({"thread": {"post": posts[0], "replies": replies}})


def commit(kind: Kind, length: int, time_us: int) -> bytes:
    operation = {
        "operation": "create",
        "collection": "app.bsky.feed.post",
        "rkey": f"3k{time_us}",
        "rev": str(time_us),
        "cid": "a",
        "record": record(kind, length),
    }
    return _dumped({"did": DID, "time_us": time_us, "kind": "commit", "commit": operation})


def facets(many: int) -> Json:
    """A post each of whose marks covers the whole text."""
    text = "a" * 3_000
    mark = {"index": {"byteStart": 0, "byteEnd": 3_000}, "features": _features("t")}
    return {"$type": "app.bsky.feed.post", "createdAt": WHEN, "text": text, "facets": [mark] * many}


# --- feeds ---


def feed(kind: Kind, length: int, many: int) -> bytes:
    """RSS with the kind in each element; what XML cannot hold is left out."""
    text, name = (_xml(kind(size)) for size in (length, length // 10))
    item = (
        f"<item><guid>{{n}}-{name[:500]}</guid><title>{name}</title><link>https://a.example/{{n}}</link>"
        f"<author>{name}</author><category>{name}</category><pubDate>Sun, 01 Mar 2026 12:00:00 GMT</pubDate>"
        f"<description>{text}</description></item>"
    )
    items = "".join(item.replace("{n}", str(number)) for number in range(many))
    return f'<rss version="2.0"><channel><title>{name}</title><link>https://a.example/</link>{items}</channel></rss>'.encode()


def _xml(text: str) -> str:
    return escape("".join(letter for letter in text if letter in "\t\n\r" or (letter >= " " and letter != "\ud800")))


_CHANNEL = b"<rss version='2.0'><channel><title>t</title>"
_END = b"</channel></rss>"
_JSON = b'{"version":"https://jsonfeed.org/version/1.1","items":'

FEEDS: Mapping[str, Callable[[int], bytes]] = {
    "attributes": lambda size: (
        _CHANNEL + b"<item " + b" ".join(b"a%d='b'" % n for n in range(size // 12)) + b"/>" + _END
    ),
    "elements": lambda size: _CHANNEL + b"<a/>" * (size // 4) + _END,
    "nested elements": lambda size: _CHANNEL + b"<a>" * (size // 7) + b"</a>" * (size // 7) + _END,
    "items": lambda size: _CHANNEL + b"<item><guid>a</guid></item>" * (size // 27) + _END,
    "different items": lambda size: (
        _CHANNEL
        + b"".join(b"<item><guid>%d</guid><title>t%d</title></item>" % (n, n) for n in range(size // 50))
        + _END
    ),
    "entities": lambda size: b"<!DOCTYPE a [" + b"<!ENTITY a 'b'>" * (size // 15) + b"]>" + _CHANNEL + _END,
    "name spaces": lambda size: (
        b"<rss " + b" ".join(b"xmlns:a%d='b%d'" % (n, n) for n in range(size // 22)) + b"><channel/></rss>"
    ),
    "long dates": lambda size: _CHANNEL + b"<item><pubDate>" + b"1 " * (size // 2) + b"</pubDate></item>" + _END,
    "brackets": lambda size: _CHANNEL + b"<![CDATA[" * (size // 9) + _END,
    "open tags": lambda size: _CHANNEL + b"<" * size,
    "a web page": lambda size: b"<html>" + b"<link rel=alternate href=a>" * (size // 27),
    "a web page of comments": lambda size: b"<!-- " * (size // 5) + b"<html>",
    "a web page of boxes": lambda size: b"<html>" + b"<div>" * (size // 5),
    "a JSON feed": lambda size: (
        b'{"version":"https://jsonfeed.org/version/1.1","items":' + _list(b'{"id":"a"}', size) + b"}"
    ),
    "a nested JSON feed": lambda size: b'{"version":"https://jsonfeed.org/version/1.1","items":' + b"[" * size,
    "many links": lambda size: (
        _CHANNEL
        + b"<item><guid>a</guid><description>"
        + b"".join(b"&lt;a href='https://a.example/%d'&gt;part 2&lt;/a&gt; " % n for n in range(size // 60))
        + b"</description></item>"
        + _END
    ),
}
"""Feeds whose shape is the harm, of about so many bytes."""
