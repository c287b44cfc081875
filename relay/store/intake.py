"""Intakes: posts, deliveries and cursors, written together or not at all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, bindparam, exists, func, select, update

from relay.core.schedule import next_look
from relay.model import PostUri, Published
from relay.records import STREAMS, Claim, Intake, Lease, Page, Policy, Taken
from relay.store.batch import PostBatch, insert_new, load, update_changed
from relay.store.deliveries import claim_deliveries
from relay.store.destinations import get_next_due_among
from relay.store.enqueue import add_deliveries
from relay.store.feeds import save_polled
from relay.store.forgotten import leave_out
from relay.store.pages import pages_of
from relay.store.plugin_storage import save_note
from relay.store.rows import Query, among, serialize, update_rows
from relay.store.tables import forgotten, micros, posts
from relay.store.threads import forbid_lists, join_threads, list_by_tag, note_change

_KEPT = timedelta(days=3650)
"""The cursor of a stream; a stream says itself when that is too old for it."""
_last = select(func.max(posts.c.id)).scalar_subquery()
_LOOK = Query(select(func.coalesce(_last, 0).label("last"), exists(select(forgotten.c.digest)).label("is_out")))


def add_intakes(
    connection: Connection, intakes: Sequence[Intake], lease: Lease, claim: Claim | None, token: str, policy: Policy
) -> Taken:
    """Write posts, deliveries and cursors together, and claim of the destinations that they touch.

    An intake whose feed is no longer leased to ``lease.owner`` is left out whole and named in ``Taken.stale``.
    """
    if any(intake.events or intake.planned_sends for intake in intakes):
        serialize(connection)
    polled, stale = save_polled(connection, intakes, lease)
    last, is_out = _look(connection, polled)
    standing = leave_out(connection, polled) if is_out else polled
    new, awake = _add_events(connection, standing, last, lease, policy)
    for stream, cursor in (intake.stream for intake in standing if intake.stream):
        save_note(connection, STREAMS, stream, cursor, lease.now + _KEPT)
    claimed = claim_deliveries(connection, claim, lease, token, awake) if claim and awake else []
    left = awake - {str(delivery.destination) for delivery in claimed}
    due = get_next_due_among(connection, left, lease.now) if left else None
    return Taken(posts=new, stale=tuple(stale), deliveries=tuple(claimed), until=lease.until, due=due)


def _look(connection: Connection, intakes: Sequence[Intake]) -> tuple[int, bool]:
    """The number of the latest post, and whether anything is taken out; no look where nothing is told of posts."""
    if not any(intake.events or intake.planned_sends for intake in intakes):
        return 0, False
    [(last, is_out)] = _LOOK(connection)
    return last, is_out


def _add_events(
    connection: Connection, intakes: Sequence[Intake], last: int, lease: Lease, policy: Policy
) -> tuple[int, set[str]]:
    """Write all but the feeds. Returns how many posts were new, and the destinations with something to do."""
    batch = load(connection, intakes, last)
    wanted = frozenset(planned.uri for intake in intakes for planned in intake.planned_sends)
    for intake in intakes:
        for event in intake.events:
            batch.apply(event, wanted)
    roots = join_threads(connection, batch)
    awake = add_deliveries(connection, batch, intakes, lease.now, policy.allowance)
    grown = _grown(batch, intakes, wanted, policy)
    note_growth(connection, batch, grown, lease.now, policy.looks)
    insert_new(connection, batch, lease.now)
    update_changed(connection, batch, lease.now)
    changed = roots | {entry.root or entry.uri for entry in batch if entry.touched and not entry.new}
    note_change(connection, changed)
    tagged = {entry.root or entry.uri for entry in batch if entry.tagged and (entry.root or not entry.new)}
    list_by_tag(connection, tagged - changed)
    forbid_lists(connection, batch)
    _save_checks(connection, batch, intakes, lease)
    looked = {intake.looked for intake in intakes if intake.looked}
    there = {entry.root or entry.uri for ref in looked if (entry := batch.find(ref))}
    note_look(connection, there - grown, lease.now, policy.looks)
    return sum(entry.new and not entry.deleted for entry in batch), awake


def _save_checks(connection: Connection, batch: PostBatch, intakes: Sequence[Intake], lease: Lease) -> None:
    """Note what was re-checked, and which threads were looked at."""
    checks = {uri: then for intake in intakes for uri, then in intake.rechecked}
    rows = [(micros(then) if then else None, uri) for uri, then in checks.items()]
    update_rows(connection, posts, ("next_check",), "uri", rows, where="NOT deleted")
    looked = [batch.find(intake.looked) for intake in intakes if intake.looked]
    roots = {entry.root or entry.uri for entry in looked if entry}
    update_rows(connection, posts, ("looked",), "uri", [(micros(lease.now), root) for root in roots])


def _grown(batch: PostBatch, intakes: Sequence[Intake], wanted: frozenset[PostUri], policy: Policy) -> set[str]:
    """Threads that grew, and posts that are relayed, which may prove to be threads: they are looked at again.

    Sources that cannot be asked for threads are not asked whether they grew.
    """
    if not policy.looks:
        return set()
    published = (event.post for intake in intakes for event in intake.events if isinstance(event, Published))
    told = {post.uri for post in published if post.source in policy.threaded}
    return {e.root or e.uri for e in batch if e.new and e.uri in told and (e.root or e.uri in wanted)}


# --- when threads are to be looked at again: some times after each growth, then no more ---


_OVERDUE = (
    select(posts.c.uri, posts.c.root)
    .where(
        among(posts.c.source, "sources"),
        posts.c.next_look <= bindparam("now", type_=posts.c.next_look.type),
    )
    .order_by(posts.c.next_look)
    .limit(bindparam("limit", type_=BigInteger))
    .with_for_update(skip_locked=True)
)
_CLAIM = update(posts).where(among(posts.c.uri, "uris")).values(next_look=bindparam("until"))
_NEXT = select(func.min(posts.c.next_look)).where(among(posts.c.source, "sources"), posts.c.next_look.is_not(None))
_GREW = Query(select(posts.c.uri, posts.c.grew).where(among(posts.c.uri, "uris")))


def claim_looks(connection: Connection, sources: Sequence[str], lease: Lease, limit: int) -> list[Page]:
    """Threads that are due to be looked at, but for those that joined another; due again when the lease lapses."""
    wanted = {"sources": sources, "now": lease.now, "limit": limit}
    rows = connection.execute(_OVERDUE, wanted).all()
    joined = [(None, row.uri) for row in rows if row.root and row.root != row.uri]
    update_rows(connection, posts, ("next_look",), "uri", joined)
    roots = [row.uri for row in rows if not row.root or row.root == row.uri]
    if roots:
        connection.execute(_CLAIM, {"uris": roots, "until": lease.until})
    return pages_of(connection, roots)


def get_next_look(connection: Connection, sources: Sequence[str]) -> datetime | None:
    """When the next thread is to be looked at."""
    due: datetime | None = connection.scalar(_NEXT, {"sources": sources})
    return due


def save_look(connection: Connection, root: str, then: datetime | None) -> None:
    """Look at a thread again then; None: no more. One whose looks are over stays as it is, whoever looked at it."""
    row = (micros(then) if then else None, root)
    update_rows(connection, posts, ("next_look",), "uri", [row], where="posts.next_look IS NOT NULL")


def note_growth(
    connection: Connection, batch: PostBatch, grown: Collection[str], now: datetime, looks: Sequence[timedelta]
) -> None:
    """These threads have just grown, or been relayed for the first time: the looks begin anew.

    Of posts that are new that is not written here, but with them.
    """
    if not looks:
        return
    due = now + looks[0]
    new = [entry for root in grown if (entry := batch.entries.get(root)) and entry.new]
    for entry in new:
        entry.grew, entry.next_look = now, due
    rows = [(micros(now), micros(due), root) for root in sorted(set(grown).difference(entry.uri for entry in new))]
    update_rows(connection, posts, ("grew", "next_look"), "uri", rows)


def note_look(connection: Connection, looked: Collection[str], now: datetime, looks: Sequence[timedelta]) -> None:
    """These were looked at and had not grown: on to the next time, if there is one."""
    if not looked:
        return
    rows = []
    for row in _GREW(connection, uris=looked):
        then = next_look(row.grew, now, looks) if row.grew else None
        rows.append((micros(then) if then else None, row.uri))
    update_rows(connection, posts, ("next_look",), "uri", rows)
