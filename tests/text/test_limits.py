"""What a server sends is capped where it enters, and honest posts never notice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import Post
from relay.rich import Block, Form, Span
from relay.sources import limits
from relay.sources.bluesky.records import read_view
from relay.sources.lenient import read, read_all
from relay.sources.mastodon.misskey.notes import read_note
from relay.sources.mastodon.parse import read_post
from relay.sources.mastodon.shapes import identified
from relay.testing import post, text
from relay.text import brief, clean, from_html, from_plain, opening, safe_url, text_content, web_address, within
from relay.text.limits import ADDRESS, KEPT, MARKUP, SENT, TextLimits
from tests.support.hostile import KINDS
from tests.support.hostile import MARKUP as MARKUP_KINDS

HOME = "https://ayllu.example"
MANY = 20_000
LONG = 500_000


def status(**changes: Any) -> dict[str, Any]:
    account = {"id": "1", "acct": "illa", "username": "illa", "display_name": "Illa", "uri": f"{HOME}/users/illa"}
    usual = {
        "id": "7",
        "uri": f"{HOME}/users/illa/statuses/7",
        "url": f"{HOME}/@illa/7",
        "created_at": "2026-03-01T12:00:00Z",
        "visibility": "public",
        "content": "<p>Hello</p>",
        "account": account,
    }
    return {**usual, **changes}


def shown(**changes: Any) -> Post:
    found = read_post(json.dumps(status(**changes)).encode(), HOME)
    assert found
    return found


def test_every_field_and_list_of_a_status_is_capped() -> None:
    file = {"type": "image", "url": f"{HOME}/a.png", "description": "d" * 2_000}
    found = shown(
        content="<p>a</p>" * 20_000,
        spoiler_text="w" * 5_000,
        language="l" * 5_000,
        tags=[{"name": f"t{n}" * 60} for n in range(500)],
        media_attachments=[file] * 150,
        poll={"options": [{"title": "o" * 300}] * 1_000},
        card={"url": f"{HOME}/c", "title": "t" * 5_000, "description": "d" * 5_000},
    )
    assert found.poll
    assert found.link_card
    assert (len(found.tags), len(found.media), len(found.poll.options)) == (limits.TAGS, limits.MEDIA, limits.OPTIONS)
    assert len(found.body) <= KEPT.blocks + 1
    assert len(text_content(found.body)) <= limits.STATUS
    assert text_content(found.body).endswith("…")
    pieces = [found.warning, found.language, *found.tags, *(one.alt for one in found.media)]
    pieces += [found.link_card.title, found.link_card.description, *(one.text for one in found.poll.options)]
    assert max(map(len, pieces)) <= 1_500


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "9" * 1_000},
        {"uri": HOME + "/" + "u" * LONG, "url": ""},
        {"content": "a" * (limits.RECORD + 1)},
        {"account": {"uri": HOME + "/" + "u" * LONG}},
    ],
    ids=["id", "uri", "record", "author"],
)
def test_what_names_a_post_is_never_cut_but_refused(changes: dict[str, Any]) -> None:
    assert read_post(json.dumps(status(**changes)).encode(), HOME) is None


def test_a_post_of_a_million_characters_is_cut_and_not_lost() -> None:
    assert text_content(shown(content="a " * 500_000).body).endswith("…")


def test_a_long_handle_or_address_is_none() -> None:
    account = {**status()["account"], "acct": "i" * 5_000, "avatar": f"{HOME}/" + "a" * ADDRESS}
    found = shown(account=account)
    assert len(found.author.handle) < 400
    assert not found.author.avatar


def test_notes_and_posts_of_bluesky_are_capped_too() -> None:
    note = read_note(
        json.dumps(
            {
                "id": "a",
                "createdAt": "2026-03-01T12:00:00Z",
                "text": "a " * 50_000,
                "visibility": "public",
                "user": {"id": "u", "username": "illa"},
                "tags": ["t"] * 10_000,
                "files": [{"url": f"{HOME}/{n}.png", "type": "image/png"} for n in range(1_000)],
                "poll": {"choices": [{"text": "o"}] * 1_000},
            }
        ).encode(),
        HOME,
    )
    assert note
    assert note.poll
    assert len(text_content(note.body)) <= limits.STATUS
    assert (len(note.media), len(note.poll.options)) == (limits.MEDIA, limits.OPTIONS)
    did = "did:plc:" + "a" * 24
    tag = {"$type": "app.bsky.richtext.facet#tag", "tag": "t"}
    facets = [{"index": {"byteStart": n, "byteEnd": n + 1}, "features": [tag | {"tag": f"t{n}"}]} for n in range(5_000)]
    record = {"$type": "app.bsky.feed.post", "createdAt": "2026-03-01T12:00:00Z", "text": "a" * 300_000}
    view = {
        "uri": f"at://{did}/app.bsky.feed.post/3k",
        "author": {"did": did, "handle": "illa.example"},
        "record": record | {"facets": facets},
        "indexedAt": "2026-03-01T12:00:00Z",
    }
    found = read_view(json.dumps(view).encode())
    assert isinstance(found, Post)
    assert len(found.tags) == limits.TAGS
    assert len(text_content(found.body)) <= limits.STATUS


def test_json_that_is_a_flood_of_values_is_not_read() -> None:
    assert read(b"[" + b"0," * 4_000_000 + b"0]", list[int]) is None
    assert read(b'{"a":"\xff","b":[' + b"0," * 1_000_000 + b"0]}", dict[str, object]) is None
    assert len(read_all(b"[" + b"0," * MANY + b"0]", int)) == limits.ITEMS
    assert len(identified(b"[" + b",".join(b'{"id":%d}' % n for n in range(MANY)) + b"]")) == limits.ITEMS
    assert read(b"[" * 5_000_000, list[int]) is None


# --- texts ---


@given(
    st.lists(st.tuples(st.lists(st.text("ab \n\u0301", min_size=1), max_size=5), st.sampled_from(Form)), max_size=12),
    st.integers(1, 40),
    st.integers(1, 8),
    st.integers(1, 12),
    st.integers(1, 10),
)
def test_a_text_within_a_size_is_its_beginning(
    blocks: list[tuple[list[str], Form]], characters: int, most: int, spans: int, lines: int
) -> None:
    given_text = tuple(Block(tuple(map(Span, words)), form=form) for words, form in blocks)
    size = TextLimits(characters, most, spans, lines)
    cut = within(given_text, size)
    said = ["".join(span.text for span in block.spans) for block in cut]
    if cut is given_text:
        assert len(cut) <= most
        assert sum(map(len, said)) <= characters
        return
    whole = "".join(span.text for block in given_text for span in block.spans)
    assert said[-1].endswith("…")
    assert whole.startswith("".join(said).removesuffix("…"))
    assert len(cut) <= most + 1
    assert sum(map(len, said)) <= characters + 1
    assert sum(len(block.spans) for block in cut) <= spans + 1
    assert sum(one.count("\n") + 1 for one in said) <= lines + 1


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_text_becomes_more_than_is_kept(kind: str) -> None:
    html = KINDS[kind](150_000)
    body = from_html(html) if kind in MARKUP_KINDS else from_plain(html)
    assert len(body) <= KEPT.blocks + 1
    assert sum(len(block.spans) for block in body) <= KEPT.spans + 1
    assert len(text_content(body)) <= 2 * KEPT.characters  # margins count
    sent = brief(post(1, body=body)).body
    assert len(sent) <= SENT.blocks + 1
    assert len(clean(html, limit=100)) <= 100


def test_html_is_cut_where_no_tag_or_reference_is_torn() -> None:
    assert opening("<p>abc</p>", 100) == "<p>abc</p>"
    assert opening("<p>abc</p><p>def", 12) == "<p>abc</p>…"
    assert opening("abc &amp; def", 7) == "abc …"
    assert text_content(from_html("<p>a</p>" + '<a href="https://a.example/">' * MARKUP)).count("href") == 0


def test_what_is_short_stays_as_it_is() -> None:
    honest = text("Hello")
    assert within(honest, SENT) is honest
    one = post(1)
    assert brief(one) is one


def test_addresses_and_hosts_have_a_longest_form() -> None:
    assert safe_url(f"{HOME}/" + "a" * (ADDRESS - 100))
    assert not safe_url(f"{HOME}/" + "a" * ADDRESS)
    assert not web_address("https://" + "é" * 5_000 + ".example/")
