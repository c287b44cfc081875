"""RSS and Atom feeds: asked politely, parsed apart, compared with what was read before."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from pydantic import Field
from selectolax.lexbor import LexborHTMLParser

from relay.http import Answer, Forbidden, Http, Unreachable, retry_after
from relay.model import Edited, Event, Feed, Published
from relay.plugins import Duration, Host, Plugin, Settings
from relay.ports import Batch, Check, Gone, Refused, Resolved, TryLater
from relay.sources.feed_parse import Document
from relay.sources.feed_posts import SOURCE, Item, note, read_items, setting_of
from relay.sources.feed_worker import FeedWorker
from relay.text import safe_url

_ACCEPT = "application/rss+xml, application/atom+xml, application/rdf+xml, application/xml;q=0.9, */*;q=0.5"
_DAY = timedelta(hours=24)
_CLOSED = timedelta(hours=4)
"""Until a door that was shut is tried again, as other readers do."""
_VANISHED = 500
_LINK = re.compile(rb"<link\b[^<>]{1,2000}>", re.IGNORECASE)


class RssSettings(Settings):
    interval: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(minutes=10)
    """How often a feed is asked; less often where its publisher says so."""


# --- what is remembered between polls ---


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the last poll left behind."""

    etag: str = ""
    modified: str = ""
    """The validators, verbatim, to be sent back as they came (RFC 9110 13.1)."""
    body: str = ""
    """A digest of the document: servers without validators send the same one again and again."""
    ttl: int = 0
    items: dict[str, str] = {}
    """Of each entry the digests that :class:`relay.sources.feed_posts.Item` has: name to text and twin."""

    @classmethod
    def load(cls, text: str) -> Cursor:
        """What cannot be read is an empty cursor."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError:
            return cls()

    def dump(self) -> str:
        return msgspec.json.encode(self).decode()

    def validators(self) -> dict[str, str]:
        pairs = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in pairs.items() if value}


def compare(items: Sequence[Item], seen: Mapping[str, str]) -> tuple[tuple[Event, ...], dict[str, str]]:
    """What is new or reads differently, oldest first, and what is seen now.

    Entries that left the document are remembered for a while, as some come back. An entry under a new guid that is the
    same in all else is no news.
    """
    twins = {known[12:] for known in seen.values()} - {""}
    events: list[Event] = []
    for item in items:
        known = seen.get(item.name)
        if known is not None:
            if known[:12] != item.text:
                events.append(Edited(item.post))
        elif item.twin not in twins:
            events.append(Published(item.post))
    present = {item.name: item.text + item.twin for item in items}
    vanished = [name for name in seen if name not in present][:_VANISHED]
    return tuple(events), present | {name: seen[name] for name in vanished}


# --- what an answer means ---


def _refused(answer: Answer, now: datetime) -> TryLater | Gone:
    """What a status other than 2xx and 304 means for a feed."""
    host, status, asked = urlsplit(answer.url).hostname, answer.status, retry_after(answer.headers, now)
    if status == 410:
        return Gone(f"{host} says that this feed is gone for good (410)")
    if status in (401, 403):
        challenged = answer.headers.get("cf-mitigated") == "challenge"
        why = "its protection turns programs away" if challenged else "it does not let this relay read the feed"
        return TryLater(f"{host} answered {status}: {why}", max(asked or _CLOSED, _CLOSED))
    meaning = {
        404: "there is no feed at this address",
        429: "it wants to be asked less often",
        503: "it is overloaded or being worked on",
    }.get(status, "it has trouble of its own" if status >= 500 else "that is nothing a feed says")
    return TryLater(f"{host} answered {status}: {meaning}", asked)


def _wait(headers: Mapping[str, str], ttl: int, now: datetime) -> timedelta | None:
    """The longest time that the publisher asks for, a day at most: ``ttl`` in minutes, ``max-age``, ``Retry-After``."""
    age = re.search(r"(?:^|[\s,])max-age\s*=\s*\"?([0-9]{1,9})", headers.get("cache-control", ""), re.IGNORECASE)
    asked = max(
        timedelta(minutes=ttl), timedelta(seconds=int(age[1]) if age else 0), retry_after(headers, now) or timedelta(0)
    )
    return min(asked, _DAY) or None


_PAGE = re.compile(rb"(?>\s+|<\?[^>]*>|<!--.*?-->)*+(?:<!doctype\s+html|<html)", re.IGNORECASE | re.DOTALL)


def _nature(body: bytes) -> str:
    """What a document is that is no feed for sure; empty where it may be one."""
    start = body[:4000].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if not start:
        return "empty"
    if start[:1] in b"{[":
        return "JSON, not RSS or Atom"
    return "a web page, not a feed" if _PAGE.match(start) else ""


def _offers(body: bytes, url: str) -> str:
    """Where a web page says that its feed is."""
    # Only its link tags are parsed: a page that nests 40,000 elements would hold up the whole relay for seconds.
    tags = b"".join(_LINK.findall(body[:200_000])[:100])
    links = LexborHTMLParser(tags).css("link[rel~=alternate][type*='rss+xml'],link[rel~=alternate][type*=atom]")
    feeds = (safe_url(link.attributes.get("href") or "", base=url) for link in links)
    found = ", ".join(list(filter(None, feeds))[:3])
    return f"; it offers {found}" if found else ""


# --- the source ---


class RssSource:
    """Feeds, each by its address. Holds nothing but its settings and the process that parses."""

    def __init__(
        self,
        settings: RssSettings,
        http: Http,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        worker: FeedWorker | None = None,
    ) -> None:
        self.name = SOURCE
        self.interval = settings.interval
        self._http = http
        self._clock = clock
        self._worker = worker or FeedWorker()

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        """Any http(s) address may be a feed's; nothing is fetched to find out."""
        topic = topic.strip()
        if topic.startswith(("#", "＃", "@")):
            return Refused(
                "feeds have no hashtags or accounts; give a feed's address, such as https://example.org/feed.xml"
            )
        address = topic.removeprefix("feed:").partition("#")[0]
        if address.startswith("//"):  # feed://example.org/ is what some pages link to
            address = f"http:{address}"
        if "://" not in address:
            return Refused(f"{topic[:200]!r} is no web address; a feed's address begins with https://")
        if reason := self._http.refusal(address):
            return Refused(reason)
        return Resolved(feeds=(address,), title=address)

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        cursor = Cursor.load(feed.cursor) if feed.seeded else Cursor()
        reply = await self._http.get(feed.address, headers={"Accept": _ACCEPT, **cursor.validators()})
        now = self._clock()
        if isinstance(reply, Forbidden):
            return Gone(reply.reason)
        if isinstance(reply, Unreachable):
            return TryLater(reply.reason, reply.after)
        if reply.status == 304 and cursor.validators():
            return Batch(wait=_wait(reply.headers, cursor.ttl, now), note=_moved(reply))
        if not 200 <= reply.status < 300:
            return _refused(reply, now)
        return await self._read(feed, cursor, reply, now)

    async def check(self) -> Sequence[Check]:
        """Feeds are named by subscriptions, not by the configuration: there is nothing to ask."""
        return ()

    async def _read(self, feed: Feed, cursor: Cursor, answer: Answer, now: datetime) -> Batch | TryLater:
        body = blake2b(answer.body, digest_size=8).hexdigest()
        etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
        if body == cursor.body:
            fresh = msgspec.structs.replace(cursor, etag=etag, modified=modified)
            moved_on = fresh.dump() if fresh != cursor else None
            return Batch(cursor=moved_on, wait=_wait(answer.headers, cursor.ttl, now), note=_moved(answer))
        document = await self._parse(answer)
        if isinstance(document, TryLater):
            return document
        if document.truncated and not feed.seeded:  # its missing half would be taken for news at the next poll
            return TryLater(f"{answer.url} broke off in the middle of the feed")
        setting = setting_of(document, address=feed.address, url=answer.url, now=now)
        items = await asyncio.to_thread(read_items, document, setting)
        events, seen = compare(items, cursor.items)
        if document.truncated:
            etag = modified = body = ""
        left = Cursor(etag=etag, modified=modified, body=body, ttl=document.ttl, items=seen)
        wait = _wait(answer.headers, document.ttl, now)
        return Batch(events=events, cursor=left.dump(), wait=wait, note=note(document) or _moved(answer))

    async def _parse(self, answer: Answer) -> Document | TryLater:
        if nature := _nature(answer.body):
            return TryLater(f"{answer.url} is {nature}{_offers(answer.body, answer.url)}")
        document = await self._worker.parse(answer.body, answer.headers.get("content-type", ""))
        if document is None:
            return TryLater(f"{answer.url} is too large or too tangled to be read", _CLOSED)
        if not document.version and not document.entries:
            return TryLater(f"{answer.url} is not a feed")
        return document


def _moved(answer: Answer) -> str:
    return f"the feed has moved for good to {answer.moved}" if answer.moved else ""


def _build(settings: RssSettings, host: Host) -> RssSource:
    return RssSource(settings, host.http)


plugin = Plugin(RssSettings, _build, colour=0xEE802F)
