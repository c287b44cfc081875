"""A hashtag as RSS: the last resort where a server's API is closed to visitors and its pages are not.

An item tells no author, language, parent, quote or edit. Its author is in its address, and so is the name of the post
on other servers, but for accounts that Mastodon 4.6 or later made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from relay.core.authenticity import own_handle
from relay.model import Author, Media, MediaKind, Post, PostUri
from relay.ports import Gone, TryLater
from relay.sources.kit import Ok
from relay.sources.limits import MEDIA, STATUS, TAGS
from relay.sources.mastodon.address import host_of
from relay.sources.mastodon.api import Listed, MastodonApi
from relay.sources.mastodon.parse import SOURCE, read_time
from relay.sources.mastodon.shapes import Raw, read
from relay.sources.mastodon.timeline_cursor import PAGE
from relay.text import clean, from_html, opening, safe_url

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MEDIA = "{http://search.yahoo.com/mrss/}"
_WHERE = re.compile(r"https?://(?P<host>[^/@]+)/@(?P<who>[\w.-]+)/(?P<id>\d+)")
_FOREIGN = re.compile(r"https?://[^/@]+/@[^/@]+@")
"""An address with ``@who@host`` in it is a server's own name for somebody else's post, and tells no author."""
_WARNING = re.compile(r"\s*<p><strong>[^<]{1,100}:</strong>(?P<warning>.*?)</p>\s*<hr\s*/?>", re.DOTALL)
_KINDS = {"image": MediaKind.IMAGE, "video": MediaKind.VIDEO, "audio": MediaKind.AUDIO}


class TagPicture(msgspec.Struct):
    url: str
    kind: str = ""
    alt: str = ""


class TagItem(msgspec.Struct):
    """What stands in an item, taken out of its markup."""

    url: str
    published: str
    content: str = ""
    tags: tuple[str, ...] = ()
    media: tuple[TagPicture, ...] = ()
    sensitive: bool = False


async def read_page(api: MastodonApi, base: str, tag: str) -> Listed | TryLater | Gone | None:
    """The newest posts; None where there is no such feed, or an empty one: so it is where hashtags are closed."""
    answer = await api.get_text(f"{base}/tags/{quote(tag, safe='')}.rss", [("limit", str(PAGE))])
    if isinstance(answer, TryLater | Gone):
        return answer
    items = read_items(answer.body) if isinstance(answer, Ok) else {}
    return Listed(items, answer.wait) if items and isinstance(answer, Ok) else None


def read_items(body: bytes) -> dict[str, Raw]:
    """The items of a feed by ids of our own, which are in order of time; nothing where it is no such feed."""
    if b"<!DOCTYPE" in body[:1000].upper() or b"<!ENTITY" in body.upper():
        return {}
    from xml.etree import ElementTree as ET  # only a server that is closed to visitors is read so

    try:
        root = ET.fromstring(body)  # noqa: S314 - nothing is declared in it: see above
    except (ET.ParseError, ValueError, LookupError):
        return {}
    elements = islice(root.iterfind("channel/item"), 10 * PAGE)
    items = (item for element in elements for item in _items(element))
    return {_name(item): Raw(msgspec.json.encode(item)) for item in items}


def read_item(raw: bytes | Raw, instance: str) -> Post | None:
    """The post in an item; total, as :func:`relay.sources.mastodon.parse.read_post` is."""
    item = read(raw, TagItem)
    published = read_time(item.published) if item else None
    url = safe_url(item.url) if item else ""
    if item is None or published is None or not url or _FOREIGN.match(url):
        return None
    warned = _WARNING.match(item.content)
    return Post(
        uri=PostUri(_uri(url)),
        url=url,
        source=SOURCE,
        origin=instance,
        author=_author(url),
        published=published,
        body=from_html(item.content[warned.end() :] if warned else item.content, base=instance),
        warning=clean(" ".join(_words(warned["warning"]))) if warned else "",
        sensitive=item.sensitive,
        tags=item.tags,
        media=tuple(_media(item)),
    )


def _items(element: Element) -> Iterator[TagItem]:
    url = (element.findtext("link") or element.findtext("guid") or "").strip()
    try:
        published = parsedate_to_datetime((element.findtext("pubDate") or "")[:100]).isoformat()
    except (ValueError, TypeError, OverflowError):
        return
    if url:
        yield TagItem(
            url=url,
            published=published,
            content=opening(element.findtext("description") or "", STATUS),
            tags=tuple(islice(_tags(element), TAGS)),
            media=tuple(islice(_pictures(element), MEDIA)),
            sensitive=any(one.text == "adult" for one in element.iter(f"{_MEDIA}rating")),
        )


def _tags(element: Element) -> Iterator[str]:
    return (name for one in element.iterfind("category") if (name := clean(one.text or "", limit=200)))


def _pictures(element: Element) -> Iterator[TagPicture]:
    for one in element.iterfind(f"{_MEDIA}content"):
        kind = one.get("medium") or (one.get("type") or "").partition("/")[0]
        yield TagPicture(one.get("url") or "", kind, one.findtext(f"{_MEDIA}description") or "")
    for one in element.iterfind("enclosure"):
        yield TagPicture(one.get("url") or "", (one.get("type") or "").partition("/")[0])


def _media(item: TagItem) -> Iterator[Media]:
    seen: set[str] = set()
    for one in item.media:
        url = safe_url(one.url)
        if url and url not in seen:
            seen.add(url)
            yield Media(url=url, kind=_KINDS.get(one.kind, MediaKind.FILE), alt=clean(one.alt, limit=1500))


def _name(item: TagItem) -> str:
    """Of one length, in order of time, and another one for each post."""
    at = read_time(item.published)
    seconds = int(at.timestamp()) if at else 0
    return f"{max(seconds, 0):012d}-{sha256(item.url.encode('utf-8', 'replace')).hexdigest()[:12]}"


def _uri(url: str) -> str:
    """The post's name in ActivityPub, where its address tells it; else the address."""
    found = _WHERE.fullmatch(url)
    if found is None:
        return url
    return f"{url.partition('://')[0]}://{found['host']}/users/{found['who']}/statuses/{found['id']}"


def _author(url: str) -> Author:
    """Whose post it is by its address, which is one of the author's own server."""
    found = _WHERE.fullmatch(url)
    base = f"{url.partition('://')[0]}://{host_of(url)}"
    if found is None:
        return Author(uri=base, name=host_of(url), url=base)
    who = found["who"]
    return Author(uri=f"{base}/users/{who}", name=who, url=f"{base}/@{who}", handle=own_handle(who, "", base))


def _words(html: str) -> Iterator[str]:
    for block in from_html(html):
        yield from (span.text for span in block.spans)
