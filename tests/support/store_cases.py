"""Short ways to say what the store's tests do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from relay.model import (
    Action,
    Deleted,
    Delivery,
    Destination,
    Edited,
    Event,
    FeedId,
    MessageId,
    Post,
    PostUri,
    Published,
    Subscription,
    SubscriptionId,
)
from relay.options import DeliveryOptions, Mode
from relay.ports import Resolved
from relay.records import Claim, Intake, Lease, Linking, PlannedSend, Policy, Settlement, State, Taken, Wanted
from relay.store import Store
from relay.testing import NOON

ROOM = Destination("fake", "room")
HALL = Destination("fake", "hall")
EACH = DeliveryOptions(mode=Mode.POSTS)
CLAIM = Claim(adapters=("fake",), limit=10)


def at(minutes: float) -> datetime:
    """The moment so many minutes past noon."""
    return NOON + timedelta(minutes=minutes)


def lease(owner: str = "one", *, now: float = 0, minutes: float = 5) -> Lease:
    return Lease(owner=owner, now=at(now), until=at(now + minutes))


def planned(post: Post, to: Destination = ROOM, reason: str = "#bridge", subscription: int = 1) -> PlannedSend:
    wanted = Subscription(id=SubscriptionId(subscription), topic=reason, destination=to, delivery_options=EACH)
    return PlannedSend(uri=post.uri, by={str(to): wanted})


def said(*events: Event, to: Sequence[Destination] = (), feed: FeedId | None = None, **fields: object) -> Intake:
    """An intake of these events, whose posts are wished for at ``to``."""
    planned_sends = tuple(
        planned(event.post, place) for event in events if not isinstance(event, Deleted) for place in to
    )
    return Intake(feed=feed, events=events, planned_sends=planned_sends, **fields)  # type: ignore[arg-type]  # named by the test


def under(store: Store, policy: Policy) -> Store:
    """The same store, by another policy."""
    return Store(store._db, store._token, policy)


async def publish(store: Store, *posts: Post, to: Sequence[Destination] = (ROOM,), now: float = 0) -> Taken:
    return await store.add_intakes([said(*map(Published, posts), to=to)], lease(now=now))


async def edit(store: Store, post: Post) -> None:
    await store.add_intakes([said(Edited(post))], lease())


async def delete(store: Store, ref: str) -> None:
    await store.add_intakes([said(Deleted(ref))], lease())


def settled(delivery: Delivery, state: State = State.SENT, *, due: float = 0, **fields: object) -> Settlement:
    """The settlement of a delivery; a send that arrived became one message, named after the post."""
    if state is State.SENT and delivery.action is Action.SEND:
        fields.setdefault("messages", (MessageId(f"message of {delivery.uri}"),))
    return Settlement(
        delivery=delivery.id,
        destination=delivery.destination,
        state=state,
        due=at(due),
        **fields,  # type: ignore[arg-type]  # named by the test
    )


async def claim(store: Store, *, owner: str = "one", now: float = 0, claim: Claim = CLAIM) -> Sequence[Delivery]:
    return await store.claim_deliveries(claim, lease(owner, now=now))


async def carry(store: Store, state: State = State.SENT) -> list[Delivery]:
    """Claim and settle until nothing is left to do; what was delivered, in its order."""
    done: list[Delivery] = []
    batch = await claim(store)
    while batch:
        done += batch
        batch = await store.save_settlements([settled(one, state) for one in batch], lease(), CLAIM)
    return done


async def link(store: Store, subscription: SubscriptionId, resolved: Mapping[str, Resolved], now: datetime) -> None:
    """What sources answered to one subscription; more is to be asked for it."""
    await store.save_links([Linking((subscription,), resolved, complete=False)], "", now)


async def feed(store: Store, address: str = "a", *, source: str = "fake", claimed: bool = True) -> FeedId:
    """A feed that is due, or claimed by "one", linked to a subscription of its own."""
    [subscription] = await store.save_subscriptions(address, [Wanted(topic=address, destination=ROOM)])
    await link(store, subscription, {source: Resolved(feeds=(address,))}, NOON)
    if claimed:
        [mine] = await store.claim_feeds([source], lease(), 1)
        return mine.id
    [state] = [state for state in await store.list_feeds() if state.feed.address == address]
    return state.feed.id


async def states(store: Store) -> dict[tuple[Action, State], int]:
    return dict((await store.get_counts()).deliveries)


def uri(number: int) -> PostUri:
    return PostUri(f"https://ayllu.example/users/illa/statuses/{number}")


def cost_of(connection: Connection, table: str, work: Callable[[Connection], object]) -> int:
    """What the database itself counts of some work: PostgreSQL the rows it reads of a table, SQLite all its steps."""
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # it has its reasons while there is little
        connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        before = _rows_read(connection, table)
        work(connection)
        return _rows_read(connection, table) - before
    steps: list[int] = []
    driver.set_progress_handler(lambda: steps.append(1), 1)
    work(connection)
    driver.set_progress_handler(None, 0)
    return len(steps)


def _rows_read(connection: Connection, table: str) -> int:
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = %(table)s"
    rows: int = connection.exec_driver_sql(read, {"table": table}).scalar_one()
    return rows
