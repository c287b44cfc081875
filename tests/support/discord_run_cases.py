"""What several tests share with those of discord run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from tests.servers.discord import DiscordServer
from tests.servers.masto import Masto
from tests.servers.mastodon import Draft, Mastodon
from tests.support.relay_runs import database

CONFIG = """\
[relay]
public_url = "https://relay.example"
[store]
url = "{store}"
[web]
port = 0
[http]
allow_private = ["127.0.0.0/8"]
pace = "0s"
[sources.mastodon]
instances = ["{instance}"]
interval = "100ms"
sweep = "300ms"
[adapters.discord]
token = "{token}"
api_url = "{api}"
gateway_url = "{gateway}"
"""


class Network(Protocol):
    instance: str

    async def post(self, text: str) -> Any: ...
    async def edit(self, what: Any, text: str) -> None: ...
    async def delete(self, what: Any) -> None: ...


class MastodonNetwork:
    def __init__(self, stage: Mastodon) -> None:
        self._stage = stage
        self.instance = stage.url

    async def post(self, text: str) -> str:
        return self._stage.post(Draft(author="illa", text=text))

    async def edit(self, what: str, text: str) -> None:
        self._stage.edit(what, text)

    async def delete(self, what: str) -> None:
        self._stage.delete(what)


class MockNetwork:
    """mastodon-mock."""

    def __init__(self, masto: Masto) -> None:
        self._masto = masto
        self.instance = masto.base

    async def post(self, text: str) -> dict[str, Any]:
        return await self._masto.post(text)

    async def edit(self, what: dict[str, Any], text: str) -> None:
        await self._masto.edit(what, text)

    async def delete(self, what: dict[str, Any]) -> None:
        await self._masto.delete(what)


def configured(folder: Path, network: Network, server: DiscordServer) -> Path:
    file = folder / "relay.toml"
    file.write_text(
        CONFIG.format(
            store=database(folder),
            instance=network.instance,
            token=server.token,
            api=server.api_url,
            gateway=server.gateway_url,
        )
    )
    return file
