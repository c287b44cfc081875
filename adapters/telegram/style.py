"""How a card is to look in one chat."""

from __future__ import annotations

from dataclasses import dataclass

from relay.i18n import Words


@dataclass(frozen=True, slots=True)
class TelegramStyle:
    """What a chat, its subscription and the configuration say about rendering."""

    say: Words
    relay: str
    """What the relay calls itself."""
