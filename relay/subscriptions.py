"""Makes the subscriptions that the configuration asks for true: known to the store, linked to the feeds they need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from relay.lease import Tenure
from relay.log import get_logger
from relay.model import SubscriptionId
from relay.ports import Refused, Resolved, Source, Store, TryLater, Wanted
from relay.schedule import backoff

log = get_logger(__name__)

LONGEST = timedelta(minutes=10)


async def resolve(wanted: Wanted, sources: Mapping[str, Source]) -> dict[str, Resolved | Refused | TryLater]:
    """Ask each source that may serve the topic what it means there."""
    asked = [sources[name] for name in (wanted.networks or sources) if name in sources]
    answers = await asyncio.gather(*(source.resolve(wanted.topic) for source in asked))
    return {source.name: answer for source, answer in zip(asked, answers, strict=True)}


def refusal(wanted: Wanted, answers: Mapping[str, Resolved | Refused | TryLater]) -> str:
    """Why nobody serves the topic, or an empty string where somebody does or may yet."""
    if any(not isinstance(answer, Refused) for answer in answers.values()):
        return ""
    reasons = "; ".join(f"{name}: {answer.reason}" for name, answer in answers.items() if isinstance(answer, Refused))
    return f"{wanted.topic!r} means nothing to {', '.join(answers) or 'any source'} ({reasons})"


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
        await self.changed()
        async with asyncio.TaskGroup() as tasks:
            for subscription, wish in zip(ids, wanted, strict=True):
                tasks.create_task(self._link(subscription, wish), name=f"resolve {wish.topic}")

    async def _link(self, subscription: SubscriptionId, wanted: Wanted) -> None:
        attempt = 0
        answers: dict[str, Resolved | Refused | TryLater] = {}
        while True:
            unanswered = [name for name in (wanted.networks or self.sources) if not _final(answers.get(name))]
            answers |= await resolve(
                Wanted(topic=wanted.topic, destination=wanted.destination, networks=tuple(unanswered)), self.sources
            )
            resolved = {name: answer for name, answer in answers.items() if isinstance(answer, Resolved)}
            if resolved:
                now = self.tenure.clock()
                await self.tenure.persist(lambda: self.store.save_resolved(subscription, resolved, now))  # noqa: B023 - awaited here
                await self.changed()
            if why := refusal(wanted, answers):
                log.error("a subscription cannot be served", topic=wanted.topic, to=str(wanted.destination), reason=why)
            if all(_final(answer) for answer in answers.values()):
                return
            attempt += 1
            self._tell(wanted, answers)
            await asyncio.sleep(backoff(attempt, 0.0, longest=LONGEST).total_seconds())

    def _tell(self, wanted: Wanted, answers: Mapping[str, Resolved | Refused | TryLater]) -> None:
        for name, answer in answers.items():
            if isinstance(answer, TryLater):
                self.tenure.trouble.broke(f"{name} {wanted.topic}", answer.reason)
            else:
                self.tenure.trouble.works(f"{name} {wanted.topic}")


def _final(answer: Resolved | Refused | TryLater | None) -> bool:
    return isinstance(answer, Resolved | Refused)
