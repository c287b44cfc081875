"""Records and views become posts; whatever else comes becomes nothing, and nothing raises."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rich import Role
from relay.sources.bluesky.labels import Withheld
from relay.sources.bluesky.records import (
    answers_others,
    read_author,
    read_bare,
    read_record,
    read_time,
    read_view,
)
from relay.text import plain
from tests.servers.bluesky.jetstream import POSTS, cid, tid
from tests.servers.bluesky.world import Json, label, profile
from tests.support.bluesky_records_cases import AT, ILLA, KEY, NOW, SAMI, URI, draft, post, read, said, shown

# --- what a post says ---


def test_a_view_becomes_a_post() -> None:
    read = post()
    assert (read.uri, read.url) == (URI, f"https://bsky.app/profile/{ILLA}/post/{KEY}")
    assert (read.source, read.origin) == ("bluesky", "https://bsky.app")
    assert plain(read.body) == "The bridge holds #Qeswachaka"
    assert [span.text for block in read.body for span in block.spans if span.role is Role.HASHTAG] == ["#Qeswachaka"]
    assert (read.warning, read.sensitive, read.language, read.tags) == ("", False, "es", ("Qeswachaka",))
    assert read.published == datetime.fromtimestamp(AT / 1e6, UTC)
    assert (read.edited, read.reply_to, read.reply_to_author, read.unlisted) == (None, "", "", False)


def test_an_author_is_known_by_did_and_named_by_handle() -> None:
    author = post().author
    assert (author.uri, author.name, author.handle) == (ILLA, "Illa", "@illa.ayllu.example")
    assert (author.url, author.avatar) == (f"https://bsky.app/profile/{ILLA}", "https://cdn.example/avatar/illa")
    assert (author.bot, author.refuses) == (False, False)
    assert author.created == datetime(2024, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "name", "handle"),
    [
        ({"displayName": ""}, "illa.ayllu.example", "@illa.ayllu.example"),
        ({"displayName": "\u202eevil"}, "evil", "@illa.ayllu.example"),
        ({"displayName": None, "handle": "handle.invalid"}, ILLA, ""),
    ],
)
def test_who_has_no_name_is_called_by_the_next_best(changes: Json, name: str, handle: str) -> None:
    author = post(by=profile("illa", **changes)).author
    assert (author.name, author.handle) == (name, handle)


def test_an_answer_names_what_it_answers_and_whom() -> None:
    parent = f"at://{SAMI}/{POSTS}/{tid(AT - 9)}"
    read = post(said(reply={"root": {"uri": parent, "cid": cid(1)}, "parent": {"uri": parent, "cid": cid(1)}}))
    assert (read.reply_to, read.reply_to_author) == (parent, SAMI)
    assert answers_others(read)
    assert not answers_others(post(said(reply={"parent": {"uri": URI}})))
    assert not answers_others(post())


@pytest.mark.parametrize("reply", [None, 5, {}, {"parent": 5}, {"parent": {"uri": "https://x.example"}}, {"root": {}}])
def test_an_answer_to_nothing_sound_is_none(reply: object) -> None:
    assert post(said(reply=reply)).reply_to == ""


def test_outline_tags_count_like_those_in_the_text() -> None:
    assert post(said(tags=["#Puente", "Qeswachaka", "", 5, " "])).tags == ("Qeswachaka", "Puente")


@pytest.mark.parametrize(
    ("langs", "languages"),
    [
        (["qu", "es"], ("qu", ["es"])),
        (["pt", "", "en", "es-419"], ("pt", ["en", "es-419"])),
        ([], ("", [])),
        (None, ("", [])),
        ("es", ("", [])),
        ([5, "es"], ("es", [])),
    ],
)
def test_every_language_is_known_and_the_first_is_the_post_s(langs: object, languages: tuple[str, list[str]]) -> None:
    read = post(said(langs=langs))
    assert (read.language, [*read.other_languages]) == languages


@pytest.mark.parametrize(
    ("claimed", "known", "published"),
    [
        ("2015-03-01T00:00:00Z", "2026-07-02T12:00:00Z", datetime(2015, 3, 1, tzinfo=UTC)),
        ("2026-07-02T12:03:00Z", "2026-07-02T12:00:00Z", NOW + timedelta(minutes=3)),
        ("2031-01-01T00:00:00Z", "2026-07-02T12:00:00Z", NOW),
        ("0001-01-01T00:00:00Z", "2026-07-02T12:00:00Z", NOW),
        ("yesterday", "2026-07-02T12:00:00Z", NOW),
        (None, "2026-07-02T12:00:00Z", NOW),
        (["2026"], "2026-07-02T12:00:00Z", NOW),
        ("2026-07-02T14:00:00+02:00", None, NOW),
    ],
)
def test_the_time_is_the_authors_unless_it_cannot_be(claimed: object, known: str | None, published: datetime) -> None:
    assert post(said(createdAt=claimed), indexedAt=known).published == published


def test_a_post_without_any_time_is_none() -> None:
    assert read(shown(said(createdAt=None), indexedAt=None)) is None


# --- over a bridge ---


WHOLE = "<p>Three hundred characters are not much.</p><p>This goes on.</p>"


def test_what_a_bridge_brought_is_told_whole_and_known_by_its_first_address() -> None:
    there = "https://social.example/@ana/7"
    made = said("Three hundred…", bridgyOriginalText=WHOLE, bridgyOriginalUrl=there)
    read = post(made, by=profile("illa", handle="ana.social.example.ap.brid.gy"))
    assert plain(read.body) == "Three hundred characters are not much.\n\nThis goes on."
    assert read.aliases == (there,)


def test_who_only_claims_to_be_a_copy_takes_nobodys_place() -> None:
    read = post(said(bridgyOriginalUrl="https://social.example/@ana/7"))
    assert read.aliases == (f"https://bsky.brid.gy/convert/ap/{URI}",)


@pytest.mark.parametrize("text", ["", " ", None, 5, "<p></p>"])
def test_an_empty_original_hides_no_text(text: object) -> None:
    assert plain(post(said("Low water", bridgyOriginalText=text)).body) == "Low water"


def test_a_bridged_text_without_markup_keeps_its_lines() -> None:
    assert plain(post(said(bridgyOriginalText="a > b\n\nc")).body) == "a > b\n\nc"


# --- labels ---


def own(*values: str) -> Json:
    return {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": value} for value in values]}


@pytest.mark.parametrize(
    ("value", "warning"),
    [
        ("porn", "Adult content"),
        ("sexual", "Sexually suggestive"),
        ("nudity", "Nudity"),
        ("graphic-media", "Graphic media"),
        ("!warn", "Content warning"),
    ],
)
def test_labels_are_content_warnings(value: str, warning: str) -> None:
    by_author, by_others = post(said(labels=own(value))), post(labels=[label(value)])
    assert (by_author.warning, by_author.sensitive) == (by_others.warning, by_others.sensitive) == (warning, True)


def test_labels_on_a_person_fold_the_pictures_only() -> None:
    read = post(by=profile("illa", labels=[label("porn")]))
    assert (read.warning, read.sensitive) == ("", True)


@pytest.mark.parametrize("labels", [[label("spam-ish")], [label("porn", neg=True)], None, "porn", [5, {}]])
def test_other_labels_change_nothing(labels: object) -> None:
    read = post(labels=labels)
    assert (read.warning, read.sensitive) == ("", False)


def test_a_label_that_was_taken_back_is_none() -> None:
    assert post(labels=[label("porn"), label("porn", neg=True)]).warning == ""


@pytest.mark.parametrize("value", ["!no-unauthenticated", "!hide", "!takedown"])
def test_what_is_not_for_visitors_never_comes_out(value: str) -> None:
    hidden = profile("illa", labels=[label(value, ILLA)])
    assert isinstance(read(shown(by=hidden)), Withheld)
    assert isinstance(read(shown(labels=[label(value)])), Withheld)
    assert isinstance(read_bare(draft(), json.dumps(hidden).encode()), Withheld)
    assert isinstance(read_author(json.dumps(hidden).encode()), Withheld)
    assert isinstance(read(shown(said(labels=own(value)))), Withheld)


def test_who_calls_themselves_a_bot_is_one() -> None:
    assert post(by=profile("illa", labels=[label("bot", ILLA)])).author.bot


@pytest.mark.parametrize(("bio", "refuses"), [("River guard. #NoBot", True), ("#nobother", False), (None, False)])
def test_a_wish_in_the_profile_is_heard(bio: str | None, *, refuses: bool) -> None:
    author = read_author(json.dumps(profile("illa", description=bio)).encode())
    assert author
    assert not isinstance(author, Withheld)
    assert author.refuses is refuses


# --- bare records ---


def test_a_draft_says_what_the_record_says() -> None:
    made = draft(said(tags=["Puente"], labels=own("nudity")))
    assert (made.uri, made.did, made.cid, made.languages) == (URI, ILLA, cid("x"), ("es",))
    assert (made.tags, made.labels, plain(made.body)) == (
        ("Qeswachaka", "Puente"),
        ("nudity",),
        "The bridge holds #Qeswachaka",
    )


def test_a_draft_with_a_profile_is_the_post_that_its_view_is() -> None:
    made = read_bare(draft(), json.dumps(profile("illa")).encode())
    assert made == post()


def test_a_profile_of_somebody_else_makes_no_post() -> None:
    assert read_bare(draft(), json.dumps(profile("sami")).encode()) is None


@pytest.mark.parametrize(
    ("who", "key", "raw"),
    [
        ("illa", KEY, said()),
        ("did:evil:x", KEY, said()),
        (ILLA, "a/b", said()),
        (ILLA, "", said()),
        (ILLA, KEY, {"$type": "app.bsky.feed.like", "text": "x"}),
        (ILLA, KEY, {"$type": POSTS}),
        (ILLA, KEY, {"$type": POSTS, "text": 5}),
        (ILLA, KEY, []),
    ],
)
def test_what_is_no_post_makes_no_draft(who: str, key: str, raw: object) -> None:
    assert read_record(who, key, "", json.dumps(raw).encode(), NOW) is None


# --- other shapes ---


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": None},
        {"uri": "https://x.example/"},
        {"uri": f"at://{SAMI}/{POSTS}/{KEY}"},
        {"uri": f"at://{ILLA}/app.bsky.feed.like/{KEY}"},
        {"author": None},
        {"author": {"did": "illa"}},
        {"record": None},
        {"record": {"text": ["x"]}},
    ],
)
def test_a_view_that_cannot_be_understood_is_left_out(changes: Json) -> None:
    assert read(shown() | changes) is None


def test_a_part_of_another_shape_costs_that_part_only() -> None:
    made = said("Low water", facets={"a": 1}, langs=7, tags={"x": 1}, labels=["porn"], bridgyOriginalUrl=5)
    read = post(made, labels={"val": "porn"}, embed=5)
    assert (plain(read.body), read.tags, read.warning, read.language) == ("Low water", (), "", "")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_RECORD = st.sampled_from(["facets", "reply", "embed", "langs", "labels", "tags", "createdAt", "bridgyOriginalText"])
_VIEW = st.sampled_from(["embed", "labels", "indexedAt", "cid", "replyCount"])


@given(st.dictionaries(_RECORD, _JSON, max_size=4), st.dictionaries(_VIEW, _JSON, max_size=4))
def test_nothing_that_comes_raises(in_record: Json, in_view: Json) -> None:
    read(shown(said() | in_record, **in_view))
    read_record(ILLA, KEY, "", json.dumps(said() | in_record).encode(), NOW)


@given(st.binary(max_size=60), st.text(max_size=30))
def test_bytes_and_words_are_no_posts(raw: bytes, text: str) -> None:
    assert read_view(raw) is None
    assert read_author(raw) is None
    read_time(text)


@pytest.mark.parametrize("raw", [b"[" * 100_000, rb'{"uri": "\ud800"}', b"\xff", b"null", b"{}", b""])
def test_broken_json_is_no_post(raw: bytes) -> None:
    assert read_view(raw) is None
