"""Keeping threads together: one author's replies to their own posts, in whatever order they arrive.

Every member of a thread of two or more names its root. A post joins the thread of the post that it answers, and adopts
the threads that begin with an answer to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, case, false, func, or_, select, update

from relay.core.consent import forbids_lists
from relay.store.batch import PostBatch
from relay.store.rows import Query, among, update_rows
from relay.store.tables import posts, tagged

_thread = func.coalesce(posts.c.root, posts.c.uri)

_ANSWERS = Query(
    select(posts.c.uri, posts.c.author, posts.c.root, posts.c.reply_to).where(among(posts.c.reply_to, "names"))
)

_member = posts.alias("member")
_may_be_listed = and_(func.count() >= 2, func.min(case((_member.c.listed, 1), else_=0)) == 1)
_GROW = Query(
    update(posts)
    .where(among(posts.c.uri, "roots"))
    .values(
        version=posts.c.version + 1,
        grown=select(case((_may_be_listed, func.max(_member.c.published))))
        .where(_member.c.root == posts.c.uri, ~_member.c.deleted)
        .scalar_subquery(),
    )
)
_LISTED = Query(select(_thread.label("thread")).distinct().where(among(posts.c.author, "authors"), posts.c.listed))
_FORBID = Query(update(posts).where(among(posts.c.author, "authors"), posts.c.listed).values(listed=false()))


_is_member = tagged.c.post.in_(select(posts.c.id).where(or_(among(posts.c.root, "roots"), among(posts.c.uri, "roots"))))
_SHOWN = Query(select(tagged.c.tag, tagged.c.post).where(_is_member, tagged.c.shown))
_other = posts.alias("other")
_hides = (
    select(_other.c.id).where(_other.c.root == posts.c.root, ~_other.c.deleted, ~_other.c.listed).correlate(posts)
).exists()
_TO_SHOW = Query(
    select(tagged.c.tag, func.max(tagged.c.post).label("latest"))
    .join(posts, posts.c.id == tagged.c.post)
    .where(_is_member, ~posts.c.deleted, posts.c.listed, ~_hides)
    .group_by(tagged.c.tag, _thread)
)
_SHOW = (
    update(tagged)
    .where(tagged.c.tag == bindparam("of_tag"), tagged.c.post == bindparam("of_post"))
    .values(shown=bindparam("now"))
)


class _Roots:
    """Union-find over the roots of threads: the child's thread goes under the parent's."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def find(self, root: str) -> str:
        while (above := self._above.get(root, root)) != root:
            root = above
        return root

    def join(self, child: str, parent: str) -> None:
        self._above[self.find(child)] = self.find(parent)


class _Member(NamedTuple):
    uri: str
    root: str | None


def join_threads(connection: Connection, batch: PostBatch) -> set[str]:
    """Find the threads of the posts that are new, and move what was there before. Returns the roots concerned."""
    roots = _Roots()
    members: set[_Member] = set()
    for child, parent in (*_answers_of_new(batch), *_answers_to_new(connection, batch)):
        roots.join(child.root or child.uri, parent.root or parent.uri)
        members |= {child, parent}
    return _move(connection, batch, {member: roots.find(member.root or member.uri) for member in members})


def _answers_of_new(batch: PostBatch) -> Iterator[tuple[_Member, _Member]]:
    for entry in batch:
        parent = batch.find(entry.post.reply_to) if entry.new and entry.post.reply_to else None
        if parent and parent is not entry and parent.author == entry.author:
            yield _Member(entry.uri, None), _Member(parent.uri, parent.root)


def _answers_to_new(connection: Connection, batch: PostBatch) -> Iterator[tuple[_Member, _Member]]:
    new = {name for entry in batch if entry.new for name in (entry.uri, *entry.post.aliases)}
    for row in _ANSWERS(connection, names=new) if new else ():
        parent = batch.find(row.reply_to)
        if parent and parent.new and parent.author == row.author:
            yield _Member(row.uri, row.root), _Member(parent.uri, None)


def _move(connection: Connection, batch: PostBatch, joined: dict[_Member, str]) -> set[str]:
    moved = {member.root: root for member, root in joined.items() if member.root and member.root != root}
    single = [(root, member.uri) for member, root in joined.items() if not member.root]
    update_rows(connection, posts, ("root",), "uri", single)
    update_rows(connection, posts, ("root",), "root", [(root, former) for former, root in moved.items()])
    for root, uri in single:
        if entry := batch.entries.get(uri):
            entry.root = root
    for entry in batch if moved else ():
        entry.root = moved.get(entry.root or "", entry.root)
    return moved.keys() | joined.values()


def forbid_lists(connection: Connection, batch: PostBatch) -> None:
    """Threads of authors who say no to lists now are in none any more, whatever they said when these were written."""
    authors = {entry.author for entry in batch if (entry.new or entry.touched) and forbids_lists(entry.post)}
    listed = {row.thread for row in _LISTED(connection, authors=authors)} if authors else set()
    if listed:
        _FORBID(connection, authors=authors)
        note_change(connection, listed)


def note_change(connection: Connection, threads: Collection[str]) -> None:
    """Note what these threads are by now, each named by its root, or its only post: pages show something else of it.

    With it goes when they last grew, if they may be listed: of two posts or more, by an author who allows it.
    """
    if threads:
        _GROW(connection, roots=threads)
        list_by_tag(connection, threads)


def list_by_tag(connection: Connection, threads: Collection[str]) -> None:
    """Let each of these threads be listed once on each of its hashtags, or not at all, as it is by now."""
    if not threads:
        return
    before = {(row.tag, row.post) for row in _SHOWN(connection, roots=threads)}
    after = {(row.tag, row.latest) for row in _TO_SHOW(connection, roots=threads)}
    rows = [{"of_tag": tag, "of_post": post, "now": False} for tag, post in sorted(before - after)]
    rows += [{"of_tag": tag, "of_post": post, "now": True} for tag, post in sorted(after - before)]
    if rows:
        connection.execute(_SHOW, rows)
