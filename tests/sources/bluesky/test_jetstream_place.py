"""Where a Jetstream is read on from, and what counts as a gap."""

from __future__ import annotations

import pytest

from relay.model import Feed, FeedId
from relay.pipeline.streams import Watch
from relay.sources.bluesky.jetstream_cursor import (
    MOST_ACCOUNTS,
    Accounts,
    JetstreamQuery,
    Start,
    judge,
    outgrown,
    read_cursor,
    resume,
    wanted_accounts,
    write_cursor,
)
from relay.sources.bluesky.jetstream_socket import address
from tests.servers.bluesky.jetstream import did

NOW = 1_790_000_000_000_000
SECOND = 1_000_000
HOUR = 3600 * SECOND
ILLA, SAMI = did("illa"), did("sami")
FEW = frozenset({ILLA})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (str(NOW), NOW),
        ("", 0),
        ("0", 0),
        ("123456", 0),
        ("-1790000000000000", 0),
        ("1.79e15", 0),
        ("١٧٩٠٠٠٠٠٠٠٠٠٠٠٠٠", 0),
        ("9" * 19, 0),
        ("9" * 10_000, 0),
        ("soon", 0),
    ],
)
def test_a_cursor_is_a_time_or_nothing(text: str, place: int) -> None:
    assert read_cursor(text) == place


def test_a_place_is_written_as_it_is_read() -> None:
    assert read_cursor(write_cursor(NOW)) == NOW
    assert write_cursor(0) == ""


def test_reading_goes_on_five_seconds_before() -> None:
    assert (resume(NOW), resume(0)) == (NOW - 5 * SECOND, 0)


@pytest.mark.parametrize(
    ("accounts", "asked", "first", "start"),
    [
        (None, NOW - HOUR, NOW - HOUR + 40_000, Start.SMOOTH),
        (None, NOW - HOUR, NOW - HOUR, Start.SMOOTH),
        (None, NOW - HOUR, NOW - HOUR + 59 * SECOND, Start.SMOOTH),
        (None, NOW - HOUR, NOW - HOUR + 61 * SECOND, Start.GAP),
        (None, NOW - 50 * HOUR, NOW - 36 * HOUR, Start.GAP),
        (None, 0, NOW, Start.GAP),
        (None, NOW + HOUR, NOW, Start.AHEAD),
        (FEW, NOW - HOUR, NOW, Start.SMOOTH),
        (FEW, NOW - 35 * HOUR, NOW, Start.SMOOTH),
        (FEW, NOW - 40 * HOUR, NOW - 39 * HOUR, Start.GAP),
        (FEW, NOW - 40 * HOUR, NOW - 40 * HOUR + SECOND, Start.SMOOTH),
        (FEW, NOW - 50 * HOUR, NOW - HOUR, Start.GAP),
        (FEW, 0, NOW, Start.GAP),
        (FEW, NOW + HOUR, NOW, Start.AHEAD),
    ],
)
def test_the_first_event_tells_whether_something_lies_between(
    accounts: Accounts, asked: int, first: int, start: Start
) -> None:
    assert judge(JetstreamQuery(accounts, asked), first, NOW) is start


@pytest.mark.parametrize(
    ("feeds", "tags", "accounts"),
    [
        ((), (), frozenset()),
        ((ILLA, SAMI), (), frozenset({ILLA, SAMI})),
        ((ILLA, "tag:bridge"), (), FEW),
        ((ILLA,), ("bridge",), None),
        ((), ("bridge",), None),
        ([f"did:web:n{n}.example" for n in range(MOST_ACCOUNTS + 1)], (), None),
    ],
)
def test_accounts_are_asked_for_where_no_hashtag_needs_everybody(
    feeds: tuple[str, ...], tags: tuple[str, ...], accounts: Accounts
) -> None:
    watch = Watch()
    watch.become({one: Feed(id=FeedId(1), source="bluesky", address=one) for one in feeds}, frozenset(tags))
    assert wanted_accounts(watch) == accounts


@pytest.mark.parametrize(
    ("asked", "wanted", "anew"),
    [
        (None, None, False),
        (FEW, FEW, False),
        (frozenset({ILLA, SAMI}), FEW, False),
        (FEW, frozenset({ILLA, SAMI}), True),
        (FEW, None, True),
        (None, FEW, True),
        (None, frozenset(), True),
        (FEW, frozenset(), True),
    ],
)
def test_it_is_asked_anew_where_what_was_asked_for_is_not_enough(asked: Accounts, wanted: Accounts, anew: bool) -> None:
    assert outgrown(asked, wanted) is anew


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("wss://jetstream.example", "wss://jetstream.example/subscribe"),
        ("ws://127.0.0.1:6008", "ws://127.0.0.1:6008/subscribe"),
        ("wss://ayllu.example/jetstream/subscribe", "wss://ayllu.example/jetstream/subscribe"),
    ],
)
def test_a_servers_own_path_is_kept(host: str, url: str) -> None:
    asked = address(host, JetstreamQuery(None, NOW))
    assert str(asked.with_query(None)) == url
    assert asked.query["cursor"] == str(NOW)
