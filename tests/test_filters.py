"""Filters as people write and read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.option_types import Wrong, block_of, min_age_of, parse, pattern_of, words_of, written
from relay.options import FILTERS, OPEN, Only, Sieve


def test_words_are_kept_as_they_were_written_each_once() -> None:
    assert words_of(["Andén", "anden", " rope  bridge ", "", "  "]) == ("anden", "rope bridge")


@pytest.mark.parametrize(
    ("some", "told"),
    [([f"w{n}" for n in range(51)], "too many words: 50 at most"), (["a" * 101], "too long for a word: 100")],
)
def test_words_have_limits(some: list[str], told: str) -> None:
    assert told in str(words_of(some))


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("@Sami@Ayllu.example", "@sami@ayllu.example"),
        ("sami@ayllu.example", "@sami@ayllu.example"),
        ("@sami.ayllu.example", "@sami.ayllu.example"),
        ("Ayllu.example", "ayllu.example"),
        ("*.ayllu.example", "ayllu.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("https://ayllu.example/", "ayllu.example"),
        ("<https://www.ayllu.example/@Sami>", "@sami@ayllu.example"),
        ("https://ayllu.example/users/sami", "@sami@ayllu.example"),
        ("https://reader.example/profile/sami.ayllu.example", "@sami.ayllu.example"),
        ("https://ayllu.example/people/sami", "//ayllu.example/people/sami"),
        ("did:plc:abc", "did:plc:abc"),
    ],
)
def test_accounts_and_servers_are_read_however_they_are_written(typed: str, name: str) -> None:
    assert block_of([typed, typed]) == (name,)


@pytest.mark.parametrize("typed", ["", "@sami", "sami", "@sami@ayllu", "#tag", "a b", "@", "https://", "..", "\ud800"])
def test_what_is_no_account_and_no_server_is_told(typed: str) -> None:
    assert "is no account and no server" in str(block_of([typed]))


@given(st.lists(st.text()))
def test_whatever_is_written_is_read_or_told(some: list[str]) -> None:
    for answer in (block_of(some), words_of(some)):
        assert isinstance(answer, tuple) or str(answer)


def test_a_block_list_has_a_limit() -> None:
    assert "200 at most" in str(block_of([f"host{n}.example" for n in range(201)]))


@pytest.mark.parametrize(
    ("typed", "age"), [("30d", 30), ("30", 30), ("36h", 1.5), ("1d12h", 1.5), ("0", 0), (" 7 d ", 7)]
)
def test_an_age_is_a_span_or_a_number_of_days(typed: str, age: float) -> None:
    assert min_age_of(typed) == timedelta(days=age)


@pytest.mark.parametrize("typed", ["old", "-3d", "3 weeks", "999999d", "999999999999999999d", ""])
def test_what_is_no_age_is_told(typed: str) -> None:
    assert "expected a time span such as 30d" in str(min_age_of(typed))


@pytest.mark.parametrize(("typed", "read"), [("3", 3), ("0", 0), (" 1000 ", 1000)])
def test_a_number_an_hour_is_read(typed: str, read: int) -> None:
    assert parse(FILTERS["per_hour"], typed) == read


@pytest.mark.parametrize("typed", ["", "many", "-1", "1001", "1.5", "٣"])
def test_what_is_no_number_is_told(typed: str) -> None:
    assert "expected a whole number, at most 1000" in str(parse(FILTERS["per_hour"], typed))


def test_a_pattern_is_read_or_told() -> None:
    assert pattern_of(" rope|bridge ") == "rope|bridge"
    assert "cannot be used: missing )" in str(pattern_of("("))
    assert isinstance(pattern_of("(?=a)"), Wrong)


def test_what_is_set_is_written_as_it_would_be_typed() -> None:
    assert written(OPEN) == {}
    whole = Sieve(
        language=("es", "qu"),
        only=Only.MEDIA,
        words=("a", "b c"),
        without=("d",),
        pattern="x|y",
        block=("ayllu.example",),
        min_age=timedelta(days=30),
        per_hour=3,
    )
    assert written(whole) == {
        "language": "es, qu",
        "only": "media",
        "words": "a, b c",
        "without": "d",
        "pattern": "x|y",
        "block": "ayllu.example",
        "min_age": "30d",
        "per_hour": "3",
    }
