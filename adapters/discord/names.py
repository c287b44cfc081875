"""Names that Discord lets a webhook carry. Pure."""

from __future__ import annotations

import re
import unicodedata

from adapters.discord.limits import USERNAME
from relay.model import Author
from relay.text import clean, short, units

_REFUSED = ("discord", "clyde")
_LOOKS = str.maketrans(
    {
        **dict.fromkeys("іιⅰ1!|lӏℓɩɪ¡ł", "i"),
        **dict.fromkeys("ԁժɗđðᴅ", "d"),
        **dict.fromkeys("ѕꜱ$5ʂ", "s"),
        **dict.fromkeys("сϲᴄ¢", "c"),
        **dict.fromkeys("оοօ0ᴏøσ", "o"),
        **dict.fromkeys("ʀгᴦɾ", "r"),
        **dict.fromkeys("уүγʏỵ", "y"),
        **dict.fromkeys("еҽε3ᴇєə", "e"),
    }
)
# Letters and signs that are there and cannot be seen, beside those of the category of format characters.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u2800\u3164\ufe00-\ufe0f\uffa0]")


def username(author: Author, relay: str) -> str:
    """``NAME · via RELAY`` in 1–80 characters, free of what Discord refuses and of what would mislead."""
    via = f"via {_seen(relay, 30)}".strip()
    for name in (author.name, author.handle):
        seen = _seen(name, USERNAME - units(f" · {via}"))
        if seen and not _is_refused(whole := f"{seen} · {via}"):
            return whole
    return "Relay" if _is_refused(via) or via == "via" else via


def _seen(name: str, limit: int) -> str:
    """The characters of a name that are seen, without the signs that call somebody."""
    plain = "".join(char for char in name if unicodedata.category(char)[0] != "C" or char in " \t\n")
    return short(clean(_BLANK.sub("", plain).replace("@", " ").replace("`", "'")), limit)


def _is_refused(name: str) -> bool:
    letters = skeleton(name)
    return any(skeleton(word) in letters for word in _REFUSED)


def skeleton(name: str) -> str:
    """The letters that a reader takes a name for: case, marks, look-alikes and what stands between are gone."""
    apart = unicodedata.normalize("NFKD", name).casefold().translate(_LOOKS)
    return "".join(char for char in apart if char.isalnum())
