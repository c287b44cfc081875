"""Authors and posts that are taken out for good: what is kept of them goes, and nothing of them is kept again.

What tells that somebody is forgotten is a keyed hash, which names nobody (:mod:`relay.store.keyed`).
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, delete, func, or_, select

from relay.address import page
from relay.model import Author, Deleted, Edited, Post, PostUri, Published
from relay.ports import Forgotten, Intake
from relay.store.content import decode, encode, stub
from relay.store.keyed import digest, get_key
from relay.store.known import load, update_changed
from relay.store.rows import among, insert_rows, serialize, update_rows
from relay.store.tables import aliases, deliveries, forgotten, micros, posts
from relay.store.threads import grow
from relay.store.wishes import add_deliveries

_SOME = select(forgotten.c.digest).limit(1)
_THERE = select(forgotten.c.digest).where(among(forgotten.c.digest, "digests"))
_NOBODY = Author(uri="", name="")


# --- who is forgotten ---


def leave_out(connection: Connection, intakes: Sequence[Intake]) -> Sequence[Intake]:
    """The intakes without what was forgotten, or is of somebody who was. It costs one look where nothing was."""
    if connection.execute(_SOME).first() is None:
        return intakes
    key = get_key(connection)
    names = {post.uri: {digest(key, name) for name in _names(post)} for post in _posts(intakes)}
    asked = set().union(*names.values())
    gone = set(connection.execute(_THERE, {"digests": asked}).scalars()) if asked else set()
    out = {uri for uri, digests in names.items() if digests & gone}
    return [_without(intake, out) for intake in intakes] if out else intakes


def _posts(intakes: Iterable[Intake]) -> Iterator[Post]:
    for intake in intakes:
        yield from (event.post for event in intake.events if isinstance(event, Published | Edited))


def _without(intake: Intake, out: Collection[str]) -> Intake:
    events = tuple(event for event in intake.events if isinstance(event, Deleted) or event.post.uri not in out)
    return replace(intake, events=events, wishes=tuple(wish for wish in intake.wishes if wish.uri not in out))


def _names(post: Post) -> set[str]:
    """By what the post, or its author, may have been forgotten."""
    return {post.uri, *_author_names(post.author)}


def _author_names(author: Author) -> set[str]:
    return {name for name in (author.uri, author.handle.casefold(), page(author.url)) if name}


# --- forgetting ---

_named = select(aliases.c.post).where(among(aliases.c.alias, "refs"))
_OF_POST = select(posts.c.root, posts.c.uri).where(
    or_(posts.c.id.in_(_named), among(posts.c.uri, "refs"), among(posts.c.page, "refs"))
)
_OF_THREADS = select(posts.c.id, posts.c.uri, posts.c.data).where(
    or_(among(posts.c.root, "roots"), among(posts.c.uri, "roots"))
)
_ALL = select(posts.c.id, posts.c.uri, posts.c.data).order_by(posts.c.id)


def save_forgotten(connection: Connection, ref: str, now: datetime) -> Forgotten:
    """``ref`` is an author (uri, handle or profile) or any address of a post: then its whole thread is meant."""
    serialize(connection)
    key = get_key(connection)
    found = _thread_of(connection, ref)
    if found:
        kind, names = "post", {str(post.uri) for _, post in found}
    else:
        kind, names = "author", _as_author(ref)
        found = _written_by(connection, names)
        names |= {name for _, post in found for name in _author_names(post.author)}
    together = f"{kind} {secrets.token_hex(8)}"
    marks = [(digest(key, name), together, micros(now)) for name in sorted(names)]
    insert_rows(connection, forgotten, ("digest", "kind", "at"), marks)
    messages = _take_back(connection, [post.uri for _, post in found], now)
    _scrub(connection, found, key)
    return Forgotten(posts=len(found), messages=messages)


def delete_forgotten(connection: Connection, ref: str) -> bool:
    key = get_key(connection)
    names = {ref.strip(), page(ref), *_as_author(ref)} - {""}
    digests = [digest(key, name) for name in names]
    together = select(forgotten.c.kind).where(forgotten.c.digest.in_(digests))  # all names that were forgotten with it
    gone = connection.execute(delete(forgotten).where(forgotten.c.kind.in_(together)))
    return gone.rowcount > 0


def _as_author(ref: str) -> set[str]:
    text = ref.strip()
    handle = "" if "://" in text or text.startswith("did:") else f"@{text.removeprefix('@')}".casefold()
    return {name for name in (text, handle, page(text)) if name}


def _thread_of(connection: Connection, ref: str) -> list[tuple[int, Post]]:
    refs = {ref.strip(), page(ref)} - {""}
    roots = {row.root or row.uri for row in connection.execute(_OF_POST, {"refs": refs})}
    return [(row.id, decode(row.data)) for row in connection.execute(_OF_THREADS, {"roots": roots})] if roots else []


def _written_by(connection: Connection, names: Collection[str]) -> list[tuple[int, Post]]:
    """All posts are read: who is forgotten is rare, and known by more names than an index has."""
    read = ((row.id, decode(row.data)) for row in connection.execute(_ALL))
    return [(number, post) for number, post in read if _author_names(post.author) & set(names)]


def _take_back(connection: Connection, uris: Sequence[PostUri], now: datetime) -> int:
    """As if the author had deleted them: their messages go too. How many."""
    intake = Intake(feed=None, events=tuple(map(Deleted, uris)))
    known = load(connection, [intake])
    for event in intake.events:
        known.apply(event, frozenset())
    add_deliveries(connection, known, [intake], now)
    update_changed(connection, known, now)
    grow(connection, {entry.root for entry in known if entry.root})
    ids = [entry.id for entry in known]
    counted = select(func.count()).where(among(deliveries.c.post, "ids"), deliveries.c.version == "deleted")
    return connection.scalar(counted, {"ids": ids}) or 0


def _scrub(connection: Connection, found: Sequence[tuple[int, Post]], key: str) -> None:
    """Take the names out of what has to stay until the messages are gone."""
    renamed = {post.uri: PostUri(f"forgotten:{digest(key, post.uri)[:40]}") for _, post in found}
    rows = []
    for number, post in found:
        uri = renamed[post.uri]
        left = replace(stub(post), uri=uri, url=uri, author=_NOBODY, aliases=(), reply_to="")
        rows.append((uri, uri, "", encode(left), None, number))
    update_rows(connection, posts, ("uri", "author", "page", "data", "reply_to"), "id", rows)
    update_rows(connection, posts, ("root",), "root", [(new, old) for old, new in renamed.items()])
    connection.execute(delete(aliases).where(among(aliases.c.post, "ids")), {"ids": [number for number, _ in found]})
