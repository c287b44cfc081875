"""Which channels the relay can no longer post in, from what the gateway tells, told to the inbox once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import discord

from adapters.discord.asking import destination
from adapters.discord.permissions import ADMINISTRATOR, MANAGE_THREADS, names, posting
from relay.i18n import Words
from relay.ports import Inbox

Place = discord.abc.GuildChannel | discord.Thread


class Known(Protocol):
    """What is remembered of channels elsewhere."""

    def forget(self, channel: str, /) -> None: ...


class Losses:
    """Remembers where the relay can post, so that it tells of each channel once, when that ends.

    What ended while nobody listened shows when the next message is refused.
    """

    def __init__(self, inbox: Inbox, channels: Known, say: Words) -> None:
        self._inbox = inbox
        self._channels = channels
        self._say = say
        self._open: dict[int, set[int]] = {}

    def seen(self, guild: discord.Guild) -> None:
        """Look at a guild for the first time, or after it was away."""
        self._open[guild.id] = {place.id for place in _places(guild) if not self._closed(guild, place)}

    async def changed(self, guild: discord.Guild, *places: Place) -> None:
        """Permissions may have changed: in these channels with their threads, or anywhere in the guild."""
        touched = [*places, *(thread for place in places for thread in getattr(place, "threads", ()))]
        for place in touched:
            self._channels.forget(str(place.id))
        known = self._open.setdefault(guild.id, set())
        by_reason: dict[str, list[int]] = {}
        for place in touched or _places(guild):
            reason = self._closed(guild, place)
            if not reason and getattr(place, "archived", False):
                known.discard(place.id)  # threads are many, and an archived one can do without being watched
            elif not reason:
                known.add(place.id)
            elif place.id in known:
                by_reason.setdefault(reason, []).append(place.id)
                known.discard(place.id)
        for reason, ids in by_reason.items():
            await self._lost(ids, reason)

    async def deleted(self, guild: discord.Guild, channel_id: int, *, thread: bool = False) -> None:
        self._open.get(guild.id, set()).discard(channel_id)
        say = self._say
        await self._lost([channel_id], say("the thread was deleted") if thread else say("the channel was deleted"))

    async def left(self, guild: discord.Guild) -> None:
        """The relay was removed from a guild, or the guild was deleted."""
        self._open.pop(guild.id, None)
        say = self._say
        await self._lost([place.id for place in _places(guild)], say("the relay was removed from the server"))

    async def _lost(self, ids: Iterable[int], reason: str) -> None:
        gone = [str(one) for one in ids]
        for one in gone:
            self._channels.forget(one)
        if gone:
            await self._inbox.lost([destination(one) for one in gone], reason)

    def _closed(self, guild: discord.Guild, place: Place) -> str:
        """Why nothing can be posted there, for people; empty: something can."""
        kind = place.type.value
        may = place.permissions_for(guild.me).value
        say = self._say
        if may & ADMINISTRATOR:
            return ""
        if lacking := posting(kind) & ~may:
            needed = ", ".join(say(name) for name in names(lacking))
            return say("the relay may not post there any more; it needs: {names}").format(names=needed)
        if isinstance(place, discord.Thread) and place.locked and not may & MANAGE_THREADS:
            return say("the thread was locked")
        return ""


def _places(guild: discord.Guild) -> list[Place]:
    return [*guild.channels, *guild.threads]
