"""Characters, addresses and plain text: what may pass, what becomes a link, what says where it leads."""

from __future__ import annotations

import unicodedata

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.rich import Span
from relay.text import (
    clean,
    from_plain,
    graphemes,
    honest,
    isolate,
    paragraphs,
    plain,
    safe_url,
    scrub,
    short,
    units,
    web_address,
)
from tests.support.thorough import examples

# Text as it comes from outside: anything, lone surrogates too.
ANYTHING = st.text(st.characters(exclude_categories=()) | st.sampled_from("\r\n\t \u200f\u202e\u2066\ud83d\ude00…#"))


# --- characters ---


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("plain", "plain"),
        ("a\tb", "a b"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a\x00\x07\x1b[31mb\x7f\x9f", "a[31mb"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("\u2066a\u2067b\u2068c\u2069", "abc"),
        ("\ufeffbom", "bom"),
        ("a\ud83db", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        ("שלום\u200f!\u200e \u061ca", "שלום\u200f!\u200e \u061ca"),
        ("👩\u200d👩\u200d👧 می\u200cخواهم", "👩\u200d👩\u200d👧 می\u200cخواهم"),
    ],
)
def test_control_characters_overrides_and_lone_surrogates_do_not_pass_but_marks_and_joiners_do(
    text: str, scrubbed: str
) -> None:
    assert scrub(text) == scrubbed


@given(ANYTHING)
@settings(max_examples=examples(200), deadline=None)
def test_scrubbed_text_is_encodable_and_holds_no_control_but_line_ends(text: str) -> None:
    scrubbed = scrub(text)
    scrubbed.encode()
    assert not {c for c in scrubbed if unicodedata.category(c) in {"Cc", "Cs"}} - {"\n"}
    assert not set(scrubbed) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert scrub(scrubbed) == scrubbed


@pytest.mark.parametrize(
    ("text", "limit", "cleaned"),
    [
        ("  Ana \n\t Quispe ", 500, "Ana Quispe"),
        ("Ana Quispe", 10, "Ana Quispe"),
        ("Ana Quispe", 9, "Ana Quis…"),
        ("Ana Quispe", 5, "Ana…"),
        ("👩\u200d👩\u200d👧👩\u200d👩\u200d👧", 7, "👩\u200d👩\u200d👧…"),
        ("👩\u200d👩\u200d👧👩\u200d👩\u200d👧", 5, "…"),
        ("Ana", 0, ""),
        ("", 0, ""),
    ],
)
def test_a_name_becomes_one_line_within_its_limit(text: str, limit: int, cleaned: str) -> None:
    assert clean(text, limit=limit) == cleaned


@given(ANYTHING, st.integers(-1, 30))
@settings(max_examples=examples(200), deadline=None)
def test_a_cleaned_line_is_within_its_limit_and_stays_as_it_is(text: str, limit: int) -> None:
    line = clean(text, limit=limit)
    assert len(line) <= max(0, limit)
    assert "\n" not in line
    assert clean(line, limit=limit) == line


def test_graphemes_are_what_a_reader_counts() -> None:
    assert graphemes("e\u0301🇵🇪👩\u200d👧क्षि") == ["e\u0301", "🇵🇪", "👩\u200d👧", *regex.findall(r"\X", "क्षि")]


def test_a_foreign_name_keeps_its_direction_to_itself() -> None:
    assert isolate("שלום") == "\u2068שלום\u2069"
    assert isolate("") == ""


# --- addresses ---


@pytest.mark.parametrize(
    ("url", "base", "safe"),
    [
        ("https://a.example/b?c=d#e", "", "https://a.example/b?c=d#e"),
        ("HTTP://A.example/", "", "http://A.example/"),
        ("https://a.example:8443/", "", "https://a.example:8443/"),
        ("http://[::1]:80/x", "", "http://[::1]:80/x"),
        ("/b", "https://a.example/x/y", "https://a.example/b"),
        ("b", "https://a.example/x/y", "https://a.example/x/b"),
        ("//c.example/b", "https://a.example/", "https://c.example/b"),
        ("", "https://a.example/x", "https://a.example/x"),
        ("/b", "", ""),
        ("//c.example/b", "", ""),
        ("  https://a.example/\n b ", "", "https://a.example/%20b"),
        ("https://a.example/ñ?q=é#ü", "", "https://a.example/%C3%B1?q=%C3%A9#%C3%BC"),
        ("https://a.example/%C3%B1", "", "https://a.example/%C3%B1"),
        ('https://a.example/"><script>', "", "https://a.example/%22%3E%3Cscript%3E"),
        ("https://a.example/)](x", "", "https://a.example/)](x"),
        ("https://a.example/\u202egnp", "", "https://a.example/%E2%80%AEgnp"),
        ("https://a.example/\ud83d", "", "https://a.example/%EF%BF%BD"),
        ("https://müller.example/", "", "https://müller.example/"),
        ("mailto:ana@a.example?subject=Hi there", "", "mailto:ana@a.example?subject=Hi%20there"),
        ("mailto:nobody", "", ""),
        ("javascript:alert(1)", "https://a.example/", ""),
        ("java\nscript:alert(1)", "https://a.example/", ""),
        ("\x01javascript:alert(1)", "", ""),
        ("data:text/html,x", "", ""),
        ("file:///etc/passwd", "", ""),
        ("ftp://a.example/", "", ""),
        ("https://user:secret@a.example/", "", ""),
        ("https://bank.example@evil.example/", "", ""),
        ("https://bank.example\\@evil.example/", "", ""),
        ("https://bank.example\\.evil.example/", "", ""),
        ("https://a%2eexample/", "", ""),
        ("https:///b", "", ""),
        ("https://[::1", "", ""),
        ("https://a.example:port/", "", ""),
        ("https://a\u200bb.example/", "", ""),
        ("https://a.example℀b.example/", "", ""),
    ],
)
def test_only_absolute_web_and_mail_addresses_are_safe(url: str, base: str, safe: str) -> None:
    assert safe_url(url, base=base) == safe


@given(ANYTHING, st.sampled_from(["", "https://a.example/b/", "mailto:x", "javascript:x", "https://[", "\ud800"]))
@example("https://", "")
@settings(max_examples=examples(200), deadline=None)
def test_whatever_is_made_an_address_of_is_one(url: str, base: str) -> None:
    for asked in (url, "https://a.example/" + url, "https://" + url, "mailto:" + url):
        safe = safe_url(asked, base=base)
        assert safe == "" or safe.startswith(("https://", "http://", "mailto:"))
        assert not set(safe) & set(' \n\t"<>\\`{}|^\u202e\ud83d')
        assert safe_url(safe) == safe


@pytest.mark.parametrize(
    "text",
    [
        "the minutes",
        "bank.example",
        "www.bank.example/login",
        "https://bank.example",
        "HTTPS://BANK.EXAMPLE/login",
        "bank.example/a…",
        "at bank.example, today",
        "bank.example:443",
        "bank.example/?to=https://other.example/",
        "version 1.2, i.e. the last",
        "me@bank.example",
        "",
    ],
)
def test_the_text_of_a_link_stays_where_it_does_not_look_like_another_host(text: str) -> None:
    assert honest(text, "https://bank.example/login") == text
    assert honest(text, "https://www.bank.example/login") == text or not text.startswith("www.")


@pytest.mark.parametrize(
    "text",
    [
        "bank.example",
        "https://bank.example/login",
        "www.bank.example",
        "Log in at bank.example now",
        "(bank.example)",
        "bank.example…",
        "https://bank.example:443/",
        "https://bank.example@evil.test/",
        "evil.test/ or bank.example",
        "me@bank.example",
        "bank。example",
        "ｂank.example",
        "ba\u200bnk.exa\u00admple",
        "192.0.2.7",
        "банк.рф",
        "@bank.example",
    ],
)
def test_a_link_that_reads_like_another_host_says_where_it_leads(text: str) -> None:
    assert honest(text, "https://evil.test/bank.example") == f"{text} (evil.test)" or text.startswith(
        "https://bank.example@"
    )
    assert honest(text, "mailto:x@evil.test") == f"{text} (evil.test)" or text.startswith("https://bank.example@")


def test_a_host_within_the_shown_one_is_the_same_house_but_not_the_other_way_round() -> None:
    assert honest("bank.example", "https://login.bank.example/") == "bank.example"
    assert honest("login.bank.example", "https://bank.example/") == "login.bank.example (bank.example)"
    assert honest("bank.example", "https://notbank.example/") == "bank.example (notbank.example)"
    assert honest("bank.example", "https://bank.example.evil.test/") == "bank.example (bank.example.evil.test)"


def test_an_international_host_is_the_same_in_both_spellings() -> None:
    assert honest("müller.example", "https://xn--mller-kva.example/") == "müller.example"
    assert honest("xn--mller-kva.example", "https://müller.example/") == "xn--mller-kva.example"


# --- plain text ---


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://a.example/b.", ["https://a.example/b"]),
        ("(https://a.example/b_(c))", ["https://a.example/b_(c)"]),
        ("https://a.example, https://b.example!", ["https://a.example", "https://b.example"]),
        ("これhttps://a.example/bを見て", ["https://a.example/b"]),
        ("<https://a.example/b>", ["https://a.example/b"]),
        ("shortened: https://a.example/b…", []),
        ("https:// and https://.", []),
        ("https://user@a.example/", []),
        ("ftp://a.example javascript:x a.example", []),
    ],
)
def test_bare_addresses_become_links_without_what_stands_around_them(text: str, links: list[str]) -> None:
    spans = [span for block in from_plain(text) for span in block.spans]
    assert [span.link for span in spans if span.link] == links
    assert "".join(span.text for span in spans) == text


def test_a_blank_line_begins_a_new_paragraph() -> None:
    text = from_plain("\n one\ntwo \n \t\n\n\nthree\r\n\r\nfour\n")
    assert plain(text) == "one\ntwo\n\nthree\n\nfour"
    assert len(text) == 3


def test_a_blank_line_may_fall_between_two_spans() -> None:
    text = paragraphs([Span("one\n"), Span("\ntwo ", "https://a.example/"), Span(" \n"), Span("\n"), Span("three")])
    assert [[span.text for span in block.spans] for block in text] == [["one"], ["two"], ["three"]]
    assert text[1].spans[0].link == "https://a.example/"


@given(ANYTHING)
@settings(max_examples=examples(200), deadline=None)
def test_plain_text_survives_but_for_its_white_space(text: str) -> None:
    found = from_plain(text)
    assert "".join(plain(found).split()) == "".join(scrub(text).split())
    assert all(block.spans and all(span.text for span in block.spans) for block in found)


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://ayllu.example/a?b=c", "https://ayllu.example/a?b=c"),
        ("https://münchen.example/ä", "https://xn--mnchen-3ya.example/%C3%A4"),
        ("mailto:illa@ayllu.example", ""),
        ("javascript:alert(1)", ""),
        ("https://" + "ä" * 80 + ".example/", ""),
    ],
)
def test_a_web_address_is_ascii_or_nothing(url: str, known: str) -> None:
    assert web_address(url) == known


@given(st.text(), st.integers(1, 40))
def test_a_short_line_is_as_short_as_was_asked_and_whole_where_it_fits(text: str, limit: int) -> None:
    line = short(text, limit)
    assert units(line) <= limit
    if units(clean(text)) <= limit:
        assert line == clean(text)
