"""Handlers on a real store, and what they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from relay.chat import Handlers, Services
from relay.core.commands import Parsed, command_of
from relay.model import Destination, Subscription
from relay.pipeline.subscriptions import Subscriptions
from relay.pipeline.threads import ThreadReader
from relay.ports import Answer, Command
from relay.records import Quota, StoreError
from relay.store import Store
from relay.testing import FakeSource
from relay.text import plain
from tests.support.outbox_cases import worker

ROOM = Destination("fake", "room")
HALL = Destination("fake", "hall")


@dataclass
class House:
    """Handlers on a real store, with sources that we tell what to say."""

    store: Store
    sources: dict[str, FakeSource] = field(default_factory=lambda: {"fake": FakeSource(), "other": FakeSource("other")})
    quota: Quota = field(default_factory=lambda: Quota(destination=25, community=100))
    base: str = "https://relay.example"
    refreshed: int = 0

    def __post_init__(self) -> None:
        self.subscriptions = Subscriptions(
            store=self.store, sources=self.sources, worker=worker(), origin="config:t", changed=self._changed
        )
        self.handlers = Handlers(
            Services(
                store=self.store,
                sources=self.sources,
                worker=worker(),
                subscriptions=self.subscriptions,
                threads=ThreadReader(store=self.store, sources=self.sources, worker=worker()),
                quota=self.quota,
                page=lambda _destination, slug: f"{self.base}/t/{slug}" if self.base else "",
                version="9.9",
                patience=timedelta(seconds=0.2),
            )
        )

    async def _changed(self) -> None:
        self.refreshed += 1

    async def ask(self, line: str, **changes: object) -> Answer:
        """What is answered to a line, typed in the room by who may manage it."""
        parsed = command_of(line)
        assert isinstance(parsed, Parsed), parsed
        arguments = {name: value for name, value in parsed.arguments.items() if name != "channel"}
        plain_command = Command(
            name=parsed.name, arguments=arguments, destination=ROOM, community="guild", user="7", may_manage=True
        )
        return await self.handlers.answer(replace(plain_command, **changes))  # type: ignore[arg-type]  # named by the test

    async def told(self, line: str, **changes: object) -> str:
        return plain((await self.ask(line, **changes)).text)

    async def refused(self, line: str, **changes: object) -> str:
        """The words of an answer that says that nothing was done; and nothing was."""
        before = await self.store.list_subscriptions(), await self.store.list_audit(100)
        answer = await self.ask(line, **changes)
        assert answer.failed
        assert (await self.store.list_subscriptions(), await self.store.list_audit(100)) == before
        return plain(answer.text)

    async def only(self) -> Subscription:
        (one,) = await self.store.list_subscriptions()
        return one

    async def audit(self) -> list[tuple[str, str]]:
        return [(one.user, one.action) for one in await self.store.list_audit(100)]


class Flaky:
    """A store of which one method fails the first time."""

    def __init__(self, store: Store, method: str) -> None:
        self._store = store
        self._method = method

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._store, name)
        self._method = ""
        return self._fail

    async def _fail(self, *_args: object) -> None:
        raise StoreError("The disk is full.")


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[None]:
    """Late links are made meanwhile."""
    task = asyncio.create_task(house.subscriptions.serve())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
