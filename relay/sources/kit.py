"""What the networks' packages share: what an answer means, how a conversation hangs together, and a socket's buffer."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import aiohttp

from relay.http import BarredError, FloodError, Forbidden, HttpResponse, Reply, Unreachable, retry_after
from relay.ports import Gone, TryLater

LONG = timedelta(minutes=15)
"""How long to leave a server alone that does not want us: only a person can change that."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ok:
    """A good answer, from ``url`` in the end; ``wait`` is set where it is the last one that we get for a while."""

    body: bytes
    url: str
    wait: timedelta | None = None

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such thing there. ``sure``: the API itself says so, not some page in front of it."""

    host: str
    status: int = 404
    sure: bool = True
    body: bytes = b""

    def later(self) -> TryLater:
        return TryLater(f"{self.host} answered with HTTP {self.status}, and not as such a server does")


@dataclass(frozen=True, slots=True)
class Denied:
    """Not for us, or only for people with an account; ``why`` goes on from the host."""

    host: str
    why: str = "refuses to answer us"
    error: str = ""
    """The refusal's name, where the protocol has one."""
    token: bool = False
    """Not even with the access token that we showed."""

    def later(self) -> TryLater:
        return TryLater(f"{self.host} {self.why}", LONG)


@dataclass(frozen=True, slots=True)
class Unexpected:
    """Nothing that the protocol knows here: a page in HTML, JSON of another shape, an unknown refusal."""

    host: str
    what: str = "something that is no answer to what was asked"
    status: int = 0
    error: str = ""
    """The refusal's name, where it has one."""
    body: bytes = b""

    def later(self) -> TryLater:
        return TryLater(f"{self.host} answered with {self.what}")


Failure = Missing | Denied | Unexpected | TryLater | Gone


def judge(
    reply: Reply, now: datetime, refused: Callable[[HttpResponse, str, timedelta | None], T]
) -> Ok | TryLater | Gone | T:
    """What a reply means. ``refused`` reads, as the protocol has it, what is neither good nor a limit.

    It is given the host besides, and for how long that one asks to be left alone. A redirect was followed before.
    """
    if not isinstance(reply, HttpResponse):
        return unanswered(reply)
    host, wait = urlsplit(reply.url).netloc, retry_after(reply.headers, now)
    if 200 <= reply.status < 300:
        return Ok(reply.body, reply.url, wait)
    if reply.status == 429:
        return TryLater(f"{host} asks us to slow down (HTTP 429)", wait)
    return refused(reply, host, wait)


def unanswered(reply: Forbidden | Unreachable) -> TryLater | Gone:
    """What it means that no answer came."""
    if isinstance(reply, Forbidden):
        return Gone(reply.reason)
    return TryLater(reply.reason, reply.after, paced=reply.paced)


def trouble_at(host: str, status: int, wait: timedelta | None) -> TryLater:
    """An answer with a status of 5xx."""
    return TryLater(f"{host} has trouble (HTTP {status})", wait)


# --- the chains of a conversation ---


class Linked(Protocol):
    """A post of which its place in the conversation is known."""

    @property
    def author(self) -> str: ...

    @property
    def parent(self) -> str:
        """What it answers, by the name by which the posts are kept; empty: nothing."""
        ...


def top_of(posts: Mapping[str, Linked], start: str) -> str:
    """The first post of the chain by one author that leads to ``start``, as far as it is known."""
    passed = {start}
    while (parent := posts[start].parent) in posts and parent not in passed:
        if posts[parent].author != posts[start].author:
            break
        start = parent
        passed.add(start)
    return start


def chains(posts: Mapping[str, Linked], top: str) -> dict[str, bool]:
    """The posts of all chains of self-replies that begin at ``top``, and whether a chain ends there."""
    answers: defaultdict[str, list[str]] = defaultdict(list)
    for name, post in posts.items():
        if post.author == posts[top].author:
            answers[post.parent].append(name)
    found, waiting, passed = dict[str, bool](), [top], {top}
    while waiting:
        here = waiting.pop()
        onward = [name for name in answers[here] if name not in passed]
        passed.update(onward)
        waiting += onward
        found[here] = not onward
    return found


# --- between a socket and the store ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffered(Generic[T]):
    """What came since the last one, in its order."""

    items: tuple[T, ...]
    missed: tuple[str, ...]
    """The feeds that have to be polled: of them something may have been lost."""
    note: str
    """What does not work; empty: all is well."""
    read_to: int
    """Everything up to there is in this or an earlier one, as its source counts; 0: nobody says."""


class Buffer(Generic[T]):
    """Filled by whoever reads a socket, and emptied by whoever writes the store.

    Whoever fills it looks whether it :attr:`is_full`, and then waits for :meth:`room` or leaves something out, which
    it says (:meth:`miss`). ``feeds`` are all that it is filled for. At most ``at_once`` items are taken together; they
    may gather for ``linger`` seconds. Where there are none it is told after ``rest`` seconds how far was read.
    """

    def __init__(
        self,
        feeds: Callable[[], Iterable[str]],
        *,
        capacity: int,
        at_once: int | None = None,
        linger: float = 0.0,
        rest: float | None = None,
        read_to: int = 0,
    ) -> None:
        self._feeds, self._capacity, self._at_once = feeds, capacity, at_once
        self._linger, self._rest = linger, rest
        self._items: list[T] = []
        self._missed, self._missed_all = set[str](), False
        self._read_to = self._known_to = read_to
        self._note = self._known_note = ""
        self._ended = False
        self._error: BaseException | None = None
        self._news, self._full, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._room.set()

    # --- filling it ---

    @property
    def is_full(self) -> bool:
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait until there is some."""
        await self._room.wait()

    def put(self, items: Iterable[T]) -> None:
        self._items += items
        if len(self._items) >= self._capacity:
            self._room.clear()
            self._full.set()
        self._news.set()

    def reach(self, position: int) -> None:
        """Everything up to there was put in."""
        self._read_to = position

    def miss(self, feeds: Iterable[str] | None = None) -> None:
        """Of these feeds something may have been lost; None: of all. It is told even where there is no such feed."""
        self._missed.update(feeds or ())
        self._missed_all = self._missed_all or feeds is None
        self._news.set()

    def remark(self, note: str) -> None:
        """What does not work; empty: all is well."""
        self._note = note
        if note != self._known_note:
            self._news.set()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more will come; what is there is still given out, and then the error is raised."""
        self._ended, self._error = True, error
        self._news.set()
        self._full.set()

    # --- emptying it ---

    async def take(self) -> Buffered[T] | None:
        """Wait for news, or for a while where there is none but how far was read; None: it has ended."""
        while not (await self._has_news() or self._read_to != self._known_to):
            pass
        if self._items and self._linger:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._linger):
                    await self._full.wait()
        if self._ended and not (self._items or self._missed or self._missed_all):
            if self._error is not None:
                raise self._error
            return None
        return self._taken()

    async def _has_news(self) -> bool:
        try:
            async with asyncio.timeout(self._rest):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _taken(self) -> Buffered[T]:
        count = self._at_once or len(self._items)
        items, self._items = self._items[:count], self._items[count:]
        missed = {*self._missed, *(self._feeds() if self._missed_all else ())}
        self._missed, self._missed_all = set(), False
        self._known_to, self._known_note = self._known_to if self._items else self._read_to, self._note
        if not self._ended:
            self._full.clear()
        if not (self._items or self._ended):
            self._news.clear()
        if len(self._items) < self._capacity:
            self._room.set()
        return Buffered(items=tuple(items), missed=tuple(sorted(missed)), note=self._note, read_to=self._known_to)


_BROKEN = (
    (TimeoutError, "did not answer in time"),
    (aiohttp.ClientConnectorCertificateError, "shows a certificate that cannot be trusted"),
    (aiohttp.ClientConnectorError, "cannot be reached"),
)


def trouble_of(error: Exception) -> str:
    """Why a websocket could not be opened or broke, as the rest of a sentence that begins with the host.

    An error's own words may hold more than is to be told.
    """
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"answered {error.status}"
    if isinstance(error, BarredError):
        return f"may not be reached: {error}"
    if isinstance(error, FloodError):
        return str(error)
    return next((words for kind, words in _BROKEN if isinstance(error, kind)), "broke the connection")
