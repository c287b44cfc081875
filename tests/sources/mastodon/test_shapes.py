"""JSON of another shape, and what is no JSON: it costs as little as can be, and nothing raises."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model import Post
from relay.sources.mastodon.parse import read_post
from relay.sources.mastodon.shapes import Context, Instance, Status, identified, read, read_all
from tests.servers.mastodon.fediverse import Fediverse, Json
from tests.support.thorough import examples

HERE = "https://social.example"


def status() -> Json:
    return Fediverse(HERE).post("Low water #Rivers")


def parse(raw: object) -> Post | None:
    return read_post(json.dumps(raw).encode(), HERE)


@pytest.mark.parametrize(
    "changes",
    [
        {"media_attachments": None, "tags": None, "mentions": None, "poll": [], "card": False, "quote": "yes"},
        {"media_attachments": {}, "tags": {"name": "x"}, "poll": {"options": 5}, "card": [], "quote": []},
        {"tags": [None, 5, {"name": None}, {"nom": "x"}, {"name": "#"}], "content": None, "spoiler_text": None},
        {"id": 5, "sensitive": None, "language": None, "edited_at": "soon", "extra": {"deep": [1]}},
    ],
)
def test_a_part_of_another_shape_costs_that_part_only(changes: Json) -> None:
    read = parse(status() | changes)
    assert read
    assert (read.media, read.poll, read.link_card, read.quote, read.edited) == ((), None, None, None, None)


@pytest.mark.parametrize(
    "changes",
    [{"account": None}, {"account": {}}, {"account": []}, {"created_at": None}, {"created_at": 5}, {"content": ["x"]}],
)
def test_a_post_that_cannot_be_understood_is_left_out(changes: Json) -> None:
    assert parse(status() | changes) is None


def test_a_bad_post_on_a_page_costs_no_other() -> None:
    page = [status(), {"id": "7", "content": 5}, 3, None, {"no": "id"}, {"id": None}]
    assert [*identified(json.dumps(page).encode())] == [page[0]["id"], "7"]  # type: ignore[index] # it is a status


@pytest.mark.parametrize(
    ("bad", "good"),
    [(rb'"\ud800"', True), (b'"\xff"', True), (b"NaN", False), (b"[" * 100_000, False), (b"1e999", True)],
)
def test_broken_characters_in_one_post_do_not_hide_the_page(bad: bytes, *, good: bool) -> None:
    """Half a surrogate pair, a byte that is no UTF-8; what is no JSON at all is no list."""
    page = b'[{"id": "1", "extra": ' + bad + b'}, {"id": "2"}]'
    assert [*identified(page)] == (["1", "2"] if good else [])


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"null", b"{}", b'"x"', b"\x00", b"[" * 100_000, b'{"id":' + b"9" * 5000]
)
def test_what_is_no_json_of_ours_is_nothing(body: bytes) -> None:
    assert read_post(body, HERE) is None
    assert identified(body) == {}
    assert read_all(body, Status) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from([*status()])
PARTS = st.sampled_from(["account", "media_attachments", "quote", "poll", "card", "tags", "mentions"])


@settings(max_examples=examples(200), deadline=None)
@given(JSON)
def test_arbitrary_json_never_raises(value: object) -> None:
    raw = json.dumps(value).encode()
    read_post(raw, HERE)
    identified(raw)
    for kind in (Context, Instance, Status):
        read(raw, kind)


@settings(max_examples=examples(200), deadline=None)
@given(
    st.dictionaries(FIELDS, JSON, max_size=4),
    PARTS,
    st.sampled_from(["url", "name", "state", "fields", "meta", "options", "id"]),
    JSON,
)
def test_a_status_with_anything_in_any_field_never_raises(changes: Json, part: str, name: str, value: object) -> None:
    nested = {name: value}
    many = part in {"media_attachments", "tags", "mentions"}
    parse(status() | {part: [nested] if many else nested} | changes)


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(body: bytes) -> None:
    read_post(body, HERE)
    identified(body)
