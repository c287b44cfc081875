"""What is remembered between polls of a feed, and what is told apart by it."""

from __future__ import annotations

from collections.abc import Sequence

from relay.model import Edited, Event, Published
from relay.sources.feed_posts import Item
from relay.sources.rss import Cursor, compare
from relay.testing import post


def told(events: Sequence[Event]) -> list[tuple[str, str]]:
    """Each event as its kind and the title of its post."""
    assert all(isinstance(event, Published | Edited) for event in events)
    return [(type(event).__name__, event.post.title) for event in events if isinstance(event, Published | Edited)]


def seen(number: int, text: str = "t", twin: str = "") -> Item:
    return Item(
        post=post(number, title=str(number)),
        name=f"{number:012}",
        text=f"{text:>012}",
        twin=f"{twin:>012}" if twin else "",
    )


def test_an_entry_is_new_once_and_edited_when_its_text_differs() -> None:
    events, known = compare([seen(1), seen(2)], {})
    assert told(events) == [("Published", "1"), ("Published", "2")]
    assert compare([seen(1), seen(2)], known) == ((), known)
    assert told(compare([seen(1, "u"), seen(2)], known)[0]) == [("Edited", "1")]


def test_an_entry_that_went_and_comes_back_is_no_news() -> None:
    _, known = compare([seen(1), seen(2)], {})
    _, known = compare([seen(2)], known)
    events, known = compare([seen(1), seen(2)], known)
    assert events == ()


def test_what_vanished_long_ago_is_forgotten_first() -> None:
    known: dict[str, str] = {}
    for number in range(2000):
        _, known = compare([seen(number), seen(number + 1)], known)
    assert len(known) == 502
    assert set(known) == {f"{number:012}" for number in range(1499, 2001)}


def test_a_new_guid_for_an_old_entry_is_no_news_but_a_repeated_text_is() -> None:
    _, known = compare([seen(1, twin="w")], {})
    events, known = compare([seen(2, twin="w"), seen(3, twin="v"), seen(4)], known)
    assert told(events) == [("Published", "3"), ("Published", "4")]
    assert compare([seen(2, twin="w"), seen(3, twin="v"), seen(4)], known)[0] == ()


def test_a_cursor_survives_its_own_writing() -> None:
    cursor = Cursor(etag='W/"é"', modified="x", body="b", ttl=5, items={"a": "b"})
    assert Cursor.load(cursor.dump()) == cursor
