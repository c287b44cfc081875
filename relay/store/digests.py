"""Digests: posts that share one message, because it is quiet, that was asked for, or there are too many or late.

A digest's deliveries stand in the outbox beside those of posts. One that is scheduled, or waits for quiet hours to end,
becomes a delivery when it is due; any other is sent at once and edited as it grows, for an hour; where messages cannot
be edited, it is sent when that hour is over. Its tables are called ``folds`` and ``folded``.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, update

from relay.core.hours import next_digest
from relay.core.option_types import at, quiet
from relay.core.schedule import spend
from relay.model import Action, Card, Destination, Digest, DigestReason, Place, PostUri
from relay.options import USUAL_DELIVERY, DeliveryOptions, Mode
from relay.records import Allowance, State
from relay.store.content import decode
from relay.store.rows import Query, Record, among, insert_rows, serialize
from relay.store.tables import (
    budgets,
    deliveries,
    destinations,
    folded,
    folds,
    micros,
    posts,
    subscription_tags,
    subscriptions,
)
from relay.store.tags import PUBLIC_TAGS

OPEN_FOR = timedelta(hours=1)
"""How long a message that is sent at once takes more posts."""
_AT_ONCE = frozenset({DigestReason.BUDGET, DigestReason.MANY, DigestReason.LATE})
_CONSIDERED = 300
"""So many of a digest's latest posts are looked at when the best are chosen."""

_BUDGETS = Query(select(budgets.c.name, budgets.c.until).where(among(budgets.c.name, "names")))
_SPENT = "(name) DO UPDATE SET until = excluded.until"
_OPEN = Query(
    select(folds.c.id, folds.c.subscription, folds.c.why, folds.c.destination, folds.c.opened, folds.c.due).where(
        among(folds.c.subscription, "subscriptions"), folds.c.closed.is_(None)
    )
)
_CLOSE = Query(
    update(folds).where(among(folds.c.id, "ids")).values(closed=bindparam("now", type_=folds.c.closed.type), due=None)
)
_TOPIC = (
    select(subscriptions.c.topic, func.min(subscription_tags.c.tag).label("tag"))
    .select_from(subscriptions.outerjoin(subscription_tags, subscription_tags.c.subscription == subscriptions.c.id))
    .where(subscriptions.c.id == bindparam("of"))
    .group_by(subscriptions.c.topic)
)
_MEMBERS = Query(
    select(folded.c.post, folds.c.destination)
    .join(folds, folds.c.id == folded.c.fold)
    .where(among(folded.c.post, "ids"), ~folded.c.own)
)
_SHOWN = Query(
    select(folds.c.id, folds.c.destination, folds.c.subscription, folds.c.topic)
    .distinct()
    .join(folded, folded.c.fold == folds.c.id)
    .join(deliveries, deliveries.c.digest == folds.c.id)
    .where(
        among(folded.c.post, "ids"), ~folded.c.own, deliveries.c.version == "", deliveries.c.state == State.SENT.value
    )
)
_DROP = delete(folded).where(
    folded.c.post == bindparam("member"),
    select(folds.c.id).where(folds.c.id == folded.c.fold, folds.c.destination == bindparam("name")).exists(),
)
_WAITING = Query(
    select(deliveries.c.digest).where(
        among(deliveries.c.digest, "ids"),
        deliveries.c.state == State.DUE.value,
        deliveries.c.attempts == 0,
    )
)


def read_members(connection: Connection, ids: Collection[int]) -> set[tuple[int, str]]:
    """Which of these posts share a message where: they are not to be brought there again."""
    return {(row.post, row.destination) for row in _MEMBERS(connection, ids=ids)} if ids else set()


@dataclass(slots=True)
class _Open:
    """A digest that takes more posts; ``waits``: a delivery that will show them is in the outbox."""

    id: int
    waits: bool = False
    new: bool = False


class DigestWriter:
    """Decides, within one intake's transaction, whether a new message is held back, and keeps what is."""

    def __init__(
        self,
        connection: Connection,
        subscribers: Iterable[int],
        names: Iterable[str],
        allowance: Allowance,
        now: datetime,
    ) -> None:
        self._connection = connection
        self._allowance = allowance
        self._now = now
        self._until: dict[str, datetime] = {}
        self._spent: set[str] = set()
        self._open: dict[tuple[int, str, str], _Open] = {}
        self._members: dict[tuple[int, int], bool] = {}
        self._own: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        """What has messages of its own, by subscription and destination."""
        self._subscribers, self._names = set(subscribers), set(names)
        self._read = False
        self.orders: list[tuple[str, int, Action, str, str, int]] = []
        """What digests ask of the outbox: destination, digest, action, version, reason, subscription."""

    def hold(
        self,
        name: str,
        post: int,
        subscription: int,
        topic: str,
        delivery_options: DeliveryOptions,
        *,
        shared: DigestReason | None = None,
    ) -> bool:
        """Whether the post goes into a digest instead of a message of its own; it is kept there then.

        ``shared``: it is to have none for this reason, whatever the budget.
        """
        if not self._read:
            self._look()
        why = self._why(name, subscription, delivery_options, shared)
        if why is None:
            self._own[subscription, name].append(post)
            return False
        digest = self._digest(name, subscription, topic, delivery_options, why)
        self._members[digest.id, post] = False
        if why in _AT_ONCE and not digest.waits and not self._gathers(name):
            digest.waits = True
            action, version = (Action.SEND, "") if digest.new else (Action.EDIT, f"grew by {post}")
            self.orders.append((name, digest.id, action, version, topic, subscription))
        return True

    def _why(
        self, name: str, subscription: int, delivery_options: DeliveryOptions, shared: DigestReason | None
    ) -> DigestReason | None:
        if delivery_options.mode is Mode.DIGEST:
            return DigestReason.DIGEST
        if delivery_options.quiet and (hours := quiet(delivery_options)) and hours.until(self._now):
            return DigestReason.QUIET
        if shared or self._may_spend(name, subscription, delivery_options):
            return shared
        many = self._open.get((subscription, name, DigestReason.MANY))
        return DigestReason.MANY if many and many.new else DigestReason.BUDGET

    def spends(self, name: str) -> bool:
        """Whether there is room for one more message of the relay's own at a destination; it is counted then."""
        if not self._read:
            self._look()
        return self._may_spend(name, 0, USUAL_DELIVERY)

    def _may_spend(self, name: str, subscription: int, delivery_options: DeliveryOptions) -> bool:
        own = delivery_options.budget is not None
        budget = delivery_options.budget if delivery_options.budget is not None else self._allowance.budget
        if not budget:
            return True
        key = f"subscription {subscription}" if own else name
        until = spend(self._until.get(key), self._now, budget, delivery_options.burst or self._allowance.burst)
        if until is None:
            return False
        self._until[key] = until
        self._spent.add(key)
        return True

    def _look(self) -> None:
        """What is open and what is spent, read when it is first needed."""
        self._read = True
        keys = self._names | {f"subscription {number}" for number in self._subscribers}
        self._until = {row.name: row.until for row in _BUDGETS(self._connection, names=keys)}
        rows = _OPEN(self._connection, subscriptions=self._subscribers)
        over = [row for row in rows if row.why in _AT_ONCE and not row.due and row.opened <= self._now - OPEN_FOR]
        if over:
            _CLOSE(self._connection, ids=[row.id for row in over], now=self._now)
        there = [row for row in rows if row not in over]
        waiting = {row.digest for row in _WAITING(self._connection, ids=[row.id for row in there])} if there else set()
        for row in there:
            self._open[row.subscription, row.destination, row.why] = _Open(row.id, waits=row.id in waiting)

    def _digest(
        self, name: str, subscription: int, topic: str, delivery_options: DeliveryOptions, why: DigestReason
    ) -> _Open:
        key = (subscription, name, why.value)
        if key not in self._open:
            row = self._connection.execute(_TOPIC, {"of": subscription}).one_or_none()
            values = {
                "slug": f"{micros(self._now) // 3_600_000_000:x}{secrets.token_urlsafe(12)}",
                "destination": name,
                "subscription": subscription,
                "topic": row.topic if row else topic,
                "tag": (row.tag or "") if row else "",
                "why": why.value,
                "opened": self._now,
                "due": self._due(name, delivery_options, why),
            }
            made = self._connection.execute(insert(folds).values(values)).inserted_primary_key
            assert made is not None  # noqa: S101 - mypy cannot know that one row has one key
            self._open[key] = _Open(made[0], new=True)
        return self._open[key]

    def _gathers(self, name: str) -> bool:
        """Whether such a message is sent when it is whole, because it could not grow there."""
        return Destination.parse(name).adapter in self._allowance.unedited

    def _due(self, name: str, delivery_options: DeliveryOptions, why: DigestReason) -> datetime | None:
        if why in _AT_ONCE and self._gathers(name):
            return self._now + OPEN_FOR
        if why is DigestReason.DIGEST:
            return next_digest(self._now, delivery_options.every, at(delivery_options))
        hours = quiet(delivery_options) if why is DigestReason.QUIET else None
        return hours.until(self._now) if hours else None

    def lose(self, ids: Collection[int]) -> None:
        """These posts are being deleted: the digests that show them are to be written anew."""
        for row in _SHOWN(self._connection, ids=ids) if ids else ():
            if self._gathers(row.destination) and not self.spends(row.destination):
                continue  # it would be one more message
            version = f"without {min(ids)} since {micros(self._now)}"  # what is undone may be deleted once more
            self.orders.append((row.destination, row.id, Action.EDIT, version, row.topic, row.subscription))

    def drop(self, post: int, name: str) -> None:
        """The post is shown at this destination no more, though it still exists."""
        shown = [row for row in _SHOWN(self._connection, ids={post}) if row.destination == name]
        self.orders += [(name, row.id, Action.EDIT, f"without {post}", row.topic, row.subscription) for row in shown]
        self._connection.execute(_DROP, {"member": post, "name": name})

    def write(self) -> None:
        spent = [(name, micros(self._until[name])) for name in sorted(self._spent)]
        insert_rows(self._connection, budgets, ("name", "until"), spent, _SPENT)
        touched = {digest for digest, _ in self._members}
        for (subscription, name, why), digest in self._open.items():
            if why == DigestReason.MANY and digest.id in touched:
                for post in self._own[subscription, name]:
                    self._members.setdefault((digest.id, post), True)
        members = [(*key, own) for key, own in self._members.items()]
        insert_rows(self._connection, folded, ("fold", "post", "own"), members)


# --- when one is due ---

_NEXT = select(func.min(folds.c.due)).where(folds.c.due.is_not(None))
_DUE = (
    select(folds, subscriptions.c.mode, subscriptions.c.manner)
    .outerjoin(subscriptions, subscriptions.c.id == folds.c.subscription)
    .where(folds.c.due <= bindparam("now", type_=folds.c.due.type))
    .order_by(folds.c.due, folds.c.id)
)
_THERE = Query(
    select(folded.c.fold, folded.c.post)
    .join(posts, posts.c.id == folded.c.post)
    .where(among(folded.c.fold, "ids"), ~folded.c.own, ~posts.c.deleted)
    .order_by(folded.c.post)
)
_COLUMNS = ("destination", "post", "digest", "action", "version", "state", "reason", "subscription", "created")
_WAKE = """(name) DO UPDATE
    SET due = CASE WHEN destinations.not_before > excluded.due THEN destinations.not_before ELSE excluded.due END
    WHERE destinations.due IS NULL AND destinations.paused = ''"""


def save_due_digests(connection: Connection, now: datetime) -> datetime | None:
    """Have the digests sent that are due: they are deliveries from then on. When the next one is due.

    One of a single post is that post's message.
    """
    serialize(connection)
    due = connection.execute(_DUE, {"now": now}).all()
    if due:
        _send(connection, due, now)
        _CLOSE(connection, ids=[row.id for row in due], now=now)
    following: datetime | None = connection.scalar(_NEXT)
    return following


def _send(connection: Connection, due: Sequence[Any], now: datetime) -> None:
    there: defaultdict[int, list[int]] = defaultdict(list)
    for row in _THERE(connection, ids=[row.id for row in due]):
        there[row.fold].append(row.post)
    rows, names = [], {}
    for digest in due:
        members = there[digest.id]
        if not members or digest.mode is None:  # all was deleted, or nobody subscribes any more
            continue
        of = (members[0], None) if len(members) == 1 else (None, digest.id)
        send = (digest.destination, *of, Action.SEND.value, "", State.DUE.value, digest.topic, digest.subscription)
        rows.append((*send, micros(now)))
        names[digest.destination] = Destination.parse(digest.destination).adapter
    wake = [(name, adapter, micros(now)) for name, adapter in sorted(names.items())]
    insert_rows(connection, destinations, ("name", "adapter", "due"), wake, _WAKE)
    insert_rows(connection, deliveries, _COLUMNS, rows)


# --- what one says ---

_there = (
    select(func.count())
    .select_from(folded.join(posts, posts.c.id == folded.c.post))
    .where(folded.c.fold == folds.c.id, ~posts.c.deleted)
)
_is_followed = PUBLIC_TAGS.where(subscription_tags.c.tag == folds.c.tag).correlate(folds).exists()
_DIGESTS = Query(
    select(
        folds.c.id,
        folds.c.slug,
        folds.c.why,
        folds.c.topic,
        case((_is_followed, folds.c.tag), else_="").label("tag"),
        folds.c.opened,
        _there.where(~folded.c.own).scalar_subquery().label("length"),
        _there.scalar_subquery().label("listed"),
    ).where(among(folds.c.id, "ids"))
)
_root = posts.alias("root")
_mate = posts.alias("mate")
_POSTS = (
    select(
        posts.c.uri,
        posts.c.data,
        posts.c.root,
        _root.c.slug,
        select(func.count())
        .select_from(_mate)
        .where(_mate.c.root == posts.c.root, ~_mate.c.deleted)
        .scalar_subquery()
        .label("length"),
    )
    .select_from(
        folded.join(posts, posts.c.id == folded.c.post).join(
            _root, _root.c.uri == func.coalesce(posts.c.root, posts.c.uri)
        )
    )
    .where(folded.c.fold == bindparam("fold"), ~folded.c.own, ~posts.c.deleted)
    .order_by(posts.c.id.desc())
    .limit(_CONSIDERED)
)


def read_digests(connection: Connection, ids: Collection[int]) -> dict[int, Digest]:
    """These digests as they are now, with their latest posts in ``best``: which are the best is decided elsewhere."""
    return {
        row.id: Digest(
            slug=row.slug,
            reason=DigestReason(row.why),
            topic=row.topic,
            tag=row.tag,
            count=row.length,
            listed=row.listed,
            since=row.opened,
            best=tuple(_card(one) for one in connection.execute(_POSTS, {"fold": row.id})),
        )
        for row in _DIGESTS(connection, ids=ids)
    }


def _card(row: Record) -> Card:
    place = Place(root=PostUri(row.root), position=1, count=row.length) if row.root else None
    return Card(post=decode(row.data), reason="", thread=place, unroll=row.slug)
