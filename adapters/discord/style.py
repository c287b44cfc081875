"""How a card is to look in one channel."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.discord.channels import Channel
from adapters.discord.settings import DiscordOptions, DiscordSettings, Style
from relay.i18n import Words, words
from relay.model import Card
from relay.plugins import Host


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


# --- how a delivery is to look, by what was configured, what its subscription chose, and where it goes ---


class DiscordStyling:
    def __init__(self, settings: DiscordSettings, host: Host) -> None:
        self._settings, self._host = settings, host
        self.say = words(host.language)

    def style(self, options: DiscordOptions) -> Style:
        return options.style or self._settings.style

    def crosspost(self, options: DiscordOptions) -> bool:
        return self._settings.crosspost if options.crosspost is None else options.crosspost

    def look(
        self, card: Card, style: Style, channel: Channel, options: DiscordOptions, *, plain: bool = False
    ) -> DiscordStyle:
        return DiscordStyle(
            style=style,
            age_restricted=channel.age_restricted,
            mention_role=options.mention_role or "",
            plain=plain,
            say=self.say,
            colour=self._host.colours.get(card.post.source),
            relay=self._host.name,
        )

    def foreign(self, channel: Channel) -> str:
        """Why this channel is none of ours to work in; empty: it is."""
        if not self._settings.guilds or channel.guild in self._settings.guilds:
            return ""
        return self.say("This relay only works in other servers.")
