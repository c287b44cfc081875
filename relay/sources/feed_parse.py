"""A feed's bytes become its entries, by feedparser; nothing is made of them yet. Pure.

It runs in a process of its own (:mod:`relay.sources.feed_process`), so it imports little. The traps of feedparser that
are stepped around here: it opens what is no stream as a file; ``media:description`` poses as the entry's content, and
only one is kept; HTML with tags it does not know is called plain text; a half-sent last entry counts as one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from relay.sources.feed_dates import moment

MANY = 1000
"""Entries of one document that are looked at: the newest, else the first."""

_HTML = ("text/html", "application/xhtml+xml")
MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z]\w*);")
_LAST_TAG = re.compile(rb"</\s*(?:[\w.-]+:)?(?:rss|feed|rdf|channel)\s*>", re.IGNORECASE)
_HOUR = re.compile(rb"<hour>\s*([0-9]{1,2})\s*</hour>", re.IGNORECASE)
_DAY = re.compile(rb"<day>\s*([a-z]{6,9})\s*</day>", re.IGNORECASE)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MRSS = ("http://search.yahoo.com/mrss/", "http://search.yahoo.com/mrss")
BODY = 200_000
LINE = 2_000
"""Characters that are kept of a text, and of anything else."""


@dataclass(frozen=True, slots=True)
class Words:
    """A text and how it is written."""

    text: str = ""
    html: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A file that belongs to an entry; ``type`` is a media type or one of Media RSS's words (image, video, audio)."""

    url: str
    type: str = ""
    alt: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as the document has it: nothing is resolved, cleaned or trusted."""

    guid: str = ""
    link: str = ""
    title: Words = Words()
    body: Words = Words()
    base: str = ""
    """``xml:base`` of the body, absolute or not."""
    author: str = ""
    language: str = ""
    published: datetime | None = None
    updated: datetime | None = None
    tags: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    thumbnail: str = ""
    adult: bool = False
    reply_to: str = ""
    """The id of the entry that this one answers (RFC 4685)."""
    slice: str = ""
    """A digest of its bytes; empty where it is not known which are its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole feed. Without ``version`` and entries it was none."""

    version: str = ""
    title: Words = Words()
    link: str = ""
    ttl: int = 0
    """Minutes for which the publisher says the document holds."""
    truncated: bool = False
    """The document breaks off; its last, partial entry is not among ``entries``."""
    hubs: tuple[str, ...] = ()
    """Where news can be had at once (WebSub), and ``topic``, the name that the feed has there."""
    topic: str = ""
    skip_hours: frozenset[int] = frozenset()
    """Hours of the day, in UTC, and days of the week (Monday is 0) at which the publisher wants nobody to ask."""
    skip_days: frozenset[int] = frozenset()
    language: str = ""
    found: int = 0
    """Entries in the document, which may be more than ``entries``."""
    slices: tuple[str, ...] | None = None
    """Digests of all entries' bytes, in their order, also of those that were not read; None where it was not cut."""
    around: str = ""
    """A digest of what the entries' meaning depends on beside their own bytes."""
    entries: tuple[Entry, ...] = ()


def parse(body: bytes, slices: Sequence[str] | None = None) -> Document:
    """Read RSS 0.9x to 2.0, RSS 1.0 (RDF) or Atom in UTF-8 (:mod:`relay.sources.feed_encoding`), well-formed or not.

    ``slices`` are the digests of its entries, if it was cut: they are handed on where it is as it was thought to be.
    """
    parsed = _feedparser(body)
    truncated = bool(parsed.bozo) and not _LAST_TAG.search(body[-20_000:])
    found = parsed.entries[:-1] if truncated else parsed.entries
    alts = _alts(body)
    feed, version = parsed.feed, parsed.get("version") or ""
    language = _text(feed, "language")
    links = [(link.get("rel"), _text(link, "href")) for link in feed.get("links", ())]
    hours, days = skips(body)
    cut = tuple(slices) if slices is not None and not parsed.bozo and len(slices) == len(found) else None
    return Document(
        version=version,
        title=_title(feed),
        link=_text(feed, "link"),
        ttl=_number(feed.get("ttl")) or 0,
        truncated=truncated,
        hubs=tuple([href for relation, href in links if relation == "hub" and href][:10]),
        topic=next((href for relation, href in links if relation == "self"), ""),
        skip_hours=hours,
        skip_days=days,
        found=len(found),
        slices=cut,
        language=language,
        entries=tuple(
            _entry(entry, version, alts, language, digest)
            for entry, digest in _newest(found, language, cut or [""] * len(found))
        ),
    )


def skips(body: bytes) -> tuple[frozenset[int], frozenset[int]]:
    """``skipHours`` and ``skipDays`` of RSS 2.0; feedparser keeps the last one of each."""
    if b"<skip" not in body:
        return frozenset(), frozenset()
    head = body[:100_000]
    hours = (int(hour) % 24 for hour in _HOUR.findall(head) if int(hour) <= 24)
    days = (day.decode().title() for day in _DAY.findall(head))
    return frozenset(hours), frozenset(_DAYS.index(day) for day in days if day in _DAYS)


def _feedparser(body: bytes) -> Any:
    import feedparser

    try:
        return feedparser.parse(
            io.BytesIO(body),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - it raises all sorts of things over what it does not expect
        return feedparser.parse(io.BytesIO())


def _newest(entries: Sequence[Any], language: str, slices: Sequence[str]) -> list[tuple[Any, str]]:
    cut = list(zip(entries, slices, strict=True))
    if len(cut) <= MANY:
        return cut
    never = datetime.min.replace(tzinfo=UTC)
    dates = {id(entry): _date(entry, language, "published", "updated") or never for entry in entries}
    return sorted(cut, key=lambda one: dates[id(one[0])], reverse=True)[:MANY]


def _entry(entry: Any, version: str, alts: Mapping[str, str], language: str, digest: str) -> Entry:
    body, detail = _body(entry, version, alts)
    return Entry(
        guid=_text(entry, "id"),
        link=_text(entry, "link"),
        title=_title(entry),
        body=body,
        base=_text(detail, "base"),
        author=_author(entry, version),
        language=_text(detail, "language") or language,
        published=_date(entry, language, "published", "created"),
        updated=_date(entry, language, "updated"),
        tags=tuple(_text(tag, "term") or _text(tag, "label") for tag in entry.get("tags", ())[:50]),
        enclosures=tuple(_enclosures(entry, alts)),
        thumbnail=next((_text(picture, "url") for picture in entry.get("media_thumbnail", ())), ""),
        adult=_text(entry.get("media_rating") or {}, "content") == "adult",
        reply_to=_text(entry.get("thr_in-reply-to") or {}, "ref"),
        slice=digest,
    )


def _title(where: Any) -> Words:
    return Words(_text(where, "title"), (where.get("title_detail") or {}).get("type") in _HTML)


def _author(entry: Any, version: str) -> str:
    """The name, or in RSS whatever stands there: feedparser cuts addresses at the fourth letter of their last label."""
    name = _text(entry.get("author_detail") or {}, "name") if version.startswith("atom") else ""
    return name or _text(entry, "author")


def _body(entry: Any, version: str, alts: Mapping[str, str]) -> tuple[Words, Any]:
    """The fullest text that describes no picture, and where its base and language stand."""
    atom = version.startswith("atom")
    contents = entry.get("content", ())
    rich = [content for content in contents if content.get("type") in _HTML]
    plain = [content for content in contents if content not in rich]
    summary = entry.get("summary_detail") or {}
    if summary.get("value") != entry.get("summary"):  # it tells of another description
        summary = {"value": entry.get("summary")}
    # In RSS, plain content is a description too many; in Atom it is content.
    for place in [*rich, *plain, summary] if atom else [*rich, summary, *plain]:
        value = _text(place, "value", BODY)
        if value and value not in alts.values():
            if "yt_videoid" in entry:  # YouTube writes plain text, and does not say so
                return Words(value, bool(MARKUP.search(value))), place
            guess = not atom or "type" not in place
            return Words(value, place.get("type") in _HTML or (guess and bool(MARKUP.search(value)))), place
    return Words(), {}


def _enclosures(entry: Any, alts: Mapping[str, str]) -> Iterator[Enclosure]:
    for media in entry.get("media_content", ())[:20]:
        url = _text(media, "url")
        yield Enclosure(
            url=url,
            type=_text(media, "type") or _text(media, "medium"),
            alt=alts.get(url, ""),
            width=_number(media.get("width")),
            height=_number(media.get("height")),
        )
    for link in entry.get("links", ())[:20]:
        if link.get("rel") == "enclosure":
            yield Enclosure(url=_text(link, "href"), type=_text(link, "type"))


def _alts(body: bytes) -> dict[str, str]:
    """Descriptions of media by address; of a document that is not well-formed, none."""
    if b"mrss" not in body or b"description" not in body:
        return {}
    try:
        root = ET.fromstring(body)  # noqa: S314 - in the worker: a hostile document costs its time and memory, not ours
    except (ET.ParseError, ValueError, LookupError):
        return {}
    return {
        media.get("url", ""): text.strip()[:LINE]
        for space in _MRSS
        for media in root.iter(f"{{{space}}}content")
        if (text := media.findtext(f"{{{space}}}description"))
    }


def _text(where: Mapping[str, Any], key: str, limit: int = LINE) -> str:
    value = where.get(key)
    return value[:limit].encode(errors="replace").decode() if isinstance(value, str) else ""


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value) else None


def _date(entry: Any, language: str, *names: str) -> datetime | None:
    """The first date that can be read, by a reader of ours: feedparser's make another day of what they do not know."""
    # dict's own get: feedparser's takes the publication for the update, with a warning
    read = (moment(dict.get(entry, name) or "", language) for name in names)
    return next(filter(None, read), None)
