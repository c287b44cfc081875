"""When threads are to be looked at again: some times after each growth, then no more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, bindparam, func, select, update

from relay.core.schedule import next_look
from relay.records import Lease, Page
from relay.store.batch import PostBatch
from relay.store.pages import pages_of
from relay.store.rows import Query, among, update_rows
from relay.store.tables import micros, posts

_OVERDUE = (
    select(posts.c.uri, posts.c.root)
    .where(
        among(posts.c.source, "sources"),
        posts.c.next_look <= bindparam("now", type_=posts.c.next_look.type),
    )
    .order_by(posts.c.next_look)
    .limit(bindparam("limit", type_=BigInteger))
    .with_for_update(skip_locked=True)
)
_CLAIM = update(posts).where(among(posts.c.uri, "uris")).values(next_look=bindparam("until"))
_NEXT = select(func.min(posts.c.next_look)).where(among(posts.c.source, "sources"), posts.c.next_look.is_not(None))
_GREW = Query(select(posts.c.uri, posts.c.grew).where(among(posts.c.uri, "uris")))


def claim_looks(connection: Connection, sources: Sequence[str], lease: Lease, limit: int) -> list[Page]:
    """Threads that are due to be looked at, but for those that joined another; due again when the lease lapses."""
    wanted = {"sources": sources, "now": lease.now, "limit": limit}
    rows = connection.execute(_OVERDUE, wanted).all()
    joined = [(None, row.uri) for row in rows if row.root and row.root != row.uri]
    update_rows(connection, posts, ("next_look",), "uri", joined)
    roots = [row.uri for row in rows if not row.root or row.root == row.uri]
    if roots:
        connection.execute(_CLAIM, {"uris": roots, "until": lease.until})
    return pages_of(connection, roots)


def get_next_look(connection: Connection, sources: Sequence[str]) -> datetime | None:
    """When the next thread is to be looked at."""
    due: datetime | None = connection.scalar(_NEXT, {"sources": sources})
    return due


def save_look(connection: Connection, root: str, then: datetime | None) -> None:
    """Look at a thread again then; None: no more."""
    update_rows(connection, posts, ("next_look",), "uri", [(micros(then) if then else None, root)])


def note_growth(
    connection: Connection, batch: PostBatch, grown: Collection[str], now: datetime, looks: Sequence[timedelta]
) -> None:
    """These threads have just grown, or been relayed for the first time: the looks begin anew.

    Of posts that are new that is not written here, but with them.
    """
    if not looks:
        return
    due = now + looks[0]
    new = [entry for root in grown if (entry := batch.entries.get(root)) and entry.new]
    for entry in new:
        entry.grew, entry.next_look = now, due
    rows = [(micros(now), micros(due), root) for root in sorted(set(grown).difference(entry.uri for entry in new))]
    update_rows(connection, posts, ("grew", "next_look"), "uri", rows)


def note_look(connection: Connection, looked: Collection[str], now: datetime, looks: Sequence[timedelta]) -> None:
    """These were looked at and had not grown: on to the next time, if there is one."""
    if not looked:
        return
    rows = []
    for row in _GREW(connection, uris=looked):
        then = next_look(row.grew, now, looks) if row.grew else None
        rows.append((micros(then) if then else None, row.uri))
    update_rows(connection, posts, ("next_look",), "uri", rows)
