"""The loop that delivers: claim the head of each destination's queue, hand it to its adapter, settle what came of it.

One delivery in flight per destination, so order holds and one slow destination delays nobody else. The claim is
written before the attempt and the outcome after it: a killed process leaves an interrupted delivery, never a lost one.

The loop never sleeps while a delivery is due and a hand is free. A hand is busy from the claim until its outcome is
written, and that write claims for the hands that it frees; so what is left unclaimed after it either has no hand, or
is due at a moment that the loop is told of (:meth:`Outbox._expect`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from relay.changes import change_card
from relay.core.schedule import OnUnknown, RetryPolicy, impossible, settle, unsure
from relay.i18n import Words, words
from relay.log import get_logger
from relay.model import Action, Delivery, DeliveryId, Post
from relay.pipeline.batcher import Batcher
from relay.pipeline.digests import digest_card
from relay.pipeline.worker import Worker, end
from relay.ports import Adapter, Moved, Outcome, Refused, Sent, TryLater, Unknown
from relay.records import Claim, Lease, Settlement, State, StoreError, Taken
from relay.store import Store
from relay.text import brief

log = get_logger(__name__)

_THREAD = 200
"""Posts of a thread of which one message may be made; a longer thread is on its page, and not even read."""
_BREATH = timedelta(milliseconds=5)
"""Between two looks for what is due and cannot be claimed."""
_PATIENCE, _LEAST, _MOST = 0.1, 0.001, 0.025
"""Outcomes wait for more to be written with them for so much of the time that an attempt takes; seconds, if at all."""
_TOGETHER = 8
"""Of so many under way one outcome is enough to be written; a transaction costs as much as a dozen rows in it."""


def patience(takes: float, under_way: int, gathered: int) -> float:
    """For how many seconds outcomes wait for more to be written with them; ``takes``: seconds of an attempt.

    Not at all where few deliveries are under way, or the platforms answer at once.
    """
    seconds = min(takes * _PATIENCE, _MOST)
    return seconds if gathered < under_way // _TOGETHER and seconds >= _LEAST else 0


@dataclass(kw_only=True)
class Outbox:
    """Delivers until cancelled. ``address`` is that of a page, by its path, as an adapter's readers can reach it."""

    store: Store
    adapters: Mapping[str, Adapter]
    worker: Worker
    address: Callable[[Adapter, str], str] = lambda _adapter, _path: ""
    say: Words = field(default_factory=lambda: words("en"))
    """The language of the relay's own messages."""
    name: str = "Chasqui"
    """What the relay is called in them."""
    timeout: timedelta = timedelta(seconds=20)
    """The longest attempt; shorter than the lease, or a slow one would be made twice."""
    on_unknown: OnUnknown = "resend"
    concurrency: int = 32
    idle: timedelta = timedelta(seconds=1)
    """How long to sleep at most before looking for due deliveries: another process may have added some."""
    settled: Callable[[Delivery, Settlement, datetime], None] = lambda _delivery, _settlement, _now: None

    def __post_init__(self) -> None:
        if self.timeout >= self.worker.lease:
            raise ValueError("an attempt must end before its lease lapses: outbox.timeout must be below outbox.lease")
        self._flights: dict[DeliveryId, asyncio.Task[None]] = {}
        """One for each busy hand: what was claimed and whose outcome is not written yet."""
        self._claiming: asyncio.Task[None] | None = None
        self._next_look = self.worker.clock()
        self._looked = True
        """Whether a hand was free when the loop looked last: else it does not know when the next delivery is due."""
        self._woken = asyncio.Event()
        self._stopping = False
        self.unknown = 0
        """Attempts of this run of which nobody knows whether they arrived."""
        self._settlements = Batcher[Settlement](
            self._write, patience=lambda some: patience(self._takes, len(self._flights), some)
        )
        self._takes = 0.0
        """Seconds of an attempt, on average of the latest."""
        self._hands = asyncio.Semaphore(self.concurrency)
        """Two who write at once may claim for the same free hands: what was claimed beyond them waits its turn here."""

    # --- what others call ---

    def claim(self) -> Claim | None:
        """What may be claimed on the way by whoever writes to the store; None: no hand is free."""
        return self._claim_for(self._free())

    def take(self, taken: Taken) -> None:
        """Start on what was claimed on the way, and look at the rest when it is due."""
        if taken.until is not None:
            self._start(taken.deliveries, taken.until)
        if taken.due is not None:
            self._expect(taken.due)

    def wake(self) -> None:
        """Look now: something may have become due of which nobody told what or when."""
        self._expect(self.worker.clock())

    async def run(self) -> None:
        while True:
            await self._look()
            await self._rest()

    async def stop(self, grace: timedelta) -> None:
        """Let what is in flight land within ``grace``; what does not is left for the next start as interrupted."""
        self._stopping = True
        loop = asyncio.get_running_loop()
        until = loop.time() + grace.total_seconds()
        while (busy := self._busy()) and (left := until - loop.time()) > 0:  # what is written or read begins some more
            await asyncio.wait(busy, timeout=left)
        await end(*self._busy())
        await self._settlements.stop()

    # --- the loop ---

    def _busy(self) -> set[asyncio.Task[None]]:
        claiming = self._claiming
        return {*self._flights.values(), *([] if claiming is None or claiming.done() else [claiming])}

    def _free(self) -> int:
        return self.concurrency - len(self._flights)

    def _claim_for(self, hands: int) -> Claim | None:
        return Claim(adapters=tuple(self.adapters), limit=hands) if hands > 0 and not self._stopping else None

    async def _look(self) -> None:
        """Claim what is due, and find out when to look again."""
        self._next_look = self.worker.clock() + self.idle  # before the claim: what comes during it is not forgotten
        self._claiming = asyncio.create_task(self._begin_due(), name="claim")
        await asyncio.shield(self._claiming)  # what is claimed is begun, or it would count as interrupted
        self._looked = self._free() > 0
        if self._looked:
            due = await self.worker.persist(lambda: self.store.get_next_due(tuple(self.adapters)))
            if due is not None:  # if it is due already, another process is about to claim it
                self._expect(max(due, self.worker.clock() + _BREATH))

    async def _begin_due(self) -> None:
        self._start(*await self.worker.persist(self._claim_due))

    async def _claim_due(self) -> tuple[Sequence[Delivery], datetime]:
        claim, lease = self.claim(), self.worker.leased()
        return await self.store.claim_deliveries(claim, lease) if claim else (), lease.until

    async def _rest(self) -> None:
        """Sleep until it is time to look, or the idle time is over."""
        while True:
            self._woken.clear()
            wait = min(self._next_look - self.worker.clock(), self.idle)  # a clock may have been set back
            if wait <= timedelta(0):
                return
            try:
                async with asyncio.timeout(wait.total_seconds()):
                    await self._woken.wait()
            except TimeoutError:
                return

    def _expect(self, due: datetime) -> None:
        """Something will be due then: the loop is to look no later."""
        if due < self._next_look:
            self._next_look = due
            self._woken.set()

    def _start(self, deliveries: Sequence[Delivery], until: datetime) -> None:
        for delivery in deliveries:
            if delivery.id in self._flights:  # its outcome could not be written before its lease lapsed; it will be
                continue
            flight = asyncio.create_task(self._carry_out(delivery, until), name=f"deliver {delivery.id}")
            self._flights[delivery.id] = flight
            flight.add_done_callback(partial(self._ended, delivery.id))

    def _ended(self, delivery: DeliveryId, flight: asyncio.Task[None]) -> None:
        if self._flights.get(delivery) is flight:  # no outcome of it was written, and nothing claimed for its hand
            del self._flights[delivery]
            self.wake()
        if not flight.cancelled() and (error := flight.exception()) is not None:
            log.error("a delivery ended in a bug; it is tried again", delivery=flight.get_name(), exc_info=error)

    def _look_if_blind(self) -> None:
        """Have the loop look now if no hand was free when it did last, and one is now."""
        if not self._looked and self._free() > 0:
            self.wake()

    async def _carry_out(self, ordered: Delivery, until: datetime) -> None:
        """``until``: from when on another process may carry it out, so that this one must not."""
        adapter = self.adapters[ordered.destination.adapter]
        policy = RetryPolicy.of(adapter.limits, self.on_unknown)
        delivery = self._announced(adapter, ordered)
        if reason := impossible(delivery, policy):
            settlement = Settlement(
                delivery=delivery.id,
                destination=delivery.destination,
                state=State.SKIPPED,
                due=self.worker.clock(),
                reason=reason,
                unknown=unsure(delivery, policy),
            )
        else:
            whole = await self._shown(adapter, delivery)
            async with self._hands:
                outcome = await self._attempt(adapter, whole, until)
            self._tell(delivery, outcome)
            settlement = settle(delivery, outcome, policy, self.worker.clock(), random.random())  # noqa: S311 - jitter
        if delivery is not ordered and settlement.state is State.SENT:  # what is deleted later goes with its notes
            settlement = replace(settlement, messages=(*ordered.messages, *settlement.messages))
        self.unknown += settlement.unknown
        self.settled(delivery, settlement, self.worker.clock())
        await self._settlements.add(settlement)

    def _announced(self, adapter: Adapter, delivery: Delivery) -> Delivery:
        """A change that the platform cannot make becomes a short message below what was sent, which says so."""
        page = self.address(adapter, f"fold/{delivery.digest.slug}") if delivery.digest else ""
        now = self.worker.clock()
        card = change_card(delivery, adapter.limits, name=self.name, say=self.say, now=now, page=page)
        if card is None:
            return delivery
        return replace(
            delivery, action=Action.SEND, card=card, messages=(), under=delivery.messages, page="", digest=None
        )

    async def _shown(self, adapter: Adapter, delivery: Delivery) -> Delivery:
        """With all that its message is made of, and no more of the posts than may fit: adapters render in the loop."""
        card = delivery.card
        if delivery.digest is not None:
            address = partial(self.address, adapter)
            card = digest_card(delivery.digest, name=self.name, address=address, say=self.say)
        if card is None:
            return delivery
        unroll, posts = card.unroll, tuple(card.posts)
        if delivery.page and delivery.digest is None and not card.post.author.refuses:
            unroll = self.address(adapter, f"t/{delivery.page}")
        if card.thread and 2 <= card.thread.count <= _THREAD and adapter.limits.threads and not delivery.under:
            posts = await self._thread(delivery.page) or posts
        shown = brief(card.post)
        if posts or shown is not card.post or unroll != card.unroll:
            card = replace(card, post=shown, posts=tuple(map(brief, posts)), unroll=unroll)
        return delivery if card is delivery.card else replace(delivery, card=card)

    async def _thread(self, slug: str) -> tuple[Post, ...]:
        """The posts of a whole thread; none where it cannot be read just now."""
        with suppress(StoreError):
            page = await self.store.get_page(slug)
            read = page.posts if page else ()
            return tuple(post for post in read if isinstance(post, Post) and not post.unlisted)
        return ()

    async def _attempt(self, adapter: Adapter, delivery: Delivery, until: datetime) -> Outcome:
        left = min(self.timeout, until - self.worker.clock())
        if left < self.timeout / 2:  # something stood still; cut short, nobody would know what came of it
            return TryLater("its lease was as good as over before it was tried", paced=True)
        begun = time.monotonic()
        try:
            async with asyncio.timeout(left.total_seconds()):
                return await adapter.deliver(delivery)
        except TimeoutError:
            return Unknown(f"no answer within {left.total_seconds():g} s")
        except Exception as error:
            log.exception("an adapter failed in a way that it should have answered with a value", delivery=delivery.id)
            return Unknown(f"a bug in the adapter: {type(error).__name__}")
        finally:
            self._takes += (time.monotonic() - begun - self._takes) / self.concurrency

    def _tell(self, delivery: Delivery, outcome: Outcome) -> None:
        destination = str(delivery.destination)
        match outcome:
            case Sent():
                self.worker.trouble.works(destination)
            case TryLater(paced=True):
                pass
            case TryLater(reason) | Unknown(reason):
                self.worker.trouble.broke(destination, reason)
            case Moved(new):
                log.info(
                    "a place has another address from now on; where the configuration names the old one, change it",
                    destination=destination,
                    now=str(new),
                )
            case Refused(reason):
                log.warning("a delivery was refused for good", destination=destination, uri=delivery.uri, reason=reason)
            case _:
                log.error("a destination is paused", destination=destination, reason=outcome.reason)

    async def _write(self, settlements: Sequence[Settlement]) -> None:
        try:
            await self._settle(settlements)
        except Exception:
            log.exception("what came of a delivery cannot be kept as it was told; all others are")
            odd: list[Settlement] = []
            for settlement in settlements:  # what was sent, and is not kept as sent, would be sent again
                try:
                    await self._settle([settlement])
                except Exception:  # noqa: BLE001 - it was told above
                    odd.append(settlement)
            for settlement in odd:
                await self._settle([_plain(settlement)])

    async def _settle(self, settlements: Sequence[Settlement]) -> None:
        async def act() -> tuple[Sequence[Delivery], Lease]:
            claim, lease = self._claim_for(self._free() + len(settlements)), self.worker.leased()
            return await self.store.save_settlements(settlements, lease, claim), lease

        claimed, lease = await self.worker.persist(act)
        for settlement in settlements:
            self._flights.pop(settlement.delivery, None)
        self._start(claimed, lease.until)
        for settlement in settlements:
            if settlement.due > lease.now:  # the claim could not see it; it may be due by now
                self._expect(settlement.due)
        self._look_if_blind()


def _plain(settlement: Settlement) -> Settlement:
    """The same without what no database keeps as text."""
    reason, pause = ascii(settlement.reason)[1:-1], ascii(settlement.pause)[1:-1]
    messages = tuple(one for one in settlement.messages if one.isprintable())
    return replace(settlement, reason=reason, pause=pause, messages=messages, moved=None)
