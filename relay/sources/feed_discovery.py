"""Where a web page says that its feeds are. Pure.

``feeds_in(page, url)`` → ``list[Offered]``, best first; ``Offered`` has ``url`` (absolute), ``title`` and ``kind``
("rss", "atom", "json" or "feed", where the page does not say which).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser

from relay.text import clean, safe_url

_HEAD = 500_000
"""Bytes of a page that are looked through."""
_MOST = 200
_LINK = re.compile(rb"<(?:link|base)\b[^<>]{1,2000}>", re.IGNORECASE)
_KINDS = (
    ("application/rss+xml", "rss"),
    ("application/rdf+xml", "rss"),
    ("application/atom+xml", "atom"),
    ("application/feed+json", "json"),
    ("application/x.atom+xml", "atom"),
    ("text/rss+xml", "rss"),
)
# Told by many sites for many things: a feed only if its address says so.
_GENERAL = ("application/json", "application/xml", "text/xml")
_FEEDLIKE = re.compile(r"(?:feed|rss|atom)[^/]*/?$", re.IGNORECASE)
_LESSER = re.compile(r"\bcomments?\b|/comments?/|\bcomentarios?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Offered:
    """A feed that a page names."""

    url: str
    title: str
    kind: str


def feeds_in(page: bytes, url: str) -> list[Offered]:
    """What the page at ``url`` offers, each feed once, feeds of comments last; empty for a page that offers none."""
    tags = b"".join(_LINK.findall(page[:_HEAD])[:_MOST])
    # Only these tags are parsed: a page that nests 40,000 elements would hold up the whole relay for seconds.
    tree = LexborHTMLParser(tags.decode(errors="replace"))
    base = tree.css_first("base[href]")
    root = safe_url(base.attributes.get("href") or "", base=url) if base else ""
    found: dict[str, Offered] = {}
    for attributes in (link.attributes for link in tree.css("link[href]")):
        if offered := _offered(attributes, root or url):
            found.setdefault(offered.url, offered)
    return sorted(found.values(), key=lambda offered: bool(_LESSER.search(f"{offered.title} {offered.url}")))


def _offered(attributes: dict[str, str | None], base: str) -> Offered | None:
    relations = (attributes.get("rel") or "").lower().split()
    media = (attributes.get("type") or "").partition(";")[0].strip().lower()
    link = safe_url((attributes.get("href") or "").strip().removeprefix("feed:"), base=base).partition("#")[0]
    kind = dict(_KINDS).get(media, "")
    if not kind and ("feed" in relations or (media in _GENERAL and _FEEDLIKE.search(link.partition("?")[0]))):
        kind = "feed" if media != "application/json" else "json"
    if not kind or not link.startswith("http") or not {"alternate", "feed"}.intersection(relations):
        return None
    return Offered(link, clean(attributes.get("title") or "", limit=200), kind)
