"""People and posts, and what a Mastodon server says of them.

The functions answer entities in the shape of docs.joinmastodon.org/entities as version 4.6 sends them, keys in its
order, so that this file reads as a short description of that API. Nothing here knows a socket or a clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from math import inf
from typing import Any
from unicodedata import combining, normalize
from zlib import crc32

Json = dict[str, Any]

_TOKEN = re.compile(
    r"(?P<url>https?://[^\s<>«»]*[^\s<>«».,;:!?)])"
    r"|(?<![\w/])#(?P<tag>\w*[^\W\d_]\w*)"
    r"|(?<![\w/])@(?P<name>[a-z0-9_]+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account of the server."""

    username: str
    name: str
    note: str
    joined: datetime

    @property
    def id(self) -> int:
        return snowflake(self.joined) + crc32(self.username.encode()) % 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture by the name of its file; ``alt`` is its description in words."""

    file: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an author types: plain text with ``#tags``, ``@names``, addresses, and blank lines between paragraphs."""

    author: str
    text: str
    name: str = ""
    """What the test calls the post; ``reply_to`` and ``quote`` take such a name, or an id."""
    reply_to: str = ""
    quote: str = ""
    warning: str = ""
    language: str = "en"
    visibility: str = "public"
    picture: Picture | None = None
    ago: timedelta = timedelta(0)
    """How long before it became visible the post says it was written."""


def snowflake(at: datetime) -> int:
    """The least id of a post made at this time: milliseconds since 1970, then 16 bits."""
    return int(at.timestamp() * 1000) << 16


def fold(tag: str) -> str:
    """Hashtags are the same when this is: width, case and accents do not count."""
    return "".join(c for c in normalize("NFKD", tag).casefold() if not combining(c))


def hashtags(text: str) -> tuple[str, ...]:
    """The hashtags in a text as they are written, without ``#``, each once."""
    found: dict[str, str] = {}
    for match in _TOKEN.finditer(text):
        if tag := match["tag"]:
            found.setdefault(fold(tag), tag)
    return tuple(found.values())


def mentioned(text: str, people: Mapping[str, Person]) -> list[Person]:
    """The people of this server whom a text names, each once."""
    return [*{m["name"]: people[m["name"]] for m in _TOKEN.finditer(text) if m["name"] in people}.values()]


def html(text: str, base: str, people: Mapping[str, Person]) -> str:
    """The text as a server sends it: paragraphs, and links that hide what no reader wants to see."""
    paragraphs = re.split(r"\n{2,}", text)
    return "".join(f"<p>{_inline(paragraph, base, people)}</p>" for paragraph in paragraphs)


def _inline(text: str, base: str, people: Mapping[str, Person]) -> str:
    parts, done = [], 0
    for match in _TOKEN.finditer(text):
        parts += [escape(text[done : match.start()]), _link(match, base, people)]
        done = match.end()
    return "".join([*parts, escape(text[done:])]).replace("\n", "<br />")


def _link(match: re.Match[str], base: str, people: Mapping[str, Person]) -> str:
    if tag := match["tag"]:
        return f'<a href="{base}/tags/{fold(tag)}" class="mention hashtag" rel="tag">#<span>{tag}</span></a>'
    if match["name"] in people:
        return (
            f'<span class="h-card" translate="no"><a href="{base}/@{match["name"]}" class="u-url mention">'
            f"@<span>{match['name']}</span></a></span>"
        )
    return _web_link(match["url"]) if match["url"] else escape(match[0])


def _web_link(url: str) -> str:
    scheme = re.findall(r"https?://(?:www\.)?", url)[0]
    rest = url.removeprefix(scheme)
    shown, hidden = escape(rest[:30]), escape(rest[30:])
    return (
        f'<a href="{escape(url)}" target="_blank" rel="nofollow noopener" translate="no">'
        f'<span class="invisible">{scheme}</span><span class="{"ellipsis" if hidden else ""}">{shown}</span>'
        f'<span class="invisible">{hidden}</span></a>'
    )


def stamp(at: datetime) -> str:
    """ISO 8601 as the API writes it: UTC, milliseconds, ``Z``."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def account(person: Person, base: str) -> Json:
    """https://docs.joinmastodon.org/entities/Account/"""
    picture, header = f"{base}/avatars/{person.username}.svg", f"{base}/media/morning.svg"
    return {
        "id": str(person.id),
        "username": person.username,
        "acct": person.username,
        "display_name": person.name,
        "locked": False,
        "bot": False,
        "discoverable": True,
        "indexable": True,
        "group": False,
        "created_at": stamp(person.joined),
        "note": html(person.note, base, {}),
        "url": f"{base}/@{person.username}",
        "uri": f"{base}/users/{person.username}",
        "avatar": picture,
        "avatar_static": picture,
        "avatar_description": "",
        "header": header,
        "header_static": header,
        "header_description": "",
        "followers_count": 0,
        "following_count": 0,
        "statuses_count": 0,
        "last_status_at": None,
        "hide_collections": None,
        "noindex": False,
        "emojis": [],
        "roles": [],
        "fields": [],
    }


def status(draft: Draft, number: int, created: datetime, base: str, *, by: Json, people: Mapping[str, Person]) -> Json:
    """https://docs.joinmastodon.org/entities/Status/; ``by`` is the author's account entity."""
    return {
        "id": str(number),
        "created_at": stamp(created),
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "sensitive": bool(draft.warning),
        "spoiler_text": draft.warning,
        "visibility": draft.visibility,
        "language": draft.language,
        "uri": f"{by['uri']}/statuses/{number}",
        "url": f"{by['url']}/{number}",
        "replies_count": 0,
        "reblogs_count": 0,
        "favourites_count": 0,
        "quotes_count": 0,
        "edited_at": None,
        "reblog": None,
        "application": None,
        "account": by,
        "media_attachments": [attachment(draft.picture, base, number + 1)] if draft.picture else [],
        "emojis": [],
        "tagged_collections": [],
        "card": None,
        "poll": None,
        **written(draft.text, None, base, people),
    }


def written(text: str, quote: Json | None, base: str, people: Mapping[str, Person]) -> Json:
    """What of a status follows from its text and what it quotes."""
    named = mentioned(text, people)
    return {
        "content": _quote_link(quote) + html(text, base, people),
        "mentions": [
            {"id": str(p.id), "username": p.username, "url": f"{base}/@{p.username}", "acct": p.username} for p in named
        ],
        "tags": [{"name": tag, "url": f"{base}/tags/{fold(tag)}"} for tag in hashtags(text)],
        "quote": quote,
    }


def _quote_link(quote: Json | None) -> str:
    """The line for programs that know no quotes; those that do take ``.quote-inline`` out."""
    if not quote or not quote["quoted_status"]:
        return ""
    return f'<p class="quote-inline">RE: {_web_link(quote["quoted_status"]["url"])}</p>'


def quotation(quoted: Json | None) -> Json:
    """https://docs.joinmastodon.org/entities/Quote/; a quoted post is shown whole, its own quote is not."""
    shown = quoted and {**quoted, "quote": None}
    return {"state": "accepted" if quoted else "deleted", "quoted_status": shown}


def attachment(picture: Picture, base: str, number: int) -> Json:
    """https://docs.joinmastodon.org/entities/MediaAttachment/"""
    width, height = picture.width, picture.height
    size = {"width": width, "height": height, "size": f"{width}x{height}", "aspect": width / height}
    address = f"{base}/media/{picture.file}"
    return {
        "id": str(number),
        "type": "image",
        "url": address,
        "preview_url": address,
        "remote_url": None,
        "preview_remote_url": None,
        "text_url": None,
        "meta": {"original": size, "small": size},
        "description": picture.alt,
        "blurhash": None,
    }


PAGE = 20


def cut_page(ids: Iterable[int], query: Mapping[str, str]) -> list[int]:
    """One page of a timeline, newest first (docs.joinmastodon.org/api/guidelines, pagination).

    ``min_id`` takes the page just above it, so that walking up leaves no gap; ``since_id`` the newest page above it.
    """
    limit = min(to_number(query.get("limit", str(PAGE))), 2 * PAGE)
    low = to_number(query.get("min_id") or query.get("since_id", ""))
    high = to_number(query.get("max_id", "")) or inf
    inside = sorted((number for number in ids if low < number < high), reverse=True)
    first = max(len(inside) - limit, 0) if query.get("min_id") else 0
    return inside[first : first + limit]


def to_number(text: str) -> int:
    """An id or a limit; 0 of what is none."""
    return int(text) if text.isascii() and text.isdigit() else 0
