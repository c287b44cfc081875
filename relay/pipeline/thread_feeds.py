"""Following one thread to its end: a feed of any source that can fetch threads, read as often as the thread deserves.

``resolve`` and ``poll`` stand before those of the sources: what is no thread is theirs. The cursor of such a feed says
when the thread last grew and what it was then; after the last look it is at its end, and read no more.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from relay.core.schedule import next_look
from relay.model import Feed, Post, Published, Thread
from relay.pipeline.threads import fetch_thread
from relay.ports import Batch, Gone, Refused, Resolved, Source, ThreadedSource, TryLater
from relay.text import clean, cut, text_content

THREAD = "thread:"
"""How the address of such a feed begins; the rest is the uri of the thread's first post."""
_ADDRESS = re.compile(r"(?:https?|at)://\S+", re.IGNORECASE)


class _Place(msgspec.Struct, frozen=True):
    """How far a thread has been followed."""

    grew: float
    """When it last grew, in seconds since 1970."""
    length: int = 0
    """Of cursors that do not know which posts there were: how many."""
    shown: bool = False
    """What was there at the beginning has had its message."""
    known: tuple[str, ...] = ()
    """Digests of the posts that were ever there: one that is deleted must not hide one that comes in its place."""


async def resolve(source: Source, topic: str) -> Resolved | Refused | TryLater:
    """What a topic means at a source; the address of a post that it would not follow otherwise means its thread."""
    answer = await source.resolve(topic)
    text = topic.strip()
    if not isinstance(answer, Refused) or not isinstance(source, ThreadedSource) or not _ADDRESS.fullmatch(text):
        return answer
    thread = await fetch_thread(source, text)
    if isinstance(thread, TryLater):
        return thread
    first = (
        next((post for post in thread.posts if isinstance(post, Post)), None) if isinstance(thread, Thread) else None
    )
    if not isinstance(thread, Thread) or first is None:
        return answer
    return Resolved(
        feeds=(f"{THREAD}{thread.root}",), title=f"{clean(first.author.name, limit=60)}: {_beginning(first)}"
    )


async def poll(source: Source, feed: Feed, now: datetime, looks: Sequence[timedelta]) -> Batch | TryLater | Gone:
    """Read a feed; one that is a thread brings what came since, and ends some looks after it grew last."""
    if not feed.address.startswith(THREAD):
        return await source.poll(feed)
    if not isinstance(source, ThreadedSource):
        return Gone("its source tells of no threads any more")
    thread = await fetch_thread(source, feed.address.removeprefix(THREAD))
    if isinstance(thread, TryLater | Gone):
        return thread
    if isinstance(thread, Refused):
        return Gone(thread.reason)
    return _read(thread, _place(feed.cursor) if feed.seeded else None, now, looks)


def _read(thread: Thread, kept: _Place | None, now: datetime, looks: Sequence[timedelta]) -> Batch | Gone:
    """At first what is there is only kept; then the thread has its message, which counts what comes after."""
    posts = {_digest(post): Published(post) for post in thread.posts if isinstance(post, Post)}
    events = tuple(posts.values())
    before = kept.known or tuple(posts)[: kept.length] if kept else ()
    known = tuple(dict.fromkeys((*before, *posts)))
    if kept is None or not kept.shown:
        place = _Place(now.timestamp(), shown=kept is not None, known=known)
        first = events[:1] if kept is not None else events
        return Batch(events=first, cursor=_written(place), more=kept is None, wait=_wait(place, now, looks))
    if new := tuple(event for name, event in posts.items() if name not in before):
        place = _Place(now.timestamp(), shown=True, known=known)
        return Batch(events=new, past=events, cursor=_written(place), wait=_wait(place, now, looks))
    wait = _wait(kept, now, looks)
    return Batch(past=events, wait=wait) if wait is not None else Gone("the thread has come to its end")


def _digest(post: Post) -> str:
    return hashlib.blake2b(post.uri.encode(), digest_size=6).hexdigest()


def _wait(place: _Place, now: datetime, looks: Sequence[timedelta]) -> timedelta | None:
    then = next_look(datetime.fromtimestamp(place.grew, UTC), now, looks)
    return then - now if then is not None else None


def _written(place: _Place) -> str:
    return msgspec.json.encode(place).decode()


def _place(cursor: str) -> _Place | None:
    try:
        return msgspec.json.decode(cursor, type=_Place)
    except msgspec.MsgspecError:
        return None


def _beginning(post: Post) -> str:
    return clean(post.title or post.warning or text_content(cut(post.body, 60)), limit=60)
