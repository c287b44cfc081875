"""Posts survive the database whole."""

from __future__ import annotations

import typing
from base64 import b85decode
from datetime import UTC, datetime

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model import Post
from relay.store.content import PostChange, change, decode, encode, stub, to_json
from relay.store.tables import EPOCH, Moment, micros
from relay.testing import post, rich_post
from tests.support.thorough import examples

words = st.text(st.characters(exclude_categories=["Cs"]))
moments = st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))  # noqa: DTZ001 - Hypothesis adds the zone
st.register_type_strategy(str, words)
st.register_type_strategy(datetime, moments)
posts = st.from_type(Post)


@settings(max_examples=examples(100), deadline=None)
@given(posts)
def test_a_post_reads_back_as_it_was_written(written: Post) -> None:
    assert decode(encode(written)) == written


STORED = b85decode(
    "Lyxw^%AA~1Jz%)y0*gs#<YngMBqC|Uh(T064q)Xd2`DWw8<goVQW1(qP>kb9OSl{b)B;Uao<KW^aTibxB8`C@>VWPB)HDD}I9QW_"
    "IV=en5=;UCz=BpGuQWF)wMfBG4;p`1;tAE4pvVCL"
)


def test_what_is_stored_can_be_read_for_ever() -> None:
    """The dictionary is part of each stored post; the levels of deflate may change."""
    assert decode(STORED) == post()


def test_a_stored_post_says_nothing_that_goes_without_saying() -> None:
    said = to_json(encode(rich_post()))
    assert b'""' not in said
    assert b"null" not in said
    assert b"false" not in said
    assert len(encode(rich_post())) < len(msgspec.json.encode(rich_post())) / 5


@settings(max_examples=examples(100), deadline=None)
@given(moments)
def test_a_time_reads_back_to_the_microsecond(moment: datetime) -> None:
    column, dialect = Moment(), typing.cast(typing.Any, None)
    assert column.process_result_value(column.process_bind_param(moment, dialect), dialect) == moment


def test_times_before_1970_are_negative() -> None:
    assert micros(EPOCH) == 0
    assert micros(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


@settings(max_examples=examples(50), deadline=None)
@given(posts)
def test_a_reading_changes_nothing_against_itself(reading: Post) -> None:
    assert change(reading, reading) is PostChange.NONE


def test_a_stub_keeps_a_post_s_place_and_nothing_that_it_said() -> None:
    kept = stub(rich_post())
    assert kept == post(body=())
