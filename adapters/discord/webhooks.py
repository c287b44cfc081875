"""The webhooks through which posts appear under their authors' names. Their tokens are kept in memory only."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from adapters.discord.api import DiscordApi, DiscordReply, Result
from adapters.discord.identity import Identity, Me

FORBIDDEN_NAMES = re.compile(r"discord|clyde", re.IGNORECASE)
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Webhook:
    id: str
    token: SecretStr

    @property
    def path(self) -> str:
        """Holds the token: for :meth:`DiscordApi.request`, for nobody else."""
        return f"/webhooks/{self.id}/{self.token.get_secret_value()}"


class Webhooks:
    """One webhook of ours per channel: found, else made."""

    def __init__(self, api: DiscordApi, me: Me, name: str) -> None:
        self._api, self._me = api, me
        self._name = FORBIDDEN_NAMES.sub("", name).strip()[:LONGEST_NAME] or "Chasqui"
        self._known: dict[str, dict[str, Webhook]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, channel: str) -> Webhook | Result:
        """The webhook to post through in this channel, made where there is none; or what Discord answered instead."""
        async with self._locks.setdefault(channel, asyncio.Lock()):
            ours = await self._ours(channel)
            if not isinstance(ours, dict):
                return ours
            if not ours:
                reply = await self._api.request("POST", f"/channels/{channel}/webhooks", {"name": self._name})
                made = _webhook(reply.body) if isinstance(reply, DiscordReply) and reply.ok else None
                if made is None:
                    return reply
                ours[made.id] = made
            return next(iter(ours.values()))

    async def find(self, channel: str, webhook: str) -> Webhook | Result | None:
        """The very one that sent a message; None: it is gone, and nothing can be done through it."""
        async with self._locks.setdefault(channel, asyncio.Lock()):
            ours = await self._ours(channel)
        return ours.get(webhook) if isinstance(ours, dict) else ours

    def known(self, channel: str, webhook: str) -> bool:
        """Whether a message's webhook is ours, as far as was asked."""
        return webhook in self._known.get(channel, {})

    def forget(self, channel: str) -> None:
        self._known.pop(channel, None)

    async def _ours(self, channel: str) -> dict[str, Webhook] | Result:
        if channel not in self._known:
            me = await self._me.get()
            if not isinstance(me, Identity):
                return me
            reply = await self._api.request("GET", f"/channels/{channel}/webhooks")
            if not isinstance(reply, DiscordReply) or not reply.ok:
                return reply
            found = [_webhook(one) for one in reply.body if _made_by(one, me)]
            self._known[channel] = {one.id: one for one in found if one is not None}
        return self._known[channel]


def _made_by(told: Mapping[str, Any], me: Identity) -> bool:
    return told.get("application_id") == me.application or (told.get("user") or {}).get("id") == me.user


def _webhook(told: Mapping[str, Any]) -> Webhook | None:
    token = told.get("token")
    return Webhook(str(told["id"]), SecretStr(str(token))) if token else None
