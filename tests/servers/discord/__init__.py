"""A loopback Discord: real HTTP and a real gateway on 127.0.0.1, with Discord's own rules, limits and codes.

    async with DiscordServer() as server:
        ...  # server.api_url, server.gateway_url, server.token

It was written against the official documentation and the unmodified discord.py. What it refuses is in ``rules`` and
``components``, what may go wrong in ``faults``, who lives there in ``things`` and ``world``.
"""

from tests.servers.discord.faults import LOST, RESET, Global, Shared, Slow, Status
from tests.servers.discord.interactions import Interaction
from tests.servers.discord.messages import buttons_of, text_of
from tests.servers.discord.rest import Request
from tests.servers.discord.server import DiscordServer
from tests.servers.discord.things import Channel, Guild, Permission, Person, Role, Webhook

__all__ = [
    "LOST",
    "RESET",
    "Channel",
    "DiscordServer",
    "Global",
    "Guild",
    "Interaction",
    "Permission",
    "Person",
    "Request",
    "Role",
    "Shared",
    "Slow",
    "Status",
    "Webhook",
    "buttons_of",
    "text_of",
]
