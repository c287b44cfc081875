"""Stops: an author, or the thread of a post, is hidden at once, and erased when the time for undoing it has passed.

What is hidden counts as deleted everywhere, but its text is still there; what is erased is gone, and stays out by its
keyed hashes alone. Until then a stop knows whom it is about; afterwards only that it is, and since when.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
from sqlalchemy import Connection, and_, bindparam, case, delete, func, insert, or_, select, union, update

from relay.core.urls import host_of, page
from relay.model import Author, Post, PostUri
from relay.ports import Mention
from relay.records import Allowance, Effect, Forgotten, Stop, StopKind, Undone
from relay.store.batch import load_named
from relay.store.content import decode, encode, stub
from relay.store.counters import count_stop
from relay.store.enqueue import add_deliveries
from relay.store.forgotten import add_marks, list_taken_out
from relay.store.hashes import get_key, keyed_hash, short
from relay.store.names import as_author, authors_called, delete_names, names_called, names_of
from relay.store.requests import save_effect
from relay.store.rows import Record, among, insert_rows, serialize, update_rows
from relay.store.tables import EMPTY, aliases, author_names, deliveries, forgotten, meta, posts, stops
from relay.store.threads import note_change

_NOBODY = Author(uri="", name="")
_COMPACT = "compact"
"""In ``meta``: something was erased whose bytes may stay in the file until it is written anew."""

_POSTS = select(posts.c.id, posts.c.uri, posts.c.root, posts.c.data, posts.c.deleted, posts.c.hidden)
_BY_AUTHORS = _POSTS.where(among(posts.c.author, "authors")).order_by(posts.c.id)
_BY_URIS = _POSTS.where(among(posts.c.uri, "uris")).order_by(posts.c.id)
_OF_THREADS = _POSTS.where(or_(among(posts.c.root, "roots"), among(posts.c.uri, "roots"))).order_by(posts.c.id)
_named = select(aliases.c.post).where(among(aliases.c.alias, "keys"))
_called = posts.c.id.in_(_named), among(posts.c.uri, "refs"), and_(among(posts.c.page, "keys"), posts.c.page != EMPTY)
_OF_POST = union(*(select(posts.c.root, posts.c.uri).where(way) for way in _called))  # each way has its own index
_AUTHOR = (
    select(posts.c.author).where(among(posts.c.author, "names")).limit(1),
    select(author_names.c.author).where(among(author_names.c.name, "names")).limit(1),
)
_MARKED = (
    select(stops).distinct().join(forgotten, forgotten.c.stop == stops.c.id).where(among(forgotten.c.digest, "of"))
)
_HIDE = (
    update(posts).where(among(posts.c.id, "ids"), ~posts.c.deleted).values(deleted=True, hidden=True, next_check=None)
)
_now = bindparam("now", type_=posts.c.next_check.type)
_was_sent = select(deliveries.c.id).where(deliveries.c.post == posts.c.id).exists()
_SHOW = (
    update(posts)
    .where(among(posts.c.id, "ids"))
    .values(
        deleted=False,
        hidden=False,
        next_check=case((_was_sent, _now)),  # nobody looked meanwhile whether it was edited or deleted
        next_look=case((posts.c.grew.is_not(None), _now)),
    )
)
_MESSAGES = select(func.count()).where(among(deliveries.c.post, "ids"), deliveries.c.version == "deleted")
_DUE = select(stops).where(stops.c.due <= bindparam("now", type_=stops.c.due.type)).order_by(stops.c.due).limit(1)
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(tuple[str, ...]).decode

_Found = Sequence[Record]


# --- taking out ---


def save_own_stop(connection: Connection, source: str, mention: Mention, now: datetime, until: datetime) -> Forgotten:
    """Hide all that the asker of a mention wrote, as they ask, and keep nothing of it again; erase it at ``until``.

    That it was carried out is noted at the mention. Messages are deleted as if the author had deleted the posts.

    They are hidden by the uri, and by names for which the uri's host vouches.
    """
    serialize(connection)
    asker = mention.asker
    names = {asker.uri, page(asker.uri), *(names_of(asker) if host_of(asker.uri) else ())} - {""}
    gone = _save(connection, StopKind.OWN, asker.uri, {asker.uri}, names, now, until)
    save_effect(connection, source, mention.uri, Effect.DONE)
    return gone


def save_author_stop(connection: Connection, ref: str, now: datetime, until: datetime) -> Forgotten:
    """Hide all of the author whom ``ref`` names (uri, handle or profile), by the operator's decision."""
    serialize(connection)
    typed = as_author(ref)
    return _save(connection, StopKind.AUTHOR, ref.strip(), typed, authors_called(connection, typed), now, until)


def save_post_stop(connection: Connection, ref: str, now: datetime, until: datetime) -> Forgotten | None:
    """Hide the thread of the post that ``ref`` names; None where none is known by it."""
    serialize(connection)
    found = _thread_of(connection, ref)
    if not found:
        return None
    names = {row.uri for row in found}
    return _save(connection, StopKind.POST, ref.strip(), names, names, now, until)


def get_stop_kind(connection: Connection, ref: str) -> StopKind:
    """What ``ref`` names: an author, or else a post that is known; an author where it may be either.

    The author comes first: a post can claim any address.
    """
    names = as_author(ref)
    if any(connection.scalar(query, {"names": names}) is not None for query in _AUTHOR) or "://" not in ref:
        return StopKind.AUTHOR
    return StopKind.POST if _thread_of(connection, ref) else StopKind.AUTHOR


def _save(
    connection: Connection,
    kind: StopKind,
    ref: str,
    same: Collection[str],
    names: Collection[str],
    now: datetime,
    until: datetime,
) -> Forgotten:
    """``same``: by which of the names a stop of this kind that stands already is recognised."""
    found = _found(connection, kind, names)
    there = next((row for row in _marked(connection, same) if row.kind == kind), None)
    stop = there.id if there else secrets.token_hex(8)
    if there is None:
        new = {"id": stop, "kind": kind.value, "at": now, "due": until, "ref": ref, "names": _text(names)}
        connection.execute(insert(stops).values(new))
    elif there.due is not None or found:
        until = min(there.due or until, until)
        kept = {"due": until, "ref": ref, "names": _text({*_decode(there.names), *names})}
        connection.execute(update(stops).where(stops.c.id == stop).values(kept))
    add_marks(connection, stop, names)
    count_stop(connection)
    standing = [row for row in found if not row.deleted]
    return Forgotten(posts=len(standing), messages=_hide(connection, standing, now), erased=until)


def _text(names: Collection[str]) -> str:
    return _encode(sorted(names)).decode()


def _marked(connection: Connection, names: Collection[str]) -> Sequence[Record]:
    key = get_key(connection)
    return connection.execute(_MARKED, {"of": {keyed_hash(key, name) for name in names}}).all()


def _found(connection: Connection, kind: StopKind, names: Collection[str]) -> _Found:
    if kind is StopKind.POST:
        return connection.execute(_BY_URIS, {"uris": names}).all()
    return connection.execute(_BY_AUTHORS, {"authors": authors_called(connection, names)}).all()


def _thread_of(connection: Connection, ref: str) -> _Found:
    refs = {ref.strip(), page(ref)} - {""}
    roots = {row.root or row.uri for row in connection.execute(_OF_POST, {"refs": refs, "keys": [*map(short, refs)]})}
    return connection.execute(_OF_THREADS, {"roots": roots}).all() if roots else []


def _hide(connection: Connection, found: _Found, now: datetime) -> int:
    """As if the author had deleted them, but for the text, which stays: their messages go. How many."""
    batch = load_named(connection, {row.uri for row in found})
    for entry in batch:
        entry.hide()
    add_deliveries(connection, batch, (), now, Allowance(), release=False)
    ids = [row.id for row in found]
    connection.execute(_HIDE, {"ids": ids})
    note_change(connection, {entry.root or entry.uri for entry in batch})
    return connection.scalar(_MESSAGES, {"ids": ids}) or 0


# --- taking it back ---


def delete_own_stop(connection: Connection, source: str, mention: Mention, now: datetime) -> Undone | None:
    """Undo what the asker of a mention asked for, not what the operator decided; None where there is nothing."""
    serialize(connection)
    own = [row for row in _marked(connection, {mention.asker.uri}) if row.kind == StopKind.OWN]
    undone = _undo(connection, own, now)
    save_effect(connection, source, mention.uri, Effect.DONE if undone else Effect.NOTHING)
    return undone


def delete_stop(connection: Connection, ref: str, now: datetime) -> Undone | None:
    """Undo every stop of the author or the post that ``ref`` names; None where there is none."""
    serialize(connection)
    authors = authors_called(connection, as_author(ref))
    names = {*authors, *names_called(connection, authors), *(row.uri for row in _thread_of(connection, ref))}
    return _undo(connection, _marked(connection, names), now)


def _undo(connection: Connection, undone: Sequence[Record], now: datetime) -> Undone | None:
    if not undone:
        return None
    ids = [row.id for row in undone]
    connection.execute(delete(forgotten).where(forgotten.c.stop.in_(ids)))
    connection.execute(delete(stops).where(stops.c.id.in_(ids)))
    count_stop(connection)
    found = {row.id: row for stop in undone for row in _found(connection, StopKind(stop.kind), _decode(stop.names))}
    hidden = {row.id: decode(row.data) for row in found.values() if row.hidden}
    out = list_taken_out(connection, hidden.values())  # another stop may stand
    back = [number for number, post in hidden.items() if post.uri not in out]
    connection.execute(_SHOW, {"ids": back, "now": now})
    note_change(connection, {found[number].root or found[number].uri for number in back})
    return Undone(posts=len(back), erased=any(stop.due is None for stop in undone))


# --- erasing ---


def save_erased(connection: Connection, now: datetime) -> int | None:
    """Erase what one stop hides whose time has passed, the longest overdue first: how many posts. None: none is due."""
    serialize(connection)
    due = connection.execute(_DUE, {"now": now}).first()
    if due is None:
        return None
    kind, names = StopKind(due.kind), _decode(due.names)
    found = _found(connection, kind, names)
    _hide(connection, [row for row in found if not row.deleted], now)
    _scrub(connection, [(row.id, decode(row.data)) for row in found])
    if kind is not StopKind.POST:
        delete_names(connection, authors_called(connection, names))
    nobody = {"due": None, "ref": "", "names": "[]"}
    connection.execute(update(stops).where(stops.c.id == due.id).values(nobody))
    insert_rows(connection, meta, ("key", "value"), [(_COMPACT, "1")] if found else [])
    return len(found)


def _scrub(connection: Connection, found: Sequence[tuple[int, Post]]) -> None:
    """Take text and names out of what has to stay until the messages are gone."""
    key = get_key(connection)
    renamed = {post.uri: PostUri(f"forgotten:{keyed_hash(key, post.uri)[:40]}") for _, post in found}
    rows = []
    for number, post in found:
        uri = renamed[post.uri]
        left = replace(stub(post), uri=uri, url=uri, author=_NOBODY, aliases=(), reply_to="")
        rows.append((uri, uri, "", encode(left), None, False, number))
    update_rows(connection, posts, ("uri", "author", "page", "data", "reply_to", "hidden"), "id", rows)
    update_rows(connection, posts, ("root",), "root", [(new, old) for old, new in renamed.items()])
    connection.execute(delete(aliases).where(among(aliases.c.post, "ids")), {"ids": [number for number, _ in found]})


def is_to_compact(connection: Connection) -> bool:
    return connection.scalar(select(meta.c.value).where(meta.c.key == _COMPACT)) is not None


def delete_compact(connection: Connection) -> None:
    connection.execute(delete(meta).where(meta.c.key == _COMPACT))


# --- listing ---


def list_stops(connection: Connection) -> list[Stop]:
    """All that stand, the latest first; those that were erased name nobody."""
    rows = connection.execute(select(stops).order_by(stops.c.at.desc(), stops.c.id))
    return [Stop(kind=StopKind(row.kind), ref=row.ref, at=row.at, erased=row.due) for row in rows]
