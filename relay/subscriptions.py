"""Makes the subscriptions true: known to the store, linked to the feeds they need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from relay.lease import Tenure
from relay.log import get_logger
from relay.model import CHAT, SubscriptionId
from relay.ports import Refused, Resolved, Source, Store, StoreError, TryLater, Wanted
from relay.schedule import backoff
from relay.topics import Answers, mere_pages, refusal, resolve

log = get_logger(__name__)

LONGEST = timedelta(minutes=10)
_NOTHING = Resolved(feeds=())
"""What takes back the links to a source."""


@dataclass(frozen=True, slots=True)
class Link:
    """Subscriptions that want the same; ``answers`` are what the sources said of it so far."""

    same: tuple[SubscriptionId, ...]
    topic: str
    networks: tuple[str, ...]
    answers: Answers = field(default_factory=dict)


@dataclass(kw_only=True)
class Subscriptions:
    """Keeps the subscriptions; ``changed`` is called after each that was linked."""

    store: Store
    sources: Mapping[str, Source]
    tenure: Tenure
    origin: str
    changed: Callable[[], Awaitable[None]]

    def __post_init__(self) -> None:
        self._late: asyncio.Queue[Link] = asyncio.Queue()

    async def run(self, wanted: Sequence[Wanted]) -> None:
        """Write those of the configuration, then link them and the chats', each as soon as its sources answer.

        Returns when every one is linked or refused.
        """
        ids = await self.tenure.persist(lambda: self.store.save_subscriptions(self.origin, wanted))
        await self.tenure.persist(self.changed)
        asked = [(number, want.topic, want.networks) for number, want in zip(ids, wanted, strict=True)]
        asked += [
            (one.id, one.topic, one.networks)
            for one in await self.tenure.persist(self.store.list_subscriptions)
            if one.origin == CHAT
        ]
        async with asyncio.TaskGroup() as tasks:
            for link in _by_topic(asked):
                tasks.create_task(self._link(link), name=f"resolve {link.topic}")

    async def serve(self) -> None:
        """Link what :meth:`link` left for later, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                link = await self._late.get()
                tasks.create_task(self._link(link), name=f"resolve {link.topic}")

    async def link(self, subscription: SubscriptionId, wanted: Wanted, answers: Answers) -> None:
        """Link a new subscription by what its sources have just answered; those that did not are asked again later."""
        try:
            await self.store.save_resolved(subscription, _resolved(answers), self.tenure.clock())
            await self.changed()
        except StoreError as error:
            self.tenure.trouble.broke("store", str(error))
            answers = {}
        if not all(_final(answers.get(name)) for name in wanted.networks or self.sources):
            self._late.put_nowait(Link((subscription,), wanted.topic, wanted.networks, answers))

    async def _link(self, link: Link) -> None:
        """Ask once for all who want the same; they are linked together, so that none of them misses the first posts."""
        answers = dict(link.answers)
        attempt = 1 if answers else 0
        while True:
            if attempt:
                await asyncio.sleep(backoff(attempt, 0.0, longest=LONGEST).total_seconds())
                if not await self._are_there(link):  # they were deleted meanwhile
                    return
            unanswered = [name for name in (link.networks or self.sources) if not _final(answers.get(name))]
            new = await resolve(link.topic, unanswered, self.sources)
            answers |= new
            if resolved := self._chosen(link, answers, new):
                for subscription in link.same:
                    await self._save(subscription, resolved)
                await self.tenure.persist(self.changed)
            if why := refusal(link.topic, answers):
                log.error("a subscription cannot be served", topic=link.topic, reason=why)
            if all(_final(answer) for answer in answers.values()):
                return
            attempt += 1
            self._tell(link.topic, answers)

    def _chosen(self, link: Link, answers: Answers, new: Answers) -> dict[str, Resolved]:
        """What is to be linked of the new answers; nothing of those who take an account for a mere page.

        Who named the networks wants all of them.
        """
        if link.networks:
            return _resolved(new)
        beside = mere_pages(link.topic, answers)
        if beside and _resolved(new):
            log.warning(
                "a topic may be several things", topic=link.topic, **{name: no.reason for name, no in beside.items()}
            )
        return _resolved(new) | dict.fromkeys(beside, _NOTHING)

    async def _are_there(self, link: Link) -> bool:
        there = {one.id for one in await self.tenure.persist(self.store.list_subscriptions)}
        return not there.isdisjoint(link.same)

    async def _save(self, subscription: SubscriptionId, resolved: Mapping[str, Resolved]) -> None:
        now = self.tenure.clock()
        await self.tenure.persist(lambda: self.store.save_resolved(subscription, resolved, now))

    def _tell(self, topic: str, answers: Answers) -> None:
        for name, answer in answers.items():
            if isinstance(answer, TryLater):
                self.tenure.trouble.broke(f"{name} {topic}", answer.reason)
            else:
                self.tenure.trouble.works(f"{name} {topic}")


def _by_topic(asked: Iterable[tuple[SubscriptionId, str, tuple[str, ...]]]) -> Iterable[Link]:
    groups: dict[tuple[str, tuple[str, ...]], list[SubscriptionId]] = {}
    for subscription, topic, networks in asked:
        groups.setdefault((topic, networks), []).append(subscription)
    return [Link(tuple(same), topic, networks) for (topic, networks), same in groups.items()]


def _resolved(answers: Answers) -> dict[str, Resolved]:
    return {name: answer for name, answer in answers.items() if isinstance(answer, Resolved)}


def _final(answer: Resolved | Refused | TryLater | None) -> bool:
    return isinstance(answer, Resolved | Refused)
