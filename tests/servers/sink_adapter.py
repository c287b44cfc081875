"""A third party's adapter: hands each delivery to a server over HTTP. Copied beside a dist-info of its own by tests.

``steady`` promises idempotency (the server honours ``delivery.id``), ``plain`` does not; ``fixed`` can neither edit nor
delete.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import aiohttp

from relay import text
from relay.model import Delivery, Destination, MessageId
from relay.plugins import Host, Plugin
from relay.ports import Check, Inbox, Limits, Outcome, Sent, TryLater, Unknown
from relay.settings import Settings


class SinkSettings(Settings):
    url: str


class SinkAdapter:
    def __init__(self, name: str, url: str, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self.remote = False
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def run(self, inbox: Inbox) -> None:
        """Takes no commands."""

    async def deliver(self, delivery: Delivery) -> Outcome:
        self._session = self._session or aiohttp.ClientSession()
        body = {
            "id": delivery.id,
            "action": delivery.action.value,
            "destination": str(delivery.destination),
            "uri": delivery.uri,
            "words": text.plain(delivery.card.post.body) if delivery.card else "",
            "under": ",".join(delivery.under),
        }
        try:
            async with self._session.post(f"{self._url}/deliver", json=body) as answer:
                return Sent((MessageId(await answer.text()),))
        except aiohttp.ClientConnectorError as error:
            return TryLater(str(error))
        except aiohttp.ClientError as error:
            return Unknown(str(error))

    async def check(self, destinations: Collection[Destination] = ()) -> Sequence[Check]:
        return (Check(name=self.name, ok=True),)

    async def close(self) -> None:
        if self._session:
            await self._session.close()


def _steady(settings: SinkSettings, host: Host) -> SinkAdapter:
    return SinkAdapter("steady", settings.url, Limits(idempotent=True))


def _plain(settings: SinkSettings, host: Host) -> SinkAdapter:
    return SinkAdapter("plain", settings.url, Limits())


def _fixed(settings: SinkSettings, host: Host) -> SinkAdapter:
    return SinkAdapter("fixed", settings.url, Limits(edits=False, deletions=False))


fixed = Plugin(SinkSettings, _fixed)
steady = Plugin(SinkSettings, _steady)
plain = Plugin(SinkSettings, _plain)
