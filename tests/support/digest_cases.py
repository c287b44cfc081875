"""What several tests share with those of store folds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from relay.model import Action, Delivery, Destination, Post, Published, Subscription
from relay.options import DeliveryOptions, Mode
from relay.ports import Resolved
from relay.records import Allowance, Intake, PlannedSend, Policy, Wanted
from relay.store import Store
from relay.testing import NOON
from tests.support.store_cases import CLAIM, ROOM, lease, link, settled, under

TIGHT = Allowance(budget=30, burst=3)


QUIET = DeliveryOptions(quiet="12:00-14:00")


DIGEST = DeliveryOptions(mode=Mode.DIGEST, every=timedelta(hours=1))


async def subscribe(
    store: Store, delivery_options: DeliveryOptions, to: Destination = ROOM, topic: str = "#bridge", name: str = "a"
) -> Subscription:
    await store.save_subscriptions(name, [Wanted(topic=topic, destination=to, delivery_options=delivery_options)])
    one = next(one for one in await store.list_subscriptions(to) if one.origin == name)
    await link(store, one.id, {"fake": Resolved(feeds=(topic,), tag=topic.strip("#"))}, NOON)
    return one


async def bring(
    store: Store,
    *posts: Post,
    to: Subscription,
    late: Sequence[Post] = (),
    minute: float = 0,
    allowance: Allowance = TIGHT,
    at_once: int | None = None,
) -> None:
    events = tuple(map(Published, (*late, *posts)))
    by = {str(to.destination): to}
    planned_sends = tuple(PlannedSend(uri=one.uri, by=by, late=one in late) for one in (*late, *posts))
    intake = Intake(feed=None, events=events, planned_sends=planned_sends, at_once=at_once)
    await under(store, Policy(allowance=allowance)).add_intakes([intake], lease(now=minute))


async def carry(store: Store, minute: float = 0) -> list[Delivery]:
    done: list[Delivery] = []
    batch = await store.claim_deliveries(CLAIM, lease(now=minute))
    while batch:
        done += batch
        batch = await store.save_settlements([settled(one, due=minute) for one in batch], lease(now=minute), CLAIM)
    return done


def folds(done: list[Delivery]) -> list[tuple[Action, int]]:
    return [(one.action, one.digest.count) for one in done if one.digest]
