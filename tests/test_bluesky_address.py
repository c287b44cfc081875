"""What people write and what links look like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sources.bluesky.address import (
    Actor,
    Place,
    did_of,
    is_did,
    read_at,
    read_topic,
    record_url,
    tag_feed,
    tag_of,
)
from tests.servers.bluesky.jetstream import POSTS, did

ILLA = did("illa")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("@illa.bsky.social", Actor("illa.bsky.social")),
        (" @Illa.Ayllu.Example ", Actor("illa.ayllu.example")),
        ("@ayllu.example", Actor("ayllu.example")),
        (ILLA, Actor(ILLA)),
        ("did:web:ayllu.example", Actor("did:web:ayllu.example")),
        (f"@{ILLA}", Actor(ILLA)),
        (f"at://{ILLA}", Actor(ILLA)),
        (f"at://{ILLA}/{POSTS}/3kabc", Place(ILLA, "3kabc")),
        ("at://illa.ayllu.example/app.bsky.feed.post/3kabc", Place("illa.ayllu.example", "3kabc")),
        ("https://bsky.app/profile/illa.ayllu.example", Actor("illa.ayllu.example")),
        (f"https://bsky.app/profile/{ILLA}/", Actor(ILLA)),
        ("https://bsky.app/profile/illa.ayllu.example/feed/x", Actor("illa.ayllu.example")),
        (f"https://bsky.app/profile/{ILLA}/post/3kabc?ref=x#y", Place(ILLA, "3kabc")),
        ("https://bsky.app/profile/did%3Aweb%3Aayllu.example/post/3kabc", Place("did:web:ayllu.example", "3kabc")),
        ("https://bsky.app/profile/illa.ayllu.example/post/3kabc/liked-by", Place("illa.ayllu.example", "3kabc")),
        ("@illa", None),
        ("@illa@ayllu.example", None),
        ("@-illa.example", None),
        ("@illa.example.9", None),
        ("illa.bsky.social", None),
        ("did:evil:x", None),
        ("did:plc:SHOUT1234", None),
        ("at://", None),
        ("at://illa/x/y", None),
        ("https://bsky.app/", None),
        ("https://bsky.app/profile/illa", None),
        ("https://bsky.app.evil.example/profile/illa.bsky.social", None),
        ("https://user@bsky.app/profile/illa.bsky.social", None),
        ("ftp://bsky.app/profile/illa.bsky.social", None),
        ("https://[::1/profile/x", None),
        ("https://social.example/@ana/7", None),
        ("", None),
    ],
)
def test_what_is_meant(text: str, meant: Actor | Place | None) -> None:
    assert read_topic(text) == meant


@given(st.text(max_size=80))
def test_anything_may_be_written(text: str) -> None:
    for start in ("", "@", "at://", "https://bsky.app/profile/", "did:plc:"):
        read_topic(start + text)
        read_at(start + text)
        is_did(start + text)


def test_whose_record_it_is() -> None:
    assert did_of(f"at://{ILLA}/{POSTS}/3k") == ILLA
    assert did_of("at://illa.ayllu.example/app.bsky.feed.post/3k") == ""
    assert did_of("nonsense") == ""


def test_a_record_of_no_known_kind_has_no_page() -> None:
    assert record_url(Place(ILLA, "x", "org.example.thing")) == ""


def test_the_feed_of_a_hashtag_names_it() -> None:
    assert tag_of(tag_feed("ríos")) == "ríos"
    assert tag_of(ILLA) == ""
