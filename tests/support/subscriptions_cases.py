"""What several tests share with those of subscriptions."""

from __future__ import annotations

from relay.ports import Refused, Resolved, TryLater
from relay.testing import FakeSource


class Scripted(FakeSource):
    """Answers what a topic means from a list."""

    def __init__(self, name: str, *answers: Resolved | Refused | TryLater) -> None:
        super().__init__(name=name)
        self.replies = list(answers)

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


FOUND = Resolved(feeds=("f1", "f2"), tag="bridge")
