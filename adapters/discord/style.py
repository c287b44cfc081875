"""How a card is to look in one channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from relay.i18n import Words

Style = Literal["card", "embed", "webhook"]
"""Components V2; a classic embed; or Components V2 under the author's own name and picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordStyle:
    """What a channel, its subscription and the configuration say about rendering."""

    style: Style
    age_restricted: bool
    """Sensitive media may be shown there, as spoilers."""
    mention_role: str = ""
    """The id of the one role that a card may call; empty: it calls nobody."""
    plain: bool = False
    """Without pictures, avatars and buttons, which are links instead: Discord refused it with them."""
    say: Words
    colour: int | None
    relay: str
    """What the relay calls itself beside an author's name."""
