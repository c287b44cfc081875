"""Where a channel's posts are commented on: Telegram forwards each to the linked group, and tells the bot so."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

MANY = 2_000
PATIENCE = 1.0
"""Seconds for which the forward of a post that was just sent is waited for, once."""


@dataclass(frozen=True, slots=True)
class Comment:
    """The message in the discussion group to which comments reply."""

    chat: int
    message: int


class Comments:
    """In memory alone: after a restart threads go on as replies in the channel, as they do where no forward comes."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._found: OrderedDict[tuple[int, int], Comment | None] = OrderedDict()
        self._awaited: dict[tuple[int, int], asyncio.Event] = {}

    def forwarded(self, channel: int, message: int, group: int, copy: int) -> None:
        """A channel's message has appeared in its discussion group (``is_automatic_forward``)."""
        key = (channel, message)
        self._keep(key, Comment(group, copy))
        if (awaited := self._awaited.pop(key, None)) is not None:
            awaited.set()

    async def below(self, channel: int, message: int) -> Comment | None:
        """Where to comment on a channel's message; None: nobody has told, and it was waited for."""
        key = (channel, message)
        if key not in self._found:
            try:
                async with asyncio.timeout(self._patience):
                    await self._awaited.setdefault(key, asyncio.Event()).wait()
            except TimeoutError:
                self._awaited.pop(key, None)
                self._keep(key, self._found.get(key))
        return self._found.get(key)

    def closed(self, channel: int, message: int) -> None:
        """We may not comment there."""
        self._keep((channel, message), None)

    def _keep(self, key: tuple[int, int], comment: Comment | None) -> None:
        self._found[key] = comment
        self._found.move_to_end(key)
        while len(self._found) > MANY:
            self._found.popitem(last=False)
