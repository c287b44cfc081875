"""Makes the subscriptions that the configuration asks for true: known to the store, linked to the feeds they need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from relay.lease import Tenure
from relay.log import get_logger
from relay.model import SubscriptionId
from relay.ports import Refused, Resolved, Source, Store, TryLater, Wanted
from relay.schedule import backoff

log = get_logger(__name__)

LONGEST = timedelta(minutes=10)


async def resolve(
    topic: str, networks: Iterable[str], sources: Mapping[str, Source]
) -> dict[str, Resolved | Refused | TryLater]:
    """Ask the named sources what a topic means there."""
    asked = [sources[name] for name in networks if name in sources]
    answers = await asyncio.gather(*(source.resolve(topic) for source in asked))
    return {source.name: answer for source, answer in zip(asked, answers, strict=True)}


def refusal(topic: str, answers: Mapping[str, Resolved | Refused | TryLater]) -> str:
    """Why nobody serves the topic, or an empty string where somebody does or may yet."""
    if any(not isinstance(answer, Refused) for answer in answers.values()):
        return ""
    reasons = "; ".join(f"{name}: {answer.reason}" for name, answer in answers.items() if isinstance(answer, Refused))
    return f"{topic!r} means nothing to {', '.join(answers) or 'any source'} ({reasons})"


@dataclass(kw_only=True)
class Subscriptions:
    """Keeps the configured subscriptions; ``changed`` is called after each that was linked."""

    store: Store
    sources: Mapping[str, Source]
    tenure: Tenure
    origin: str
    changed: Callable[[], Awaitable[None]]

    async def run(self, wanted: Sequence[Wanted]) -> None:
        """Write all, then link each as soon as its sources answer. Returns when every one is linked or refused."""
        ids = await self.tenure.persist(lambda: self.store.save_subscriptions(self.origin, wanted))
        await self.tenure.persist(self.changed)
        async with asyncio.TaskGroup() as tasks:
            for (topic, networks), same in _by_topic(ids, wanted).items():
                tasks.create_task(self._link(same, topic, networks), name=f"resolve {topic}")

    async def _link(self, same: Sequence[SubscriptionId], topic: str, networks: Sequence[str]) -> None:
        """Ask once for all who want the same; they are linked together, so that none of them misses the first posts."""
        attempt = 0
        answers: dict[str, Resolved | Refused | TryLater] = {}
        while True:
            unanswered = [name for name in (networks or self.sources) if not _final(answers.get(name))]
            new = await resolve(topic, unanswered, self.sources)
            answers |= new
            resolved = {name: answer for name, answer in new.items() if isinstance(answer, Resolved)}
            if resolved:
                for subscription in same:
                    await self._save(subscription, resolved)
                await self.tenure.persist(self.changed)
            if why := refusal(topic, answers):
                log.error("a subscription cannot be served", topic=topic, reason=why)
            if all(_final(answer) for answer in answers.values()):
                return
            attempt += 1
            self._tell(topic, answers)
            await asyncio.sleep(backoff(attempt, 0.0, longest=LONGEST).total_seconds())

    async def _save(self, subscription: SubscriptionId, resolved: Mapping[str, Resolved]) -> None:
        now = self.tenure.clock()
        await self.tenure.persist(lambda: self.store.save_resolved(subscription, resolved, now))

    def _tell(self, topic: str, answers: Mapping[str, Resolved | Refused | TryLater]) -> None:
        for name, answer in answers.items():
            if isinstance(answer, TryLater):
                self.tenure.trouble.broke(f"{name} {topic}", answer.reason)
            else:
                self.tenure.trouble.works(f"{name} {topic}")


def _by_topic(
    ids: Sequence[SubscriptionId], wanted: Sequence[Wanted]
) -> Mapping[tuple[str, tuple[str, ...]], list[SubscriptionId]]:
    groups: dict[tuple[str, tuple[str, ...]], list[SubscriptionId]] = {}
    for subscription, want in zip(ids, wanted, strict=True):
        groups.setdefault((want.topic, want.networks), []).append(subscription)
    return groups


def _final(answer: Resolved | Refused | TryLater | None) -> bool:
    return isinstance(answer, Resolved | Refused)
