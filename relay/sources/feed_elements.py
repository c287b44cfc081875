"""An entry's elements, one by one, as feedparser would understand them; ``Odd`` where that takes more thought. Pure.

feedparser's rules are a product of twenty years: what overrides what depends on order, depth and a namespace's prefix.
Here are only those of elements that stand once and where they belong. Anything else that could change an entry is odd.
"""

from __future__ import annotations

import re
from html.entities import entitydefs
from xml.etree.ElementTree import Element

from relay.sources.feed_dates import Odd, moment
from relay.sources.feed_gathered import ATOM, Gathered, resolved, said
from relay.sources.feed_parse import BODY, LINE, Enclosure, Words

_HTML = ("text/html", "application/xhtml+xml")
_TYPES = {"text": "text/plain", "plain": "text/plain", "html": "text/html", "xhtml": "application/xhtml+xml"}
_TAG = re.compile(r"</?(\w+)")
_ENTITY = re.compile(r"&(\w+);")
_TOLD = re.compile(r"</\w+>|&#?\w+;")
_INLINE_NAMES = "a b br code del em i img ins p q s small span strike strong sub sup u"
_INLINE = frozenset(_INLINE_NAMES.split())

# --- words ---


def take_rss_title(found: Gathered, element: Element) -> None:
    if found.title is not None:
        raise Odd(element.tag)
    found.title = rss_title(element)


def rss_title(element: Element) -> Words:
    text = said(element)
    return Words(text[:LINE], _looks_like_html(text))


def _looks_like_html(text: str) -> bool:
    if "&" not in text and "</" not in text:
        return False
    if not _TOLD.search(text):
        return False
    if "<" in text and not all(tag.lower() in _INLINE for tag in _TAG.findall(text)):
        raise Odd(text)
    return all(name in entitydefs for name in _ENTITY.findall(text))


def atom_words(element: Element, default: str = "text/plain") -> Words:
    kind = element.get("type", default).lower()
    kind = _TYPES.get(kind, kind)
    if kind not in ("text/plain", "text/html"):
        raise Odd(kind)
    return Words(said(element, "type")[:BODY], kind == "text/html")


def atom_title(found: Gathered, element: Element) -> None:
    if found.title is not None:
        raise Odd(element.tag)
    words = atom_words(element)
    found.title = Words(words.text[:LINE], words.html)


def _summary(found: Gathered, words: Words) -> None:
    if found.summary is not None or found.caption or (found.described and not found.content):
        raise Odd("summary")
    found.summary = (words, found.base, found.lang)


def _content(found: Gathered, words: Words) -> None:
    if found.content is not None or found.caption or not words.text or (found.described and not found.summary):
        raise Odd("content")
    found.content = (words, found.base, found.lang)
    found.decided = True


def rss_description(found: Gathered, element: Element) -> None:
    _summary(found, Words(said(element)[:BODY], html=True))


def rss_encoded(found: Gathered, element: Element) -> None:
    _content(found, Words(said(element)[:BODY], html=True))


def atom_summary(found: Gathered, element: Element) -> None:
    _summary(found, atom_words(element))


def atom_content(found: Gathered, element: Element) -> None:
    _content(found, atom_words(element))


def itunes_summary(found: Gathered, element: Element) -> None:
    text = said(element)
    if found.content:
        return
    if found.decided or not found.summary or not found.summary[0].text or _TOLD.search(text):
        raise Odd(element.tag)
    found.decided = True


# --- who, when, which, where ---


def rss_author(found: Gathered, element: Element) -> None:
    found.author = said(element)[:LINE]


def atom_author(found: Gathered, element: Element) -> None:
    name = None
    for part in element:
        if part.tag == f"{ATOM}name":
            name = (part.text or "").strip()
        if len(part) or (part.attrib and part.tag.startswith(ATOM)):
            raise Odd(part.tag)
    if not name:
        raise Odd(element.tag)
    found.author = name[:LINE]


def published(found: Gathered, element: Element) -> None:
    if found.dates & 1:
        raise Odd(element.tag)
    found.dates |= 1
    found.published = moment(said(element))


def updated(found: Gathered, element: Element) -> None:
    if found.dates & 2:
        raise Odd(element.tag)
    found.dates |= 2
    found.updated = moment(said(element))


def rss_guid(found: Gathered, element: Element) -> None:
    if found.guid is not None:
        raise Odd(element.tag)
    guid = said(element, "isPermaLink")
    if element.get("isPermaLink", "true") == "true":
        guid = found.guid_link = resolved(found.base, guid)
    found.guid = guid


def atom_id(found: Gathered, element: Element) -> None:
    if found.guid is not None:
        raise Odd(element.tag)
    found.guid = found.guid_link = resolved(found.base, said(element))


def take_rss_link(found: Gathered, element: Element) -> None:
    if found.link is not None:
        raise Odd(element.tag)
    found.link = rss_link(found.base, element)
    found.links.append(None)


def rss_link(base: str, element: Element) -> str:
    link = resolved(base, said(element)).replace("&amp;", "&")
    return re.sub(r"&([A-Za-z0-9_]+);", r"&\g<1>", link) if ";" in link else link


def atom_link(base: str, element: Element) -> tuple[str, str, str]:
    """Relation, media type and address."""
    kind, relation = element.get("type"), element.get("rel", "alternate").lower()
    href = element.get("href")
    if not href or len(element) or "url" in element.attrib or "uri" in element.attrib or "lang" in element.attrib:
        raise Odd(element.tag)
    if kind is None:
        kind = "application/atom+xml" if relation == "self" else "text/html"
    return relation, kind.lower(), resolved(base, href)


def take_atom_link(found: Gathered, element: Element) -> None:
    relation, kind, href = atom_link(found.base, element)
    if relation == "alternate" and _TYPES.get(kind, kind) in _HTML:
        found.link = href
    found.links.append(Enclosure(url=href[:LINE], type=kind[:LINE]) if relation == "enclosure" else None)


def atom_link_in_rss(found: Gathered, element: Element) -> None:
    if element.get("rel", "alternate").lower() in ("alternate", "enclosure"):
        raise Odd(element.tag)
    take_atom_link(found, element)


def _tag(found: Gathered, term: str | None, scheme: str | None, label: str | None) -> None:
    if (term or scheme or label) and [term, scheme, label] not in found.tags:
        found.tags.append([term, scheme, label])


def category(found: Gathered, element: Element) -> None:
    given = element.attrib
    text = said(element, "term", "scheme", "domain", "label")
    _tag(found, given.get("term"), given.get("scheme", given.get("domain")), given.get("label"))
    if text and found.tags and not found.tags[-1][0]:
        found.tags[-1][0] = text
    elif text:
        _tag(found, text, None, None)


def keywords(found: Gathered, element: Element) -> None:
    if element.attrib:
        raise Odd(element.tag)
    for word in said(element).split(","):
        if word.strip():
            _tag(found, word.strip(), "http://www.itunes.com/", None)


def reply(found: Gathered, element: Element) -> None:
    if len(element) or not element.get("ref"):
        raise Odd(element.tag)
    found.reply_to = element.get("ref", "")[:LINE]


def source(found: Gathered, element: Element) -> None:
    said(element, "url")
    found.sourced = True


def video(found: Gathered, element: Element) -> None:
    if element.attrib:
        raise Odd(element.tag)
    said(element)
    found.video = True
