"""The configured subscriptions become feeds, whatever the sources answer first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from relay.model import Destination
from relay.ports import Refused, Resolved, Store, TryLater, Wanted
from relay.store import open_store
from relay.subscriptions import Subscriptions, refusal, resolve
from relay.testing import FakeSource
from tests.test_outbox import tenure

CONSOLE = Destination("console")


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite://")
    yield opened
    await opened.close()


class Scripted(FakeSource):
    """Answers what a topic means from a list."""

    def __init__(self, name: str, *answers: Resolved | Refused | TryLater) -> None:
        super().__init__(name=name)
        self.replies = list(answers)

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


async def link(store: Store, *sources: Scripted, networks: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    async def changed() -> None:
        """Nobody listens."""

    subscriptions = Subscriptions(
        store=store, sources={source.name: source for source in sources}, tenure=tenure(), origin="t", changed=changed
    )
    await subscriptions.run([Wanted(topic="#bridge", destination=CONSOLE, networks=networks)])
    return sorted((state.feed.source, state.feed.address) for state in await store.list_feeds())


FOUND = Resolved(feeds=("f1", "f2"), tag="bridge")


async def test_each_network_that_knows_the_topic_is_read(store: Store) -> None:
    assert await link(store, Scripted("a", FOUND), Scripted("b", Refused("no hashtags"))) == [("a", "f1"), ("a", "f2")]


async def test_only_the_named_networks_are_asked(store: Store) -> None:
    assert await link(store, Scripted("a", FOUND), Scripted("b", FOUND), networks=("b",)) == [("b", "f1"), ("b", "f2")]


async def test_a_source_that_does_not_answer_is_asked_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the others said is linked meanwhile."""
    monkeypatch.setattr("relay.subscriptions.backoff", lambda *_args, **_more: timedelta(0))  # ours, and only its pace
    down = Scripted("a", TryLater("down"), TryLater("down"), FOUND)
    assert await link(store, down, Scripted("b", FOUND)) == [("a", "f1"), ("a", "f2"), ("b", "f1"), ("b", "f2")]


async def test_a_topic_that_means_nothing_to_anybody_is_told_with_every_reason() -> None:
    sources = {"a": Scripted("a", Refused("no tag")), "b": Scripted("b", Refused("no address"))}
    assert refusal("?", await resolve("?", sources, sources)) == "'?' means nothing to a, b (a: no tag; b: no address)"
    assert refusal("?", {"a": FOUND, "b": Refused("no")}) == ""
    assert refusal("?", {"a": TryLater("down"), "b": Refused("no")}) == ""


async def test_a_topic_that_many_want_is_asked_for_once(store: Store) -> None:
    asked: list[str] = []

    class Counting(FakeSource):
        async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
            asked.append(topic)
            return FOUND

    async def changed() -> None:
        """Nobody listens."""

    subscriptions = Subscriptions(
        store=store, sources={"a": Counting(name="a")}, tenure=tenure(), origin="t", changed=changed
    )
    rooms = [Destination("console", name) for name in "xyz"]
    await subscriptions.run([Wanted(topic="#bridge", destination=room) for room in rooms])
    assert asked == ["#bridge"]
    assert {str(one.destination) for one in await store.list_subscriptions()} == set(map(str, rooms))


async def test_subscriptions_that_vanish_from_the_configuration_are_forgotten(store: Store) -> None:
    assert await link(store, Scripted("a", FOUND))
    await store.save_subscriptions("t", [])
    assert await store.list_subscriptions() == []
    assert await store.list_feeds() == []
