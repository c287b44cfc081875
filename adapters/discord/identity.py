"""Who we are on Discord."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.discord.api import DiscordApi, DiscordReply, Result


@dataclass(frozen=True, slots=True)
class Identity:
    """``user`` and ``application`` are one number for most bots; those of before 2016 have two."""

    user: str
    name: str
    application: str


class Me:
    """Asks once, and keeps the answer: it never changes for a token."""

    def __init__(self, api: DiscordApi) -> None:
        self._api = api
        self._known: Identity | None = None

    async def get(self) -> Identity | Result:
        if self._known is None:
            user = await self._api.request("GET", "/users/@me")
            if not isinstance(user, DiscordReply) or not user.ok:
                return user
            application = await self._api.request("GET", "/oauth2/applications/@me")
            if not isinstance(application, DiscordReply) or not application.ok:
                return application
            self._known = _identity(user.body, application.body)
        return self._known


def _identity(user: dict[str, Any], application: dict[str, Any]) -> Identity:
    return Identity(str(user["id"]), str(user.get("username") or ""), str(application["id"]))
