"""The files of an entry (Media RSS 1.5.1, enclosures), as feedparser would understand them. Pure."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from relay.sources.feed_dates import Odd
from relay.sources.feed_elements import atom_words
from relay.sources.feed_gathered import MEDIA, Gathered, said
from relay.sources.feed_parse import LINE, Enclosure

_FILE_ATTRIBUTES = (
    "url type medium width height fileSize duration isDefault expression bitrate framerate samplingrate channels lang"
)
_FILE = frozenset(_FILE_ATTRIBUTES.split())


def enclosure(found: Gathered, element: Element) -> None:
    said(element, "url", "type", "length")
    url = element.get("url", "")
    found.links.append(Enclosure(url=url[:LINE], type=element.get("type", "").lower()[:LINE]))


def file(found: Gathered, element: Element) -> None:
    if not _FILE.issuperset(element.attrib):
        raise Odd(element.tag)
    found.files.append(element.attrib)
    for part in element:
        if part.tag == f"{MEDIA}description":
            _alt(found, element.get("url", ""), part)
        else:
            about_file(found, part)


def _alt(found: Gathered, url: str, element: Element) -> None:
    text = (element.text or "").strip()
    if said(element, "type") != text or len(text) > LINE or url in found.alts or found.caption:
        raise Odd(element.tag)
    found.overruled |= found.decided
    found.decided |= found.summary is not None
    found.described = True
    if element.text:
        found.alts[url] = text


def group(found: Gathered, element: Element) -> None:
    for part in element:
        if part.tag == f"{MEDIA}content":
            file(found, part)
        else:
            about_file(found, part)


def group_in_atom(found: Gathered, element: Element) -> None:
    for part in element:
        if part.tag != f"{MEDIA}description":
            continue
        if found.caption or found.summary or found.content or found.described:
            raise Odd(part.tag)
        found.caption = (atom_words(part, "text/html"), found.base, found.lang)
    element[:] = [part for part in element if part.tag != f"{MEDIA}description"]
    group(found, element)


def about_file(found: Gathered, element: Element) -> None:
    name = element.tag.removeprefix(MEDIA)
    if name == "title":
        if found.sourced:
            raise Odd(element.tag)
        said(element, "type")
        found.named = True
    elif name == "thumbnail":
        url = element.get("url")
        if url is None or len(element):
            raise Odd(element.tag)
        found.thumbnail = found.thumbnail or url[:LINE]
    elif name == "rating":
        found.rating = said(element, "scheme") or found.rating
    elif name == "community":
        for part in element:
            about_file(found, part)
    elif name not in _SILENT or len(element):
        raise Odd(element.tag)


_SILENT_NAMES = "copyright credit hash license player restriction starRating statistics text"
_SILENT = frozenset(_SILENT_NAMES.split())
