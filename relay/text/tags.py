"""Tags and character references of HTML, where they are written without any doubt."""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from html.entities import html5

_TAG = re.compile(
    r"<([a-z][a-z0-9]*)((?:\s+[a-zA-Z][\w:.-]*(?:=(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'=<>`/&]+))?)*)\s*(/?)>", re.ASCII
)
_ATTRIBUTE = re.compile(r"([a-zA-Z][\w:.-]*)(?:=(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'=<>`/]+)))?", re.ASCII)
_NUMERIC = re.compile(r"&#(?:[xX]([0-9a-fA-F]{1,6})|([0-9]{1,7}));")
_REFERENCE = re.compile(r"&(?:([A-Za-z][A-Za-z0-9]*;)|[A-Za-z][A-Za-z0-9_]*=|#|(?=[\s&]|$))")
_NUMBER = re.compile(r"-?\d{1,6}")
VOID = ("br", "hr", "img", "wbr")
"""Elements that hold nothing, and have no end tag."""


class Other(Exception):  # noqa: N818 - no error: there is another way to read it
    """It takes the Standard's rules to tell what is meant."""


def read_tag(tag: str) -> tuple[str, dict[str, str]] | None:
    """The name and the attributes of a start tag."""
    match = _TAG.fullmatch(tag)
    if not match:
        return None
    name, attributes, slash = match.groups()
    if slash and name not in VOID:
        raise Other
    return name, given_attributes(attributes)


SHORT = 80
short_tag = lru_cache(maxsize=256)(read_tag)
"""The same few tags come again and again."""


def number(value: str | None, default: int) -> int:
    return int(value) if value and _NUMBER.fullmatch(value) else default


def given_attributes(attributes: str) -> dict[str, str]:
    """The attributes by name; of those that stand twice, the first."""
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(attributes):
        value = values[0] or values[1] or values[2]
        found.setdefault(name.lower(), referred(value) if "&" in value else value)
    return found


def referred(value: str) -> str:
    """Character references in an attribute, where those without a semicolon may be none."""
    if value.count("&") == value.count("&amp;"):
        return value.replace("&amp;", "&")
    found = list(_REFERENCE.finditer(value))
    if value.count("&") != len(found) or any(match[1] and match[1] not in html5 for match in found):
        raise Other
    _check_numeric(value)
    return re.sub(r"&(?:#\w+|[A-Za-z][A-Za-z0-9]*);", lambda match: unescape(match[0]), value)


def decoded(text: str) -> str:
    """Text with its character references resolved (HTML Standard, 13.2.5.72)."""
    if "&" not in text:
        return text
    _check_numeric(text)
    return unescape(text)


def _check_numeric(text: str) -> None:
    """Numbers that stand for the character of that number, and no others."""
    if "&#" not in text:
        return
    codes = [int(hexadecimal, 16) if hexadecimal else int(decimal) for hexadecimal, decimal in _NUMERIC.findall(text)]
    if len(codes) != text.count("&#") or not all(map(_is_itself, codes)):
        raise Other


def _is_itself(code: int) -> bool:
    return 32 <= code <= 126 or 160 <= code < 0xD800 or 0xE000 <= code < 0xFDD0 or 0x10000 <= code < 0x1FFFE
