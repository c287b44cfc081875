"""Keeping threads together: one author's replies to their own posts, in whatever order they arrive.

Every member of a thread of two or more names its root. A post joins the thread of the post that it answers, and adopts
the threads that begin with an answer to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, and_, case, false, func, null, select, update

from relay.consent import forbids_lists
from relay.store.known import Known
from relay.store.rows import Query, among, update_rows
from relay.store.tables import posts

_ANSWERS = Query(
    select(posts.c.uri, posts.c.author, posts.c.root, posts.c.reply_to).where(among(posts.c.reply_to, "names"))
)

_member = posts.alias("member")
_may_be_listed = and_(func.count() >= 2, func.min(case((_member.c.listed, 1), else_=0)) == 1)
_GROW = Query(
    update(posts)
    .where(among(posts.c.uri, "roots"))
    .values(
        grown=select(case((_may_be_listed, func.max(_member.c.published))))
        .where(_member.c.root == posts.c.uri, ~_member.c.deleted)
        .scalar_subquery()
    )
)


_FORBID = Query(
    update(posts).where(among(posts.c.author, "authors"), posts.c.listed).values(listed=false(), grown=null())
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


def join_threads(connection: Connection, known: Known) -> set[str]:
    """Find the threads of the posts that are new, and move what was there before. Returns the roots concerned."""
    roots = _Roots()
    members: set[_Member] = set()
    for child, parent in (*_answers_of_new(known), *_answers_to_new(connection, known)):
        roots.join(child.root or child.uri, parent.root or parent.uri)
        members |= {child, parent}
    return _move(connection, known, {member: roots.find(member.root or member.uri) for member in members})


def _answers_of_new(known: Known) -> Iterator[tuple[_Member, _Member]]:
    for entry in known:
        parent = known.find(entry.post.reply_to) if entry.new and entry.post.reply_to else None
        if parent and parent is not entry and parent.author == entry.author:
            yield _Member(entry.uri, None), _Member(parent.uri, parent.root)


def _answers_to_new(connection: Connection, known: Known) -> Iterator[tuple[_Member, _Member]]:
    new = {name for entry in known if entry.new for name in (entry.uri, *entry.post.aliases)}
    for row in _ANSWERS(connection, names=new) if new else ():
        parent = known.find(row.reply_to)
        if parent and parent.new and parent.author == row.author:
            yield _Member(row.uri, row.root), _Member(parent.uri, None)


def _move(connection: Connection, known: Known, joined: dict[_Member, str]) -> set[str]:
    moved = {member.root: root for member, root in joined.items() if member.root and member.root != root}
    single = [(root, member.uri) for member, root in joined.items() if not member.root]
    update_rows(connection, posts, ("root",), "uri", single)
    update_rows(connection, posts, ("root",), "root", [(root, former) for former, root in moved.items()])
    for root, uri in single:
        if entry := known.entries.get(uri):
            entry.root = root
    for entry in known if moved else ():
        entry.root = moved.get(entry.root or "", entry.root)
    return moved.keys() | joined.values()


def forbid_lists(connection: Connection, known: Known) -> None:
    """Threads of authors who say no to lists now are in none any more, whatever they said when these were written."""
    authors = {entry.author for entry in known if (entry.new or entry.touched) and forbids_lists(entry.post)}
    if authors:
        _FORBID(connection, authors=authors)


def grow(connection: Connection, roots: Collection[str]) -> None:
    """Note when these threads last grew, if they may be listed: of two posts or more, by an author who allows it."""
    if roots:
        _GROW(connection, roots=roots)
