"""Where an answer that is no feed leads to: the feeds that it names, and the page that it goes on to. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser

from relay.core.urls import host_of
from relay.sources.feed_encoding import to_utf8
from relay.text import safe_url

_LOOKED_AT = 3_000_000
"""Bytes of a page. The tags and the links below are counted from its beginning."""
_TAGS = 8_000
_LINKS, _LINKED = 200, 3
_JSON = (b"{", b"[")
_STRETCH = 4_000
_BREAK = b" \"'>"
"""Ends a tag, whatever quotation mark is open in it; elsewhere it is text, of which nothing is read here."""
_SOON = 30
"""Seconds after which a page goes on to another one that stands in for it; those that wait longer are news sites."""

_FEED = ("rss", "atom+xml", "application/atom", "rdf", "feed+json")
"""What is in the media type of a feed, however it is misspelt."""
# Told by many sites for many things, or not at all: a feed only if its address says so.
_GENERAL = ("", "application/json", "application/xml", "text/xml")
_FEEDLIKE = re.compile(r"(?:feed|rss|atom)[^/]{0,99}/?$|\.rdf$", re.IGNORECASE)
_ANCHOR = re.compile(
    r"(?:^|/)(?:feed|rss2?|atom)/?$|(?:feed|rss|atom)[\w-]{0,20}\.(?:xml|json|php)$|(?:^|/)index\.xml$"
    r"|\.(?:rss|atom|rdf)(?:\.xml)?$",
    re.IGNORECASE,
)
_LESSER = re.compile(r"\b(?:comm?ent|kommentar|comentário|comentario)|/comments?/", re.IGNORECASE)
_REFRESH = re.compile(
    r"\s*+([0-9]{1,9})[0-9.]*+(?:(?:\s*+[;,]|\s)\s*+(?:url\s*+=)?\s*+(?:\"([^\"]*)|'([^']*)|(.*)))?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Lead:
    """An address that an answer names."""

    url: str
    is_feed: bool = True
    """The page calls it one; else it is where a browser goes on to by itself."""
    is_guess: bool = False
    """It is only linked to, and looks like a feed's address."""


def leads(body: bytes, url: str, headers: Mapping[str, str]) -> list[Lead]:
    """What the answer from ``url`` leads to, each address once, in the order in which they are to be tried.

    ``headers`` have lower-case names. The page that stands in for this one comes first, then the feeds that are named,
    those of comments last; links that look like a feed only where none is named. Takes time in proportion to ``body``.
    """
    page = to_utf8(body[:_LOOKED_AT], headers.get("content-type", ""))
    tree = LexborHTMLParser("" if page.lstrip().startswith(_JSON) else _bounded(page).decode(errors="replace"))
    base = next((safe_url(node.attributes["href"] or "", base=url) for node in tree.css("base[href]")), "") or url
    soon, late = _refreshes(tree, headers, url, base)
    tree.strip_tags(["noscript"])
    named = list(_named(tree, headers, url, base))
    guesses = [] if named else _guesses(tree, url, base)
    found: dict[str, Lead] = {}
    for lead in chain(soon, named, guesses, late):
        if lead.url.startswith("http") and not (lead.is_feed and lead.url == url.partition("#")[0]):
            found.setdefault(lead.url, lead)
    return list(found.values())


def _bounded(page: bytes) -> bytes:
    """A page that costs no more to parse than its length allows.

    The Standard's tree construction is quadratic in nested elements and in a tag's attributes: there are only so many
    of either. What is long and without a tag is a script or a picture in an address, and loses its middle.
    """
    pieces: list[bytes] = []
    length = 0
    for piece in page.split(b"<", _TAGS)[:_TAGS]:
        pieces.append(piece if len(piece) <= 2 * _STRETCH else piece[:_STRETCH] + piece[-_STRETCH:])
        length += len(pieces[-1])
        if length > _STRETCH:
            pieces[-1] += _BREAK
            length = 0
    return b"<".join(pieces)


# --- a page that goes on to another one ---


def _refreshes(
    tree: LexborHTMLParser, headers: Mapping[str, str], url: str, base: str
) -> tuple[list[Lead], list[Lead]]:
    """Where a browser goes on to: at once, and after a while or without scripts."""
    soon: list[Lead] = []
    late: list[Lead] = []
    for content, whence, beside in _declared(tree, headers, url, base):
        if found := _REFRESH.match(content[:2_000]):
            target = (found[2] or found[3] or found[4] or "").strip()
            lead = Lead(_address(target, whence) if target else url, is_feed=False)
            (late if beside or int(found[1]) > _SOON else soon).append(lead)
    return soon, late


def _declared(
    tree: LexborHTMLParser, headers: Mapping[str, str], url: str, base: str
) -> Iterator[tuple[str, str, bool]]:
    """What the header and the page say, what it is relative to, and whether it is for browsers without scripts."""
    if said := headers.get("refresh", ""):
        yield said, url, False
    for meta in tree.css("head meta[http-equiv][content]")[:_LINKS]:
        if (meta.attributes["http-equiv"] or "").strip().lower() == "refresh":
            yield meta.attributes["content"] or "", base, meta.parent is not None and meta.parent.tag == "noscript"


# --- feeds ---


def _named(tree: LexborHTMLParser, headers: Mapping[str, str], url: str, base: str) -> Iterable[Lead]:
    """From the head, the header and the body, in this order; feeds of comments last."""
    head = [(node.attributes, base) for node in tree.css("head link[href]")[:_LINKS]]
    body = [(node.attributes, base) for node in tree.css("body link[href]")[:_LINKS]]
    header: list[tuple[Mapping[str, str | None], str]] = [
        ({**link.parameters, "href": link.target}, url) for link in links(headers.get("link", ""))
    ]
    named = [
        (attributes, address)
        for attributes, whence in chain(head, header, body)
        if (address := _address(attributes.get("href") or "", whence)) and _is_feed(attributes, address)
    ]
    named.sort(key=lambda one: bool(_LESSER.search(f"{(one[0].get('title') or '')[:500]} {one[1]}")))
    return (Lead(address) for _, address in named)


def _is_feed(attributes: Mapping[str, str | None], address: str) -> bool:
    relations = (attributes.get("rel") or "").lower().split()
    media = (attributes.get("type") or "").partition(";")[0].strip().lower()
    if "feed" in relations:
        return True
    if "alternate" not in relations or (attributes.get("hreflang") and not media):
        return False
    general = media in _GENERAL and _FEEDLIKE.search(address.partition("?")[0])
    return bool(general) or any(kind in media for kind in _FEED)


def _guesses(tree: LexborHTMLParser, url: str, base: str) -> list[Lead]:
    """Links within the site that look like a feed's address."""
    found: dict[str, Lead] = {}
    for node in tree.css("a[href]"):
        path = (node.attributes["href"] or "").strip()[:2_000].partition("#")[0].partition("?")[0]
        if _ANCHOR.search(path) and (address := _address(node.attributes["href"] or "", base)) and _same(address, url):
            found.setdefault(address, Lead(address, is_guess=True))
        if len(found) == _LINKED:
            break
    return sorted(found.values(), key=lambda lead: bool(_LESSER.search(lead.url)))


def _same(one: str, other: str) -> bool:
    """Both are at one host, or one of the hosts is below the other."""
    here, there = f".{host_of(one)}", f".{host_of(other)}"
    return len(here) > 1 and len(there) > 1 and (here.endswith(there) or there.endswith(here))


def _address(href: str, base: str) -> str:
    """The absolute address without its fragment; empty where it is none."""
    return safe_url(href.strip().removeprefix("feed:"), base=base).partition("#")[0] if href.strip() else ""


# --- the ``HeaderLink`` header (RFC 8288). Pure ---


_LONGEST = 10_000
_VALUE = r'(?:"(?:[^"\\]|\\.){0,500}"|[^\s",;]{1,500})'
_LINK = re.compile(rf"<([^<>]{{1,2000}})>((?:\s{{0,9}};\s{{0,9}}[\w*-]{{1,40}}(?:\s?=\s?{_VALUE})?)*)")
_PARAMETER = re.compile(rf";\s{{0,9}}([\w*-]{{1,40}})\s?=\s?({_VALUE})")


class HeaderLink(NamedTuple):
    target: str
    """As it is written: it may be relative to the address of the answer."""
    parameters: dict[str, str]
    """By their names in small letters, the first of each name."""

    @property
    def relations(self) -> list[str]:
        return self.parameters.get("rel", "").lower().split()


def links(header: str) -> Iterator[HeaderLink]:
    """What is written as it should be, of the first 10,000 characters."""
    for target, rest in _LINK.findall(header[:_LONGEST]):
        pairs = [(name.lower(), value.strip('"')) for name, value in _PARAMETER.findall(rest)]
        yield HeaderLink(target.strip(), dict(reversed(pairs)))
