"""What Discord's messages are called in the store: ``card/CHANNEL/MESSAGE``, ``webhook:ID/CHANNEL/MESSAGE``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from adapters.discord.style import Style
from relay.kit import MessageIds
from relay.model import MessageId

V2 = 1 << 15
"""The flag of a message made of components; an edit can never remove it."""
_NUMBER = r"\d{1,20}"
_IDS = MessageIds(
    "{style}{by}/{channel}/{message}",
    style="|".join(get_args(Style)),
    by=rf"(?::{_NUMBER})?",
    channel=_NUMBER,
    message=_NUMBER,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordMessage:
    """A message of ours, the style it was sent in, and for ``webhook`` the webhook that sent it."""

    style: Style
    channel: str
    """The channel or thread that it lies in; the first message of a thread in a forum has the thread's own number."""
    message: str
    webhook: str = ""

    @classmethod
    def parse(cls, text: MessageId) -> DiscordMessage | None:
        """None: no message of ours."""
        found = _IDS.read(text)
        if found is None or (found["style"] == "webhook") != bool(found["by"]):
            return None
        style: Style = found["style"]  # type: ignore[assignment]  # the pattern has the styles only
        return cls(style=style, webhook=found["by"][1:], channel=found["channel"], message=found["message"])

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> DiscordMessage:
        """A message of ours as Discord gives it back."""
        webhook = str(message.get("webhook_id") or "")
        style: Style = "webhook" if webhook else "card" if int(message.get("flags") or 0) & V2 else "embed"
        return cls(style=style, channel=str(message["channel_id"]), message=str(message["id"]), webhook=webhook)

    @property
    def id(self) -> MessageId:
        by = f":{self.webhook}" if self.webhook else ""
        return _IDS.write(style=self.style, by=by, channel=self.channel, message=self.message)

    @property
    def path(self) -> str:
        return f"/channels/{self.channel}/messages/{self.message}"
