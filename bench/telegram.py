"""The outbox and the Telegram adapter against a server that keeps Telegram's limits.

The floor is what the limits allow: twenty messages a minute in a group, one a second in a chat, thirty a second in all.
Anything above it would be answered with 429, which is counted too.
"""

from __future__ import annotations

from adapters.telegram import Telegram, TelegramSettings, build
from bench.figures import Figure
from bench.sending import Json, Load, figure
from relay.plugins import Host

A_MINUTE, IN_ALL = 20, 30
"""What a group takes in a minute, and a bot in a second."""
MINUTE = 60.0


def _adapter(server: Json, host: Host) -> Telegram:
    return build(TelegramSettings(token=server["token"], api_url=server["api_url"]), host)


def _figure(chats: int, each: int, least: float) -> Figure:
    load = Load(platform="telegram", chats=chats, each=each, least=least)
    return figure(load, ["--window", "1.0", "--chats", str(chats)], _adapter, "chats")


def measure() -> list[Figure]:
    return [
        # One a second: the burst of twenty takes nineteen seconds, and the next one a minute after the first began.
        _figure(10, A_MINUTE + 5, MINUTE + 4),
        # Every chat's first messages, as fast as one bot may send: thirty at once, and thirty more each second.
        _figure(90, 10, 90 * 10 / IN_ALL - 1),
    ]
