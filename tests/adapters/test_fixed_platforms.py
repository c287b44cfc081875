"""A platform, somebody else's perhaps, at which nothing that was sent can be edited or deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from relay.changes import change_card
from relay.i18n import words
from relay.model import (
    Action,
    Card,
    Deleted,
    Delivery,
    Destination,
    Digest,
    DigestReason,
    Edited,
    Post,
    Published,
    Subscription,
)
from relay.options import USUAL_DELIVERY, DeliveryOptions, Follow
from relay.pipeline.outbox import Outbox
from relay.ports import Adapter, Limits
from relay.records import Allowance, Claim, Intake, PlannedSend, Policy, Wanted
from relay.rich import Span
from relay.store import Store, open_store
from relay.testing import NOON, AdapterContract, FakeAdapter, delivery, post, text
from relay.text import plain
from tests.servers.mastodon import Draft, Mastodon
from tests.servers.sink import Sink, install_adapter
from tests.support.digest_cases import carry
from tests.support.outbox_cases import running, until
from tests.support.processes import RelayProcess, seeded
from tests.support.relay_runs import ILLA, database
from tests.support.store_cases import ROOM, at, lease, under, uri


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite://")
    yield opened
    await opened.close()


FIXED = Limits(edits=False, deletions=False)
HERE = Allowance(unedited=frozenset({"fake"}), undeleted=frozenset({"fake"}))
CHAIN = tuple(post(number, reply_to=uri(number - 1) if number > 1 else "") for number in range(1, 5))


class TestFixed(AdapterContract):
    def make(self) -> Adapter:
        return FakeAdapter(limits=FIXED)


async def subscribe(
    store: Store, delivery_options: DeliveryOptions = USUAL_DELIVERY, to: Destination = ROOM
) -> Subscription:
    await store.save_subscriptions("a", [Wanted(topic="#bridge", destination=to, delivery_options=delivery_options)])
    [made] = await store.list_subscriptions(to)
    return made


async def tell(
    store: Store,
    *events: Published | Edited | Deleted,
    to: Subscription | None = None,
    allowance: Allowance = HERE,
    minute: float = 0,
) -> None:
    posts = [event.post for event in events if isinstance(event, Published)]
    planned_sends = tuple(PlannedSend(uri=one.uri, by={str(to.destination): to}) for one in posts if to)
    intake = Intake(feed=None, events=events, planned_sends=planned_sends)
    await under(store, Policy(allowance=allowance)).add_intakes([intake], lease(now=minute))


def published(*posts: Post) -> tuple[Published, ...]:
    return tuple(map(Published, posts))


def better(number: int, version: int = 1) -> Edited:
    return Edited(post(number, body=text(f"better {version}"), edited=NOON + timedelta(minutes=version)))


# --- what is ordered ---


@pytest.mark.parametrize(
    ("follow", "allowance", "expected"),
    [
        (None, HERE, [(Action.SEND, number) for number in (1, 2, 3, 4)]),
        (Follow.REPLIES, HERE, [(Action.SEND, number) for number in (1, 2, 3, 4)]),
        (Follow.COUNT, HERE, [(Action.SEND, 1)]),
        (None, Allowance(), [(Action.SEND, 1), (Action.COUNT, 1)]),
        (Follow.COUNT, Allowance(), [(Action.SEND, 1), (Action.COUNT, 1)]),
    ],
)
async def test_a_thread_goes_on_below_its_first_post_unless_it_is_only_to_be_counted(
    store: Store, follow: Follow | None, allowance: Allowance, expected: list[tuple[Action, int]]
) -> None:
    here = await subscribe(store, DeliveryOptions(follow=follow))
    await tell(store, *published(CHAIN[0]), to=here, allowance=allowance)
    first = await carry(store)
    await tell(store, *published(*CHAIN[1:3]), to=here, allowance=allowance)
    await tell(store, *published(CHAIN[3]), allowance=allowance)
    rest = await carry(store)
    assert [(one.action, int(one.uri.rpartition("/")[2])) for one in (*first, *rest)] == expected
    assert all(one.under == (f"message of {uri(1)}",) for one in rest if one.action is Action.SEND)


async def test_of_many_edits_of_a_post_one_a_day_is_told(store: Store) -> None:
    here = await subscribe(store)
    await tell(store, *published(post(1)), to=here)
    await carry(store)
    for version, minute in ((1, 1), (2, 2), (3, 60), (4, 1439), (5, 1442)):
        await tell(store, better(1, version), minute=minute)
        told = [one.action for one in await carry(store, minute)]
        assert told == ([Action.EDIT] if version in {1, 5} else []), version


@pytest.mark.parametrize("change", [better, lambda number: Deleted(uri(number))])
async def test_changes_count_as_messages_so_that_a_flood_of_them_is_none(store: Store, change: object) -> None:
    here = await subscribe(store)
    tight = Allowance(budget=30, burst=3, unedited=HERE.unedited, undeleted=HERE.undeleted)
    await tell(store, *published(*(post(number) for number in range(1, 9))), to=here)
    await carry(store)
    await tell(store, *(change(number) for number in range(1, 9)), allowance=tight)  # type: ignore[operator]  # a function
    assert len(await carry(store)) == 3


async def test_a_message_that_could_not_grow_is_sent_when_it_is_whole(store: Store) -> None:
    here = await subscribe(store)
    tight = Allowance(budget=30, burst=2, unedited=HERE.unedited)
    await tell(store, *published(*(post(number) for number in range(1, 5))), to=here, allowance=tight)
    assert [one.digest for one in await carry(store)] == [None, None]
    await tell(store, *published(*(post(number) for number in range(5, 8))), to=here, allowance=tight, minute=1)
    assert await carry(store, 1) == []
    assert await store.save_due_digests(at(59)) == at(60)
    await tell(store, *published(post(8)), to=here, allowance=tight, minute=61)
    await store.save_due_digests(at(61))
    [whole] = [one for one in await carry(store, 61) if one.digest]
    assert whole.digest
    assert whole.digest.count >= 5


# --- what is said ---


CHANGED = delivery(action=Action.EDIT, card=Card(post=post(1, body=text("A secret.")), reason="#bridge"))
GONE = delivery(action=Action.DELETE, url="https://ayllu.example/@illa/1")


@pytest.mark.parametrize(
    ("what", "limits", "begins"),
    [
        (CHANGED, FIXED, "This post was edited"),
        (GONE, FIXED, "The author deleted a post that was shared here"),
        (CHANGED, Limits(deletions=False), None),
        (GONE, Limits(edits=False), None),
        (delivery(action=Action.DELETE), FIXED, None),
        (delivery(action=Action.COUNT), FIXED, None),
        (delivery(), FIXED, None),
        (delivery(action=Action.EDIT, messages=()), FIXED, None),
        (
            delivery(
                action=Action.EDIT,
                digest=Digest(slug="x", reason=DigestReason.BUDGET, topic="#bridge", count=2, since=NOON),
            ),
            Limits(deletions=False),
            None,
        ),
    ],
)
def test_only_what_cannot_be_done_is_told_and_without_the_words(
    what: Delivery, limits: Limits, begins: str | None
) -> None:
    card = change_card(what, limits, name="Chasqui", say=words("en"), now=NOON)
    if begins is None:
        assert card is None
        return
    assert card
    assert plain(card.post.body).startswith(begins)
    assert "secret" not in plain(card.post.body)
    assert Span(post(1).url, post(1).url) in card.post.body[0].spans
    assert card.post.author.name == "Chasqui"


def test_of_several_posts_it_is_told_that_they_changed_and_where() -> None:
    digest = Digest(slug="x", reason=DigestReason.BUDGET, topic="#bridge", count=2, since=NOON)
    what = replace(CHANGED, card=None, digest=digest)
    page = "https://relay.example/fold/x"
    card = change_card(what, FIXED, name="Chasqui", say=words("en"), now=NOON, page=page)
    assert card
    assert plain(card.post.body).endswith(page)


async def test_a_post_that_is_taken_out_of_a_message_of_several_is_told(store: Store) -> None:
    adapter = FakeAdapter(limits=FIXED)
    here = await subscribe(store)
    tight = Allowance(budget=30, burst=1, unedited=HERE.unedited, undeleted=HERE.undeleted)
    await tell(store, *published(*(post(number) for number in range(1, 4))), to=here, allowance=tight)
    await store.save_due_digests(at(61))
    async with running(store, adapter):
        await until(store, sent=2)
        await tell(store, Deleted(uri(3)), minute=1)
        await until(store, sent=3)
    whole, told = adapter.delivered[-2:]
    assert whole.digest
    assert (told.action, told.digest, told.under) == (Action.SEND, None, ("fake-2",))


def test_it_is_told_in_the_relay_s_language() -> None:
    said = {
        plain(card.post.body)
        for what in (CHANGED, GONE)
        for language in ("en", "es")
        if (card := change_card(what, FIXED, name="Chasqui", say=words(language), now=NOON))
    }
    assert len(said) == 4


# --- what arrives ---


async def outbox_of(store: Store, adapter: FakeAdapter, *changes: Edited | Deleted) -> Outbox:
    here = await subscribe(store)
    await tell(store, *published(post(1)), to=here)
    async with running(store, adapter) as outbox:
        await until(store, sent=1)
        for number, change in enumerate(changes, 2):
            await tell(store, change)
            await until(store, sent=number)
    return outbox


async def test_an_edit_and_a_deletion_are_a_message_each_below_the_first(store: Store) -> None:
    adapter = FakeAdapter(limits=FIXED)
    await outbox_of(store, adapter, better(1), Deleted(uri(1)))
    first, edited, deleted = adapter.delivered
    assert [one.action for one in adapter.delivered] == [Action.SEND] * 3
    assert edited.under[0] == deleted.under[0] == "fake-1"
    assert len({first.id, edited.id, deleted.id}) == 3


async def test_where_messages_can_be_deleted_the_word_on_an_edit_goes_with_the_post(store: Store) -> None:
    adapter = FakeAdapter(limits=Limits(edits=False))
    await outbox_of(store, adapter, better(1), Deleted(uri(1)))
    deleted = adapter.delivered[-1]
    assert (deleted.action, deleted.messages) == (Action.DELETE, ("fake-1", "fake-2"))


async def test_an_interrupted_word_on_an_edit_follows_the_policy_for_messages(store: Store) -> None:
    adapter = FakeAdapter(limits=Limits(edits=False, on_unknown="skip"))
    here = await subscribe(store)
    await tell(store, *published(post(1)), to=here)
    await carry(store)
    await tell(store, better(1))
    await store.claim_deliveries(Claim(adapters=("fake",), limit=1), lease("dead", minutes=0))
    async with running(store, adapter):
        await until(store, sent=1, skipped=1)
    assert adapter.delivered == []


CONFIG = """\
[store]
url = "{store}"
[web]
port = 0
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
[sources.mastodon]
instances = ["{instance}"]
interval = "100ms"
sweep = "200ms"
[adapters.fixed]
url = "{sink}"
[[subscriptions]]
topic = "#bridge"
to = ["fixed:room"]
"""


@pytest.mark.siege
@pytest.mark.timeout(60)
async def test_a_running_relay_brings_all_of_a_thread_and_tells_what_changed(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    install_adapter(plugins)
    async with Sink() as sink, Mastodon([ILLA]) as stage:
        config = tmp_path / "relay.toml"
        config.write_text(CONFIG.format(store=database(tmp_path), instance=stage.url, sink=sink.url))
        async with RelayProcess(config, pythonpath=plugins) as relay:
            await seeded(database(tmp_path), 1)
            stage.post(Draft(author="illa", text="We twist grass. #bridge", name="one"))
            await sink.wait_for_words("twist grass")
            stage.post(Draft(author="illa", text="Then we braid it. #bridge", name="two", reply_to="one"))
            await sink.wait_for_words("braid it")
            stage.edit("one", "We twist dry grass. #bridge")
            await sink.wait_for_words("This post was edited", "http")
            stage.delete("two")
            await sink.wait_for_words("The author deleted a post", "http")
            assert await relay.stop() == 0
    first, second, *changes = sink.messages
    assert {one.action for one in sink.messages} == {"send"}
    assert second.under == "m0"
    assert [one.under.split(",")[0] for one in changes] == ["m0", "m1"]
    assert not any("dry grass" in one.words or "braid it" in one.words for one in changes)
    assert first.uri != second.uri
