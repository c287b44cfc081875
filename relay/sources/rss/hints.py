"""What a feed says of itself beside its entries: when to ask again, when not, who tells of news. Pure, and total."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from relay.sources.feed_parse import Document
from relay.sources.link_header import links

_HEAD = 60_000
_LONGEST = 2000
_PERIOD = re.compile(rb"<(?:[\w.-]{1,40}:)?updatePeriod[^<>]{0,500}>\s{0,99}(\w{1,20})")
_FREQUENCY = re.compile(rb"<(?:[\w.-]{1,40}:)?updateFrequency[^<>]{0,500}>\s{0,99}([0-9]{1,6})")
_MINUTES = {b"hourly": 60, b"daily": 1440, b"weekly": 10_080, b"monthly": 43_200, b"yearly": 525_600}

# Its feeds name no hub, and the hub knows them under another address.
_YOUTUBE = "https://www.youtube.com/feeds/videos.xml?"
_YOUTUBE_HUB = "https://pubsubhubbub.appspot.com/"
_YOUTUBE_TOPIC = "https://www.youtube.com/xml/feeds/videos.xml?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    minutes: int = 0
    """How long the document holds: ``ttl``, or the update period by its frequency."""
    hours: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    """When nobody shall ask: hours from 0, days from Monday = 0; UTC. Never all of them."""
    hub: str = ""
    topic: str = ""
    """Both or neither (WebSub)."""


def hints(document: Document, body: bytes, headers: Mapping[str, str], url: str) -> Hints:
    """``headers`` came with the document, ``url`` is where it was read. What cannot be read says nothing."""
    hours = {hour % 24 for hour in document.skip_hours}  # some write 24 for midnight
    hub, topic = _hub(document, headers.get("link", ""), url)
    return Hints(
        minutes=max(document.ttl, _period(body[:_HEAD].replace(b"\0", b""))),
        hours=tuple(sorted(hours)) if len(hours) < 24 else (),
        days=tuple(sorted(document.skip_days)) if len(document.skip_days) < 7 else (),
        hub=hub if topic else "",
        topic=topic if hub else "",
    )


def _period(head: bytes) -> int:
    """The update period by its frequency (RDF Site Summary 1.0 Modules: Syndication), in minutes."""
    if b"updatePeriod" not in head:
        return 0
    period, frequency = _PERIOD.search(head), _FREQUENCY.search(head)
    every = _MINUTES.get(period[1].lower(), 0) if period else 0
    return every // max(int(frequency[1]) if frequency else 1, 1)


def _hub(document: Document, header: str, url: str) -> tuple[str, str]:
    """The first hub and the feed's name there; the header counts before the document (WebSub 4)."""
    pairs = [(relation, link.target) for link in links(header) for relation in link.relations]
    beside = dict(reversed(pairs))
    hub = _web(beside.get("hub", ""), url) or next(filter(None, (_web(hub, url) for hub in document.hubs)), "")
    topic = _web(beside.get("self", ""), url) or _web(document.topic, url)
    if not hub and url.startswith(_YOUTUBE):
        return _YOUTUBE_HUB, url.replace(_YOUTUBE, _YOUTUBE_TOPIC, 1)
    return hub, topic


def _web(link: str, base: str) -> str:
    """An absolute http(s) address, or nothing."""
    try:
        address = urljoin(base, link.strip()) if link else ""
        host = urlsplit(address).hostname
    except ValueError:
        return ""
    fit = len(address) <= _LONGEST and address.isprintable() and not re.search(r"\s", address)
    return address if host and fit and address.startswith(("http://", "https://")) else ""
