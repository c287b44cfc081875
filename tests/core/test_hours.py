"""When a digest comes and when it is quiet, in zones that leap."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.hours import At, NoZoneError, Quiet, next_digest, read_at, read_quiet

ZONES = ("UTC", "America/Lima", "Europe/Madrid", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")
HOUR = timedelta(hours=1)
moments = st.datetimes(datetime(2011, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware
clocks = st.builds(
    At, st.times(max_value=time(23, 59)).map(lambda one: one.replace(second=0, microsecond=0)), st.sampled_from(ZONES)
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("08:00", At(time(8))),
        ("8:05", At(time(8, 5))),
        (" 23:59  America/Lima ", At(time(23, 59), "America/Lima")),
        ("24:00", None),
        ("8", None),
        ("", None),
    ],
)
def test_a_time_of_day_is_read(text: str, read: At | None) -> None:
    assert read_at(text) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("22:00-07:00", Quiet(At(time(22)), At(time(7)))),
        ("22:00 – 7:30 Europe/Madrid", Quiet(At(time(22), "Europe/Madrid"), At(time(7, 30), "Europe/Madrid"))),
        ("22:00-22:00", None),
        ("22:00", None),
    ],
)
def test_quiet_hours_are_read(text: str, read: Quiet | None) -> None:
    assert read_quiet(text) == read


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "x" * 500, "America"])
def test_a_zone_that_is_none_is_said_to_be_none(name: str) -> None:
    with pytest.raises(NoZoneError):
        read_at(f"08:00 {name}")
    with pytest.raises(NoZoneError):
        read_quiet(f"22:00-07:00 {name}")


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        ("22:00-07:00", "2026-03-01T21:59", None),
        ("22:00-07:00", "2026-03-01T22:00", "2026-03-02T07:00"),
        ("22:00-07:00", "2026-03-02T06:59", "2026-03-02T07:00"),
        ("22:00-07:00", "2026-03-02T07:00", None),
        ("13:00-15:00", "2026-03-02T14:00", "2026-03-02T15:00"),
        ("13:00-15:00", "2026-03-02T15:30", None),
        ("22:00-07:00 America/Lima", "2026-03-02T04:00", "2026-03-02T12:00"),
        ("22:00-07:00 Europe/Madrid", "2026-03-28T22:00", "2026-03-29T05:00"),  # the night is an hour shorter
        ("22:00-07:00 Europe/Madrid", "2026-10-24T22:00", "2026-10-25T06:00"),  # and an hour longer
    ],
)
def test_it_is_quiet_until_then(quiet: str, now: str, until: str | None) -> None:
    read = read_quiet(quiet)
    assert read
    assert read.until(utc(now)) == (utc(until) if until else None)


@pytest.mark.parametrize(
    ("every", "at", "now", "then"),
    [
        (24 * HOUR, "08:00", "2026-03-02T07:59", "2026-03-02T08:00"),
        (24 * HOUR, "08:00", "2026-03-02T08:00", "2026-03-03T08:00"),
        (24 * HOUR, "08:00 America/Lima", "2026-03-02T08:00", "2026-03-02T13:00"),
        (24 * HOUR, "08:00 Europe/Madrid", "2026-03-28T08:00", "2026-03-29T06:00"),
        (24 * HOUR, "02:30 Europe/Madrid", "2026-03-28T12:00", "2026-03-29T01:30"),  # a time that there is not
        (24 * HOUR, "02:30 Europe/Madrid", "2026-10-24T12:00", "2026-10-25T00:30"),  # and one that there is twice
        (HOUR, "08:00", "2026-03-02T08:00", "2026-03-02T09:00"),
        (6 * HOUR, "08:00 America/Lima", "2026-03-02T08:00", "2026-03-02T11:00"),
        (5 * HOUR, "08:00", "2026-03-02T21:00", "2026-03-03T00:00"),  # the day begins anew
    ],
)
def test_the_next_digest_comes_then(every: timedelta, at: str, now: str, then: str) -> None:
    clock = read_at(at)
    assert clock
    assert next_digest(utc(now), every, clock) == utc(then)


@given(now=moments, at=clocks, hours=st.integers(1, 24 * 14))
def test_a_digest_is_never_late(now: datetime, at: At, hours: int) -> None:
    every = timedelta(hours=hours)
    then = next_digest(now, every, at)
    assert now < then <= now + max(every, HOUR) + 25 * HOUR * (hours >= 24)


@given(now=moments, begins=clocks, minutes=st.integers(1, 24 * 60 - 1))
def test_quiet_hours_end_within_a_day_and_are_over_then(now: datetime, begins: At, minutes: int) -> None:
    ends = At((datetime.combine(now.date(), begins.clock) + timedelta(minutes=minutes)).time(), begins.zone)
    until = Quiet(begins, ends).until(now)
    if until is not None:
        assert now < until <= now + timedelta(hours=50)  # Apia once left out a whole day
