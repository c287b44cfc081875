"""Reading threads for the pages, and the numbers beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

from sqlalchemy import Connection, Text, bindparam, case, func, or_, select

from relay.core.authenticity import is_home
from relay.core.unroll import unroll
from relay.model import Post, PostUri, Removed
from relay.records import Page
from relay.store.content import decode
from relay.store.duplicates import foreign_names
from relay.store.forgotten import without_quotes
from relay.store.hashes import short, short_page
from relay.store.rows import Record, among
from relay.store.tables import EMPTY, aliases, posts

_thread = func.coalesce(posts.c.root, posts.c.uri)
_ref = bindparam("ref", type_=Text)
_there = bindparam("page", type_=Text)
_OF_SLUG = select(_thread).where(posts.c.slug == _ref)
_OF_URI = select(_thread).where(posts.c.uri == _ref)
_OF_ALIAS = (
    select(_thread.label("thread"), posts.c.data)
    .join(aliases, aliases.c.post == posts.c.id)
    .where(aliases.c.alias == _ref)
)
_OF_PAGE = (
    select(_thread.label("thread"), posts.c.author, posts.c.origin)
    .where(posts.c.page == _there, posts.c.page != EMPTY)
    .order_by(posts.c.published.desc())
    .limit(100)
)
_LISTED = 20
"""So many posts of a thread are read for a list, which shows how it begins."""
_is_member = or_(among(posts.c.root, "roots"), among(posts.c.uri, "roots"))
_age = (posts.c.published, posts.c.uri)
_ranked = (
    select(posts.c.id, posts.c.uri, func.row_number().over(partition_by=_thread, order_by=_age).label("place"))
    .where(_is_member)
    .subquery()
)
_BEGINNINGS = select(_ranked.c.id).where(or_(_ranked.c.place <= _LISTED, among(_ranked.c.uri, "roots")))
_WHOLE = (
    select(
        _thread.label("thread"),
        func.count().label("length"),
        func.max(posts.c.published).label("published"),
        func.max(posts.c.seen).label("seen"),
        func.min(case((or_(posts.c.deleted, posts.c.listed), 1), else_=0)).label("listed"),
    )
    .where(_is_member)
    .group_by(_thread)
    .having(func.count() > _LISTED)
)
_MEMBERS = select(
    posts.c.uri,
    posts.c.root,
    posts.c.slug,
    posts.c.data,
    posts.c.deleted,
    posts.c.listed,
    posts.c.looked,
    posts.c.reply_to,
    posts.c.asked,
    posts.c.visited,
    posts.c.seen,
).order_by(*_age)
_OF_ROOTS, _OF_IDS = _MEMBERS.where(_is_member), _MEMBERS.where(among(posts.c.id, "ids"))


def get_page(connection: Connection, slug: str) -> Page | None:
    root = connection.scalar(_OF_SLUG, {"ref": slug})
    return pages_of(connection, [root])[0] if root else None


def get_page_of(connection: Connection, ref: str) -> Page | None:
    """The page of the thread in which ``ref`` (uri, alias or web address) stands.

    Who only says that their post is at an address of somebody else's host is not found by it.
    """
    root = connection.scalar(_OF_URI, {"ref": ref}) or _named(connection, ref)
    return pages_of(connection, [root])[0] if root else None


def _named(connection: Connection, ref: str) -> str | None:
    """The thread of what has this alias, or is at this address of its author's own host, or of where it was read."""
    for thread, data in connection.execute(_OF_ALIAS, {"ref": short(ref)}):
        if ref not in foreign_names(decode(data)):
            return str(thread)
    for thread, author, origin in connection.execute(_OF_PAGE, {"page": short_page(ref)}):
        if is_home(ref, author) or is_home(ref, origin):
            return str(thread)
    return None


def pages_of(connection: Connection, roots: Sequence[str]) -> list[Page]:
    return _pages(connection, roots, connection.execute(_OF_ROOTS, {"roots": roots}))


def beginnings_of(connection: Connection, roots: Sequence[str]) -> list[Page]:
    """The threads for a list: of a long one the first posts. What holds of all its posts is told of all."""
    chosen = connection.execute(_BEGINNINGS, {"roots": roots}).scalars().all()
    pages = _pages(connection, roots, connection.execute(_OF_IDS, {"ids": chosen}))
    whole = {row.thread: row for row in connection.execute(_WHOLE, {"roots": roots})}
    return [_as_whole(page, whole[page.root]) if page.root in whole else page for page in pages]


def _as_whole(page: Page, whole: Record) -> Page:
    return replace(
        page,
        more=whole.length - _LISTED,
        updated=max(page.updated, whole.published),
        seen=whole.seen,
        listed=bool(whole.listed),
    )


def _pages(connection: Connection, roots: Sequence[str], rows: Iterable[Record]) -> list[Page]:
    threads: defaultdict[str, list[Record]] = defaultdict(list)
    for row in rows:
        threads[row.root or row.uri].append(row)
    return [_page(connection, root, threads[root]) for root in roots]


def _page(connection: Connection, root: str, rows: Sequence[Record]) -> Page:
    first = next(row for row in rows if row.uri == root)
    read = without_quotes(connection, [decode(row.data) for row in rows])
    shown, asides = _shown(root, rows, read)
    return Page(
        slug=first.slug,
        root=PostUri(root),
        posts=shown,
        looked=first.looked,
        updated=max(post.edited or post.published for post in read),
        asides=asides,
        asked=first.asked,
        visited=first.visited,
        listed=all(row.listed for row in rows if not row.deleted),
        seen=max(row.seen for row in rows),
    )


_Shown = tuple[tuple[Post | Removed, ...], tuple[tuple[Post, ...], ...]]


def _shown(root: str, rows: Sequence[Record], read: Sequence[Post]) -> _Shown:
    """A gap shows where a post was deleted, but not at the end, where nothing is missed; one place always stays."""
    there: list[Post | Removed] = [
        Removed(post.uri, post.aliases, row.reply_to or "") if row.deleted else post
        for row, post in zip(rows, read, strict=True)
    ]
    links = {row.uri: row.reply_to or "" for row in rows}
    thread = unroll(there, root, links=links) if len(there) > 1 else None
    if thread is None:
        return tuple(there[:1]), ()
    known = {post.uri for post in (*thread.posts, *chain.from_iterable(thread.asides))}
    astray = tuple((post,) for post in there if isinstance(post, Post) and post.uri not in known)
    return thread.posts, (*thread.asides, *astray)  # whose answers go round in a circle is beside the thread


def get_nothing(connection: Connection) -> None:
    """Whether the database answers."""
    connection.execute(select(1))
