"""What ``relay check`` asks of Discord: who the bot is, and whether it could post where it is to post."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from adapters.discord.api import Reply, Result
from adapters.discord.channels import CLOSED, Channel, Channels
from adapters.discord.manner import Manner
from adapters.discord.me import Identity, Me
from adapters.discord.permissions import invite, missing, wanting
from adapters.discord.rights import Rights
from adapters.discord.sending import is_channel
from adapters.discord.settings import DiscordOptions
from relay.model import Destination
from relay.ports import Check

NO_CHANNEL = "expected a channel's number: in Discord, with Developer Mode on, right-click the channel, Copy Channel ID"


class Checks:
    def __init__(self, *, channels: Channels, me: Me, manner: Manner, rights: Rights) -> None:
        self._channels, self._me, self._manner, self._rights = channels, me, manner, rights

    async def all(self, destinations: Collection[Destination]) -> Sequence[Check]:
        me = await self._me.get()
        if not isinstance(me, Identity):
            return (Check(name="discord", ok=False, note=_refusal(me)),)
        named = self._manner.style(DiscordOptions()) == "webhook"
        link = invite(me.application, webhooks=named)
        first = Check(name="discord", ok=True, note=f"the bot is {me.name}; invite it with {link}")
        return (first, *[await self._one(one, webhooks=named) for one in destinations])

    async def _one(self, destination: Destination, *, webhooks: bool) -> Check:
        name = str(destination)
        if not is_channel(destination):
            return Check(name=name, ok=False, note=NO_CHANNEL)
        channel = await self._channels.get(destination.address)
        if not isinstance(channel, Channel):
            return Check(name=name, ok=False, note=_no_channel(channel))
        if reason := self._manner.foreign(channel):
            return Check(name=name, ok=False, note=reason)
        if channel.kind in CLOSED:
            note = f"#{channel.name} is a category or the like: nothing can be posted in it"
            return Check(name=name, ok=False, note=note)
        return await self._may_post(name, channel, webhooks=webhooks)

    async def _may_post(self, name: str, channel: Channel, *, webhooks: bool) -> Check:
        have = await self._rights.held(channel)
        if not isinstance(have, int):
            return Check(name=name, ok=False, note=_refusal(have))
        if names := missing(have, channel.kind, webhooks=webhooks):
            note = f"#{channel.name}: the bot lacks {', '.join(names)}; give it these permissions there"
            return Check(name=name, ok=False, note=note)
        better = wanting(have, channel.kind)
        return Check(
            name=name, ok=True, note=f"#{channel.name}" + (f"; better with {', '.join(better)}" if better else "")
        )


def _no_channel(result: Result) -> str:
    if isinstance(result, Reply) and result.status == 404:
        return "Discord knows no such channel: it was deleted, or the number is another one's"
    if isinstance(result, Reply) and result.status == 403:
        return "the bot cannot see this channel: invite it to that server, and give it View Channel there"
    return _refusal(result)


def _refusal(result: Result) -> str:
    if not isinstance(result, Reply):
        return result.reason
    if result.status == 401:
        return "Discord refuses the token: set adapters.discord.token to the one in the Developer Portal, under Bot"
    return f"Discord answers: {result.message} ({result.code or result.status})"
