"""What the bot itself may do in a channel, asked of Discord."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.discord.api import DiscordApi, DiscordReply, Result
from adapters.discord.channels import Channel, Channels
from adapters.discord.identity import Identity, Me
from adapters.discord.permissions import Holder, Overwrite, held

KEPT = 20.0
"""Long enough for a check of many channels, too short to be wrong at the next failure."""


class DiscordRights:
    """Two requests per guild and a while: for checks, and for saying what is missing."""

    def __init__(
        self, api: DiscordApi, channels: Channels, me: Me, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api, self._channels, self._me, self._clock = api, channels, me, clock
        self._known: dict[str, tuple[float, Holder]] = {}

    async def held(self, channel: Channel) -> int | Result:
        """The bot's permissions in this channel as bits, or what Discord answered instead."""
        around = await self._channels.get(channel.holder)
        if not isinstance(around, Channel):
            return around
        holder = await self._holder(channel.guild)
        if not isinstance(holder, Holder):
            return holder
        return held(holder, _overwrites(around.raw), channel.kind)

    async def _holder(self, guild: str) -> Holder | Result:
        kept = self._known.get(guild)
        if kept is not None and self._clock() - kept[0] < KEPT:
            return kept[1]
        me = await self._me.get()
        if not isinstance(me, Identity):
            return me
        whole = await self._api.request("GET", f"/guilds/{guild}")
        if not isinstance(whole, DiscordReply) or not whole.ok:
            return whole
        member = await self._api.request("GET", f"/guilds/{guild}/members/{me.user}")
        if not isinstance(member, DiscordReply) or not member.ok:
            return member
        holder = _holder(me.user, whole.body, member.body)
        self._known = {guild: (self._clock(), holder)}
        return holder


def _holder(user: str, guild: Mapping[str, Any], member: Mapping[str, Any]) -> Holder:
    roles = {str(role["id"]): int(role["permissions"]) for role in guild["roles"]}
    until = member.get("communication_disabled_until")
    return Holder(
        id=user,
        guild=str(guild["id"]),
        everyone=roles.get(str(guild["id"]), 0),
        roles={str(role): roles[str(role)] for role in member["roles"] if str(role) in roles},
        owner=guild.get("owner_id") == user,
        timed_out=bool(until) and datetime.fromisoformat(str(until)) > datetime.now(UTC),
    )


def _overwrites(channel: Mapping[str, Any]) -> list[Overwrite]:
    return [
        Overwrite(str(one["id"]), int(one["allow"]), int(one["deny"]))
        for one in channel.get("permission_overwrites") or ()
    ]
