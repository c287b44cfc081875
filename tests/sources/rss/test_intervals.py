"""How long a publisher is left alone, what a feed says of itself, and when it is no longer what it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sources.feed_document import FeedDocument
from relay.sources.rss.intervals import DAY, FEEDS, SLOWEST, after_skips, asked, habit, is_stale, patience, pause
from relay.sources.rss.reading import Hints, hints

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)
"""A Saturday."""
TEN = timedelta(minutes=10)
HOUR = timedelta(hours=1)
NONE = timedelta(0)


@pytest.mark.parametrize(
    ("headers", "minutes", "expected"),
    [
        ({}, 0, NONE),
        ({}, 30, 3 * TEN),
        ({}, 999_999, DAY),
        ({"cache-control": "public, max-age=900"}, 0, timedelta(minutes=15)),
        ({"cache-control": "max-age=900", "age": "600"}, 0, timedelta(minutes=5)),
        ({"cache-control": "max-age=900", "age": "6000"}, 0, NONE),
        ({"cache-control": "max-age=0", "expires": "Sat, 07 Mar 2026 14:00:00 GMT"}, 0, NONE),
        ({"cache-control": "s-maxage=60"}, 0, NONE),
        ({"expires": "Sat, 07 Mar 2026 14:00:00 GMT"}, 0, 2 * HOUR),
        ({"expires": "Sat, 07 Mar 2026 11:00:00 GMT"}, 0, NONE),
        ({"expires": "Sat, 07 Mar 2027 11:00:00 GMT"}, 0, DAY),
        ({"expires": "0"}, 0, NONE),
        ({"expires": "soon"}, 0, NONE),
        ({"expires": "Sat, 07 Mar 2026 14:00:00 GMT", "cache-control": "no-cache"}, 0, NONE),
        ({"retry-after": "3600", "cache-control": "max-age=900"}, 30, HOUR),
        ({"retry-after": "60", "cache-control": "max-age=900"}, 60, HOUR),
    ],
)
def test_the_longest_that_a_publisher_asks_for_counts(
    headers: dict[str, str], minutes: int, expected: timedelta
) -> None:
    assert asked(headers, minutes, NOW) == expected


@pytest.mark.parametrize(
    ("quiet", "factor"),
    [
        (NONE, 1),
        (2 * HOUR, 1),
        (4 * HOUR, 2),
        (6 * HOUR, 3),
        (15 * HOUR, 7),
        (16 * HOUR, 8),
        (365 * DAY, 8),
        (-HOUR, 1),
    ],
)
def test_a_quiet_feed_is_asked_less_often(quiet: timedelta, factor: int) -> None:
    assert patience(quiet, TEN) == factor


spans = st.timedeltas(NONE, timedelta(days=900))
intervals = st.timedeltas(timedelta(milliseconds=10), timedelta(days=2))


@given(spans, spans, intervals)
def test_patience_grows_with_silence_from_one_to_its_limit(
    one: timedelta, other: timedelta, interval: timedelta
) -> None:
    less, more = sorted((one, other))
    assert 1 <= patience(less, interval) <= patience(more, interval) <= SLOWEST
    assert patience(NONE, interval) == 1  # news makes it impatient at once
    if less > interval * 100:
        assert patience(less, interval) == SLOWEST


def wait(**changes: object) -> timedelta | None:
    values = {"asked": NONE, "quiet": NONE, **changes}
    return pause(NOW, TEN, **values)  # type: ignore[arg-type]  # a table of keywords


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({}, None),
        ({"asked": HOUR}, HOUR),
        ({"quiet": DAY}, 8 * TEN),
        ({"quiet": DAY, "asked": 2 * HOUR}, 2 * HOUR),
        ({"pushed": True}, 6 * TEN),
        ({"pushed": True, "quiet": DAY}, 8 * TEN),
        ({"hours": (12,)}, HOUR),
        ({"hours": (13,)}, None),
        ({"hours": (13, 14, 15), "asked": HOUR}, 4 * HOUR),
        ({"days": (5,)}, 12 * HOUR),
        ({"days": (5, 6)}, DAY),
        ({"asked": timedelta(days=90)}, DAY),
    ],
)
def test_the_next_poll_waits_for_the_longest_reason_and_a_day_at_most(
    what: dict[str, object], expected: timedelta | None
) -> None:
    assert wait(**what) == expected


@given(
    spans,
    spans,
    intervals,
    st.booleans(),
    st.sets(st.integers(0, 23)),
    st.sets(st.integers(0, 6)),
)
def test_no_pause_is_shorter_than_asked_for_or_longer_than_a_day(
    asked: timedelta, quiet: timedelta, interval: timedelta, pushed: bool, hours: set[int], days: set[int]
) -> None:
    found = pause(NOW, interval, asked=asked, quiet=quiet, pushed=pushed, hours=hours, days=days) or NONE
    assert min(asked, DAY) <= found <= DAY


@given(st.datetimes(timezones=st.just(UTC)), st.sets(st.integers(0, 23)), st.sets(st.integers(0, 6)))
def test_nobody_is_asked_in_hours_and_on_days_that_are_to_be_skipped(
    at: datetime, hours: set[int], days: set[int]
) -> None:
    if at.year > 9990:
        return
    found = after_skips(at, hours, days)
    assert found >= at
    if len(hours) < 24 and len(days) < 7:
        assert found.hour not in hours
        assert found.weekday() not in days
    else:
        assert found == at


# --- habits ---


def every(gap: timedelta, count: int) -> list[datetime]:
    return [NOW - gap * number for number in range(count)]


def test_a_habit_is_the_usual_gap_and_needs_five_entries() -> None:
    assert habit(every(HOUR, 4)) is None
    assert habit(every(HOUR, 5)) == HOUR
    assert habit([*every(HOUR, 20), NOW - 900 * DAY]) == HOUR


@pytest.mark.parametrize(
    ("gap", "silent", "stale"),
    [
        (HOUR, 6 * DAY, False),
        (HOUR, 8 * DAY, True),
        (DAY, 9 * DAY, False),
        (DAY, 11 * DAY, True),
        (30 * DAY, 200 * DAY, False),
        (NONE, 9000 * DAY, False),
    ],
)
def test_a_feed_is_stale_when_it_is_silent_beyond_its_habit(gap: timedelta, silent: timedelta, stale: bool) -> None:
    assert is_stale(NOW - silent, gap, NOW) is stale


# --- what a feed says of itself ---

URL = "https://bell.example/rss/feed.xml"


def said(body: str = "", link: str = "", url: str = URL, **document: object) -> Hints:
    return hints(FeedDocument(**document), body.encode(), {"link": link} if link else {}, url)  # type: ignore[arg-type]  # keywords


@pytest.mark.parametrize(
    ("body", "ttl", "minutes"),
    [
        ("", 0, 0),
        ("", 45, 45),
        ("<sy:updatePeriod>hourly</sy:updatePeriod>", 0, 60),
        ("<sy:updatePeriod>\n\thourly\t</sy:updatePeriod><sy:updateFrequency>\n2</sy:updateFrequency>", 0, 30),
        ("<sy:updatePeriod>daily</sy:updatePeriod>", 90, 1440),
        ("<sy:updatePeriod>often</sy:updatePeriod>", 0, 0),
        ("<sy:updateFrequency>5</sy:updateFrequency>", 0, 0),
        ("<updatePeriod>Hourly</updatePeriod><updateFrequency>0</updateFrequency>", 0, 60),
    ],
)
def test_a_document_says_for_how_long_it_holds(body: str, ttl: int, minutes: int) -> None:
    assert said(body, ttl=ttl).minutes == minutes


@pytest.mark.parametrize(
    ("hours", "days", "found"),
    [
        ({1, 23}, {6, 5}, ((1, 23), (5, 6))),
        ({24}, (), ((0,), ())),
        (range(24), range(7), ((), ())),
    ],
)
def test_hours_and_days_to_skip_are_kept_unless_they_are_all(hours: set[int], days: set[int], found: object) -> None:
    hint = said(skip_hours=frozenset(hours), skip_days=frozenset(days))
    assert (hint.hours, hint.days) == found


HUB = "https://hub.example/"


@pytest.mark.parametrize(
    ("link", "hubs", "topic", "found"),
    [
        ("", (), "", ("", "")),
        ("", (HUB,), "https://bell.example/feed", (HUB, "https://bell.example/feed")),
        ("", ("/hub",), "feed.xml", ("https://bell.example/hub", URL)),
        ("", ("javascript:x", HUB), URL, (HUB, URL)),
        ("", (HUB,), "", ("", "")),
        (f'<{HUB}>; rel="hub", <https://bell.example/x>; rel=self', (), "", (HUB, "https://bell.example/x")),
        (f"<{HUB}>; rel=hub, <https://b.example/>; rel=hub", (), URL, (HUB, URL)),
        (f'<{HUB}>; type="x,y"; rel="alternate hub"', ("https://c.example/",), URL, (HUB, URL)),
        ("<https://[::1/>; rel=hub, <<>>;;rel", (), URL, ("", "")),
        ("<https://a.example/ b>; rel=hub", (), URL, ("", "")),
    ],
)
def test_the_hub_stands_in_the_header_or_in_the_document(
    link: str, hubs: tuple[str, ...], topic: str, found: tuple[str, str]
) -> None:
    hint = said(link=link, hubs=hubs, topic=topic)
    assert (hint.hub, hint.topic) == found


def test_a_channel_of_youtube_has_a_hub_of_which_its_feed_says_nothing() -> None:
    hint = said(url="https://www.youtube.com/feeds/videos.xml?channel_id=UCx")
    assert hint.hub == "https://pubsubhubbub.appspot.com/"
    assert hint.topic == "https://www.youtube.com/xml/feeds/videos.xml?channel_id=UCx"


@given(st.binary(max_size=300), st.text(max_size=300), st.text(max_size=50), st.text(max_size=50))
def test_whatever_stands_there_raises_nothing(body: bytes, link: str, hub: str, topic: str) -> None:
    found = hints(FeedDocument(hubs=(hub,), topic=topic), body, {"link": link}, URL)
    assert bool(found.hub) == bool(found.topic)


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("www.reddit.com", "reddit.com"),
        ("OLD.Reddit.com.", "reddit.com"),
        ("reddit.com", "reddit.com"),
        ("notreddit.com", "notreddit.com"),
        ("reddit.com.example", "reddit.com.example"),
    ],
)
def test_all_names_of_a_host_that_wants_to_be_spared_are_one_host(host: str, counted: str) -> None:
    assert FEEDS.host(host) == counted


def test_feeds_are_asked_for_one_at_a_time_and_reddit_once_a_minute() -> None:
    assert FEEDS.connections == 1
    assert FEEDS.gaps["reddit.com"] > timedelta(minutes=1)
