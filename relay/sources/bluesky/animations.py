"""The animations that Bluesky's clients let people search for: links to GIF files at known places. Pure."""

from __future__ import annotations

from typing import TypedDict
from urllib.parse import parse_qs, urlsplit

_HOSTS = ("tenor.com", "klipy.com", "giphy.com", "gifs.bsky.app")
"""Where they are kept, at any host below these."""
_FILES = (".gif", ".webp", ".mp4")
_PREFIXES = ("alt text:", "alt:")
"""Before a description: ``Alt:`` where the author wrote it, ``ALT:`` where the archive did."""
_LARGEST = 10_000


class Sizes(TypedDict, total=False):
    """Pixels."""

    width: int
    height: int


def animation_sizes(url: str) -> Sizes | None:
    """How large the animation is that an address leads to, as far as that says so; None: it leads to none."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not any(host.endswith(f".{one}") for one in _HOSTS) or not parts.path.lower().endswith(_FILES):
        return None
    asked = parse_qs(parts.query, max_num_fields=20) if parts.query.count("&") < 20 else {}
    width, height = (_pixels(asked.get(name)) for name in ("ww", "hh"))
    return {"width": width, "height": height} if width and height else {}


def spoken(description: str) -> str:
    """The description itself, without the word that says that it is one."""
    text = description.strip()
    prefix = next((one for one in _PREFIXES if text.casefold().startswith(one)), "")
    return text[len(prefix) :].strip()


def _pixels(told: list[str] | None) -> int:
    first = told[0] if told else ""
    number = int(first) if first.isascii() and first.isdigit() and len(first) <= 5 else 0
    return number if number <= _LARGEST else 0
