"""What a feed's entries are called, and what in a name is somebody's account. Pure.

A guid counts within its feed: feeds of one host may be anybody's, as those of bridges, of home directories and of hosts
of files are. A list of mirrors is a feed of its own, because whoever subscribed to it says that they are mirrors; what
they bring never changes an entry of one of the addresses alone.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import urlsplit

from relay.core.authenticity import as_read
from relay.model import PostUri

SOURCE = "rss"

_MARK_LIMIT = 1000
_SHORT = 10
_SCOPE_BYTES, _NAME_BYTES = 400, 1000  # an index of a database takes no more
_ACCOUNT = re.compile(r"@[\w.-]{1,100}@([\w.-]{1,253})")


class Names(NamedTuple):
    uri: PostUri
    """Unlike that of any other feed's entry."""
    mark: str
    """What cursors keep a digest of. Its form is that of older versions, so that their cursors still know it."""


def entry_names(name: str, *, address: str, feed: str) -> Names:
    """The names of the entry that its feed calls ``name``.

    ``feed`` is what was subscribed to, ``address`` the first address in it: the same, unless it is a list of mirrors.
    """
    host, short, scope = _scopes(address, feed)
    former = short if len(name) < _SHORT and ":" not in name else host
    if not name.isprintable() or " " in name:
        name = re.sub(r"[\s\x00-\x1f\x7f]+", "", name)
    told = name if len(former) + len(name) < _MARK_LIMIT else _brief(former, name)
    bounded = told if len(told) * 4 <= _NAME_BYTES else _bounded(told, _NAME_BYTES)
    return Names(PostUri(f"{SOURCE}:{scope}:{bounded}"), f"{SOURCE}:{former}:{told}")


def author_uri(*, address: str, feed: str) -> str:
    """Who writes a feed: the feed itself. What mirrors bring is not written by the feed at the first address."""
    return address if feed == address else f"{SOURCE}:{_scopes(address, feed)[2]}"


@lru_cache(maxsize=128)
def _scopes(address: str, feed: str) -> tuple[str, str, str]:
    """The host and the feed as marks name them, and the feed as uris do: no two feeds have the same."""
    parts = urlsplit(address)
    host = parts.netloc.lower()
    query = parts.query.replace("%", "%25").replace(":", "%3A")  # the scope ends at the first colon behind "?"
    scope = _bounded(f"{host}{parts.path}?{query}", _SCOPE_BYTES) if feed == address else f"|{_full(feed)}"
    return host, f"{host}{parts.path}?{parts.query}", scope


def _bounded(text: str, most: int) -> str:
    """The text, or a digest of it if it has more bytes."""
    return text if len(text.encode(errors="replace")) <= most else f"|{_full(text)}"


def _full(text: str) -> str:
    return blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()


def _brief(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(errors="replace"), digest_size=6).hexdigest()


def account_hosts(name: str) -> list[str]:
    """The addresses of the hosts of the accounts (``@who@host``) in a name."""
    return [f"https://{host.rstrip('.')}/" for host in _ACCOUNT.findall(as_read(name))]
