"""Which element means what in an entry, and what they come to together. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from xml.etree.ElementTree import Element

from relay.sources.feed_dates import Odd
from relay.sources.feed_elements import (
    atom_author,
    atom_content,
    atom_id,
    atom_link_in_rss,
    atom_summary,
    atom_title,
    category,
    itunes_summary,
    keywords,
    published,
    reply,
    rss_author,
    rss_description,
    rss_encoded,
    rss_guid,
    source,
    take_atom_link,
    take_rss_link,
    take_rss_title,
    updated,
    video,
)
from relay.sources.feed_files import about_file, enclosure, file, group, group_in_atom
from relay.sources.feed_gathered import (
    ATOM,
    BASE,
    CONTENT,
    DC,
    ITUNES,
    LANG,
    MEDIA,
    THREAD,
    YOUTUBE,
    Gathered,
    Handler,
    local,
)
from relay.sources.feed_parse import LINE, MARKUP, Enclosure, Entry, Words

_BOTH: dict[str, Handler] = {
    f"{MEDIA}content": file,
    f"{MEDIA}group": group,
    f"{MEDIA}thumbnail": about_file,
    f"{MEDIA}rating": about_file,
    f"{MEDIA}title": about_file,
    f"{MEDIA}credit": about_file,
    f"{MEDIA}copyright": about_file,
    f"{THREAD}in-reply-to": reply,
    f"{YOUTUBE}videoId": video,
}
IN_RSS: dict[str, Handler] = _BOTH | {
    "title": take_rss_title,
    "link": take_rss_link,
    "guid": rss_guid,
    "description": rss_description,
    f"{CONTENT}encoded": rss_encoded,
    "pubDate": published,
    f"{DC}date": updated,
    "author": rss_author,
    f"{DC}creator": rss_author,
    f"{ITUNES}author": rss_author,
    "category": category,
    f"{DC}subject": category,
    f"{ITUNES}keywords": keywords,
    f"{ITUNES}summary": itunes_summary,
    "enclosure": enclosure,
    "source": source,
    f"{ATOM}link": atom_link_in_rss,
    f"{ATOM}updated": updated,
}
IN_ATOM: dict[str, Handler] = _BOTH | {
    f"{MEDIA}group": group_in_atom,
    f"{ATOM}id": atom_id,
    f"{ATOM}title": atom_title,
    f"{ATOM}link": take_atom_link,
    f"{ATOM}summary": atom_summary,
    f"{ATOM}content": atom_content,
    f"{ATOM}published": published,
    f"{ATOM}updated": updated,
    f"{ATOM}author": atom_author,
    f"{ATOM}category": category,
}


def entry(
    item: Element, elements: Mapping[str, Handler], harmless: Callable[[Element], bool], around: Gathered
) -> Gathered:
    """What an entry's elements say; ``around`` has the base and the language that it inherits."""
    found = Gathered(around.base, around.lang)
    if item.attrib:
        local(found, item)
    for element in item:
        handler = elements.get(element.tag)
        if handler is None:
            if not harmless(element):
                raise Odd(element.tag)
        elif element.attrib and (BASE in element.attrib or LANG in element.attrib):
            base, lang = found.base, found.lang
            local(found, element)
            handler(found, element)
            found.base, found.lang = base, lang
        else:
            handler(found, element)
    return found


def finished(found: Gathered, alts: Mapping[str, str], language: str) -> Entry:
    """The entry; ``alts`` are the descriptions of all media of the document."""
    if found.named and not (found.title and found.title.text):
        raise Odd("title")
    words, base, lang = found.content or found.summary or found.caption or (Words(), "", "")
    if not words.text:
        words, base, lang = Words(), "", ""
    elif found.video:
        words = Words(words.text, bool(MARKUP.search(words.text)))
    elif found.overruled and not found.content:
        words, base, lang = Words(words.text, bool(MARKUP.search(words.text))), "", ""
    if words.text and words.text in alts.values():
        raise Odd(words.text)
    files = [_enclosed(given, alts) for given in found.files[:20]] if found.files else []
    link = found.link if found.link is not None else found.guid_link
    return Entry(
        guid=(found.guid or "")[:LINE],
        link=link[:LINE],
        title=found.title or Words(),
        body=words,
        base=base[:LINE],
        author=found.author,
        language=lang[:LINE] or language,
        published=found.published,
        updated=found.updated,
        tags=tuple([(term or label or "")[:LINE] for term, _, label in found.tags[:50]]),
        enclosures=(*files, *[link for link in found.links[:20] if link]),
        thumbnail=found.thumbnail,
        adult=found.rating == "adult",
        reply_to=found.reply_to,
    )


def _enclosed(given: Mapping[str, str], alts: Mapping[str, str]) -> Enclosure:
    url = given.get("url", "")[:LINE]
    return Enclosure(
        url=url,
        type=(given.get("type", "").lower() or given.get("medium", ""))[:LINE],
        alt=alts.get(url, ""),
        width=_number(given.get("width")),
        height=_number(given.get("height")),
    )


def _number(value: str | None) -> int | None:
    return int(value) if value and re.fullmatch(r"[0-9]{1,6}", value) else None
