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

from relay.model import Action, Destination
from relay.ports import Intake, State
from relay.store.known import Entry, Known
from relay.store.rows import Query, Record, among, insert_rows, update_rows
from relay.store.tables import deliveries, destinations, micros

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
_COLUMNS = ("destination", "post", "action", "version", "state", "reason", "subscription", "created")
_SEND, _DUE = Action.SEND.value, State.DUE.value
_CANCELLED = "deleted by its author before it was sent"


def add_deliveries(connection: Connection, known: Known, intakes: Sequence[Intake], now: datetime) -> set[str]:
    """Write what the batch asks of the outbox, and wake the destinations. Returns their names.

    Decides on the next checks of the posts that are wished for, which are not written here.
    """
    twins = known.twins()
    there = _read(connection, known, intakes, twins)
    orders = _Orders(micros(now))
    for entry in known:
        if entry.removed:
            orders.remove(there.get(entry.id, ()))
        elif entry.edited:
            orders.edit(entry, there.get(entry.id, ()))
    asked = {(row.post, row.destination) for rows in there.values() for row in rows}
    for intake in intakes:
        orders.send(intake, known, asked, twins)
    return orders.write(connection)


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

    def __init__(self, created: int) -> None:
        self._created = created
        self._rows: list[tuple[Any, ...]] = []
        self._cancelled: list[tuple[Any, ...]] = []
        self._adapters: dict[str, str] = {}

    def send(self, intake: Intake, known: Known, asked: set[tuple[int, str]], twins: Twins) -> None:
        """Send what the intake wishes for, unless that or a twin of it was asked for before, by whichever path."""
        for wish in intake.wishes:
            entry = known.find(wish.uri)
            if entry is None or entry.deleted:
                continue
            before = len(self._rows)
            same = (entry, *twins.get(entry.uri, ()))
            for name, subscription in wish.by.items():
                if any((one.id, name) in asked for one in same):
                    continue
                asked.add((entry.id, name))
                self._adapters[name] = subscription.destination.adapter
                reason = wish.reason(subscription)
                self._rows.append((name, entry.id, _SEND, "", _DUE, reason, subscription.id, self._created))
            if len(self._rows) > before and intake.next_check and not entry.next_check:
                entry.next_check, entry.checked = intake.next_check, True

    def edit(self, entry: Entry, there: Sequence[Record]) -> None:
        """Edit the messages of a post, except where something waits that will show it as it is by then."""
        waiting = {row.destination for row in there if _waits(row) and row.action != Action.DELETE}
        for row in there:
            if _was_shown(row) and row.destination not in waiting:
                self._follow(row, Action.EDIT, str(entry.revision))

    def remove(self, there: Sequence[Record]) -> None:
        """Delete the messages of a post, and send none of it that was not begun."""
        for row in there:
            if _was_shown(row):
                self._follow(row, Action.DELETE, "deleted")
            elif _waits(row) or (row.action == Action.EDIT and row.state == State.DUE):
                self._cancelled.append((State.SKIPPED.value, _CANCELLED, self._created, row.id))

    def _follow(self, send: Record, action: Action, version: str) -> None:
        name = send.destination
        self._adapters[name] = Destination.parse(name).adapter
        self._rows.append((name, send.post, action.value, version, _DUE, send.reason, send.subscription, self._created))

    def write(self, connection: Connection) -> set[str]:
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
