"""What is known of a channel, asked once in ten minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.discord.api import DiscordApi, DiscordReply, Result

KEPT = 600.0
MANY = 2_000

TEXT, ANNOUNCEMENT, FORUM, MEDIA = 0, 5, 15, 16
THREADS = frozenset({10, 11, 12})
CLOSED = frozenset({1, 3, 4, 14})
"""Direct messages, categories and directories: no place to relay to."""
_REQUIRES_TAG = 1 << 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel, or a thread in one. A thread is as age-restricted as the channel around it."""

    id: str
    kind: int
    name: str = ""
    guild: str = ""
    parent: str = ""
    """Of a thread: the channel around it; of another: its category."""
    age_restricted: bool = False
    tags: tuple[tuple[str, str], ...] = ()
    """(id, name) of the tags that a forum has."""
    needs_tag: bool = False
    posts_in: bool = False
    """Of a thread: it is a post of a forum."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """As Discord gave it: the permissions are computed from it."""

    @property
    def is_thread(self) -> bool:
        return self.kind in THREADS

    @property
    def is_forum(self) -> bool:
        return self.kind in {FORUM, MEDIA}

    @property
    def holder(self) -> str:
        """The channel that has the webhooks and the permissions: its own, or the one around a thread."""
        return self.parent if self.is_thread else self.id


class Channels:
    """Asks Discord, keeps the answers, forgets them when told that something changed."""

    def __init__(self, api: DiscordApi, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._clock = api, clock
        self._known: dict[str, tuple[float, Channel]] = {}

    async def get(self, channel: str) -> Channel | Result:
        """The channel, or what Discord answered instead."""
        kept = self._known.get(channel)
        if kept is not None and self._clock() - kept[0] < KEPT:
            return kept[1]
        reply = await self._api.request("GET", f"/channels/{channel}")
        if not isinstance(reply, DiscordReply) or not reply.ok:
            self.forget(channel)
            return reply
        found = _channel(reply.body)
        if found.is_thread and found.parent:
            around = await self.get(found.parent)
            if not isinstance(around, Channel):
                return around
            found = _channel(reply.body, around)
        self._keep(found)
        return found

    def forget(self, channel: str) -> None:
        """It changed, or is gone: ask again, for the threads in it too."""
        for one in [one.id for _, one in self._known.values() if channel in {one.id, one.parent}]:
            del self._known[one]

    def _keep(self, channel: Channel) -> None:
        while len(self._known) >= MANY:
            del self._known[next(iter(self._known))]
        self._known[channel.id] = (self._clock(), channel)


def _channel(told: Mapping[str, Any], around: Channel | None = None) -> Channel:
    return Channel(
        id=str(told["id"]),
        kind=int(told["type"]),
        name=str(told.get("name") or ""),
        guild=str(told.get("guild_id") or (around.guild if around else "")),
        parent=str(told.get("parent_id") or ""),
        age_restricted=bool(told.get("nsfw")) or (around is not None and around.age_restricted),
        tags=tuple((str(tag["id"]), str(tag["name"])) for tag in told.get("available_tags") or ()),
        needs_tag=bool(int(told.get("flags") or 0) & _REQUIRES_TAG),
        posts_in=around is not None and around.is_forum,
        raw=told,
    )
