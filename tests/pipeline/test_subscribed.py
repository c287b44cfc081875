"""What the match knows of subscriptions is what the store has, and a change costs a change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence, Set
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.match import Groups, Index, Key, Tag
from relay.model import Destination, FeedId, Subscription, SubscriptionId
from relay.options import NO_FILTERS, Filters
from relay.pipeline import ingest
from relay.pipeline.ingest import Subscribed
from relay.pipeline.subscriptions import Subscriptions
from relay.ports import Resolved
from relay.records import ActingUser, Added, Changes, Linking, Quota, StoreError, Wanted
from relay.store import Store, deliveries, open_store, versions
from relay.testing import NOON, FakeSource
from tests.support.outbox_cases import worker
from tests.support.thorough import examples

QUOTA = Quota(destination=99, community=99)
BY = ActingUser(user="7", action="subscribe", now=NOON)


class Counted:
    """A store that counts the subscriptions that are read from it, and fails when it is told to."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.rows = self.pages = self.links = 0
        self.failing = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def list_subscriptions_page(self, after: SubscriptionId, limit: int) -> Sequence[Subscription]:
        page = await self._store.list_subscriptions_page(after, limit)
        self.pages += 1
        self.rows += len(page)
        if self.failing == self.pages:
            raise StoreError("a full disk")
        return page

    async def list_changes(self, since: int, limit: int) -> Changes | None:
        changes = await self._store.list_changes(since, limit)
        self.rows += len(changes.subscriptions) if changes else 0
        return changes

    async def save_links(self, links: Sequence[Linking], mark: str, now: Any) -> None:
        self.links += len(links)
        await self._store.save_links(links, mark, now)


@pytest.fixture
async def store() -> AsyncIterator[Counted]:
    opened = await open_store("sqlite://")
    yield Counted(opened)
    await opened.close()


class Knowing:
    """A process that knows the subscriptions, and what it was told of changes."""

    def __init__(self, store: Counted) -> None:
        self.told: list[tuple[set[FeedId], set[Tag]]] = []
        self.all = Subscribed(store=cast(Store, store), worker=worker(), changed=self._changed)

    def _changed(self, feeds: Set[FeedId], tags: Set[Tag]) -> None:
        self.told.append((set(feeds), set(tags)))

    def topics(self) -> list[str]:
        tags = self.all.index.by_tag["fake"]
        return sorted(one.topic for tag in tags for one in tags.plain(tag).values())


async def added(store: Any, number: int) -> SubscriptionId:
    """Subscribed to in a chat, and linked."""
    wanted = Wanted(topic=f"#t{number}", destination=Destination("fake", str(number)))
    one = await store.add_subscription(wanted, QUOTA, BY)
    assert isinstance(one, Added)
    found = {"fake": Resolved(feeds=(f"t{number}",), tag=f"t{number}")}
    await store.save_links([Linking((one.id,), found, complete=True)], "1", NOON)
    return one.id


async def test_a_subscribe_reads_one_subscription_however_many_there_are(store: Counted) -> None:
    for number in range(30):
        await added(store, number)
    knowing = Knowing(store)
    await knowing.all.refresh()
    assert (store.rows, len(knowing.all.index)) == (30, 30)
    store.rows = store.pages = 0
    await knowing.all.refresh()
    assert store.rows == 0
    await added(store, 30)
    await knowing.all.refresh()
    assert (store.rows, store.pages, len(knowing.all.index)) == (1, 0, 31)


async def test_what_another_process_adds_changes_and_deletes_is_known_and_told(store: Counted) -> None:
    first, second = await added(store, 1), await added(store, 2)
    knowing = Knowing(store)
    await knowing.all.refresh()
    assert knowing.topics() == ["#t1", "#t2"]
    [one, other] = await store.list_subscriptions()
    await store.delete_subscription(first, BY)
    await store.save_subscription(replace(other, paused="for now"), BY)
    await added(store, 3)
    knowing.told.clear()
    await knowing.all.refresh()
    assert knowing.topics() == ["#t3"]
    [(feeds, tags)] = knowing.told
    assert tags == {("fake", f"t{number}") for number in (1, 2, 3)}
    assert feeds >= {*one.feeds, *other.feeds}
    await store.save_subscription(other, BY)
    await knowing.all.refresh()
    assert knowing.topics() == ["#t2", "#t3"]
    assert second in knowing.all.index.ids()


async def test_what_changes_is_told_page_by_page_when_all_are_read(
    store: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever acts on it has turns in between, however many there are."""
    monkeypatch.setattr(ingest, "PAGE", 2)
    monkeypatch.setattr(versions, "KEPT", 3)
    numbers = [await added(store, number) for number in range(6)]
    knowing = Knowing(store)
    await knowing.all.refresh()
    assert [tags for _, tags in knowing.told] == [{("fake", f"t{one}"), ("fake", f"t{one + 1}")} for one in (0, 2, 4)]
    knowing.told.clear()
    for gone in numbers[:4]:
        await store.delete_subscription(gone, BY)
    await knowing.all.refresh()
    told = [tags for _, tags in knowing.told if tags]
    assert told == [{("fake", f"t{one}"), ("fake", f"t{one + 1}")} for one in (0, 2)]  # of the others all is as it was


async def test_who_missed_too_much_reads_all_anew(store: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "KEPT", 3)
    monkeypatch.setattr(ingest, "PAGE", 2)
    numbers = [await added(store, number) for number in range(3)]
    knowing = Knowing(store)
    await knowing.all.refresh()
    index = knowing.all.index
    for gone in numbers[:2]:
        await store.delete_subscription(gone, BY)
    for number in range(3, 6):
        await added(store, number)
    await knowing.all.refresh()
    assert knowing.topics() == ["#t2", "#t3", "#t4", "#t5"]
    assert knowing.all.index is index  # whoever matches has the same one


async def test_a_reading_that_breaks_off_goes_on_where_it_was(store: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "PAGE", 2)
    for number in range(6):
        await added(store, number)
    store.failing = 3
    knowing = Knowing(store)
    with pytest.raises(StoreError):
        await knowing.all.refresh()
    await store.delete_subscription(knowing.all.index.ids()[0], BY)  # of what was read already
    await knowing.all.refresh()
    assert knowing.topics() == [f"#t{number}" for number in range(1, 6)]
    assert store.pages == 5  # the third was read twice, and one was empty


async def test_changes_of_others_are_looked_for_without_being_asked(
    store: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the store tells nobody, as SQLite does."""
    told = asyncio.Event()

    async def told_by_us(_within: object) -> None:
        await told.wait()
        told.clear()

    monkeypatch.setattr(store, "wait_for_changes", told_by_us, raising=False)
    knowing = Knowing(store)
    await knowing.all.refresh()
    looking = asyncio.create_task(knowing.all.run())
    await added(store, 1)
    told.set()
    async with asyncio.timeout(30):
        while not knowing.topics():
            await asyncio.sleep(0)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


# --- whatever is done, in whatever order ---

LANGUAGES = (NO_FILTERS, Filters(language=("es",)))
PLACES = tuple(Destination("fake", name) for name in "ab")
_DEEDS = ("subscribe", "subscribe", "configure", "change", "pause", "delete", "link", "link", "move")
_STEP = st.tuples(st.sampled_from(_DEEDS), st.integers(0, 7), st.integers(0, 7), st.booleans())


async def _do(store: Store, action: str, one: int, other: int) -> None:
    """What any process may do; ``one`` and ``other`` choose what it is about."""
    there = await store.list_subscriptions()
    some = there[one % len(there)] if there else None
    match action, some:
        case "subscribe", _:
            wanted = Wanted(topic=f"#t{one % 3}", destination=PLACES[other % 2], filters=LANGUAGES[one % 2])
            await store.add_subscription(wanted, QUOTA, BY)
        case "configure", _:
            file = [Wanted(topic=f"#t{number}", destination=PLACES[other % 2]) for number in range(one % 4)]
            await store.save_subscriptions("file", file)
        case "change", Subscription():
            await store.save_subscription(replace(some, filters=LANGUAGES[other % 2]), BY)
        case "pause", Subscription():
            await store.save_subscription(replace(some, paused="for now" if other % 2 else ""), BY)
        case "delete", Subscription():
            await store.delete_subscription(some.id, BY)
        case "link", Subscription():
            found = Resolved(feeds=(some.topic, "shared")[other % 2 :], tag=some.topic[1:] if other % 3 else "")
            await store.save_links([Linking((some.id,), {"fake": found}, complete=True)], "1", NOON)
        case "move", _:
            for place in PLACES:
                await store.save_destination(place, "", NOON)
            await store._db.write(deliveries.move, str(PLACES[one % 2]), PLACES[1 - one % 2], NOON)


def _groups(groups: Groups[Key]) -> dict[Key, object]:
    return {key: (groups.plain(key), groups.choosy.get(key)) for key in groups}


async def _follows(store: Store, steps: Sequence[tuple[str, int, int, bool]]) -> None:
    await store.save_subscriptions("file", [])
    for left in await store.list_subscriptions():
        await store.delete_subscription(left.id, BY)
    knowing, before = Knowing(Counted(store)), Index()
    known = knowing.all.index
    for action, one, other, is_looked_at in [*steps, ("link", 0, 0, True)]:
        await _do(store, action, one, other)
        if not is_looked_at:
            continue
        knowing.told.clear()
        await knowing.all.refresh()
        now = Index(await store.list_subscriptions())
        assert known._there == now._there
        assert _groups(known.by_tag["fake"]) == _groups(now.by_tag["fake"])
        assert _groups(known.by_feed) == _groups(now.by_feed)
        tags = {("fake", tag) for tag in before.by_tag["fake"] ^ now.by_tag["fake"]}
        assert set().union(*(tags for _, tags in knowing.told)) >= tags
        assert set().union(*(feeds for feeds, _ in knowing.told)) >= before.by_feed ^ now.by_feed
        before = now


def test_what_is_known_and_told_is_what_the_store_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is missed between two looks, and whatever was done meanwhile."""
    monkeypatch.setattr(versions, "KEPT", 8)
    monkeypatch.setattr(ingest, "PAGE", 2)
    with asyncio.Runner() as runner:
        store = runner.run(open_store("sqlite://"))

        @settings(max_examples=examples(200), deadline=None)
        @given(st.lists(_STEP, min_size=5, max_size=40))
        def holds(steps: Sequence[tuple[str, int, int, bool]]) -> None:
            runner.run(_follows(store, steps))

        holds()
        runner.run(store.close())


# --- what is linked at a start ---


class Asked(FakeSource):
    def __init__(self) -> None:
        super().__init__()
        self.topics: list[str] = []

    async def resolve(self, topic: str) -> Any:
        self.topics.append(topic)
        return await super().resolve(topic)


async def nobody_listens() -> None:
    """Nothing reads the store beside us."""


async def started(store: Counted, mark: str, *wanted: Wanted) -> list[str]:
    """Which topics were asked for at a start."""
    source = Asked()
    keeper = Subscriptions(
        store=cast(Store, store),
        sources={"fake": source},
        worker=worker(),
        origin="t",
        changed=nobody_listens,
        mark=mark,
    )
    await keeper.run(wanted)
    return sorted(source.topics)


async def test_a_start_with_everything_linked_links_nothing(store: Counted) -> None:
    for number in range(5):
        await added(store, number)
    ours = Wanted(topic="#ours", destination=Destination("fake", "room"))
    assert await started(store, "1", ours) == ["#ours"]
    store.links = 0
    assert await started(store, "1", ours) == []
    assert store.links == 0


async def test_a_start_with_other_settings_links_all_anew(store: Counted) -> None:
    for number in range(3):
        await added(store, number)
    assert await started(store, "2") == ["#t0", "#t1", "#t2"]
    assert await started(store, "2") == []


async def test_what_nobody_knew_is_asked_for_at_the_next_start(store: Counted) -> None:
    unknown = Wanted(topic="what?", destination=Destination("fake", "room"))
    assert await started(store, "1", unknown) == ["what?"]
    assert await started(store, "1", unknown) == ["what?"]


async def test_many_topics_are_linked_in_few_transactions(store: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [Wanted(topic=f"#t{number % 40}", destination=Destination("fake", str(number))) for number in range(200)]
    batches: list[int] = []
    save = store.save_links

    async def counting(links: Sequence[Linking], mark: str, now: Any) -> None:
        batches.append(sum(len(link.subscriptions) for link in links))
        await save(links, mark, now)

    monkeypatch.setattr(store, "save_links", counting)
    assert len(await started(store, "1", *wanted)) == 40
    assert sum(batches) == 200
    assert len(batches) <= 3
