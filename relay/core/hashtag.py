"""Folding and comparing hashtags, by the rules of the network that they live on. Pure.

The fold is for comparing only. Ask a server for a hashtag as a person wrote it: servers fold by rules of their own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import category, normalize

_PLAIN = re.compile("[0-9_]*[A-Za-z][A-Za-z0-9_]*")  # most hashtags; every network folds them alike
_VARIATIONS = re.compile("[\ufe00-\ufe0f]")
_SEPARATORS = "_·・\u200c"
_ACCENTED = re.compile(r"([a-z])[\u0300-\u036f]+")
# Latin letters that Unicode does not take apart into a base and a mark.
_LATIN = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "ı": "i",
        "ŧ": "t",
        "ŋ": "n",
        "ĸ": "k",
    }
)


def same(a: str, b: str, network: str) -> bool:
    """Whether both are one hashtag on this network; what is no hashtag is the same as nothing."""
    folded = fold(a, network)
    return folded != "" and folded == fold(b, network)


@lru_cache(maxsize=16_384)  # popular hashtags stand in every other post
def fold(tag: str, network: str) -> str:
    """The form in which one hashtag is written one way, or "" for what is no hashtag on this network.

    A leading ``#`` is left out. Folding twice changes nothing.
    """
    if _PLAIN.fullmatch(tag):
        return tag.lower()
    rules = _mastodon if network == "mastodon" else _elsewhere
    while (folded := rules(_caseless(tag))) != tag:
        tag = folded
    return tag


def fold_text(text: str) -> str:
    """The form in which what people say is searched for words: one case, Latin letters without their marks, one space.

    Folding twice changes nothing.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    while (folded := " ".join(_unmarked(_one_case(text)).split())) != text:
        text = folded
    return text


def _caseless(tag: str) -> str:
    return _one_case(tag).strip().lstrip("#")


def _one_case(text: str) -> str:
    return normalize("NFKC", _VARIATIONS.sub("", normalize("NFKC", text)).casefold())


def _unmarked(text: str) -> str:
    return normalize("NFC", _ACCENTED.sub(r"\1", normalize("NFD", text).translate(_LATIN)))


def _mastodon(tag: str) -> str:
    """Latin letters lose their marks, other scripts keep theirs; nothing but letters, marks and digits counts.

    After ``HashtagNormalizer`` in Mastodon's source, but wider: that one knows Latin letters up to U+017F only.
    """
    plain = _unmarked(tag)
    kept = "".join(c for c in plain if c in _SEPARATORS or category(c) == "Nd" or category(c)[0] in "LM")
    return "" if all(category(c) == "Nd" for c in kept) else kept


def _elsewhere(tag: str) -> str:
    return tag if any(category(c)[0] not in "NPZ" and category(c) not in {"Cc", "Cf", "Cs"} for c in tag) else ""
