"""How far a list of posts was read: pure steps, and any splitting of a gap into polls."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.sources.bluesky.list_cursor import PAGE, ListCursor, ListItem, begin, reaches, read_pages, read_place

NOW = datetime(2026, 7, 2, 12, tzinfo=UTC)
T0 = int(NOW.timestamp()) - 100_000


def items(*numbers: int) -> list[ListItem]:
    """Newest first, as a list shows them."""
    return [ListItem(T0 + number, f"at://x/{number}") for number in sorted(numbers, reverse=True)]


def uris(*numbers: int) -> tuple[str, ...]:
    return tuple(f"at://x/{number}" for number in sorted(numbers, reverse=True))


def test_what_was_there_at_first_is_no_news() -> None:
    place = begin(items(*range(30)), NOW)
    assert read_pages(place, items(*range(32)), "", NOW).new == uris(30, 31)


def test_the_same_page_again_changes_nothing() -> None:
    place = begin(items(*range(30)), NOW)
    assert read_pages(place, items(*range(30)), "", NOW).place == place


@pytest.mark.parametrize("seen", [[], [1, 2]])
def test_what_comes_to_a_short_list_is_news_unless_it_is_old(seen: list[int]) -> None:
    """A list that only seemed to be empty must not tell its whole past."""
    place = begin([ListItem(int(NOW.timestamp()) + number, f"at://x/{number}") for number in seen], NOW)
    hour, days = (
        ListItem(int(NOW.timestamp()) - 3_600, "at://x/late"),
        ListItem(int(NOW.timestamp()) - 200_000, "at://x/old"),
    )
    assert read_pages(place, [hour, days], "", NOW).new == ("at://x/late",)


def test_what_becomes_known_late_within_the_stretch_is_news() -> None:
    place = begin(items(*range(0, 60, 2)), NOW)
    assert read_pages(place, items(*range(0, 60, 2), 45), "", NOW).new == uris(45)


def test_what_rises_from_below_is_none() -> None:
    """Somebody deleted the newest ones, and the page shows what was written before we came."""
    place = begin(items(*range(100, 150)), NOW)
    assert read_pages(place, items(*range(90, 120)), "", NOW).new == ()


def test_of_a_first_page_longer_than_the_memory_all_is_known() -> None:
    place = begin(items(*range(150)), NOW)
    assert read_pages(place, items(*range(152)), "", NOW).new == uris(150, 151)


def test_in_the_second_at_which_a_reading_ended_there_may_be_more() -> None:
    """It goes on until it sees one that it knows."""
    place = begin(items(*range(10)), NOW)
    end = place.reach
    assert not reaches(place, [ListItem(end + 1, "at://x/a"), ListItem(end, "at://x/b")])
    assert reaches(place, [ListItem(end + 1, "at://x/a"), *items(0)])
    assert reaches(place, [ListItem(end - 1, "at://x/c")])


def test_of_more_in_a_second_than_is_remembered_none_is_news_again() -> None:
    place = begin([], datetime.fromtimestamp(T0, UTC))
    crowd = [ListItem(T0 + 9, "at://x/after"), *(ListItem(T0 + 8, f"at://x/crowd{number}") for number in range(150))]
    step = read_pages(place, crowd, "", NOW)
    assert len(step.new) == 151
    assert read_pages(step.place, crowd, "", NOW).new == ()
    assert read_pages(step.place, [ListItem(T0 + 9, "at://x/same"), *crowd], "", NOW).new == ("at://x/same",)


def test_a_page_reaches_what_is_known_or_does_not() -> None:
    place = begin(items(*range(30)), NOW)
    assert reaches(place, items(*range(5, 55)))
    assert not reaches(place, items(*range(40, 90)))
    assert not reaches(place, [])


def test_a_repost_has_a_time_and_no_name() -> None:
    place = begin(items(*range(30)), NOW)
    assert read_pages(place, [ListItem(T0 + 40, "")], "", NOW) == (place, ())


def test_a_post_from_the_future_hides_no_gap() -> None:
    place = begin([ListItem(int(NOW.timestamp()) + 300, "at://x/f"), *items(1, 2)], NOW)
    assert place.reach <= int(NOW.timestamp())


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 400), st.integers(1, 4))
def test_a_gap_of_any_length_is_read_once(before: int, after: int, pages: int) -> None:
    """Read top down, ``pages`` at a time: nothing is lost, nothing comes twice."""
    place = begin(items(*range(before)[-PAGE:]), NOW if before else datetime.fromtimestamp(T0, UTC))
    everything = items(*range(before + after))
    read: list[str] = []
    start = 0
    for _ in range(100):
        taken: list[ListItem] = []
        onward = ""
        for _ in range(pages):
            page = everything[start : start + PAGE]
            start += PAGE
            taken += page
            onward = str(start) if start < len(everything) and not reaches(place, page) else ""
            if not onward:
                break
        step = read_pages(place, taken, onward, NOW)
        place = step.place
        read += step.new
        if not onward:
            break
    assert sorted(read) == sorted(uris(*range(before, before + after)))
    assert read_pages(place, everything[:PAGE], "", NOW).new == ()


@pytest.mark.parametrize("cursor", ["", "{", "[]", '{"recent": 5}', "null", '{"recent": [["a", "b"]]}'])
def test_a_cursor_that_cannot_be_read_is_none(cursor: str) -> None:
    assert read_place(cursor) is None


@given(st.lists(st.integers(0, 1000), max_size=300))
def test_a_cursor_survives_being_written_down_and_stays_small(numbers: list[int]) -> None:
    place = begin(items(*numbers), NOW)
    assert read_place(str(place)) == place
    assert len(str(place)) < 5_000


def test_a_place_without_anything_is_the_default() -> None:
    assert read_place("{}") == ListCursor()
