"""A loopback Bot API on 127.0.0.1, with Telegram's own rules, limits and descriptions.

    async with TelegramServer() as server:
        ...  # f"{server.api_url}/bot" is a base_url, server.token its token

It was written against the official documentation and the unmodified python-telegram-bot. What it refuses is in
``entities``, ``keyboard``, ``sending``, ``editing`` and ``reach``, what may go wrong in ``faults``, who lives there in
``things`` and ``world``.
"""

from tests.servers.telegram.calls import Request
from tests.servers.telegram.faults import LOST, RESET, Flood, Refuse, Slow, Status
from tests.servers.telegram.messages import buttons_of, mentions_of, text_of
from tests.servers.telegram.people import Press
from tests.servers.telegram.server import TelegramServer
from tests.servers.telegram.things import Chat, Person, Topic

__all__ = [
    "LOST",
    "RESET",
    "Chat",
    "Flood",
    "Person",
    "Press",
    "Refuse",
    "Request",
    "Slow",
    "Status",
    "TelegramServer",
    "Topic",
    "buttons_of",
    "mentions_of",
    "text_of",
]
