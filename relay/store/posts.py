"""Posts after they were stored: which are to be re-checked, and which may be forgotten."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, bindparam, delete, or_, select, update

from relay.model import Post
from relay.ports import Lease
from relay.store.content import decode
from relay.store.names import delete_names
from relay.store.rows import among, serialize
from relay.store.tables import aliases, deliveries, folded, posts, tagged

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
    origin = connection.scalar(_ORIGIN, {"source": source, "now": lease.now})
    if origin is None:
        return []
    wanted = {"source": source, "now": lease.now, "origin": origin, "limit": limit}
    rows = connection.execute(_CHECKS, wanted).all()
    connection.execute(_CHECKING, {"uris": [row.uri for row in rows], "until": lease.until})
    return [decode(row.data) for row in rows]


_THREADS_AT_ONCE = 200
_mate = posts.alias("mate")
_before = bindparam("before", type_=posts.c.seen.type)


def _waits(post: ColumnElement[int]) -> ColumnElement[bool]:
    return select(deliveries.c.id).where(deliveries.c.post == post, deliveries.c.settled.is_(None)).exists()


_OLD = (
    select(posts.c.uri)
    .where(
        or_(posts.c.root.is_(None), posts.c.root == posts.c.uri),
        posts.c.seen < _before,
        ~_waits(posts.c.id),
        ~select(_mate.c.uri)
        .where(_mate.c.root == posts.c.uri, or_(_mate.c.seen >= _before, _waits(_mate.c.id)))
        .exists(),
    )
    .limit(_THREADS_AT_ONCE)
)
_THREADS = select(posts.c.id, posts.c.author).where(or_(among(posts.c.uri, "roots"), among(posts.c.root, "roots")))
_LEFT = select(posts.c.author).distinct().where(among(posts.c.author, "authors"))


def delete_old(connection: Connection, before: datetime) -> int:
    """Forget some threads, each whole, of which nothing is newer and nothing waits; 0 once there are no more."""
    serialize(connection)
    roots = connection.execute(_OLD, {"before": before}).scalars().all()
    old = connection.execute(_THREADS, {"roots": roots}).all()
    authors = {post.author for post in old}
    for column in (deliveries.c.post, aliases.c.post, tagged.c.post, folded.c.post, posts.c.id):
        connection.execute(delete(column.table).where(among(column, "ids")), {"ids": [post.id for post in old]})
    left = connection.execute(_LEFT, {"authors": authors}).scalars()
    delete_names(connection, authors - set(left))
    return len(old)
