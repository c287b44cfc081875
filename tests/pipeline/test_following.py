"""A thread is followed to its end: what is there has its message, what comes after counts, and then it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from relay.core.match import Index
from relay.model import Action, Feed, FeedId, PostUri, Published
from relay.options import DeliveryOptions, Follow, Mode
from relay.pipeline.ingest import intake_of
from relay.pipeline.thread_feeds import poll, resolve
from relay.ports import Batch, Gone, Refused, Resolved, TryLater
from relay.records import Wanted
from relay.store import Store, open_store
from relay.testing import NOON, FakeSource, post
from tests.support.digest_cases import carry
from tests.support.store_cases import ROOM, at, lease, link

LOOKS = (timedelta(minutes=10), timedelta(hours=1))
CHAIN = tuple(post(number, reply_to=post(number - 1).uri if number > 1 else "") for number in range(1, 7))
ADDRESS = f"thread:{CHAIN[0].uri}"


class Picky(FakeSource):
    """A source that follows no thread by itself."""

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        return Refused("only hashtags") if "://" in topic else await super().resolve(topic)


def telling(length: int) -> Picky:
    return Picky(threads={name: CHAIN[:length] for one in CHAIN for name in (one.uri, one.url)})


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite://")
    yield opened
    await opened.close()


# --- what is meant ---


async def test_the_address_of_any_of_its_posts_means_the_thread() -> None:
    answer = await resolve(telling(3), f" {CHAIN[1].url} ")
    assert answer == Resolved(feeds=(ADDRESS,), title="Illa: Post number 1.")


@pytest.mark.parametrize("topic", ["#bridge", "nonsense", "https://ayllu.example/elsewhere"])
async def test_what_is_no_thread_is_the_source_s(topic: str) -> None:
    source = telling(3)
    assert await resolve(source, topic) == await source.resolve(topic)


async def test_a_source_that_does_not_answer_is_asked_later() -> None:
    source = Picky(trouble=TryLater("busy"))
    assert await resolve(source, CHAIN[0].url) == TryLater("busy")


# --- to its end ---


class Reader:
    """Reads the feed as ingest does, by a clock of its own."""

    def __init__(self, store: Store) -> None:
        self.store, self.minute = store, 0.0
        self.told: list[tuple[Action, PostUri, int]] = []

    async def subscribe(self, delivery_options: DeliveryOptions) -> None:
        await self.store.save_subscriptions(
            "a", [Wanted(topic=CHAIN[0].url, destination=ROOM, delivery_options=delivery_options)]
        )
        [one] = await self.store.list_subscriptions()
        await link(self.store, one.id, {"fake": Resolved(feeds=(ADDRESS,))}, NOON)

    async def read(self, source: FakeSource) -> Batch | TryLater | Gone:
        [feed] = await self.store.claim_feeds(("fake",), lease(now=self.minute), 1)
        answer = await poll(source, feed, at(self.minute), LOOKS)
        subscribed = Index(await self.store.list_subscriptions())
        await self.store.add_intakes(
            [intake_of(feed, source, answer, subscribed, at(self.minute), 0)], lease(now=self.minute)
        )
        for one in await carry(self.store, self.minute):
            count = one.card.thread.count if one.card and one.card.thread else 1
            self.told.append((one.action, one.uri, count))
        return answer

    async def due(self) -> bool:
        """Turn the clock to the next poll, if there is one."""
        then = await self.store.get_next_poll(("fake",))
        if then is not None:
            self.minute = max(self.minute, (then - NOON).total_seconds() / 60)
        return then is not None


async def test_what_is_there_is_one_message_and_what_comes_after_counts(store: Store) -> None:
    reader = Reader(store)
    await reader.subscribe(DeliveryOptions())
    for length in (2, 2, 2, 4, 4, 4):
        assert await reader.due()
        await reader.read(telling(length))
    first = CHAIN[0].uri
    assert reader.told == [(Action.SEND, first, 2), (Action.COUNT, first, 4)]


async def test_it_ends_when_it_has_not_grown_for_long(store: Store) -> None:
    reader = Reader(store)
    await reader.subscribe(DeliveryOptions())
    answers = []
    while await reader.due():
        answers.append(await reader.read(telling(2)))
    assert answers[-1] == Gone("the thread has come to its end")
    assert reader.minute == pytest.approx(60, abs=1)
    [state] = await store.list_feeds()
    assert state.stopped == "the thread has come to its end"


@pytest.mark.parametrize(
    ("delivery_options", "sent"),
    [(DeliveryOptions(follow=Follow.REPLIES), [1, 3, 4]), (DeliveryOptions(mode=Mode.POSTS), [1, 3, 4])],
)
async def test_later_posts_come_where_they_are_wanted(
    store: Store, delivery_options: DeliveryOptions, sent: list[int]
) -> None:
    reader = Reader(store)
    await reader.subscribe(delivery_options)
    for length in (2, 2, 4):
        await reader.due()
        await reader.read(telling(length))
    assert [uri for action, uri, _ in reader.told if action is Action.SEND] == [CHAIN[n - 1].uri for n in sent]


async def test_a_post_that_comes_as_another_is_deleted_is_not_missed(store: Store) -> None:
    reader = Reader(store)
    await reader.subscribe(DeliveryOptions(mode=Mode.POSTS))
    for length in (2, 2, 3):
        await reader.due()
        await reader.read(telling(length))
    beside = post(9, reply_to=CHAIN[1].uri, published=at(9))
    without = (CHAIN[0], CHAIN[1], beside)
    await reader.due()
    await reader.read(Picky(threads={CHAIN[0].uri: without}))
    assert (Action.SEND, beside.uri) in [(action, uri) for action, uri, _ in reader.told]


async def test_a_cursor_that_only_knows_how_many_there_were_goes_on() -> None:
    old = f'{{"grew":{NOON.timestamp()},"length":2,"shown":true}}'
    feed = Feed(id=FeedId(1), source="fake", address=ADDRESS, cursor=old, seeded=True)
    answer = await poll(telling(3), feed, NOON, LOOKS)
    assert isinstance(answer, Batch)
    assert [event.post.uri for event in answer.events if isinstance(event, Published)] == [CHAIN[2].uri]


async def test_a_thread_that_is_gone_stops() -> None:
    feed = Feed(id=FeedId(1), source="fake", address=ADDRESS, seeded=True)
    assert await poll(Picky(), feed, NOON, LOOKS) == Gone("no such post")
    assert await poll(Picky(trouble=TryLater("busy")), feed, NOON, LOOKS) == TryLater("busy")


async def test_other_feeds_are_the_source_s() -> None:
    feed = Feed(id=FeedId(1), source="fake", address="#bridge", seeded=True)
    source = Picky(answers={"#bridge": [Batch(note="hello")]})
    assert await poll(source, feed, NOON, LOOKS) == Batch(note="hello")
