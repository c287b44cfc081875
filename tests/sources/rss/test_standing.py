"""Entries that stand in a feed as before are not read again, and what comes of it is what came if all were read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from typing import Any, cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.http import Http, HttpResponse
from relay.model import Edited, Published
from relay.sources.feed_changes import KnownSlices, find_changes
from relay.sources.feed_document import NOTHING, EntryChange, FeedChanges, FeedDocument, KnownFeed
from relay.sources.feed_parse import MANY
from relay.sources.feed_read import read
from relay.sources.feed_worker import FeedWorker
from relay.sources.rss.cursor import Cursor
from relay.sources.rss.reading import FeedReader, FeedReading, Visit
from tests.support.feed_reading import NOW
from tests.support.feed_samples import rss
from tests.support.thorough import examples

ADDRESS = "https://ayllu.example/feed"
HOUR = timedelta(hours=1)


class StandingWorker(FeedWorker):
    """Reads at once, here, and counts the entries that it reads; a forgetful one knows none."""

    def __init__(self, *, forgetful: bool = False) -> None:
        super().__init__()
        self.forgetful = forgetful
        self.entries: list[int] = []

    async def read(self, body: bytes, known: KnownFeed, name: str = "") -> tuple[FeedChanges, Sequence[EntryChange]]:
        del name
        return find_changes(body, known, self._parse)

    def _parse(self, body: bytes, content_type: str, around: str, known: Collection[str]) -> FeedDocument:
        document = read(body, content_type, around, () if self.forgetful else known)
        self.entries.append(len(document.entries))
        return document


@dataclass
class Polls:
    """One feed, polled again and again."""

    worker: StandingWorker = field(default_factory=StandingWorker)
    cursor: Cursor = field(default_factory=Cursor)
    now: datetime = NOW
    url: str = ADDRESS
    seeded: bool = False
    body: bytes = b""

    async def poll(self, body: str | bytes) -> FeedReading:
        self.body = body.encode() if isinstance(body, str) else body
        reader = FeedReader(http=cast("Http", self), worker=self.worker, clock=lambda: self.now, at_once=20)
        cursor = Cursor.load(self.cursor.dump())
        reading = await reader.read(Visit(name=ADDRESS, feed=ADDRESS, url=self.url, cursor=cursor, seeded=self.seeded))
        self.cursor, self.seeded = reading.cursor, self.seeded or reading.failed is None
        return reading

    async def get(self, url: str, **_: object) -> HttpResponse:
        return HttpResponse(status=200, url=url, headers={"content-type": "application/rss+xml"}, body=self.body)

    async def told(self, *entries: str, head: str = "") -> list[str]:
        """Poll a feed of these entries: the titles of what is news, with a star if it is an edit."""
        reading = await self.poll(
            rss(*entries, channel=f"<title>Ayllu</title><link>https://ayllu.example/</link>{head}")
        )
        events = [event for event in reading.events if isinstance(event, Published | Edited)]
        return [f"{event.post.title}{'*' * isinstance(event, Edited)}" for event in events]


def entry(number: int, text: str = "words", **more: str) -> str:
    parts = {"guid": f"tag:{number}", "link": f"https://ayllu.example/{number}", "title": f"N{number}"}
    parts |= {"pubDate": f"{number + 1} Mar 2026 09:00:00 GMT", "description": escape(text)} | more
    return "".join(f"<{name}>{value}</{name}>" for name, value in parts.items() if value)


# --- what is read ---


async def test_only_what_is_new_or_changed_is_read() -> None:
    polls = Polls()
    await polls.told(*map(entry, range(3)))
    assert await polls.told(entry(3), *map(entry, range(3)), head="<lastBuildDate>now</lastBuildDate>") == ["N3"]
    assert await polls.told(entry(3, "others"), *map(entry, range(3))) == ["N3*"]
    assert await polls.told(entry(4), entry(2)) == ["N4"]
    assert await polls.told(entry(4), entry(2), head="<ttl>60</ttl>") == []
    assert polls.worker.entries == [3, 1, 1, 1, 0]
    assert polls.cursor.minutes == 60


async def test_what_a_forgetful_reader_remembered_is_known_and_the_next_poll_reads_less() -> None:
    """So it is with the cursors of older versions."""
    polls = Polls(worker=StandingWorker(forgetful=True))
    await polls.told(*map(entry, range(3)))
    polls.cursor = msgspec.structs.replace(polls.cursor, slices=NOTHING)
    polls.worker = StandingWorker()
    assert await polls.told(*map(entry, range(4))) == ["N3"]
    assert await polls.told(*map(entry, range(5))) == ["N4"]
    assert polls.worker.entries == [4, 1]


SHARED = {"guid": "tag:all"}


LATER = {"pubDate": "1 Jan 2030 09:00:00 GMT"}
CASES = {
    "a guid of another one": ([entry(1)], [entry(1), entry(6, guid="tag:1")], ["N6"], [1, 1, 2]),
    "one guid for all": ([entry(1, **SHARED), entry(2, **SHARED)], [entry(2, **SHARED)], [], [2, 1]),
    "a guid twice": ([entry(1)], [entry(1), entry(5, guid="tag:1"), entry(6, guid="tag:1")], ["N5", "N6"], [1, 2, 3]),
    "the same twice": ([entry(1)], [entry(1), entry(1)], [], [1, 2]),
    "a link": ([entry(1)], [entry(1), entry(6, "See <a href='/1'>part 1</a>")], ["N6"], [1, 1, 2]),
    "a date to come": ([entry(1, **LATER)], [entry(1, **LATER), entry(6)], ["N6"], [1, 2]),
    "a page of another one": ([entry(1)], [entry(1), entry(6, link="https://ayllu.example/1")], ["N6"], [1, 1]),
    "a bridge's trouble": ([entry(1)], [entry(1), "<title>Bridge returned error 7</title>"], [], [1, 1]),
}


@pytest.mark.parametrize(("first", "second", "news", "entries"), CASES.values(), ids=list(CASES))
async def test_where_entries_have_to_do_with_each_other_all_are_read(
    first: Sequence[str], second: Sequence[str], news: Sequence[str], entries: Sequence[int]
) -> None:
    polls = Polls()
    await polls.told(*first)
    assert await polls.told(*second) == news
    assert polls.worker.entries == list(entries)


async def test_what_is_read_elsewhere_is_read_anew() -> None:
    polls = Polls()
    await polls.told(entry(1), entry(2))
    polls.url = "https://puna.example/feed"
    assert await polls.told(entry(1), entry(2), entry(3)) == ["N3"]
    assert polls.worker.entries == [2, 3]


async def test_a_document_that_breaks_off_makes_nothing_known() -> None:
    polls = Polls()
    await polls.told(entry(1), entry(2))
    await polls.poll(rss(entry(1), entry(2), entry(3))[:-60])
    assert polls.cursor.slices == NOTHING
    assert await polls.told(*map(entry, (1, 2, 3))) == ["N3"]


async def test_of_too_many_entries_those_that_are_not_looked_at_are_not_read_again() -> None:
    many = [f"<guid>{number}</guid><title>N{number}</title>" for number in range(MANY + 50)]
    polls = Polls()
    reading = await polls.poll(rss(*many))
    assert f"{MANY + 50} entries" in reading.note
    reading = await polls.poll(rss("<guid>a</guid><title>new</title>", *many))
    assert [event.post.title for event in reading.events if isinstance(event, Published)] == ["new"]
    assert f"{MANY + 51} entries" in reading.note
    assert polls.worker.entries == [MANY, 1]


async def test_a_feed_that_keeps_all_and_grows_is_not_remembered_without_end() -> None:
    """What is known is not looked at again, so no document has the newest of it only."""
    polls, many = Polls(), list[str]()
    sizes = list[int]()
    for poll in range(5):
        some = [f"<guid>{poll}-{number}</guid><title>N{poll}-{number}</title>" for number in range(MANY // 2)]
        many = [*some, *many]
        reading = await polls.poll(rss(*many))
        assert [isinstance(event, Published) for event in reading.events] == [True] * len(some)
        sizes.append(len(msgspec.json.decode(polls.cursor.slices, type=KnownSlices).read))
    assert max(sizes) <= 2 * MANY
    assert len(msgspec.json.decode(polls.cursor.items)) <= 2 * MANY
    assert polls.worker.entries == [500, 500, 500, 500, 500, MANY]


# --- any sequence of versions ---

_TEXT = (
    "words",
    "other words",
    "",
    "more",
    "<p>and more</p>",
    "words of {}",
    "<p>See <a href='https://ayllu.example/{}'>part 2</a> of it, and read on there.",
)
_SOME = {
    "guid": ("tag:{0}",) * 12 + ("", "tag:all"),
    "link": ("https://ayllu.example/{0}",) * 9 + ("", "/{0}", "https://ayllu.example/"),
    "title": ("N{0}", "N{0}", "", "Again"),
    "pubDate": ("{1} Mar 2026 09:00:00 GMT",) * 3 + ("", "7 Mar 2026 18:00:00 GMT", "1 Jan 2020 00:00:00 GMT"),
    "more": ("",) * 20 + ("<thr:in-reply-to ref='tag:1'/>", "<author>Illa</author>", "<enclosure url='/{0}.png'/>"),
}


def _entry(number: int, other: int, kinds: Mapping[str, str], text: str) -> str:
    parts = {name: kind.format(number, number % 28 + 1) for name, kind in kinds.items()}
    more = parts.pop("more")
    return entry(number, text.format(other), **parts) + more


ENTRY = st.builds(
    _entry,
    st.one_of(st.integers(1, 9), st.integers(10, 900)),
    st.integers(1, 9),
    st.fixed_dictionaries({name: st.sampled_from(kinds) for name, kinds in _SOME.items()}),
    st.sampled_from(_TEXT),
)
_HEAD = "<title>Ayllu</title><link>https://ayllu.example/</link>"
HEADS = st.sampled_from(
    [_HEAD] * 5 + ["<title>Puna</title><link>https://ayllu.example/</link><ttl>9</ttl>"] * 3 + ["<title>Ayllu</title>"]
)
BREAKS = st.sampled_from([""] * 20 + ["<!DOCTYPE rss>", "&bogus;"])
CHANGES = st.lists(st.sampled_from(["new", "new", "new", "edit", "leave", "turn", "twice"]), max_size=2)
_THREADS = "<rss xmlns:thr='http://purl.org/syndication/thread/1.0' "


@st.composite
def versions(draw: st.DrawFn) -> list[tuple[str, int]]:
    """A feed as it is from poll to poll, and the hours between."""
    entries: list[str] = draw(st.lists(ENTRY, max_size=6))
    polls = []
    for _ in range(draw(st.integers(2, 6))):
        for change in draw(
            st.lists(st.sampled_from(["new", "new", "new", "edit", "leave", "turn", "twice"]), max_size=2)
        ):
            if change == "new":
                entries.insert(0, draw(ENTRY))
            elif change == "turn":
                entries.reverse()
            elif entries:
                at = draw(st.integers(0, len(entries) - 1))
                entries[at : at + 1] = {"edit": [draw(ENTRY)], "leave": [], "twice": [entries[at]] * 2}[change]
        body = rss(*entries, channel=draw(HEADS)).replace("<rss ", _THREADS)
        polls.append((body.replace("<rss ", f"{draw(BREAKS)}<rss "), draw(st.sampled_from([1, 1, 12, 100]))))
    return polls


def _said(polls: Polls, reading: FeedReading) -> dict[str, Any]:
    cursor = reading.cursor
    marks = {name: text.rpartition(".")[0] for name, text in msgspec.json.decode(cursor.items).items()}
    return {
        "events": reading.events,
        "late": reading.late,
        "note": reading.note,
        "failed": reading.failed,
        "dates": (cursor.latest, cursor.gap, cursor.newest),
        "marks": marks,
        "gone": cursor.gone,
    }


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(versions())
async def test_whatever_a_feed_goes_through_the_same_comes_as_if_all_was_read(polled: list[tuple[str, int]]) -> None:
    sliced, whole = Polls(), Polls(worker=StandingWorker(forgetful=True))
    for body, hours in polled:
        one, other = await sliced.poll(body), await whole.poll(body)
        assert _said(sliced, one) == _said(whole, other)
        for polls in (sliced, whole):
            polls.now += HOUR * hours
