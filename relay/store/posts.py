"""Posts after they were stored: which are to be re-checked, and which may be forgotten."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, bindparam, delete, or_, select, update

from relay.model import Post
from relay.records import Lease
from relay.store.content import decode
from relay.store.counters import count_posts
from relay.store.rows import Query, among, serialize
from relay.store.tables import EPOCH, aliases, author_names, deliveries, folded, folds, posts, tagged

_overdue = (
    posts.c.source == bindparam("source"),
    posts.c.next_check <= bindparam("now", type_=posts.c.next_check.type),
)
_ORIGIN = select(posts.c.origin).where(*_overdue).order_by(posts.c.next_check).limit(1)
_CHECKS = (
    select(posts.c.uri, posts.c.data)
    .where(*_overdue, posts.c.origin == bindparam("origin"))
    .order_by(posts.c.next_check)
    .limit(bindparam("limit", type_=BigInteger))
    .with_for_update(skip_locked=True)
)
_CHECKING = update(posts).where(among(posts.c.uri, "uris")).values(next_check=bindparam("until"))


def claim_rechecks(connection: Connection, source: str, lease: Lease, limit: int) -> list[Post]:
    """Posts of one origin that are due to be re-checked; they are due again when the lease lapses."""
    origin = connection.scalar(_ORIGIN, {"source": source, "now": lease.now})
    if origin is None:
        return []
    wanted = {"source": source, "now": lease.now, "origin": origin, "limit": limit}
    rows = connection.execute(_CHECKS, wanted).all()
    connection.execute(_CHECKING, {"uris": [row.uri for row in rows], "until": lease.until})
    return [decode(row.data) for row in rows]


_POSTS_AT_ONCE = 50
_SLICE = timedelta(milliseconds=10)
_mate = posts.alias("mate")
_before = bindparam("before", type_=posts.c.seen.type)


def _waits(of: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(deliveries.c.id).where(of, deliveries.c.settled.is_(None)).exists()


_NEXT = Query(
    select(posts.c.id, posts.c.seen)
    .where(
        posts.c.seen >= bindparam("since", type_=posts.c.seen.type),
        posts.c.seen < _before,
        or_(posts.c.seen > bindparam("since", type_=posts.c.seen.type), posts.c.id > bindparam("last")),
    )
    .order_by(posts.c.seen, posts.c.id)
    .limit(_POSTS_AT_ONCE)
)
_OLD = Query(
    select(posts.c.uri).where(
        among(posts.c.id, "ids"),
        or_(posts.c.root.is_(None), posts.c.root == posts.c.uri),
        ~_waits(deliveries.c.post == posts.c.id),
        ~select(_mate.c.uri)
        .where(_mate.c.root == posts.c.uri, or_(_mate.c.seen >= _before, _waits(deliveries.c.post == _mate.c.id)))
        .exists(),
    )
)
_THREADS = Query(
    select(posts.c.id, posts.c.author).where(or_(among(posts.c.uri, "roots"), among(posts.c.root, "roots")))
)
_NAMELESS = delete(author_names).where(
    among(author_names.c.author, "authors"), ~select(posts.c.id).where(posts.c.author == author_names.c.author).exists()
)


@dataclass(frozen=True, slots=True)
class ForgottenSlice:
    """What one transaction came to: how many posts it forgot, and where the next one goes on; None: that was all."""

    posts: int
    place: tuple[datetime, int] | None


_BEGIN = (EPOCH - timedelta(days=1), 0)


def delete_old(
    connection: Connection, before: datetime, place: tuple[datetime, int] | None = None, within: timedelta = _SLICE
) -> ForgottenSlice:
    """Forget threads, each whole, of which nothing is newer and nothing waits, until ``within`` has passed.

    Posts are looked at in the order in which they were seen, from ``place`` on.
    """
    serialize(connection)
    until = time.monotonic() + within.total_seconds()
    count, (since, last) = 0, place or _BEGIN
    while rows := _NEXT(connection, before=before, since=since, last=last):
        since, last = rows[-1].seen, rows[-1].id
        roots = [row.uri for row in _OLD(connection, ids=[row.id for row in rows], before=before)]
        count += _forget(connection, roots) if roots else 0
        if time.monotonic() >= until:
            return ForgottenSlice(count, (since, last))
    return ForgottenSlice(count, None)


def _forget(connection: Connection, roots: Collection[str]) -> int:
    old = _THREADS(connection, roots=roots)
    ids = [post.id for post in old]
    for column in (deliveries.c.post, aliases.c.post, tagged.c.post, folded.c.post, posts.c.id):
        connection.execute(delete(column.table).where(among(column, "ids")), {"ids": ids})
    connection.execute(_NAMELESS, {"authors": {post.author for post in old}})
    count_posts(connection, -len(old))
    return len(old)


_PAST = Query(
    select(folds.c.id)
    .where(
        or_(
            folds.c.closed < bindparam("before", type_=folds.c.closed.type),
            and_(folds.c.closed.is_(None), folds.c.due.is_(None), folds.c.opened < _before),  # nobody came to close it
        ),
        ~select(folded.c.post).where(folded.c.fold == folds.c.id).exists(),
        ~_waits(deliveries.c.digest == folds.c.id),
    )
    .limit(_POSTS_AT_ONCE)
)


def delete_past_digests(connection: Connection, before: datetime) -> int:
    """Forget some digests of which all posts are forgotten, with their deliveries; 0 once there are no more."""
    ids = [row.id for row in _PAST(connection, before=before)]
    if ids:
        serialize(connection)
        connection.execute(delete(deliveries).where(among(deliveries.c.digest, "ids")), {"ids": ids})
        connection.execute(delete(folds).where(among(folds.c.id, "ids")), {"ids": ids})
    return len(ids)
