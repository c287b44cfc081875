"""How posts are brought, as people write it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.hours import MORNING
from relay.core.option_types import Wrong, at, at_of, every_of, parse, quiet, quiet_of, written
from relay.options import DELIVERY, USUAL, Follow, Manner

HOUR = timedelta(hours=1)


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
    assert "from when to when" in str(quiet_of("at night"))
    assert "did you mean America/Lima?" in str(quiet_of("22:00-07:00 Lima"))


@pytest.mark.parametrize(("text", "number"), [("0", 0), (" 30 ", 30), ("10000", 10_000)])
def test_a_budget_is_a_number(text: str, number: int) -> None:
    assert parse(DELIVERY["budget"], text) == number


@pytest.mark.parametrize("text", ["-1", "10001", "many", "", "٣"])
def test_a_budget_that_is_none_is_told(text: str) -> None:
    assert isinstance(parse(DELIVERY["budget"], text), Wrong)
    assert isinstance(parse(DELIVERY["burst"], text), Wrong)


def test_a_burst_is_at_least_one() -> None:
    assert parse(DELIVERY["burst"], "3") == 3
    assert "from 1" in str(parse(DELIVERY["burst"], "0"))


def test_what_is_usual_is_not_written() -> None:
    assert written(USUAL) == {}
    some = Manner(follow=Follow.REPLIES, every=6 * HOUR, at="08:00 UTC", quiet="22:00-07:00 UTC", budget=0, burst=3)
    assert written(some) == {
        "follow": "replies",
        "every": "6h",
        "at": "08:00 UTC",
        "quiet": "22:00-07:00 UTC",
        "budget": "0",
        "burst": "3",
    }
    assert (at(USUAL), quiet(USUAL)) == (MORNING, None)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_read_or_told(text: str) -> None:
    for name in ("every", "at", "quiet", "budget", "burst"):
        answer = parse(DELIVERY[name], text)
        assert not isinstance(answer, Wrong) or str(answer)
