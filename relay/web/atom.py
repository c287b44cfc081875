"""A list of threads as an Atom feed (RFC 4287). Pure."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from relay.text import clean
from relay.web.listing import Listing, iso
from relay.web.thread_view import ThreadReading, byline

_ATOM = "http://www.w3.org/2005/Atom"


def atom(listing: Listing) -> str:
    """The list as a feed."""
    ET.register_namespace("", _ATOM)
    feed = ET.Element(_name("feed"))
    _text(feed, "id", listing.address)
    _text(feed, "title", f"{listing.title} — {listing.site}")
    _text(feed, "updated", iso(listing.updated))
    _link(feed, "self", f"{listing.address}.atom" if listing.feed != "latest" else f"{listing.address}latest.atom")
    _link(feed, "alternate", listing.address)
    for reading in listing.readings:
        _atom_entry(feed, reading)
    return ET.tostring(feed, encoding="unicode", xml_declaration=False)


def _atom_entry(feed: ET.Element, reading: ThreadReading) -> None:
    entry = ET.SubElement(feed, _name("entry"))
    _text(entry, "id", reading.address)
    _text(entry, "title", reading.headline)
    _text(entry, "updated", iso(reading.updated or reading.first.published))
    _text(entry, "published", iso(reading.first.published))
    _link(entry, "alternate", reading.address)
    _link(entry, "via", reading.first.url)
    author = ET.SubElement(entry, _name("author"))
    _text(author, "name", byline(reading.author))
    if reading.author.url:
        _text(author, "uri", reading.author.url)
    _text(entry, "summary", reading.summary)


def _name(tag: str) -> str:
    return f"{{{_ATOM}}}{tag}"


def _text(parent: ET.Element, tag: str, words: str) -> None:
    ET.SubElement(parent, _name(tag)).text = clean(words, limit=2_000)


def _link(parent: ET.Element, rel: str, href: str) -> None:
    ET.SubElement(parent, _name("link"), {"rel": rel, "href": href})
