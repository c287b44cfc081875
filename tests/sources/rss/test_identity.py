"""The rule of identity, as a table: what is another name of an old entry, and what is news with old words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import Edited, Event, Published
from relay.sources.feed_changes import News, compare
from relay.sources.feed_identity import EntryDigests
from relay.sources.feed_posts import EntryPost
from relay.testing import NOON, post
from tests.servers.feeds import FeedServer
from tests.support.feed_reading import Reader
from tests.support.feed_samples import items, rss

PAGE, MOVED, OTHER = "//bell.example/frost", "//new.example/frost", "//bell.example/thaw"
HOUR = timedelta(hours=1)
BYSTANDER = "the one that stays"


@dataclass(frozen=True)
class Said:
    """An entry as its publisher has it; ``hours`` after noon, None: undated."""

    guid: str
    words: str = "Frost warning"
    link: str = PAGE
    hours: int | None = 0
    fresh: bool = False

    def item(self) -> EntryPost:
        date = None if self.hours is None else NOON + self.hours * HOUR
        found = post(1, title=self.guid, published=date or NOON)
        return EntryPost(
            post=found, raw=found, name=self.guid, text=self.words, link=self.link, date=date, fresh=self.fresh
        )


def after(*documents: tuple[Said, ...], stood: bool = False) -> list[list[str]]:
    """What each document brought."""
    seen: Mapping[str, str] = {}
    gone = ""
    brought = []
    for document in documents:
        news = compare([one.item() for one in document], seen, gone, stood=stood)
        seen, gone = news.items, news.gone
        brought.append([word(event) for event in news.events])
    return brought


def word(event: Event) -> str:
    assert isinstance(event, Published | Edited)
    return event.post.title if isinstance(event, Published) else f"edited {event.post.title}"


OLD = Said("urn:1")
STAYS = Said("urn:stays", BYSTANDER, "//bell.example/0", -9)
PAGES = {"same": PAGE, "moved": MOVED, "other": OTHER, "none": ""}
DATES = {"same": 0, "changed": 12, "none": None}

# page, date, then what it is while the old one is in the document, left it just now, and left it before
TABLE = [
    ("same", "same", "old", "old", "old"),
    ("same", "changed", "news", "news", "news"),
    ("same", "none", "news", "old", "news"),
    ("none", "same", "old", "old", "old"),
    ("none", "changed", "news", "news", "news"),
    ("none", "none", "news", "old", "news"),
    ("moved", "same", "news", "old", "news"),
    ("moved", "changed", "news", "news", "news"),
    ("moved", "none", "news", "old", "news"),
    ("other", "same", "news", "old", "news"),
    ("other", "changed", "news", "news", "news"),
    ("other", "none", "news", "news", "news"),
]


@pytest.mark.parametrize(("page", "date", "there", "left", "before"), TABLE)
def test_a_new_guid_with_the_same_words(page: str, date: str, there: str, left: str, before: str) -> None:
    """The old entry had been read more than once: this publisher does not make guids anew for each answer."""
    new = Said("urn:2", link=PAGES[page], hours=DATES[date])
    old = OLD if PAGES[page] else replace(OLD, link="")
    first = ((old, STAYS), (old, STAYS))
    found = {
        "there": after(*first, (new, old, STAYS))[-1],
        "left": after(*first, (new, STAYS))[-1],
        "before": after(*first, (STAYS,), (new, STAYS))[-1],
    }
    said = {"old": [], "news": ["urn:2"]}
    assert found == {"there": said[there], "left": said[left], "before": said[before]}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("documents", [((OLD, STAYS),), ((OLD, STAYS), (STAYS,))], ids=["just now", "before"])
def test_other_words_under_another_guid_are_news(page: str, date: str, documents: tuple[tuple[Said, ...], ...]) -> None:
    """Also where they stand at the same page, at the same moment: an article that is published anew."""
    new = Said("urn:2", "Hard frost", PAGES[page], DATES[date])
    assert after(*documents, (new, STAYS))[-1] == ["urn:2"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("words", ["Frost warning", "Hard frost"])
@pytest.mark.parametrize("while_gone", [False, True])
def test_the_same_guid_is_the_same_entry(page: str, date: str, words: str, while_gone: bool) -> None:
    again = Said("urn:1", words, PAGES[page], DATES[date])
    documents = ((OLD, STAYS), (STAYS,), (again, STAYS)) if while_gone else ((OLD, STAYS), (again, STAYS))
    assert after(*documents)[-1] == ([] if words == OLD.words else ["edited urn:1"])


def test_two_that_nobody_could_tell_apart_are_one_in_the_same_document_too() -> None:
    assert after((STAYS,), (OLD, replace(OLD, guid="urn:2"), STAYS))[-1] == ["urn:1"]
    assert after((STAYS,), (OLD, replace(OLD, guid="urn:2", link=OTHER), STAYS))[-1] == ["urn:1", "urn:2"]


def test_one_old_entry_comes_back_as_one() -> None:
    two = (replace(OLD, guid="urn:2", link=OTHER), replace(OLD, guid="urn:3", link="//bell.example/3"))
    assert after((OLD, STAYS), (*two, STAYS))[-1] == ["urn:3"]
    at_home = replace(OLD, guid="urn:4", link=MOVED)
    assert after((OLD, STAYS), (*two, at_home, STAYS))[-1] == ["urn:2", "urn:3"]


# --- documents that are made anew ---


def made(number: int, *, hours: int | None, host: str = "bell", guid: str = "", fresh: bool = False) -> Said:
    return Said(guid or f"urn:{number}", f"Words {number}", f"//{host}.example/{number}", hours, fresh)


@pytest.mark.parametrize("hours", [None, 30])
def test_a_whole_document_under_new_guids_is_not_news(hours: int | None) -> None:
    """A site that was rebuilt: new guids, and the day of the building as every date."""
    old = tuple(made(number, hours=hours and number) for number in range(4))
    new = tuple(made(number, hours=hours, guid=f"new:{number}") for number in range(4))
    assert after(old, old, new)[-1] == []
    fifth = made(5, hours=hours, guid="new:5")
    assert after(old, old, (*new, fifth))[-1] == ["new:5"]


def test_a_whole_document_at_new_addresses_without_dates_is_not_news() -> None:
    old = tuple(made(number, hours=None) for number in range(4))
    new = tuple(replace(one, guid=f"new{one.guid}", link=f"//new.example/a/{one.words[-1]}") for one in old)
    assert after(old, old, new)[-1] == []


def test_the_same_words_every_day_are_news_every_day() -> None:
    days = [
        tuple(Said(f"{day}:{n}", n, f"//b.example/{day}/{n}", day * 24) for n in ("Dawn", "Dusk")) for day in (1, 2)
    ]
    assert after(days[0], days[0], days[1])[-1] == ["2:Dawn", "2:Dusk"]


@pytest.mark.parametrize(
    "made_at",
    [
        lambda n: (Said(f"urn:{n}", hours=None, link=""),),
        lambda n: (Said(f"urn:{n}", hours=None, link=f"//bell.example/session/{n}"),),
        lambda n: (Said(f"urn:{n}", hours=n, fresh=True),),
        lambda n: (Said(f"urn:{n}", hours=n, fresh=True, link=""),),
        lambda n: (Said(f"urn:{n}", hours=n, fresh=True), STAYS),
    ],
    ids=["no date, no page", "no date, another page", "the date of the answer", "that, no page", "one of several"],
)
def test_what_each_answer_names_anew_is_never_news(made_at: object) -> None:
    assert callable(made_at)
    assert after(*(made_at(number) for number in range(5)))[1:] == [[]] * 4


def test_a_status_page_that_says_the_same_again_is_news_each_time() -> None:
    """Hours later; also where it was asked once only in between, and where it was asked often."""
    days = [(Said(f"urn:{number}", hours=number * 12),) for number in range(4)]
    assert after(*days)[1:] == [["urn:1"], ["urn:2"], ["urn:3"]]
    fresh = [(Said(f"urn:{number}", hours=number * 12, fresh=True),) for number in range(4)]
    assert after(*fresh, stood=True)[1:] == [["urn:1"], ["urn:2"], ["urn:3"]]


# --- what goes and comes back ---


def test_two_caches_in_turn_are_one_feed() -> None:
    one = tuple(made(number, hours=number) for number in range(5))
    other = tuple(replace(item, guid=f"https:{item.guid}", link=item.link.replace("bell", "new")) for item in one[1:])
    brought = after(one, other, one, other, (*one, made(7, hours=7)), other, (*other, made(7, hours=7, guid="https:7")))
    assert brought[1:] == [[], [], [], ["urn:7"], [], []]


def test_an_empty_document_takes_nothing_back() -> None:
    undated = tuple(made(number, hours=None) for number in range(3))
    renamed = tuple(replace(item, guid=f"new:{item.guid}") for item in undated)
    assert after(undated, (), renamed, (), undated)[1:] == [[], [], [], []]


def test_a_long_feed_that_lost_its_file_brings_nothing_again() -> None:
    many = tuple(made(number, hours=number) for number in range(1000))
    assert after(many, many[-1:], many[-2:], many, many[:3], many)[1:] == [[], [], [], [], []]


entries = st.dictionaries(st.integers(0, 12), st.tuples(st.integers(0, 2), st.booleans()), max_size=8)


@given(st.lists(entries, min_size=1, max_size=12))
def test_entries_with_guids_and_words_of_their_own_come_once_each(documents: list[dict[int, tuple[int, bool]]]) -> None:
    """However they come, go, and change their dates and places; and a document that is read twice brings nothing."""
    seen: Mapping[str, str] = {}
    gone = ""
    told: list[str] = []
    there: set[str] = set()
    for document in documents:
        read = [
            Said(f"{n}", f"w{n}", f"//b.example/{page}", n if dated else None) for n, (page, dated) in document.items()
        ]
        for again in (False, True):
            news: News = compare([one.item() for one in read], seen, gone)
            assert not (again and news.events)
            seen, gone = news.items, news.gone
            told += [event.post.title for event in news.events if isinstance(event, Published)]
        there |= {one.guid for one in read}
    assert sorted(told) == sorted(there)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", ""]), st.sampled_from([0, 1, None]))),
        max_size=6,
    )
)
def test_whatever_stands_in_a_feed_reading_it_twice_brings_nothing(
    documents: list[list[tuple[int, str, int | None]]],
) -> None:
    seen: Mapping[str, str] = {}
    gone = ""
    for document in documents:
        read = {f"{n}{page}{hour}": Said(f"{n}{page}{hour}", f"w{n % 2}", page, hour) for n, page, hour in document}
        news = compare([one.item() for one in read.values()], seen, gone)
        assert compare([one.item() for one in read.values()], news.items, news.gone).events == ()
        seen, gone = news.items, news.gone


def test_a_mark_survives_its_writing_and_other_versions_are_told_apart() -> None:
    for one in (
        EntryDigests(words="a"),
        EntryDigests(words="a", page="b", path="c", date="d", fresh=True, held=True, gone=True),
    ):
        assert EntryDigests.load(one.dump()) == one
    for other in ("", "39614988cce2", "39614988cce2 575f7df1abe3 6313dcdbfa 5e5a42d8a1", "3.a.b.c.d.", "2.a"):
        assert EntryDigests.load(other) is None


# --- marks that yesterday's version wrote ---

FORMER = {
    "dated": {
        "aea8b51a07b0": "39614988cce2 575f7df1abe3 6313dcdbfa 5e5a42d8a1",
        "1f4e8c5bdf91": "5058d9930dcf 8d02e7444f99 6441f71406 65f8b8da51",
        "1f9e91a8e1a8": "1ab4a0f78303 649d0d8d1b41 04883082dd 09e9dcacfe",
    },
    "undated": {
        "aea8b51a07b0": "39614988cce2 6313dcdbfa",
        "1f4e8c5bdf91": "5058d9930dcf 6441f71406",
        "1f9e91a8e1a8": "1ab4a0f78303 04883082dd",
    },
    "rich": {
        "aea8b51a07b0": "8cb8d626356b 1a6afe657f",
        "1f4e8c5bdf91": "14d81e23841c c8c60efcd8",
        "1f9e91a8e1a8": "dc14f76c654c 7c7d3160b6",
    },
    "bare": {"aea8b51a07b0": "39614988cce2", "1f4e8c5bdf91": "5058d9930dcf", "1f9e91a8e1a8": "1ab4a0f78303"},
}
DATE = "<pubDate>0{0} Mar 2026 09:00:00 GMT</pubDate>"
LINK = "<link>https://bell.example/{0}</link>"
SHAPES = {"dated": LINK + DATE, "undated": LINK, "rich": LINK, "bare": ""}
RICH = (
    "<![CDATA[<p>See <a href='https://bell.example/x'>this</a> of {0}.</p><ul><li><a href='https://bell.example/y'>one"
    "</a></li><li>12 comments</li></ul><blockquote>quoted</blockquote>]]>"
)


def entry(number: int, shape: str, *, guid: str = "a", words: str = "") -> str:
    guid = f"<guid isPermaLink='false'>{guid}-{number}</guid>"
    said = RICH.format(number) if shape == "rich" else f"Words of {number}."
    if words:
        said = said.replace("of", words)
    text = f"<title>Entry {number}</title>{guid}<description>{said}</description>"
    return text + SHAPES[shape].format(number)


@pytest.mark.parametrize("shape", FORMER)
def test_an_upgrade_brings_nothing_again_and_loses_nothing(shape: str) -> None:
    def read(*entries: str) -> tuple[EntryPost, ...]:
        return items(rss(*entries))

    numbers = (3, 2, 1)
    same = [entry(number, shape) for number in numbers]
    first = compare(read(*same), FORMER[shape], newest=NOON)
    assert first.events == first.late == ()
    edited = compare(read(entry(3, shape, words="other than"), *same[1:]), first.items)
    assert [word(event) for event in edited.events] == ["edited Entry 3"]
    renamed = [entry(number, shape, guid="b") for number in numbers]
    brought = compare(read(entry(4, shape, words="news of"), *renamed), FORMER[shape])
    assert [word(event) for event in brought.events] == ["Entry 4"]


# --- as it is served ---


@pytest.mark.parametrize("links", [True, False])
async def test_a_server_that_makes_guids_and_dates_for_each_answer_brings_its_news_alone(links: bool) -> None:
    async with FeedServer() as server, Reader(f"{server.url}/x") as reader:
        for number in range(5):
            made = "".join(
                f"<item><title>T{n}</title><guid isPermaLink='false'>{number}-{n}</guid>"
                + (f"<link>{server.url}/{n}</link>" if links else "")
                + (f"<pubDate>{reader.now:%a, %d %b %Y %H:%M:%S GMT}</pubDate></item>")
                for n in range(1 + (number > 2))
            )
            server.put("/x", f"<rss version='2.0'><channel><title>x</title>{made}</channel></rss>")
            assert await reader.read() == (
                [("Published", "T1")] if number == 3 else [("Published", "T0")] * (not number)
            )
            reader.now += HOUR / 6


async def test_a_status_that_stood_for_hours_is_news_when_it_is_said_again() -> None:
    async with FeedServer() as server, Reader(f"{server.url}/x") as reader:
        for number in range(3):
            made = (
                f"<item><title>All is well</title><guid isPermaLink='false'>{number}</guid>"
                f"<pubDate>{reader.now:%a, %d %b %Y %H:%M:%S GMT}</pubDate><link>{server.url}/</link></item>"
            )
            server.put("/x", f"<rss version='2.0'><channel><title>x</title>{made}</channel></rss>")
            assert await reader.read() == [("Published", "All is well")]
            for _ in range(3):
                reader.now += HOUR / 6
                assert await reader.read() == []
