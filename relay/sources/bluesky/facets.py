"""Text and facets to spans. Pure, and total.

Facets count UTF-8 bytes and are made by anybody's program: they overlap, lie outside the text, begin in a character.
After the reference (``rich-text.ts``): in order of their start, what overlaps an earlier one is left out, what is empty
or blank marks nothing. Unlike there, a facet that says nothing we know covers none that does, and no character is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from relay.rich import Role, Span, Text
from relay.sources.bluesky.address import is_did, profile_url, tag_url
from relay.sources.bluesky.shapes import Facet, Feature, Raw, read_all
from relay.sources.limits import FACETS, FEATURES, STATUS, TAGS
from relay.text import clean, paragraphs, safe_url, scrub

_FEATURE = "app.bsky.richtext.facet#"
_TAG = f"{_FEATURE}tag"


@dataclass(frozen=True, slots=True)
class FacetRun:
    """A run of the text, and what it leads to; all pieces in a row are the whole text."""

    text: str
    link: str = ""
    role: Role = Role.TEXT


def read_body(text: str, facets: Raw) -> Text:
    """Paragraphs with links, mentions and hashtags as the facets mark them."""
    pieces = cut(text[:STATUS], read_all(facets, Facet, FACETS))
    return paragraphs([Span(words, piece.link, piece.role) for piece in pieces if (words := scrub(piece.text))])


def facet_tags(facets: Raw) -> tuple[str, ...]:
    """All hashtags that facets name, wherever these lie."""
    marked = read_all(facets, Facet, FACETS)
    features = (feature for facet in marked for feature in read_all(facet.features, Feature, FEATURES))
    names = (name for feature in features if feature.type == _TAG and (name := tag_name(feature.tag)))
    return tuple(islice(names, TAGS))


def tag_name(tag: str | None) -> str:
    """A hashtag without ``#``; empty where it is none."""
    return clean(tag or "", limit=200).lstrip("#＃").strip()


def cut(text: str, facets: Sequence[Facet]) -> tuple[FacetRun, ...]:
    """The text in pieces, in its order."""
    raw = text.encode("utf-8", "replace")
    return tuple(piece for piece in _cut(raw, _marks(facets)) if piece.text)


@dataclass(frozen=True, slots=True)
class _Mark:
    start: int
    end: int
    link: str
    role: Role


def _marks(facets: Sequence[Facet]) -> list[_Mark]:
    marks = (
        _Mark(facet.index.byteStart, facet.index.byteEnd, *target)
        for facet in facets
        if 0 <= facet.index.byteStart < facet.index.byteEnd and (target := _target(facet))
    )
    return sorted(marks, key=lambda mark: mark.start)


def _target(facet: Facet) -> tuple[str, Role] | None:
    """Where the first feature leads that we know."""
    for feature in read_all(facet.features, Feature, FEATURES):
        match (feature.type or "").removeprefix(_FEATURE):
            case "link" if link := safe_url(feature.uri or ""):
                return link, Role.TEXT
            case "mention" if is_did(feature.did or ""):
                return profile_url(feature.did or ""), Role.MENTION
            case "tag" if name := tag_name(feature.tag):
                return tag_url(name), Role.HASHTAG
            case _:
                continue
    return None


def _cut(raw: bytes, marks: Sequence[_Mark]) -> Iterator[FacetRun]:
    done = 0
    for mark in marks:
        start, end = _before(raw, mark.start), _after(raw, mark.end)
        if start < done:
            continue
        words = raw[start:end].decode("utf-8", "replace")
        if not words.strip():
            continue
        yield FacetRun(raw[done:start].decode("utf-8", "replace"))
        yield FacetRun(words, mark.link, mark.role)
        done = end
    yield FacetRun(raw[done:].decode("utf-8", "replace"))


def _before(raw: bytes, place: int) -> int:
    """The last place at or before this one where a character begins."""
    while 0 < place < len(raw) and raw[place] & 0xC0 == 0x80:
        place -= 1
    return place


def _after(raw: bytes, place: int) -> int:
    while place < len(raw) and raw[place] & 0xC0 == 0x80:
        place += 1
    return min(place, len(raw))
