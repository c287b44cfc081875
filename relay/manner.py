"""The values that say how a subscription's posts are put together, and when they come.

``hours`` reads the times, ``relay.store.wishes`` and ``relay.store.folds`` keep the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Mode(StrEnum):
    """What becomes one message."""

    THREADS = "threads"
    """A thread: the first of its posts that is wanted, with a count that grows."""
    POSTS = "posts"
    """Each post."""
    DIGEST = "digest"
    """All that came within a while, the best of it first."""


class Follow(StrEnum):
    """What becomes of a thread's later posts, where a thread is one message."""

    COUNT = "count"
    """They count, and can be read on the page."""
    REPLIES = "replies"
    """They are posted under the first one besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a subscription's posts are brought."""

    mode: Mode = Mode.THREADS
    follow: Follow | None = None
    """None: they count; where messages cannot be edited, they are posted under the first one."""
    every: timedelta = timedelta(days=1)
    """Of digests: how long one gathers; an hour or more."""
    at: str = ""
    """Of daily digests: the time of day at which one comes, and whose (``08:00 America/Lima``); empty: 08:00 UTC."""
    quiet: str = ""
    """When nothing new is to be brought (``22:00-07:00 America/Lima``): it comes as one message when that is over."""
    budget: int | None = None
    """Messages an hour at most, counted for this subscription alone; 0: any number. None: the destination's budget."""
    burst: int | None = None
    """How many of them may come at once. None: as the outbox says."""


USUAL = Manner()
