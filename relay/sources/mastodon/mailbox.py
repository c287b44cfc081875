"""What a websocket brought and nobody has taken yet: as much as fits, and after that the knowledge of what was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from relay.model import Event
from relay.ports import Streamed

_MOST = 2000
_AT_ONCE = 100


@dataclass(slots=True)
class Mailbox:
    """Filled by who reads the connection, emptied by who writes the store; neither waits for the other.

    ``all_feeds`` says what has to be polled where events had to be dropped.
    """

    all_feeds: Callable[[], Iterable[str]]
    most: int = _MOST
    _events: list[tuple[str, Event]] = field(default_factory=list)
    _missed: set[str] = field(default_factory=set)
    _note: str = ""
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False

    def put(self, events: Sequence[tuple[str, Event]]) -> None:
        if len(self._events) + len(events) > self.most:
            self._missed.update(self.all_feeds())  # polls will bring the posts, and re-checks what became of them
        else:
            self._events += events
        self._news.set()

    def missed(self, feeds: Iterable[str]) -> None:
        """These feeds have to be polled; also where there is none, the reader is told that all is well."""
        self._missed.update(feeds)
        self._news.set()

    def complain(self, reason: str) -> None:
        self._note = reason
        self._news.set()

    def close(self) -> None:
        """Nothing more will come; what is there is still given out."""
        self._closed = True
        self._news.set()

    async def take(self) -> Streamed | None:
        """What there is, in the order in which it came, some at a time; None when it is closed and empty."""
        await self._news.wait()
        if self._closed and not (self._events or self._missed):
            return None
        events, self._events = self._events[:_AT_ONCE], self._events[_AT_ONCE:]
        missed, self._missed = self._missed, set()
        if not (self._events or self._closed):
            self._news.clear()
        return Streamed(events=tuple(events), missed=tuple(sorted(missed)), note=self._note)
