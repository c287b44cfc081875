"""Which posts a subscription wants, and the reason for each no."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.filters import LONGEST_PATTERN, Reading, flaw, is_set, objection
from relay.core.hashtag import fold_text
from relay.model import Author, LinkCard, Media, MediaKind, Poll, PollOption, Post, Quote
from relay.options import Filters, Only, Sensitive
from relay.rich import Block, Role, Span
from relay.testing import NOON, author, post, text
from tests.support.thorough import examples


def why_not(said: Post, **wanted: Any) -> str | None:
    """The filter that keeps a post back, an hour after noon."""
    return objection(Filters(**wanted), Reading(said, NOON + timedelta(hours=1)))


def saying(*paragraphs: str, **changes: Any) -> Post:
    return post(body=text(*paragraphs), **changes)


def linked(link: str, role: Role = Role.TEXT) -> Post:
    return post(body=(Block((Span("there", link=link, role=role),)),))


# --- kinds ---


@pytest.mark.parametrize("kind", MediaKind)
def test_text_only_is_without_media_of_any_kind(kind: MediaKind) -> None:
    assert why_not(post(media=(Media(url="x", kind=kind),)), only=Only.TEXT) == "only"
    assert why_not(post(), only=Only.TEXT) is None


@pytest.mark.parametrize(
    ("said", "comes"),
    [
        (post(), False),
        (linked("https://ayllu.example/news"), True),
        (linked("https://ayllu.example/tags/a", Role.HASHTAG), False),
        (linked("https://ayllu.example/@sami", Role.MENTION), False),
        (linked("mailto:sami@ayllu.example"), False),
        (post(link_card=LinkCard(url="https://ayllu.example/news", title="News")), True),
    ],
)
def test_links_are_those_that_lead_somewhere(said: Post, comes: bool) -> None:
    assert (why_not(said, only=Only.LINKS) is None) == comes


# --- words ---


@pytest.mark.parametrize(
    ("word", "said", "found"),
    [
        ("bridge", "The BRIDGE holds.", True),
        ("bridge", "bridges", False),
        ("bridge", "footbridge", False),
        ("bridge", "a foot_bridge", False),
        ("bridge", "a foot-bridge", True),
        ("bridge", "#bridge", True),
        ("#bridge", "the bridge", False),
        ("#bridge", "a #Bridge!", True),
        ("anden", "El Andén", True),
        ("Andén", "el anden", True),
        ("Strasse", "eine Straße", True),
        ("rope bridge", "a rope\n  bridge", True),
        ("rope bridge", "a rope, a bridge", False),
        ("c++", "C++ and rope", True),
        ("c++", "c", False),
        ("йод", "Йод", True),
        ("йод", "иод", False),
        ("橋", "吊り橋が落ちた", True),
        ("สะพาน", "ข้ามสะพานไป", True),
        ("क", "कि", False),
        ("2026", "in 2026.", True),
        ("2026", "20261", False),
        ("ﬁre", "FIRE", True),
        ("🌉", "up🌉!", True),
        ("@sami", "cc @sami", True),
    ],
)
def test_a_word_is_found_where_it_stands_alone(word: str, said: str, found: bool) -> None:
    assert (why_not(saying(said), words=(word,)) is None) == found
    assert (why_not(saying(said), without=(word,)) == "without") == found


@pytest.mark.parametrize(
    "said",
    [
        post(title="The rope"),
        post(warning="rope"),
        saying("one", "rope"),
        post(tags=("rope",)),
        post(media=(Media(url="x", kind=MediaKind.IMAGE, alt="A rope over a river"),)),
        post(poll=Poll(options=(PollOption(text="rope"), PollOption(text="steel")))),
        post(link_card=LinkCard(url="x", title="Rope")),
        post(link_card=LinkCard(url="x", title="", description="of rope")),
        post(quote=Quote(url="x", body=text("rope"))),
        post(quote=Quote(url="x", warning="rope")),
    ],
)
def test_all_that_readers_are_shown_is_looked_at(said: Post) -> None:
    assert why_not(said, words=("rope",)) is None
    assert why_not(said, without=("rope",)) == "without"
    assert why_not(said, pattern="ROPE") is None


def test_one_of_the_words_is_enough_and_one_too_many() -> None:
    assert why_not(saying("a bridge"), words=("rope", "bridge")) is None
    assert why_not(saying("a bridge"), words=("rope", "river")) == "words"
    assert why_not(saying("a bridge of rope"), words=("bridge",), without=("river", "rope")) == "without"


def test_words_across_two_paragraphs_are_no_other_word() -> None:
    assert why_not(saying("foot", "bridge"), words=("footbridge",)) == "words"


@given(st.text(min_size=1).filter(fold_text), st.text(), st.text())
def test_a_word_is_found_between_spaces_whatever_stands_around(word: str, before: str, after: str) -> None:
    assert why_not(saying(f"{before} {word} {after}"), words=(word,)) is None
    assert why_not(saying(f"{before} {word} {after}"), without=(word,)) == "without"


@given(st.text())
def test_folding_twice_is_folding_once(said: str) -> None:
    once = fold_text(said)
    assert fold_text(once) == once
    assert once == " ".join(once.split())


# --- patterns ---


@pytest.mark.parametrize(
    ("pattern", "said", "found"),
    [
        (r"bridge|rope", "ROPE", True),
        (r"(?-i)bridge", "Bridge", False),
        (r"^The", "The bridge", True),
        (r"\bqeswa\w+", "Qeswachaka", True),
        (r"\d{4}-\d{2}", "on 2026-07", True),
        (r"andén", "Anden", False),
        (r"\p{Greek}", "Αθήνα", True),
        (r"", "anything", True),
    ],
)
def test_a_pattern_is_found_or_not(pattern: str, said: str, found: bool) -> None:
    assert (why_not(saying(said), pattern=pattern) is None) == found


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(", "missing )"),
        ("a**", "bad repetition"),
        (r"(a)\1", "invalid escape sequence"),
        ("(?=a)", "invalid perl operator"),
        ("[z-a]", "invalid character class"),
        ("*", "no argument"),
        ("a{5000}", "invalid repetition size"),
        (r".{900}", "too large"),
        (r"\pL{300}", "too large"),
        ("a" * (LONGEST_PATTERN + 1), "too long: 200"),
        ("\ud800", "no text"),
    ],
)
def test_a_bad_pattern_is_told(pattern: str, told: str) -> None:
    assert told in flaw(pattern)


def test_without_the_library_a_pattern_is_refused_and_one_that_is_there_holds_nothing_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.core.filters._re2", lambda: None)  # ours: what the import gave
    assert "pip install google-re2" in flaw("a")
    assert why_not(saying("x"), pattern="a") is None


HOSTILE = [
    ("(a+)+$", "a" * 50_000 + "!"),
    ("(x+x+)+y", "x" * 50_000),
    ("(a|a)*b", "a" * 50_000),
    ("(.*)(.*)(.*)(.*)(.*)z", "a" * 50_000),
    ("[ab]*a[ab]{200}c", "ab" * 25_000),
    ("(.?){100}q", "a" * 50_000),
]


@pytest.mark.parametrize(("pattern", "said"), HOSTILE, ids=[pattern for pattern, _ in HOSTILE])
def test_no_pattern_takes_long_on_any_text(pattern: str, said: str) -> None:
    """Those of this kind take years where patterns backtrack."""
    assert not flaw(pattern)
    begun = time.perf_counter()
    why_not(saying(said), pattern=pattern)
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("word", ["a" * 100, "a a a a", "aab", "á" * 100])
def test_no_word_takes_long_on_any_text(word: str) -> None:
    for said in ("a" * 500_000, "a " * 250_000, "a" + " " * 500_000, "á" * 300_000):
        begun = time.perf_counter()
        why_not(saying(said), words=tuple(f"{word}{n}" for n in range(50)), without=(word,))
        assert time.perf_counter() - begun < 2


@settings(max_examples=examples(300))
@given(st.text(max_size=60) | st.from_regex(r"[()|*+?{}\[\]\\.^$a-c0-9,]{0,30}", fullmatch=True), st.text())
def test_any_pattern_is_refused_or_can_be_used(pattern: str, said: str) -> None:
    if not flaw(pattern):
        assert why_not(saying(said), pattern=pattern) in {None, "pattern"}


# --- people ---


def by(handle: str = "", uri: str = "", url: str = "") -> Post:
    who = Author(uri=uri or "x:1", name="Sami", handle=handle, url=url)
    return post(author=who, uri="x:post", url="https://reader.example/1")


@pytest.mark.parametrize(
    ("blocked", "said", "comes"),
    [
        ("@sami@ayllu.example", by("@Sami@Ayllu.example"), False),
        ("@sami@ayllu.example", by("@samin@ayllu.example"), True),
        ("@sami@ayllu.example", by("@sami@news.ayllu.example"), True),
        ("@sami.ayllu.example", by("@sami.ayllu.example"), False),
        ("did:plc:abc", by("@sami.ayllu.example", uri="did:plc:abc"), False),
        ("//ayllu.example/people/sami", by(url="https://www.ayllu.example/people/sami/"), False),
        ("ayllu.example", by("@sami@ayllu.example"), False),
        ("ayllu.example", by("@sami@news.ayllu.example"), False),
        ("ayllu.example", by("@sami.ayllu.example"), False),
        ("ayllu.example", by("@sami@notayllu.example"), True),
        ("ayllu.example", by("@sami@example"), True),
        ("ayllu.example", by(uri="https://ayllu.example:3000/users/sami"), False),
        ("reader.example", by("@sami@ayllu.example"), False),
        ("xn--bcher-kva.example", by("@sami@bücher.example"), False),
    ],
)
def test_blocked_accounts_and_servers_are_not_wanted(blocked: str, said: Post, comes: bool) -> None:
    assert why_not(said, block=("elsewhere.example", blocked)) == (None if comes else "block")


def test_the_server_that_a_post_was_read_at_is_not_its_author_s() -> None:
    assert why_not(post(origin="https://reader.example"), block=("reader.example",)) is None


@pytest.mark.parametrize(
    ("age", "why"), [(None, None), (timedelta(days=30), None), (timedelta(days=29, hours=23), "min_age")]
)
def test_young_accounts_are_not_wanted_and_unknown_ages_are(age: timedelta | None, why: str | None) -> None:
    born = None if age is None else NOON + timedelta(hours=1) - age
    assert why_not(post(author=replace(author(), created=born)), min_age=timedelta(days=30)) == why


# --- all together ---


@pytest.mark.parametrize(
    ("spoken", "wanted", "comes"),
    [
        (("pt", "en"), ("en",), True),
        (("pt", "en-GB"), ("en",), True),
        (("pt", "en"), ("pt",), True),
        (("pt", "en"), ("es", "qu"), False),
        (("pt", "es", "qu"), ("qu",), True),
        (("pt", "und"), ("qu",), True),
    ],
)
def test_a_post_in_several_languages_is_in_each_of_them(
    spoken: tuple[str, ...], wanted: tuple[str, ...], *, comes: bool
) -> None:
    said = post(language=spoken[0], other_languages=spoken[1:])
    assert (why_not(said, language=wanted) is None) is comes


def test_the_first_no_is_the_one_that_is_told() -> None:
    wanted: dict[str, Any] = {"language": ("qu",), "only": Only.MEDIA, "words": ("rope",)}
    assert why_not(post(language="es"), **wanted) == "language"
    assert why_not(post(language="qu"), **wanted) == "only"
    shown = (Media(url="x", kind=MediaKind.IMAGE),)
    assert why_not(post(language="qu", media=shown), **wanted) == "words"
    assert why_not(saying("rope", language="qu", media=shown), **wanted) is None


@pytest.mark.parametrize(
    ("marked", "comes"),
    [
        ({}, {"all", "hide"}),
        ({"sensitive": True}, {"all", "only"}),
        ({"warning": "heights"}, {"all", "only"}),
        ({"sensitive": True, "warning": "heights"}, {"all", "only"}),
    ],
)
def test_what_its_author_marked_as_sensitive_comes_as_it_is_wanted(marked: dict[str, Any], comes: set[str]) -> None:
    answers = {wanted.value: why_not(post(**marked), sensitive=wanted) for wanted in Sensitive}
    assert answers == {wanted.value: None if wanted.value in comes else "sensitive" for wanted in Sensitive}


@pytest.mark.parametrize(
    "changes",
    [
        {"language": ("es",)},
        {"only": Only.TEXT},
        {"words": ("a",)},
        {"without": ("a",)},
        {"pattern": "a"},
        {"block": ("a",)},
        {"min_age": timedelta(days=1)},
        {"per_hour": 1},
    ],
)
def test_whoever_has_a_filter_wants_only_some_posts(changes: dict[str, Any]) -> None:
    assert is_set(Filters(**changes))
    assert not is_set(Filters())
