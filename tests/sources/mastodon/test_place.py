"""Reading a timeline misses nothing and brings nothing twice, however posts arrive."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.sources.mastodon.timeline_cursor import (
    PAGE,
    TimelineCursor,
    begin,
    ordered,
    read_above,
    read_newest,
    read_place,
    was_hidden,
)
from tests.servers.mastodon.fediverse import cut_page
from tests.support.thorough import examples

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Reader:
    """A feed that is polled; the timeline is a set of numbers."""

    timeline: set[int] = field(default_factory=set)
    place: TimelineCursor = field(default_factory=TimelineCursor)
    read: list[int] = field(default_factory=list)
    requests: int = 0

    def begin(self) -> Reader:
        self.place = begin(self._page(None), NOW)
        return self

    def poll(self) -> list[int]:
        """Poll until there is nothing more at once; what it brought."""
        brought, more = list[int](), True
        while more:
            self.requests += 1
            if self.place.behind:
                step = read_above(self.place, self._page(self.place.min_id))
            else:
                step = read_newest(self.place, self._page(None))
            self.place, more = read_place(str(step.place)) or TimelineCursor(), step.more
            brought += map(int, step.new)
        self.read += brought
        return brought

    def _page(self, min_id: str | None) -> list[str]:
        return [str(i) for i in cut_page(self.timeline, {"limit": str(PAGE), "min_id": min_id or ""})]


def numbers(count: int, *, start: int = 1000) -> list[int]:
    return list(range(start, start + count))


def reader(timeline: Iterable[int]) -> Reader:
    return Reader(set(timeline)).begin()


@pytest.mark.parametrize("before", [0, 1, 19, 20, 39, 40, 41, 200])
@pytest.mark.parametrize("arriving", [0, 1, 39, 40, 41, 80, 81, 500])
def test_everything_after_the_first_poll_is_read_once_and_in_order(before: int, arriving: int) -> None:
    feed = reader(numbers(before))
    new = numbers(arriving, start=1000 + before)
    feed.timeline.update(new)
    assert feed.poll() == new
    assert feed.poll() == []


def test_a_quiet_poll_is_one_request() -> None:
    feed = reader(numbers(200))
    for _ in range(5):
        feed.poll()
        feed.timeline.add(max(feed.timeline) + 1)
    assert feed.requests == 5


def test_a_gap_is_walked_in_steps_of_half_a_page() -> None:
    feed = reader(numbers(200))
    feed.timeline.update(numbers(400, start=2000))
    feed.poll()
    assert feed.requests <= 1 + 400 // (PAGE // 2) + 1


def test_posts_that_arrive_late_below_the_newest_are_read() -> None:
    feed = reader(range(1000, 1200, 2))
    feed.timeline.add(1201)
    assert feed.poll() == [1201]
    feed.timeline |= {1187, 1195, 1203}
    assert feed.poll() == [1187, 1195, 1203]


def test_late_posts_are_read_in_a_timeline_that_was_short_at_first_wherever_they_stand() -> None:
    feed = reader([1000])
    feed.timeline |= {5, 2000}
    assert feed.poll() == [5, 2000]


def test_posts_from_before_the_first_poll_that_a_deletion_brings_onto_the_page_are_no_news() -> None:
    feed = reader(numbers(200))
    feed.timeline -= {1150, 1170, 1199}
    assert feed.poll() == []


def test_a_timeline_of_which_everything_was_deleted_goes_on() -> None:
    feed = reader(numbers(30))
    feed.timeline.clear()
    assert feed.poll() == []
    feed.timeline.update(numbers(3, start=5000))
    assert feed.poll() == [5000, 5001, 5002]


def test_a_server_that_does_not_know_min_id_is_not_asked_forever() -> None:
    feed = reader(numbers(100))
    newest = [str(i) for i in numbers(PAGE, start=5000)]
    step = read_newest(feed.place, newest)
    while step.more:
        step = read_above(step.place, newest)
        feed.requests += 1
    assert feed.requests <= 2


def test_ids_are_ordered_by_length_first() -> None:
    assert ordered({"10", "9", "100", "01H", "01A"}) == ("9", "10", "01A", "01H", "100")


@pytest.mark.parametrize("cursor", ["", "x", "[]", '{"recent": 5}', "null"])
def test_a_cursor_that_cannot_be_read_is_none(cursor: str) -> None:
    assert read_place(cursor) is None


@pytest.mark.parametrize(
    ("first", "count", "hidden"),
    [
        (timedelta(days=-400), PAGE, True),  # its past
        (timedelta(days=-400), PAGE - 1, False),  # an old post or two that arrived late
        (timedelta(hours=-1), PAGE, False),  # a burst
    ],
)
def test_a_hidden_timeline_is_told_from_an_empty_one(first: timedelta, count: int, *, hidden: bool) -> None:
    empty = begin([], NOW)
    assert was_hidden(empty, [str(i) for i in numbers(count)], NOW + first) is hidden


def test_a_timeline_that_showed_posts_was_never_hidden() -> None:
    feed = reader([])
    feed.timeline.update(numbers(3))
    feed.poll()
    assert not was_hidden(feed.place, [str(i) for i in numbers(PAGE)], NOW - timedelta(days=400))


@settings(max_examples=examples(200), deadline=None)
@given(
    before=st.integers(0, 90),
    rounds=st.lists(st.tuples(st.integers(0, 130), st.integers(0, 10)), max_size=8),
    seed=st.integers(0, 2**32),
)
def test_no_gap_and_no_double_over_random_arrivals(before: int, rounds: list[tuple[int, int]], seed: int) -> None:
    """Each round some posts arrive at the top, and some late among the 20 newest of before."""
    dice = random.Random(seed)
    feed = reader(range(10_000, 10_000 + 10 * before, 10))
    old, expected = set(feed.timeline), set[int]()
    for fresh, late in rounds:
        newest = sorted(feed.timeline)[-20:]
        arrived = {dice.randint(newest[0], newest[-1]) for _ in range(late)} if newest else set[int]()
        top = max(feed.timeline, default=10_000)
        arrived |= {top + 10 * (i + 1) for i in range(fresh)}
        arrived -= feed.timeline
        feed.timeline |= arrived
        expected |= arrived
        brought = feed.poll()
        assert brought == sorted(arrived)
    assert sorted(feed.read) == sorted(expected)
    assert not old & set(feed.read)
