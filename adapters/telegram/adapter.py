"""The adapter: takes deliveries, and lets people's commands in."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from adapters.telegram.address import NO_CHAT, Place
from adapters.telegram.calls import Calls
from adapters.telegram.changing import Changer
from adapters.telegram.checks import Checks
from adapters.telegram.comments import Comments
from adapters.telegram.manner import Manner
from adapters.telegram.pace import Pace
from adapters.telegram.sending import Sender
from adapters.telegram.settings import TelegramSettings
from adapters.telegram.wire import bot_of, wire
from relay.model import Action, Delivery, Destination
from relay.plugins import Host
from relay.ports import Check, Inbox, Limits, Outcome, Refused


class Telegram:
    """One bot. ``pace``: how often it may ask, where that is not Telegram's own (tests are quicker)."""

    name = "telegram"
    remote = True

    def __init__(self, settings: TelegramSettings, host: Host, *, pace: Pace | None = None) -> None:
        self._settings, self._host = settings, host
        self.limits = Limits(text=4096, media=10, threads=True, idempotent=False, on_unknown=settings.on_unknown)
        self._wires = sending, polling = wire(), wire()
        self.bot = bot = bot_of(settings, sending, polling)
        self.calls = calls = Calls(pace or Pace())
        self.comments = comments = Comments()
        manner = Manner(host)
        self._sender = Sender(bot=bot, calls=calls, manner=manner, comments=comments)
        self._changer = Changer(bot=bot, calls=calls, manner=manner)
        self._checks = Checks(bot, calls)

    async def run(self, inbox: Inbox) -> None:
        """Take commands until cancelled. A token that Telegram refuses ends it with one loud line: others go on."""
        from adapters.telegram.updates import Updates

        await Updates(self._settings, self._host, self.bot, self.calls, self.comments).run(inbox)

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Carry out one delivery, once."""
        place = Place.parse(delivery.destination.address)
        if place is None:
            return Refused(f"{delivery.destination} is no chat of Telegram's: {NO_CHAT}")
        if delivery.action is Action.DELETE:
            return await self._changer.delete(delivery)
        if delivery.card is None:
            return Refused("there is nothing to show")
        if delivery.action is Action.SEND:
            return await self._sender.send(delivery, delivery.card, place)
        if delivery.action is Action.COUNT:
            return await self._changer.count(delivery, delivery.card)
        return await self._changer.edit(delivery, delivery.card)

    async def check(self, destinations: Collection[Destination] = ()) -> Sequence[Check]:
        """Who the bot is, how it hears people, and of each chat whether it could post there."""
        return await self._checks.all(destinations)

    async def close(self) -> None:
        """Let go of the connections. A second call does nothing."""
        for one in self._wires:
            await one.shutdown()


def build(settings: TelegramSettings, host: Host) -> Telegram:
    return Telegram(settings, host)
