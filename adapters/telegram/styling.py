"""How a delivery is to look, and what the relay says for itself."""

from __future__ import annotations

from adapters.telegram.style import TelegramStyle
from relay.i18n import words
from relay.plugins import Host


class TelegramStyling:
    def __init__(self, host: Host) -> None:
        self._host = host
        self.say = words(host.language)

    def look(self) -> TelegramStyle:
        return TelegramStyle(say=self.say, relay=self._host.name)
