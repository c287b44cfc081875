"""The configured subscriptions become feeds, whatever the sources answer first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from relay.model import Destination, SubscriptionId
from relay.pipeline.subscriptions import Subscriptions
from relay.ports import Refused, Resolved, TryLater
from relay.records import ActingUser, Added, Quota, Wanted
from relay.store import Store, open_store
from relay.testing import NOON, FakeSource
from tests.support.outbox_cases import worker
from tests.support.subscriptions_cases import FOUND, Scripted

CONSOLE = Destination("console")


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite://")
    yield opened
    await opened.close()


async def link(
    store: Store, *sources: Scripted, networks: tuple[str, ...] = (), topic: str = "#bridge"
) -> list[tuple[str, str]]:
    async def changed() -> None:
        """Nobody listens."""

    subscriptions = Subscriptions(
        store=store, sources={source.name: source for source in sources}, worker=worker(), origin="t", changed=changed
    )
    await subscriptions.run([Wanted(topic=topic, destination=CONSOLE, networks=networks)])
    return sorted((state.feed.source, state.feed.address) for state in await store.list_feeds())


async def test_each_network_that_knows_the_topic_is_read(store: Store) -> None:
    assert await link(store, Scripted("a", FOUND), Scripted("b", Refused("no hashtags"))) == [("a", "f1"), ("a", "f2")]


async def test_only_the_named_networks_are_asked(store: Store) -> None:
    assert await link(store, Scripted("a", FOUND), Scripted("b", FOUND), networks=("b",)) == [("b", "f1"), ("b", "f2")]


async def test_a_source_that_does_not_answer_is_asked_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the others said is linked meanwhile."""
    monkeypatch.setattr("relay.pipeline.subscriptions.backoff", lambda *_args, **_more: timedelta(0))  # ours: its pace
    down = Scripted("a", TryLater("down"), TryLater("down"), FOUND)
    assert await link(store, down, Scripted("b", FOUND)) == [("a", "f1"), ("a", "f2"), ("b", "f1"), ("b", "f2")]


async def test_a_topic_that_many_want_is_asked_for_once(store: Store) -> None:
    asked: list[str] = []

    class Counting(FakeSource):
        async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
            asked.append(topic)
            return FOUND

    async def changed() -> None:
        """Nobody listens."""

    subscriptions = Subscriptions(
        store=store, sources={"a": Counting(name="a")}, worker=worker(), origin="t", changed=changed
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


# --- what people ask for in the chats ---


async def nobody_listens() -> None:
    """Nothing reads the store beside us."""


def keeper(store: Store, *sources: FakeSource) -> Subscriptions:
    return Subscriptions(
        store=store,
        sources={source.name: source for source in sources},
        worker=worker(),
        origin="t",
        changed=nobody_listens,
    )


async def chat(store: Store, topic: str = "#bridge", networks: tuple[str, ...] = ()) -> SubscriptionId:
    wanted = Wanted(topic=topic, destination=CONSOLE, networks=networks)
    by = ActingUser(user="7", action="subscribe", now=NOON)
    added = await store.add_subscription(wanted, Quota(destination=9, community=9), by)
    assert isinstance(added, Added)
    return added.id


async def feeds(store: Store) -> list[tuple[str, str]]:
    return sorted((state.feed.source, state.feed.address) for state in await store.list_feeds())


async def test_a_start_links_what_the_chats_asked_for_and_leaves_it_theirs(store: Store) -> None:
    await chat(store)
    await chat(store, "#harvest", networks=("b",))
    await keeper(store, Scripted("a", FOUND), Scripted("b", Resolved(feeds=("f3",)))).run([])
    assert await feeds(store) == [("a", "f1"), ("a", "f2"), ("b", "f3")]
    assert {one.origin for one in await store.list_subscriptions()} == {"chat"}


async def test_who_is_deleted_while_a_source_is_silent_is_asked_for_no_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.pipeline.subscriptions.backoff", lambda *_args, **_more: timedelta(0))  # ours: its pace
    number = await chat(store)
    asked = asyncio.Event()

    class Silent(FakeSource):
        async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
            asked.set()
            return TryLater("down")

    linking = asyncio.create_task(keeper(store, Silent("a")).run([]))
    async with asyncio.timeout(30):
        await asked.wait()
        await store.delete_subscription(number, ActingUser(user="7", action="unsubscribe", now=NOON))
        await linking


async def test_a_network_that_is_configured_no_more_keeps_nothing_waiting(store: Store) -> None:
    await chat(store, networks=("gone",))
    async with asyncio.timeout(30):
        await keeper(store, Scripted("a", FOUND)).run([])
    assert await feeds(store) == []


# --- what may be several things ---

PROFILE = "https://ayllu.example/@illa"
ACCOUNT = Resolved(feeds=("account",), title="@illa@ayllu.example", account=True)
PAGE = Resolved(feeds=("page",), title=PROFILE)


async def test_an_account_is_read_rather_than_its_page_and_that_is_told(store: Store) -> None:
    with capture_logs() as logs:
        assert await link(store, Scripted("a", PAGE), Scripted("b", ACCOUNT), topic=PROFILE) == [("b", "account")]
    (told,) = logs
    assert (told["log_level"], told["a"]) == ("warning", "it is read as @illa@ayllu.example (b)")


async def test_who_names_the_networks_gets_all_of_them(store: Store) -> None:
    found = await link(store, Scripted("a", PAGE), Scripted("b", ACCOUNT), networks=("a", "b"), topic=PROFILE)
    assert found == [("a", "page"), ("b", "account")]


@pytest.mark.parametrize("late", ["a", "b"])
async def test_an_account_is_read_rather_than_its_page_whoever_answers_first(
    store: Store, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    monkeypatch.setattr("relay.pipeline.subscriptions.backoff", lambda *_args, **_more: timedelta(0))  # ours: its pace
    waits = {late: [TryLater("down")]}
    sources = (Scripted("a", *waits.get("a", ()), PAGE), Scripted("b", *waits.get("b", ()), ACCOUNT))
    assert await link(store, *sources, topic=PROFILE) == [("b", "account")]


async def test_all_mirrors_of_a_feed_are_asked_for_as_one_topic(store: Store) -> None:
    asked: list[str] = []

    class Counting(FakeSource):
        async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
            asked.append(topic)
            return PAGE

    wanted = Wanted(topic="https://a.example/x https://b.example/x", destination=CONSOLE)
    await keeper(store, Counting("a")).run([wanted])
    assert asked == ["https://a.example/x https://b.example/x"]
    assert [one.topic for one in await store.list_subscriptions()] == asked
