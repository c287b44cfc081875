"""Posts that share one message: the budget is used up, it is quiet, or a digest was asked for."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.model import Action, Delivery, Destination, DigestReason, MessageId, Published
from relay.options import DeliveryOptions, Follow, Mode
from relay.records import Allowance, Intake, PlannedSend, State, ThreadList
from relay.store import Store
from relay.testing import post
from tests.support.digest_cases import DIGEST, QUIET, bring, carry, folds, subscribe
from tests.support.store_cases import CLAIM, HALL, ROOM, at, delete, lease, settled, uri


def sends(done: list[Delivery]) -> list[str]:
    return [one.uri for one in done if one.action is Action.SEND and one.digest is None]


# --- the budget ---


async def test_what_exceeds_the_budget_is_one_message_that_grows(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    await bring(store, *(post(number) for number in range(1, 11)), to=here)
    done = await carry(store)
    assert sends(done) == [uri(1), uri(2), uri(3)]
    assert folds(done) == [(Action.SEND, 7)]
    await bring(store, *(post(number) for number in range(11, 16)), to=here)
    await bring(store, *(post(number) for number in range(16, 21)), to=here)
    done = await carry(store)
    assert folds(done) == [(Action.EDIT, 17)]
    assert done[0].messages
    digest = done[0].digest
    assert digest
    assert (digest.reason, digest.topic, digest.tag) == (DigestReason.BUDGET, "#bridge", "bridge")
    assert [card.post.uri for card in digest.best][:2] == [uri(20), uri(19)]


async def test_the_budget_comes_back_with_time(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    await bring(store, *(post(number) for number in range(1, 5)), to=here)
    assert len(sends(await carry(store))) == 3
    await bring(store, post(5), to=here, minute=2.1)
    assert sends(await carry(store, 3)) == [uri(5)]


async def test_after_an_hour_there_is_a_new_message(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    await bring(store, *(post(number) for number in range(1, 5)), to=here)
    await carry(store)
    await bring(store, *(post(number) for number in range(11, 16)), to=here, minute=61)
    done = await carry(store, 62)
    assert len(sends(done)) == 3
    assert folds(done) == [(Action.SEND, 2)]


async def test_a_budget_of_its_own_counts_for_itself(store: Store) -> None:
    free, tight = (
        await subscribe(store, DeliveryOptions(budget=0)),
        await subscribe(store, DeliveryOptions(budget=1, burst=1), HALL, name="b"),
    )
    await bring(store, *(post(number) for number in range(1, 9)), to=free)
    await bring(store, *(post(number) for number in range(1, 9)), to=tight)
    done = await carry(store)
    assert len(sends(done)) == 8 + 1
    assert folds(done) == [(Action.SEND, 7)]


async def test_edits_and_counts_need_no_budget(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    await bring(store, *(post(number) for number in range(1, 4)), to=here)
    await carry(store)
    await bring(store, post(9, reply_to=uri(1)), to=here)
    assert [(one.action, one.uri) for one in await carry(store)] == [(Action.COUNT, uri(1))]


async def test_posts_under_a_thread_are_messages_like_others(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions(follow=Follow.REPLIES))
    chain = [post(number, reply_to=uri(number - 1) if number > 1 else "") for number in range(1, 7)]
    await bring(store, *chain, to=here)
    done = await carry(store)
    assert len(sends(done)) == 3
    assert folds(done) == [(Action.SEND, 3)]


async def test_a_post_that_was_folded_is_not_brought_again(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    posts = [post(number) for number in range(1, 6)]
    await bring(store, *posts, to=here)
    await carry(store)
    await bring(store, *posts, to=here, minute=30)
    assert await carry(store, 31) == []


async def test_what_is_deleted_leaves_the_message(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    await bring(store, *(post(number) for number in range(1, 7)), to=here)
    await carry(store)
    await delete(store, uri(5))
    done = await carry(store)
    assert folds(done) == [(Action.EDIT, 2)]
    assert done[0].digest
    assert uri(5) not in [card.post.uri for card in done[0].digest.best]


async def test_a_digest_s_edit_may_leave_other_messages_and_the_next_one_is_about_those(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    await bring(store, *(post(number) for number in range(1, 6)), to=here)
    await carry(store)
    await bring(store, post(6), to=here)
    [edit] = await store.claim_deliveries(CLAIM, lease())
    await store.save_settlements([settled(edit, messages=(MessageId("longer"),))], lease())
    await bring(store, post(7), to=here)
    assert [(one.action, one.messages) for one in await carry(store)] == [(Action.EDIT, ("longer",))]


async def test_a_digest_that_never_arrived_is_not_edited(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions(budget=30, burst=1))
    await bring(store, post(1), to=here)
    await carry(store)
    await bring(store, post(2), post(3), to=here)
    begun = await store.claim_deliveries(CLAIM, lease())
    await bring(store, post(4), to=here)
    await store.save_settlements([settled(one, State.FAILED) for one in begun], lease())
    assert await carry(store) == []
    assert (await store.get_counts()).deliveries[Action.EDIT, State.SKIPPED] == 1


# --- too many at once, and late ---


def names(listed: ThreadList | None) -> list[str]:
    assert listed
    return [page.root for page in listed.pages]


async def test_all_but_the_newest_that_come_at_once_share_a_message_whose_page_has_all(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    await bring(store, *(post(number) for number in range(1, 61)), to=here, allowance=Allowance(), at_once=20)
    done = await carry(store)
    assert sends(done) == [uri(number) for number in range(41, 61)]
    assert folds(done) == [(Action.SEND, 40)]
    digest = done[-1].digest
    assert digest
    assert (digest.reason, digest.listed) == (DigestReason.MANY, 60)
    assert {card.post.uri for card in digest.best} == {uri(number) for number in range(1, 41)}
    assert names(await store.list_digest(digest.slug, 99)) == [uri(number) for number in range(60, 0, -1)]
    await bring(store, *(post(number) for number in range(1, 61)), to=here, allowance=Allowance(), at_once=20, minute=1)
    assert await carry(store, 2) == []


async def test_what_came_at_once_and_is_deleted_leaves_the_message_or_the_page_alone(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    await bring(store, *(post(number) for number in range(1, 7)), to=here, allowance=Allowance(), at_once=2)
    slug = next(one.digest.slug for one in await carry(store) if one.digest)
    await delete(store, uri(6))
    assert [one.action for one in await carry(store)] == [Action.DELETE]
    await delete(store, uri(2))
    assert folds(await carry(store)) == [(Action.EDIT, 3)]
    assert names(await store.list_digest(slug, 99)) == [uri(number) for number in (5, 4, 3, 1)]


async def test_what_the_budget_does_not_take_joins_what_came_at_once(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    await bring(store, *(post(number) for number in range(1, 21)), to=here, at_once=5)
    done = await carry(store)
    assert (sends(done), folds(done)) == ([uri(16), uri(17), uri(18)], [(Action.SEND, 17)])
    assert done[-1].digest
    assert done[-1].digest.listed == 20


async def test_each_destination_has_its_newest(store: Store) -> None:
    """What its filters leave counts, not what the source brought."""
    one, other = await subscribe(store, DeliveryOptions()), await subscribe(store, DeliveryOptions(), HALL, name="b")
    posts = [post(number) for number in range(1, 9)]
    both = {str(ROOM): one, str(HALL): other}
    planned_sends = tuple(
        PlannedSend(uri=each.uri, by=both if n % 4 == 0 else {str(ROOM): one}) for n, each in enumerate(posts)
    )
    intake = Intake(feed=None, events=tuple(map(Published, posts)), planned_sends=planned_sends, at_once=2)
    await store.add_intakes([intake], lease())
    done = await carry(store)
    assert sends([each for each in done if each.destination == HALL]) == [uri(1), uri(5)]
    assert sends([each for each in done if each.destination == ROOM]) == [uri(7), uri(8)]
    assert folds(done) == [(Action.SEND, 6)]


async def test_what_comes_late_shares_a_message_that_grows(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    await bring(store, post(9), to=here, late=[post(1), post(2)])
    done = await carry(store)
    assert (sends(done), folds(done)) == ([uri(9)], [(Action.SEND, 2)])
    assert done[-1].digest
    assert (done[-1].digest.reason, done[-1].digest.listed) == (DigestReason.LATE, 2)
    await bring(store, to=here, late=[post(3)], minute=10)
    assert folds(await carry(store, 10)) == [(Action.EDIT, 3)]
    await bring(store, to=here, late=[post(4)], minute=71)
    assert folds(await carry(store, 71)) == [(Action.SEND, 1)]


@pytest.mark.parametrize("delivery_options", [QUIET, DIGEST], ids=["quiet", "digest"])
async def test_many_and_late_ones_wait_with_the_others_for_their_hour(
    store: Store, delivery_options: DeliveryOptions
) -> None:
    here = await subscribe(store, delivery_options)
    await bring(store, *(post(number) for number in range(4, 9)), to=here, late=[post(1), post(2)], at_once=2)
    assert await carry(store) == []
    due = await store.save_due_digests(at(0))
    assert due
    await store.save_due_digests(due)
    assert folds(await carry(store, 999)) == [(Action.SEND, 7)]


# --- quiet hours and digests ---


async def test_while_it_is_quiet_nothing_comes_and_afterwards_one_message(store: Store) -> None:
    here = await subscribe(store, QUIET)
    await bring(store, post(1), post(2), to=here)
    await bring(store, post(3), to=here, minute=60)
    assert await carry(store, 60) == []
    assert await store.save_due_digests(at(60)) == at(120)
    assert await store.save_due_digests(at(120)) is None
    done = await carry(store, 120)
    assert folds(done) == [(Action.SEND, 3)]
    assert done[0].digest
    assert done[0].digest.reason is DigestReason.QUIET
    await bring(store, post(4), to=here, minute=121)
    assert sends(await carry(store, 121)) == [uri(4)]


async def test_a_single_post_comes_as_what_it_is(store: Store) -> None:
    here = await subscribe(store, QUIET)
    await bring(store, post(1), post(2), to=here)
    await delete(store, uri(1))
    await store.save_due_digests(at(120))
    assert sends(await carry(store, 120)) == [uri(2)]


async def test_a_fold_whose_posts_are_all_gone_never_comes(store: Store) -> None:
    here = await subscribe(store, QUIET)
    await bring(store, post(1), to=here)
    await delete(store, uri(1))
    assert await store.save_due_digests(at(120)) is None
    assert await carry(store, 120) == []


async def test_a_fold_of_a_subscription_that_is_gone_never_comes(store: Store) -> None:
    here = await subscribe(store, QUIET)
    await bring(store, post(1), post(2), to=here)
    await store.save_subscriptions("a", [])
    await store.save_due_digests(at(120))
    assert await carry(store, 120) == []


async def test_a_digest_comes_on_the_hour_and_a_new_one_begins(store: Store) -> None:
    here = await subscribe(store, DIGEST)
    await bring(store, post(1), post(2), to=here, minute=10)
    assert await store.save_due_digests(at(10)) == at(60)
    await store.save_due_digests(at(60))
    await bring(store, post(3), post(4), post(5), to=here, minute=61)
    assert folds(await carry(store, 61)) == [(Action.SEND, 2)]
    assert await store.save_due_digests(at(120)) is None
    assert folds(await carry(store, 120)) == [(Action.SEND, 3)]


# --- nothing lost, nothing twice ---


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.tuples(st.integers(0, 300), st.integers(1, 9), st.booleans()), min_size=1, max_size=8),
    delivery_options=st.sampled_from(
        [DeliveryOptions(), DeliveryOptions(budget=5, burst=2), QUIET, DIGEST, DeliveryOptions(mode=Mode.POSTS)]
    ),
)
async def test_every_post_is_a_message_or_in_one(
    store: Store, batches: list[tuple[int, int, bool]], delivery_options: DeliveryOptions
) -> None:
    world = next(_worlds) * 1_000
    here = await subscribe(store, delivery_options, Destination("fake", f"room {world}"), name=f"s{world}")
    number, done = world, list[Delivery]()
    for minute, count, cut_off in sorted(batches):
        await bring(store, *(post(number + one) for one in range(count)), to=here, minute=minute)
        number += count
        await store.save_due_digests(at(minute))
        if cut_off:  # a crash between the claim and its end
            await store.claim_deliveries(CLAIM, lease(now=minute))
            await store.delete_leases("one")
        done += await carry(store, minute)
    await store.save_due_digests(at(10_000))
    done += await carry(store, 10_000)
    alone = sends(done)
    shared = {one.digest.slug: one.digest.count for one in done if one.digest}
    assert len(alone) == len(set(alone))
    assert len(alone) + sum(shared.values()) == number - world


_worlds = iter(range(1, 10**6))


async def test_five_hundred_posts_in_a_minute_are_a_few_messages_and_all_on_the_tag_s_page(store: Store) -> None:
    here = await subscribe(store, DeliveryOptions())
    done: list[Delivery] = []
    for start in range(0, 500, 20):
        posts = [post(number, tags=("Bridge",)) for number in range(start + 1, start + 21)]
        await bring(store, *posts, to=here, minute=start / 500, allowance=Allowance(30, 10))
        done += await carry(store, start / 500)
    assert len(sends(done)) == 10
    assert folds(done)[0] == (Action.SEND, 10)
    assert folds(done)[-1] == (Action.EDIT, 490)
    assert {action for action, _ in folds(done)[1:]} == {Action.EDIT}
    shown = set[str]()
    listed = ThreadList()
    for skip in range(0, 500, 30):
        listed = await store.list_tagged("bridge", 30, listed.older)
        shown |= {page.root for page in listed.pages}
        assert listed.more == (skip + 30 < 500)
    assert shown == {uri(number) for number in range(1, 501)}
