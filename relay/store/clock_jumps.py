"""The times that wait in the database, brought in line with a clock that jumped.

After a step back everything that waits would wait longer by as much. After a step forward all that is due is due at
once, as after a night in which the relay was off; but leases would lapse under work that is being done, and what was
promised to be erased after a while would be erased at once, which nobody can undo.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Column, Connection, Table, func, or_, select, true, type_coerce, update

from relay.records import Lease
from relay.store.tables import budgets, destinations, feeds, folds, leases, micros, posts, requests, stops

_WAITING = (
    (feeds, feeds.c.next_poll),
    (destinations, destinations.c.due),
    (destinations, destinations.c.not_before),
    (posts, posts.c.next_check),
    (posts, posts.c.next_look),
    (requests, requests.c.due),
    (budgets, budgets.c.until),
)
"""What is to happen after a pause: the pause stays as long as it was."""
_APPOINTED = ((folds, folds.c.due),)
"""What is to happen at a time of day."""
_PAST = (
    (feeds, feeds.c.polled),
    (posts, posts.c.seen),
    (posts, posts.c.looked),
    (posts, posts.c.grew),
    (posts, posts.c.visited),
    (requests, requests.c.at),
    (folds, folds.c.opened),
)
"""What happened, and cannot have happened later than now."""
_CAPPED = (
    (feeds, feeds.c.next_poll),
    (destinations, destinations.c.due),
    (destinations, destinations.c.not_before),
    (requests, requests.c.due),
)
"""What waits for a pause that nobody makes longer than the longest."""
_DAY = timedelta(days=1)


def get_last_poll(connection: Connection) -> datetime | None:
    """When a feed was read last, by the clock of that moment."""
    last: datetime | None = connection.scalar(select(func.max(feeds.c.polled)))
    return last


def save_jump(connection: Connection, jump: timedelta, lease: Lease, longest: timedelta) -> None:
    """Bring what waits in line with a clock that jumped and says ``lease.now`` from then on.

    After a step back everything is due so much earlier. Leases of ``lease.owner`` last until ``lease.until``, and
    nobody's longer. What is due later than ``longest`` from now is due now; a jump of nothing does that alone.
    """
    now, tick = micros(lease.now), timedelta(microseconds=1)
    _move(connection, stops, stops.c.due, min(now, now - jump // tick), jump // tick)
    if jump < timedelta(0):
        for table, column in _WAITING:
            _move(connection, table, column, now, jump // tick)
        days = -jump // _DAY * _DAY
        for table, column in _APPOINTED if days else ():
            _move(connection, table, column, now, -(days // tick))
        for table, column in _PAST:
            _set(connection, table, column, later_than=now, to=now)
    for table, column in _CAPPED:
        _set(connection, table, column, later_than=now + longest // tick, to=now)
    for table in (feeds, destinations, leases):
        until = type_coerce(table.c.leased_until, BigInteger)
        held = or_(table.c.leased_by == lease.owner, until > micros(lease.until))
        if jump:
            connection.execute(update(table).where(until.is_not(None), held).values(leased_until=lease.until))


def save_late_writes(connection: Connection, jump: timedelta, since: datetime, lease: Lease) -> None:
    """Bring in line what was written by a clock from before a step back, after :func:`save_jump` was.

    A poll or an outcome that was under way as the clock was set back may have been told the time from before, and be
    written later. ``since`` is when the clock was set back, by the clock that counts from then on. What is to wait for
    longer than the step was may come earlier by it, once; what is not told apart here would wait for as long as that.
    """
    before, by, now = micros(since - jump), jump // timedelta(microseconds=1), micros(lease.now)
    read = type_coerce(feeds.c.polled, BigInteger) >= micros(since)
    for column, where in ((feeds.c.next_poll, read), (destinations.c.due, true()), (destinations.c.not_before, true())):
        at = type_coerce(column, BigInteger)
        connection.execute(update(column.table).where(at >= before, where).values({column: at + by}))
    for table in (feeds, destinations, leases):
        held = type_coerce(table.c.leased_until, BigInteger) >= before
        own = table.c.leased_by == lease.owner
        connection.execute(update(table).where(own, held).values(leased_until=lease.until))
    _set(connection, feeds, feeds.c.polled, later_than=now, to=now)


def _move(connection: Connection, table: Table, column: Column[object], now: int, by: int) -> None:
    at = type_coerce(column, BigInteger)
    connection.execute(update(table).where(at > now).values({column: at + by}))


def _set(connection: Connection, table: Table, column: Column[object], *, later_than: int, to: int) -> None:
    at = type_coerce(column, BigInteger)
    connection.execute(update(table).where(at > later_than).values({column: type_coerce(to, BigInteger)}))
