"""What Discord allows, and how it counts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from relay.text import units, web_address

V2 = 1 << 15
"""The flag of a message that is made of components."""
CONTENT = 2000
DESCRIPTION = 4096
EMBED_TITLE, EMBED_AUTHOR, EMBED_FOOTER, FIELD_VALUE = 256, 256, 2048, 1024
EMBEDS = 6000
"""The texts of all embeds of a message together."""
GALLERY = 10
ALT = 1024
LABEL = 80
BUTTON_URL, URL = 512, 2048
LONGEST = 1500
"""Of an address that is too long for a button, and is linked in the text."""
USERNAME, THREAD_NAME = 80, 100
TEXTS = 3900
"""What the texts of a message of components may take together, by :func:`size`: a little below Discord's 4,000."""
_BYTES = 9750
"""UTF-8 bytes of them: beyond 10,170 less 12 for each text Discord answers 500 (discord-api-docs#8554)."""

Measure = Callable[[str], int]


def size(text: str) -> int:
    """What a text takes of :data:`TEXTS`: its length, or its bytes where those are scarcer (East Asian scripts)."""
    return max(units(text), -(-len(text.encode("utf-8", "replace")) * TEXTS // _BYTES))


def lines_within(lines: Iterable[str], limit: int, *, measure: Measure = size) -> str:
    """The lines that fit, from the first; an ellipsis stands for the rest."""
    kept: list[str] = []
    for line in lines:
        if measure("\n".join([*kept, line])) > limit - 2:
            return "\n".join([*kept, "…"]) if kept else ""
        kept.append(line)
    return "\n".join(kept)


def address(url: str, limit: int = URL) -> str:
    """The address as Discord takes it for a button or a picture; "" where it takes none, or it is too long."""
    safe = web_address(url)
    return safe if len(safe) <= limit else ""
