"""The outbox: one delivery at a time to each destination, claimed with a lease and settled with its outcome.

A destination's row is locked in a statement of its own before anything is read of its deliveries: under PostgreSQL's
READ COMMITTED only a later statement sees what another transaction wrote before it let go of the lock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)

from relay.model import Action, Card, Delivery, DeliveryId, Destination, Digest, MessageId, Place, Post, PostUri
from relay.records import Claim, Lease, Settlement, State
from relay.store.content import decode
from relay.store.counters import count_unknown
from relay.store.digests import read_digests
from relay.store.forgotten import without_quotes
from relay.store.links import delete_orphans, list_linked
from relay.store.rows import Query, Record, among, insert_rows, pipelined, serialize, update_rows
from relay.store.tables import deliveries, destinations, folds, micros, posts, subscriptions
from relay.store.versions import note_changes

# --- destinations that have another address from now on: what is kept under the old one goes to the new one ---
# The audit stays as it was, and so do the ids of messages, which may name the old address: that is for the adapter to
# read. A move is rare, so it may read all deliveries: an index for it would cost every delivery something.


_old: BindParameter[str] = bindparam("old")
_new: BindParameter[str] = bindparam("new")

# --- locks ---

_now = bindparam("now", type_=destinations.c.due.type)
_THERE = select(destinations.c.name, destinations.c.adapter).where(among(destinations.c.name, "names"))
_TOUCH = "(name) DO UPDATE SET adapter = excluded.adapter"  # changes nothing, but locks the row


def lock_moving(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Lock the destinations of settlements, and those that some of them move to, which are made where they are new.

    Rows are locked in the order of their names, as everybody does who locks several; and who brings or cancels
    deliveries is kept out, because a destination that goes is one that nobody may be about to write to.
    """
    serialize(connection)
    names = [str(settlement.destination) for settlement in settlements]
    adapters = {row.name: row.adapter for row in connection.execute(_THERE, {"names": names})}
    moves = [(str(one.destination), one.moved) for one in settlements if one.moved]
    adapters |= {str(new): new.adapter for old, new in moves if old in adapters}
    insert_rows(connection, destinations, ("name", "adapter"), sorted(adapters.items()), _TOUCH)


# --- moving ---

_BOTH = select(destinations).where(destinations.c.name.in_([_old, _new]))
_LEAVE = delete(destinations).where(destinations.c.name == _old)
_WAITS = deliveries.c.settled.is_(None)
_WAITS_AT_NEW = select(deliveries.c.id).where(deliveries.c.destination == _new, _WAITS).limit(1)
_ARRIVE = (
    update(destinations)
    .where(destinations.c.name == _new)
    .values(
        due=bindparam("then", type_=destinations.c.due.type),
        not_before=bindparam("pace", type_=destinations.c.due.type),
        paused=bindparam("reason"),
        listed=bindparam("shown", type_=destinations.c.listed.type),
    )
)

_twin = deliveries.alias("twin")
_there_too = exists().where(
    _twin.c.post == deliveries.c.post, _twin.c.version == deliveries.c.version, _twin.c.destination == _new
)
_SKIP = (
    update(deliveries)
    .where(deliveries.c.destination == _old, _WAITS, _there_too)
    .values(
        state=State.SKIPPED.value, note="the place has moved, and this was meant for its new address too", settled=_now
    )
)
_READDRESS = update(deliveries).where(deliveries.c.destination == _old, ~_there_too).values(destination=_new)
_REFOLD = update(folds).where(folds.c.destination == _old).values(destination=_new)


def move(connection: Connection, old: str, new: Destination, now: datetime) -> None:
    """Bring the subscriptions and deliveries of ``old`` to ``new``; both are locked, and nobody has leased ``old``.

    What is already at the new address is not asked for twice: of two subscriptions the older one stays, and of two
    deliveries of the same the one at the new address; the other is skipped where it waits.
    """
    name = str(new)
    if name == old:
        return
    between = {"old": old, "new": name}
    _move_subscriptions(connection, between)
    connection.execute(_SKIP, between | {"now": now})
    connection.execute(_READDRESS, between)
    connection.execute(_REFOLD, between)
    insert_rows(connection, destinations, ("name", "adapter"), [(name, new.adapter)])
    there = {row.name: row for row in connection.execute(_BOTH, between)}
    _arrive(connection, there[old], there[name])
    connection.execute(_LEAVE, {"old": old})


def _arrive(connection: Connection, old: Record, new: Record) -> None:
    """A pause of either holds, and so does the pace of either; it stays as public as it was."""
    pace = max(filter(None, (old.not_before, new.not_before)), default=None)
    paused = new.paused or old.paused
    waits = connection.scalar(_WAITS_AT_NEW, {"new": new.name}) is not None
    arrived = {
        "new": new.name,
        "then": pace if waits and not paused else None,
        "pace": pace,
        "reason": paused,
        "shown": old.listed or new.listed,
    }
    connection.execute(_ARRIVE, arrived)


_first, _second = subscriptions.alias("first"), subscriptions.alias("second")
_SAME = select(_first.c.id.label("kept"), _second.c.id.label("gone")).where(
    or_(
        and_(_first.c.destination == _old, _second.c.destination == _new),
        and_(_first.c.destination == _new, _second.c.destination == _old),
    ),
    _first.c.origin == _second.c.origin,
    _first.c.topic == _second.c.topic,
    _first.c.id < _second.c.id,
)
_FORGET = delete(subscriptions).where(among(subscriptions.c.id, "ids"))
_THEIRS = select(subscriptions.c.id).where(subscriptions.c.destination == _old)
_RESUBSCRIBE = update(subscriptions).where(subscriptions.c.destination == _old).values(destination=_new)


def _move_subscriptions(connection: Connection, between: dict[str, str]) -> None:
    same = connection.execute(_SAME, between).all()
    gone = [row.gone for row in same]
    if same:
        orphans = list_linked(connection, gone)
        connection.execute(_FORGET, {"ids": gone})
        delete_orphans(connection, orphans)
        options = [(row.kept, row.gone) for row in same]  # what waits is sent as the one that stays says
        update_rows(connection, deliveries, ("subscription",), "subscription", options, "settled IS NULL")
    moved = connection.execute(_THEIRS, between).scalars().all()
    connection.execute(_RESUBSCRIBE, between)
    note_changes(connection, [*gone, *moved])


# --- deliveries ---

_decode: Callable[[str], tuple[MessageId, ...]] = msgspec.json.Decoder(tuple[MessageId, ...]).decode

_due = (
    select(destinations.c.name, destinations.c.due)
    .where(
        destinations.c.due <= _now,
        or_(destinations.c.leased_until.is_(None), destinations.c.leased_until <= _now),
        among(destinations.c.adapter, "adapters"),
    )
    .order_by(destinations.c.due)  # and by nothing else: what is due at once would all be read to be sorted
    .limit(bindparam("limit", type_=BigInteger))
    .with_for_update(skip_locked=True)
)
_DUE = Query(_due)
_DUE_AMONG = Query(_due.where(among(destinations.c.name, "names")))

_head = deliveries.alias("head")
_send = deliveries.alias("send")
_root = posts.alias("root")
_member = posts.alias("member")
_in_thread = _member.c.root == posts.c.root
_readable = ~_member.c.deleted
_not_after = tuple_(_member.c.published, _member.c.uri) <= tuple_(posts.c.published, posts.c.uri)


def _members(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count()).select_from(_member).where(*conditions).correlate(posts).scalar_subquery()


def _messages_of(send: ColumnElement[bool], condition: ColumnElement[bool]) -> ColumnElement[str]:
    """The messages that this send became at the delivery's destination; none unless the condition holds."""
    sent = (
        select(_send.c.messages)
        .where(send, _send.c.destination == deliveries.c.destination, _send.c.version == "")
        .scalar_subquery()
    )
    return func.coalesce(case((condition, sent), else_="[]"), "[]")


_SHARED = (
    deliveries.c.id,
    deliveries.c.destination,
    deliveries.c.digest,
    deliveries.c.action,
    deliveries.c.state,
    deliveries.c.attempts,
    func.coalesce(subscriptions.c.options, "").label("options"),
)
"""What is read of the head of a queue, whether it is of a post or of a digest."""
_is_later = deliveries.c.version != ""
_oldest = (
    select(_head.c.id)
    .where(_head.c.destination == destinations.c.name, _head.c.settled.is_(None))
    .order_by(_head.c.id)
    .limit(1)
    .scalar_subquery()
)
_queues = destinations.join(deliveries, deliveries.c.id == _oldest).outerjoin(
    subscriptions, subscriptions.c.id == deliveries.c.subscription
)
_HEADS = Query(
    select(
        *_SHARED,
        _messages_of(_send.c.post == deliveries.c.post, _is_later).label("messages"),
        posts.c.uri,
        deliveries.c.reason,
        posts.c.data,
        posts.c.root,
        (posts.c.deleted & ~posts.c.hidden).label("withdrawn"),
        _root.c.slug,
        case((posts.c.root.is_not(None), _members(_in_thread, _readable, _not_after))).label("position"),
        case((posts.c.root.is_not(None), _members(_in_thread, _readable))).label("length"),
        _messages_of(_send.c.post == deliveries.c.under, deliveries.c.under.is_not(None)).label("under"),
    )
    .select_from(
        _queues.join(posts, posts.c.id == deliveries.c.post).join(
            _root, _root.c.uri == func.coalesce(posts.c.root, posts.c.uri)
        )
    )
    .where(among(destinations.c.name, "names"))
)
_DIGEST_HEADS = Query(
    select(*_SHARED, _messages_of(_send.c.digest == deliveries.c.digest, _is_later).label("messages"))
    .select_from(_queues)
    .where(among(destinations.c.name, "names"), deliveries.c.digest.is_not(None))
)
_BEGIN = Query(
    update(deliveries)
    .where(among(deliveries.c.id, "ids"))
    .values(
        state=State.SENDING.value,
        # A try that a crash cut off is begun anew, not failed: it must not lengthen the wait after the next failure.
        attempts=deliveries.c.attempts + case((deliveries.c.state == State.SENDING.value, 0), else_=1),
    )
)
_LEASE = Query(
    update(destinations)
    .where(among(destinations.c.name, "names"))
    .values(leased_by=bindparam("owner"), leased_until=bindparam("until"))
)
_REST = Query(update(destinations).where(among(destinations.c.name, "names")).values(due=None))


def claim_deliveries(
    connection: Connection, claim: Claim, lease: Lease, token: str, among_names: Collection[str] | None = None
) -> list[Delivery]:
    """The head of the queue of each due, unpaused, unleased destination; at most one delivery per destination.

    Of ``among_names`` only, where they are given.
    """
    with pipelined(connection):
        heads = _begin(connection, claim, lease, among_names)
    return _begun(connection, heads, token)


def _begun(connection: Connection, heads: Sequence[Record], token: str) -> list[Delivery]:
    digests = [row.digest for row in heads if row.digest is not None]
    read = _read(connection, [row for row in heads if row.digest is None])
    folds = read_digests(connection, digests) if digests else {}
    return [
        _delivery(row, token, read) if row.digest is None else _digest_delivery(row, token, folds[row.digest])
        for row in heads
    ]


def _begin(connection: Connection, claim: Claim, lease: Lease, among_names: Collection[str] | None) -> list[Record]:
    """The heads of the queues of the destinations that are due, in the order of these; they are begun and leased."""
    query = _DUE if among_names is None else _DUE_AMONG
    found = query(connection, now=lease.now, adapters=claim.adapters, limit=claim.limit, names=among_names)
    due = [row.name for row in sorted(found, key=lambda row: (row.due, row.name))]
    if not due:
        return []
    heads = {row.destination: row for row in _HEADS(connection, names=due)}
    if others := set(due) - heads.keys():
        heads |= {row.destination: row for row in _DIGEST_HEADS(connection, names=others)}
    if heads:
        _BEGIN(connection, ids=[row.id for row in heads.values()])
        _LEASE(connection, names=heads, owner=lease.owner, until=lease.until)
    if idle := set(due) - heads.keys():
        _REST(connection, names=idle)
    return [heads[name] for name in due if name in heads]


def _messages(kept: str) -> tuple[MessageId, ...]:
    return _decode(kept) if kept != "[]" else ()  # a send has none


def _digest_delivery(row: Record, token: str, digest: Digest) -> Delivery:
    return Delivery(
        id=DeliveryId(f"{token}-{row.id}"),
        action=Action(row.action),
        destination=Destination.parse(row.destination),
        uri=PostUri(f"fold:{digest.slug}"),
        card=None,
        messages=_messages(row.messages),
        options=row.options,
        attempts=row.attempts,
        interrupted=row.state == State.SENDING,
        page=digest.slug,
        digest=digest,
    )


def _read(connection: Connection, rows: Sequence[Record]) -> Mapping[str, Post]:
    """The posts that are to be shown, by uri: a batch is often one post for many."""
    data = {row.uri: row.data for row in rows if row.action != Action.DELETE}
    return dict(zip(data, without_quotes(connection, [*map(decode, data.values())]), strict=True))


def _delivery(row: Record, token: str, read: Mapping[str, Post]) -> Delivery:
    action = Action(row.action)
    return Delivery(
        id=DeliveryId(f"{token}-{row.id}"),
        action=action,
        destination=Destination.parse(row.destination),
        uri=PostUri(row.uri),
        card=None if action is Action.DELETE else _card(row, read),
        messages=_messages(row.messages),
        under=_messages(row.under),
        options=row.options,
        attempts=row.attempts,
        interrupted=row.state == State.SENDING,
        page=row.slug,
        url=decode(row.data).url if action is Action.DELETE and row.withdrawn else "",
    )


def _card(row: Record, read: Mapping[str, Post]) -> Card:
    place = Place(root=PostUri(row.root), position=row.position, count=row.length) if row.root else None
    return Card(post=read[row.uri], reason=row.reason, thread=place)


# --- settling ---

_HELD = Query(
    select(
        deliveries.c.id,
        deliveries.c.destination,
        deliveries.c.post,
        deliveries.c.digest,
        deliveries.c.action,
        destinations.c.paused,
    )
    .join(destinations, destinations.c.name == deliveries.c.destination)
    .where(
        among(deliveries.c.id, "ids"),
        deliveries.c.state == State.SENDING.value,
        destinations.c.leased_by == bindparam("owner"),
    )
    .order_by(destinations.c.name)
    .with_for_update(of=destinations)
)
_FORGIVE = Query(
    update(deliveries)
    .where(among(deliveries.c.id, "ids"), deliveries.c.attempts > 1)  # one is left: it was begun
    .values(attempts=deliveries.c.attempts - 1)
)


def _remembering(of: Column[int]) -> Query:
    send = (of == bindparam("of"), deliveries.c.destination == bindparam("at"), deliveries.c.version == "")
    return Query(update(deliveries).where(*send).values(messages=bindparam("now_messages")))


def _cancelling(of: Column[int], note: str) -> Query:
    later = (of == bindparam("of"), deliveries.c.destination == bindparam("at"), deliveries.c.version != "")
    cancelled = {"state": State.SKIPPED.value, "note": note, "settled": _now}
    return Query(update(deliveries).where(*later, deliveries.c.settled.is_(None)).values(cancelled))


_REMEMBER = _remembering(deliveries.c.post)
_REMEMBER_OF_DIGEST = _remembering(deliveries.c.digest)
_CANCEL = _cancelling(deliveries.c.post, "the post itself was not sent")
_CANCEL_OF_DIGEST = _cancelling(deliveries.c.digest, "the digest itself was not sent")
_PENDING = (
    "EXISTS (SELECT 1 FROM deliveries WHERE deliveries.destination = destinations.name AND deliveries.settled IS NULL)"
)
_FREED = ("due", "not_before", "paused", "leased_by", "leased_until")
_Settled = Sequence[tuple[Record, Settlement]]


def save_settlements(
    connection: Connection, settlements: Sequence[Settlement], lease: Lease, claim: Claim | None, token: str
) -> list[Delivery]:
    """Write outcomes, free the destinations, claim what comes next. A lost lease's settlement changes nothing."""
    by_id = {_row_id(settlement.delivery, token): settlement for settlement in settlements}
    if any(settlement.moved for settlement in settlements):
        lock_moving(connection, settlements)
    with pipelined(connection):
        held = _HELD(connection, ids=by_id, owner=lease.owner)
        settled = [(row, by_id[row.id]) for row in held]
        if settled:
            _save_outcomes(connection, settled, lease.now)
            _forgive(connection, settled)
            _save_messages(connection, settled)
            _cancel_rest(connection, settled, lease.now)
            _free(connection, settled)
            count_unknown(connection, sum(settlement.unknown for _, settlement in settled))
        moved = [(row.destination, settlement.moved) for row, settlement in settled if settlement.moved]
        heads = _begin(connection, claim, lease, None) if claim and not moved else []
    for old, new in moved:
        move(connection, old, new, lease.now)
    return claim_deliveries(connection, claim, lease, token) if claim and moved else _begun(connection, heads, token)


def _row_id(delivery: DeliveryId, token: str) -> int:
    """The row of a delivery; 0, which is no row's, if it is another database's."""
    owner, _, row = delivery.rpartition("-")
    return int(row) if owner == token and row.isdigit() else 0


def _save_outcomes(connection: Connection, settled: _Settled, now: datetime) -> None:
    rows = []
    for row, settlement in settled:
        again = settlement.pause or settlement.state is State.DUE
        state = State.DUE if again else settlement.state
        messages = msgspec.json.encode(settlement.messages).decode()
        rows.append((state.value, settlement.reason, messages, None if again else micros(now), row.id))
    update_rows(connection, deliveries, ("state", "note", "messages", "settled"), "id", rows)


def _forgive(connection: Connection, settled: _Settled) -> None:
    """What waits for a pace has not failed."""
    if paced := [row.id for row, settlement in settled if settlement.paced]:
        _FORGIVE(connection, ids=paced)


def _save_messages(connection: Connection, settled: _Settled) -> None:
    """An edit may leave other messages than the send did: the next edit or deletion is about those."""
    for row, settlement in settled:
        if row.action == Action.EDIT and settlement.state is State.SENT and settlement.messages:
            messages = msgspec.json.encode(settlement.messages).decode()
            remember, of = (_REMEMBER, row.post) if row.digest is None else (_REMEMBER_OF_DIGEST, row.digest)
            remember(connection, of=of, at=row.destination, now_messages=messages)


def _cancel_rest(connection: Connection, settled: _Settled, now: datetime) -> None:
    """What never arrived needs no edit and no deletion."""
    for row, settlement in settled:
        if row.action == Action.SEND and settlement.state in {State.FAILED, State.SKIPPED} and not settlement.pause:
            cancel, of = (_CANCEL, row.post) if row.digest is None else (_CANCEL_OF_DIGEST, row.digest)
            cancel(connection, of=of, at=row.destination, now=now)


def _free(connection: Connection, settled: _Settled) -> None:
    rows = []
    for row, settlement in settled:
        paused = settlement.pause or row.paused
        free = micros(settlement.due)
        rows.append((None if paused else free, free, paused, "", None, row.destination))
    update_rows(connection, destinations, _FREED, "name", rows, given=_PENDING)
