"""What threads and lists are served with: the store in turns, answers that are kept, and layouts off the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import web

from relay.i18n import Words
from relay.records import Page
from relay.store import Store
from relay.web.cache import Cache
from relay.web.lookups import VisitorTurns
from relay.web.site import Site
from relay.web.thread_view import ThreadReading

T = TypeVar("T")

LONG = 500
"""Posts of a long thread."""
_AT_ONCE = 2
"""Answers that are laid out at the same time, so that the relay's own work has its turns between them."""


class Layouts:
    """Lays out what is shown, off the loop: few at a time, and one long thread at a time, which takes seconds."""

    def __init__(self) -> None:
        self._room, self._long = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(1)

    async def make(self, length: int, make: Callable[[], T]) -> T:
        """``length``: of how many posts."""
        async with self._long if length > LONG else nullcontext(), self._room:
            return await asyncio.to_thread(make)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """``reading`` is how a thread reads, ``say`` the reader's language."""

    store: Store
    site: Site
    cache: Cache
    reading: Callable[[Page, Words], ThreadReading]
    say: Callable[[web.Request], Words]
    turns: VisitorTurns = field(default_factory=VisitorTurns)
    layouts: Layouts = field(default_factory=Layouts)
