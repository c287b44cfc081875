"""Facets mark stretches of UTF-8 bytes; whatever they say, the text stays whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rich import Role, Span
from relay.sources.bluesky.facets import cut, facet_tags, read_body
from relay.sources.bluesky.shapes import ByteSlice, Facet, Feature, Raw
from tests.servers.bluesky.jetstream import did

SAMI = did("sami")


def link(uri: str) -> dict[str, Any]:
    return {"$type": "app.bsky.richtext.facet#link", "uri": uri}


def tag(name: str) -> dict[str, Any]:
    return {"$type": "app.bsky.richtext.facet#tag", "tag": name}


def mention(who: str) -> dict[str, Any]:
    return {"$type": "app.bsky.richtext.facet#mention", "did": who}


def facet(start: int, end: int, *features: dict[str, Any]) -> dict[str, Any]:
    return {"index": {"byteStart": start, "byteEnd": end}, "features": list(features)}


def spans(text: str, *facets: object) -> list[Span]:
    return [span for block in read_body(text, Raw(json.dumps(facets).encode())) for span in block.spans]


def marked(text: str, *facets: object) -> list[tuple[str, str]]:
    """What leads somewhere, and where."""
    return [(span.text, span.link) for span in spans(text, *facets) if span.link]


A, B = link("https://a.example/"), link("https://b.example/")


@pytest.mark.parametrize(
    ("text", "facets", "links"),
    [
        ("see here", [facet(4, 8, A)], [("here", A["uri"])]),
        ("más aquí", [facet(5, 10, A)], [("aquí", A["uri"])]),
        ("🌄🌄 up", [facet(9, 11, A)], [("up", A["uri"])]),
        ("see here", [facet(4, 99, A)], [("here", A["uri"])]),
        ("see here", [facet(8, 99, A)], []),
        ("see here", [facet(99, 120, A)], []),
        ("see here", [facet(-4, 3, A)], []),
        ("see here", [facet(4, 4, A)], []),
        ("see here", [facet(8, 4, A)], []),
        ("see here", [facet(3, 4, A)], []),
        ("see here", [facet(4, 8, B), facet(0, 3, A)], [("see", A["uri"]), ("here", B["uri"])]),
        ("see here", [facet(0, 5, A), facet(4, 8, B)], [("see h", A["uri"])]),
        ("see here", [facet(0, 8, A), facet(0, 8, B)], [("see here", A["uri"])]),
        ("see here", [facet(0, 8, {"$type": "org.example.facet#bold"}), facet(4, 8, A)], [("here", A["uri"])]),
        ("see here", [facet(4, 8, {"$type": "org.example.facet#bold"}, A)], [("here", A["uri"])]),
        ("see here", [facet(4, 8, link("javascript:alert(1)"))], []),
        ("see here", [facet(4, 8, link("https://me:pass@b.example/"))], []),
        ("see here", [facet(4, 8, mention("did:evil:x"))], []),
        ("see here", [facet(4, 8)], []),
        ("í", [facet(1, 2, A)], [("í", A["uri"])]),
        ("aí b", [facet(0, 2, A), facet(2, 4, B)], [("aí", A["uri"])]),
        ("see here", ["x", None, {}, {"index": 5}, {"index": {"byteStart": 0}}, facet(4, 8, A)], [("here", A["uri"])]),
        ("see here", [{"index": {"byteStart": 4, "byteEnd": 8}, "features": "none"}], []),
    ],
)
def test_links_are_where_the_reference_puts_them(text: str, facets: list[object], links: list[tuple[str, str]]) -> None:
    """Overlapping, unsorted, empty, blank, out of range, within a character, of unknown kinds."""
    assert marked(text, *facets) == links
    assert "".join(span.text for span in spans(text, *facets)) == text


def test_a_mention_leads_to_a_profile_by_did_and_a_hashtag_is_one() -> None:
    shown = spans("@sami #Qeswachaka", facet(0, 5, mention(SAMI)), facet(6, 17, tag("Qeswachaka")))
    assert shown == [
        Span("@sami", f"https://bsky.app/profile/{SAMI}", Role.MENTION),
        Span(" "),
        Span("#Qeswachaka", "https://bsky.app/hashtag/Qeswachaka", Role.HASHTAG),
    ]


def test_blank_lines_part_paragraphs_and_others_stay() -> None:
    body = read_body("one\ntwo\n\n\nthree", Raw(b"[]"))
    assert [[span.text for span in block.spans] for block in body] == [["one\ntwo"], ["three"]]


def test_no_direction_trick_comes_through() -> None:
    assert spans("up\u202ednah", facet(0, 2, A)) == [Span("up", A["uri"]), Span("dnah")]


def test_hashtags_are_told_even_where_a_facet_lies_outside() -> None:
    raw = json.dumps([facet(50, 60, tag("#Rivers")), facet(3, 1, tag("up")), facet(0, 1, tag(" ")), facet(0, 1, A)])
    assert facet_tags(Raw(raw.encode())) == ("Rivers", "up")


_FEATURES = st.builds(
    Feature,
    type=st.sampled_from(["link", "tag", "mention", "bold"]).map(lambda kind: f"app.bsky.richtext.facet#{kind}"),
    uri=st.sampled_from(["https://a.example/", "nonsense", None]),
    tag=st.one_of(st.none(), st.text(max_size=5)),
    did=st.sampled_from([SAMI, "did:x", None]),
)


def _facet(start: int, end: int, feature: Feature) -> Facet:
    made = {"$type": feature.type, "uri": feature.uri, "tag": feature.tag, "did": feature.did}
    return Facet(ByteSlice(start, end), Raw(json.dumps([made]).encode()))


@given(st.text(), st.lists(st.builds(_facet, st.integers(-5, 60), st.integers(-5, 60), _FEATURES), max_size=8))
def test_the_text_survives_any_facets(text: str, facets: list[Facet]) -> None:
    assert "".join(piece.text for piece in cut(text, facets)) == text.encode("utf-8", "replace").decode()


@given(st.binary(max_size=80))
def test_any_bytes_are_no_facets(raw: bytes) -> None:
    assert "".join(span.text for block in read_body("text", Raw(raw)) for span in block.spans) == "text"
