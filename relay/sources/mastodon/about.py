"""Knows what the servers are: asked once a day each, remembered over restarts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from relay.plugins import PluginStorage
from relay.ports import Gone, TryLater
from relay.sources.kit import Failure, Ok
from relay.sources.mastodon.api import MastodonApi
from relay.sources.mastodon.kinds import UNKNOWN, ServerKind, Software, read_index, read_software
from relay.sources.mastodon.shapes import Configuration, Instance, read

_DAY = timedelta(days=1)
_AGAIN = timedelta(minutes=10)
_MOST = 2000
_DOMAIN = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){0,20}(?::\d{1,5})?")
_ADDRESS = re.compile(r"(?P<scheme>wss?|https?)://(?P<host>[\w.-]+(?::\d{1,5})?)(?:/.*)?")


class _Note(msgspec.Struct):
    name: str
    version: str = ""


@dataclass(slots=True)
class About:
    """What runs where, by NodeInfo, and whose people's handles end in what."""

    api: MastodonApi
    notes: PluginStorage = field(default_factory=PluginStorage)
    _known: dict[str, tuple[Software | None, datetime]] = field(default_factory=dict)
    _domains: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    async def kind(self, base: str) -> ServerKind:
        """How to ask a server; as if it were Mastodon where it does not say."""
        software = await self.software(base)
        return software.kind if software else UNKNOWN

    async def software(self, base: str) -> Software | None:
        """What a server says that it is; None where it does not say, which is asked again soon."""
        now = self.api.clock()
        software, until = self._known.get(base, (None, now))
        if until > now:
            return software
        software = await self._noted(base)
        if software is None:
            software = await self._ask(base)
            if software:
                note = msgspec.json.encode(_Note(software.name, software.version)).decode()
                await self.notes.save(f"nodeinfo {base}", note, _DAY)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[base] = software, now + (_DAY if software else _AGAIN)
        return software

    async def domain(self, base: str) -> str:
        """What a server says that its people's handles end in; empty where it does not say."""
        now = self.api.clock()
        domain, until = self._domains.get(base, ("", now))
        if until <= now:
            self._domains[base] = "", now + _AGAIN  # where it hangs, nobody waits for it a second time
            told = await instance(self.api, base)
            said = (told.account_domain or told.domain or "") if isinstance(told, Instance) else ""
            domain = said.lower() if _DOMAIN.fullmatch(said) else ""
            if len(self._domains) >= _MOST:
                self._domains.clear()
            self._domains[base] = domain, now + (_AGAIN if isinstance(told, TryLater) else _DAY)
        return domain

    async def _noted(self, base: str) -> Software | None:
        note = read((await self.notes.get(f"nodeinfo {base}") or "").encode(), _Note)
        return Software(note.name, note.version) if note else None

    async def _ask(self, base: str) -> Software | None:
        index = await self.api.get_text(f"{base}/.well-known/nodeinfo")
        where = read_index(index.body) if isinstance(index, Ok) else ""
        document = await self.api.get_text(where) if where else None
        return read_software(document.body) if isinstance(document, Ok) else None


async def instance(api: MastodonApi, base: str) -> Instance | TryLater | Gone | None:
    """What a server tells of itself by Mastodon's API; None where it does not."""
    answer: Ok | Failure = await api.get(f"{base}/api/v2/instance")
    if isinstance(answer, TryLater | Gone):
        return answer
    return read(answer.body, Instance) if isinstance(answer, Ok) else None


def streaming_address(told: Instance | None, base: str) -> str:
    """Where a server streams: where it says, else where Mastodon does without saying. By ``ws`` or ``wss``.

    Where the server is asked by https, the token is not sent over a line that others can read.
    """
    configuration = read(told.configuration, Configuration) if told else None
    urls = (configuration.urls if configuration else None) or (told.urls if told else None)
    said = ((urls.streaming or urls.streaming_api) if urls else None) or base
    found = _ADDRESS.fullmatch(said.strip().lower())
    scheme, host = (found["scheme"], found["host"]) if found else base.split("://")
    secure = scheme in {"wss", "https"} or base.startswith("https:")
    return f"{'wss' if secure else 'ws'}://{host}/api/v1/streaming"
