"""What Telegram allows, and how it counts. Pure."""

from __future__ import annotations

from bisect import bisect_right
from urllib.parse import urlsplit

from relay.text import clean, safe_url

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


def units(text: str) -> int:
    """The length in UTF-16 code units, in which Telegram counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "replace")) // 2


def short(text: str, limit: int) -> str:
    """One line of at most ``limit`` units, with an ellipsis where it was longer; no grapheme cluster is cut."""
    line = clean(text, limit=limit)
    if units(line) <= limit:
        return line
    fitting = bisect_right(range(limit + 1), limit, key=lambda points: units(clean(line, limit=points))) - 1
    return clean(line, limit=fitting)


def address(url: str) -> str:
    """The address as Telegram takes it for a link, a button or a picture; "" where it takes none, or it is too long."""
    safe = safe_url(url)
    if not safe.startswith(("http://", "https://")):
        return ""
    host = urlsplit(safe).netloc
    if "." not in host.strip(".") or host.startswith("["):
        return ""  # a name of the local network, or an address that no button takes
    try:
        ascii_host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return ""
    safe = safe.replace(host, ascii_host, 1)
    return safe if len(safe) <= URL else ""
