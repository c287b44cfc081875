"""What Matrix clients make of a text by themselves: mentions, and pills that lead to people and rooms. Pure.

They look for ``@room``, for ids and aliases (``@who:server``, ``#room:server``, ``!room:server``, and room ids without
a server since room version 12), and for links to any of those. Code is left alone by the clients that make pills; what
stands there is only parted where it is an id beyond doubt, so that a command can be copied.
"""

from __future__ import annotations

import re
from itertools import pairwise
from urllib.parse import unquote, urlsplit

JOINER = "\u2060"
"""Parts what must not be read as one; nobody sees it, no line breaks there."""

_ROOM, _MATRIX_TO = "@(?=room)", r"(?<=matrix)\.(?=to\.?[/:?#])"
_ALWAYS = rf"{_ROOM}|{_MATRIX_TO}|(?<=matrix):(?=[^\s{JOINER}])|!(?=[\w-]{{43}})"
_PROSE = re.compile(rf"{_ALWAYS}|[@#!+](?=[^\s:{JOINER}][^\s:]{{0,255}}:[\w\[])", re.IGNORECASE)
_CODE = re.compile(rf"{_ALWAYS}|(?a:(?<![\w.]))[@#!+](?=[\w.=/+-]{{1,255}}:[\w\[])", re.IGNORECASE)
_OWN_CODE = re.compile(_ROOM, re.IGNORECASE)
_URL_PARTS = re.compile(rf"[:!]|{_ROOM}|{_MATRIX_TO}", re.IGNORECASE)
_WAY_IN = re.compile(r"#/(?:(?:room|user|group)/)?[!#@+]", re.IGNORECASE)


def places(text: str) -> list[int]:
    """Where in running text a joiner is wanted."""
    return [match.end() for match in _PROSE.finditer(text)]


def places_in_code(text: str, *, own: bool = False) -> list[int]:
    """Where in code a joiner is wanted; ``own``: it is ours, and stays as it is to be typed."""
    return [match.end() for match in (_OWN_CODE if own else _CODE).finditer(text)]


def quiet(text: str) -> str:
    """A foreign line that mentions nobody."""
    return parted(text, places(text))


def parted(text: str, at: list[int]) -> str:
    """The text with joiners at these places, which ascend."""
    if not at:
        return text
    return JOINER.join(text[start:end] for start, end in pairwise([0, *at, len(text)]))


def leads_to_matrix(url: str) -> bool:
    """Whether clients show this web address as a person or a room: matrix.to, or a page of a web client."""
    whole = unquote(url)
    if "#" not in whole and "matrix" not in whole.lower():
        return False
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host == "matrix.to" or host.endswith(".matrix.to") or _WAY_IN.search(whole) is not None


def spelled(url: str) -> str:
    """A web address to be read as text, in which nothing looks like an id; it leads where it did."""
    if not _PROSE.search(url):
        return url
    parts = urlsplit(url)
    head = f"{parts.scheme}://{parts.netloc}"
    tail = _URL_PARTS.sub(lambda found: f"%{ord(found[0]):02X}", url[len(head) :])
    return head + tail
