"""The stream that the core listens to: what a Jetstream told, as posts with their authors, in its order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import cycle
from time import monotonic
from typing import Protocol

import aiohttp

from relay.model import Deleted, Edited, Event, Post, PostUri, Published
from relay.ports import Streamed, Watched
from relay.sources.bluesky.address import is_did
from relay.sources.bluesky.firehose import Firehose, PostChange, RecordCommit, Withdrawn
from relay.sources.bluesky.jetstream_cursor import JetstreamQuery, read_cursor, resume, wanted_accounts, write_cursor
from relay.sources.bluesky.jetstream_socket import Connection, Course, JetstreamTimeouts, changed
from relay.sources.bluesky.records import RecordPost, answers_others, read_record
from relay.sources.kit import Buffer
from relay.sources.off_loop import off_loop

# --- jetstream ---

# Listening to Jetstreams: one connection at a time, each server in turn, from where the last one broke off.

_POISONED = 3
"""So often in a row a connection broke over the same message: it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JetstreamListener:
    """Reads on and on until it is cancelled."""

    hosts: Sequence[str]
    sockets: Callable[[], aiohttp.ClientSession]
    """Opens a guarded session (:meth:`relay.http.Http.sockets`)."""
    watched: Watched
    course: Course
    timing: JetstreamTimeouts

    async def run(self) -> None:
        async with self.sockets() as session:
            await self._take_turns(session)

    async def _take_turns(self, session: aiohttp.ClientSession) -> None:
        tries, poisoned = self.timing.retrying(each=len(self.hosts)), 0
        for host in cycle(self.hosts):
            asked = await self._ask()
            await self.course.buffer.room()
            connection = Connection(
                session=session,
                host=host,
                asked=asked,
                watched=self.watched,
                course=self.course,
                timing=self.timing,
            )
            ended = await connection.listen()
            poisoned = poisoned + 1 if ended.poisoned and not ended.served else 0
            if ended.served:
                tries.works()
            else:
                self.course.buffer.remark(ended.reason)
            if poisoned >= _POISONED:
                poisoned = self.course.place = 0
            await tries.wait()

    async def _ask(self) -> JetstreamQuery:
        """What to ask for; waits while nobody wants anything, and what is told meanwhile is nobody's loss."""
        while not self._is_wanted():
            self.course.place = 0
            self.course.buffer.reach(0)
            self.course.buffer.remark("")
            await changed(self.watched, self._is_wanted)
        return JetstreamQuery(wanted_accounts(self.watched), resume(self.course.place))

    def _is_wanted(self) -> bool:
        return wanted_accounts(self.watched) != frozenset()


# --- stream ---

_HELD = "Bluesky's API does not say who wrote what the Jetstream tells; posts are held back until it does"

_CAPACITY = 200
"""Changes that wait to be told; the server waits while it is full."""

Hydrated = Mapping[PostUri, Post | None]
"""By uri; None: not for everybody's eyes, or gone. What is missing nobody could tell now."""


class Hydrate(Protocol):
    """Finds out what a bare record does not say: its author's name, the addresses of its pictures, what it quotes."""

    async def __call__(self, drafts: Sequence[RecordPost], /) -> Hydrated: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JetstreamReader:
    """``hosts`` are taken in turn; ``sockets`` opens a guarded session for them."""

    hosts: Sequence[str]
    sockets: Callable[[], aiohttp.ClientSession]
    hydrate: Hydrate
    timing: JetstreamTimeouts = JetstreamTimeouts()  # noqa: RUF009 - it is frozen
    linger: float = 0.1
    """How many seconds posts may gather before they are told."""
    rest: float = 5.0
    """After how many seconds without any it is told how far was read."""
    patience: timedelta = timedelta(hours=1)
    """How long posts are held back of whose authors nobody tells."""

    async def listen(self, watched: Watched, cursor: str) -> AsyncGenerator[Streamed, None]:
        """Tell of what happens until closed.

        What is remembered of what was told lives as long as this: whoever begins anew from an older cursor is told all
        of it again.
        """
        async with self._listening(watched, read_cursor(cursor)) as buffer:
            while (taken := await buffer.take()) is not None:
                told = _still_true(taken.items)
                size = sum(len(one.record) for one in told if isinstance(one, RecordCommit))
                drafts = await off_loop(size, partial(_drafts, told))
                found = dict[PostUri, Post | None]()
                async with aclosing(self._hydrate(drafts, found)) as delays:
                    async for _ in delays:
                        yield Streamed(note=_HELD)
                lost = any(draft.uri not in found for draft in drafts)
                yield Streamed(
                    events=tuple((one.feed, event) for one in told if (event := _event(one, found)) is not None),
                    cursor=write_cursor(taken.read_to),
                    missed=tuple(watched.feeds) if lost else taken.missed,
                    note=taken.note,
                )

    @asynccontextmanager
    async def _listening(self, watched: Watched, place: int) -> AsyncIterator[Buffer[PostChange]]:
        buffer: Buffer[PostChange] = Buffer(
            lambda: watched.feeds, capacity=_CAPACITY, linger=self.linger, rest=self.rest, read_to=place
        )
        course = Course(Firehose(watched), buffer, place)
        listener = JetstreamListener(
            hosts=self.hosts, sockets=self.sockets, watched=watched, course=course, timing=self.timing
        )
        task = asyncio.create_task(listener.run(), name="jetstream")
        task.add_done_callback(lambda done: buffer.end(None if done.cancelled() else done.exception()))
        try:
            yield buffer
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _hydrate(
        self, drafts: Sequence[RecordPost], found: dict[PostUri, Post | None]
    ) -> AsyncGenerator[None, None]:
        """Fill ``found``, and tell of each delay. Nothing is let go of while there is patience."""
        tries, until = self.timing.retrying(), monotonic() + self.patience.total_seconds()
        while missing := [draft for draft in drafts if draft.uri not in found]:
            answer = await self.hydrate(missing)
            found.update(answer)
            if answer.keys() >= {draft.uri for draft in missing} or monotonic() > until:
                return
            yield
            await tries.wait()


def _still_true(told: Sequence[PostChange]) -> Sequence[PostChange]:
    """All but the posts that were withdrawn in the same breath."""
    withdrawn: set[str] = set()
    kept: list[PostChange] = []
    for one in reversed(told):
        if isinstance(one, Withdrawn):
            withdrawn.add(one.uri)
        if isinstance(one, Withdrawn) or one.uri not in withdrawn:
            kept.append(one)
    return kept[::-1]


def _drafts(told: Sequence[PostChange]) -> Sequence[RecordPost]:
    """One for each post: of its versions the newest."""
    written = (one for one in told if isinstance(one, RecordCommit))
    drafts = (read_record(one.did, one.rkey, one.cid, one.record, one.told) for one in written)
    return list({draft.uri: draft for draft in drafts if draft is not None}.values())


def _event(told: PostChange, found: Hydrated) -> Event | None:
    if isinstance(told, Withdrawn):
        return Deleted(told.uri)
    post = found.get(PostUri(told.uri))
    if post is None:  # an edit may be that it is not for everybody's eyes any more
        return Deleted(told.uri) if told.edited and told.uri in found else None
    if is_did(told.feed) and answers_others(post):
        return None  # what is followed is what they have to say to everybody, as a poll reads it
    return Edited(post) if told.edited else Published(post)
