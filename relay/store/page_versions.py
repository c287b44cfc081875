"""What pages and lists are by now, without what they show: a look that is made for every visitor, so it reads little.

The threads of a list are found here for its page, too. Each query walks one index from where the page begins and stops
where it ends. The place where a list goes on is named by the page that is shown there; in a digest, which shows of some
threads no page, by a hash of it: a post's number would tell how many were kept and not shown.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import BigInteger, BindParameter, Connection, Text, and_, bindparam, func, or_, select, text, union

from relay.records import ListKind, ListPart, ListVersion, PageVersion
from relay.store.counters import get_stops
from relay.store.hashes import short
from relay.store.rows import Query, Record, among
from relay.store.tables import folded, folds, posts, subscription_tags, subscriptions, tagged
from relay.store.tags import PUBLIC, PUBLIC_TAGS

_LAST = 2**63 - 1

_root = posts.alias("top")
_thread = func.coalesce(posts.c.root, posts.c.uri)
_VERSION = (
    _root.c.uri.label("root"),
    _root.c.version,
    _root.c.looked,
    _root.c.asked,
    _root.c.visited,
    _root.c.seen,
)
_OF_SLUGS = Query(
    select(posts.c.slug, *_VERSION).join(_root, _root.c.uri == _thread).where(among(posts.c.slug, "slugs"))
)

# --- the threads of a list ---

_limit = bindparam("limit", type_=BigInteger)
_after = bindparam("after", type_=BigInteger)
_tag: BindParameter[str] = bindparam("tag", type_=Text)
_is_followed = PUBLIC_TAGS.where(subscription_tags.c.tag == _tag).exists()
_TAGGED = Query(
    select(posts.c.slug, *_VERSION)
    .select_from(tagged)
    .join(posts, posts.c.id == tagged.c.post)
    .join(_root, _root.c.uri == _thread)
    .where(tagged.c.tag == _tag, text("tagged.shown"), tagged.c.shown, tagged.c.post < _after, _is_followed)
    .order_by(tagged.c.post.desc())
    .limit(_limit)
)
_later, _also = posts.alias("later"), folded.alias("also")
_is_there = select(_also.c.post).where(_also.c.fold == folded.c.fold, _also.c.post == _later.c.id).exists()
_comes_later = (
    select(_later.c.id)
    .where(
        _later.c.root == posts.c.root, _later.c.id > posts.c.id, ~_later.c.deleted, _is_there.correlate(folded, _later)
    )
    .correlate(posts, folded)
    .exists()
)
_FOLDED = Query(
    select(posts.c.slug, *_VERSION)
    .select_from(folded)
    .join(posts, posts.c.id == folded.c.post)
    .join(_root, _root.c.uri == _thread)
    .where(
        folded.c.fold == bindparam("fold", type_=BigInteger), folded.c.post < _after, ~posts.c.deleted, ~_comes_later
    )
    .order_by(folded.c.post.desc())
    .limit(_limit)
)
_grown, _uri = bindparam("grown", type_=posts.c.grown.type), bindparam("uri", type_=Text)
_GROWN = (
    select(_root.c.slug, *_VERSION)
    .where(_root.c.grown.is_not(None))
    .order_by(_root.c.grown.desc(), _root.c.uri)
    .limit(_limit)
)
_comes_after = and_(_root.c.grown <= _grown, or_(_root.c.grown < _grown, _root.c.uri > _uri))
_LATEST = Query(_GROWN)
_of_author = and_(_root.c.author == bindparam("author", type_=Text), _root.c.source == bindparam("source", type_=Text))
_BY_AUTHOR, _BY_AUTHOR_AFTER = Query(_GROWN.where(_of_author)), Query(_GROWN.where(_of_author, _comes_after))

_public = union(*(select(subscriptions.c.id).where(way, subscriptions.c.paused == "") for way in PUBLIC))
_FOLLOWED = Query(
    select(subscription_tags.c.tag)
    .distinct()
    .where(subscription_tags.c.subscription.in_(_public))
    .order_by(subscription_tags.c.tag)
)
_FOLD_PLACES = Query(
    select(posts.c.id, posts.c.slug)
    .select_from(folded)
    .join(posts, posts.c.id == folded.c.post)
    .where(folded.c.fold == bindparam("fold", type_=BigInteger))
)
_FOLD = Query(select(folds.c.id, folds.c.topic).where(folds.c.slug == bindparam("slug", type_=Text)))
_PLACE = Query(
    select(
        posts.c.id,
        posts.c.uri,
        posts.c.author,
        posts.c.source,
        func.coalesce(posts.c.grown, posts.c.published).label("grown"),
    ).where(posts.c.slug == bindparam("slug", type_=Text))
)


def get_page_versions(connection: Connection, slugs: Collection[str]) -> dict[str, PageVersion]:
    """What these pages are by now, in one cheap look; one that is not there is left out.

    Equal versions promise equal pages, whichever process changed what: edits, deletions, stops, opt-outs, growth.
    """
    stops = get_stops(connection)
    return {row.slug: _version(row, stops) for row in _OF_SLUGS(connection, slugs=slugs)}


def get_list_versions(connection: Connection, parts: Collection[ListPart]) -> dict[ListPart, ListVersion]:
    """The same of parts of lists, at the cost of one look at each thread in them."""
    stops = get_stops(connection)
    there = ((part, threads_of(connection, part)) for part in parts)
    return {
        part: ListVersion(
            pages=tuple(rows[: part.limit]),  # to make something of each would cost as much as to read it
            older=older(rows, part),
            about=(stops, *_about(connection, part)),
        )
        for part, rows in there
        if rows is not None
    }


def _version(row: Record, stops: int) -> PageVersion:
    return PageVersion(
        root=row.root,
        number=row.version,
        looked=row.looked,
        asked=row.asked,
        visited=row.visited,
        seen=row.seen,
        stops=stops,
    )


def _about(connection: Connection, part: ListPart) -> tuple[object, ...]:
    """What a list shows besides its threads: the hashtags that are followed; the author, as the page has it."""
    if part.kind is ListKind.LATEST:
        return tuple(list_followed(connection))
    return tuple(get_page_versions(connection, [part.name]).values()) if part.kind is ListKind.AUTHOR else ()


def list_followed(connection: Connection) -> Sequence[str]:
    """The hashtags that public subscriptions in force follow, folded, each once: those of the configuration, and of the
    destinations that are listed.
    """
    return [row.tag for row in _FOLLOWED(connection)]


def threads_of(connection: Connection, part: ListPart) -> list[Record] | None:
    """The threads in a part of a list, and one more where there are more; None: there is no such list, or place."""
    if part.kind is ListKind.DIGEST:
        return _in_digest(connection, part)
    place = _place(connection, part.after) if part.after else None
    if part.after and place is None:
        return None
    match part.kind:
        case ListKind.LATEST:
            return _LATEST(connection, limit=part.limit + 1)
        case ListKind.AUTHOR:
            return _by_author(connection, part, place)
        case ListKind.TAG:
            return _TAGGED(connection, tag=part.name, after=place.id if place else _LAST, limit=part.limit + 1)


def older(rows: Sequence[Record], part: ListPart) -> str:
    """The mark at which such a list goes on, which names the last that is shown. Empty: it does not."""
    return _mark(part, rows[part.limit - 1].slug) if len(rows) > part.limit else ""


def _mark(part: ListPart, slug: str) -> str:
    return short(f"{part.name} {slug}") if part.kind is ListKind.DIGEST else slug


def get_topic(connection: Connection, slug: str) -> str:
    """What a digest is about."""
    [found] = _FOLD(connection, slug=slug)
    return str(found.topic)


def _in_digest(connection: Connection, part: ListPart) -> list[Record] | None:
    [fold, *_] = _FOLD(connection, slug=part.name) or [None]
    if fold is None:
        return None
    after = _LAST
    if part.after:
        there = _FOLD_PLACES(connection, fold=fold.id)
        after = next((row.id for row in there if _mark(part, row.slug) == part.after), 0)
    return _FOLDED(connection, fold=fold.id, after=after, limit=part.limit + 1) if after else None


def _by_author(connection: Connection, part: ListPart, place: Record | None) -> list[Record] | None:
    page = _place(connection, part.name)
    if page is None:
        return None
    wanted = {"author": page.author, "source": page.source, "limit": part.limit + 1}
    if place is None:
        return _BY_AUTHOR(connection, **wanted)
    return _BY_AUTHOR_AFTER(connection, **wanted, grown=place.grown, uri=place.uri)


def _place(connection: Connection, slug: str) -> Record | None:
    found = _PLACE(connection, slug=slug)
    return found[0] if found else None
