"""What an answer that brings no feed means, for people and for the next poll. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from relay.http import Answer, Forbidden, Unreachable, retry_after
from relay.ports import Gone, TryLater
from relay.sources.feed_encoding import ROOT
from relay.sources.rss.cursor import LOST_AFTER
from relay.sources.rss.manners import DAY

CLOSED = timedelta(hours=4)
"""Until a door that was shut is tried again, as other readers do."""

_BESIDE = rb"(?>\s+|<\?[^>]*>|<!--.*?-->)*+"
# Templates put a page's document type over a feed, too: only what follows tells.
_PAGE = re.compile(
    _BESIDE + rb"(?:<html|<!doctype\s+html\b(?:[^>\[]|\[[^\]]*\])*+>" + _BESIDE + rb"(?!<!--|<\?|" + ROOT + rb").)",
    re.IGNORECASE | re.DOTALL,
)


def without_answer(reply: Forbidden | Unreachable) -> TryLater | Gone:
    if isinstance(reply, Forbidden):
        return Gone(reply.reason)
    return TryLater(reply.reason, reply.after, paced=reply.paced)


def refused(answer: Answer, lost: timedelta, now: datetime) -> TryLater | Gone:
    """What a status other than 2xx and 304 means; ``lost``: for how long there has been no feed at the address."""
    host, status, asked = urlsplit(answer.url).hostname, answer.status, retry_after(answer.headers, now)
    asked = min(asked, DAY) if asked is not None else None
    if status == 410:
        return Gone(f"{host} says that this feed is gone for good (410)")
    if status == 404 and lost >= LOST_AFTER:
        return Gone(f"{host} has said for {lost.days} days that there is no feed at this address (404)")
    if status in (401, 403):
        challenged = answer.headers.get("cf-mitigated") == "challenge"
        why = "its protection turns programs away" if challenged else "it does not let this relay read the feed"
        return TryLater(f"{host} answered {status}: {why}", max(asked or CLOSED, CLOSED))
    meaning = {
        404: "there is no feed at this address",
        429: "it wants to be asked less often",
        503: "it is overloaded or being worked on",
    }.get(status, "it has trouble of its own" if status >= 500 else "that is nothing a feed says")
    return TryLater(f"{host} answered {status}: {meaning}", asked)


def is_page(body: bytes) -> bool:
    """A web page for sure."""
    return bool(_PAGE.match(_start(body)))


def nature(body: bytes) -> str:
    """What a document is that is no feed for sure; empty where it may be one."""
    start = _start(body)
    if not start:
        return "empty"
    if start[:1] == b"[":
        return "JSON, but no feed"
    return "a web page, not a feed" if _PAGE.match(start) else ""


def _start(body: bytes) -> bytes:
    return body[:4000].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
