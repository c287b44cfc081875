"""Makes the subscriptions true: known to the store, linked to the feeds they need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import count

from relay.core.schedule import backoff
from relay.log import get_logger
from relay.model import SubscriptionId
from relay.pipeline.batcher import Batcher
from relay.pipeline.topics import Answers, mere_pages, refusal, resolve
from relay.pipeline.worker import Worker
from relay.ports import Refused, Resolved, Source, TryLater
from relay.records import Linking, StoreError, Wanted
from relay.store import Store

log = get_logger(__name__)

LONGEST = timedelta(minutes=10)
AT_ONCE = 256
"""So many topics are asked for at a time; those of which nobody knows yet wait without a task of their own."""
PAGE = 5_000
"""Subscriptions that are looked through at once for those that are not linked."""
BATCH = 500
"""Subscriptions that are linked in one transaction."""
_NOTHING = Resolved(feeds=())
"""What takes back the links to a source."""


@dataclass(frozen=True, slots=True)
class Link:
    """Subscriptions that want the same; ``answers`` are what the sources said of it so far."""

    same: tuple[SubscriptionId, ...]
    topic: str
    networks: tuple[str, ...]
    answers: Answers = field(default_factory=dict)
    attempts: int = 0
    """How often they were asked."""


@dataclass(kw_only=True)
class Subscriptions:
    """Keeps the subscriptions; ``changed`` is called after some were linked.

    ``mark`` names the sources' settings: what was linked under others is linked anew.
    """

    store: Store
    sources: Mapping[str, Source]
    worker: Worker
    origin: str
    changed: Callable[[], Awaitable[None]]
    mark: str = "1"

    def __post_init__(self) -> None:
        self._late: asyncio.Queue[Link] = asyncio.Queue()
        self._links = Batcher[Linking](self._write, limit=BATCH)
        self.written = asyncio.Event()
        """The store knows what the configuration wants."""

    async def run(self, wanted: Sequence[Wanted]) -> None:
        """Write those of the configuration, then link them and the chats', each as soon as its sources answer.

        Only what is not linked yet is. Returns when every one is linked or refused.
        """
        await self.worker.persist(lambda: self.store.save_subscriptions(self.origin, wanted))
        await self.worker.persist(lambda: self.store.save_unlinked(tuple(self.sources)))
        await self.worker.persist(self.changed)
        self.written.set()
        await self._link(await self._unlinked())

    async def serve(self) -> None:
        """Link what :meth:`link` left for later, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                link = await self._late.get()
                tasks.create_task(self._link([link]), name=f"resolve {link.topic}")

    async def link(self, subscription: SubscriptionId, wanted: Wanted, answers: Answers) -> None:
        """Link a new subscription by what its sources have just answered; those that did not are asked again later."""
        link = Link((subscription,), wanted.topic, wanted.networks, answers, attempts=1)
        linking = Linking(link.same, _resolved(answers), self._is_complete(link))
        try:
            await self._save([linking])
            await self.changed()
        except StoreError as error:
            self.worker.trouble.broke("store", str(error))
            link = replace(link, answers={})
        if self._unanswered(link):
            self._late.put_nowait(link)

    async def _unlinked(self) -> Sequence[Link]:
        groups: dict[tuple[str, tuple[str, ...]], list[SubscriptionId]] = {}
        after: SubscriptionId | None = SubscriptionId(0)
        while after is not None:
            after, some = await self.worker.persist(
                partial(self.store.list_unlinked, self.origin, self.mark, after, PAGE)
            )
            for one in some:
                groups.setdefault((one.topic, one.networks), []).append(one.id)
        return [Link(tuple(same), topic, networks) for (topic, networks), same in groups.items()]

    async def _link(self, links: Sequence[Link]) -> None:
        """Ask until every source has answered each; those of which some did not are asked again later and later."""
        loop = asyncio.get_running_loop()
        waiting = [(loop.time() + _wait(link), number, link) for number, link in enumerate(links)]
        heapify(waiting)
        numbers = count(len(links))
        async with asyncio.TaskGroup() as tasks:
            asking: set[asyncio.Task[Link | None]] = set()
            while waiting or asking:
                while waiting and waiting[0][0] <= loop.time() and len(asking) < AT_ONCE:
                    _, _, link = heappop(waiting)
                    asking.add(tasks.create_task(self._ask(link), name=f"resolve {link.topic}"))
                until = waiting[0][0] - loop.time() if waiting and len(asking) < AT_ONCE else None
                if not asking:
                    await asyncio.sleep(until or 0)
                    continue
                done, asking = await asyncio.wait(asking, timeout=until, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if (left := task.result()) is not None:
                        heappush(waiting, (loop.time() + _wait(left), next(numbers), left))

    async def _ask(self, link: Link) -> Link | None:
        """Ask once for all who want the same; they are linked together, so that none of them misses the first posts.

        What is left to be asked; None: nothing.
        """
        if link.attempts and not await self.worker.persist(partial(self.store.list_existing, link.same)):
            return None  # they were deleted meanwhile
        new = await resolve(link.topic, self._unanswered(link), self.sources)
        link = replace(link, answers={**link.answers, **new}, attempts=link.attempts + 1)
        resolved, complete = self._chosen(link, new), self._is_complete(link)
        if resolved or complete:
            for first in range(0, len(link.same), BATCH):
                await self._links.add(Linking(link.same[first : first + BATCH], resolved, complete))
        if why := refusal(link.topic, link.answers):
            log.error("a subscription cannot be served", topic=link.topic, reason=why)
        if not self._unanswered(link):
            return None
        self._tell(link.topic, link.answers)
        return link

    async def _write(self, links: Sequence[Linking]) -> None:
        for some in _batches(links):
            await self.worker.persist(partial(self._save, some))
        await self.worker.persist(self.changed)

    async def _save(self, links: Sequence[Linking]) -> None:
        await self.store.save_links(links, self.mark, self.worker.clock())

    def _unanswered(self, link: Link) -> list[str]:
        names = (name for name in (link.networks or self.sources) if name in self.sources)
        return [name for name in names if not _final(link.answers.get(name))]

    def _is_complete(self, link: Link) -> bool:
        """Whether all have answered. What none of them knows may be known at the next start."""
        return not self._unanswered(link) and bool(_resolved(link.answers))

    def _chosen(self, link: Link, new: Answers) -> dict[str, Resolved]:
        """What is to be linked of the new answers; nothing of those who take an account for a mere page.

        Who named the networks wants all of them.
        """
        if link.networks:
            return _resolved(new)
        beside = mere_pages(link.topic, link.answers)
        if beside and _resolved(new):
            log.warning(
                "a topic may be several things", topic=link.topic, **{name: no.reason for name, no in beside.items()}
            )
        return _resolved(new) | dict.fromkeys(beside, _NOTHING)

    def _tell(self, topic: str, answers: Answers) -> None:
        for name, answer in answers.items():
            if isinstance(answer, TryLater):
                self.worker.trouble.broke(f"{name} {topic}", answer.reason)
            else:
                self.worker.trouble.works(f"{name} {topic}")


def _wait(link: Link) -> float:
    """Seconds until it is to be asked."""
    return backoff(link.attempts, 0.0, longest=LONGEST).total_seconds() if link.attempts else 0.0


def _batches(links: Sequence[Linking]) -> Iterable[Sequence[Linking]]:
    """The same in parts of not many more than :data:`BATCH` subscriptions."""
    some: list[Linking] = []
    for link in links:
        some.append(link)
        if sum(len(one.subscriptions) for one in some) >= BATCH:
            yield some
            some = []
    if some:
        yield some


def _resolved(answers: Answers) -> dict[str, Resolved]:
    return {name: answer for name, answer in answers.items() if isinstance(answer, Resolved)}


def _final(answer: Resolved | Refused | TryLater | None) -> bool:
    return isinstance(answer, Resolved | Refused)
