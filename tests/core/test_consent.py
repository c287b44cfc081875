"""The consent matrix: who asks × what the author's settings say → page, listing, index, expiry."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from relay.core.consent import NO, Audience, Consent, PageReader, Showing, consent, runs_out, showing
from relay.model import Post, Removed
from relay.records import Page
from relay.testing import NOON, author, post

MONTH = timedelta(days=30)
AUTHOR, READER, NOBODY = PageReader
SILENT = replace(author(), discoverable=None, indexable=None)


SAID = list(product((True, False, None), repeat=2))
"""What an author may have said of lists and of search engines."""


def stays(*, listed: bool = False, indexed: bool = False) -> Consent:
    return Consent(page=True, listed=listed, indexed=indexed)


@pytest.mark.parametrize(
    ("asker", "refuses", "said", "allowed"),
    [
        *((AUTHOR, True, said, stays()) for said in SAID),
        *((asker, True, said, NO) for asker in (READER, NOBODY) for said in SAID),
        *((AUTHOR, False, (d, i), stays(listed=d is True, indexed=i is True)) for d, i in SAID),
        *(
            (asker, False, (d, i), stays(listed=d is True, indexed=i is True))
            for asker in (READER, NOBODY)
            for d, i in SAID
            if d or i
        ),
        *(
            (asker, False, (d, i), Consent(page=True, expires=MONTH))
            for asker in (READER, NOBODY)
            for d, i in SAID
            if not (d or i)
        ),
    ],
)
def test_the_matrix(asker: PageReader, refuses: bool, said: tuple[bool | None, bool | None], allowed: Consent) -> None:
    discoverable, indexable = said
    person = replace(author(), refuses=refuses, discoverable=discoverable, indexable=indexable)
    assert consent(person, asker, MONTH) == allowed


def test_a_relay_may_keep_pages_for_good() -> None:
    assert consent(SILENT, READER, timedelta(0)) == stays()


@pytest.mark.parametrize(("days", "gone"), [(29, False), (30, False), (31, True)])
def test_a_page_runs_out_when_nobody_came_for_so_long(days: int, gone: bool) -> None:
    until = runs_out(consent(SILENT, READER, MONTH), NOON)
    assert until is not None
    assert (NOON + timedelta(days=days) > until) is gone
    assert runs_out(consent(SILENT, AUTHOR, MONTH), NOON) is None
    assert runs_out(NO, NOON) is None


# --- lists ---

LISTED = author()
SHY = replace(author(), discoverable=None)
REFUSING = replace(author(), discoverable=True, refuses=True)


def page_of(*posts: Post | Removed, **said: object) -> Page:
    plain = Page(slug="slug", root=posts[0].uri, posts=posts, looked=None, updated=NOON)
    return replace(plain, **said)  # type: ignore[arg-type]  # named by the test


@pytest.mark.parametrize(
    ("page", "everybody", "recipients"),
    [
        (page_of(post(author=LISTED)), Showing.THREAD, Showing.THREAD),
        (page_of(post(author=LISTED, unlisted=True)), Showing.NOTHING, Showing.LINK),
        (
            page_of(post(1), post(2, unlisted=True, reply_to=post(1).uri, reply_to_author=LISTED.uri)),
            Showing.THREAD,
            Showing.THREAD,
        ),
        (page_of(post(1, unlisted=True, reply_to="https://x.example/1")), Showing.NOTHING, Showing.LINK),
        (page_of(post(author=SHY)), Showing.NOTHING, Showing.LINK),
        (page_of(post(author=replace(SHY, discoverable=False))), Showing.NOTHING, Showing.LINK),
        (page_of(post(author=replace(SHY, indexable=True))), Showing.NOTHING, Showing.LINK),
        (page_of(post(author=SHY), asked=True), Showing.NOTHING, Showing.LINK),
        (page_of(replace(post(author=SHY), title="News")), Showing.NOTHING, Showing.HEADLINE),
        (page_of(replace(post(author=replace(SHY, discoverable=False)), title="News")), Showing.NOTHING, Showing.LINK),
        (page_of(replace(post(author=replace(SHY, refuses=True)), title="News")), Showing.NOTHING, Showing.COUNTED),
        (page_of(post(author=SHY), updated=NOON - 2 * MONTH), Showing.NOTHING, Showing.LINK),
        (page_of(post(1), post(2, author=SHY)), Showing.NOTHING, Showing.LINK),
        (page_of(post(1), asides=((post(2, author=SHY),),)), Showing.NOTHING, Showing.LINK),
        (page_of(post(author=LISTED), listed=False), Showing.NOTHING, Showing.LINK),
        (page_of(post(author=REFUSING)), Showing.NOTHING, Showing.COUNTED),
        (page_of(post(author=REFUSING), asked=True), Showing.NOTHING, Showing.COUNTED),
        (page_of(post(1), post(2, author=REFUSING)), Showing.NOTHING, Showing.COUNTED),
        (page_of(Removed(post(1).uri)), Showing.NOTHING, Showing.NOTHING),
        (page_of(Removed(post(1).uri), post(2)), Showing.THREAD, Showing.THREAD),
    ],
)
def test_what_a_list_shows(page: Page, everybody: Showing, recipients: Showing) -> None:
    assert showing(page, Audience.EVERYBODY, MONTH, NOON) is everybody
    assert showing(page, Audience.RECIPIENTS, MONTH, NOON) is recipients
