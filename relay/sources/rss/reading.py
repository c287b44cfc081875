"""One address is read once: asked, followed to where the feed is, parsed, compared with what was read before."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import blake2b
from urllib.parse import urljoin, urlsplit

import msgspec

from relay.http import Cookies, Forbidden, HostPolicy, Http, HttpResponse, retry_after
from relay.model import Event
from relay.ports import Gone, TryLater
from relay.sources.feed_discovery import Lead, leads, links
from relay.sources.feed_document import EntryChange, FeedChanges, FeedDocument, KnownFeed
from relay.sources.feed_encoding import ROOT
from relay.sources.feed_worker import FeedWorker, UnreadError
from relay.sources.kit import unanswered
from relay.sources.off_loop import off_loop
from relay.sources.rss.cursor import LOST_AFTER, Cursor, moment, seconds
from relay.sources.rss.intervals import DAY, FEEDS, asked, habit, is_stale

# --- what a feed says of itself beside its entries: when to ask again, when not, who tells of news ---

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


def hints(document: FeedDocument, body: bytes, headers: Mapping[str, str], url: str) -> Hints:
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


def _hub(document: FeedDocument, header: str, url: str) -> tuple[str, str]:
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


# --- what an answer that brings no feed means, for people and for the next poll ---

CLOSED = timedelta(hours=4)
"""Until a door that was shut is tried again, as other readers do."""

_BESIDE = rb"(?>\s+|<\?[^>]*>|<!--.*?-->)*+"
# Templates put a page's document type over a feed, too: only what follows tells.
_PAGE = re.compile(
    _BESIDE + rb"(?:<html|<!doctype\s+html\b(?:[^>\[]|\[[^\]]*\])*+>" + _BESIDE + rb"(?!<!--|<\?|" + ROOT + rb").)",
    re.IGNORECASE | re.DOTALL,
)


def refused(answer: HttpResponse, lost: timedelta, now: datetime) -> TryLater | Gone:
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


# --- reading ---

_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, "
    "application/rdf+xml, application/xml;q=0.9, */*;q=0.5"
)

_REQUESTS = 8
"""Of one poll on the way to a feed, redirects not counted."""
_LEADS = 5
"""Addresses that are tried of those that one page names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What is asked for: an address, and what is known of the feed there."""

    name: str
    """The first address of the feed: what is compared between polls is named after it."""
    feed: str
    """The feed as it was subscribed to, with all its mirrors: a guid counts within it."""
    url: str
    cursor: Cursor
    seeded: bool
    finds: bool = True
    """The feeds that a page there names are tried; else only where it goes on to by itself."""
    manner: HostPolicy = FEEDS
    cookies: Cookies = field(default_factory=Cookies)

    def validators(self) -> Mapping[str, str]:
        return self.cursor.validators() if self.seeded else {}

    def towards(self, lead: Lead, here: str) -> Visit:
        """The next step, from ``here``. What needs a cookie of this way is not found without the way to it."""
        cookies = Cookies() if lead.is_feed else self.cookies
        cursor = self.cursor.leave_home()
        if not cookies.header(lead.url):
            cursor = msgspec.structs.replace(cursor, home=lead.url, found=True)
        manner = self.manner.further(urlsplit(here).hostname or "", urlsplit(lead.url).hostname or "")
        finds = self.finds and not lead.is_feed
        return replace(self, url=lead.url, cursor=cursor, finds=finds, manner=manner, cookies=cookies)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReading:
    """What came of it, and what to remember."""

    cursor: Cursor
    failed: TryLater | Gone | None = None
    """Why nothing could be read."""
    astray: bool = False
    """It failed in a way that another address may not."""
    place: str = ""
    """Where it failed, after redirects."""
    away: bool = False
    """Nobody answered: the feed may be there nevertheless."""
    events: tuple[Event, ...] = ()
    late: tuple[Event, ...] = ()
    note: str = ""
    asked: timedelta = timedelta(0)
    """How long the publisher wants to be left alone."""

    def is_stale(self, now: datetime) -> bool:
        gap = self.cursor.gap
        return bool(gap) and is_stale(moment(self.cursor.latest), timedelta(seconds=gap), now)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReader:
    """Reads addresses."""

    http: Http
    worker: FeedWorker
    clock: Callable[[], datetime]
    at_once: int
    """So many entries of one reading have messages of their own at a destination."""
    patience: timedelta = timedelta(seconds=30)
    """After which no further page is asked on the way to a feed."""

    async def read(self, visit: Visit) -> FeedReading:
        """Read where the feed moved to, or where a page says that it is; if it is not there, at the address itself."""
        way = _Way(visit.cursor.home if visit.seeded else "")
        if not visit.cursor.home:
            return await self._ask(visit, way)
        reading = await self._ask(replace(visit, url=visit.cursor.home, finds=False), way)
        if not reading.astray:
            return reading
        again = await self._ask(replace(visit, cursor=visit.cursor.leave_home()), way)
        if again.failed is None:
            return again
        lost = again.cursor.lost or reading.cursor.lost
        return replace(again, cursor=msgspec.structs.replace(reading.cursor, lost=lost))

    async def _ask(self, visit: Visit, way: _Way) -> FeedReading:
        """Each address is asked once on one way, unless there is a new cookie for it."""
        step = visit.url, visit.cookies.header(visit.url)
        if step not in way.readings:
            if len(way.readings) == _REQUESTS or (len(way.readings) > 2 and way.lasted() > self.patience):
                return _fail(visit, TryLater(f"{visit.url} is not asked: enough was asked on the way there"))
            way.readings[step] = _fail(visit, TryLater(f"{visit.url} leads back to itself"))
            way.readings[step] = await self._visit(visit, way)
        return way.readings[step]

    async def _visit(self, visit: Visit, way: _Way) -> FeedReading:
        headers = {"Accept": _ACCEPT, **visit.validators()}
        reply = await self.http.get(visit.url, headers=headers, manner=visit.manner, cookies=visit.cookies)
        now = self.clock()
        if not isinstance(reply, HttpResponse):
            astray = isinstance(reply, Forbidden) or not reply.paced
            away = not isinstance(reply, Forbidden)
            return FeedReading(cursor=visit.cursor, failed=unanswered(reply), astray=astray, away=away)
        if reply.status == 304 and visit.validators():
            return self._unchanged(visit, reply, now)
        if not 200 <= reply.status <= 300:  # 300 names several choices
            return _refused(visit, reply, now)
        return await self._answered(visit, way, reply, now)

    def _unchanged(self, visit: Visit, answer: HttpResponse, now: datetime) -> FeedReading:
        cursor = visit.cursor
        if cursor.lost or not cursor.stood:
            cursor = msgspec.structs.replace(cursor, lost=0, stood=True)
        return FeedReading(cursor=cursor.follow(answer.moved, now), asked=asked(answer.headers, cursor.minutes, now))

    async def _answered(self, visit: Visit, way: _Way, answer: HttpResponse, now: datetime) -> FeedReading:
        etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
        body = await off_loop(len(answer.body) // 10, partial(_digest, answer.body))
        if body == visit.cursor.body:
            fresh = msgspec.structs.replace(visit.cursor, etag=etag, modified=modified)
            return self._unchanged(replace(visit, cursor=fresh), answer, now)
        try:
            read = await self._read(visit, answer, now)
        except UnreadError as unread:
            return FeedReading(cursor=visit.cursor, failed=TryLater(f"{answer.url} was not read: {unread}", paced=True))
        if isinstance(read, TryLater):
            return await self._led(visit, way, answer, read)
        document = read[0].document
        if document.truncated and not visit.seeded:  # its missing half would be taken for news at the next poll
            return _fail(visit, TryLater(f"{answer.url} broke off in the middle of the feed"))
        whole = msgspec.structs.replace(visit.cursor, etag=etag, modified=modified, body=body)
        none = msgspec.structs.replace(visit.cursor, etag="", modified="", body="")
        return self._take(replace(visit, cursor=none if document.truncated else whole), answer, *read, now)

    async def _led(self, visit: Visit, way: _Way, answer: HttpResponse, failed: TryLater) -> FeedReading:
        """No feed stands at the address: read the first one that the answer leads to."""
        found = await off_loop(len(answer.body), partial(leads, answer.body, answer.url, answer.headers))
        some = [lead for lead in found if visit.finds or not lead.is_feed]
        some = [lead for lead in some if not (lead.is_guess and visit.seeded)][:_LEADS]
        readings: list[FeedReading] = []
        for lead in some:
            reading = await self._ask(visit.towards(lead, answer.url), way)
            if reading.failed is None:
                return replace(reading, note="; ".join(filter(None, (_choice(lead, some), reading.note))))
            if way.former and way.former in (lead.url, reading.place) and isinstance(reading.failed, TryLater):
                return reading  # it is named as before, and will come back: another one is not the same
            if not lead.is_guess:
                readings.append(reading)
            if not reading.astray or (reading.away and visit.seeded):
                break
        if visit.finds and not readings and is_page(answer.body):
            failed = replace(failed, reason=f"{failed.reason}, and names none; give the address of the feed itself")
        return replace(_nowhere(visit, failed, readings), place=answer.url)

    async def _read(
        self, visit: Visit, answer: HttpResponse, now: datetime
    ) -> tuple[FeedChanges, Sequence[EntryChange]] | TryLater:
        if what := nature(answer.body):
            return TryLater(f"{answer.url} is {what}")
        cursor = visit.cursor
        known = KnownFeed(
            name=visit.name,
            feed=visit.feed,
            url=answer.url,
            now=now,
            content_type=answer.headers.get("content-type", ""),
            newest=cursor.newest if visit.seeded else 0,
            stood=cursor.stood,
            items=cursor.items,
            gone=cursor.gone,
            slices=cursor.slices,
        )
        read = await self.worker.read(answer.body, known, visit.name)
        if read is None:
            return TryLater(f"{answer.url} is too large or too tangled to be read", CLOSED)
        document = read[0].document
        if not document.version and not document.found:
            return TryLater(f"{answer.url} is not a feed")
        return read

    def _take(
        self, visit: Visit, answer: HttpResponse, changes: FeedChanges, news: Sequence[EntryChange], now: datetime
    ) -> FeedReading:
        known, said = visit.cursor, hints(changes.document, answer.body, answer.headers, answer.url)
        events = tuple([change.event() for change in news if not change.late])
        latest, gap = _dates(changes.dates)
        cursor = msgspec.structs.replace(
            known,
            minutes=said.minutes,
            skip_hours=said.hours,
            skip_days=said.days,
            hub=said.hub,
            topic=said.topic,
            latest=latest,
            gap=gap,
            newest=max(known.newest, latest),
            changed=seconds(now) if events or not known.changed else known.changed,
            lost=0,
            stood=False,
            items=changes.items,
            gone=changes.gone,
            slices=changes.slices,
        )
        return FeedReading(
            cursor=cursor.follow(answer.moved, now),
            events=events,
            late=tuple([change.event() for change in news if change.late]),
            note=changes.note,
            asked=asked(answer.headers, cursor.minutes, now),
        )


@dataclass(frozen=True, slots=True)
class _Way:
    """One poll's, to a feed."""

    former: str
    """Where else than at its address the feed was read before."""
    readings: dict[tuple[str, str], FeedReading] = field(default_factory=dict)
    """What came of each address and the cookies that were sent there."""
    begun: float = field(default_factory=time.monotonic)

    def lasted(self) -> timedelta:
        return timedelta(seconds=time.monotonic() - self.begun)


def _choice(lead: Lead, some: Sequence[Lead]) -> str:
    others = [one.url for one in some if one.is_feed and one != lead]
    if lead.is_guess:
        return f"the page names no feed; {lead.url}, which it links to, is read"
    if not lead.is_feed or not others:
        return ""
    return f"the page has more than one feed; {lead.url} is read, not {', '.join(others[:3])}"


def _nowhere(visit: Visit, failed: TryLater, readings: Sequence[FeedReading]) -> FeedReading:
    """What to say where no lead was a feed. The last one that was tried tells when to come back."""
    if not readings:
        return _fail(visit, failed)
    last = readings[-1]
    reasons = dict.fromkeys(reading.failed.reason for reading in readings if reading.failed)
    reason = f"{failed.reason}, and none of the addresses that it names is one: {'; '.join(list(reasons)[:3])}"
    cursor = msgspec.structs.replace(visit.cursor, lost=readings[0].cursor.lost)
    if all(isinstance(reading.failed, Gone) for reading in readings):
        return FeedReading(cursor=cursor, failed=Gone(reason), astray=True)
    later = last.failed if isinstance(last.failed, TryLater) else TryLater("")
    return FeedReading(cursor=cursor, failed=replace(later, reason=reason), astray=last.astray, away=last.away)


def _fail(visit: Visit, failed: TryLater | Gone) -> FeedReading:
    return FeedReading(cursor=visit.cursor, failed=failed, astray=True)


def _refused(visit: Visit, answer: HttpResponse, now: datetime) -> FeedReading:
    """Another status than good ones; remembers since when there is no feed at the address."""
    cursor = visit.cursor
    if answer.status == 404 and not cursor.lost:
        cursor = msgspec.structs.replace(cursor, lost=seconds(now))
    lost = now - moment(cursor.lost) if cursor.lost else timedelta(0)
    overloaded = answer.status >= 500 or answer.status == 429  # the place is right
    return FeedReading(cursor=cursor, failed=refused(answer, lost, now), astray=not overloaded, place=answer.url)


def _dates(dates: Sequence[int]) -> tuple[int, int]:
    """The newest date, and the seconds that usually lie between two; 0 where nobody knows."""
    usual = habit([moment(date) for date in dates])
    return max(dates, default=0), int(usual.total_seconds()) if usual else 0


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=8).hexdigest()
