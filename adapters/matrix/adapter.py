"""The adapter: takes deliveries, and lets people's commands in."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from adapters.matrix.api import Api
from adapters.matrix.calls import Calls
from adapters.matrix.changing import Changer
from adapters.matrix.checks import Checks
from adapters.matrix.limits import TEXT
from adapters.matrix.media import Pictures
from adapters.matrix.places import Places
from adapters.matrix.rooms import Rooms
from adapters.matrix.sending import Sender
from adapters.matrix.settings import MatrixSettings
from relay.i18n import words
from relay.model import Action, Delivery, Destination
from relay.plugins import Host
from relay.ports import Check, Inbox, Limits, Outcome, Refused


class Matrix:
    """One account at one homeserver."""

    name = "matrix"
    remote = True

    def __init__(self, settings: MatrixSettings, host: Host) -> None:
        self._settings, self._host = settings, host
        self.limits = Limits(text=TEXT, media=None, idempotent=True)
        self.api = api = Api(settings)
        self.calls = calls = Calls()
        self.rooms = rooms = Rooms(api)
        say, prefix = words(host.language), settings.prefix
        places = Places(api=api, rooms=rooms, settings=settings, say=say)
        server = settings.user.partition(":")[2]
        self._media = media = Pictures(host.http, host.notes, api.upload, api.upload_limit, home=server)
        self._sender = Sender(api=api, calls=calls, places=places, media=media, say=say, prefix=prefix)
        self._changer = Changer(api=api, calls=calls, say=say, prefix=prefix)
        self._checks = Checks(settings, api, rooms)

    async def run(self, inbox: Inbox) -> None:
        """Take commands until cancelled. A token that is refused ends it with one loud line: others go on."""
        from adapters.matrix.listening import Listening

        await Listening(self._settings, self._host, self.api, self.calls, self.rooms).run(inbox)

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Carry out one delivery, once."""
        if delivery.action is Action.DELETE:
            return await self._changer.delete(delivery)
        if delivery.card is None:
            return Refused("there is nothing to show")
        if delivery.action is Action.SEND:
            return await self._sender.send(delivery, delivery.card)
        return await self._changer.edit(delivery, delivery.card)

    async def check(self, destinations: Collection[Destination] = ()) -> Sequence[Check]:
        """Who the bot is, how fast it may post, and of each room whether it could post there."""
        return await self._checks.all(destinations)

    async def close(self) -> None:
        """Let go of the connections. A second call does nothing."""
        await self._media.close()
        await self.api.close()


def build(settings: MatrixSettings, host: Host) -> Matrix:
    return Matrix(settings, host)
