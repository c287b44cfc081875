"""A page as it was read, and what it means for the place in the timeline. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from relay.model import Post
from relay.sources.mastodon import timeline_cursor
from relay.sources.mastodon.api import Listed
from relay.sources.mastodon.parse import read_post
from relay.sources.mastodon.shapes import Raw
from relay.sources.mastodon.timeline_cursor import How, TimelineCursor, TimelineStep

Read = Callable[[bytes | Raw, str], Post | None]
"""How an item becomes a post, None where it is none for everybody; with the server's base address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineReading:
    """``how`` much of the timeline is open to us, and how its items are read."""

    page: Listed = field(default_factory=lambda: Listed({}))
    how: How = How.WHOLE
    read: Read = read_post

    def of(self, page: Listed) -> TimelineReading:
        return replace(self, page=page)

    def size(self, names: Iterable[str]) -> int:
        """The bytes of some of its items."""
        return sum(len(self.page.items[name]) for name in names)

    def step(self, kept: TimelineCursor | None, now: datetime) -> TimelineStep:
        """Where the reading stands after this page. What opens all at once, or was hidden, is no news."""
        ids = self.page.items
        if kept is None or (kept.how is not How.RSS and self.how is How.WHOLE and kept.local and ids):
            return TimelineStep(timeline_cursor.begin(ids, now))
        if How.RSS in {kept.how, self.how} and kept.how is not self.how:
            return self._other_names(kept, now)
        if kept.behind:
            return timeline_cursor.read_above(kept, ids)
        if kept.began and timeline_cursor.was_hidden(kept, ids, self._oldest() or now):
            return TimelineStep(timeline_cursor.begin(ids, now))
        return timeline_cursor.read_newest(kept, ids)

    def _other_names(self, kept: TimelineCursor, now: datetime) -> TimelineStep:
        """In RSS posts have other ids: those that were written since the last one that was read are new."""
        since = timeline_cursor.moment(kept.recent[-1]) if kept.recent else None
        times = {name: self._time(raw) for name, raw in self.page.items.items()}
        new = [name for name, at in times.items() if since is not None and at and at > since]
        return TimelineStep(timeline_cursor.begin(times, now), timeline_cursor.ordered(new))

    def _oldest(self) -> datetime | None:
        return min((at for raw in self.page.items.values() if (at := self._time(raw))), default=None)

    def _time(self, raw: Raw) -> datetime | None:
        post = self.read(raw, "")
        return post.published if post else None
