"""The source: topics, polls over all addresses of a feed, and the stream of what hubs tell."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from pydantic import Field

from relay.http import Http
from relay.model import Feed
from relay.plugins import Hooks, PluginStorage
from relay.ports import Batch, Check, Gone, Refused, Resolved, Streamed, TryLater, Watched
from relay.settings import Duration, Settings
from relay.sources.feed_names import SOURCE
from relay.sources.feed_worker import FeedWorker
from relay.sources.rss.cursor import Cursor, moment, seconds
from relay.sources.rss.intervals import pause
from relay.sources.rss.push import Push
from relay.sources.rss.reading import FeedReader, FeedReading, Visit

STREAM = "websub"
_MANY = 100
_BETWEEN = re.compile(r"(?<!\s)\s++(?=(?:https?|feed):)", re.IGNORECASE)


class RssSettings(Settings):
    interval: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(minutes=10)
    """How often a feed is asked; less often where its publisher says so, and while nothing new comes."""
    at_once: Annotated[int, Field(ge=1)] = 20
    """How many new entries of one poll have messages of their own at a destination: the newest; the rest shares one."""


class RssSource:
    """Feeds, each by its address. Holds nothing but its settings, the process that parses, and what hubs were asked."""

    def __init__(
        self,
        settings: RssSettings,
        http: Http,
        *,
        hooks: Hooks | None = None,
        notes: PluginStorage | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        worker: FeedWorker | None = None,
    ) -> None:
        self.name = SOURCE
        self.interval = settings.interval
        self.push = Push(http, hooks or Hooks(), notes or PluginStorage(), clock)
        self._http = http
        self._clock = clock
        self._reader = FeedReader(http=http, worker=worker or FeedWorker(), clock=clock, at_once=settings.at_once)

    # --- topics ---

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        """Any http(s) address may be a feed's; nothing is fetched to find out.

        Several addresses with spaces between them are mirrors of one feed: the first that works is read.
        """
        topic = topic.strip()
        if topic.startswith(("#", "＃", "@")):
            return Refused(
                "feeds have no hashtags or accounts; give a feed's address, such as https://example.org/feed.xml"
            )
        addresses = [self._address(part) for part in _mirrors(topic)]
        for address in addresses:
            if isinstance(address, Refused):
                return address
        feed = " ".join(dict.fromkeys(map(str, addresses)))
        return Resolved(feeds=(feed,), title=feed)

    def _address(self, text: str) -> str | Refused:
        address = text.removeprefix("feed:").partition("#")[0]
        if address.startswith("//"):  # feed://example.org/ is what some pages link to
            address = f"http:{address}"
        if "://" not in address:
            return Refused(f"{text[:200]!r} is no web address; a feed's address begins with https://")
        reason = self._http.refusal(address)
        return Refused(reason) if reason else address

    async def check(self) -> Sequence[Check]:
        """Feeds are named by subscriptions, not by the configuration: there is nothing to ask."""
        return ()

    # --- polls ---

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        before = Cursor.load(feed.cursor)
        reading = await self._read(feed, before if feed.seeded else before.unread())
        if len(reading.events) > _MANY:  # the next steps take their time, too
            await asyncio.sleep(0)
        after = reading.cursor
        cursor = after.dump() if after != before else None
        if reading.failed is not None:
            return replace(reading.failed, cursor=cursor) if isinstance(reading.failed, TryLater) else reading.failed
        if after.hub:
            self.push.hear_of(feed.address, after.hub, after.topic)
        now = self._clock()
        return Batch(
            events=reading.events,
            late=reading.late,
            at_once=self._reader.at_once if len(reading.events) > self._reader.at_once else None,
            cursor=cursor,
            wait=await self._pause(feed, reading, now),
            note="; ".join(filter(None, (reading.note, _standing(feed, reading, now)))),
        )

    async def _read(self, feed: Feed, cursor: Cursor) -> FeedReading:
        """Of several addresses the first that answers, and is not behind its own habit."""
        addresses = _mirrors(feed.address)
        now = self._clock()
        readings: list[FeedReading] = []
        for number in cursor.order(len(addresses), now):
            at = cursor.at(number)
            name, url = addresses[0], addresses[number]
            visit = Visit(name=name, feed=feed.address, url=url, cursor=at, seeded=feed.seeded)
            readings.append(await self._reader.read(visit))
            if _serves(readings[-1], now):
                return _tried(readings[-1], readings, now)
        return _tried(_best(readings, cursor.mirror), readings, now)

    async def _pause(self, feed: Feed, reading: FeedReading, now: datetime) -> timedelta | None:
        cursor = reading.cursor
        return pause(
            now,
            self.interval,
            asked=reading.asked,
            quiet=now - moment(cursor.changed) if cursor.changed else timedelta(0),
            pushed=bool(cursor.hub) and await self.push.is_active(feed.address),
            hours=cursor.skip_hours,
            days=cursor.skip_days,
        )

    # --- what hubs tell ---

    def streams(self) -> Sequence[str]:
        """One, where hubs can reach this relay."""
        return (STREAM,) if self.push.can_be_reached() else ()

    def stream(self, name: str, watched: Watched, cursor: str) -> AsyncIterator[Streamed]:
        """Have hubs tell of news; what they tell is only that a feed is to be polled."""
        del name, cursor  # there is one, and it remembers nothing
        return self.push.stream(watched)


def _mirrors(topic: str) -> list[str]:
    """The addresses in a topic; there may be spaces within one, too."""
    return _BETWEEN.split(topic)


def _serves(reading: FeedReading, now: datetime) -> bool:
    if isinstance(reading.failed, TryLater) and reading.failed.paced:
        return True  # its turn will come
    return reading.failed is None and not reading.is_stale(now)


def _best(readings: Sequence[FeedReading], serving: int) -> FeedReading:
    """Where none serves: what answered at all, best where it was; else what may come back."""
    answered = [reading for reading in readings if reading.failed is None]
    same = [reading for reading in answered if reading.cursor.mirror == serving]
    hoped = [reading for reading in readings if isinstance(reading.failed, TryLater)]
    return (same or answered or hoped or readings)[0]


def _tried(reading: FeedReading, readings: Sequence[FeedReading], now: datetime) -> FeedReading:
    """Remember when the first address was asked in vain."""
    if len(readings) == 1 or not reading.cursor.mirror:
        return reading
    return replace(reading, cursor=msgspec.structs.replace(reading.cursor, tried=seconds(now)))


def _standing(feed: Feed, reading: FeedReading, now: datetime) -> str:
    """What is so for a while, and people should know."""
    cursor, notes = reading.cursor, []
    if cursor.mirror:
        addresses = _mirrors(feed.address)
        notes.append(f"{urlsplit(addresses[0]).hostname} does not serve; {addresses[cursor.mirror]} is read instead")
    if cursor.moving:
        notes.append(f"the feed has moved for good to {cursor.moving.to}")
    elif cursor.home and not cursor.found:
        notes.append(f"the feed has moved for good to {cursor.home}, and is read there")
    if reading.is_stale(now):
        usual = _about(timedelta(seconds=cursor.gap))
        notes.append(f"nothing new since {moment(cursor.latest):%Y-%m-%d}, though something used to come {usual}")
    return "; ".join(notes)


def _about(gap: timedelta) -> str:
    if gap < timedelta(hours=2):
        return f"every {max(round(gap.total_seconds() / 60), 1)} minutes"
    hours = round(gap.total_seconds() / 3600)
    return f"every {hours} hours" if hours < 48 else f"every {round(hours / 24)} days"
