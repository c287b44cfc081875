"""What a topic means, and what the sources say on it now."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from relay.model import Feed, Published
from relay.ports import Batch, Gone, Refused, Resolved, TryLater
from relay.testing import FakeSource, post
from relay.topics import latest, refusal, resolve
from tests.test_subscriptions import FOUND, Scripted

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
