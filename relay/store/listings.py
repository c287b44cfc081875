"""Lists of threads for the pages: on a hashtag, by an author, in a fold; and the visits that keep a page alive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Boolean, Connection, Select, bindparam, func, or_, select, update

from relay.ports import Leaf
from relay.store.pages import pages_of
from relay.store.tables import folded, folds, posts, subscription_tags, subscriptions, tagged

_FIRST = 2**62
"""Later than any post."""
_VISITED_EVERY = timedelta(days=1)

_root = func.coalesce(posts.c.root, posts.c.uri)
_latest = func.max(posts.c.id)


def _threads(listed: Select[Any]) -> Select[Any]:
    """Each thread once, by its latest post that is listed."""
    return (
        listed.where(~posts.c.deleted)
        .group_by(_root)
        .having(_latest < bindparam("before", type_=BigInteger))
        .order_by(_latest.desc())
        .limit(bindparam("limit", type_=BigInteger))
    )


_ROWS = select(_root.label("root"), _latest.label("latest"))
_TAGGED = _threads(_ROWS.join(tagged, tagged.c.post == posts.c.id).where(tagged.c.tag == bindparam("tag")))
_FOLDED = _threads(_ROWS.join(folded, folded.c.post == posts.c.id).where(folded.c.fold == bindparam("fold")))
_BY_AUTHOR = _threads(
    _ROWS.where(posts.c.author == bindparam("author"), posts.c.root.is_not(None), posts.c.source == bindparam("source"))
)
_FOLD = select(folds.c.id, folds.c.topic).where(folds.c.slug == bindparam("slug"))
_AUTHOR = select(posts.c.author, posts.c.source).where(posts.c.slug == bindparam("slug"))
_FOLLOWED = (
    select(subscription_tags.c.tag)
    .distinct()
    .join(subscriptions, subscriptions.c.id == subscription_tags.c.subscription)
    .where(subscriptions.c.paused == "")
    .order_by(subscription_tags.c.tag)
)
_now = bindparam("now", type_=posts.c.visited.type)
_by_author = bindparam("by_author", type_=Boolean)
_stale = or_(posts.c.visited.is_(None), posts.c.visited < bindparam("since", type_=posts.c.visited.type), _by_author)
_member = posts.alias("member")
_of_slug = select(func.coalesce(_member.c.root, _member.c.uri)).where(_member.c.slug == bindparam("name"))
_VISIT = (
    update(posts)
    .where(posts.c.uri == _of_slug.scalar_subquery(), _stale)
    .values(visited=_now, asked=or_(posts.c.asked, _by_author))
)


def list_tagged(connection: Connection, tag: str, limit: int, before: int | None) -> Leaf:
    return _leaf(connection, _TAGGED, limit, before, {"tag": tag})


def list_by_author(connection: Connection, slug: str, limit: int, before: int | None) -> Leaf:
    found = connection.execute(_AUTHOR, {"slug": slug}).one_or_none()
    return _leaf(connection, _BY_AUTHOR, limit, before, found._asdict()) if found else Leaf()


def list_folded(connection: Connection, slug: str, limit: int, before: int | None) -> Leaf | None:
    fold = connection.execute(_FOLD, {"slug": slug}).one_or_none()
    return _leaf(connection, _FOLDED, limit, before, {"fold": fold.id}, fold.topic) if fold else None


def _leaf(
    connection: Connection, listed: Select[Any], limit: int, before: int | None, asked: dict[str, Any], topic: str = ""
) -> Leaf:
    wanted = {**asked, "before": before or _FIRST, "limit": limit + 1}
    rows = connection.execute(listed, wanted).all()
    more = len(rows) > limit
    return Leaf(
        pages=tuple(pages_of(connection, [row.root for row in rows[:limit]])),
        before=rows[limit - 1].latest if more else None,
        topic=topic,
    )


def list_followed(connection: Connection) -> Sequence[str]:
    return connection.execute(_FOLLOWED).scalars().all()


def save_visit(connection: Connection, slug: str, now: datetime, asked: bool) -> None:  # noqa: FBT001 - called by position across threads
    connection.execute(_VISIT, {"name": slug, "now": now, "since": now - _VISITED_EVERY, "by_author": asked})
