"""Feeds: which are due, who polls them, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, or_, select, update

from relay.model import Feed, FeedId
from relay.records import FeedState, Intake, Lease
from relay.store.rows import Query, Record, among, update_rows
from relay.store.tables import feeds, micros

_FEED = (feeds.c.id, feeds.c.source, feeds.c.address, feeds.c.cursor, feeds.c.seeded, feeds.c.failures)
_now = bindparam("now", type_=feeds.c.next_poll.type)
_limit = bindparam("limit", type_=BigInteger)

_DUE = Query(  # of one source: so they come first in the index, however many are overdue
    select(*_FEED, feeds.c.next_poll)
    .where(
        feeds.c.next_poll <= _now,
        or_(feeds.c.leased_until.is_(None), feeds.c.leased_until <= _now),
        feeds.c.source == bindparam("source"),
    )
    .order_by(feeds.c.next_poll, feeds.c.id)
    .limit(_limit)
    .with_for_update(skip_locked=True)
)
_LEASE = Query(
    update(feeds).where(among(feeds.c.id, "ids")).values(leased_by=bindparam("owner"), leased_until=bindparam("until"))
)
_HOLD = (
    update(feeds)
    .where(among(feeds.c.id, "ids"), feeds.c.leased_by == bindparam("owner"))
    .values(leased_until=bindparam("until"))
)
_BUSY = Query(
    select(feeds.c.id)
    .where(among(feeds.c.id, "ids"), feeds.c.leased_until > _now)
    .order_by(feeds.c.id)
    .with_for_update()
)
_DUE_NOW = Query(
    update(feeds)
    .where(among(feeds.c.id, "ids"), feeds.c.stopped == "", feeds.c.next_poll > _now)
    .values(next_poll=_now)
)
_NEXT_FREE = (  # of one source: so it is the first in the index
    select(feeds.c.next_poll)
    .where(feeds.c.source == bindparam("source"), feeds.c.next_poll.is_not(None), feeds.c.leased_until.is_(None))
    .order_by(feeds.c.next_poll)
    .limit(1)
)
_NEXT_LEASED = (  # by the index of what is leased; that of the sources would lead through all of their feeds
    select(feeds.c.leased_until)
    .where(
        feeds.c.leased_until.is_not(None), feeds.c.next_poll.is_not(None), among(feeds.c.source.concat(""), "sources")
    )
    .order_by(feeds.c.leased_until)
    .limit(1)
)
_HELD = Query(
    select(feeds.c.id, feeds.c.cursor, feeds.c.seeded)
    .where(among(feeds.c.id, "ids"), feeds.c.leased_by == bindparam("owner"))
    .order_by(feeds.c.id)
    .with_for_update()
)
_POLLED = ("cursor", "next_poll", "seeded", "failures", "stopped", "note", "polled", "leased_by", "leased_until")
_STATE = select(*_FEED, feeds.c.polled, feeds.c.next_poll, feeds.c.stopped, feeds.c.note)
_LIST = _STATE.order_by(feeds.c.source, feeds.c.address)
_SOME = Query(_STATE.where(among(feeds.c.id, "ids")))


def claim_feeds(connection: Connection, sources: Sequence[str], lease: Lease, limit: int) -> list[Feed]:
    """Lease feeds that are due, longest overdue first."""
    due = (row for source in sources for row in _DUE(connection, source=source, now=lease.now, limit=limit))
    rows = sorted(due, key=lambda row: (row.next_poll, row.id))[:limit]
    if rows:
        _LEASE(connection, ids=[row.id for row in rows], owner=lease.owner, until=lease.until)
    return [_feed(row) for row in rows]


def get_next_poll(connection: Connection, sources: Sequence[str]) -> datetime | None:
    """When the next feed is due or its lease lapses."""
    times = [connection.scalar(_NEXT_FREE, {"source": source}) for source in sources]
    times.append(connection.scalar(_NEXT_LEASED, {"sources": sources}))
    return min((time for time in times if time), default=None)


def save_due(connection: Connection, due: Sequence[FeedId], now: datetime) -> list[FeedId]:
    """Have feeds polled now; those that are being polled already, which are answered, stay as they are."""
    busy = [row.id for row in _BUSY(connection, ids=due, now=now)]
    _DUE_NOW(connection, ids=[one for one in due if one not in busy], now=now)
    return busy


def save_feed_leases(connection: Connection, held: Sequence[FeedId], lease: Lease) -> None:
    """Hold on to feeds whose poll is still under way."""
    connection.execute(_HOLD, {"ids": held, "owner": lease.owner, "until": lease.until})


def save_polled(connection: Connection, intakes: Sequence[Intake], lease: Lease) -> tuple[list[Intake], list[FeedId]]:
    """Write what became of the feeds and free them. Returns the intakes that stand, and the feeds that were lost."""
    ids = {intake.feed for intake in intakes if intake.feed is not None}
    held: dict[int, tuple[str, bool]] = {}
    if ids:
        held = {row.id: (row.cursor, bool(row.seeded)) for row in _HELD(connection, ids=ids, owner=lease.owner)}
    standing = [intake for intake in intakes if intake.feed is None or intake.feed in held]
    rows: dict[int, tuple[Any, ...]] = {}
    now = micros(lease.now)
    for intake in standing:
        if intake.feed is not None:
            cursor, seeded = held[intake.feed]
            read = cursor if intake.cursor is None else intake.cursor
            held[intake.feed] = read, seeded if intake.seeded is None else intake.seeded
            rows[intake.feed] = _polled_row(intake, intake.feed, *held[intake.feed], now)
    update_rows(connection, feeds, _POLLED, "id", list(rows.values()))
    return standing, sorted(ids - held.keys())


def _polled_row(intake: Intake, feed: FeedId, cursor: str, seeded: bool, now: int) -> tuple[Any, ...]:  # noqa: FBT001 - a row's value
    next_poll = None if intake.stopped or intake.next_poll is None else micros(intake.next_poll)
    return (cursor, next_poll, seeded, intake.failures, intake.stopped, intake.note, now, "", None, feed)


def list_feeds(connection: Connection) -> list[FeedState]:
    return [_state(row) for row in connection.execute(_LIST)]


def list_some_feeds(connection: Connection, ids: Sequence[FeedId]) -> list[FeedState]:
    return [_state(row) for row in _SOME(connection, ids=ids)]


def _state(row: Record) -> FeedState:
    return FeedState(feed=_feed(row), polled=row.polled, next_poll=row.next_poll, stopped=row.stopped, note=row.note)


def _feed(row: Record) -> Feed:
    return Feed(
        id=row.id, source=row.source, address=row.address, cursor=row.cursor, seeded=row.seeded, failures=row.failures
    )
