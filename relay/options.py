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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sieve:
    """What else holds a post back, beside its language and its kind. An empty one lets everything through."""

    words: tuple[str, ...] = ()
    """Words and phrases of which the post must have one, in whatever case and with whatever accents. Empty: any."""
    without: tuple[str, ...] = ()
    """Words and phrases of which it must have none."""
    pattern: str = ""
    """A regular expression (RE2) that must be found in it."""
    block: tuple[str, ...] = ()
    """Whose posts are not wanted: accounts (``@who@host``), and servers (``host``) with all below them."""
    min_age: timedelta = timedelta(0)
    """How old the author's account must be; one whose age nobody says is old enough."""
    per_hour: int = 0
    """How many posts of one author are wanted within an hour, those that go on with a thread too; 0: all."""


OPEN = Sieve()
"""The sieve that lets everything through."""
