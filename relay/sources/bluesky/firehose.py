"""What a Jetstream tells, message by message: which of it is about a post that somebody wants. No I/O, no clock.

A message is an event of a repository (Jetstream v1: ``kind`` commit, identity or account). Thousands come in a second
and few are wanted, so only what decides is read of each, and the record itself of those that are wanted alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from relay.core.hashtag import fold
from relay.ports import Watched
from relay.sources.bluesky.address import POSTS, did_of, tag_feed
from relay.sources.bluesky.firehose_event import (
    AccountCommit,
    Commit,
    FirehoseEvent,
    TagFeature,
    read_event,
    read_whole,
)
from relay.sources.bluesky.records import SOURCE

_REMEMBERED = 100_000
_LONGEST_TAG = 640  # bytes, by the lexicon; what is longer was written by no client and would only fill the memory
_OLD = timedelta(days=7)
_GONE = frozenset({"deleted", "takendown", "suspended", "deactivated"})
"""States of an account in which nobody is to see its posts; others (``throttled``) are the network's own business."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCommit:
    """A post was made, or changed; the record is JSON as it stands in the author's repository."""

    uri: str
    did: str
    rkey: str
    cid: str
    record: bytes
    told: datetime
    feed: str
    """The address of the feed that it belongs to; "" where its hashtags decide."""
    edited: bool


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A post is no longer to be seen."""

    uri: str
    feed: str


PostChange = RecordCommit | Withdrawn


# --- deciding ---


class Firehose:
    """Tells of each message what it means for those who watch, once.

    Deletions on the whole network are many; told are those of watched accounts, and of the posts that were told before:
    the newest hundred thousand are remembered. So is it with what their authors go on to write below them. What is said
    twice (a Jetstream is read again from a little before where it broke off) is told once, by the revision of the
    repository, which is the same at each server.
    """

    def __init__(self, watched: Watched, remembered: int = _REMEMBERED) -> None:
        self._watched = watched
        self._known = _Known(remembered)
        self.malformed = 0
        """How many messages were no events."""
        self.time = 0
        """When the last message was told, in microseconds of Unix time; 0: it was no event."""

    def read(self, message: bytes) -> Sequence[PostChange]:
        """What one message tells. Takes anything, raises nothing."""
        event = read_event(message)
        if event is None:
            self.malformed += 1
            self.time = 0
            return ()
        self.time = event.time_us
        if event.commit is not None and event.kind == "commit":
            return self._commit(event, event.commit, message) if event.commit.collection == POSTS else ()
        if event.account is not None and event.kind == "account":
            return self._account(event.did, event.account)
        return ()

    def _commit(self, event: FirehoseEvent, commit: Commit, message: bytes) -> Sequence[PostChange]:
        match commit.operation:
            case "create":
                feed = self._feed(event.did, commit.record)
                wanted = feed is not None and not _is_old(commit.record, event.time_us)
                return self._written(event.did, commit, feed or "", message) if wanted else ()
            case "update":
                feed = self._feed(event.did, commit.record)
                wanted = feed is not None or _uri(event.did, commit) in self._known
                return self._written(event.did, commit, feed or "", message) if wanted else ()
            case "delete":
                return self._withdrawn(event.did, commit)
            case _:
                return ()

    def _feed(self, did: str, record: TagFeature | None) -> str | None:
        """The feed that a post belongs to, "" for one that only its hashtags make wanted; None: nobody wants it."""
        if did in self._watched.feeds:
            return did
        if record is None:
            return None
        if self._known.goes_on(did, record):  # the thread's message counts it
            return ""
        if not (record.facets or record.tags):
            return None
        wanted = self._watched.tags
        for tag in record.names():
            if len(tag) <= _LONGEST_TAG and (folded := fold(tag, SOURCE)) in wanted:
                return self._address(tag_feed(folded))
        return None

    def _address(self, feed: str) -> str:
        return feed if feed in self._watched.feeds else ""

    def _written(self, did: str, commit: Commit, feed: str, message: bytes) -> Sequence[PostChange]:
        uri = _uri(did, commit)
        if not self._known.is_news(uri, commit.rev):
            return ()
        whole = read_whole(message)
        if whole is None or not did_of(uri):
            self.malformed += 1
            return ()
        cid, record = whole
        self._known.add(uri, commit.rev)
        written = RecordCommit(
            uri=uri,
            did=did,
            rkey=commit.rkey,
            cid=cid,
            record=record,
            told=_moment(self.time),
            feed=feed,
            edited=commit.operation == "update",
        )
        return (written,)

    def _withdrawn(self, did: str, commit: Commit) -> Sequence[PostChange]:
        uri = _uri(did, commit)
        feed = self._address(did)
        if not (feed or uri in self._known) or not did_of(uri):
            return ()
        if commit.rev and not self._known.is_news(uri, commit.rev):
            return ()
        self._known.add(uri, commit.rev)
        return (Withdrawn(uri, feed),)

    def _account(self, did: str, account: AccountCommit) -> Sequence[PostChange]:
        if account.active or account.status not in _GONE:
            return ()
        feed = self._address(did)
        return tuple(Withdrawn(uri, feed) for uri in self._known.by(did))


def _uri(did: str, commit: Commit) -> str:
    return f"at://{did}/{POSTS}/{commit.rkey}"


def _is_old(record: TagFeature | None, time_us: int) -> bool:
    """Whether somebody brings their past along: whole archives are written in a minute, each post with its old date."""
    try:
        created = datetime.fromisoformat(record.created or "") if record else None
        created = created and (created if created.tzinfo else created.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return created is not None and _moment(time_us) - created > _OLD


def _moment(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us / 1e6, UTC)


class _Known:
    """The posts that were told last, each with the revision at which it was last heard of."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._posts: dict[str, str] = {}
        self._authors: dict[str, int] = {}

    def __contains__(self, uri: str) -> bool:
        return uri in self._posts

    def goes_on(self, did: str, record: TagFeature) -> bool:
        """Whether an author answers a post of their own that was told."""
        if did not in self._authors or not (parent := record.answers):
            return False
        return parent in self._posts and _author(parent) == did

    def is_news(self, uri: str, rev: str) -> bool:
        heard = self._posts.get(uri)
        return heard is None or rev > heard

    def add(self, uri: str, rev: str) -> None:
        self._drop(uri)
        if len(self._posts) >= self._limit:
            self._drop(next(iter(self._posts)))
        self._posts[uri] = rev
        did = _author(uri)
        self._authors[did] = self._authors.get(did, 0) + 1

    def by(self, did: str) -> Sequence[str]:
        if did not in self._authors:  # accounts come and go all the time, most of them unheard of
            return ()
        return [uri for uri in self._posts if _author(uri) == did]

    def _drop(self, uri: str) -> None:
        if self._posts.pop(uri, None) is not None:
            did = _author(uri)
            self._authors[did] -= 1
            if not self._authors[did]:
                del self._authors[did]


def _author(uri: str) -> str:
    return uri[5 : uri.index("/", 5)]
