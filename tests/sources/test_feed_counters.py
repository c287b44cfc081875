"""What a site counts up is no edit; a number that somebody wrote is."""

from __future__ import annotations

from itertools import pairwise

import pytest

from relay.sources.feed_changes import compare
from relay.sources.feed_posts import EntryPost
from tests.support.feed_samples import items, rss
from tests.support.rss_cursor_cases import told


def entry(title: str, body: str = "Words.") -> tuple[EntryPost, ...]:
    return items(rss(f"<guid>urn:bell:1</guid><title>{title}</title><description><![CDATA[{body}]]></description>"))


def edits(*looks: tuple[EntryPost, ...]) -> int:
    """How many of these looks brought an edit, each compared with the one before."""
    return sum(bool(told(compare(later, compare(look, {}).items).events)) for look, later in pairwise(looks))


@pytest.mark.parametrize(
    "title",
    [
        "({0}) A thread",
        "[{0}] A thread",
        "({0} new) A thread",
        "A thread [{0} comments]",
        "A thread ({0} replies)",
        "A thread ({0} comentarios)",
        "A thread [{0}]",
        "A thread ({0})",
        "{0} new: A thread",
        "A thread - {0} points",
        "A thread – {0} comments",
        "A thread · {0}.4k views",
        "A thread ({0}) ★ {0}",
        "★ {0} A thread",
        "A thread ★ {0}",
        "A thread 💬 {0}",
        "A thread | {0} views",
        "A thread - {0} comments",
        "A thread · {0} min read",
        "A thread [{0} points, {0} comments]",
        "A thread (updated {0} minutes ago)",
        "[{0} Antworten] A thread",
    ],
)
def test_a_counter_in_a_title_is_no_edit(title: str) -> None:
    assert edits(*(entry(title.format(number)) for number in (2, 3, 14))) == 0
    assert edits(entry(title.format(2)), entry(title.format(2).replace("thread", "rope"))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "<p><small>{0} posts - {0} participants</small></p><p><a href='/t/1'>Read full topic</a></p>",
        "<p>{0} points | {0} comments</p>",
        "<p>Points: {0}</p><p># Comments: {0}</p>",
        "<p>{0},217 views</p>",
        "<p>{0}.2k views · {0} likes and {0} replies</p>",
        "<p>👍 {0} 💬 {0}</p>",
        "<p>{0} 👍</p>",
        "<p>{0} min read</p>",
        "<p>Reading time: {0} minutes</p>",
        "<p>Lesezeit: {0} Minuten</p>",
        "<p>Last updated {0} minutes ago</p>",
        "<p>Last updated: {0} Nov 2026 10:05</p>",
        "<p>Last updated on Monday, November {0}, 2026 at 3:04 p.m.</p>",
        "<p>Updated 2026-11-30 10:{0} UTC</p>",
        "<p>Updated 2026-11-30T10:{0}:00Z</p>",
        "<p>Stand: {0}.11.2026, 10:05 Uhr</p>",
        "<p>Última actualización: {0} de noviembre de 2026</p>",
        "<p>It stands, they say. Updated {0} hours ago.</p>",
        "<p>hace {0} minutos</p>",
        "<p>vor {0} Stunden | {0} Aufrufe</p>",
        "<p>il y a {0} jours</p>",
        "<ul><li>{0} votes</li><li>{0} answers</li></ul>",
        "<blockquote>{0} comments</blockquote>",
    ],
)
def test_a_counter_below_the_text_is_no_edit(line: str) -> None:
    assert edits(*(entry("T", f"<p>Words.</p>{line.format(number)}") for number in (2, 3, 14))) == 0
    assert edits(*(entry("T", f"<p>{words}</p>{line.format(2)}") for words in ("Words.", "Other words."))) == 1


def test_an_address_in_the_text_that_becomes_https_is_no_edit() -> None:
    looks = [entry("T", f"<p>See {scheme}://bell.example/{path}</p>") for scheme, path in (("http", 1), ("https", 1))]
    assert edits(*looks) == 0
    assert edits(looks[1], entry("T", "<p>See https://bell.example/2</p>")) == 1


def test_the_first_answer_to_a_topic_is_no_edit_of_it() -> None:
    counted = "<p><small>{0} posts - {0} participants</small></p>"
    topic = "<p><a href='https://bell.example/t/1'>Read full topic</a></p>"
    looks = [
        entry("T", "<p>How is it woven?</p>" + below) for below in ("", counted.format(1), counted.format(2) + topic)
    ]
    assert edits(*looks) == 0
    assert [block.spans[0].text for block in looks[2][0].post.body] == ["How is it woven?"]


@pytest.mark.parametrize(
    "words",
    [
        "{0} dead",
        "{0} dead, {0} hurt",
        "Missing: {0}",
        "Ropes (20{0})",
        "Rope, part {0}",
        "{0} votes against the bridge",
        "Council – {0} votes",
        "It took {0} hours",
        "{0} hours",
        "Version 2.{0}",
        "Ropes - {0} dead",
        "{0}",
        "The flood came {0} hours ago",
        "Updated: {0} dead",
    ],
)
def test_a_number_that_somebody_wrote_is_an_edit(words: str) -> None:
    assert edits(*(entry(words.format(number)) for number in (12, 14))) == 1
    assert edits(*(entry("T", f"<p>{words.format(number)}</p>") for number in (12, 14))) == 1
