"""The homeserver is asked for news again and again, one question at a time. Goes on until cancelled."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from adapters.matrix.api import POLL, Api, Failed, Json
from adapters.matrix.shapes import ENCRYPTION, MEMBER, MESSAGE, TOMBSTONE, Batch, read
from relay.core.schedule import backoff
from relay.log import Trouble, get_logger

UPDATES = "the updates of matrix"
MOST_IN_A_ROOM = 50
"""Events of one room in one answer; of a room in which more happens than that the rest is not heard."""

_NONE: Json = {"types": []}
_STATE = [MEMBER, ENCRYPTION, TOMBSTONE]
SIEVE: Json = {
    "presence": _NONE,
    "account_data": _NONE,
    "room": {
        "account_data": _NONE,
        "ephemeral": _NONE,
        "state": {"types": _STATE, "lazy_load_members": True},
        "timeline": {"types": [MESSAGE, *_STATE], "limit": MOST_IN_A_ROOM, "lazy_load_members": True},
    },
}
"""Of all that happens only what concerns us; who may what is asked when somebody wants something."""

_SHUT = frozenset({"M_FORBIDDEN", "M_USER_DEACTIVATED", "M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"})
"""Answers to /sync, or to the login before it, after which no other try is of use. A lock may be lifted."""

log = get_logger(__name__)


Take = Callable[[Batch, bool], None]
"""Never waits. Its second word is whether this is the present state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """In seconds."""

    poll: float = POLL
    """How long the homeserver holds a question open."""
    first: float = 1.0
    longest: float = 60.0
    """Between two tries while something is wrong; they grow from the first to the longest."""
    asked: float = 3600.0
    """The longest that the homeserver may ask for."""
    empty: float = 0.2
    """After an answer without news: some answer at once, for what the filter keeps from us."""


class Tries:
    """What goes wrong is told once, and so is its end."""

    def __init__(self, pauses: Pauses) -> None:
        self._pauses = pauses
        self._trouble = Trouble(log)
        self._failures = 0

    def went_well(self) -> None:
        self._failures = 0
        self._trouble.works(UPDATES)

    async def failed(self, failed: Failed) -> bool:
        """Wait as long as is fit. False: there is no use in another try."""
        if failed.code in _SHUT or (failed.status == 401 and not failed.code):
            todo = (
                "commands do not work until the relay is restarted with a token or password that the homeserver takes"
            )
            log.error("token refused", what=UPDATES, reason=failed.reason, todo=todo)
            return False
        self._trouble.broke(UPDATES, failed.reason)
        await asyncio.sleep(self._pause(failed).total_seconds())
        return True

    def _pause(self, failed: Failed) -> timedelta:
        self._failures += 1
        first, longest = timedelta(seconds=self._pauses.first), timedelta(seconds=self._pauses.longest)
        grown = backoff(self._failures, random.random(), first=first, longest=longest)  # noqa: S311 - jitter, no secret
        asked = min(failed.after or timedelta(0), timedelta(seconds=self._pauses.asked))
        return max(grown, asked) if not failed.limited or not failed.after else asked


async def named(api: Api, tries: Tries) -> bool:
    """Find out whether we are who we believe to be; else we would join as somebody else, and answer ourselves."""
    while isinstance(told := await api.whoami(), Failed):
        if not await tries.failed(told):
            return False
    user, _ = told
    if user != api.user:
        todo = "set adapters.matrix.user to the user to whom the token belongs, then restart"
        log.error("commands do not work: the token belongs to somebody else", user=user, todo=todo)
    return user == api.user


async def ask(api: Api, take: Take, tries: Tries, pauses: Pauses) -> None:
    """Ask again and again. Returns where only a person can help: the log says how."""
    position = ""
    while True:
        told = await api.sync(position, SIEVE, hold=pauses.poll)
        batch = told if isinstance(told, Failed) else read(told)
        if isinstance(batch, Batch) and not batch.position:
            batch = Failed("the homeserver's answer has no next_batch", status=200)
        if isinstance(batch, Failed):
            if not await tries.failed(batch):
                return
            position = "" if batch.status == 400 else position  # it does not know the position (any more)
            continue
        tries.went_well()
        take(batch, not position)
        position = batch.position
        if batch.empty:
            await asyncio.sleep(pauses.empty)
