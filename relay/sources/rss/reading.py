"""One address is read once: asked, followed to where the feed is, parsed, compared with what was read before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec

from relay.http import Answer, Forbidden, Http
from relay.model import Event
from relay.ports import Gone, TryLater
from relay.sources.feed_discovery import feeds_in
from relay.sources.feed_parse import Document
from relay.sources.feed_posts import Item, note, setting_of
from relay.sources.feed_worker import FeedWorker, items_of
from relay.sources.rss.cursor import Cursor, moment, seconds
from relay.sources.rss.hints import hints
from relay.sources.rss.manners import FEEDS, asked, habit, is_stale
from relay.sources.rss.news import compare
from relay.sources.rss.replies import CLOSED, is_page, nature, refused, without_answer

_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, "
    "application/rdf+xml, application/xml;q=0.9, */*;q=0.5"
)


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

    def validators(self) -> Mapping[str, str]:
        return self.cursor.validators() if self.seeded else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What came of it, and what to remember."""

    cursor: Cursor
    failed: TryLater | Gone | None = None
    """Why nothing could be read."""
    astray: bool = False
    """It failed in a way that another address may not."""
    events: tuple[Event, ...] = ()
    past: tuple[Event, ...] = ()
    note: str = ""
    asked: timedelta = timedelta(0)
    """How long the publisher wants to be left alone."""

    def is_stale(self, now: datetime) -> bool:
        return is_stale(moment(self.cursor.latest), timedelta(seconds=self.cursor.gap), now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads addresses; at most the newest ``most`` publications of one reading are news."""

    http: Http
    worker: FeedWorker
    clock: Callable[[], datetime]
    most: int

    async def read(self, visit: Visit) -> Reading:
        """Read where the feed moved to, or where a page says that it is; if it is not there, at the address itself."""
        home = visit.cursor.home
        reading = await self._visit(replace(visit, url=home or visit.url))
        if home and reading.astray:
            return await self._visit(replace(visit, cursor=visit.cursor.leave_home()))
        return reading

    async def _visit(self, visit: Visit) -> Reading:
        headers = {"Accept": _ACCEPT, **visit.validators()}
        reply = await self.http.get(visit.url, headers=headers, manner=FEEDS)
        now = self.clock()
        if not isinstance(reply, Answer):
            astray = isinstance(reply, Forbidden) or not reply.paced
            return Reading(cursor=visit.cursor, failed=without_answer(reply), astray=astray)
        if reply.status == 304 and visit.validators():
            return self._unchanged(visit, reply, now)
        if not 200 <= reply.status < 300:
            return _refused(visit, reply, now)
        return await self._answered(visit, reply, now)

    def _unchanged(self, visit: Visit, answer: Answer, now: datetime) -> Reading:
        cursor = visit.cursor
        if cursor.lost or not cursor.stood:
            cursor = msgspec.structs.replace(cursor, lost=0, stood=True)
        return Reading(cursor=cursor.follow(answer.moved, now), asked=asked(answer.headers, cursor.minutes, now))

    async def _answered(self, visit: Visit, answer: Answer, now: datetime) -> Reading:
        etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
        body = blake2b(answer.body, digest_size=8).hexdigest()
        if body == visit.cursor.body:
            fresh = msgspec.structs.replace(visit.cursor, etag=etag, modified=modified)
            return self._unchanged(replace(visit, cursor=fresh), answer, now)
        if is_page(answer.body) and not visit.cursor.home:
            offered = feeds_in(answer.body, answer.url)
            if offered:
                return await self._offered(visit, *(feed.url for feed in offered))
        document = await self._parse(answer)
        if isinstance(document, TryLater):
            return _fail(visit, document)
        if document.truncated and not visit.seeded:  # its missing half would be taken for news at the next poll
            return _fail(visit, TryLater(f"{answer.url} broke off in the middle of the feed"))
        whole = msgspec.structs.replace(visit.cursor, etag=etag, modified=modified, body=body)
        none = msgspec.structs.replace(visit.cursor, etag="", modified="", body="")
        return await self._take(replace(visit, cursor=none if document.truncated else whole), answer, document, now)

    async def _offered(self, visit: Visit, feed: str, *others: str) -> Reading:
        """A web page stands at the address: read the feed that it names first."""
        cursor = msgspec.structs.replace(visit.cursor.leave_home(), home=feed, found=True)
        reading = await self._visit(replace(visit, url=feed, cursor=cursor))
        if reading.failed:
            return replace(reading, cursor=reading.cursor.leave_home())
        more = f"the page has more than one feed; {feed} is read, not {', '.join(others[:3])}" if others else ""
        return replace(reading, note="; ".join(filter(None, (more, reading.note))))

    async def _parse(self, answer: Answer) -> Document | TryLater:
        if what := nature(answer.body):
            return TryLater(f"{answer.url} is {what}")
        document = await self.worker.parse(answer.body, answer.headers.get("content-type", ""))
        if document is None:
            return TryLater(f"{answer.url} is too large or too tangled to be read", CLOSED)
        if not document.version and not document.entries:
            return TryLater(f"{answer.url} is not a feed")
        return document

    async def _take(self, visit: Visit, answer: Answer, document: Document, now: datetime) -> Reading:
        setting = setting_of(document, address=visit.name, url=answer.url, now=now, feed=visit.feed)
        items = await items_of(document, setting)
        known, said = visit.cursor, hints(document, answer.body, answer.headers, answer.url)
        news = compare(
            items,
            known.items,
            known.gone,
            newest=moment(known.newest) if known.newest and visit.seeded else None,
            most=self.most if visit.seeded else None,
            stood=known.stood,
        )
        latest, gap = _dates(items)
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
            changed=seconds(now) if news.events or not known.changed else known.changed,
            lost=0,
            stood=False,
            items=news.items,
            gone=news.gone,
        )
        return Reading(
            cursor=cursor.follow(answer.moved, now),
            events=news.events,
            past=news.past,
            note="; ".join(filter(None, (note(document), news.note))),
            asked=asked(answer.headers, cursor.minutes, now),
        )


def _fail(visit: Visit, failed: TryLater | Gone) -> Reading:
    return Reading(cursor=visit.cursor, failed=failed, astray=True)


def _refused(visit: Visit, answer: Answer, now: datetime) -> Reading:
    """Another status than good ones; remembers since when there is no feed at the address."""
    cursor = visit.cursor
    if answer.status == 404 and not cursor.lost:
        cursor = msgspec.structs.replace(cursor, lost=seconds(now))
    lost = now - moment(cursor.lost) if cursor.lost else timedelta(0)
    overloaded = answer.status >= 500 or answer.status == 429  # the place is right
    return Reading(cursor=cursor, failed=refused(answer, lost, now), astray=not overloaded)


def _dates(items: Sequence[Item]) -> tuple[int, int]:
    """The newest date, and the seconds that usually lie between two; 0 where nobody knows."""
    dates = [item.post.published for item in items if item.date]
    usual = habit(dates)
    return seconds(max(dates)) if dates else 0, int(usual.total_seconds()) if usual else 0
