"""Web addresses as they are compared: whether two lead to one page, and to which host. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

_LONGEST = 600  # in bytes at most four times that: an index of a database takes no more
_WEB = re.compile(r"https?://(?:[^/?#@\s]*+@)*+([^/?#@\s]++)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)
"""What stands before ``@`` is a user's name, however much it looks like a host."""
_TRACKING = re.compile(r"utm_\w*(?:=|$)", re.IGNORECASE)
_ENDS = re.compile(r"^(?:www\.)+|(?<!\.)(?<!:80)(?<!:443)(?::80|:443|\.)+$", re.IGNORECASE)
"""What makes no difference to a host: the usual prefix, the usual ports, the root's dot."""
_PORT = re.compile(r":\d*$")


@lru_cache(maxsize=4_096)  # of a post it is asked several times in a moment
def page(address: str) -> str:
    """The page that an address leads to: ``//host/path?query``, or "" where it is none in the web.

    Left out is what changes though the page is the same: scheme, ``www.``, a slash at the end, what is behind ``#``,
    and parameters that only tell where a reader came from (``utm_…``).
    """
    found = _WEB.match(address)
    if found is None:
        return ""
    host, path, query = found.groups()
    if not (plain := _plain(host)):
        return ""
    said = f"//{plain}{path.rstrip('/')}"
    if query and (kept := "&".join(part for part in query.split("&") if not _TRACKING.match(part))):
        said += f"?{kept}"
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 40]}…{_digest(said)}"


def host_of(address: str) -> str:
    """The host of a web address, without ``www.`` and its port, in ASCII; "" where it is none."""
    found = _WEB.match(address)
    return _PORT.sub("", _plain(found[1])) if found else ""


@lru_cache(maxsize=4_096)  # posts come from few hosts
def _plain(host: str) -> str:
    host = _ENDS.sub("", host).lower()
    try:
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host
    return _ENDS.sub("", host.lower())  # the ASCII form may have them once more


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()
