"""What tells that an author or a post is taken out: keyed hashes, which name nobody (:mod:`relay.store.hashes`).

Each belongs to a stop (:mod:`relay.store.stops`); as long as it stands, nothing that it marks is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from relay.model import Author, Deleted, Edited, Event, Post, PostUri, Published
from relay.records import Intake, StopKind
from relay.store.duplicates import claims
from relay.store.hashes import get_key, keyed_hash
from relay.store.names import names_of
from relay.store.rows import Query, among, insert_rows
from relay.store.tables import forgotten, stops

_LEVELS = 3
"""So far above a post's address its author's may stand: ``/users/illa/statuses/1``."""

_SOME = Query(select(forgotten.c.digest).limit(1))
_THERE = (
    select(forgotten.c.digest, stops.c.kind)
    .join(stops, stops.c.id == forgotten.c.stop)
    .where(among(forgotten.c.digest, "digests"))
)


def leave_out(connection: Connection, intakes: Sequence[Intake]) -> Sequence[Intake]:
    """The intakes without what was taken out, or is of somebody who was."""
    told = list(_posts(intakes))
    out, silent = list_taken_out(connection, told), _taken_out_quoted(connection, told)
    return [_without(intake, out, silent) for intake in intakes] if out or silent else intakes


def without_quotes(connection: Connection, posts: Sequence[Post]) -> Sequence[Post]:
    """The posts; where they quote an author who is taken out, only the quote's address is left."""
    silent = _taken_out_quoted(connection, posts)
    return [_without_quote(post, silent) for post in posts] if silent else posts


def list_taken_out(connection: Connection, posts: Collection[Post]) -> set[PostUri]:
    """Which of these posts are not to be shown, by whichever stop.

    An author counts by the uri, and by a handle or a profile only where the uri's own host vouches for it: nobody is
    silenced because somebody else went under their name.
    """
    if not posts or not _SOME(connection):
        return set()
    key = get_key(connection)
    marks = {post.uri: (keyed_hash(key, post.uri), _author_marks(key, post)) for post in posts}
    asked = {mark for own, of_author in marks.values() for mark in (own, *of_author)}
    there = [(row.digest, row.kind == StopKind.POST) for row in connection.execute(_THERE, {"digests": asked})]
    of_posts, of_authors = ({mark for mark, of_post in there if of_post is kind} for kind in (True, False))
    return {uri for uri, (own, of_author) in marks.items() if own in of_posts or not of_authors.isdisjoint(of_author)}


def _taken_out_quoted(connection: Connection, posts: Collection[Post]) -> set[Author]:
    """The authors whom these posts quote and who are taken out."""
    quoted = {post.quote.author for post in posts if post.quote and post.quote.author}
    if not quoted or not _SOME(connection):
        return set()
    key = get_key(connection)
    marks = {author: {keyed_hash(key, name) for name in (author.uri, *names_of(author))} for author in quoted}
    rows = connection.execute(_THERE, {"digests": set().union(*marks.values())})
    there = {row.digest for row in rows if row.kind != StopKind.POST}
    return {author for author, of_author in marks.items() if not there.isdisjoint(of_author)}


def add_marks(connection: Connection, stop: str, names: Iterable[str]) -> None:
    key = get_key(connection)
    insert_rows(connection, forgotten, ("digest", "stop"), [(keyed_hash(key, name), stop) for name in sorted(names)])


def _author_marks(key: str, post: Post) -> set[str]:
    return {keyed_hash(key, name) for name in (post.author.uri, *names_of(post.author), *_copied(post)) if name}


def _copied(post: Post) -> Iterator[str]:
    """Who may have written what a post says it is a copy of: the addresses above the original's.

    The original yields to nobody, so a copy would be shown as soon as its author is taken out.
    """
    for there in claims(post):
        above = there
        for _ in range(_LEVELS):
            above = above.rpartition("/")[0]
            if above.count("/") > 2:  # a host alone is nobody
                yield above
    for alias in post.aliases:
        authority = alias.partition("://")[2].partition("/")[0]
        if authority.startswith("did:"):
            yield authority


def _posts(intakes: Iterable[Intake]) -> Iterator[Post]:
    for intake in intakes:
        yield from (event.post for event in intake.events if isinstance(event, Published | Edited))


def _without(intake: Intake, out: Collection[str], silent: Collection[Author]) -> Intake:
    events = tuple(
        _event_without_quote(event, silent)
        for event in intake.events
        if isinstance(event, Deleted) or event.post.uri not in out
    )
    return replace(
        intake,
        events=events,
        planned_sends=tuple(planned for planned in intake.planned_sends if planned.uri not in out),
    )


def _event_without_quote(event: Event, silent: Collection[Author]) -> Event:
    return event if isinstance(event, Deleted) else replace(event, post=_without_quote(event.post, silent))


def _without_quote(post: Post, silent: Collection[Author]) -> Post:
    quote = post.quote
    return replace(post, quote=quote.silenced()) if quote and quote.author in silent else post
