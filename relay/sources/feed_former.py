"""Marks as earlier versions wrote them into cursors: read once after an upgrade, so that nothing comes again. Pure.

A mark was the digest of an entry's words, and then digests of which one was enough: words, link and date; words and
address; words and date. Entries whose words have been read otherwise since are known by their dates.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime
from hashlib import blake2b
from urllib.parse import urlsplit

from relay.rich import Form, Text
from relay.sources.feed_posts import EntryPost
from relay.text import text_content

_COUNTERS = re.compile(r"(?<!\d)\d{1,9} points? \| \d{1,9} comments?")
_COUNTED = "points?|comments?|votes?|upvotes?|views?|likes?|reblogs?|reposts?|replies|shares?|favou?rites?"
_COUNTER = rf"(?:\d[\d.,]{{0,12}}[kKM]? (?:{_COUNTED})|(?:{_COUNTED}|score): \d[\d.,]{{0,12}}[kKM]?)"
_COUNTER_LINE = re.compile(
    rf"(?!.{{0,9}}?{_COUNTERS.pattern})[^\w\n]{{0,9}}{_COUNTER}(?:[^\w\n]{{1,9}}{_COUNTER}){{0,9}}[^\w\n]{{0,9}}",
    re.IGNORECASE,
)
_LONGEST = 160


def old_ones(new: Iterable[EntryPost], former: Collection[str], newest: datetime | None, *, replaced: bool) -> set[str]:
    """The names of those that are other names of entries that are known by ``former`` marks.

    ``replaced``: none of them stands in the document under its name, so the names are of no use.
    """
    twins = {digest for text in former for digest in text.split()[1:]}
    words = {text.split()[0] for text in former if len(text.split()) == 1}
    return {
        item.name
        for item in new
        if not twins.isdisjoint(marks(item)[1:])
        or (replaced and not item.date and marks(item)[0] in words)
        or (replaced and item.date is not None and newest is not None and item.date <= newest)
    }


def marks(item: EntryPost) -> tuple[str, ...]:
    """As they stood in a cursor, for an entry that had its address alone."""
    words = _words(item)
    place = _digest(5, item.raw.url.partition("#")[0], words)
    if not item.date:
        return words, place
    twin = _digest(6, item.link, words, item.date.isoformat())
    return words, twin, place, _digest(5, item.raw.published.isoformat(), words)


def _words(item: EntryPost) -> str:
    raw = item.raw
    said = _said(raw.body)
    if "/status/" in item.link:
        said = said.replace(urlsplit(raw.origin).netloc, "")
    return _digest(6, raw.title, raw.warning, said, *[media.url.partition("?")[0] for media in raw.media])


def _said(body: Text) -> str:
    kept = [line for line in _lines(body) if len(line) > _LONGEST or not _COUNTER_LINE.fullmatch(line)]
    return _COUNTERS.sub("", " ".join(" ".join(kept).split()))


def _lines(body: Text) -> list[str]:
    if any(block.quote or block.depth or block.form is Form.RULE for block in body):
        return [line for line in text_content(body).split("\n") if line]
    return "\n".join("".join(span.text for span in block.spans) for block in body).split("\n")


def _digest(size: int, *parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=size).hexdigest()
