"""The posts that a batch of intakes speaks of: as the database knows them, and as the batch leaves them.

Events are applied here one after the other, in memory; only what came of them all is written.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select, union_all

from relay.core.authenticity import is_from_home, is_home, may_replace, with_quoted_words
from relay.core.consent import allows_lists
from relay.core.urls import host_of
from relay.model import Deleted, Edited, Event, Post, PostUri, Published
from relay.records import Intake
from relay.store.content import PostChange, change, decode, encode, stub
from relay.store.counters import count_posts
from relay.store.duplicates import Duplicates, claims, find_duplicates, pages
from relay.store.hashes import short, short_page
from relay.store.names import add_names
from relay.store.rows import Query, Record, among, insert_rows, update_rows
from relay.store.tables import EMPTY, aliases, micros, posts

_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
_SEEN_EVERY = timedelta(days=1)  # a feed repeats its posts with every poll: not worth a write each time

_MOST_AT_A_PAGE = 1_000
"""So many posts are looked at that have the pages of a batch: whatever else stands there is shown, not compared."""
_POST = (
    posts.c.id,
    posts.c.uri,
    posts.c.source,
    posts.c.author,
    posts.c.root,
    posts.c.page,
    posts.c.published,
    posts.c.data,
    posts.c.revision,
    posts.c.deleted,
    posts.c.hidden,
    posts.c.seen,
    posts.c.next_check,
)


def _at_pages(*columns: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    return (
        select(*columns)
        .where(among(posts.c.page, "pages"), posts.c.page != EMPTY)
        .order_by((posts.c.id + 0).desc())  # no index has that: else PostgreSQL may read all posts, the newest first
        .limit(_MOST_AT_A_PAGE)
    )


_PAGES = Query(_at_pages(posts.c.uri))
_POSTS = Query(select(*_POST).where(among(posts.c.uri, "names")))
_unnamed = EMPTY.label("alias")
_NAMED = Query(  # in one: each statement costs more than what it finds
    union_all(
        select(*_POST, _unnamed).where(among(posts.c.uri, "names")),
        select(*_POST, aliases.c.alias)
        .join(aliases, aliases.c.post == posts.c.id)
        .where(among(aliases.c.alias, "aliases")),
        select(_at_pages(*_POST, _unnamed).subquery()),
    )
)

_FIELDS = tuple(column.name for column in _POST)
_NEW = (
    "id",
    "uri",
    "slug",
    "source",
    "origin",
    "author",
    "page",
    "published",
    "data",
    "revision",
    "reply_to",
    "root",
    "deleted",
    "listed",
    "seen",
    "next_check",
    "grew",
    "next_look",
)
_CHANGED = ("origin", "author", "page", "published", "data", "revision", "deleted", "hidden", "listed", "next_check")
_RECLAIM = "(alias) DO UPDATE SET post = excluded.post"


@dataclass(slots=True)
class BatchEntry:
    """One post within the transaction."""

    id: int
    uri: str
    source: str
    author: str
    published: datetime
    root: str | None = None
    revision: int = 1
    deleted: bool = False
    hidden: bool = False
    """It counts as deleted because of a stop, which may be undone."""
    next_check: datetime | None = None
    grew: datetime | None = None
    next_look: datetime | None = None
    seen: datetime | None = None
    data: bytes = b""
    page: str = ""
    """A hash of its address as it is compared, as the database has it."""
    read: Post | None = None
    """What ``data`` says, or will say once it is written."""
    new: bool = False
    touched: bool = False
    edited: bool = False
    removed: bool = False
    """It was deleted by this batch."""
    again: bool = False
    """It was published again."""
    checked: bool = False
    """Its next check is to be written."""
    tagged: bool = False
    """It was relayed on hashtags by this batch."""

    @property
    def post(self) -> Post:
        if self.read is None:
            self.read = decode(self.data)
        return self.read

    def delete(self) -> None:
        """Keep none of what it said."""
        self.read = stub(self.post)
        self.hidden = False
        self.touched = True
        self.hide()

    def hide(self) -> None:
        """Treat it as deleted from now on; that is not written by itself."""
        self.deleted = self.removed = True
        self.next_check = None


class PostBatch:
    """Finds posts by uri or alias, among those of the batch and those of the database."""

    def __init__(self, entries: Iterable[BatchEntry], names: dict[str, str], last: int) -> None:
        self.entries = {entry.uri: entry for entry in entries}
        self._names = names
        self._last = last
        self.coined: dict[str, str] = {}
        """Aliases that the batch brought, with the posts that they name."""
        self.reclaimed: dict[str, str] = {}
        """The same for those that another source's post had claimed before."""

    def find(self, ref: str) -> BatchEntry | None:
        return self.entries.get(ref) or self.entries.get(self._names.get(ref, ""))

    def __iter__(self) -> Iterator[BatchEntry]:
        return iter(self.entries.values())

    def apply(self, event: Event, wanted: frozenset[str]) -> None:
        """Take in what happened. An edit of a post that nobody knows only counts where the post is ``wanted``."""
        match event:
            case Published(post):
                self._publish(post)
            case Edited(post):
                if post.uri in wanted or self._same(post):
                    self._publish(post)
            case Deleted(ref):
                self._delete(ref)

    def _publish(self, post: Post) -> None:
        entry = self._same(post)
        if entry is None:
            if "\0" in post.uri:  # SQLite cuts text from JSON there: it would never be found again, but sent each time
                raise ValueError(f"{post.uri!r} is no name that could be kept")
            self._last += 1
            entry = self.entries[post.uri] = BatchEntry(
                self._last, post.uri, post.source, post.author.uri, post.published, read=post, new=True
            )
        else:
            entry.again = True
            if not entry.deleted:
                _renew(entry, post)
            if entry.author != post.author.uri:
                return  # a claim to somebody else's post gives it no names
        for name in (post.uri, *post.aliases, *claims(post)):
            held = self.find(name)
            if held is None:
                self._names[name] = self.coined[name] = entry.uri
            elif held.source != post.source and held.uri != name and _belongs(name, post, held.post):
                self._names[name] = self.reclaimed[name] = entry.uri

    def _same(self, post: Post) -> BatchEntry | None:
        """The post itself, or the one that it is under a new uri: a feed that renames its items keeps their dates.

        Whoever else calls a post by this name has a post of their own: another source, or another author.
        """
        entry = self.find(post.uri)
        if entry is not None and (entry.uri == post.uri or _is_renamed(entry, post)):
            return entry
        for alias in post.aliases:
            entry = self.find(alias)
            if entry and entry.published == post.published and _is_renamed(entry, post):
                return entry
        return None

    def duplicates(self) -> Duplicates:
        """Which of the posts are copies of others, or read alike."""
        return find_duplicates(entry.post for entry in self) if len(self.entries) > 1 else Duplicates()

    def of(self, uris: Iterable[str]) -> list[BatchEntry]:
        return [self.entries[uri] for uri in uris]

    def add(self, entries: Iterable[BatchEntry]) -> None:
        """Know more of the posts in the database."""
        for entry in entries:
            self.entries.setdefault(entry.uri, entry)

    def _delete(self, ref: str) -> None:
        """What another host calls by a name of its own is not deleted by its word: its source is to look at once."""
        entry = self.find(ref)
        if entry is None or (entry.deleted and not entry.hidden):
            return
        if ref != entry.uri and host_of(ref) and not is_home(ref, entry.author):
            entry.next_check, entry.checked = _AT_ONCE, True
            return
        entry.delete()


def _is_renamed(entry: BatchEntry, post: Post) -> bool:
    """Whether a post may be a known one under a new uri: of the same author, or of one host's authors."""
    is_related = entry.author == post.author.uri or is_from_home(entry.post)
    return entry.source == post.source and is_related and may_replace(entry.post, post)


def _belongs(name: str, post: Post, other: Post) -> bool:
    """Whether the name is of the place where the first post was read, and not of that of the other."""
    return is_home(name, post.origin) and not is_home(name, other.origin)


def _renew(entry: BatchEntry, post: Post) -> None:
    if not may_replace(entry.post, post):
        return
    post = with_quoted_words(post, entry.post)
    kind = change(entry.post, post)
    if kind is PostChange.NONE:
        return
    entry.read = post if post.uri == entry.uri else replace(post, uri=PostUri(entry.uri))
    entry.author, entry.published, entry.touched = post.author.uri, post.published, True
    if kind is PostChange.EDIT and not entry.edited:
        entry.edited = True
        entry.revision += 1


def load(connection: Connection, intakes: Sequence[Intake], last: int) -> PostBatch:
    """Read what the database knows of all posts that the intakes name; ``last`` is the number of its latest post."""
    refs = {ref for intake in intakes for ref in _refs(intake)}
    if not refs:
        return PostBatch((), {}, last)
    there = {one for intake in intakes for one in _pages(intake)}
    called = {short(name): name for name in refs | there}
    rows = _NAMED(connection, names=refs, aliases=called, pages=[*map(short, there)])
    names = {called[row.alias]: row.uri for row in rows if row.alias}
    return PostBatch({row.uri: _entry(row) for row in rows}.values(), names, last)


def load_named(connection: Connection, uris: Collection[str]) -> PostBatch:
    """Read what the database knows of the posts with exactly these uris."""
    return PostBatch(map(_entry, _POSTS(connection, names=uris)), {}, 0)


def _entry(row: Record) -> BatchEntry:
    return BatchEntry(**dict(zip(_FIELDS, row, strict=False)))


def _refs(intake: Intake) -> Iterator[str]:
    for event in intake.events:
        if isinstance(event, Deleted):
            yield event.ref
            continue
        yield event.post.uri
        yield from event.post.aliases
        if event.post.reply_to:
            yield event.post.reply_to
    for planned in intake.planned_sends:
        yield planned.uri
    if intake.looked:
        yield intake.looked


def _pages(intake: Intake) -> Iterator[str]:
    """Under which pages copies, originals, and what reads alike may be known of what is to be sent."""
    planned_uris = {planned.uri for planned in intake.planned_sends}
    for event in intake.events:
        if isinstance(event, Published) and event.post.uri in planned_uris:
            yield from pages(event.post)


def add_neighbours(connection: Connection, batch: PostBatch) -> set[int]:
    """Know also what stands at the pages of posts that were changed: it may have read alike. Returns all there."""
    changed = [entry for entry in batch if (entry.edited or entry.removed) and not entry.new]
    there = {one for entry in changed for one in (entry.page, short_page(entry.post.url)) if one}
    if not there:
        return set()
    uris = {row.uri for row in _PAGES(connection, pages=there)}
    batch.add(map(_entry, _POSTS(connection, names=uris - batch.entries.keys())))
    return {batch.entries[uri].id for uri in uris if uri in batch.entries}


def insert_new(connection: Connection, batch: PostBatch, now: datetime) -> None:
    """Write the posts that are new, and all aliases that are."""
    seen = micros(now)
    # random names in random places of an index are the dearest part of a post: those of one hour stand together
    hour = f"{seen // 3_600_000_000:x}"
    new = [entry for entry in batch if entry.new]
    slugs = [hour + one for one in _secrets(len(new))]
    rows = [_new_row(entry, slug, seen) for entry, slug in zip(new, slugs, strict=True)]
    insert_rows(connection, posts, _NEW, rows)
    count_posts(connection, len(rows))
    add_names(connection, {entry.post.author for entry in new})
    for names, conflict in ((batch.coined, "DO NOTHING"), (batch.reclaimed, _RECLAIM)):
        named = [(short(name), batch.entries[uri].id) for name, uri in names.items()]
        insert_rows(connection, aliases, ("alias", "post"), named, conflict)


_SECRET = 12
"""Bytes of chance in a page's address: nobody guesses one of them; in base64 they end without padding."""


def _secrets(count: int) -> list[str]:
    """So many random names, for one call of the system."""
    chance = secrets.token_bytes(_SECRET * count)
    return [base64.urlsafe_b64encode(chance[at : at + _SECRET]).decode() for at in range(0, _SECRET * count, _SECRET)]


def _new_row(entry: BatchEntry, slug: str, seen: int) -> tuple[Any, ...]:
    post = entry.post
    return (
        entry.id,
        entry.uri,
        slug,
        entry.source,
        post.origin,
        entry.author,
        short_page(post.url),
        micros(entry.published),
        encode(post),
        1,
        post.reply_to or None,
        entry.root,
        entry.deleted,
        allows_lists(post),
        seen,
        micros(entry.next_check) if entry.next_check else None,
        micros(entry.grew) if entry.grew else None,
        micros(entry.next_look) if entry.next_look else None,
    )


def update_changed(connection: Connection, batch: PostBatch, now: datetime) -> None:
    """Write what became of the posts that the database knew, and that they were seen again."""
    changed = [entry for entry in batch if entry.touched and not entry.new]
    update_rows(connection, posts, _CHANGED, "uri", [_changed_row(entry) for entry in changed])
    add_names(connection, {entry.post.author for entry in changed if not entry.deleted})
    again = [(micros(now), e.uri) for e in batch if e.again and e.seen and now - e.seen > _SEEN_EVERY]
    update_rows(connection, posts, ("seen",), "uri", again)
    checks = [(micros(e.next_check), e.uri) for e in batch if e.checked and e.next_check and not e.new]
    update_rows(connection, posts, ("next_check",), "uri", checks)


def _changed_row(entry: BatchEntry) -> tuple[Any, ...]:
    post = entry.post
    return (
        post.origin,
        entry.author,
        short_page(post.url),
        micros(entry.published),
        encode(post),
        entry.revision,
        entry.deleted,
        entry.hidden,
        allows_lists(post),
        micros(entry.next_check) if entry.next_check else None,
        entry.uri,
    )
