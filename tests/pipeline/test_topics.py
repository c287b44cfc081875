"""What a topic means, and what the sources say on it now."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from relay.model import Feed, Published
from relay.options import Filters
from relay.pipeline.topics import Answers, latest, likeliest, meanings, refusal, resolve
from relay.ports import Batch, Gone, Refused, Resolved, TryLater
from relay.testing import NOON, FakeSource, post
from tests.support.subscriptions_cases import FOUND, Scripted

SOON = timedelta(milliseconds=50)


class Hanging(FakeSource):
    """Answers nothing, ever."""

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        return await self._never()

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        return await self._never()

    async def _never(self) -> TryLater:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_topic_that_means_nothing_to_anybody_is_told_with_every_reason() -> None:
    sources = {"a": Scripted("a", Refused("no tag")), "b": Scripted("b", Refused("no address"))}
    assert refusal("?", await resolve("?", sources, sources)) == "'?' means nothing to a, b (a: no tag; b: no address)"
    assert refusal("?", {"a": FOUND, "b": Refused("no")}) == ""
    assert refusal("?", {"a": TryLater("down"), "b": Refused("no")}) == ""


async def test_only_sources_that_are_configured_are_asked() -> None:
    sources = {"a": Scripted("a", FOUND), "b": Scripted("b", FOUND)}
    assert await resolve("#bridge", ["b", "elsewhere"], sources) == {"b": FOUND}


async def test_who_does_not_answer_in_time_is_to_be_asked_later() -> None:
    sources = {"a": Hanging("a"), "b": Scripted("b", FOUND)}
    assert await resolve("#bridge", sources, sources, within=SOON) == {
        "a": TryLater("no answer within 0.05 s"),
        "b": FOUND,
    }


async def test_the_latest_of_all_feeds_once_each_in_their_order() -> None:
    one, two = FakeSource("one"), FakeSource("two")
    one.answers["#bridge"] = [Batch(events=tuple(Published(post(n)) for n in (5, 1, 3)))]
    two.answers["#bridge"] = [Batch(events=tuple(Published(post(n)) for n in (3, 4)))]
    found = await latest("#bridge", ["one", "two"], {"one": one, "two": two}, count=3)
    assert [card.post.uri for card in found.cards] == [post(n).uri for n in (3, 4, 5)]
    assert {card.reason for card in found.cards} == {"#bridge · ayllu.example"}
    assert (found.unread, found.refused) == ({}, {})


async def test_what_would_not_be_relayed_is_not_shown() -> None:
    source = FakeSource()
    source.answers["#bridge"] = [Batch(events=(Published(post(1)), Published(post(2, unlisted=True))))]
    found = await latest("#bridge", ["fake"], {"fake": source}, count=3)
    assert [card.post.uri for card in found.cards] == [post(1).uri]


async def test_what_cannot_be_read_is_told_beside_what_can() -> None:
    sources = {
        "busy": FakeSource("busy", answers={"#bridge": [TryLater("busy")]}),
        "gone": FakeSource("gone", answers={"#bridge": [Gone("no such page")]}),
        "silent": Hanging("silent"),
        "well": FakeSource("well", answers={"#bridge": [Batch(events=(Published(post(1)),))]}),
    }
    found = await latest("#bridge", sources, sources, count=3, within=SOON)
    assert len(found.cards) == 1
    assert found.unread == {
        "busy #bridge": "busy",
        "gone #bridge": "no such page",
        "silent": "no answer within 0.05 s",
    }


async def test_a_topic_that_nobody_knows_has_every_reason() -> None:
    sources = {"a": Scripted("a", Refused("no tag")), "b": Scripted("b", Refused("no address"))}
    assert (await latest("?", sources, sources, count=3)).refused == {"a": "no tag", "b": "no address"}


# --- what may be several things ---

ACCOUNT = Resolved(feeds=("account",), title="@illa@ayllu.example", account=True)
PAGE = Resolved(feeds=("https://ayllu.example/@illa.rss",), title="https://ayllu.example/@illa")


def test_a_topic_is_clear_where_one_source_knows_it_or_it_is_a_hashtag() -> None:
    assert meanings("x", {"a": ACCOUNT, "b": Refused("no"), "c": TryLater("busy")}) == {}
    assert meanings("#bridge", {"a": FOUND, "b": FOUND}) == {}
    assert meanings("#bridge #rope", {"a": PAGE, "b": PAGE}) == {}, "several hashtags are no one tag"
    assert meanings("x", {"a": ACCOUNT, "b": PAGE}) == {"a": ACCOUNT, "b": PAGE}


def test_an_account_is_likelier_than_a_page_with_a_feed() -> None:
    late = TryLater("busy")
    told = Refused("it is read as @illa@ayllu.example (b)")
    assert likeliest("x", {"a": PAGE, "b": ACCOUNT, "c": late}) == {"a": told, "b": ACCOUNT, "c": late}
    same: list[Answers] = [{"a": PAGE, "b": PAGE}, {"a": ACCOUNT, "b": ACCOUNT}, {"a": PAGE, "b": late}]
    for alike in same:
        assert likeliest("x", alike) == alike


async def test_the_latest_are_of_the_likeliest_meaning_unless_the_networks_were_named() -> None:
    sources = {"page": Scripted("page", PAGE), "account": Scripted("account", ACCOUNT)}
    sources["page"].answers[PAGE.feeds[0]] = [Batch(events=(Published(post(1)),)) for _ in range(2)]
    sources["account"].answers["account"] = [Batch(events=(Published(post(2)),)) for _ in range(2)]
    found = await latest("x", sources, sources, count=3)
    assert [card.post.uri for card in found.cards] == [post(2).uri]
    found = await latest("x", ["page"], sources, count=3)
    assert [card.post.uri for card in found.cards] == [post(1).uri]


async def test_the_latest_are_those_that_a_subscription_wants() -> None:
    source = FakeSource()
    posts = [post(n, language="es" if n % 2 else "en", tags=("rope",) if n > 2 else ()) for n in range(6)]
    source.answers["#bridge"] = [Batch(events=tuple(map(Published, posts)))]
    wanted = Filters(language=("es",), words=("rope",), per_hour=1)
    found = await latest("#bridge", ["fake"], {"fake": source}, count=9, wanted=wanted, now=NOON)
    assert [card.post.uri for card in found.cards] == [post(n).uri for n in (3, 5)]
    assert found.left_out == {"language": 3, "words": 1}
