"""A name that a source gave within a host, which any feed of that host could give too, counts within its feed.

Posts called ``source:host:name`` become ``source:host/path?query:name``, after the feed that they were read from.
Cursors keep what they have: each is one feed's own. Who was named as the author but is of another host than the feed
is the author no more: the feed is, and can go on editing its entry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic import op

from relay.core.authenticity import is_home

revision = "0008"
down_revision = "0007"

_AT_ONCE = 5_000
_SCOPE_BYTES, _NAME_BYTES = 400, 1000
_BETWEEN = re.compile(r"\s+(?=https?:)", re.IGNORECASE)
_FEEDS = sa.text("SELECT source, address FROM feeds")
_SOME = sa.text(
    "SELECT id, uri, source, origin, author, reply_to, root, data FROM posts"
    " WHERE id > :last AND uri LIKE source || ':%' ORDER BY id LIMIT :most"
)
_COLUMNS = ("uri", "author", "reply_to", "root", "data")
_SAVE = sa.text(f"UPDATE posts SET {', '.join(f'{one} = :{one}' for one in _COLUMNS)} WHERE id = :id")  # noqa: S608 - our own names


def upgrade() -> None:
    connection = op.get_bind()
    lists = _mirrored((row.source, row.address) for row in connection.execute(_FEEDS))
    last = -1
    while rows := connection.execute(_SOME, {"last": last, "most": _AT_ONCE}).all():
        last = rows[-1].id
        named = [(row, _names(row.source, row.origin, lists.get((row.source, row.origin), row.origin))) for row in rows]
        if saved := [_renamed(row, names) for row, names in named if row.uri.startswith(names.former)]:
            connection.execute(_SAVE, saved)


def _mirrored(feeds: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The lists of mirrors by their first address, where that address is not a feed alone, too."""
    known = set(feeds)
    firsts = {(source, _BETWEEN.split(address)[0]): address for source, address in sorted(known)}
    return {key: address for key, address in firsts.items() if key not in known}


def _renamed(row: Any, names: _Names) -> dict[str, Any]:
    data = json.loads(row.data)
    author = data["author"]
    if row.author == row.origin or not is_home(row.author, row.origin):
        author = author | {"uri": names.author, "handle": ""}
    told = data | {"uri": names.new(data["uri"]), "reply_to": names.new(data.get("reply_to", "")), "author": author}
    return {
        "id": row.id,
        "uri": names.new(row.uri),
        "author": author["uri"],
        "reply_to": names.new(row.reply_to or "") or None,
        "root": names.new(row.root or "") or None,
        "data": json.dumps(told, ensure_ascii=False, separators=(",", ":")),
    }


class _Names(NamedTuple):
    former: tuple[str, str]
    """With what the names of the feed's posts began: those of its host, and those that were its own before."""
    now: str
    author: str

    def new(self, uri: str) -> str:
        for former in self.former:
            if uri.startswith(former):
                return self.now + _bounded(uri.removeprefix(former), _NAME_BYTES)
        return uri


def _names(source: str, origin: str, feed: str) -> _Names:
    parts = urlsplit(origin)
    host = parts.netloc.lower()
    query = parts.query.replace("%", "%25").replace(":", "%3A")
    scope = _bounded(f"{host}{parts.path}?{query}", _SCOPE_BYTES) if feed == origin else f"|{_digest(feed)}"
    former = (f"{source}:{host}:", f"{source}:{host}{parts.path}?{parts.query}:")
    return _Names(former, f"{source}:{scope}:", origin if feed == origin else f"{source}:{scope}")


def _bounded(text: str, most: int) -> str:
    return text if len(text) * 4 <= most or len(text.encode(errors="replace")) <= most else f"|{_digest(text)}"


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()
