"""The adapter: takes deliveries over REST, and commands over the gateway, which alone needs discord.py."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from adapters.discord.api import Api
from adapters.discord.changing import Changer
from adapters.discord.channels import Channels
from adapters.discord.checks import NO_CHANNEL, Checks
from adapters.discord.manner import Manner
from adapters.discord.me import Me
from adapters.discord.outcomes import Failures
from adapters.discord.rights import Rights
from adapters.discord.sending import Sender, is_channel
from adapters.discord.settings import DiscordSettings
from adapters.discord.webhooks import Webhooks
from relay.model import Action, Delivery, Destination
from relay.plugins import Host
from relay.ports import Check, Inbox, Limits, Outcome, Refused


class Discord:
    """One bot."""

    name = "discord"
    limits = Limits(text=4000, media=10, idempotent=True)
    remote = True

    def __init__(self, settings: DiscordSettings, host: Host) -> None:
        self._settings, self._host = settings, host
        self.api = api = Api(settings.token, settings.api_url, version=host.version, contact=host.contact)
        self.channels = channels = Channels(api)
        me, manner = Me(api), Manner(settings, host)
        rights, webhooks = Rights(api, channels, me), Webhooks(api, me, host.name)
        failures = Failures(channels, rights, manner.say)
        self._sender = Sender(api=api, channels=channels, me=me, manner=manner, webhooks=webhooks, failures=failures)
        self._changer = Changer(api=api, channels=channels, me=me, manner=manner, webhooks=webhooks, failures=failures)
        self._checks = Checks(channels=channels, me=me, manner=manner, rights=rights)

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
