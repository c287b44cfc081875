"""Lists of threads for the pages: on a hashtag, by an author, in a digest; and the visits that keep a page alive."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Boolean, Connection, bindparam, func, or_, select, update

from relay.records import ListKind, ListPart, Page, ThreadList
from relay.store.page_versions import get_topic, older, threads_of
from relay.store.pages import beginnings_of
from relay.store.tables import posts

_VISITED_EVERY = timedelta(days=1)

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


def list_pages(connection: Connection, limit: int) -> list[Page]:
    """The latest threads of two posts or more whose authors allow lists, newest growth first."""
    listed = _list(connection, ListPart(kind=ListKind.LATEST, limit=limit))
    return list(listed.pages) if listed else []


def list_tagged(connection: Connection, tag: str, limit: int, after: str = "") -> ThreadList:
    """The threads that may be listed and of which something was relayed on a folded hashtag, the latest first.

    None of a hashtag that no public subscription follows: whether others follow it is nobody's business.
    """
    return _list(connection, ListPart(kind=ListKind.TAG, name=tag, limit=limit, after=after)) or ThreadList()


def list_by_author(connection: Connection, slug: str, limit: int, after: str = "") -> ThreadList:
    """The threads of two posts or more that may be listed, by the author of this page, newest growth first."""
    return _list(connection, ListPart(kind=ListKind.AUTHOR, name=slug, limit=limit, after=after)) or ThreadList()


def list_digest(connection: Connection, slug: str, limit: int, after: str = "") -> ThreadList | None:
    """The threads whose posts share the message of a digest, the latest first; None where there is no such digest.

    Whether they may be listed makes no difference here: :func:`relay.core.consent.showing` says what is shown of each.
    """
    listed = _list(connection, ListPart(kind=ListKind.DIGEST, name=slug, limit=limit, after=after))
    return replace(listed, topic=get_topic(connection, slug)) if listed else None


def _list(connection: Connection, part: ListPart) -> ThreadList | None:
    rows = threads_of(connection, part)
    if rows is None:
        return None
    pages = beginnings_of(connection, [row.root for row in rows[: part.limit]])
    return ThreadList(pages=tuple(pages), older=older(rows, part))


def save_visit(connection: Connection, slug: str, now: datetime, *, asked: bool = False) -> None:
    """Note that a page is read or asked for; ``asked``: by the author, for good."""
    connection.execute(_VISIT, {"name": slug, "now": now, "since": now - _VISITED_EVERY, "by_author": asked})
