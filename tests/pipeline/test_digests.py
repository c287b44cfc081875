"""Folds as people read them, and the loop that sends those that are due."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.i18n import words
from relay.model import Card, Digest, DigestReason, Media, MediaKind, Place, Published
from relay.pipeline.digests import MOST, DigestLoop, best, digest_card
from relay.records import Intake, PlannedSend, Wanted
from relay.store import Store, open_store
from relay.testing import NOON, author, post, text
from relay.text import text_content
from tests.support.digest_cases import QUIET
from tests.support.outbox_cases import worker
from tests.support.store_cases import CLAIM, ROOM, lease

PICTURE = Media(url="https://ayllu.example/a.png", kind=MediaKind.IMAGE)


def card(
    number: int, *, by: str = "Illa", root: int = 0, count: int = 1, picture: bool = False, **said: object
) -> Card:
    one = post(number, author=author(by), media=(PICTURE,) if picture else (), **said)
    place = Place(root=post(root).uri, position=1, count=count) if root else None
    return Card(post=one, reason="", thread=place, unroll=f"slug{root or number}")


def digest(*cards: Card, why: DigestReason = DigestReason.BUDGET, count: int = 0, tag: str = "bridge") -> Digest:
    return Digest(
        slug="abc",
        reason=why,
        topic="#bridge",
        tag=tag,
        count=count or len(cards),
        since=NOON,
        best=tuple(reversed(cards)),
    )


def shown(one: Digest, *, language: str = "en", base: str = "https://relay.example/") -> Card:
    return digest_card(one, name="Plaza", address=lambda path: f"{base}{path}" if base else "", say=words(language))


def numbers(cards: list[Card]) -> list[int]:
    return [int(one.post.uri.rsplit("/", 1)[1]) for one in cards]


# --- the best ---


def test_long_threads_come_first_then_pictures_then_what_is_new() -> None:
    cards = [card(1), card(2, root=2, count=4), card(3, picture=True), card(4)]
    assert numbers(best(cards[::-1], 9)) == [2, 3, 4, 1]


def test_of_a_thread_only_the_first_is_named() -> None:
    cards = [card(1, root=1, count=3), card(2, root=1, count=3), card(3, root=1, count=3), card(4)]
    assert numbers(best(cards[::-1], 9)) == [1, 4]


def test_everybody_is_named_once_before_anybody_is_named_twice() -> None:
    cards = [card(1), card(2, by="Sami"), card(3, picture=True), card(4, picture=True)]
    assert numbers(best(cards[::-1], 3)) == [4, 2, 3]


@given(
    some=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5), st.booleans()), max_size=12),
    most=st.integers(0, 12),
)
def test_the_best_are_some_of_the_posts_each_once(some: list[tuple[str, int, bool]], most: int) -> None:
    cards = [card(n, by=by, count=c, root=n, picture=p) for n, (by, c, p) in enumerate(some, 1)]
    chosen = numbers(best(cards, most))
    assert len(chosen) == min(most, len(cards)) == len(set(chosen))


# --- what it says ---


@pytest.mark.parametrize(
    ("why", "language", "title"),
    [
        (DigestReason.BUDGET, "en", "37 more on #bridge"),
        (DigestReason.QUIET, "en", "37 posts on #bridge during quiet hours"),
        (DigestReason.DIGEST, "en", "#bridge: the best of 37 posts"),
        (DigestReason.BUDGET, "es", "37 más sobre #bridge"),
        (DigestReason.MANY, "en", "37 more entries in #bridge"),
        (DigestReason.MANY, "es", "37 entradas más en #bridge"),
        (DigestReason.LATE, "en", "37 older entries were added to #bridge"),
        (DigestReason.LATE, "es", "Se agregaron 37 entradas anteriores a #bridge"),
    ],
)
def test_its_title_says_what_it_is(why: DigestReason, language: str, title: str) -> None:
    assert shown(digest(card(1), why=why, count=37), language=language).post.title == title


def test_it_names_the_best_and_leads_to_all() -> None:
    cards = [card(n, by=f"P{n}", body=text(f"Post {n}")) for n in range(1, 21)]
    told = shown(digest(*cards, why=DigestReason.DIGEST))
    lines = text_content(told.post.body).split("\n")
    assert len([line for line in lines if "Post " in line]) == MOST[DigestReason.DIGEST] == 10
    assert "and 10 more" in lines
    assert "All posts on #bridge" in lines
    links = [span.link for block in told.post.body for span in block.spans if span.link]
    assert links[:1] == ["https://relay.example/t/slug20"]
    assert links[-2:] == ["https://relay.example/fold/abc", "https://relay.example/tag/bridge"]
    assert (told.post.url, told.own) == ("https://relay.example/fold/abc", True)


@pytest.mark.parametrize(("listed", "there"), [(60, True), (40, False)])
def test_it_leads_to_a_page_that_has_also_what_came_along(listed: int, there: bool) -> None:
    one = replace(digest(card(1), why=DigestReason.MANY, count=40), listed=listed)
    lines = text_content(shown(one).post.body).split("\n")
    assert "and 39 more" in lines
    assert ("all 60 on one page" in lines) is there
    assert "on one page" not in text_content(shown(one, base="").post.body)


def test_what_has_a_warning_is_named_by_the_warning() -> None:
    told = text_content(shown(digest(card(1, warning="heights", body=text("A secret")))).post.body)
    assert "Content warning: heights" in told
    assert "secret" not in told


def test_a_thread_says_how_long_it_is() -> None:
    assert "(a thread of 4)" in text_content(shown(digest(card(1, root=1, count=4))).post.body)


def test_where_no_page_can_be_reached_it_leads_to_the_originals() -> None:
    told = shown(digest(card(1), card(2), count=9), base="")
    links = {span.link for block in told.post.body for span in block.spans if span.link}
    assert links == {post(1).url, post(2).url}
    assert "and 7 more" in text_content(told.post.body)


def test_a_post_without_words_is_named_all_the_same() -> None:
    assert "a post without text" in text_content(shown(digest(card(1, body=()))).post.body)


# --- the loop ---


async def test_the_loop_sends_what_is_due_and_tells_that_it_did() -> None:
    store = await open_store("sqlite://")
    await store.save_subscriptions("a", [Wanted(topic="#bridge", destination=ROOM, delivery_options=QUIET)])
    [here] = await store.list_subscriptions()
    planned_sends = tuple(PlannedSend(uri=post(n).uri, by={str(ROOM): here}) for n in (1, 2))
    events = tuple(Published(post(n)) for n in (1, 2))
    await store.add_intakes([Intake(feed=None, events=events, planned_sends=planned_sends)], lease())
    sent = asyncio.Event()
    loop = DigestLoop(store=store, worker=worker(), sent=sent.set)
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(10):
        await sent.wait()
    claimed = await store.claim_deliveries(CLAIM, loop.worker.leased())
    running.cancel()
    assert claimed[0].digest
    assert claimed[0].digest.count == 2
    await asyncio.gather(running, return_exceptions=True)
    await store.close()


async def test_what_becomes_due_while_the_store_is_asked_is_looked_for_next() -> None:
    again = asyncio.Event()

    class Asked:
        looks = 0

        async def save_due_digests(self, _now: datetime) -> None:
            self.looks += 1
            if self.looks == 1:
                loop.due.set()
            else:
                again.set()

    loop = DigestLoop(store=cast(Store, Asked()), worker=worker(), idle=timedelta(hours=1))
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(10):
        await again.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
