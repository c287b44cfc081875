"""An answer as a record: its key, its text, its link. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from relay.ports import Mention
from relay.sources.bluesky.address import POSTS
from relay.sources.bluesky.shapes import Ref, read
from relay.text import graphemes, scrub
from relay.text.addresses import bare

_LONGEST = 300
"""Graphemes of a post."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_MILLISECOND = timedelta(milliseconds=1)


class Below(msgspec.Struct, frozen=True):
    """Where an answer belongs: the post that it answers, and what that conversation began with."""

    parent: Ref
    root: Ref

    def __str__(self) -> str:
        return msgspec.json.encode(self).decode()


def read_below(reply: str) -> Below | None:
    """What was kept of a mention; None where it is not ours."""
    return read(reply.encode(), Below)


def record_key(at: datetime, key: str) -> str:
    """A record key as clocks make it (atproto.com/specs/tid): by the millisecond of the mention, and by the key below.

    The same for each try of one answer; two answers share one hardly once in a million in the same millisecond.
    """
    digest = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    micros = max(0, (at - _EPOCH) // _MILLISECOND) * 1000 + (digest >> 10) % 1000
    number = (micros << 10 | digest & 1023) & (1 << 63) - 1
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(60, -1, -5))


def write_record(mention: Mention, below: Below, text: str, now: datetime) -> dict[str, Any]:
    """The post (``app.bsky.feed.post``). It mentions nobody: who is answered is told by the answer alone."""
    said = fit(text)
    links = [_link(said, start, end) for start, end in bare(said)]
    facets = {"facets": links} if links else {}
    langs = {"langs": [mention.language]} if _LANGUAGE.fullmatch(mention.language) else {}
    return {
        "$type": POSTS,
        "text": said,
        **facets,
        **langs,
        "reply": {"root": below.root, "parent": below.parent},
        "createdAt": stamp(max(now, mention.at)),
    }


def fit(text: str) -> str:
    """The text, cut where a post holds no more of it; an address at its end stays whole."""
    said = scrub(text).strip()
    if len(graphemes(said)) <= _LONGEST:
        return said
    last = max(bare(said), default=None)
    address = said[last[0] : last[1]] if last and last[1] == len(said) else ""
    room = _LONGEST - len(graphemes(address)) - len("… ")
    words = graphemes(said[: len(said) - len(address)])
    return f"{''.join(words[: max(room, 0)]).rstrip()}… {address}".rstrip()


def stamp(time: datetime) -> str:
    """A time as records tell it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _link(text: str, start: int, end: int) -> dict[str, Any]:
    first, last = (len(text[:place].encode()) for place in (start, end))
    feature = {"$type": "app.bsky.richtext.facet#link", "uri": text[start:end]}
    return {"index": {"byteStart": first, "byteEnd": last}, "features": [feature]}
