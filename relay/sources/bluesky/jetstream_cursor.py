"""Where a Jetstream is to be read on, and what its first event says of what lies between. Pure.

A place is a time in microseconds, because a server's own count of events means nothing at the next one; each server has
its own clock, so reading goes on a little before the place that was reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from relay.ports import Watched
from relay.sources.bluesky.address import POSTS, is_did

MOST_ACCOUNTS = 10_000
LARGEST = 1_000_000
"""The largest event that is asked for, in bytes; records are at most that large, and posts a thousandth of it."""

_MICRO = timedelta(microseconds=1)
_OVERLAP = timedelta(seconds=5) // _MICRO
_HUSH = timedelta(minutes=1) // _MICRO
_KEPT = timedelta(hours=36) // _MICRO
_EARLIEST, _LATEST = 10**15, 10**17  # what is below is a server's own count of events

Accounts = frozenset[str] | None
"""Whose posts are asked for; None: everybody's."""


@dataclass(frozen=True, slots=True)
class JetstreamQuery:
    """What a server is asked for; ``since`` is 0 where it is to tell what happens from now on."""

    accounts: Accounts
    since: int

    def query(self) -> Sequence[tuple[str, str]]:
        """Accounts are told in a message afterwards: no proxy lets ten thousand of them through in an address."""
        query = [("wantedCollections", POSTS), ("maxMessageSizeBytes", str(LARGEST))]
        if self.since:
            query.append(("cursor", str(self.since)))
        return query if self.accounts is None else [*query, ("requireHello", "true")]

    def hello(self) -> Mapping[str, object] | None:
        if self.accounts is None:
            return None
        wanted = {
            "wantedCollections": [POSTS],
            "wantedDids": sorted(self.accounts),
            "maxMessageSizeBytes": LARGEST,
        }
        return {"type": "options_update", "payload": wanted}


class Start(Enum):
    """What the first event of a connection says."""

    SMOOTH = "nothing lies between"
    GAP = "it is much later than what was asked for: what lies between is lost here"
    AHEAD = "it is earlier than what was asked for: that was in the future, and this is the present"


def read_cursor(cursor: str) -> int:
    """The place that a cursor names; 0 where it names none."""
    place = int(cursor) if cursor.isascii() and cursor.isdecimal() and len(cursor) < 20 else 0
    return place if _EARLIEST <= place < _LATEST else 0


def write_cursor(place: int) -> str:
    return str(place) if place else ""


def resume(place: int) -> int:
    """From where to read on; 0: from now on."""
    return place - _OVERLAP if place else 0


def wanted_accounts(watched: Watched) -> Accounts:
    """Whose posts to ask for. Where hashtags are wanted, or too many accounts, everybody's; of nobody: an empty set."""
    accounts = frozenset(address for address in watched.feeds if is_did(address))
    return None if watched.tags or len(accounts) > MOST_ACCOUNTS else accounts


def outgrown(asked: Accounts, wanted: Accounts) -> bool:
    """Whether it must be asked anew. An account too many does no harm, everybody's posts for nothing are a burden."""
    if asked is None or wanted is None:
        return asked is not wanted
    return not wanted <= asked or not wanted


def judge(asked: JetstreamQuery, first: int, now: int) -> Start:
    """``first`` is the time of the first event, ``now`` that of our clock.

    On the whole network somebody is always posting. Of a few accounts nothing may come for days, so there only what is
    older than any server keeps counts as lost.
    """
    if not asked.since:
        return Start.GAP
    if first < asked.since:
        return Start.AHEAD
    reached = first if asked.accounts is None else min(now - _KEPT, first)
    return Start.GAP if reached > asked.since + _HUSH else Start.SMOOTH
