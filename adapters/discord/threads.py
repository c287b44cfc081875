"""Where a thread goes on: in the Discord thread of its first message."""

from __future__ import annotations

import time
from collections.abc import Callable

from adapters.discord.api import Api, Reply, Result
from adapters.discord.card import title
from adapters.discord.channels import Channel
from adapters.discord.outcomes import ARCHIVED, THREAD_EXISTS, UNKNOWN_MESSAGE, is_closed
from adapters.discord.posted import first_of
from relay.log import get_logger
from relay.model import Card, Delivery

log = get_logger(__name__)

MANY = 2_000
BARRED_FOR = 600.0


class Threads:
    """Opens each thread once; remembers where it may not, so that nobody is asked in vain at each post."""

    def __init__(self, api: Api, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._clock = api, clock
        self._open: dict[str, None] = {}
        self._barred: dict[str, float] = {}

    async def under(self, channel: Channel, delivery: Delivery, card: Card) -> str | Result:
        """The thread to post in; empty: in the channel itself."""
        first = first_of(delivery.under)
        if first is None or channel.is_thread:
            return ""
        thread = first.message if first.channel == channel.id else first.channel
        if self._is_barred(thread):
            return ""
        if first.channel != channel.id or thread in self._open:
            return thread
        if self._is_barred(channel.id):
            return ""
        reply = await self._api.request("POST", f"{first.path}/threads", {"name": title(card)})
        return self._opened(channel, first.message, reply)

    def failed(self, thread: str, result: Result) -> bool:
        """Whether a message that a thread did not take belongs into the channel itself."""
        if not isinstance(result, Reply) or not (is_closed(result) or result.code == ARCHIVED):
            return False
        self._open.pop(thread, None)
        self._bar(thread)
        return True

    def _opened(self, channel: Channel, message: str, reply: Result) -> str | Result:
        if isinstance(reply, Reply) and (reply.ok or reply.code == THREAD_EXISTS):
            while len(self._open) >= MANY:
                del self._open[next(iter(self._open))]
            self._open[message] = None
            return message  # the thread of a message has the message's own number
        if isinstance(reply, Reply) and reply.status == 403 and is_closed(reply):
            log.warning("threads go on in the channel itself", channel=channel.id, reason=reply.message)
            self._bar(channel.id)
            return ""
        if isinstance(reply, Reply) and (reply.status == 400 or reply.code == UNKNOWN_MESSAGE):
            return ""  # too many threads, a channel that has none, the message is gone
        return reply

    def _is_barred(self, place: str) -> bool:
        return self._barred.get(place, 0.0) > self._clock()

    def _bar(self, place: str) -> None:
        now = self._clock()
        self._barred = {one: until for one, until in self._barred.items() if until > now}
        self._barred[place] = now + BARRED_FOR
