"""Notes to posts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import MediaKind, Post, Quote, QuoteState
from relay.sources.mastodon import live
from relay.sources.mastodon.misskey.notes import read_note
from relay.text import plain
from tests.servers.misskey import Json, Misskey

HOME = "https://ayllu.example"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def note(text: str | None = "#rivers low", by: str = "illa", **changes: Any) -> Json:
    return Misskey(base=HOME).note(text, by, **changes)


def read(value: object) -> Post | None:
    return read_note(json.dumps(value).encode(), HOME)


def post(value: object) -> Post:
    made = read(value)
    assert made is not None
    return made


def test_a_note_of_the_servers_own_has_the_name_that_others_know_it_by() -> None:
    made = post(note())
    assert (made.uri, made.url) == (f"{HOME}/notes/9zq0000001", f"{HOME}/notes/9zq0000001")
    assert (made.author.uri, made.author.handle) == (f"{HOME}/users/uilla", "@illa@ayllu.example")
    assert (made.author.name, made.author.url) == ("Illa", f"{HOME}/@illa")
    assert (made.origin, made.source, made.tags) == (HOME, "mastodon", ("rivers",))


def test_a_note_from_elsewhere_keeps_its_name() -> None:
    made = post(note("hello", "sami@lakes.example", uri="https://lakes.example/users/sami/statuses/5", url=None))
    assert made.uri == "https://lakes.example/users/sami/statuses/5"
    assert made.author.handle == "@sami@lakes.example"


@pytest.mark.parametrize(
    ("changes", "open_to_all"),
    [
        ({}, True),
        ({"visibility": "home"}, True),
        ({"visibility": "followers"}, False),
        ({"visibility": "specified"}, False),
        ({"visibility": None}, False),
        ({"visibility": "galaxy"}, False),
        ({"localOnly": True}, False),
        ({"text": None, "renoteId": "x"}, False),
        ({"text": "quoted", "renoteId": "x"}, True),
        ({"user": None}, False),
        ({"createdAt": "yesterday"}, False),
        ({"id": None}, False),
    ],
)
def test_what_is_for_everybody(changes: Json, *, open_to_all: bool) -> None:
    assert (read(note() | changes) is not None) is open_to_all


def test_a_note_for_home_timelines_is_unlisted() -> None:
    assert [post(note(visibility=one)).unlisted for one in ("public", "home")] == [False, True]


def test_warning_files_poll_and_edit() -> None:
    picture = {
        "type": "image/webp",
        "url": f"{HOME}/files/1.webp",
        "thumbnailUrl": f"{HOME}/files/1s.webp",
        "comment": "A rope bridge",
        "isSensitive": True,
        "properties": {"width": 800, "height": 600},
    }
    others = [{"type": "audio/ogg", "url": f"{HOME}/2"}, {"type": "x", "url": f"{HOME}/3"}, {"url": "javascript:x"}]
    poll = {"multiple": True, "expiresAt": "2026-07-02T10:00:00.000Z", "choices": [{"text": "Yes", "votes": 3}]}
    made = post(note(cw="heights", files=[picture, *others], poll=poll, updatedAt="2026-07-01T10:00:00.000Z"))
    assert (made.warning, made.sensitive) == ("heights", True)
    assert [media.kind for media in made.media] == [MediaKind.IMAGE, MediaKind.AUDIO, MediaKind.FILE]
    assert (made.media[0].alt, made.media[0].width, made.media[0].height) == ("A rope bridge", 800, 600)
    assert made.poll is not None
    assert (made.poll.multiple, made.poll.votes, made.poll.options[0].text) == (True, 3, "Yes")
    assert made.poll.closes == datetime(2026, 7, 2, 10, tzinfo=UTC)
    assert made.edited == datetime(2026, 7, 1, 10, tzinfo=UTC)


def test_of_a_quoted_note_only_the_link_is_shown() -> None:
    quoted = note("mine", "sami@lakes.example")
    made = post(note("look", renoteId=quoted["id"], renote=quoted))
    assert made.quote is not None
    assert (made.quote.url, made.quote.author, made.quote.body) == (quoted["url"], None, ())
    secret = quoted | {"visibility": "followers"}
    for renote in (secret, None):
        assert post(note("look", renoteId=secret["id"], renote=renote)).quote == Quote(state=QuoteState.HIDDEN)


def test_a_reply_names_its_parent_and_whose_it_is() -> None:
    parent = note("first")
    made = post(note("second", reply_to=parent) | {"id": "9zq0000002"})
    assert made.reply_to in post(parent).aliases
    assert made.reply_to_author == made.author.uri


def test_a_profile_that_asks_bots_to_stay_away_is_heard() -> None:
    asked = note()
    asked["user"] |= {"description": "rivers, #nobot", "createdAt": "2026-01-01T00:00:00.000Z"}
    made = post(asked)
    assert made.author.refuses
    assert made.author.created == datetime(2026, 1, 1, tzinfo=UTC)


@given(JSON, st.sampled_from(sorted(note())))
def test_any_other_shape_costs_a_part_or_the_note_and_never_raises(value: object, key: str) -> None:
    read(value)
    read(note() | {key: value})


@given(JSON)
def test_any_frame_is_read(value: object) -> None:
    live.read_note_frame(json.dumps(value))
    live.read_note_frame(json.dumps({"type": "channel", "body": {"id": "x", "type": "note", "body": value}}))


def test_a_frame_holds_the_hashtag_and_the_note() -> None:
    frame = json.dumps({"type": "channel", "body": {"id": "rivers", "type": "note", "body": note()}})
    found = live.read_note_frame(frame)
    assert found is not None
    made = read_note(found[1], HOME)
    assert found[0] == "rivers"
    assert made is not None
    assert plain(made.body) == "#rivers low"
