"""A thread's message at each destination: the first of its posts that was sent there, under which it grows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from relay.model import Action
from relay.options import DeliveryOptions, Follow, Mode
from relay.records import State
from relay.store.rows import Query, Record, among
from relay.store.subscriptions import read_delivery_options
from relay.store.tables import deliveries, posts, subscriptions


def _is(column: ColumnElement[str], *values: StrEnum) -> ColumnElement[bool]:
    """The column is one of these; a list would be written anew at each run."""
    return or_(*(column == value.value for value in values))


_end = deliveries.alias("end")
_taken_back = exists().where(
    _end.c.post == deliveries.c.post, _end.c.destination == deliveries.c.destination, _end.c.version == "deleted"
)
"""It was a copy, and the original came; or its deletion was undone, and its message is gone all the same."""
_HEADS = Query(
    select(
        posts.c.id,
        func.coalesce(posts.c.root, posts.c.uri).label("root"),
        posts.c.published,
        deliveries.c.destination,
        deliveries.c.state,
        deliveries.c.attempts,
        deliveries.c.reason,
        deliveries.c.subscription,
        subscriptions.c.mode,
        subscriptions.c.manner,
    )
    .select_from(posts)
    .join(
        deliveries,
        and_(
            deliveries.c.post == posts.c.id,
            deliveries.c.action == Action.SEND.value,
            deliveries.c.under.is_(None),
            _is(deliveries.c.state, State.DUE, State.SENDING, State.SENT),
        ),
    )
    .join(subscriptions, subscriptions.c.id == deliveries.c.subscription)
    .where(among(posts.c.root, "roots"), ~posts.c.deleted, ~_taken_back)
    .order_by(deliveries.c.id)
)
_WAITING = Query(
    select(deliveries.c.post, deliveries.c.destination).where(
        among(deliveries.c.post, "ids"),
        _is(deliveries.c.action, Action.SEND, Action.EDIT, Action.COUNT),
        deliveries.c.state == State.DUE.value,
        deliveries.c.attempts == 0,
    )
)


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """The post that is a thread's message at one destination, and how its subscription wants the thread brought."""

    post: int
    age: tuple[object, int]
    """When it was published, and its number: what is older was written before it."""
    reason: str
    subscription: int
    delivery_options: DeliveryOptions


class ThreadMessages:
    """Those of the threads that a batch touches; what the batch sends itself is added on the way."""

    def __init__(self, rows: Iterable[Record] = (), waiting: Iterable[Record] = ()) -> None:
        self._messages: dict[tuple[str, str], ThreadMessage] = {}
        self._waiting = {(row.post, row.destination) for row in waiting}
        for row in rows:
            delivery_options = read_delivery_options(row)
            if delivery_options.mode is not Mode.POSTS:
                self.add(row.root, row.destination, _message(row, delivery_options))

    def add(self, root: str, destination: str, message: ThreadMessage) -> None:
        self._messages.setdefault((root, destination), message)

    def remove(self, root: str, destination: str, post: int) -> None:
        """The post is shown there no more, and so is no thread's message."""
        message = self._messages.get((root, destination))
        if message and message.post == post:
            del self._messages[root, destination]

    def at(self, root: str | None, destination: str) -> ThreadMessage | None:
        return self._messages.get((root, destination)) if root else None

    def of(self, root: str) -> list[tuple[str, ThreadMessage]]:
        """Where the thread has a message."""
        return [(destination, message) for (one, destination), message in self._messages.items() if one == root]

    def subscribers(self) -> set[int]:
        return {message.subscription for message in self._messages.values()}

    def destinations(self) -> set[str]:
        return {destination for _, destination in self._messages}

    def claim_count(self, destination: str, message: ThreadMessage) -> bool:
        """Whether a new count is to be ordered: nothing waits yet that will show it. From now on something does."""
        key = (message.post, destination)
        if key in self._waiting:
            return False
        self._waiting.add(key)
        return True

    def will_show(self, destination: str, post: int) -> None:
        """Something is ordered that shows the thread as it is by then."""
        self._waiting.add((post, destination))


def _message(row: Record, delivery_options: DeliveryOptions) -> ThreadMessage:
    return ThreadMessage(row.id, (row.published, row.id), row.reason, row.subscription, delivery_options)


def read_thread_messages(connection: Connection, roots: Collection[str], gone: Collection[int]) -> ThreadMessages:
    """The heads of the threads with these roots; ``gone`` are posts that are none, because they are being deleted."""
    if not roots:
        return ThreadMessages()
    rows = [row for row in _HEADS(connection, roots=roots) if row.id not in gone]
    waiting = _WAITING(connection, ids={row.id for row in rows}) if rows else ()
    return ThreadMessages(rows, waiting)


def follows(message: ThreadMessage, *, fixed: bool) -> bool:
    """Whether the thread's later posts are posted under it: by default where it cannot count them (``fixed``)."""
    return (message.delivery_options.follow or (Follow.REPLIES if fixed else Follow.COUNT)) is Follow.REPLIES
