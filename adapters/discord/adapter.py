"""The adapter: takes deliveries over REST, and commands over the gateway, which alone needs discord.py."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from adapters.discord.api import DiscordApi, DiscordReply, Result
from adapters.discord.changing import DiscordChanger
from adapters.discord.channels import CLOSED, Channel, Channels
from adapters.discord.identity import Identity, Me
from adapters.discord.outcomes import Failures
from adapters.discord.permissions import invite, missing, wanting
from adapters.discord.rights import DiscordRights
from adapters.discord.sending import DiscordSender, is_channel
from adapters.discord.settings import DiscordOptions, DiscordSettings
from adapters.discord.style import DiscordStyling
from adapters.discord.webhooks import Webhooks
from relay.model import Action, Delivery, Destination
from relay.plugins import Host
from relay.ports import Check, Inbox, Limits, Outcome, Refused

# --- what ``relay check`` asks of Discord: who the bot is, and whether it could post where it is to post ---

NO_CHANNEL = "expected a channel's number: in Discord, with Developer Mode on, right-click the channel, Copy Channel ID"


class DiscordChecks:
    def __init__(self, *, channels: Channels, me: Me, manner: DiscordStyling, rights: DiscordRights) -> None:
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
    if isinstance(result, DiscordReply) and result.status == 404:
        return "Discord knows no such channel: it was deleted, or the number is another one's"
    if isinstance(result, DiscordReply) and result.status == 403:
        return "the bot cannot see this channel: invite it to that server, and give it View Channel there"
    return _refusal(result)


def _refusal(result: Result) -> str:
    if not isinstance(result, DiscordReply):
        return result.reason
    if result.status == 401:
        return "Discord refuses the token: set adapters.discord.token to the one in the Developer Portal, under Bot"
    return f"Discord answers: {result.message} ({result.code or result.status})"


# --- adapter ---


class Discord:
    """One bot."""

    name = "discord"
    limits = Limits(text=4000, media=10, idempotent=True)
    remote = True

    def __init__(self, settings: DiscordSettings, host: Host) -> None:
        self._settings, self._host = settings, host
        self.api = api = DiscordApi(settings.token, settings.api_url, version=host.version, contact=host.contact)
        self.channels = channels = Channels(api)
        me, manner = Me(api), DiscordStyling(settings, host)
        rights, webhooks = DiscordRights(api, channels, me), Webhooks(api, me, host.name)
        failures = Failures(channels, rights, manner.say)
        self._sender = DiscordSender(
            api=api, channels=channels, me=me, manner=manner, webhooks=webhooks, failures=failures
        )
        self._changer = DiscordChanger(
            api=api, channels=channels, me=me, manner=manner, webhooks=webhooks, failures=failures
        )
        self._checks = DiscordChecks(channels=channels, me=me, manner=manner, rights=rights)

    async def run(self, inbox: Inbox) -> None:
        """Take commands until cancelled. A token that Discord refuses ends it with one loud line: others go on."""
        from adapters.discord.gateway import Gateway

        await Gateway(self._settings, self._host, self.api, self.channels).run(inbox)

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Carry out one delivery, once: over REST, whatever the gateway does."""
        if not is_channel(delivery.destination):
            return Refused(f"{delivery.destination} is no channel of Discord's: {NO_CHANNEL}")
        if delivery.action is Action.DELETE:
            return await self._changer.delete(delivery)
        if delivery.card is None:
            return Refused("there is nothing to show")
        if delivery.action is Action.SEND:
            return await self._sender.send(delivery, delivery.card)
        return await self._changer.edit(delivery, delivery.card)

    async def check(self, destinations: Collection[Destination] = ()) -> Sequence[Check]:
        """Who the bot is, the link that invites it, and of each channel whether it could post there."""
        return await self._checks.all(destinations)

    async def close(self) -> None:
        """Let go of the connections. A second call does nothing."""
        await self.api.close()


def build(settings: DiscordSettings, host: Host) -> Discord:
    return Discord(settings, host)
