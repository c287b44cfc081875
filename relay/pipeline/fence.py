"""Calls into sources and adapters, which may be a third party's: whatever they raise or answer becomes a value.

An exception, a ``SystemExit``, an answer of the wrong type or a call that does not end is told once, with its
traceback, and counts as “try later”. A call that ignores its cancellation is left behind after a moment, so that the
relay can stop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar, cast

from pydantic import ValidationError

from relay import plugins
from relay.core.checks import (
    is_account,
    is_answered,
    is_batch,
    is_checks,
    is_mentions,
    is_outcome,
    is_resolved,
    is_thread,
    misfit,
)
from relay.log import Trouble, get_logger
from relay.model import Delivery, Destination, Feed, Post
from relay.plugins import PluginError
from relay.ports import (
    Account,
    Adapter,
    Answered,
    Batch,
    Check,
    Gone,
    Inbox,
    Limits,
    Mention,
    MentionedSource,
    Mentions,
    Outcome,
    RecheckingSource,
    Refused,
    Resolved,
    Source,
    Streamed,
    StreamingSource,
    ThreadedSource,
    TryLater,
    Unknown,
    Watched,
)
from relay.retrying import Retrying

log = get_logger(__name__)

LET_GO = timedelta(milliseconds=400)
"""How long a call that was cancelled may take to end; after that nobody waits for it."""
LONGEST = timedelta(hours=1)
"""No call to a source takes longer: even one that waits for its turn at a busy host."""
CHECKED = timedelta(minutes=1)
CLOSED = timedelta(seconds=1)
STEADY = timedelta(minutes=5)
"""What ran for so long before it failed starts again without the pauses that earlier failures brought."""

T = TypeVar("T")
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Bug:
    """What a plugin did that it should not; the reason is the rest of a sentence about it."""

    reason: str
    error: BaseException | None = None


async def apart(work: Callable[[], Awaitable[T]], what: str, *, within: timedelta | None = None) -> T | Bug:
    """Await ``work`` in a task of its own. A cancellation of the caller is obeyed, whether or not ``work`` obeys it."""
    task = asyncio.create_task(_contained(work), name=what)
    try:
        await asyncio.wait({task}, timeout=within.total_seconds() if within else None)
    finally:
        if not task.done():
            await _let_go(task)
    if task.cancelled():
        return Bug("it cancelled itself")
    if not task.done():
        return Bug("it does not end, not even when it is told to")
    if (error := task.exception()) is not None:
        return Bug(f"{type(error).__name__}: {error}"[:300], error)
    return task.result()


async def _contained(work: Callable[[], Awaitable[T]]) -> T:
    try:
        return await work()
    except (SystemExit, KeyboardInterrupt) as error:  # a task hands these on to the loop, which would end
        raise RuntimeError(f"{type(error).__name__} was raised") from error


async def _let_go(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=LET_GO.total_seconds())
    if not task.done():
        log.error("a call does not end when it is cancelled; nobody waits for it any more", what=task.get_name())


class Built(Generic[P]):
    """A plugin that is built at once, or when it can be: after a failure again, with longer and longer pauses.

    Raises at the first attempt, and then alone, where the configuration is wrong and a person must act.
    """

    def __init__(self, kind: plugins.Kind, name: str, build: Callable[[], P]) -> None:
        self.kind, self.name = kind[:-1], name
        self.trouble = Trouble()
        self.reason = ""
        self._build = build
        self._real: P | None = None
        self._tries, self._next = Retrying(self.what, self.trouble), 0.0
        self._try(first=True)

    def get(self) -> P | None:
        """The plugin; None while it cannot be built."""
        if self._real is None and time.monotonic() >= self._next:
            self._try()
        return self._real

    @property
    def what(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def wait(self) -> float:
        """Seconds until the next attempt."""
        return max(self._next - time.monotonic(), 0.01)

    def _try(self, *, first: bool = False) -> None:
        try:
            self._real = self._sound()
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            if first and isinstance(error, PluginError | ValidationError):
                raise PluginError(f"{self.kind} {self.name!r} cannot be built: {error}") from error
            self._next = time.monotonic() + self._tries.pause().total_seconds()
            self.reason = f"it cannot be built ({type(error).__name__}: {error})"[:300]
            self._tries.broke(self.reason, exc_info=error)
        else:
            self._tries.works()

    def _sound(self) -> P:
        built = self._build()
        if lacks := misfit(built, Adapter if self.kind == "adapter" else Source):
            raise PluginError(f"what it built is a {type(built).__name__} that has {lacks}")
        return built


class _Fence(Generic[P]):
    """Asks one plugin."""

    def __init__(self, built: Built[P]) -> None:
        self.name = built.name
        self._built = built
        self._trouble = built.trouble

    async def _ask(
        self,
        action: str,
        ask: Callable[[P], Awaitable[T]],
        fits: Callable[[object], bool] = lambda _: True,
        *,
        within: timedelta | None = LONGEST,
    ) -> T | Bug:
        """What the plugin answers; a bug is told."""
        real = self._built.get()
        if real is None:
            return Bug(self._built.reason)
        what = f"{self._built.what} ({action})"
        answer = await apart(lambda: ask(real), what, within=within)
        if not isinstance(answer, Bug) and not fits(answer):
            answer = Bug(f"it answered with what is no answer here: {answer!r}"[:300])
        if isinstance(answer, Bug):
            self._trouble.broke(what, answer.reason, exc_info=answer.error)
        else:
            self._trouble.works(what)
        return answer

    def _names(self, action: str, ask: Callable[[P], Sequence[str]]) -> Sequence[str]:
        real, what = self._built.get(), f"{self._built.what} ({action})"
        try:
            names = tuple(ask(real)) if real is not None else ()
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a third party's code raises anything
            self._trouble.broke(what, f"{type(error).__name__}: {error}", exc_info=error)
            return ()
        return tuple(map(str, names))

    async def _check(self, ask: Callable[[P], Awaitable[Sequence[Check]]]) -> Sequence[Check]:
        answer = await self._ask("check", ask, is_checks, within=CHECKED)
        return (Check(name=self.name, ok=False, note=self._said(answer)),) if isinstance(answer, Bug) else answer

    def _said(self, bug: Bug) -> str:
        return f"a bug in the {self._built.kind}: {bug.reason}"


class FencedAdapter(_Fence[Adapter]):
    """An adapter whose faults stay its own."""

    def __init__(self, built: Built[Adapter]) -> None:
        super().__init__(built)
        self._left: dict[Destination, asyncio.Task[Any]] = {}

    @property
    def limits(self) -> Limits:
        real = self._built.get()
        return real.limits if real is not None else Limits()

    @property
    def remote(self) -> bool:
        real = self._built.get()
        return real is None or real.remote

    async def run(self, inbox: Inbox) -> None:
        """Receive commands; after a failure again, with longer and longer pauses."""
        tries = Retrying(steady=STEADY)
        while True:
            if self._built.get() is None:
                await asyncio.sleep(self._built.wait)
                continue
            tries.begin()
            if not isinstance(await self._ask("commands", lambda real: real.run(inbox), within=None), Bug):
                return
            await tries.wait()

    async def deliver(self, delivery: Delivery) -> Outcome:
        """One attempt; none while an earlier one at this destination has not ended though it was cancelled."""
        if self._built.get() is None:
            return TryLater(self._said(Bug(self._built.reason)))
        self._left = {place: task for place, task in self._left.items() if not task.done()}
        if delivery.destination in self._left:
            return TryLater(self._said(Bug("an earlier attempt here has not ended, though it was cancelled")))
        attempts: list[asyncio.Task[Any]] = []

        async def deliver(real: Adapter) -> Outcome:
            if (task := asyncio.current_task()) is not None:
                attempts.append(task)
            return await real.deliver(delivery)

        try:
            answer = await self._ask("deliveries", deliver, is_outcome)
        finally:
            for task in attempts:
                self._left[delivery.destination] = task
        return Unknown(self._said(answer)) if isinstance(answer, Bug) else answer

    async def check(self, destinations: Collection[Destination] = ()) -> Sequence[Check]:
        return await self._check(lambda real: real.check(destinations))

    async def close(self) -> None:
        await self._ask("closing", lambda real: real.close(), within=CLOSED)


class FencedSource(_Fence[Source]):
    """A source whose faults stay its own."""

    @property
    def interval(self) -> timedelta:
        real = self._built.get()
        return real.interval if real is not None else timedelta(minutes=1)

    async def _read(
        self, action: str, ask: Callable[[Source], Awaitable[T]], fits: Callable[[object], bool]
    ) -> T | TryLater:
        answer = await self._ask(action, ask, fits)
        return TryLater(self._said(answer)) if isinstance(answer, Bug) else answer

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        return await self._read("topics", lambda real: real.resolve(topic), is_resolved)

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        return await self._read("polls", lambda real: real.poll(feed), is_batch)

    async def check(self) -> Sequence[Check]:
        return await self._check(lambda real: real.check())


class _Threaded(FencedSource):
    async def fetch_thread(self, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
        return await self._read("threads", lambda real: cast("ThreadedSource", real).fetch_thread(ref), is_thread)


class _Rechecking(FencedSource):
    @property
    def sweep(self) -> timedelta:
        return cast("RecheckingSource", self._built.get()).sweep

    async def recheck(self, posts: Sequence[Post]) -> Batch | TryLater | Gone:
        return await self._read("re-checks", lambda real: cast("RecheckingSource", real).recheck(posts), is_batch)


class _Streaming(FencedSource):
    def streams(self) -> Sequence[str]:
        return self._names("streams", lambda real: cast("StreamingSource", real).streams())

    def stream(self, name: str, watched: Watched, cursor: str) -> AsyncIterator[Streamed]:
        """The source's own stream: who listens does so in :func:`apart`."""
        return cast("StreamingSource", self._built.get()).stream(name, watched, cursor)


class _Mentioned(FencedSource):
    @property
    def listen(self) -> timedelta:
        return cast("MentionedSource", self._built.get()).listen

    @property
    def posting(self) -> tuple[int, timedelta]:
        return cast("MentionedSource", self._built.get()).posting

    def accounts(self) -> Sequence[str]:
        return self._names("accounts", lambda real: cast("MentionedSource", real).accounts())

    async def account(self, name: str) -> Account | TryLater | Gone:
        return await self._read("account", lambda real: cast("MentionedSource", real).account(name), is_account)

    async def mentions(self, name: str, cursor: str) -> Mentions | TryLater | Gone:
        def ask(real: Source) -> Awaitable[Mentions | TryLater | Gone]:
            return cast("MentionedSource", real).mentions(name, cursor)

        return await self._read("mentions", ask, is_mentions)

    async def answer(
        self, name: str, mention: Mention, text: str, *, key: str, again: bool
    ) -> Answered | TryLater | Refused | Gone:
        def ask(real: Source) -> Awaitable[Answered | TryLater | Refused | Gone]:
            return cast("MentionedSource", real).answer(name, mention, text, key=key, again=again)

        return await self._read("answers", ask, is_answered)


_ABILITIES = (
    (ThreadedSource, _Threaded),
    (RecheckingSource, _Rechecking),
    (StreamingSource, _Streaming),
    (MentionedSource, _Mentioned),
)


def fenced_adapter(name: str, build: Callable[[], Adapter]) -> Adapter:
    return cast("Adapter", FencedAdapter(Built("adapters", name, build)))


def fenced_source(name: str, build: Callable[[], Source]) -> Source:
    """A source with the abilities of the one that is built; what cannot be built at the start polls, and no more."""
    built = Built("sources", name, build)
    real = built.get()
    abilities = [fenced for ability, fenced in _ABILITIES if isinstance(real, ability)]
    kind: type[FencedSource] = type("FencedSource", (*abilities, *([] if abilities else [FencedSource])), {})
    return cast("Source", kind(built))
