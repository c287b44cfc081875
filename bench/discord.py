"""The outbox and the Discord adapter against a server that enforces Discord's buckets.

The floor is what the buckets allow: so many messages at once in each channel, the same again with each window, and so
many a second in all. Anything above it would be answered with 429, which is counted too.
"""

from __future__ import annotations

from math import ceil

from adapters.discord import Discord, DiscordSettings, build
from bench.figures import Figure
from bench.sending import Json, Load, figure
from relay.plugins import Host

BURST, WINDOW = 5, 5.0
"""What one channel takes: so many messages each so many seconds."""
IN_ALL = 50
"""What one bot may ask a second, over all channels."""


def _adapter(server: Json, host: Host) -> Discord:
    given = {name: server[name] for name in ("token", "api_url", "gateway_url")}
    return build(DiscordSettings(**given), host)


def _figure(channels: int, each: int, least: float) -> Figure:
    load = Load(platform="discord", chats=channels, each=each, least=least)
    return figure(load, ["--window", "1.0", "--channels", str(channels)], _adapter, "channels")


def measure() -> list[Figure]:
    return [
        # The last burst of all channels is more than the bot may send within one second.
        _figure(20, 6 * BURST, 5 * WINDOW + ceil(20 * BURST / IN_ALL) - 1),
        # Each channel is asked once what it is.
        _figure(120, BURST, ceil(120 * (BURST + 1) / IN_ALL) - 1),
    ]
