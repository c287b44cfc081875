"""The end of `relay demo`: what readers and authors can do with a thread, after it was played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from relay.app import App
from relay.demo.stage import FAREWELL, GREETED, POSTSCRIPT, RELAY, REQUEST, Draft, Expected, Stage
from relay.model import Action, Delivery
from relay.ports import Settlement, State

PATIENCE = 15
"""Seconds in which each thing must have happened."""


@dataclass
class Ledger:
    """Keeps count of what the relay did, to compare it with what the play asked for."""

    stage: Stage
    sent: list[str] = field(default_factory=list)
    edited: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    latencies: list[float] = field(default_factory=list)
    folded: int = 0
    """How many posts share the largest message that stands for several."""
    counted: int = 0
    """The last count of a thread."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def settled(self, delivery: Delivery, settlement: Settlement, now: datetime) -> None:
        if settlement.state is not State.SENT:
            return
        if delivery.fold:
            self.folded = max(self.folded, delivery.fold.count)
        else:
            self._count(delivery, now)
        self.changed.set()

    def _count(self, delivery: Delivery, now: datetime) -> None:
        if delivery.card and delivery.card.thread:
            self.counted = delivery.card.thread.count
        match delivery.action:
            case Action.SEND:
                name = self._name(delivery)
                self.sent.append(name)
                self.latencies.append((now - self.stage.posted[name]).total_seconds())
            case Action.EDIT:
                self.edited.add(delivery.uri)
            case Action.DELETE:
                self.deleted.add(delivery.uri)

    def _name(self, delivery: Delivery) -> str:
        """What the stage calls it: a feed's item goes by its address there, within its feed in the store."""
        return delivery.uri if delivery.uri in self.stage.posted or not delivery.card else delivery.card.post.url

    def missing(self, wanted: Expected) -> list[str]:
        """What should have happened and did not, or happened and should not have; for people."""
        twice = [uri for uri in set(self.sent) if self.sent.count(uri) > 1]
        return [
            *(f"not delivered: {uri}" for uri in sorted(wanted.sent - set(self.sent))),
            *(f"delivered and should not have been: {uri}" for uri in sorted(set(self.sent) - wanted.sent)),
            *(f"delivered twice: {uri}" for uri in sorted(twice)),
            *(f"its edit did not follow: {uri}" for uri in sorted(wanted.edited - self.edited)),
            *(f"its deletion did not follow: {uri}" for uri in sorted(wanted.deleted - self.deleted)),
        ]


@dataclass
class Encore:
    """Plays one thing after the other, and tells in words what the cards do not show."""

    app: App
    stage: Stage
    ledger: Ledger
    show: Callable[[str], None]

    async def play(self) -> list[str]:
        """What did not happen; for people."""
        acts = (self._go_on, self._ask, self._greet, self._leave)
        missing = [trouble for act in acts if (trouble := await act())]
        if not missing:
            self.show(f"\n1 mention answered · {self.ledger.folded} greetings in one message · 1 author taken out")
        return missing

    async def _go_on(self) -> str:
        """The author adds a post without the hashtag: a look at the thread finds it, and the count grows."""
        before = self.ledger.counted
        self.show("\nKilla goes on, without the hashtag. The thread is looked at again, and its message counts on.\n")
        self.stage.post(POSTSCRIPT)
        uri = self.stage.uris[POSTSCRIPT.name]
        grown = await self._until(
            lambda: self.ledger.counted > before and uri in self.ledger.sent, "the thread did not grow"
        )
        self.show("")
        return grown

    async def _ask(self) -> str:
        """A reader asks below it, and the answer leads to the page."""
        self._tell(REQUEST)
        try:
            async with asyncio.timeout(PATIENCE):
                await self.stage.speaking.spoken(1)
        except TimeoutError:
            return "a mention was not answered"
        status = self.stage.speaking.statuses[int(self.stage.speaking.posted[0])]
        self.show(f"   ↳ @{RELAY.username}: {status.draft.text}\n")
        return ""

    async def _greet(self) -> str:
        """More than the chat takes within the hour: the rest shares one message, which grows."""
        self.show(f"{len(GREETED)} greetings at once, into a chat that takes four an hour and two at a time:\n")
        for greeting in GREETED:
            self.stage.post(greeting)
        return await self._until(lambda: self.ledger.folded >= len(GREETED) - 2, "the greetings were not folded")

    async def _leave(self) -> str:
        """Somebody takes back what they wrote: all of it, by one word."""
        self.show("")
        before = len(self.ledger.deleted)
        self._tell(FAREWELL)
        return await self._until(lambda: len(self.ledger.deleted) > before, "an author was not taken out")

    def _tell(self, draft: Draft) -> None:
        below = ", below the thread" if draft.reply_to else ", in private"
        self.show(f"💬 @{draft.author}{below}: {draft.text}")
        self.stage.post(draft)

    async def _until(self, holds: Callable[[], bool], otherwise: str) -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    self.ledger.changed.clear()
                    await self.ledger.changed.wait()
        except TimeoutError:
            return otherwise
        return ""
