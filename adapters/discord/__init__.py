"""Discord: rendering that is pure, a sender over REST, and a gateway for commands, which alone needs discord.py."""

from adapters.discord.adapter import Discord, build
from adapters.discord.card import preview
from adapters.discord.settings import DiscordOptions, DiscordSettings
from relay.plugins import Plugin

plugin = Plugin(DiscordSettings, build, options=DiscordOptions, preview=preview)

__all__ = ["Discord", "DiscordOptions", "DiscordSettings", "build", "plugin"]
