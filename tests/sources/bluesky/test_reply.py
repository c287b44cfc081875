"""The record of an answer: a key that clocks could have made, a text that fits, links that lead where they say."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.sources.bluesky.reply import Below, fit, read_below, record_key, stamp, write_record
from relay.sources.bluesky.shapes import Ref
from relay.testing import NOON
from relay.text import graphemes
from tests.servers.bluesky.jetstream import tid
from tests.support.mentioned import mention

TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
LINK = "https://relay.example/t/k3v9Qm2xTbW0rYh7-_a"
BELOW = Below(parent=Ref("at://did:plc:sami2345/app.bsky.feed.post/3ka", "bafya"), root=Ref("at://x/y/z", "bafyb"))

times = st.datetimes(timezones=st.just(UTC))


@settings(deadline=None)
@given(times, st.text())
def test_a_key_is_one_of_a_clock_and_always_the_same(at: datetime, key: str) -> None:
    made = record_key(at, key)
    assert TID.fullmatch(made)
    assert record_key(at, key) == made


def test_a_key_stands_where_its_mention_stands_in_time() -> None:
    micros = int(NOON.timestamp()) * 1_000_000
    assert tid(micros) <= record_key(NOON, "key") < tid(micros + 1_000)
    assert record_key(NOON + timedelta(milliseconds=1), "key") > record_key(NOON, "another")


def test_keys_of_one_moment_differ() -> None:
    assert len({record_key(NOON, str(number)) for number in range(100)}) == 100


@settings(deadline=None)
@given(st.text(), st.booleans())
def test_any_text_fits_and_its_address_stays_whole(words: str, has_link: bool) -> None:
    text = fit(f"{words} {LINK}" if has_link else words)
    assert len(graphemes(text)) <= 300
    assert not has_link or text.endswith(LINK)


@pytest.mark.parametrize("words", ["🦙" * 400, "a" * 300, "👩‍👩‍👧 " * 150, "x " * 127])
def test_of_a_long_text_the_words_are_cut(words: str) -> None:
    text = fit(f"{words} {LINK}")
    assert text.endswith(f" {LINK}")
    assert 290 < len(graphemes(text)) <= 300
    assert graphemes(words)[0] == graphemes(text)[0]


@settings(deadline=None)
@given(st.text(), st.text())
def test_a_link_covers_its_address_in_bytes(before: str, after: str) -> None:
    record = write_record(mention(1), BELOW, f"{before} {LINK} {after}", NOON)
    for facet in record.get("facets", []):
        index, (feature,) = facet["index"], facet["features"]
        covered = record["text"].encode()[index["byteStart"] : index["byteEnd"]]
        assert covered.decode() == feature["uri"]


def test_an_answer_is_not_older_than_its_mention() -> None:
    """Though the clock of the network is ahead of ours."""
    record = write_record(mention(1, at=NOON + timedelta(seconds=5)), BELOW, "x", NOON)
    assert record["createdAt"] == "2026-07-01T12:00:05.000Z"


def test_where_it_belongs_can_be_kept() -> None:
    assert read_below(str(BELOW)) == BELOW
    assert read_below("") is None
    assert stamp(NOON) == "2026-07-01T12:00:00.000Z"
