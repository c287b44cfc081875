"""A look at a thread at its source fills the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from relay.model import Deleted, Post, Published, Removed, Thread
from relay.pipeline.threads import ThreadReader, fetch
from relay.ports import Batch, Refused
from relay.records import Intake, Page
from relay.store import Store, open_store
from relay.testing import FakeSource, post, text
from tests.support.outbox_cases import worker


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite://")
    yield opened
    await opened.close()


ROOT = post(1)
CHAIN = (ROOT, post(2, reply_to=ROOT.aliases[0]), post(3, reply_to=post(2).aliases[0]))


async def page_of(store: Store, ref: str) -> Page:
    page = await store.get_page_of(ref)
    assert page
    return page


async def looked(store: Store, source: FakeSource) -> Page:
    """The page of the first post after a look at its thread."""
    threads = ThreadReader(store=store, sources={"fake": source}, worker=worker())
    await threads.look(await page_of(store, ROOT.uri))
    return await page_of(store, ROOT.uri)


def uris(page: Page) -> list[str]:
    return [one.uri for one in page.posts]


async def test_a_look_brings_the_posts_that_were_never_relayed(store: Store) -> None:
    await store.add_intakes([Intake(feed=None, events=(Published(ROOT),))], worker().leased())
    source = FakeSource(threads={ROOT.uri: CHAIN})
    page = await looked(store, source)
    assert uris(page) == [one.uri for one in CHAIN]
    assert page.looked
    assert not (await store.get_counts()).deliveries


async def test_a_look_sees_edits(store: Store) -> None:
    await store.add_intakes([Intake(feed=None, events=(Published(ROOT),))], worker().leased())
    source = FakeSource(threads={ROOT.uri: (post(1, body=text("Better.")),)})
    page = await looked(store, source)
    (shown,) = page.posts
    assert isinstance(shown, Post)
    assert shown.body == text("Better.")


async def test_a_source_that_does_not_answer_leaves_the_page_as_it_is(store: Store) -> None:
    await store.add_intakes([Intake(feed=None, events=(Published(ROOT),))], worker().leased())
    before = await page_of(store, ROOT.uri)
    assert await looked(store, FakeSource()) == before


async def test_the_first_source_that_knows_an_address_gives_the_thread() -> None:
    source = FakeSource(threads={"https://ayllu.example/@illa/3": tuple(reversed(CHAIN))})
    thread = await fetch("https://ayllu.example/@illa/3", [FakeSource(), source])
    assert not isinstance(thread, Refused)
    assert [one.uri for one in thread.posts if not isinstance(one, Removed)] == [one.uri for one in CHAIN]  # type: ignore[union-attr]  # asserted above


async def test_an_address_that_nobody_knows_is_refused_with_the_reasons() -> None:
    assert await fetch("https://nowhere.example/", [FakeSource()]) == Refused("fake: no such post")


async def test_a_thread_that_was_told_is_kept_with_its_page(store: Store) -> None:
    page = await ThreadReader(store=store, sources={}, worker=worker()).keep(Thread(posts=CHAIN))
    assert page
    assert uris(page) == [one.uri for one in CHAIN]
    assert page.looked


@pytest.mark.parametrize("posts", [(replace(ROOT, author=replace(ROOT.author, refuses=True)),), (Removed(ROOT.uri),)])
async def test_what_may_not_be_kept_or_is_gone_is_not_kept(store: Store, posts: tuple[Post | Removed, ...]) -> None:
    assert await ThreadReader(store=store, sources={}, worker=worker()).keep(Thread(posts=posts)) is None
    assert await store.get_page_of(ROOT.uri) is None


async def test_what_a_look_does_not_find_any_more_is_asked_for(store: Store) -> None:
    """It may have been deleted, or be one of those that a server does not tell strangers of."""
    await store.add_intakes([Intake(feed=None, events=tuple(map(Published, CHAIN)))], worker().leased())
    source = FakeSource(threads={ROOT.uri: (CHAIN[0],)}, rechecks=[Batch(events=(Deleted(CHAIN[2].uri),))])
    page = await looked(store, source)
    assert uris(page) == [CHAIN[0].uri, CHAIN[1].uri]


async def test_what_follows_a_deleted_post_is_found_from_the_other_side(store: Store) -> None:
    """The server leads from the first post to nothing, since the second is gone; the relay knew the third."""
    later = post(4, reply_to=CHAIN[2].uri)
    await store.add_intakes([Intake(feed=None, events=tuple(map(Published, CHAIN)))], worker().leased())
    await store.add_intakes([Intake(feed=None, events=(Deleted(CHAIN[1].uri),))], worker().leased())
    beyond = (replace(CHAIN[2], reply_to=""), later)  # its parent is nulled
    source = FakeSource(threads={ROOT.uri: (ROOT,), CHAIN[2].uri: beyond})
    page = await looked(store, source)
    assert uris(page) == [ROOT.uri, CHAIN[1].uri, CHAIN[2].uri, later.uri]


async def test_a_page_that_is_asked_for_is_visited(store: Store) -> None:
    threads = ThreadReader(store=store, sources={}, worker=worker())
    page = await threads.keep(Thread(posts=CHAIN))
    assert page
    visited = await store.get_page(page.slug)
    assert visited
    assert visited.visited
