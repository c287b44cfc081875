"""How a card is to look in one chat."""

from __future__ import annotations

from dataclasses import dataclass

from relay.i18n import Words, words
from relay.plugins import Host


@dataclass(frozen=True, slots=True)
class TelegramStyle:
    """What a chat, its subscription and the configuration say about rendering."""

    say: Words
    relay: str
    """What the relay calls itself."""


# --- how a delivery is to look, and what the relay says for itself ---


class TelegramStyling:
    def __init__(self, host: Host) -> None:
        self._host = host
        self.say = words(host.language)

    def look(self) -> TelegramStyle:
        return TelegramStyle(say=self.say, relay=self._host.name)
