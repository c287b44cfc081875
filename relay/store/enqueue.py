"""What a batch of intakes asks of the outbox: the planned sends, and the edits and deletions that follow.

A destination is locked before the states of its deliveries are read: who claims or settles there at the same time is
done, and seen, or has not begun.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from relay.core.consent import allows_lists
from relay.core.hashtag import fold
from relay.model import Action, Destination, DigestReason
from relay.options import DeliveryOptions, Follow, Mode
from relay.records import Allowance, Intake, State, Subscriber
from relay.store.batch import BatchEntry, PostBatch, add_neighbours
from relay.store.digests import DigestWriter, read_members
from relay.store.duplicates import Duplicates
from relay.store.rows import Query, Record, among, insert_rows, update_rows
from relay.store.subscriptions import read_delivery_options
from relay.store.tables import deliveries, destinations, micros, posts, subscriptions, tagged

# --- shown ---

# Which posts were asked for at which destinations, and which of them, or of their kin, a reader finds there.

_STANDING = {State.DUE, State.SENDING, State.SENT}
"""The states of a send that a reader finds, or soon will."""


class Places:
    """Which posts were asked for where, and which of them, or of their kin, a reader finds there."""

    def __init__(
        self,
        there: Mapping[int, Sequence[Record]],
        members: Collection[tuple[int, str]],
        batch: PostBatch,
        duplicates: Duplicates,
    ) -> None:
        self.there = there
        self._batch = batch
        self._duplicates = duplicates
        rows = [row for rows in there.values() for row in rows]
        taken_back = {(row.post, row.destination) for row in rows if row.action == Action.DELETE}
        self.asked = {(row.post, row.destination) for row in rows} | set(members)
        shown = {(row.post, row.destination) for row in rows if row.action == Action.SEND and row.state in _STANDING}
        self._shown = shown - taken_back
        self._folded = set(members)
        self._expected: set[tuple[int, str]] = set()

    def expect(self, intakes: Iterable[Intake]) -> None:
        """What will be brought by this batch counts before its turn comes."""
        for intake in intakes if self._duplicates.originals else ():
            for planned in intake.planned_sends:
                entry = self._batch.find(planned.uri)
                if entry and not entry.deleted:
                    self._expected |= {(entry.id, name) for name in planned.by}

    def is_related(self, entry: BatchEntry) -> bool:
        """Whether there are copies of it, or originals, or what reads alike."""
        return any(
            entry.uri in uris for uris in (self._duplicates.originals, self._duplicates.copies, self._duplicates.alike)
        )

    def show(self, entry: BatchEntry, name: str) -> None:
        """It has a message there. What is only counted, or shares a message, is no reason to hold others back."""
        self._shown.add((entry.id, name))

    def take_back(self, entry: BatchEntry, name: str) -> None:
        self._shown.discard((entry.id, name))
        self._folded.discard((entry.id, name))

    def has_original(self, entry: BatchEntry, name: str) -> bool:
        """Whether what this is a copy of was brought there, or is about to be."""
        uris = self._duplicates.originals.get(entry.uri)
        if not uris:
            return False
        return any((one.id, name) in self.asked or (one.id, name) in self._expected for one in self._batch.of(uris))

    def has_alike(self, entry: BatchEntry, name: str) -> bool:
        """Whether a reader finds the same there already."""
        uris = self._duplicates.alike.get(entry.uri, ())
        return any((one.id, name) in self._shown and not one.deleted for one in self._batch.of(uris))

    def copies(self, entry: BatchEntry, name: str) -> list[BatchEntry]:
        """The copies of it that were brought there before."""
        uris = self._duplicates.copies.get(entry.uri)
        if not uris:
            return []
        brought = self._shown | self._folded
        return [one for one in self._batch.of(uris) if (one.id, name) in brought]


# --- announcements ---

# Where messages cannot be changed, a change is told by a message of its own: seldom enough to be no flood. Pure.

ONCE_IN = timedelta(days=1)
"""So long nothing is told of further edits of a post."""


class Announcements:
    """Decides, within one intake's transaction, which edits and deletions are to be told."""

    def __init__(self, allowance: Allowance, digests: DigestWriter, now: datetime) -> None:
        self._allowance, self._digests, self._now = allowance, digests, now

    def is_fixed(self, name: str) -> bool:
        """Whether the messages at a destination stay as they were sent."""
        return Destination.parse(name).adapter in self._allowance.unedited

    def allows(self, send: Record, action: Action, there: Iterable[Record]) -> bool:
        """Whether an edit or a deletion of what was sent is to be ordered; ``there``: all deliveries of the post."""
        adapter = Destination.parse(send.destination).adapter
        if adapter not in (self._allowance.unedited if action is Action.EDIT else self._allowance.undeleted):
            return True
        return not self._told(send.destination, there, action) and self._digests.spends(send.destination)

    def _told(self, name: str, there: Iterable[Record], action: Action) -> bool:
        before = self._now - ONCE_IN
        edits = (row for row in there if row.action == Action.EDIT and row.destination == name)
        return action is Action.EDIT and any(row.created > before for row in edits)


# --- planned sends ---

_PLACES = Query(select(deliveries.c.destination).distinct().where(among(deliveries.c.post, "ids")))
_LOCK = Query(  # by names alone: one condition or the other would be looked for at all destinations
    select(destinations.c.name)
    .where(among(destinations.c.name, "names"))
    .order_by(destinations.c.name)
    .with_for_update()
)
_DELIVERIES = Query(
    select(
        deliveries.c.id,
        deliveries.c.destination,
        deliveries.c.post,
        deliveries.c.action,
        deliveries.c.state,
        deliveries.c.attempts,
        deliveries.c.reason,
        deliveries.c.note,
        deliveries.c.subscription,
        deliveries.c.created,
    )
    .where(among(deliveries.c.post, "ids"))
    .order_by(deliveries.c.id)
)
_SUBSCRIBED = Query(select(subscriptions.c.id).where(among(subscriptions.c.id, "ids")))
_WAKE = """(name) DO UPDATE
    SET due = CASE WHEN destinations.not_before > excluded.due THEN destinations.not_before ELSE excluded.due END
    WHERE destinations.due IS NULL AND destinations.paused = ''"""
_COLUMNS = ("destination", "post", "action", "version", "state", "reason", "subscription", "under", "created")
_HELD = (*_COLUMNS, "note", "settled")
_OF_DIGESTS = ("destination", "digest", "action", "version", "state", "reason", "subscription", "created")
_DUE = State.DUE.value
_CANCELLED = "deleted by its author before it was sent"
_COPIED = "a copy, and the original came before it was sent"
_ALIKE = "what reads alike is shown there"
"""The note of a send that is held back for that reason: it is made when that changes."""


def add_deliveries(
    connection: Connection,
    batch: PostBatch,
    intakes: Sequence[Intake],
    now: datetime,
    allowance: Allowance,
    *,
    release: bool = True,
) -> set[str]:
    """Write what the batch asks of the outbox, and wake the destinations. Returns their names.

    Decides on the next checks of the posts that are wanted, which are not written here. ``release``: what was held
    back because it reads like a post that is removed is sent instead of it.
    """
    neighbours = add_neighbours(connection, batch) if release else set()
    duplicates = batch.duplicates()
    wanted = {
        entry.uri: entry for intake in intakes for planned in intake.planned_sends if (entry := batch.find(planned.uri))
    }
    related = {one.id for entry in wanted.values() for one in _related(entry, batch, duplicates)}
    there = _read(connection, batch, intakes, neighbours | related | {entry.id for entry in wanted.values()})
    removed = {entry.id for entry in batch if entry.removed}
    touched = {e.root for e in batch if e.root and (e.new or e.removed or e.uri in wanted)}
    messages = read_thread_messages(connection, touched, removed)
    told = {row.destination for rows in there.values() for row in rows} if allowance.fixes else set()
    digests = _digests(connection, intakes, messages, told, allowance, now)
    digests.lose(removed)
    held = {entry.id for entry in wanted.values() if not entry.new} | related | neighbours
    places = Places(there, read_members(connection, held), batch, duplicates)
    orders = _Orders(micros(now), messages, places, digests, Announcements(allowance, digests, now))
    for entry in batch:
        if entry.removed:
            orders.remove(entry, there.get(entry.id, ()))
        elif entry.edited:
            orders.edit(entry, there.get(entry.id, ()))
    places.expect(intakes)
    for intake in intakes:
        orders.send(intake, batch)
    for entry in batch:
        if entry.new and entry.root and not entry.deleted:
            orders.grow(entry)
    orders.bring_back(connection, [entry for entry in batch if entry.id in neighbours])
    return orders.write(connection)


def _related(entry: BatchEntry, batch: PostBatch, duplicates: Duplicates) -> Iterator[BatchEntry]:
    for uris in (duplicates.originals, duplicates.copies, duplicates.alike):
        yield from batch.of(uris.get(entry.uri, ()))


def _digests(
    connection: Connection,
    intakes: Sequence[Intake],
    messages: ThreadMessages,
    told: Collection[str],
    allowance: Allowance,
    now: datetime,
) -> DigestWriter:
    """``told``: the destinations at which a change of what was sent may become a message."""
    subscribers = {one.id for intake in intakes for planned in intake.planned_sends for one in planned.by.values()}
    names = {name for intake in intakes for planned in intake.planned_sends for name in planned.by}
    names |= messages.destinations() | set(told)
    return DigestWriter(connection, subscribers | messages.subscribers(), names, allowance, now)


def _read(
    connection: Connection, batch: PostBatch, intakes: Sequence[Intake], concerned: Collection[int]
) -> dict[int, list[Record]]:
    """The deliveries of known posts whose states matter now, by post; their destinations are locked."""
    there: defaultdict[int, list[Record]] = defaultdict(list)
    old = {entry.id for entry in batch if not entry.new}
    if old:
        ids = old & ({e.id for e in batch if e.edited or e.removed} | set(concerned))
        names = {name for intake in intakes for planned in intake.planned_sends for name in planned.by}
        names |= {row.destination for row in _PLACES(connection, ids=ids)}
        _LOCK(connection, names=names)
        for row in _DELIVERIES(connection, ids=ids):
            there[row.post].append(row)
    return there


class _Orders:
    """What is to be written to the outbox."""

    def __init__(
        self,
        created: int,
        messages: ThreadMessages,
        places: Places,
        digests: DigestWriter,
        announcements: Announcements,
    ) -> None:
        self._created = created
        self._announcements = announcements
        self._messages = messages
        self._places = places
        self._digests = digests
        self._tagged: dict[tuple[str, int], bool] = {}
        """Whether they are listed there; of threads that is found out once they are written."""
        self._later: list[tuple[BatchEntry, str, ThreadMessage]] = []
        """What is to be posted under a thread's message: in the thread's order, whatever came first."""
        self._rows: list[tuple[Any, ...]] = []
        self._cancelled: list[tuple[Any, ...]] = []
        self._held: list[tuple[Any, ...]] = []
        self._released: list[tuple[Any, ...]] = []
        self._adapters: dict[str, str] = {}

    def send(self, intake: Intake, batch: PostBatch) -> None:
        """Enqueue the planned sends, unless they were asked for before, or something stands there for it."""
        many = self._too_many(intake, batch) if intake.at_once else frozenset()
        for planned in intake.planned_sends:
            entry = batch.find(planned.uri)
            if entry is None or entry.deleted:
                continue
            before = len(self._places.asked)
            related = self._places.is_related(entry)
            for name, subscription in planned.by.items():
                if (entry.id, name) not in self._places.asked and not (related and self._yields(entry, name)):
                    self._places.asked.add((entry.id, name))
                    reason = planned.reason(subscription)
                    if related and self._places.has_alike(entry, name):
                        self._hold_back(entry, name, subscription, reason)
                    else:
                        shared = (
                            DigestReason.LATE
                            if planned.late
                            else DigestReason.MANY
                            if (entry.id, name) in many
                            else None
                        )
                        self._bring(entry, name, subscription, reason, shared)
            if len(self._places.asked) > before:
                shown = entry.new and not entry.root and allows_lists(entry.post)
                self._tagged |= {
                    (tag, entry.id): shown for each in entry.post.tags if (tag := fold(each, entry.source))
                }
                entry.tagged = True
                if intake.next_check and not entry.next_check:
                    entry.next_check, entry.checked = intake.next_check, True

    def _too_many(self, intake: Intake, batch: PostBatch) -> frozenset[tuple[int, str]]:
        """What shares a message with others that came at once: all but the newest, at each destination."""
        coming: defaultdict[str, list[int]] = defaultdict(list)
        for planned in intake.planned_sends:
            entry = batch.find(planned.uri)
            if entry and not entry.deleted and not planned.late:
                for name in planned.by:
                    if (entry.id, name) not in self._places.asked:
                        coming[name].append(entry.id)
        most = intake.at_once or 0
        return frozenset((one, name) for name, there in coming.items() for one in there[:-most])

    def _yields(self, entry: BatchEntry, name: str) -> bool:
        """Whether the original is there instead of this copy; the copies of an original make way for it."""
        if self._places.has_original(entry, name):
            return True
        for copy in self._places.copies(entry, name):
            self._take_back(copy, name)
        return False

    def _hold_back(self, entry: BatchEntry, name: str, subscription: Subscriber, reason: str) -> None:
        """What reads alike is shown there: this one is written down, to be sent when they differ."""
        row = (name, entry.id, Action.SEND.value, "", State.SKIPPED.value, reason, subscription.id, None)
        self._held.append((*row, self._created, _ALIKE, self._created))

    def _take_back(self, copy: BatchEntry, name: str) -> None:
        """The original comes: its copy goes, or is not sent."""
        self._places.take_back(copy, name)
        self._messages.remove(copy.root or "", name, copy.id)
        self._digests.drop(copy.id, name)
        self._end([row for row in self._places.there.get(copy.id, ()) if row.destination == name], _COPIED)

    def bring_back(self, connection: Connection, entries: Iterable[BatchEntry]) -> None:
        """Send what was held back because something read alike, where it is shown no more or differs now."""
        held = [
            row
            for entry in entries
            for row in self._places.there.get(entry.id, ())
            if row.note == _ALIKE and row.state == State.SKIPPED and not entry.deleted
            if not self._places.has_alike(entry, row.destination)
            if not self._places.has_original(entry, row.destination)
        ]
        listening = {row.id for row in _SUBSCRIBED(connection, ids={row.subscription for row in held})} if held else ()
        for row in held:
            if row.subscription in listening:
                self._wake(row.destination)
                self._released.append((_DUE, "", None, row.id))

    def _bring(
        self, entry: BatchEntry, name: str, subscription: Subscriber, reason: str, shared: DigestReason | None
    ) -> None:
        """A thread that has its message already grows there, where that is how the subscription wants it."""
        delivery_options = subscription.delivery_options
        threaded = entry.root is not None and delivery_options.mode is Mode.THREADS
        message = self._messages.at(entry.root, name) if threaded else None
        if message is None:
            if self._digests.hold(name, entry.id, subscription.id, subscription.topic, delivery_options, shared=shared):
                return
            self._order(name, entry.id, Action.SEND, "", reason, subscription.id)
            self._places.show(entry, name)
            self._messages.will_show(name, entry.id)
            if entry.root and threaded:
                age = (entry.published, entry.id)
                self._messages.add(
                    entry.root, name, ThreadMessage(entry.id, age, reason, subscription.id, delivery_options)
                )
        else:
            self._follow_up(entry, name, message)

    def grow(self, entry: BatchEntry) -> None:
        """A new post in a thread, whoever asked for it: each message of the thread counts it."""
        for name, message in self._messages.of(entry.root or ""):
            if (entry.id, name) not in self._places.asked and not self._places.has_original(entry, name):
                self._places.asked.add((entry.id, name))
                self._follow_up(entry, name, message)
            elif message.post != entry.id:
                self._count(name, message, f"count with {entry.id}")

    def _follow_up(self, entry: BatchEntry, name: str, message: ThreadMessage) -> None:
        self._count(name, message, f"count with {entry.id}")
        fixed = self._announcements.is_fixed(name)
        if follows(message, fixed=fixed) and not entry.post.unlisted and (entry.published, entry.id) > message.age:
            self._later.append((entry, name, message))

    def _post_under(self, entry: BatchEntry, name: str, message: ThreadMessage) -> None:
        if not self._digests.hold(name, entry.id, message.subscription, message.reason, message.delivery_options):
            self._order(name, entry.id, Action.SEND, "", message.reason, message.subscription, under=message.post)

    def _count(self, name: str, message: ThreadMessage, version: str) -> None:
        """``version`` tells the occasion: each orders one count at most."""
        if not self._announcements.is_fixed(name) and self._messages.claim_count(name, message):
            self._order(name, message.post, Action.COUNT, version, message.reason, message.subscription)

    def edit(self, entry: BatchEntry, there: Sequence[Record]) -> None:
        """Edit the messages of a post, except where something waits that will show it as it is by then."""
        waiting = {row.destination for row in there if _waits(row) and row.action in {Action.SEND, Action.EDIT}}
        waiting |= {
            row.destination for row in there if row.action == Action.DELETE
        }  # taken back: a copy, or undone since
        for row in there:
            if (
                _was_shown(row)
                and row.destination not in waiting
                and self._announcements.allows(row, Action.EDIT, there)
            ):
                self._follow(row, Action.EDIT, str(entry.revision))

    def remove(self, entry: BatchEntry, there: Sequence[Record]) -> None:
        """Delete the messages of a post, send none of it that was not begun, and count it no more in its thread."""
        for name, message in self._messages.of(entry.root or ""):
            self._count(name, message, f"count without {entry.id}")
        shown = [row for row in there if _was_shown(row)]
        self._end([row for row in there if row not in shown], _CANCELLED)
        self._end([row for row in shown if self._announcements.allows(row, Action.DELETE, there)], _CANCELLED)

    def _end(self, there: Sequence[Record], note: str) -> None:
        for row in there:
            if _was_shown(row):
                self._follow(row, Action.DELETE, "deleted")
            elif _waits(row) or (row.action in {Action.EDIT, Action.COUNT} and row.state == State.DUE):
                self._cancelled.append((State.SKIPPED.value, note, self._created, row.id))

    def _follow(self, send: Record, action: Action, version: str) -> None:
        self._order(send.destination, send.post, action, version, send.reason, send.subscription)
        if action is Action.EDIT:
            self._messages.will_show(send.destination, send.post)

    def _order(
        self,
        name: str,
        post: int,
        action: Action,
        version: str,
        reason: str,
        subscription: int | None,
        *,
        under: int | None = None,
    ) -> None:
        self._wake(name)
        self._rows.append((name, post, action.value, version, _DUE, reason, subscription, under, self._created))

    def _wake(self, name: str) -> None:
        if name not in self._adapters:
            self._adapters[name] = Destination.parse(name).adapter

    def write(self, connection: Connection) -> set[str]:
        for follow_up in sorted(self._later, key=lambda one: (one[0].published, one[0].id)):
            self._post_under(*follow_up)
        self._digests.write()
        of_digests = []
        for name, digest, action, version, reason, subscription in self._digests.orders:
            self._wake(name)
            of_digests.append((name, digest, action.value, version, _DUE, reason, subscription, self._created))
        rows = [(tag, post, shown) for (tag, post), shown in self._tagged.items()]
        insert_rows(connection, tagged, ("tag", "post", "shown"), rows)
        wake = [(name, adapter, self._created) for name, adapter in sorted(self._adapters.items())]
        insert_rows(connection, destinations, ("name", "adapter", "due"), wake, _WAKE)
        update_rows(connection, deliveries, ("state", "note", "settled"), "id", self._cancelled)
        update_rows(connection, deliveries, ("state", "note", "settled"), "id", self._released)
        insert_rows(connection, deliveries, _HELD, self._held)
        insert_rows(connection, deliveries, _COLUMNS, self._rows)
        insert_rows(connection, deliveries, _OF_DIGESTS, of_digests)
        return set(self._adapters)


def _waits(row: Record) -> bool:
    return bool(row.state == State.DUE and row.attempts == 0)


def _was_shown(row: Record) -> bool:
    """The post was sent there, or may have been."""
    begun = row.state in {State.SENT, State.SENDING} or (row.state == State.DUE and row.attempts > 0)
    return bool(row.action == Action.SEND and begun)


# --- a thread's message at each destination: the first of its posts that was sent there, under which it grows ---


def _is(column: ColumnElement[str], *values: StrEnum) -> ColumnElement[bool]:
    """The column is one of these; a list would be written anew at each run."""
    return or_(*(column == value.value for value in values))


_end = deliveries.alias("end")
_taken_back = exists().where(
    _end.c.post == deliveries.c.post, _end.c.destination == deliveries.c.destination, _end.c.version == "deleted"
)
"""It was a copy, and the original came; or its deletion was undone, and its message is gone all the same."""
_HEADS = Query(
    select(
        posts.c.id,
        func.coalesce(posts.c.root, posts.c.uri).label("root"),
        posts.c.published,
        deliveries.c.destination,
        deliveries.c.state,
        deliveries.c.attempts,
        deliveries.c.reason,
        deliveries.c.subscription,
        subscriptions.c.mode,
        subscriptions.c.manner,
    )
    .select_from(posts)
    .join(
        deliveries,
        and_(
            deliveries.c.post == posts.c.id,
            deliveries.c.action == Action.SEND.value,
            deliveries.c.under.is_(None),
            _is(deliveries.c.state, State.DUE, State.SENDING, State.SENT),
        ),
    )
    .join(subscriptions, subscriptions.c.id == deliveries.c.subscription)
    .where(among(posts.c.root, "roots"), ~posts.c.deleted, ~_taken_back)
    .order_by(deliveries.c.id)
)
_WAITING = Query(
    select(deliveries.c.post, deliveries.c.destination).where(
        among(deliveries.c.post, "ids"),
        _is(deliveries.c.action, Action.SEND, Action.EDIT, Action.COUNT),
        deliveries.c.state == State.DUE.value,
        deliveries.c.attempts == 0,
    )
)


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """The post that is a thread's message at one destination, and how its subscription wants the thread brought."""

    post: int
    age: tuple[object, int]
    """When it was published, and its number: what is older was written before it."""
    reason: str
    subscription: int
    delivery_options: DeliveryOptions


class ThreadMessages:
    """Those of the threads that a batch touches; what the batch sends itself is added on the way."""

    def __init__(self, rows: Iterable[Record] = (), waiting: Iterable[Record] = ()) -> None:
        self._messages: dict[tuple[str, str], ThreadMessage] = {}
        self._waiting = {(row.post, row.destination) for row in waiting}
        for row in rows:
            delivery_options = read_delivery_options(row)
            if delivery_options.mode is not Mode.POSTS:
                self.add(row.root, row.destination, _message(row, delivery_options))

    def add(self, root: str, destination: str, message: ThreadMessage) -> None:
        self._messages.setdefault((root, destination), message)

    def remove(self, root: str, destination: str, post: int) -> None:
        """The post is shown there no more, and so is no thread's message."""
        message = self._messages.get((root, destination))
        if message and message.post == post:
            del self._messages[root, destination]

    def at(self, root: str | None, destination: str) -> ThreadMessage | None:
        return self._messages.get((root, destination)) if root else None

    def of(self, root: str) -> list[tuple[str, ThreadMessage]]:
        """Where the thread has a message."""
        return [(destination, message) for (one, destination), message in self._messages.items() if one == root]

    def subscribers(self) -> set[int]:
        return {message.subscription for message in self._messages.values()}

    def destinations(self) -> set[str]:
        return {destination for _, destination in self._messages}

    def claim_count(self, destination: str, message: ThreadMessage) -> bool:
        """Whether a new count is to be ordered: nothing waits yet that will show it. From now on something does."""
        key = (message.post, destination)
        if key in self._waiting:
            return False
        self._waiting.add(key)
        return True

    def will_show(self, destination: str, post: int) -> None:
        """Something is ordered that shows the thread as it is by then."""
        self._waiting.add((post, destination))


def _message(row: Record, delivery_options: DeliveryOptions) -> ThreadMessage:
    return ThreadMessage(row.id, (row.published, row.id), row.reason, row.subscription, delivery_options)


def read_thread_messages(connection: Connection, roots: Collection[str], gone: Collection[int]) -> ThreadMessages:
    """The heads of the threads with these roots; ``gone`` are posts that are none, because they are being deleted."""
    if not roots:
        return ThreadMessages()
    rows = [row for row in _HEADS(connection, roots=roots) if row.id not in gone]
    waiting = _WAITING(connection, ids={row.id for row in rows}) if rows else ()
    return ThreadMessages(rows, waiting)


def follows(message: ThreadMessage, *, fixed: bool) -> bool:
    """Whether the thread's later posts are posted under it: by default where it cannot count them (``fixed``)."""
    return (message.delivery_options.follow or (Follow.REPLIES if fixed else Follow.COUNT)) is Follow.REPLIES
