"""The loops that read: claim feeds that are due, poll them, write what they brought; re-check what was relayed.

A poll's events, the deliveries they mean and the moved cursor are one transaction. A poll that fails moves nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import assert_never

from relay.core.bot_words import Is, nothing, without_bot_requests
from relay.core.match import Index, Tag, match
from relay.core.schedule import LONGEST_WAIT, backoff, next_check, next_poll, next_poll_after_failure, phase
from relay.core.unroll import events_in_order
from relay.log import get_logger
from relay.model import Event, Feed, FeedId, Post, Published, Subscription, SubscriptionId
from relay.options import Mode
from relay.pipeline import thread_feeds
from relay.pipeline.batcher import Batcher
from relay.pipeline.streams import Live
from relay.pipeline.worker import Worker, end
from relay.ports import Batch, Gone, RecheckingSource, Source, TryLater
from relay.records import Claim, Intake, StoreError, Subscriber, Taken
from relay.store import Store

log = get_logger(__name__)


HANGING = 4
"""So many times the hands all polls are together, those that hang as well: each of them takes memory and a socket."""
MOST_LOOSE = 5
"""So many threads are asked for because one poll brought their later posts first."""


async def _nothing(_post: Post) -> Sequence[Event]:
    return ()


def intake_of(
    feed: Feed, source: Source, answer: Batch | TryLater | Gone, subscribed: Index, now: datetime, jitter: float
) -> Intake:
    """What one poll's answer means for the store. Pure."""
    match answer:
        case Batch():
            sweep: timedelta | None = getattr(source, "sweep", None)  # isinstance() of a protocol costs 20 µs a poll
            events = tuple(events_in_order(answer.events, lambda event: event))
            return Intake(
                feed=feed.id,
                events=answer.past + answer.late + events,
                planned_sends=(
                    *(replace(planned, late=True) for planned in match(answer.late, feed, subscribed, now)),
                    *match(events, feed, subscribed, now),
                ),
                at_once=answer.at_once,
                cursor=answer.cursor,
                next_poll=now if answer.more else next_poll(now, source.interval, answer.wait, _phase(feed)),
                note=answer.note,
                next_check=next_check(now, now, sweep) if sweep else None,
            )
        case TryLater(reason, after, paced=True):
            return Intake(
                feed=feed.id,
                seeded=feed.seeded,
                failures=feed.failures,
                cursor=answer.cursor,
                note=reason,
                next_poll=now + min(after or source.interval, max(LONGEST_WAIT, source.interval)),
            )
        case TryLater(reason, after):
            failures = feed.failures + 1
            return Intake(
                feed=feed.id,
                seeded=feed.seeded,
                failures=failures,
                cursor=answer.cursor,
                note=reason,
                next_poll=next_poll_after_failure(now, source.interval, after, failures, jitter),
            )
        case Gone(reason):
            return Intake(feed=feed.id, seeded=feed.seeded, failures=feed.failures + 1, stopped=reason, note=reason)
        case _:
            assert_never(answer)


def continuations(intake: Intake) -> list[Post]:
    """The wanted posts with which an author goes on, where what they go on with does not come along. Pure."""
    wanted = {planned.uri for planned in intake.planned_sends if any(_is_threaded(one) for one in planned.by.values())}
    posts = [event.post for event in intake.events if isinstance(event, Published)]
    there = {name for post in posts for name in (post.uri, *post.aliases)}
    return [
        post
        for post in posts
        if post.uri in wanted
        and post.reply_to
        and post.reply_to_author == post.author.uri
        and post.reply_to not in there
    ]


def _is_threaded(one: Subscriber) -> bool:
    return one.delivery_options.mode is Mode.THREADS


def _phase(feed: Feed) -> float:
    return phase(f"{feed.source} {feed.address}")


@dataclass(kw_only=True)
class Ingest:
    """Reads the sources until cancelled. Does not know who delivers: ``claimed`` takes what was claimed on the way."""

    store: Store
    sources: Mapping[str, Source]
    worker: Worker
    claimed: Callable[[Taken], None] = lambda _: None
    claim: Callable[[], Claim | None] = lambda: None
    concurrency: int = 64
    looks: tuple[timedelta, ...] = ()
    """How long after a thread grew a feed that is one is asked again whether it grew on."""
    above: Callable[[Post], Awaitable[Sequence[Event]]] = _nothing
    """What the thread was until then with which a post goes on; nothing where it is known, or nobody tells."""
    is_request: Is = nothing
    """Which posts speak to a bot: they are no news."""
    long: timedelta = timedelta(seconds=2)
    """After which a poll is no longer counted among those that hold a hand: it hangs, or waits for its turn."""
    idle: timedelta = timedelta(seconds=1)
    """How long to sleep at most before looking for due feeds: another process may have added some."""

    def __post_init__(self) -> None:
        self._subscribed = Subscribed(store=self.store, worker=self.worker, changed=self._changed)
        self.ready = asyncio.Event()
        """All subscriptions are known, and feeds are polled."""
        self._polling: dict[asyncio.Task[None], Feed] = {}
        self._begun: dict[asyncio.Task[None], float] = {}
        """When each of them began, by the loop's clock."""
        self._woken = asyncio.Event()
        self._unstored: Counter[FeedId | None] = Counter()
        """How often in a row a feed's answer could not be written."""
        self._intakes = Batcher[Intake](self._write)
        self._live = Live(
            store=self.store,
            sources=self.sources,
            worker=self.worker,
            take_in=self._take,
            subscribed=self._subscribed.index,
            woken=self._woken.set,
        )

    @property
    def subscriptions(self) -> int:
        """How many are known and want something."""
        return len(self._subscribed.index)

    async def run(self) -> None:
        # Before the first poll: what came while nobody is known to want it would be read and sent to nobody.
        await self.worker.persist(self.refresh)
        self.ready.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._subscribed.run(), name="subscriptions of others")
            tasks.create_task(self._poll_when_due(), name="polls")
            tasks.create_task(self._hold_leases(), name="leases")
            tasks.create_task(self._live.run(), name="live")
            for source in self.sources.values():
                if isinstance(source, RecheckingSource):
                    tasks.create_task(self._sweep(source), name=f"sweep {source.name}")

    async def stop(self) -> None:
        """Give up the polls that are under way (their feeds are read again) and let the writes end."""
        await end(*self._polling)
        await self._intakes.stop()

    async def refresh(self) -> None:
        """Know the subscriptions as they are now; call it when they changed. Many calls at a time are one reading."""
        await self._subscribed.refresh()

    def _changed(self, feeds: Set[FeedId], tags: Set[Tag]) -> None:
        self._woken.set()
        self._live.look(feeds, tags)

    # --- polling ---

    async def _poll_when_due(self) -> None:
        while True:
            feeds = await self.worker.persist(self._claim_feeds)
            if any(feed.id not in self._subscribed.index.by_feed for feed in feeds):  # somebody has just subscribed
                await self.worker.persist(self.refresh)
            for feed in feeds:
                poll = asyncio.create_task(self._poll(feed), name=f"poll {feed.address}")
                self._polling[poll] = feed
                self._begun[poll] = asyncio.get_running_loop().time()
                poll.add_done_callback(self._polled)
            await self._rest()

    def _polled(self, poll: asyncio.Task[None]) -> None:
        del self._polling[poll], self._begun[poll]
        if len(self._quick()) <= self.concurrency * 3 // 4:  # while most hands are busy, claim for several at once
            self._woken.set()
        if not poll.cancelled() and (error := poll.exception()) is not None:
            log.error("a poll ended in a bug; its feed is read again", feed=poll.get_name(), exc_info=error)

    async def _claim_feeds(self) -> Sequence[Feed]:
        names, limit = self._hands()
        return await self.store.claim_feeds(names, self.worker.leased(), limit) if limit > 0 and names else ()

    def _hands(self) -> tuple[tuple[str, ...], int]:
        """Whose feeds may be claimed now, and how many. A quarter of the hands is never one source's: it may hang.

        A poll that takes long holds no hand any more: what hangs keeps nobody from being asked.
        """
        quick = self._quick()
        free = min(self.concurrency - len(quick), self.concurrency * HANGING - len(self._polling))
        if len(self.sources) == 1:
            return tuple(self.sources), free
        share = max(self.concurrency * 3 // 4, 1)
        held = Counter(feed.source for feed in quick)
        rooms = {name: share - held[name] for name in self.sources if share - held[name] > share // 4}
        return tuple(rooms), min([free, *rooms.values()])

    def _quick(self) -> list[Feed]:
        """The feeds whose polls have not taken long so far."""
        late = asyncio.get_running_loop().time() - self.long.total_seconds()
        return [feed for poll, feed in self._polling.items() if self._begun[poll] > late]

    async def _rest(self) -> None:
        """Sleep until a feed is due, a poll ends, or somebody wakes us."""
        self._woken.clear()
        wait = self.idle
        names, free = self._hands()
        if free > 0 and names:
            due = await self.worker.persist(lambda: self.store.get_next_poll(names))
            if due is not None:
                wait = min(wait, max(due - self.worker.clock(), timedelta(milliseconds=5)))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait.total_seconds()):
                await self._woken.wait()

    async def _poll(self, feed: Feed) -> None:
        source = self.sources[feed.source]
        asked = thread_feeds.poll(source, feed, self.worker.clock(), self.looks)
        answer = await _answer(asked, f"{feed.source} {feed.address}")
        self._tell(feed, answer)
        try:
            await self._take_answer(feed, source, answer)
        except Exception as error:  # what a source put into its answer is nothing that can be matched
            log.exception("an answer could not be taken in; the feed is read again", feed=feed.address)
            await self._take_answer(
                feed, source, TryLater(f"a bug in the source: {type(error).__name__}: {error}"[:300])
            )
        if not feed.seeded or isinstance(answer, Gone):
            self._live.look({feed.id})  # from now on a stream may serve it, or no more

    async def _take_answer(self, feed: Feed, source: Source, answer: Batch | TryLater | Gone) -> None:
        now = self.worker.clock()
        await self._take(intake_of(feed, source, answer, self._subscribed.index, now, random.random()))  # noqa: S311 - jitter, no secret

    def _tell(self, feed: Feed, answer: Batch | TryLater | Gone) -> None:
        where = f"{feed.source} {feed.address}"
        if isinstance(answer, Batch):
            self.worker.trouble.works(where)
            if answer.note:
                self.worker.trouble.broke(f"{where} (in part)", answer.note)
            else:
                self.worker.trouble.works(f"{where} (in part)")
        elif isinstance(answer, Gone) or not answer.paced:
            self.worker.trouble.broke(where, answer.reason)

    async def _hold_leases(self) -> None:
        """A poll may wait long for its turn at a busy host; its feed stays ours meanwhile."""
        while True:
            await asyncio.sleep(self.worker.lease.total_seconds() / 3)
            if held := [feed.id for feed in self._polling.values()]:
                with suppress(StoreError):  # the next write tells of it
                    await self.store.save_feed_leases(held, self.worker.leased())

    # --- writing ---

    async def _take(self, intake: Intake) -> None:
        """Keep an intake. What goes on with a thread that nobody knows brings it along, or it would be another one."""
        intake = without_bot_requests(intake, self.is_request)
        if loose := continuations(intake)[:MOST_LOOSE]:
            above = await asyncio.gather(*(self.above(post) for post in loose))
            intake = replace(intake, events=(*chain.from_iterable(above), *intake.events))
        await self._intakes.add(intake)

    async def _write(self, intakes: Sequence[Intake]) -> None:
        try:
            await self.worker.persist(lambda: self._take_in(intakes))
        except Exception:
            if len(intakes) == 1:
                log.exception("an answer could not be stored; nothing of it is kept and the feed is read again")
                await self._give_up(intakes[0])
                return
            for intake in intakes:  # one of them is poison: let the others through
                await self._write([intake])
            return
        for intake in intakes if self._unstored else ():
            del self._unstored[intake.feed]

    async def _give_up(self, intake: Intake) -> None:
        self._unstored[intake.feed] += 1
        instead = _unstorable(intake, self._unstored[intake.feed], self.worker.clock())
        await self.worker.persist(lambda: self._take_in([instead]))

    async def _take_in(self, intakes: Sequence[Intake]) -> None:
        taken = await self.store.add_intakes(intakes, self.worker.leased(), self.claim())
        self.claimed(taken)
        for feed in taken.stale:
            log.info("a feed was read by another process meanwhile; nothing of this poll is kept", feed=feed)

    # --- re-checking ---

    async def _sweep(self, source: RecheckingSource) -> None:
        pause = min(max(source.sweep / 5, timedelta(milliseconds=200)), timedelta(minutes=1))
        while True:
            posts = await self.worker.persist(lambda: self.store.claim_rechecks(source.name, self.worker.leased(), 20))
            if posts:
                await self._recheck(source, posts)
            else:
                await asyncio.sleep(pause.total_seconds())

    async def _recheck(self, source: RecheckingSource, posts: Sequence[Post]) -> None:
        answer = await _answer(source.recheck(posts), f"{source.name} {posts[0].origin}")
        now = self.worker.clock()
        events = answer.events if isinstance(answer, Batch) else ()
        later = (answer.after if isinstance(answer, TryLater) else None) or timedelta(0)
        rechecked = tuple(
            (post.uri, due and max(due, now + later))
            for post in posts
            for due in [next_check(post.published, now, source.sweep)]
        )
        await self._intakes.add(Intake(feed=None, events=events, rechecked=rechecked))


async def _answer(asked: Awaitable[Batch | TryLater | Gone], what: str) -> Batch | TryLater | Gone:
    """A source's bug must not stop the others: it is told loudly and counts as no answer."""
    try:
        return await asked
    except Exception as error:
        log.exception("a source failed in a way that it should have answered with a value", what=what)
        return TryLater(f"a bug in the source: {type(error).__name__}: {error}")


def _unstorable(intake: Intake, failures: int, now: datetime) -> Intake:
    """The same poll as if it had failed: nothing of it is kept, the cursor does not move.

    It is tried again soon, because what failed may have been the moment, and rarer and rarer, because it may be the
    answer.
    """
    return Intake(
        feed=intake.feed,
        seeded=None,
        failures=failures,
        note="its last answer could not be stored; the log says why",
        next_poll=now + backoff(failures, 0.0, longest=timedelta(minutes=10)),
        rechecked=tuple((uri, now + timedelta(hours=1)) for uri, _ in intake.rechecked),
    )


# --- keeps what the match knows of the subscriptions as the store has it: all are read once, then what changes ---


PAGE = 250
"""Subscriptions that are read at once: some milliseconds of the store's time."""
LOOK_EVERY = timedelta(seconds=5)
"""How often it is looked for what other processes changed, where the store does not tell it at once."""


@dataclass(kw_only=True)
class Subscribed:
    """``changed`` is called with feeds that others may want now, or nobody, and hashtags of which that is so."""

    store: Store
    worker: Worker
    changed: Callable[[Set[FeedId], Set[Tag]], None]

    def __post_init__(self) -> None:
        self.index = Index()
        self._version: int | None = None
        """The change up to which the index is true; None: not all of it was read yet."""
        self._begun: int | None = None
        self._after = SubscriptionId(0)
        self._found: set[SubscriptionId] = set()
        self._reads = Batcher[None](self._read, limit=100_000)

    async def run(self) -> None:
        """Look for what other processes change, until cancelled."""
        while True:
            await self.store.wait_for_changes(LOOK_EVERY)
            await self.worker.persist(self.refresh)

    async def refresh(self) -> None:
        """Know the subscriptions as they are now. Many calls at a time are one reading. Raises ``StoreError``."""
        await self._reads.add(None)

    async def _read(self, _asked: Sequence[None]) -> None:
        if self._version is None:
            await self._read_all()
        while self._version is not None:
            changes = await self.store.list_changes(self._version, PAGE)
            if changes is None:  # this process was held up for very long, or the database is another one
                self._version = None
                await self._read_all()
            elif changes.version == self._version:
                return
            else:
                self._apply(changes.subscriptions, changes.gone)
                self._version = changes.version

    async def _read_all(self) -> None:
        """Page by page, with turns for everything else in between; after an error it goes on where it was."""
        if self._begun is None:
            self._begun, self._after = await self.store.get_subscriptions_version(), SubscriptionId(0)
            self._found = set(self.index.ids())
        while page := await self.store.list_subscriptions_page(self._after, PAGE):
            self._apply(page, ())
            self._found.difference_update(one.id for one in page)
            self._after = page[-1].id
        gone = list(self._found)  # what is left was deleted while nobody told us
        for first in range(0, len(gone), PAGE):
            self._apply((), gone[first : first + PAGE])
            await asyncio.sleep(0)
        self._version, self._begun, self._found = self._begun, None, set()

    def _apply(self, there: Sequence[Subscription], gone: Sequence[SubscriptionId]) -> None:
        feeds: set[FeedId] = set()
        for one in there:
            old = self.index.put(one)
            for some in (old, one) if old else (one,):
                feeds.update(some.feeds)
        for number in gone:
            if old := self.index.drop(number):
                feeds.update(old.feeds)
        tags, self.index.news = self.index.news, set()
        self.changed(feeds, tags)
