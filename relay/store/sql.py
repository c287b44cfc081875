"""The store on SQL: every method one transaction, in the database's own thread."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from relay.model import Delivery, Destination, Feed, FeedId, Post, PostUri, Subscription, SubscriptionId
from relay.ports import (
    Added,
    Asked,
    Audit,
    By,
    Changes,
    Claim,
    Counts,
    DestinationState,
    FeedState,
    Forgotten,
    Full,
    Heard,
    Intake,
    Leaf,
    Lease,
    Linking,
    ListPart,
    ListVersion,
    Mention,
    Page,
    PageVersion,
    Quota,
    RequestState,
    Resolved,
    Settlement,
    Share,
    Stop,
    StopKind,
    Taken,
    Undone,
    Unlinked,
    Wanted,
)
from relay.store import (
    audit,
    changes,
    counters,
    deliveries,
    destinations,
    feeds,
    folds,
    forgotten,
    intake,
    jumps,
    leases,
    links,
    listings,
    looks,
    notes,
    origins,
    page_versions,
    pages,
    posts,
    requests,
    stops,
    subscriptions,
    tags,
    versions,
)
from relay.store.destinations import save_lost
from relay.store.engine import Database
from relay.store.tables import meta

_PAUSE = 0.02
"""Seconds between two slices of what may take its time."""
_TOKEN = select(meta.c.value).where(meta.c.key == "token")


def get_token(connection: Connection) -> str:
    token: str = connection.execute(_TOKEN).scalar_one()
    return token


class SqlStore:
    """The :class:`relay.ports.Store` on SQLite or PostgreSQL. ``token`` makes its delivery ids unlike any other's."""

    def __init__(self, database: Database, token: str) -> None:
        self._db = database
        self._token = token
        self._notices = database.notices()

    @property
    def is_writing(self) -> bool:
        return self._db.is_writing

    async def add_intakes(self, intakes: Sequence[Intake], lease: Lease, claim: Claim | None = None) -> Taken:
        return await self._db.write(intake.add_intakes, intakes, lease, claim, self._token)

    async def claim_feeds(self, sources: Sequence[str], lease: Lease, limit: int) -> Sequence[Feed]:
        return await self._db.write(feeds.claim_feeds, sources, lease, limit)

    async def get_next_poll(self, sources: Sequence[str]) -> datetime | None:
        return await self._db.look_up(feeds.get_next_poll, sources)

    async def get_last_poll(self) -> datetime | None:
        return await self._db.scan(jumps.get_last_poll)

    async def save_jump(self, jump: timedelta, lease: Lease, longest: timedelta) -> None:
        await self._db.write(jumps.save_jump, jump, lease, longest)

    async def save_due(self, due: Sequence[FeedId], now: datetime) -> Sequence[FeedId]:
        return await self._db.write(feeds.save_due, due, now)

    async def save_feed_leases(self, held: Sequence[FeedId], lease: Lease) -> None:
        await self._db.write(feeds.save_feed_leases, held, lease)

    async def claim_rechecks(self, source: str, lease: Lease, limit: int) -> Sequence[Post]:
        return await self._db.write(posts.claim_rechecks, source, lease, limit)

    async def claim_looks(self, sources: Sequence[str], lease: Lease, limit: int) -> Sequence[Page]:
        return await self._db.write(looks.claim_looks, sources, lease, limit)

    async def get_next_look(self, sources: Sequence[str]) -> datetime | None:
        return await self._db.look_up(looks.get_next_look, sources)

    async def save_look(self, root: PostUri, then: datetime | None) -> None:
        await self._db.write(looks.save_look, root, then)

    async def save_due_folds(self, now: datetime) -> datetime | None:
        return await self._db.write(folds.save_due_folds, now)

    async def claim_deliveries(self, claim: Claim, lease: Lease) -> Sequence[Delivery]:
        return await self._db.write(deliveries.claim_deliveries, claim, lease, self._token)

    async def save_settlements(
        self, settlements: Sequence[Settlement], lease: Lease, claim: Claim | None = None
    ) -> Sequence[Delivery]:
        return await self._db.write(deliveries.save_settlements, settlements, lease, claim, self._token)

    async def get_next_due(self, adapters: Sequence[str]) -> datetime | None:
        return await self._db.look_up(destinations.get_next_due, adapters)

    async def delete_leases(self, owner: str) -> None:
        await self._db.write(leases.delete_leases, owner)

    async def save_subscriptions(self, origin: str, wanted: Sequence[Wanted]) -> Sequence[SubscriptionId]:
        return await self._db.write(origins.save_subscriptions, origin, wanted)

    async def save_resolved(
        self, subscription: SubscriptionId, resolved: Mapping[str, Resolved], now: datetime
    ) -> None:
        link = Linking((subscription,), resolved, complete=False)
        await self._db.write(links.save_links, [link], "", now)

    async def save_links(self, linked: Sequence[Linking], mark: str, now: datetime) -> None:
        await self._db.write(links.save_links, linked, mark, now)

    async def list_unlinked(
        self, origin: str, mark: str, after: SubscriptionId, limit: int
    ) -> tuple[SubscriptionId | None, Sequence[Unlinked]]:
        return await self._db.read(links.list_unlinked, origin, mark, after, limit)

    async def save_unlinked(self, sources: Sequence[str]) -> None:
        await self._db.write(links.save_unlinked, sources)

    async def list_existing(self, subscribed: Sequence[SubscriptionId]) -> Sequence[SubscriptionId]:
        return await self._db.look_up(links.list_existing, subscribed)

    async def get_subscriptions_version(self) -> int:
        return await self._db.look_up(versions.get_version)

    async def list_subscriptions_page(self, after: SubscriptionId, limit: int) -> Sequence[Subscription]:
        return await self._db.read(subscriptions.list_page, after, limit)

    async def list_changes(self, since: int, limit: int) -> Changes | None:
        return await self._db.look_up(subscriptions.list_changes, since, limit)

    async def wait_for_changes(self, within: timedelta) -> None:
        await self._notices.wait(within)

    async def add_subscription(self, wanted: Wanted, quota: Quota, by: By) -> Added | Full:
        return await self._db.write(changes.add_subscription, wanted, quota, by)

    async def save_subscription(self, subscription: Subscription, by: By) -> bool:
        return await self._db.write(changes.save_subscription, subscription, by)

    async def delete_subscription(self, subscription: SubscriptionId, by: By) -> bool:
        return await self._db.write(changes.delete_subscription, subscription, by)

    async def list_subscriptions(self, destination: Destination | None = None) -> Sequence[Subscription]:
        ask = self._db.look_up if destination else self._db.scan
        return await ask(subscriptions.list_subscriptions, destination)

    async def list_tags(self, destination: Destination, community: str, limit: int) -> Sequence[str]:
        return await self._db.read(tags.list_tags, destination, community, limit)

    async def list_audit(self, limit: int, destination: Destination | None = None) -> Sequence[Audit]:
        return await self._db.read(audit.list_audit, limit, destination)

    async def claim_lease(self, name: str, lease: Lease) -> bool:
        return await self._db.write(leases.claim_lease, name, lease)

    async def list_some_feeds(self, ids: Sequence[FeedId]) -> Sequence[FeedState]:
        return await self._db.read(feeds.list_some_feeds, ids)

    async def list_feeds(self) -> Sequence[FeedState]:
        return await self._db.scan(feeds.list_feeds)

    async def list_destinations(self) -> Sequence[DestinationState]:
        return await self._db.scan(destinations.list_destinations)

    async def get_destination(self, destination: Destination) -> DestinationState | None:
        return await self._db.read(destinations.get_destination, destination)

    async def save_destination(
        self, destination: Destination, paused: str, now: datetime, by: By | None = None
    ) -> None:
        await self._db.write(destinations.save_destination, destination, paused, now, by)

    async def save_listed(self, destination: Destination, by: By, *, listed: bool) -> None:
        await self._db.write(destinations.save_listed, destination, by, listed)

    async def save_lost(self, destinations: Collection[Destination], reason: str, now: datetime) -> Sequence[str]:
        del now  # nothing of a pause depends on when it began
        return await self._db.write(save_lost, destinations, reason)

    async def get_page(self, slug: str) -> Page | None:
        return await self._db.read(pages.get_page, slug)

    async def get_page_versions(self, slugs: Collection[str]) -> Mapping[str, PageVersion]:
        return await self._db.look_up(page_versions.get_page_versions, slugs)

    async def get_list_versions(self, parts: Collection[ListPart]) -> Mapping[ListPart, ListVersion]:
        return await self._db.look_up(page_versions.get_list_versions, parts)

    async def get_page_of(self, ref: str) -> Page | None:
        return await self._db.read(pages.get_page_of, ref)

    async def list_pages(self, limit: int) -> Sequence[Page]:
        return await self._db.read(listings.list_pages, limit)

    async def list_tagged(self, tag: str, limit: int, after: str = "") -> Leaf:
        return await self._db.read(listings.list_tagged, tag, limit, after)

    async def list_by_author(self, slug: str, limit: int, after: str = "") -> Leaf:
        return await self._db.read(listings.list_by_author, slug, limit, after)

    async def list_folded(self, slug: str, limit: int, after: str = "") -> Leaf | None:
        return await self._db.read(listings.list_folded, slug, limit, after)

    async def list_followed(self) -> Sequence[str]:
        return await self._db.read(page_versions.list_followed)

    async def save_own_stop(self, source: str, mention: Mention, now: datetime, until: datetime) -> Forgotten:
        return await self._db.write(stops.save_own_stop, source, mention, now, until)

    async def delete_own_stop(self, source: str, mention: Mention, now: datetime) -> Undone | None:
        return await self._db.write(stops.delete_own_stop, source, mention, now)

    async def save_author_stop(self, ref: str, now: datetime, until: datetime) -> Forgotten:
        return await self._db.write(stops.save_author_stop, ref, now, until)

    async def save_post_stop(self, ref: str, now: datetime, until: datetime) -> Forgotten | None:
        return await self._db.write(stops.save_post_stop, ref, now, until)

    async def get_stop_kind(self, ref: str) -> StopKind:
        return await self._db.look_up(stops.get_stop_kind, ref)

    async def delete_stop(self, ref: str, now: datetime) -> Undone | None:
        return await self._db.write(stops.delete_stop, ref, now)

    async def list_stops(self) -> Sequence[Stop]:
        return await self._db.scan(stops.list_stops)

    async def save_erased(self, now: datetime) -> int:
        """One stop a transaction, so that nothing else waits long."""
        total, erased = 0, False
        while (count := await self._db.write(stops.save_erased, now)) is not None:
            total, erased = total + count, True
        if erased:
            await self._db.checkpoint()
        return total

    async def save_compact(self) -> bool:
        if not await self._db.look_up(stops.is_to_compact):
            return False
        if not await self._db.checkpoint(compact=True):
            return False
        await self._db.write(stops.delete_compact)
        return True

    async def list_taken_out(self, posts: Sequence[Post]) -> Collection[PostUri]:
        return await self._db.look_up(forgotten.taken_out, posts)

    async def save_visit(self, slug: str, now: datetime, *, asked: bool = False) -> None:
        await self._db.write(listings.save_visit, slug, now, asked)

    async def get_mentions_cursor(self, source: str, account: str) -> str:
        return await self._db.look_up(requests.get_cursor, source, account)

    async def add_mentions(
        self, source: str, account: str, mentions: Sequence[Heard], cursor: str | None, now: datetime
    ) -> None:
        await self._db.write(requests.add_mentions, source, account, mentions, cursor, now)

    async def list_urgent(self, source: str, account: str, now: datetime, limit: int) -> Sequence[Asked]:
        return await self._db.look_up(requests.list_urgent, source, account, now, limit)

    async def list_requests(self, source: str, account: str, now: datetime, share: Share) -> Sequence[Asked]:
        return await self._db.look_up(requests.list_requests, source, account, now, share)

    async def get_next_request(self, source: str, account: str, now: datetime) -> datetime | None:
        return await self._db.look_up(requests.get_next_request, source, account, now)

    async def claim_answer(self, source: str, uri: str, root: PostUri, now: datetime) -> bool:
        return await self._db.write(requests.claim_answer, source, uri, root, now)

    async def save_request(
        self, source: str, uri: str, state: RequestState, *, answer: str = "", again: datetime | None = None
    ) -> None:
        await self._db.write(requests.save_request, source, uri, state, answer, again)

    async def list_answers(self, source: str, account: str, since: datetime) -> Sequence[datetime]:
        return await self._db.look_up(requests.list_answers, source, account, since)

    async def get_counts(self) -> Counts:
        return await self._db.scan(counters.get_counts)

    async def get_trouble(self) -> str:
        await self._db.look_up(pages.get_nothing)
        return self._db.trouble

    async def get_note(self, owner: str, key: str, now: datetime) -> str | None:
        return await self._db.look_up(notes.get_note, owner, key, now)

    async def save_note(self, owner: str, key: str, value: str, until: datetime) -> None:
        await self._db.write(notes.save_note, owner, key, value, until)

    async def delete_old(self, before: datetime) -> int:
        """Some threads a transaction, and as long a pause after it, so that nothing else waits long.

        An error, or a kill, leaves the rest for the next time.
        """
        done = await self._db.write(posts.delete_old, before)
        total = done.posts
        while done.place is not None:
            await asyncio.sleep(_PAUSE)
            done = await self._db.write(posts.delete_old, before, done.place)
            total += done.posts
        while await self._db.write(posts.delete_past_folds, before):  # noqa: ASYNC110 - a pause, no waiting
            await asyncio.sleep(_PAUSE)
        await self._db.write(counters.gather_counts)
        await self._db.shrink(_PAUSE)
        while await self._db.write(audit.delete_audit, before):  # noqa: ASYNC110 - a pause, no waiting
            await asyncio.sleep(_PAUSE)
        await self._db.write(notes.delete_notes, before)
        await self._db.write(requests.delete_requests, before)
        return total

    async def save_checkpoint(self, *, compact: bool = False) -> bool:
        return await self._db.checkpoint(compact=compact)

    async def close(self, within: timedelta = timedelta(seconds=5)) -> None:
        await self._notices.close()
        await self._db.close(within)
