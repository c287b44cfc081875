"""What a batch of intakes asks of the outbox: the sends that were wished for, and the edits and deletions that follow.

A destination is locked before the states of its deliveries are read: who claims or settles there at the same time is
done, and seen, or has not begun.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select

from relay.hashtag import fold
from relay.manner import Mode
from relay.model import Action, Destination, Subscription
from relay.ports import Allowance, Intake, State
from relay.store.folds import Folding, read_members
from relay.store.heads import Head, Heads, follows, read_heads
from relay.store.known import Entry, Known
from relay.store.rows import Query, Record, among, insert_rows, update_rows
from relay.store.tables import deliveries, destinations, micros, tagged

_LOCK = Query(
    select(destinations.c.name)
    .where(
        or_(
            among(destinations.c.name, "names"),
            destinations.c.name.in_(select(deliveries.c.destination).where(among(deliveries.c.post, "ids"))),
        )
    )
    .order_by(destinations.c.name)
    .with_for_update()
)
_DELIVERIES = Query(
    select(
        deliveries.c.id,
        deliveries.c.destination,
        deliveries.c.post,
        deliveries.c.action,
        deliveries.c.state,
        deliveries.c.attempts,
        deliveries.c.reason,
        deliveries.c.subscription,
    )
    .where(among(deliveries.c.post, "ids"))
    .order_by(deliveries.c.id)
)
_WAKE = """(name) DO UPDATE
    SET due = CASE WHEN destinations.not_before > excluded.due THEN destinations.not_before ELSE excluded.due END
    WHERE destinations.due IS NULL AND destinations.paused = ''"""
_COLUMNS = ("destination", "post", "action", "version", "state", "reason", "subscription", "under", "created")
_DUE = State.DUE.value
_CANCELLED = "deleted by its author before it was sent"


def add_deliveries(connection: Connection, known: Known, intakes: Sequence[Intake], now: datetime) -> set[str]:
    """Write what the batch asks of the outbox, and wake the destinations. Returns their names.

    Decides on the next checks of the posts that are wished for, which are not written here.
    """
    twins = known.twins()
    there = _read(connection, known, intakes, twins)
    wished = {entry.uri: entry for intake in intakes for wish in intake.wishes if (entry := known.find(wish.uri))}
    removed = {entry.id for entry in known if entry.removed}
    touched = {e.root for e in known if e.root and (e.new or e.removed or e.uri in wished)}
    heads = read_heads(connection, touched, removed)
    asked = {(row.post, row.destination) for rows in there.values() for row in rows}
    asked |= read_members(connection, {entry.id for entry in wished.values() if not entry.new})
    folding = _folding(connection, intakes, heads, now)
    folding.lose(removed)
    orders = _Orders(micros(now), heads, asked, folding)
    for entry in known:
        if entry.removed:
            orders.remove(entry, there.get(entry.id, ()))
        elif entry.edited:
            orders.edit(entry, there.get(entry.id, ()))
    for intake in intakes:
        orders.send(intake, known, twins)
    for entry in known:
        if entry.new and entry.root and not entry.deleted:
            orders.grow(entry)
    return orders.write(connection)


def _folding(connection: Connection, intakes: Sequence[Intake], heads: Heads, now: datetime) -> Folding:
    subscribers = {one.id for intake in intakes for wish in intake.wishes for one in wish.by.values()}
    names = {name for intake in intakes for wish in intake.wishes for name in wish.by}
    allowance = intakes[0].allowance if intakes else Allowance()
    return Folding(connection, subscribers | heads.subscribers(), names | heads.destinations(), allowance, now)


def _read(connection: Connection, known: Known, intakes: Sequence[Intake], twins: Twins) -> dict[int, list[Record]]:
    """The deliveries of known posts whose states matter now, by post; their destinations are locked."""
    there: defaultdict[int, list[Record]] = defaultdict(list)
    old = {entry.id for entry in known if not entry.new}
    if old:
        wished = [(known.find(wish.uri), wish) for intake in intakes for wish in intake.wishes]
        ids = {entry.id for entry, _ in wished if entry} | {e.id for e in known if e.edited or e.removed}
        ids |= {twin.id for entry, _ in wished if entry for twin in twins.get(entry.uri, ())}
        _LOCK(connection, names={name for _, wish in wished for name in wish.by}, ids=ids & old)
        for row in _DELIVERIES(connection, ids=ids & old):
            there[row.post].append(row)
    return there


Twins = Mapping[str, Sequence[Entry]]
"""The copies of each post that other sources brought, by its uri."""


class _Orders:
    """What is to be written to the outbox."""

    def __init__(self, created: int, heads: Heads, asked: set[tuple[int, str]], folding: Folding) -> None:
        self._created = created
        self._heads = heads
        self._asked = asked
        self._folding = folding
        self._tagged: dict[tuple[str, int], None] = {}
        self._later: list[tuple[Entry, str, Head]] = []
        """What is to be posted under a thread's message: in the thread's order, whatever came first."""
        self._rows: list[tuple[Any, ...]] = []
        self._cancelled: list[tuple[Any, ...]] = []
        self._adapters: dict[str, str] = {}

    def send(self, intake: Intake, known: Known, twins: Twins) -> None:
        """Send what the intake wishes for, unless that or a twin of it was asked for before, by whichever path."""
        asked = self._asked
        for wish in intake.wishes:
            entry = known.find(wish.uri)
            if entry is None or entry.deleted:
                continue
            before = len(asked)
            same = (entry, *twins.get(entry.uri, ()))
            for name, subscription in wish.by.items():
                if any((one.id, name) in asked for one in same):
                    continue
                asked.add((entry.id, name))
                self._bring(entry, subscription, wish.reason(subscription))
            if len(asked) > before:
                self._tagged |= {(tag, entry.id): None for each in entry.post.tags if (tag := fold(each, entry.source))}
                if intake.next_check and not entry.next_check:
                    entry.next_check, entry.checked = intake.next_check, True

    def _bring(self, entry: Entry, subscription: Subscription, reason: str) -> None:
        """A thread that has its message already grows there, where that is how the subscription wants it."""
        name = str(subscription.destination)
        threaded = subscription.manner.mode is Mode.THREADS
        head = self._heads.at(entry.root, name) if threaded else None
        if head is None:
            if self._folding.hold(name, entry.id, subscription.id, subscription.topic, subscription.manner):
                return
            self._order(name, entry.id, Action.SEND, "", reason, subscription.id)
            self._heads.will_show(name, entry.id)
            if entry.root and threaded:
                age = (entry.published, entry.id)
                self._heads.add(entry.root, name, Head(entry.id, age, reason, subscription.id, subscription.manner))
        else:
            self._follow_up(entry, name, head)

    def grow(self, entry: Entry) -> None:
        """A new post in a thread, whoever asked for it: each message of the thread counts it."""
        for name, head in self._heads.of(entry.root or ""):
            if (entry.id, name) not in self._asked:
                self._asked.add((entry.id, name))
                self._follow_up(entry, name, head)
            elif head.post != entry.id:
                self._count(name, head, f"count with {entry.id}")

    def _follow_up(self, entry: Entry, name: str, head: Head) -> None:
        self._count(name, head, f"count with {entry.id}")
        if follows(head) and not entry.post.unlisted and (entry.published, entry.id) > head.age:
            self._later.append((entry, name, head))

    def _post_under(self, entry: Entry, name: str, head: Head) -> None:
        if not self._folding.hold(name, entry.id, head.subscription, head.reason, head.manner):
            self._order(name, entry.id, Action.SEND, "", head.reason, head.subscription, under=head.post)

    def _count(self, name: str, head: Head, version: str) -> None:
        """``version`` tells the occasion: each orders one count at most."""
        if self._heads.claim_count(name, head):
            self._order(name, head.post, Action.COUNT, version, head.reason, head.subscription)

    def edit(self, entry: Entry, there: Sequence[Record]) -> None:
        """Edit the messages of a post, except where something waits that will show it as it is by then."""
        waiting = {row.destination for row in there if _waits(row) and row.action in {Action.SEND, Action.EDIT}}
        for row in there:
            if _was_shown(row) and row.destination not in waiting:
                self._follow(row, Action.EDIT, str(entry.revision))

    def remove(self, entry: Entry, there: Sequence[Record]) -> None:
        """Delete the messages of a post, send none of it that was not begun, and count it no more in its thread."""
        for name, head in self._heads.of(entry.root or ""):
            self._count(name, head, f"count without {entry.id}")
        for row in there:
            if _was_shown(row):
                self._follow(row, Action.DELETE, "deleted")
            elif _waits(row) or (row.action in {Action.EDIT, Action.COUNT} and row.state == State.DUE):
                self._cancelled.append((State.SKIPPED.value, _CANCELLED, self._created, row.id))

    def _follow(self, send: Record, action: Action, version: str) -> None:
        self._order(send.destination, send.post, action, version, send.reason, send.subscription)
        if action is Action.EDIT:
            self._heads.will_show(send.destination, send.post)

    def _order(
        self,
        name: str,
        post: int,
        action: Action,
        version: str,
        reason: str,
        subscription: int | None,
        *,
        under: int | None = None,
    ) -> None:
        self._adapters.setdefault(name, Destination.parse(name).adapter)
        self._rows.append((name, post, action.value, version, _DUE, reason, subscription, under, self._created))

    def write(self, connection: Connection) -> set[str]:
        for follow_up in sorted(self._later, key=lambda one: (one[0].published, one[0].id)):
            self._post_under(*follow_up)
        self._folding.write()
        for name, post, action, version, reason, subscription in self._folding.orders:
            self._order(name, post, action, version, reason, subscription)
        insert_rows(connection, tagged, ("tag", "post"), [*self._tagged])
        wake = [(name, adapter, self._created) for name, adapter in sorted(self._adapters.items())]
        insert_rows(connection, destinations, ("name", "adapter", "due"), wake, _WAKE)
        update_rows(connection, deliveries, ("state", "note", "settled"), "id", self._cancelled)
        insert_rows(connection, deliveries, _COLUMNS, self._rows)
        return set(self._adapters)


def _waits(row: Record) -> bool:
    return bool(row.state == State.DUE and row.attempts == 0)


def _was_shown(row: Record) -> bool:
    """The post was sent there, or may have been."""
    begun = row.state in {State.SENT, State.SENDING} or (row.state == State.DUE and row.attempts > 0)
    return bool(row.action == Action.SEND and begun)
