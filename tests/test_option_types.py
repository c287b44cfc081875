"""Options as people write and read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.hours import MORNING
from relay.core.option_types import (
    Wrong,
    at,
    at_of,
    block_of,
    every_of,
    min_age_of,
    parse,
    pattern_of,
    quiet,
    quiet_of,
    words_of,
    written,
)
from relay.options import (
    DELIVERY_OPTIONS,
    FILTERS,
    NO_FILTERS,
    USUAL_DELIVERY,
    DeliveryOptions,
    Filters,
    Follow,
    Only,
)

HOUR = timedelta(hours=1)

# --- filters ---


def test_words_are_kept_as_they_were_written_each_once() -> None:
    assert words_of(["Andén", "anden", " rope  bridge ", "", "  "]) == ("anden", "rope bridge")


@pytest.mark.parametrize(
    ("some", "told"),
    [
        ([f"w{n}" for n in range(51)], "too many words (at most 50)"),
        (["a" * 101], "too long for a word (at most 100 characters)"),
    ],
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
    assert "is neither an account nor a server" in str(block_of([typed]))


@given(st.lists(st.text()))
def test_whatever_is_written_is_read_or_told(some: list[str]) -> None:
    for answer in (block_of(some), words_of(some)):
        assert isinstance(answer, tuple) or str(answer)


def test_a_block_list_has_a_limit() -> None:
    assert "at most 200" in str(block_of([f"host{n}.example" for n in range(201)]))


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
    assert written(NO_FILTERS) == {}
    whole = Filters(
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


# --- delivery options ---


@pytest.mark.parametrize(
    ("text", "span"),
    [("1h", HOUR), (" 6h ", 6 * HOUR), ("24h", 24 * HOUR), ("1d", 24 * HOUR), ("7d", 168 * HOUR)],
)
def test_a_digest_gathers_for_hours_or_days(text: str, span: timedelta) -> None:
    assert every_of(text) == span


@pytest.mark.parametrize("text", ["30m", "90m", "25h", "32d", "soon", "", "0h"])
def test_what_is_neither_is_told(text: str) -> None:
    assert "whole hours" in str(every_of(text))


def test_times_are_kept_in_one_way() -> None:
    assert at_of("8:05") == "08:05 UTC"
    assert quiet_of("22:00 – 7:00 America/Lima") == "22:00-07:00 America/Lima"
    assert (at_of(" "), quiet_of("")) == ("", "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("08:00 Lima", "did you mean America/Lima?"),
        ("08:00 America/Limma", "did you mean America/Lima?"),
        ("08:00 Xyzzy", "write it like America/Lima"),
        ("8 o'clock", "expected a time of day"),
    ],
)
def test_a_time_that_is_none_is_told_with_what_to_write(text: str, told: str) -> None:
    assert told in str(at_of(text))


def test_quiet_hours_that_are_none_are_told() -> None:
    assert "a start and an end" in str(quiet_of("at night"))
    assert "did you mean America/Lima?" in str(quiet_of("22:00-07:00 Lima"))


@pytest.mark.parametrize(("text", "number"), [("0", 0), (" 30 ", 30), ("10000", 10_000)])
def test_a_budget_is_a_number(text: str, number: int) -> None:
    assert parse(DELIVERY_OPTIONS["budget"], text) == number


@pytest.mark.parametrize("text", ["-1", "10001", "many", "", "٣"])
def test_a_budget_that_is_none_is_told(text: str) -> None:
    assert isinstance(parse(DELIVERY_OPTIONS["budget"], text), Wrong)
    assert isinstance(parse(DELIVERY_OPTIONS["burst"], text), Wrong)


def test_a_burst_is_at_least_one() -> None:
    assert parse(DELIVERY_OPTIONS["burst"], "3") == 3
    assert "from 1" in str(parse(DELIVERY_OPTIONS["burst"], "0"))


def test_what_is_usual_is_not_written() -> None:
    assert written(USUAL_DELIVERY) == {}
    some = DeliveryOptions(
        follow=Follow.REPLIES, every=6 * HOUR, at="08:00 UTC", quiet="22:00-07:00 UTC", budget=0, burst=3
    )
    assert written(some) == {
        "follow": "replies",
        "every": "6h",
        "at": "08:00 UTC",
        "quiet": "22:00-07:00 UTC",
        "budget": "0",
        "burst": "3",
    }
    assert (at(USUAL_DELIVERY), quiet(USUAL_DELIVERY)) == (MORNING, None)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_read_or_told(text: str) -> None:
    for name in ("every", "at", "quiet", "budget", "burst"):
        answer = parse(DELIVERY_OPTIONS[name], text)
        assert not isinstance(answer, Wrong) or str(answer)
