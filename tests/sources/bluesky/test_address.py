"""What people write and what links look like."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sources.bluesky.address import (
    Actor,
    RecordAddress,
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
        (f"at://{ILLA}/{POSTS}/3kabc", RecordAddress(ILLA, "3kabc")),
        ("at://illa.ayllu.example/app.bsky.feed.post/3kabc", RecordAddress("illa.ayllu.example", "3kabc")),
        ("https://bsky.app/profile/illa.ayllu.example", Actor("illa.ayllu.example")),
        (f"https://bsky.app/profile/{ILLA}/", Actor(ILLA)),
        ("https://bsky.app/profile/illa.ayllu.example/feed/x", Actor("illa.ayllu.example")),
        (f"https://bsky.app/profile/{ILLA}/post/3kabc?ref=x#y", RecordAddress(ILLA, "3kabc")),
        (
            "https://bsky.app/profile/did%3Aweb%3Aayllu.example/post/3kabc",
            RecordAddress("did:web:ayllu.example", "3kabc"),
        ),
        (
            "https://bsky.app/profile/illa.ayllu.example/post/3kabc/liked-by",
            RecordAddress("illa.ayllu.example", "3kabc"),
        ),
        ("AT://illa.ayllu.example/app.bsky.feed.post/3kabc/?x#y", RecordAddress("illa.ayllu.example", "3kabc")),
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
def test_what_is_meant(text: str, meant: Actor | RecordAddress | None) -> None:
    assert read_topic(text) == meant


KEY = "3lmw5ouvgc22a"


@pytest.mark.parametrize("who", [ILLA, "illa.ayllu.example", "did:web:ayllu.example"])
@pytest.mark.parametrize("after", ["", "/", "?ref=x&lang=es", "#replies", "/?x#y"])
@pytest.mark.parametrize(
    "form",
    [
        "https://bsky.app/profile/{who}/post/{key}",
        "http://bsky.app/profile/{who}/post/{key}",
        "HTTPS://BSKY.App/Profile/{who}/Post/{key}",
        "https://www.bsky.app/profile/@{who}/post/{key}",
        "https://bsky.app:443/profile/{who}/post/{key}/liked-by",
        "bsky.app/profile/{who}/post/{key}",
        "https://main.bsky.dev/profile/{who}/post/{key}",
        "https://staging.bsky.app/profile/{who}/post/{key}",
        "https://fxbsky.app/profile/{who}/post/{key}",
        "https://fxbsky.app/profile/{who}/post/{key}/es",
        "https://d.fxbsky.app/profile/{who}/post/{key}",
        "https://fxbsky.app/https://bsky.app/profile/{who}/post/{key}",
        "https://fxbsky.app/https:/bsky.app/profile/{who}/post/{key}",
        "https://vxbsky.app/profile/{who}/post/{key}/photo/1",
        "https://bskx.app/profile/{who}/post/{key}/json",
        "https://r.bskx.app/profile/{who}/post/{key}",
        "https://bskyx.app/profile/{who}/post/{key}",
        "https://c.bskyx.app/c/profile/{who}/post/{key}",
        "https://bskye.app/profile/{who}/post/{key}",
        "https://bsyy.app/profile/{who}/post/{key}",
        "https://xbsky.app/profile/{who}/post/{key}",
        "https://g.xbsky.app/profile/{who}/post/{key}",
        "https://cbsky.app/profile/{who}/post/{key}",
        "https://deer.social/profile/{who}/post/{key}",
        "https://zeppelin.social/profile/{who}/post/{key}",
        "https://blacksky.community/profile/{who}/post/{key}",
        "https://witchsky.app/profile/{who}/post/{key}",
        "https://catsky.social/profile/{who}/post/{key}",
        "https://reddwarf.app/profile/{who}/post/{key}",
        "https://a-client-of-tomorrow.example/profile/{who}/post/{key}",
        "https://embed.bsky.app/embed/{who}/app.bsky.feed.post/{key}",
        "https://embed.bsky.app/embed/{who}/post/{key}",
        "https://pdsls.dev/at://{who}/app.bsky.feed.post/{key}",
        "https://pdsls.dev/at/{who}/app.bsky.feed.post/{key}",
        "https://records.example/at:/{who}/app.bsky.feed.post/{key}",
        "at://{who}/app.bsky.feed.post/{key}",
    ],
)
def test_a_post_has_many_addresses(form: str, after: str, who: str) -> None:
    assert read_topic(form.format(who=who, key=KEY) + after) == RecordAddress(who, KEY)


@pytest.mark.parametrize(
    "form",
    [
        "https://skyview.social/?url={url}",
        "https://www.skyview.social/?viewtype=tree&url={url}&x=1#top",
        "https://skyview.social/?url={bare}",
        "https://skythread.mackuba.eu/?q={url}",
        "https://skythread.mackuba.eu/?author=illa.ayllu.example&post=3lmw5ouvgc22a",
        "https://blue.mackuba.eu/skythread/?q={url}",
        "https://blue.mackuba.eu/skythread/?author=@illa.ayllu.example&post=3lmw5ouvgc22a",
        "https://skyview.social/?url={uri}",
    ],
)
@pytest.mark.parametrize("quoted", [True, False])
def test_readers_are_told_in_a_parameter(form: str, *, quoted: bool) -> None:
    bare = f"bsky.app/profile/illa.ayllu.example/post/{KEY}"
    told = {"url": f"https://{bare}", "bare": bare, "uri": f"at://illa.ayllu.example/{POSTS}/{KEY}"}
    there = {name: quote(value, safe="") if quoted else value for name, value in told.items()}
    assert read_topic(form.format(**there)) == RecordAddress("illa.ayllu.example", KEY)


@pytest.mark.parametrize(
    "text",
    [
        "https://somewhere.example/profile/illa.ayllu.example",
        "https://somewhere.example/profile/illa/post/3lmw5ouvgc22a",
        "https://somewhere.example/profile/illa.ayllu.example/post/12345",
        "https://somewhere.example/profile/illa.ayllu.example/post/3lmw5ouvgc22A",
        "https://bsky.app@somewhere.example/profile/illa.ayllu.example/post/3lmw5ouvgc22a",
        "https://bsky.app:8443/profile/illa.ayllu.example/post/3lmw5ouvgc22a",
        "https://bsky.app:x/profile/illa.ayllu.example/post/3lmw5ouvgc22a",
        "https://notskyview.social/?url=https://bsky.app/profile/illa.ayllu.example/post/3lmw5ouvgc22a",
        "https://skyview.social/?url=https://skyview.social/?url=https://bsky.app/profile/illa.ayllu.example/post/3l",
        "https://skyview.social/?url=",
        "https://skyview.social/?" + "&" * 40,
        "https://pdsls.dev/at://illa.ayllu.example/app.bsky.graph.list/3lmw5ouvgc22a",
        "https://bsky.app/profile/illa.ayllu.example/post/" + "3" * 3000,
        "ftp://bsky.app/profile/illa.ayllu.example/post/3lmw5ouvgc22a",
        "somewhere.example/@illa/7",
    ],
)
def test_what_is_no_address_of_a_post_is_none(text: str) -> None:
    assert read_topic(text) is None


@given(st.text(max_size=80))
def test_anything_may_be_written(text: str) -> None:
    starts = (
        "",
        "@",
        "at://",
        "https://bsky.app/profile/",
        "did:plc:",
        "https://skyview.social/?url=",
        "https://fxbsky.app/",
    )
    for start in starts:
        read_topic(start + text)
        read_at(start + text)
        is_did(start + text)


def test_whose_record_it_is() -> None:
    assert did_of(f"at://{ILLA}/{POSTS}/3k") == ILLA
    assert did_of("at://illa.ayllu.example/app.bsky.feed.post/3k") == ""
    assert did_of("nonsense") == ""


def test_a_record_of_no_known_kind_has_no_page() -> None:
    assert record_url(RecordAddress(ILLA, "x", "org.example.thing")) == ""


def test_the_feed_of_a_hashtag_names_it() -> None:
    assert tag_of(tag_feed("ríos")) == "ríos"
    assert tag_of(ILLA) == ""
