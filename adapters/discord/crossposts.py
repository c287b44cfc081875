"""Publishing a post of an announcement channel to those who follow it: a bonus, never a reason to send again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from adapters.discord.api import Api, Reply
from adapters.discord.outcomes import CROSSPOSTED
from adapters.discord.posted import Posted
from relay.log import Trouble, get_logger

log = get_logger(__name__)

MOST = 10
WITHIN = 3600.0


class Crossposts:
    """Ten an hour in each channel, as far as this process knows: Discord allows no more, and does not say so before."""

    def __init__(self, api: Api, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._clock = api, clock
        self._done: dict[str, deque[float]] = {}
        self._trouble = Trouble(log)

    async def publish(self, posted: Posted) -> None:
        """Try once; what does not work is told, and is over."""
        what, now = f"publishing in channel {posted.channel}", self._clock()
        done = self._done.setdefault(posted.channel, deque())
        while done and now - done[0] >= WITHIN:
            done.popleft()
        if len(done) >= MOST:
            self._trouble.broke(what, f"only {MOST} posts an hour can be published: the others are not")
            return
        done.append(now)
        reply = await self._api.request("POST", f"{posted.path}/crosspost")
        if isinstance(reply, Reply) and (reply.ok or reply.code == CROSSPOSTED):
            self._trouble.works(what)
        else:
            self._trouble.broke(what, reply.message if isinstance(reply, Reply) else reply.reason)
