"""What is remembered between polls of a feed, and what is told apart by it."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import Published
from relay.sources.feed_changes import News, compare
from relay.sources.feed_posts import EntryPost
from relay.sources.rss.cursor import BACK_AFTER, Cursor, Moving, seconds
from relay.testing import NOON, post
from tests.support.rss_cursor_cases import told

DAY = timedelta(days=1)


def seen(
    number: int, text: str = "", *, link: str = "", date: datetime | None = None, fresh: bool = False
) -> EntryPost:
    """An entry; each says something else, unless told otherwise."""
    found = post(number, title=str(number), published=date or NOON)
    text = f"{text or number:>012}"
    return EntryPost(post=found, raw=found, name=f"{number:012}", text=text, link=link, date=date, fresh=fresh)


def dated(number: int, when: datetime, text: str = "") -> EntryPost:
    return seen(number, text, date=when)


def after(*before: EntryPost) -> News:
    return compare(before, {})


def test_an_entry_is_new_once_and_edited_when_its_text_differs() -> None:
    first = compare([seen(1), seen(2)], {})
    assert told(first.events) == [("Published", "1"), ("Published", "2")]
    again = compare([seen(1), seen(2)], first.items)
    assert again.events == ()
    assert compare([seen(1), seen(2)], again.items).items == again.items
    assert told(compare([seen(1, "u"), seen(2)], first.items).events) == [("Edited", "1")]


def test_an_entry_that_went_and_comes_back_is_no_news() -> None:
    known = after(seen(1), seen(2)).items
    known = compare([seen(2)], known).items
    assert compare([seen(1), seen(2)], known).events == ()


def test_what_stands_unread_in_the_document_has_not_left_it() -> None:
    known = after(seen(1), seen(2), seen(3)).items
    found = compare([seen(3, "other"), seen(4)], known, unchanged=["000000000002", "000000000009"])
    assert told(found.events) == [("Edited", "3"), ("Published", "4")]
    assert list(found.items) == [f"{number:012}" for number in (2, 3, 4, 1)]
    assert compare([seen(number, "other" * (number == 3)) for number in (1, 2, 3, 4)], found.items).events == ()


def test_what_vanished_long_ago_is_remembered_by_name_and_forgotten_first() -> None:
    known = after().items
    gone = ""
    for number in range(2000):
        news = compare([seen(number), seen(number + 1)], known, gone)
        known, gone = news.items, news.gone
        assert told(news.events) == [("Published", str(number + 1))] or number == 0
    assert len(known) == 62
    names = gone.split()
    assert {f"{number:012}" for number in range(1439, 1939)} == set(names)
    assert compare([seen(1500), seen(1999), seen(2000)], known, gone).events == ()
    assert len(f"{known}{gone}") < 12_000


@pytest.mark.parametrize(
    ("age", "news"), [(timedelta(0), True), (2 * DAY, True), (3 * DAY, True), (4 * DAY, False), (4000 * DAY, False)]
)
def test_what_is_dated_back_a_little_is_news_and_what_is_dated_long_ago_is_late(age: timedelta, news: bool) -> None:
    known = after(dated(1, NOON)).items
    found = compare([dated(2, NOON - age), dated(1, NOON)], known, newest=NOON)
    assert told(found.events if news else found.late) == [("Published", "2")]
    assert found.events == () or found.late == ()


def test_what_has_no_date_is_never_late() -> None:
    assert told(compare([seen(2)], {}, newest=NOON + 90 * DAY).events) == [("Published", "2")]


def test_all_that_came_at_once_is_news_and_nothing_of_it_is_news_again() -> None:
    items = [dated(number, NOON + timedelta(minutes=number)) for number in range(75)]
    edited = seen(99)
    known = after(seen(99, "before")).items
    found = compare([*items, edited], known, newest=NOON)
    assert told(found.events) == [*(("Published", str(number)) for number in range(75)), ("Edited", "99")]
    assert compare([*items, edited], found.items, newest=NOON).events == ()


changes = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), st.integers(-9, 9)), max_size=40)


@given(st.lists(changes, min_size=1, max_size=6))
def test_whatever_a_feed_does_nothing_is_news_twice_or_lost(polls: list[list[tuple[int, int, int]]]) -> None:
    """Every entry is published once, now or late, or was there under another name; edits follow what is known."""
    known: dict[str, str] = {}
    gone = ""
    names: set[str] = set()
    for document in polls:
        items = {number: dated(number, NOON + day * DAY, text=f"{number}-{text}") for number, text, day in document}
        found = compare(list(items.values()), known, gone, newest=NOON)
        fresh = [event.post.title for event in (*found.late, *found.events) if isinstance(event, Published)]
        assert not names & set(fresh)
        assert len(fresh) == len(set(fresh))
        names |= {str(number) for number in items}
        assert set(fresh) <= names
        known, gone = found.items, found.gone


# --- the cursor ---


def test_a_cursor_survives_its_own_writing() -> None:
    cursor = Cursor(
        etag='W/"é"',
        body="b",
        minutes=5,
        items=msgspec.Raw(b'{"a":"b"}'),
        moving=Moving("https://a", 1, 2),
        skip_days=(6,),
    )
    assert Cursor.load(cursor.dump()) == cursor


def test_a_cursor_of_an_earlier_version_still_knows_its_entries() -> None:
    assert Cursor.load('{"etag":"x","ttl":5,"items":{"a":"b"}}') == Cursor(etag="x", items=msgspec.Raw(b'{"a":"b"}'))


def moved(*targets: str, every: timedelta) -> Cursor:
    cursor = Cursor()
    for number, target in enumerate(targets):
        cursor = cursor.follow(target, NOON + every * number)
    return cursor


@pytest.mark.parametrize(
    ("targets", "every", "home"),
    [
        (["a", "a", "a"], timedelta(hours=13), "a"),
        (["a", "a", "a"], timedelta(hours=11), ""),
        (["a", "a"], 2 * DAY, ""),
        (["a", "b", "a"], DAY, ""),
        (["a", "a", "", "a"], DAY, ""),
        (["b", "a", "a", "a"], DAY, "a"),
        (["a"] * 100, timedelta(minutes=10), ""),
        (["a"] * 146, timedelta(minutes=10), "a"),
    ],
)
def test_a_move_is_believed_when_it_led_to_one_place_for_a_day(targets: list[str], every: timedelta, home: str) -> None:
    assert moved(*targets, every=every).home == home


@pytest.mark.parametrize(
    ("mirror", "tried", "order"),
    [
        (0, timedelta(0), [0, 1, 2]),
        (1, timedelta(minutes=5), [1, 0, 2]),
        (1, BACK_AFTER, [0, 1, 2]),
        (2, BACK_AFTER, [0, 2, 1]),
        (7, BACK_AFTER, [0, 1, 2]),
    ],
)
def test_the_mirror_that_serves_is_asked_first_and_the_first_one_now_and_then(
    mirror: int, tried: timedelta, order: list[int]
) -> None:
    assert Cursor(mirror=mirror, tried=seconds(NOON - tried)).order(3, NOON) == order


def test_another_mirror_is_told_no_validators_and_knows_the_same_entries() -> None:
    cursor = Cursor(etag="x", body="b", home="h", newest=5, items=msgspec.Raw(b'{"a":"b"}'), gone="c")
    assert cursor.at(0) is cursor
    assert cursor.at(1) == Cursor(mirror=1, newest=5, items=msgspec.Raw(b'{"a":"b"}'), gone="c")
