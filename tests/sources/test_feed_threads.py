"""Which entries of a feed are one thread, and which only link to each other."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.unroll import unroll
from relay.model import Post
from tests.support.feed_samples import NOW, posts, rss

START = datetime(2026, 2, 1, 12, tzinfo=UTC)
SITE = "https://bell.example"


def link(number: int, words: str = "", *, site: str = SITE) -> str:
    return f'<a href="{site}/{number}">{words or f"{site}/{number}"}</a>'


def entry(
    number: int,
    body: str = "",
    *,
    title: str = "",
    by: str = "",
    at: timedelta | None = None,
    place: str = "",
    dated: bool = True,
    answers: str = "",
) -> str:
    """An entry at ``/number``, so many hours after the start unless said otherwise."""
    when = START + (timedelta(hours=number) if at is None else at)
    return "".join(
        [
            f"<guid isPermaLink='false'>urn:bell:entry:{number}</guid>",
            f"<link>{place or f'{SITE}/{number}'}</link>",
            f"<title>{escape(title or f'What happened at {number}')}</title>",
            f"<description>{escape(body or f'<p>Number {number}.</p>')}</description>",
            f"<pubDate>{format_datetime(when)}</pubDate>" if dated else "",
            f"<dc:creator>{by}</dc:creator>" if by else "",
            f'<thr:in-reply-to xmlns:thr="http://purl.org/syndication/thread/1.0" ref="{answers}"/>' if answers else "",
        ]
    )


def read(*entries: str) -> list[Post]:
    return posts(rss(*reversed(entries)))


def answers(*entries: str) -> dict[int, int]:
    """Who goes on with whom, by their numbers."""
    found = read(*entries)
    numbers = {post.uri: int(post.uri.rpartition(":")[2]) for post in found}
    by_name: dict[str, int] = {str(uri): number for uri, number in numbers.items()}
    return {numbers[post.uri]: by_name[post.reply_to] for post in found if post.reply_to in by_name}


OTHERS = tuple(entry(number) for number in range(20, 26))
"""What else a feed holds."""


# --- what is said ---


@pytest.mark.parametrize(
    "body",
    [
        f"<p>Part 2 of {link(1)}.</p>",
        f"<p>This is part two of {link(1, 'the story of the bridge')}.</p>",
        f"<p>{link(1, 'Part 1')} is older.</p>",
        f"<p>Read {link(1, 'part 1')} before.</p>",
        f"<p>Continued from {link(1, 'yesterday')}.</p>",
        f"<p>A continuation of {link(1, '<em>The</em> bridge')}</p>",
        f"<p>Continuación de {link(1, 'ayer')}.</p>",
        f"<p>La segunda parte de {link(1, 'la historia')}.</p>",
        f"<p>Teil 2 von {link(1, 'gestern')}.</p>",
        f"<p>Fortsetzung von {link(1, 'gestern')}.</p>",
        f"<p>Continuação da {link(1, 'história')}.</p>",
        f"<p>La deuxième partie de {link(1, 'mon récit')}.</p>",
        f"<p>Продолжение: {link(1, 'начало')}</p>",
        f"<p>{link(1, '昨日')}の続き</p>",
        f"<p>الجزء الثاني من {link(1, 'القصة')}</p>",
        '<p>Part 2 of <a href="http://www.bell.example/1/?utm_source=feed#end">it</a>.</p>',
        '<p>Part 2 of <a href="/1">it</a>.</p>',
        "Part 2 of https://bell.example/1: the ropes",
    ],
)
def test_an_entry_that_says_so_goes_on_with_the_one_that_it_links_to(body: str) -> None:
    assert answers(entry(1), entry(2, body), *OTHERS) == {2: 1}


@pytest.mark.parametrize("title", ["The bridge, part 2", "The bridge (Part II)", "El puente – parte 2", "橋 その2"])
def test_the_title_may_say_so(title: str) -> None:
    assert answers(entry(1), entry(2, f"<p>After {link(1)}.</p>", title=title), *OTHERS) == {2: 1}


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (f"<p>As I wrote in {link(1, 'an earlier post')}.</p>", ""),
        (f"<p>As we reported on {link(1, 'Monday')}, the bridge is part of the road.</p>", ""),
        (f"<p>Previous: {link(1, 'The bridge')}</p>", ""),
        (f"<p>Continue reading: {link(1, 'The bridge')}</p>", ""),
        (f"<p>This is part 1 of what I promised in {link(1, 'January')}.</p>", ""),
        (f"<p>After {link(1)}.</p>", "The bridge, part 1"),
        (f"<p>After {link(1)}.</p>", "Weekly news #2"),
        (f"<p>The law has a part 2. I wrote of {link(1, 'the bridge')} before.</p>", ""),
        (f"<p>Part 2 of {link(9, 'what is elsewhere')}, unlike {link(1, 'the bridge')}.</p>", ""),
        (f"<p>Part 2 of {link(1, site='https://other.example')}.</p>", ""),
        (f"<p>Part 2 of {link(2, 'this')}.</p>", ""),
        (f"<p>Part 2 of {link(3, 'what came later')}.</p>", ""),
        (f"<p>Part 2 of {link(99, 'what the feed holds no more')}.</p>", ""),
        ("<p>Part 2 of <a href='https://bell.example/'>this blog</a>.</p>", ""),
    ],
)
def test_a_mere_link_is_no_continuation(body: str, title: str) -> None:
    assert answers(entry(1), entry(2, body, title=title), entry(3), *OTHERS) == {}


# --- what names each other ---

FORTH = f"<p>I had to stop before it was finished; how it went on is in {link(2, 'the next one')}.</p>"
BACK = f"<p>Yesterday I told the beginning, if you missed it: {link(1, 'there')} it is.</p>"


def test_entries_that_name_each_other_are_a_thread() -> None:
    assert answers(entry(1, FORTH), entry(2, BACK), *OTHERS) == {2: 1}
    assert answers(entry(1, FORTH), entry(2, BACK)) == {2: 1}
    assert answers(entry(1), entry(2, BACK), *OTHERS) == {}
    assert answers(entry(1, FORTH), entry(2), *OTHERS) == {}


@pytest.mark.parametrize(
    ("forth", "back"),
    [
        (FORTH, f"<ul><li>{link(1, 'What happened there when nobody looked')}</li></ul>"),
        (FORTH, f"<p>« Previous: {link(1, 'What happened')} | Next: {link(3, 'What did not')} »</p>"),
        (f"<p>Related: {link(2, 'What happened on the day after, in so many words')}</p>", BACK),
    ],
)
def test_lists_of_links_are_navigation(forth: str, back: str) -> None:
    assert answers(entry(1, forth), entry(2, back), *OTHERS) == {}


def test_what_the_other_lists_with_much_else_is_no_thread() -> None:
    contents = FORTH + "".join(f"<p>See {link(number)}</p>" for number in (20, 21, 22))
    assert answers(entry(1, contents), entry(2, BACK), *OTHERS) == {}


# --- whose, when, how many ---


def test_only_one_authors_entries_are_a_thread() -> None:
    body = f"<p>Part 2 of {link(1)}.</p>"
    assert answers(entry(1, by="Illa"), entry(2, body, by="Illa"), *OTHERS) == {2: 1}
    assert answers(entry(1, by="Illa"), entry(2, body, by="Sami"), *OTHERS) == {}
    assert answers(entry(1, by="Illa"), entry(2, body), *OTHERS) == {}


def test_who_goes_on_with_their_own_answers_nobody_else() -> None:
    *_, last = read(entry(1), entry(2, f"<p>Part 2 of {link(1)}.</p>"))
    assert last.reply_to_author == last.author.uri


def test_a_thread_lasts_as_long_as_threads_are_looked_at() -> None:
    def told(*hours: int) -> dict[int, int]:
        parts = (
            entry(number, f"<p>Part {number} of {link(number - 1)}.</p>", at=timedelta(hours=hour))
            for number, hour in enumerate(hours, 1)
        )
        return answers(*parts, *(entry(number, at=timedelta(hours=number - 99)) for number in range(20, 30)))

    assert told(0, 24, 72) == {2: 1, 3: 2}
    assert told(0, 48, 73) == {2: 1}  # another thread begins
    assert told(0, 48, 73, 80) == {2: 1, 4: 3}
    assert told(0, 0) == {}
    assert told(5, 0) == {}


def test_of_several_the_newest_is_answered() -> None:
    one, two = entry(1), entry(2)
    both = f"<p>Part 3, after {link(2)}.</p><p>It began in {link(1, 'part 1')}.</p>"
    assert answers(one, two, entry(3, both), *OTHERS) == {3: 2}
    aside = f"<p>Part 3 of {link(1)}.</p><p>I also saw {link(2, 'this')}.</p>"
    assert answers(one, two, entry(3, aside), *OTHERS) == {3: 1}


@pytest.mark.parametrize(("many", "thread"), [(3, {10: 3}), (4, {})])
def test_what_names_many_is_a_list(many: int, thread: dict[int, int]) -> None:
    body = "".join(f"<p>Part 2 of {link(number)}.</p>" for number in range(1, many + 1))
    assert answers(*(entry(number) for number in range(1, 7)), entry(10, body), *OTHERS) == thread


def test_where_most_entries_link_back_it_is_a_habit() -> None:
    serial = [entry(number, f"<p>Part {number}, continued from {link(number - 1)}.</p>") for number in range(1, 7)]
    assert answers(*serial) == {}
    assert answers(*serial[:3], *OTHERS) == {2: 1, 3: 2}
    assert answers(*serial[:4], *OTHERS[:2]) == {}  # three of six
    navigation = [
        entry(number, f"<p>{FORTH}{BACK}</p>".replace("/2", f"/{number + 1}").replace("/1", f"/{number - 1}"))
        for number in range(11, 17)
    ]
    assert answers(*navigation) == {}


def test_one_authors_habit_is_not_the_others() -> None:
    serial = [entry(number, f"<p>Part {number} of {link(number - 1)}.</p>", by="Illa") for number in range(10, 16)]
    thread = [entry(1, by="Sami"), entry(2, f"<p>Part 2 of {link(1)}.</p>", by="Sami")]
    assert answers(*serial, *thread, *OTHERS) == {2: 1}


@pytest.mark.parametrize(
    "first",
    [
        entry(1, dated=False),
        entry(1) + "<category>x</category>",
        entry(1, place=f"{SITE}/page#one"),
        entry(1, place=f"{SITE}/"),
    ],
)
def test_an_entry_needs_a_date_and_a_page_of_its_own(first: str) -> None:
    where = {f"{SITE}/page#one": f"{SITE}/page#one", f"{SITE}/<": f"{SITE}/"}
    target = next((there for mark, there in where.items() if mark in first), f"{SITE}/1")
    other = entry(3, place=f"{SITE}/page#three")
    told = answers(first, entry(2, f'<p>Part 2 of <a href="{target}">it</a>.</p>'), other, *OTHERS)
    assert told == ({2: 1} if "category" in first else {})


def test_an_undated_entry_goes_on_with_none() -> None:
    body = f"<p>Part 2 of {link(1)}.</p>"
    just_now = NOW - START - timedelta(hours=1)
    assert answers(entry(1, at=just_now), entry(2, body, at=just_now + timedelta(minutes=1)), *OTHERS) == {2: 1}
    assert answers(entry(1, at=just_now), entry(2, body, dated=False), *OTHERS) == {}


# --- what the publisher says by itself ---


def test_the_publishers_own_word_wins() -> None:
    body = f"<p>Part 3 of {link(2)}.</p>"
    assert answers(entry(1), entry(2), entry(3, body, answers="urn:bell:entry:1"), *OTHERS) == {3: 1}
    *_, last = read(entry(1), entry(3, answers="urn:bell:entry:1"))
    assert last.reply_to_author == last.author.uri


def test_an_answer_to_somebody_else_is_no_thread_of_one_author() -> None:
    """Comments have the feed's address for their author's: all would be one thread."""
    first, second, third = read(
        entry(1, by="Illa"),
        entry(2, by="Sami", answers="urn:bell:entry:1"),
        entry(3, by="Sami", answers="urn:bell:entry:0"),
    )
    assert second.reply_to == first.url
    assert third.reply_to == "urn:bell:entry:0"  # nobody knows whose that was
    assert second.reply_to_author == third.reply_to_author == ""


def test_where_one_author_writes_the_parent_may_have_left_the_feed() -> None:
    (post,) = read(entry(3, answers="urn:bell:entry:0"))
    assert post.reply_to == "rss:bell.example/feed.xml?:urn:bell:entry:0"


# --- for every feed ---


@st.composite
def feeds(draw: st.DrawFn) -> list[str]:
    numbers = range(1, draw(st.integers(1, 12)) + 1)
    words = st.sampled_from(("Part 2 of ", "See ", "Written long after the first one was: "))

    def body(links: Iterable[int]) -> str:
        return "".join(f"<p>{draw(words)}{link(number)}</p>" for number in links)

    named = st.lists(st.integers(1, len(numbers)), max_size=4)
    at, by = st.integers(0, 120), st.sampled_from(("", "Illa"))
    return [entry(n, body(draw(named)), by=draw(by), at=timedelta(hours=draw(at))) for n in numbers]


@given(feeds())
def test_parents_are_older_and_of_the_same_author_and_every_thread_has_a_root(entries: list[str]) -> None:
    found = read(*entries)
    known = {str(post.uri): post for post in found}
    for post in found:
        if post.reply_to:
            parent = known[post.reply_to]
            assert parent.published < post.published
            assert parent.author == post.author
            thread = unroll(found, post.uri)
            assert thread is not None
            assert post.published - known[thread.root].published <= timedelta(days=3)
