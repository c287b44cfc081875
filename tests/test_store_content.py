"""Posts survive the database whole."""

from __future__ import annotations

import typing
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model import Post
from relay.store.content import Change, change, decode, encode, stub
from relay.store.tables import EPOCH, Moment, micros
from relay.testing import post, rich_post

words = st.text(st.characters(exclude_categories=["Cs"]))
moments = st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))  # noqa: DTZ001 - Hypothesis adds the zone
st.register_type_strategy(str, words)
st.register_type_strategy(datetime, moments)
posts = st.from_type(Post)


@settings(max_examples=100, deadline=None)
@given(posts)
def test_a_post_reads_back_as_it_was_written(written: Post) -> None:
    assert decode(encode(written)) == written


@settings(max_examples=100, deadline=None)
@given(moments)
def test_a_time_reads_back_to_the_microsecond(moment: datetime) -> None:
    column, dialect = Moment(), typing.cast(typing.Any, None)
    assert column.process_result_value(column.process_bind_param(moment, dialect), dialect) == moment


def test_times_before_1970_are_negative() -> None:
    assert micros(EPOCH) == 0
    assert micros(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


@settings(max_examples=50, deadline=None)
@given(posts)
def test_a_reading_changes_nothing_against_itself(reading: Post) -> None:
    assert change(reading, reading) is Change.NONE


def test_a_stub_keeps_a_post_s_place_and_nothing_that_it_said() -> None:
    kept = stub(rich_post())
    assert kept == post(body=())
