"""What the server tells: accounts, statuses and their hashtags, in the API's shape."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from tests.servers.mastodon.entities import Json, stamp

_START = datetime.now(UTC)
FIRST_ID = int(_START.timestamp() * 1000) << 16
"""As the real server makes them: the time in ms, and 16 bits below it."""


def account(number: str, who: str, acct: str, home: str) -> Json:
    return {
        "id": number,
        "username": who,
        "acct": acct,
        "display_name": who.title(),
        "bot": False,
        "discoverable": True,
        "indexable": False,
        "noindex": False,
        "note": "<p>Writes about rivers.</p>",
        "url": f"{home}/@{who}",
        "uri": f"{home}/users/{who}",
        "avatar": f"{home}/avatars/{who}.gif",
        "avatar_static": f"{home}/avatars/{who}.png",
        "created_at": "2024-03-01T00:00:00.000Z",
        "emojis": [],
        "fields": [],
    }


def status(number: int, text: str, author: Json, home: str, base: str) -> Json:
    tags = dict.fromkeys(re.findall(r"#(\w+)", text))
    return {
        "id": str(number),
        "created_at": stamp(_START + timedelta(milliseconds=(number - FIRST_ID) >> 16)),
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": f"{author['uri']}/statuses/{number}",
        "url": f"{home}/@{author['username']}/{number}",
        "replies_count": 0,
        "edited_at": None,
        "content": content(text, base),
        "reblog": None,
        "account": author,
        "media_attachments": [],
        "mentions": [],
        "tags": [{"name": tag, "url": f"{base}/tags/{tag.lower()}"} for tag in tags],
        "emojis": [],
        "quote": None,
        "card": None,
        "poll": None,
    }


def content(text: str, base: str) -> str:
    linked = re.sub(
        r"#(\w+)",
        lambda m: f'<a href="{base}/tags/{m[1].lower()}" class="mention hashtag" rel="tag">#<span>{m[1]}</span></a>',
        text,
    )
    return f"<p>{linked}</p>"


def carried_over(parent: Json, author: Json) -> str:
    """In an author's chain under somebody else's post the real server names that somebody all the way down."""
    same = parent["account"]["id"] == author["id"]
    return str(parent["in_reply_to_account_id"] if same and parent["in_reply_to_id"] else parent["account"]["id"])


def rss(statuses: Iterable[Json]) -> bytes:
    """A hashtag's feed as Mastodon writes it."""
    items = "".join(_item(one) for one in statuses)
    namespaces = 'xmlns:webfeeds="http://webfeeds.org/rss/1.0" xmlns:media="http://search.yahoo.com/mrss/"'
    return f'<?xml version="1.0"?><rss version="2.0" {namespaces}><channel>{items}</channel></rss>'.encode()


def _item(one: Json) -> str:
    warning = one["spoiler_text"]
    before = f"<p><strong>Content warning:</strong> {warning}</p><hr />" if warning else ""
    media = "".join(_media(each) for each in one["media_attachments"])
    tags = "".join(f"<category>{tag['name']}</category>" for tag in one["tags"])
    at = datetime.fromisoformat(one["created_at"]).strftime("%a, %d %b %Y %H:%M:%S +0000")
    return (
        f'<item><guid isPermaLink="true">{one["url"]}</guid><link>{one["url"]}</link><pubDate>{at}</pubDate>'
        f"<description>{escape(before + one['content'])}</description>{media}{tags}</item>"
    )


def _media(each: Json) -> str:
    rating = '<media:rating scheme="urn:simple">nonadult</media:rating>'
    alt = f'<media:description type="plain">{escape(each["description"] or "")}</media:description>'
    return f'<media:content url="{each["url"]}" type="image/png" medium="image">{rating}{alt}</media:content>'
