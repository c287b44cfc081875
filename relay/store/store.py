"""The store: a class each of whose methods is one transaction, declared where its SQL is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, select

from relay.model import Delivery, Destination, Subscription
from relay.records import Claim, Intake, Lease, Policy, Settlement, Taken
from relay.store import (
    audit,
    changes,
    clock_jumps,
    counters,
    deliveries,
    destinations,
    digests,
    feeds,
    forgotten,
    intake,
    leases,
    links,
    listings,
    page_versions,
    pages,
    plugin_storage,
    posts,
    requests,
    stops,
    subscriptions,
    tags,
    versions,
)
from relay.store.engine import Database
from relay.store.tables import meta

_PAUSE = 0.02
"""Seconds between two slices of what may take its time."""
_TOKEN = select(meta.c.value).where(meta.c.key == "token")

P = ParamSpec("P")
T = TypeVar("T")
_Sql = Callable[Concatenate[Connection, P], T]
_Method = Callable[Concatenate["Store", P], Coroutine[Any, Any, T]]


def get_token(connection: Connection) -> str:
    token: str = connection.execute(_TOKEN).scalar_one()
    return token


# --- what becomes of SQL: a method with the same parameters and promises ---


def _method(way: Callable[..., Coroutine[Any, Any, Any]], act: _Sql[P, T]) -> _Method[P, T]:
    @wraps(act)
    async def method(self: Store, /, *given: P.args, **named: P.kwargs) -> T:
        answer: T = await way(self._db, act, *given, **named)
        return answer

    return method


def transaction(act: _Sql[P, T]) -> _Method[P, T]:
    """All of it is written, or nothing."""
    return _method(Database.write, act)


def look_up(act: _Sql[P, T]) -> _Method[P, T]:
    """A quick read, by an index."""
    return _method(Database.look_up, act)


def read(act: _Sql[P, T]) -> _Method[P, T]:
    """A read that may take its time, beside what is written."""
    return _method(Database.read, act)


def scan(act: _Sql[P, T]) -> _Method[P, T]:
    """A read of a whole table, beside all else."""
    return _method(Database.scan, act)


class Store:
    """Posts, subscriptions and the outbox on SQLite or PostgreSQL. All methods raise :class:`relay.records.StoreError`.

    Verbs: add get list claim save delete. ``token`` makes its delivery ids unlike any other database's, ``policy`` is
    what holds for all that it takes in.
    """

    def __init__(self, database: Database, token: str, policy: Policy) -> None:
        self._db = database
        self._token = token
        self._policy = policy
        self._notices = database.notices()

    @property
    def is_writing(self) -> bool:
        """Whether something is being written by this process, or waits for that."""
        return self._db.is_writing

    async def add_intakes(self, intakes: Sequence[Intake], lease: Lease, claim: Claim | None = None) -> Taken:
        """Write posts, deliveries and cursors together, and claim of the destinations that they touch.

        An intake whose feed is no longer leased to ``lease.owner`` is left out whole and named in ``Taken.stale``.
        """
        return await self._db.write(intake.add_intakes, intakes, lease, claim, self._token, self._policy)

    claim_feeds = transaction(feeds.claim_feeds)
    get_next_poll = look_up(feeds.get_next_poll)
    get_last_poll = scan(clock_jumps.get_last_poll)
    save_jump = transaction(clock_jumps.save_jump)
    save_late_writes = transaction(clock_jumps.save_late_writes)
    save_due = transaction(feeds.save_due)
    save_feed_leases = transaction(feeds.save_feed_leases)
    claim_rechecks = transaction(posts.claim_rechecks)
    claim_looks = transaction(intake.claim_looks)
    get_next_look = look_up(intake.get_next_look)
    save_look = transaction(intake.save_look)
    save_due_digests = transaction(digests.save_due_digests)

    async def claim_deliveries(self, claim: Claim, lease: Lease) -> Sequence[Delivery]:
        """The head of the queue of each due, unpaused, unleased destination; at most one delivery per destination."""
        return await self._db.write(deliveries.claim_deliveries, claim, lease, self._token)

    async def save_settlements(
        self, settlements: Sequence[Settlement], lease: Lease, claim: Claim | None = None
    ) -> Sequence[Delivery]:
        """Write outcomes, free the destinations, claim what comes next. A lost lease's settlement changes nothing."""
        return await self._db.write(deliveries.save_settlements, settlements, lease, claim, self._token)

    get_next_due = look_up(destinations.get_next_due)
    delete_leases = transaction(leases.delete_leases)
    save_subscriptions = transaction(changes.save_subscriptions)

    save_links = transaction(links.save_links)
    list_unlinked = read(links.list_unlinked)
    save_unlinked = transaction(links.save_unlinked)
    list_existing = look_up(links.list_existing)
    get_subscriptions_version = look_up(versions.get_subscriptions_version)
    list_subscriptions_page = read(subscriptions.list_subscriptions_page)
    list_changes = look_up(subscriptions.list_changes)

    async def wait_for_changes(self, within: timedelta) -> None:
        """Return when another process changed subscriptions, as far as that is told; ``within`` this time anyway."""
        await self._notices.wait(within)

    add_subscription = transaction(changes.add_subscription)
    save_subscription = transaction(changes.save_subscription)
    delete_subscription = transaction(changes.delete_subscription)

    async def list_subscriptions(self, destination: Destination | None = None) -> Sequence[Subscription]:
        ask = self._db.look_up if destination else self._db.scan
        return await ask(subscriptions.list_subscriptions, destination)

    list_tags = read(tags.list_tags)
    list_audit = read(audit.list_audit)
    claim_lease = transaction(leases.claim_lease)
    list_some_feeds = read(feeds.list_some_feeds)
    list_feeds = scan(feeds.list_feeds)
    list_destinations = scan(destinations.list_destinations)
    get_destination = read(destinations.get_destination)
    save_destination = transaction(destinations.save_destination)
    save_listed = transaction(destinations.save_listed)
    save_lost = transaction(destinations.save_lost)
    get_page = read(pages.get_page)
    get_page_versions = look_up(page_versions.get_page_versions)
    get_list_versions = look_up(page_versions.get_list_versions)
    get_page_of = read(pages.get_page_of)
    list_pages = read(listings.list_pages)
    list_tagged = read(listings.list_tagged)
    list_by_author = read(listings.list_by_author)
    list_digest = read(listings.list_digest)
    list_followed = read(page_versions.list_followed)
    save_own_stop = transaction(stops.save_own_stop)
    delete_own_stop = transaction(stops.delete_own_stop)
    save_author_stop = transaction(stops.save_author_stop)
    save_post_stop = transaction(stops.save_post_stop)
    get_stop_kind = look_up(stops.get_stop_kind)
    delete_stop = transaction(stops.delete_stop)
    list_stops = scan(stops.list_stops)

    async def save_erased(self, now: datetime) -> int:
        """Erase what is hidden by stops whose time has passed; how many posts.

        One stop a transaction, so that nothing else waits long.
        """
        total, erased = 0, False
        while (count := await self._db.write(stops.save_erased, now)) is not None:
            total, erased = total + count, True
        if erased:
            await self._db.checkpoint()
        return total

    async def save_compact(self) -> bool:
        """Where something was erased since the last time, leave none of its bytes in the file; whether that was done.

        It takes some seconds for each gigabyte.
        """
        if not await self._db.look_up(stops.is_to_compact):
            return False
        if not await self._db.checkpoint(compact=True):
            return False
        await self._db.write(stops.delete_compact)
        return True

    list_taken_out = look_up(forgotten.list_taken_out)
    save_visit = transaction(listings.save_visit)
    get_mentions_cursor = look_up(requests.get_mentions_cursor)
    add_mentions = transaction(requests.add_mentions)
    list_urgent = look_up(requests.list_urgent)
    list_requests = look_up(requests.list_requests)
    get_next_request = look_up(requests.get_next_request)
    claim_answer = transaction(requests.claim_answer)
    save_request = transaction(requests.save_request)
    list_answers = look_up(requests.list_answers)
    get_counts = scan(counters.get_counts)

    async def get_trouble(self) -> str:
        """Why the last transaction that wanted to write could not: a full disk still lets everybody read.

        The rest of a sentence that begins with the database; empty where it could. Raises where nothing can be read.
        """
        await self._db.look_up(pages.get_nothing)
        return self._db.trouble

    get_note = look_up(plugin_storage.get_note)
    save_note = transaction(plugin_storage.save_note)

    async def delete_old(self, before: datetime) -> int:
        """Forget posts from before with their settled deliveries, what people changed then, notes that were over then.

        How many posts.

        Some threads a transaction, and as long a pause after it, so that nothing else waits long.

        An error, or a kill, leaves the rest for the next time.
        """
        done = await self._db.write(posts.delete_old, before)
        total = done.posts
        while done.place is not None:
            await asyncio.sleep(_PAUSE)
            done = await self._db.write(posts.delete_old, before, done.place)
            total += done.posts
        while await self._db.write(posts.delete_past_digests, before):  # noqa: ASYNC110 - a pause, no waiting
            await asyncio.sleep(_PAUSE)
        await self._db.write(counters.gather_counts)
        await self._db.shrink(_PAUSE)
        while await self._db.write(audit.delete_audit, before):  # noqa: ASYNC110 - a pause, no waiting
            await asyncio.sleep(_PAUSE)
        await self._db.write(plugin_storage.delete_notes, before)
        await self._db.write(requests.delete_requests, before)
        return total

    async def close(self, within: timedelta = timedelta(seconds=5)) -> None:
        """Let go of the database. What is under way has so long to end, then it is undone and raises."""
        await self._notices.close()
        await self._db.close(within)
