"""A feed's bytes become its entries, by feedparser; nothing is made of them yet. Pure.

It runs in a process of its own (:mod:`relay.sources.feed_process`), so it imports little. What feedparser gets wrong is
put right in its own handlers (:mod:`relay.sources.feed_parser`), in dates (:mod:`relay.sources.feed_dates`), or here:
RSS text that is no HTML, escaped sections of CDATA, the choice among links and files, a half-sent last entry.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from relay.sources.feed_dates import moment
from relay.sources.feed_document import Enclosure, FeedDocument, FeedEntry, TypedText
from relay.sources.feed_media import chosen, number, widest

MANY = 1000
"""Entries of one document that are looked at: the newest, else the first."""

_HTML = ("text/html", "application/xhtml+xml")
MEDIA_TEXT = "text/x-media"
"""The type of a ``media:description`` that does not say it is HTML."""
_TAG = re.compile(r"<(?:/?[a-zA-Z][\w:-]{0,40}(?:\s[^<>]*|/)?>|!)")  # but no <illa@bell.example> nor <https://...>
_BLOCK = re.compile(
    r"</?(?:p|br|div|h[1-6]|[uod]l|li|d[td]|table|t[rhd]|tbody|blockquote|pre|hr|section|article|figure)[\s/>]",
    re.IGNORECASE,
)
_EMPTY_LINE = re.compile(r"\n[ \t\r]{0,200}\n")
_FILES, _LINKS = 50, 100
_LAST_TAG = re.compile(rb"</\s*(?:[\w.-]+:)?(?:rss|feed|rdf|channel)\s*(?:>|\Z)", re.IGNORECASE)
_HOUR = re.compile(rb"<hour>\s*([0-9]{1,2})\s*</hour>", re.IGNORECASE)
_DAY = re.compile(rb"<day>\s*([a-z]{6,9})\s*</day>", re.IGNORECASE)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ALTERNATE = ("alternate", "", "http://www.iana.org/assignments/relation/alternate")
_PICTURES = ("picture", "googleplay_image", "webfeeds_featuredimage", "thumbnail", "featuredimage")
BODY = 200_000
LINE = 2_000
"""Characters that are kept of a text, and of anything else."""


def parse(body: bytes, slices: Sequence[str] | None = None) -> FeedDocument:
    """Read RSS 0.9x to 2.0, RSS 1.0 (RDF) or Atom in UTF-8 (:mod:`relay.sources.feed_encoding`), well-formed or not.

    ``slices`` are the digests of its entries, if it was cut: they are handed on where it is as it was thought to be.
    """
    parsed = _parsed(body)
    truncated = bool(parsed.bozo) and not _LAST_TAG.search(body[-20_000:])
    found = parsed.entries[:-1] if truncated else parsed.entries
    feed, version = parsed.feed, parsed.get("version") or ""
    pictures = tuple(filter(None, (_text(feed.get("image") or {}, "href"), _text(feed, "itunes_picture"))))
    head = _Head(version, _text(feed, "language"), pictures)
    links = [(link.get("rel"), _text(link, "href")) for link in feed.get("links", ())]
    hours, days = skips(body)
    cut = tuple(slices) if slices is not None and not parsed.bozo and len(slices) == len(found) else None
    return FeedDocument(
        version=version,
        title=_title(feed),
        link=page_of(feed),
        ttl=_number(feed.get("ttl")) or 0,
        truncated=truncated,
        hubs=tuple([href for relation, href in links if relation == "hub" and href][:10]),
        topic=next((href for relation, href in links if relation == "self"), ""),
        skip_hours=hours,
        skip_days=days,
        found=len(found),
        slices=cut,
        language=head.language,
        pictures=pictures,
        entries=tuple(
            _entry(entry, head, digest) for entry, digest in _newest(found, head.language, cut or [""] * len(found))
        ),
    )


@dataclass(frozen=True, slots=True)
class _Head:
    """What the entries take from the feed around them."""

    version: str
    language: str
    pictures: tuple[str, ...]

    @property
    def is_atom(self) -> bool:
        return self.version.startswith("atom")


def skips(body: bytes) -> tuple[frozenset[int], frozenset[int]]:
    """``skipHours`` and ``skipDays`` of RSS 2.0; feedparser keeps the last one of each."""
    if b"<skip" not in body:
        return frozenset(), frozenset()
    head = body[:100_000]
    hours = (int(hour) % 24 for hour in _HOUR.findall(head) if int(hour) <= 24)
    days = (day.decode().title() for day in _DAY.findall(head))
    return frozenset(hours), frozenset(_DAYS.index(day) for day in days if day in _DAYS)


def _parsed(body: bytes) -> Any:
    from relay.sources.feed_parser import nothing, parsed  # feedparser takes its time to load

    try:
        return parsed(body)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - feedparser raises all sorts of things over what it does not expect
        return nothing()


def _newest(entries: Sequence[Any], language: str, slices: Sequence[str]) -> list[tuple[Any, str]]:
    cut = list(zip(entries, slices, strict=True))
    if len(cut) <= MANY:
        return cut
    never = datetime.min.replace(tzinfo=UTC)
    dates = {id(entry): _date(entry, language, "published", "updated") or never for entry in entries}
    return sorted(cut, key=lambda one: dates[id(one[0])], reverse=True)[:MANY]


def _entry(entry: Any, head: _Head, digest: str) -> FeedEntry:
    body, detail = _body(entry, head)
    media = list(media_of(entry))
    return FeedEntry(
        guid=_text(entry, "id"),
        link=page_of(entry) or _page_by_guid(entry, head),
        original=_address(entry, "feedburner_origlink") or _address(entry, "pheedo_origlink"),
        title=_title(entry),
        body=body,
        base=_text(detail, "base") or _text(entry, "base"),
        author=_author(entry, head),
        language=_text(detail, "language") or head.language,
        published=_date(entry, head.language, "published", "created"),
        updated=_date(entry, head.language, "updated"),
        tags=tuple(_text(tag, "term") or _text(tag, "label") for tag in entry.get("tags", ())[:50]),
        enclosures=tuple(media),
        thumbnail=thumbnail_of(entry, alone=not media, common=head.pictures),
        adult=_text(entry.get("media_rating") or {}, "content") == "adult",
        reply_to=_text(entry.get("thr_in-reply-to") or {}, "ref"),
        slice=digest,
    )


def page_of(where: Any) -> str:
    """The page that a feed or an entry names: of its links the first to a web page, else to anything but a feed.

    feedparser takes the last one, and also one that is another's: the text of an enclosure without an address.
    """
    pages = [link for link in where.get("links", ())[:100] if link.get("rel", "alternate") in _ALTERNATE]
    texts = [link for link in pages if link.get("type") in _HTML]
    others = [link for link in pages if not str(link.get("type")).endswith(("xml", "json"))]
    named = (_address(link, "href") or _address(link, "spare") for link in [*texts, *others, *pages])
    return next(filter(None, named), "")


def _page_by_guid(entry: Any, head: _Head) -> str:
    """The guid where it is an address; in RSS 1.0 an entry is called by its own."""
    about = _text(entry, "id") if head.version == "rss10" else ""
    return _text(entry, "page_by_guid") or (about if about.lower().startswith(("http://", "https://")) else "")


def _title(where: Any) -> TypedText:
    return TypedText(unwrapped(_text(where, "title")), (where.get("title_detail") or {}).get("type") in _HTML)


def _author(entry: Any, head: _Head) -> str:
    """The name, or in RSS whatever stands there: feedparser cuts addresses at the fourth letter of their last label."""
    name = _text(entry.get("author_detail") or {}, "name") if head.is_atom else ""
    return name or _text(entry, "author")


def _body(entry: Any, head: _Head) -> tuple[TypedText, Any]:
    """The fullest text, and where its base and language stand."""
    contents = entry.get("content", ())
    rich = [content for content in contents if content.get("type") in _HTML]
    plain = [content for content in contents if content not in rich]
    summary = entry.get("summary_detail") or {}
    if summary.get("value") != entry.get("summary"):  # it tells of another description
        summary = {"value": entry.get("summary")}
    own = [content for content in plain if content.get("type") != MEDIA_TEXT]
    # In RSS, plain content is a description too many; in Atom it is content.
    for place in [*rich, *own, summary, *plain] if head.is_atom else [*rich, summary, *plain]:
        if value := unwrapped(_text(place, "value", BODY)):
            guess = not head.is_atom or place.get("type", MEDIA_TEXT) == MEDIA_TEXT
            return (as_written(value) if guess else TypedText(value, place.get("type") in _HTML)), place
    return TypedText(), {}


def unwrapped(text: str) -> str:
    """Without the marks of a CDATA section that was escaped as if it were text, also within another one."""
    if "<![CDATA[" not in text:
        return text
    return text.replace("]]><![CDATA[", "").replace("<![CDATA[", "").replace("]]>", "").strip()


def as_written(text: str) -> TypedText:
    """RSS does not say whether a text is HTML: it is where there is a tag, and without one its lines are lines.

    Where the only tags are links and the like, an empty line shows that lines were meant, too.
    """
    if not _TAG.search(text):
        return TypedText(_lines(html.unescape(text)))
    if _EMPTY_LINE.search(text) and not _BLOCK.search(text):
        return TypedText(text.replace("\r\n", "\n").replace("\n", "<br>\n"), html=True)
    return TypedText(text, html=True)


def _lines(text: str) -> str:
    """The lines of a text; where all but the first are indented, they are the document's, and an empty one divides."""
    first, *others = text.split("\n")
    if not any(others) or any(line[:1] not in {" ", "\t"} for line in others if line.strip()):
        return text
    paragraphs = [list[str]()]
    for line in (first, *others):
        if line.strip():
            paragraphs[-1].append(line.strip())
        else:
            paragraphs.append([])
    return "\n\n".join(" ".join(lines) for lines in paragraphs if lines)


def media_of(entry: Any) -> Iterator[Enclosure]:
    """The files of Media RSS, then the enclosures."""
    for medium, preview in chosen(entry.get("media_content", ())[:_FILES]):
        yield Enclosure(
            url=_address(medium, "url"),
            type=_text(medium, "type") or _text(medium, "medium"),
            alt=_text(medium, "description"),
            width=number(medium, "width") or None,
            height=number(medium, "height") or None,
            preview=preview[:LINE].replace("&amp;", "&"),
        )
    enclosures = [link for link in entry.get("links", ())[:_LINKS] if link.get("rel") == "enclosure"]
    original = _address(entry, "feedburner_origenclosurelink") if len(enclosures) == 1 else ""
    for link in enclosures:
        yield Enclosure(url=original or _address(link, "href"), type=_text(link, "type"))


def thumbnail_of(entry: Any, *, alone: bool, common: Collection[str]) -> str:
    """The picture that an entry names for itself; the one that all have from the feed is no news by itself."""
    pictures = (entry.get(name) for name in _PICTURES)
    named = (_address(one, "href") or _address(one, "url") if isinstance(one, Mapping) else one for one in pictures)
    own = next((one[:LINE] for one in named if isinstance(one, str) and one), "")
    picture = widest(entry.get("media_thumbnail", ()))[:LINE] or own
    return "" if alone and picture in common else picture


def _text(where: Mapping[str, Any], key: str, limit: int = LINE) -> str:
    value = where.get(key)
    return value[:limit].encode(errors="replace").decode() if isinstance(value, str) else ""


def _address(where: Mapping[str, Any], key: str) -> str:
    """An address, some of which are escaped twice."""
    return _text(where, key).replace("&amp;", "&")


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value) else None


def _date(entry: Any, language: str, *names: str) -> datetime | None:
    """The first date that can be read, by a reader of ours: feedparser's make another day of what they do not know."""
    # dict's own get: feedparser's takes the publication for the update, with a warning
    read = (moment(dict.get(entry, name) or "", language) for name in names)
    return next(filter(None, read), None)
