"""Lists of threads for the pages: on a hashtag, by an author, in a fold; and the visits that keep a page alive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, BindParameter, Boolean, Connection, Select, bindparam, func, or_, select, update

from relay.ports import Leaf
from relay.store.pages import beginnings_of
from relay.store.tables import folded, folds, posts, subscription_tags, subscriptions, tagged
from relay.store.tags import PUBLIC_TAGS

_VISITED_EVERY = timedelta(days=1)

_root = func.coalesce(posts.c.root, posts.c.uri)
_latest = func.max(posts.c.id)


def _threads(chosen: Select[Any]) -> Select[Any]:
    """Each thread once, by the latest of its posts that were chosen.

    Where the list goes on is told by a number of threads: a post's number would tell how many were kept and not shown.
    """
    return (
        chosen.where(~posts.c.deleted)
        .group_by(_root)
        .order_by(_latest.desc())
        .limit(bindparam("limit", type_=BigInteger))
        .offset(bindparam("skip", type_=BigInteger))
    )


_other = posts.alias("other")
_hides = (
    select(_other.c.id).where(_other.c.root == posts.c.root, ~_other.c.deleted, ~_other.c.listed).correlate(posts)
).exists()
_ROWS = select(_root.label("root"))
_PUBLIC = _ROWS.where(posts.c.listed, ~_hides)
"""Posts of threads that may be listed (:func:`relay.consent.showing`), for every list that anybody can open."""
_tag: BindParameter[str] = bindparam("tag")
_is_followed = PUBLIC_TAGS.where(subscription_tags.c.tag == _tag).exists()
_TAGGED = _threads(_PUBLIC.join(tagged, tagged.c.post == posts.c.id).where(tagged.c.tag == _tag, _is_followed))
_FOLDED = _threads(_ROWS.join(folded, folded.c.post == posts.c.id).where(folded.c.fold == bindparam("fold")))
_BY_AUTHOR = _threads(
    _PUBLIC.where(
        posts.c.author == bindparam("author"), posts.c.root.is_not(None), posts.c.source == bindparam("source")
    )
)
_FOLD = select(folds.c.id, folds.c.topic).where(folds.c.slug == bindparam("slug"))
_AUTHOR = select(posts.c.author, posts.c.source).where(posts.c.slug == bindparam("slug"))
_FOLLOWED = PUBLIC_TAGS.distinct().where(subscriptions.c.paused == "").order_by(subscription_tags.c.tag)
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


def list_tagged(connection: Connection, tag: str, limit: int, skip: int) -> Leaf:
    return _leaf(connection, _TAGGED, limit, skip, {"tag": tag})


def list_by_author(connection: Connection, slug: str, limit: int, skip: int) -> Leaf:
    found = connection.execute(_AUTHOR, {"slug": slug}).one_or_none()
    return _leaf(connection, _BY_AUTHOR, limit, skip, found._asdict()) if found else Leaf()


def list_folded(connection: Connection, slug: str, limit: int, skip: int) -> Leaf | None:
    fold = connection.execute(_FOLD, {"slug": slug}).one_or_none()
    return _leaf(connection, _FOLDED, limit, skip, {"fold": fold.id}, fold.topic) if fold else None


def _leaf(
    connection: Connection, listed: Select[Any], limit: int, skip: int, asked: dict[str, Any], topic: str = ""
) -> Leaf:
    roots = connection.execute(listed, {**asked, "skip": skip, "limit": limit + 1}).scalars().all()
    return Leaf(pages=tuple(beginnings_of(connection, roots[:limit])), more=len(roots) > limit, topic=topic)


def list_followed(connection: Connection) -> Sequence[str]:
    return connection.execute(_FOLLOWED).scalars().all()


def save_visit(connection: Connection, slug: str, now: datetime, asked: bool) -> None:  # noqa: FBT001 - called by position across threads
    connection.execute(_VISIT, {"name": slug, "now": now, "since": now - _VISITED_EVERY, "by_author": asked})
