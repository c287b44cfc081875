"""What Telegram allows, and how it counts. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from relay.text import web_address

TEXT, CAPTION = 4096, 1024
"""UTF-16 code units of a message and of a caption."""
ENTITIES = 100
"""What stands beyond is ignored by Telegram."""
ALBUM = 10
LABEL = 60
URL = 2000
"""Of an address; nobody documents a limit, longer ones are seen to fail."""
RICH_TEXT, RICH_BLOCKS = 8000, 20
"""Far below what the API takes: some clients show only the beginning of longer rich messages."""


def address(url: str) -> str:
    """The address as Telegram takes it for a link, a button or a picture; "" where it takes none, or it is too long."""
    safe = web_address(url)
    host = urlsplit(safe).netloc
    if "." not in host.strip(".") or host.startswith("["):
        return ""  # a name of the local network, or an address that no button takes
    return safe if len(safe) <= URL else ""
