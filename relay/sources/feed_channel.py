"""What a feed says of itself, and which elements say nothing that matters, as feedparser would have it. Pure."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

from relay.sources.feed_dates import Odd
from relay.sources.feed_elements import atom_link, atom_words, rss_link, rss_title
from relay.sources.feed_gathered import ATOM, BASE, DC, ITUNES, LANG, MEDIA, THREAD, YOUTUBE, resolved, said
from relay.sources.feed_parse import LINE, Document, Entry, Words, skips

_DECLARED = re.compile(rb"xmlns(?::([\w.-]+))?\s*=\s*[\"']([^\"']*)[\"']")
# Namespaces of which feedparser knows some, or reads a version out of them.
_FAMILIAR = re.compile(
    "purl.org|userland.com|harvard.edu|netscape.com|example.com|echo/namespace|webns.net|tangent.org|creativecommons|"
    "web.resource.org|theinfo.org|rssnamespace.org|freshmeat|xmlns.com|w3.org|georss|opengis|postneo|itunes.com|yahoo.com|"
    "madskills|prismstandard|benhammersley|pocketsoap|wellformedweb|podlove|xmlsoap",
    re.IGNORECASE,
)
_MISLEADING = ("http://purl.org/rss/1.0/", "http://my.netscape.com/rdf/simple/0.9/")
# Prefixes that mean something to feedparser, whatever namespace they stand for, or would make one of its own keys.
_RESERVED = (
    "admin ag annotate audio author authors blogchannel category cc cloud co content cp created creativecommons dc "
    "dcterms description email ev expired feed feedburner fm foaf geo georss gml guid icbm id image itunes l link "
    "links media name pingback prism psc published publisher rdf rdfs ref reqv rights search slash soap source ss "
    "str sub subtitle summary sy szf tags taxo textinput thr ti title trackback updated url validity wfw wiki xhtml "
    "xlink xml"
)
# Namespaces that feedparser does not know: by this prefix their elements are found among its keys.
_PREFIXED = {THREAD[1:-1]: "thr", YOUTUBE[1:-1]: "yt"}
_QUIET_SPACES = (
    "http://purl.org/rss/1.0/modules/slash/",
    "http://purl.org/rss/1.0/modules/syndication/",
    "http://wellformedweb.org/CommentAPI/",
    "http://www.georss.org/georss",
    "http://www.w3.org/2003/01/geo/wgs84_pos#",
)


def _names(space: str, names: str) -> frozenset[str]:
    return frozenset(space + name for name in names.split())


_QUIET = (
    _names("", "comments")
    | _names(DC, "contributor coverage format identifier language publisher relation rights source type")
    | _names(ITUNES, "block duration episode episodeType explicit image isClosedCaptioned order season subtitle title")
    | _names(THREAD, "total")
)
_QUIET_RSS = _names(
    "", "category cloud copyright description docs generator lastBuildDate managingEditor pubDate rating webMaster"
) | _names(DC, "creator date subject")
_QUIET_MEDIA = _names(MEDIA, "category copyright credit keywords rating thumbnail")
_QUIET_ATOM = _names(ATOM, "category generator icon logo rights subtitle updated")
_PERSONS = _names(ATOM, "author contributor")
_WITHIN = {
    "image": _names("", "url title link width height description"),
    "skipHours": _names("", "hour"),
    "skipDays": _names("", "day"),
}


class Harmless:
    """Tells the elements that change nothing in what is kept of a document."""

    def __init__(self, body: bytes) -> None:
        declared = {
            (prefix.decode().lower(), uri.decode("utf-8", "replace")) for prefix, uri in _DECLARED.findall(body)
        }
        if any(uri.lower() in _MISLEADING or "userland.com/rss" in uri.lower() for _, uri in declared):
            raise Odd("version")
        if any(_PREFIXED.get(uri, prefix) != prefix for prefix, uri in declared):
            raise Odd("prefix")
        reserved_prefixes = frozenset(_RESERVED.split())
        reserved = {uri for prefix, uri in declared if not prefix or prefix in reserved_prefixes}
        self._strange = {uri for _, uri in declared if uri not in reserved and not _FAMILIAR.search(uri)}
        self._known: dict[str, bool] = {}

    def __call__(self, element: Element) -> bool:
        if len(element):
            return all(self._is_strange(part.tag) for part in element.iter())
        quiet = self._known.get(element.tag)
        if quiet is None:
            quiet = self._known[element.tag] = self._is_quiet(element.tag)
        return quiet

    def _is_quiet(self, tag: str) -> bool:
        return tag in _QUIET or tag[1:].partition("}")[0] in _QUIET_SPACES or self._is_strange(tag)

    def _is_strange(self, tag: str) -> bool:
        return tag[0] == "{" and tag[1:].partition("}")[0] in self._strange


class Channel:
    """What a feed has said of itself so far."""

    def __init__(self, base: str, language: str) -> None:
        self.language = language
        self._base = base
        self._title: Words | None = None
        self._link: str | None = None
        self._id = ""
        self._ttl = ""
        self._links: list[tuple[str, str]] = []

    def rss(self, element: Element, harmless: Harmless) -> None:
        if BASE in element.attrib or LANG in element.attrib:
            raise Odd(element.tag)
        tag = element.tag
        if tag == "title":
            self._name(rss_title(element))
        elif tag == "link":
            self._link = rss_link(self._base, element)[:LINE]
        elif tag == f"{ATOM}link":
            self._lead(element)
        elif tag in ("language", f"{DC}language"):
            self.language = said(element)[:LINE]
        elif tag == "ttl":
            self._ttl = said(element)
        elif not _is_quiet_in_rss(element) and not harmless(element):
            raise Odd(tag)

    def atom(self, element: Element, harmless: Harmless) -> None:
        if BASE in element.attrib or LANG in element.attrib:
            raise Odd(element.tag)
        tag = element.tag
        if tag == f"{ATOM}title":
            self._name(atom_words(element))
        elif tag == f"{ATOM}link":
            self._lead(element)
        elif tag == f"{ATOM}id":
            self._id = self._id or resolved(self._base, said(element))
        elif not _is_quiet_in_atom(element) and not harmless(element):
            raise Odd(tag)

    def document(self, version: str, entries: tuple[Entry, ...], body: bytes) -> Document:
        title, link = self._title or Words(), self._link if self._link is not None else self._id
        hours, days = skips(body)
        return Document(
            version=version,
            title=Words(title.text[:LINE], title.html),
            link=link[:LINE],
            ttl=int(self._ttl) if re.fullmatch("[0-9]{1,6}", self._ttl) else 0,
            hubs=tuple([href for relation, href in self._links if relation == "hub" and href][:10]),
            topic=next((href for relation, href in self._links if relation == "self"), ""),
            skip_hours=hours,
            skip_days=days,
            found=len(entries),
            entries=entries,
        )

    def _name(self, title: Words) -> None:
        if self._title is not None:
            raise Odd("title")
        self._title = title

    def _lead(self, element: Element) -> None:
        relation, kind, href = atom_link(self._base, element)
        self._links.append((relation, href[:LINE]))
        if relation == "alternate" and kind in ("text/html", "html", "application/xhtml+xml", "xhtml"):
            self._link = href


def _is_quiet_in_rss(element: Element) -> bool:
    tag = element.tag
    if tag.startswith(ITUNES):
        return all(part.tag.startswith(ITUNES) for part in element)
    if tag in _WITHIN:
        return all(part.tag in _WITHIN[tag] and not len(part) for part in element)
    return not len(element) and (tag in _QUIET_RSS or tag in _QUIET_MEDIA)


def _is_quiet_in_atom(element: Element) -> bool:
    if element.tag in _PERSONS:
        return all(part.tag.startswith(ATOM) and not len(part) for part in element)
    return not len(element) and element.tag in _QUIET_ATOM
