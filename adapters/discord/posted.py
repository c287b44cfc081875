"""What Discord's messages are called in the store: ``card/CHANNEL/MESSAGE``, ``webhook:ID/CHANNEL/MESSAGE``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from adapters.discord.look import Style
from relay.model import MessageId

V2 = 1 << 15
"""The flag of a message made of components; an edit can never remove it."""
_WRITTEN = re.compile(r"(card|embed|webhook)(?::(\d{1,20}))?/(\d{1,20})/(\d{1,20})")
assert set(get_args(Style)) == {"card", "embed", "webhook"}  # noqa: S101 - the pattern above names them all


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message of ours, the style it was sent in, and for ``webhook`` the webhook that sent it."""

    style: Style
    channel: str
    """The channel or thread that it lies in; the first message of a thread in a forum has the thread's own number."""
    message: str
    webhook: str = ""

    @classmethod
    def parse(cls, text: MessageId) -> Posted | None:
        """None: no message of ours."""
        found = _WRITTEN.fullmatch(text)
        if found is None or (found[1] == "webhook") != bool(found[2]):
            return None
        style: Style = found[1]  # type: ignore[assignment]  # the pattern has the styles only
        return cls(style=style, webhook=found[2] or "", channel=found[3], message=found[4])

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Posted:
        """A message of ours as Discord gives it back."""
        webhook = str(message.get("webhook_id") or "")
        style: Style = "webhook" if webhook else "card" if int(message.get("flags") or 0) & V2 else "embed"
        return cls(style=style, channel=str(message["channel_id"]), message=str(message["id"]), webhook=webhook)

    @property
    def id(self) -> MessageId:
        head = f"{self.style}:{self.webhook}" if self.webhook else self.style
        return MessageId(f"{head}/{self.channel}/{self.message}")

    @property
    def path(self) -> str:
        return f"/channels/{self.channel}/messages/{self.message}"


def first_of(messages: Iterable[MessageId]) -> Posted | None:
    """The first that is ours to read."""
    return next((found for one in messages if (found := Posted.parse(one))), None)
