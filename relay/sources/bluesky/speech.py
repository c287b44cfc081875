"""What is said to the account, and what it says: notifications to mentions, answers to records. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from relay.ports import Mention
from relay.sources.bluesky.address import POSTS, read_at
from relay.sources.bluesky.place import Item
from relay.sources.bluesky.records import author_of, read_time
from relay.sources.bluesky.shapes import Embed, Facet, Feature, Notification, Raw, Record, Ref, Reply, read, read_all
from relay.text import clean, graphemes

MOST = 300
"""Graphemes of a post."""
_MENTIONS = "app.bsky.richtext.facet#mention"
_LINKS = "app.bsky.richtext.facet#link"
_BASE32 = "234567abcdefghijklmnopqrstuvwxyz"


class Below(msgspec.Struct):
    """Where the answer to a mention stands in the conversation."""

    parent: Ref
    root: Ref


def dated(page: Sequence[Raw], found: dict[str, Raw]) -> Iterator[Item]:
    """What stands on a page, with the times by which it is ordered; ``found`` keeps it."""
    for raw in page:
        notification = read(raw, Notification)
        at = read_time(notification.indexed) if notification else None
        if notification and at:
            found.setdefault(notification.uri, raw)
            yield Item(int(at.timestamp()), notification.uri)


def read_mention(raw: Raw, own: str) -> Mention | None:
    """What is said to the account ``own``; None where it is not mentioned, or speaks itself."""
    notification = read(raw, Notification)
    said = read(notification.record, Record) if notification else None
    author = author_of(notification.author) if notification else None
    at = read_time(notification.indexed) if notification else None
    if notification is None or said is None or author is None or at is None or not notification.cid:
        return None
    if author.uri == own or not _names(said, own):
        return None
    reply, parent = read(said.reply, Reply), Ref(notification.uri, notification.cid)
    answer = Below(parent=parent, root=(reply.root or reply.parent) if reply else parent)
    return Mention(
        uri=notification.uri,
        asker=author,
        text=said.text,
        at=at,
        about=reply.parent.uri if reply else _quoted(said.embed),
        language=clean(next(iter(read_all(said.langs, str)), ""), limit=35),
        reply=msgspec.json.encode(answer).decode(),
    )


def _names(said: Record, did: str) -> bool:
    """Whether it mentions the account: a facet says so, the text alone does not."""
    features = (feature for facet in read_all(said.facets, Facet) for feature in read_all(facet.features, Feature))
    return any(feature.type == _MENTIONS and feature.did == did for feature in features)


def _quoted(embed: Raw) -> str:
    """The post that it quotes, with pictures beside it or without."""
    outer = read(embed, Embed) or Embed()
    inner = read(outer.record, Embed) or Embed()
    refs = (read(outer.record, Ref), read(inner.record, Ref))
    places = ((ref.uri, read_at(ref.uri)) for ref in refs if ref)
    return next((uri for uri, there in places if there and there.collection == POSTS), "")


def record_key(at: datetime, key: str) -> str:
    """Where the answer to a mention stands: a TID (atproto.com/specs/tid) of about that time, the same for each try."""
    low = int.from_bytes(key.encode()[-8:].rjust(8, b"0"))
    number = (int(at.timestamp()) * 1_000_000 + low % 1_000_000) << 10 | low // 1_000_000 % 1024
    return "".join(_BASE32[number >> shift & 31] for shift in range(60, -1, -5))


def written(text: str, now: datetime) -> dict[str, Any]:
    """A post of this text, with the address at its end as a link."""
    body, space, address = text.rpartition(" ")
    if not address.startswith(("http://", "https://")):
        body, space, address = text, "", ""
    room, parts = MOST - len(space) - len(graphemes(address)), graphemes(body)
    body = body if len(parts) <= room else f"{''.join(parts[: room - 1]).rstrip()}…"
    said: dict[str, Any] = {"$type": POSTS, "text": f"{body}{space}{address}"}
    if address:
        start, end = len(f"{body}{space}".encode()), len(said["text"].encode())
        feature = {"$type": _LINKS, "uri": address}
        said["facets"] = [{"index": {"byteStart": start, "byteEnd": end}, "features": [feature]}]
    return {**said, "createdAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
