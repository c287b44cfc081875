"""A source with an account that people can mention, for the tests of the loop that answers them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from relay.core.urls import host_of
from relay.model import Author, Post
from relay.ports import Account, Answered, Gone, Mention, Mentions, Refused, TryLater
from relay.testing import NOON, FakeSource, author

US = Account(uri="https://ayllu.example/users/chasqui", handle="@chasqui@ayllu.example")


def mention(number: int, text: str = "@chasqui unroll", *, by: Author | None = None, **changes: object) -> Mention:
    plain = Mention(
        uri=f"https://ayllu.example/users/sami/statuses/{number}",
        asker=by or author("Sami"),
        text=text,
        at=NOON,
        about="https://ayllu.example/users/illa/statuses/1",
        language="en",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test names the fields


@dataclass
class Mentioned(FakeSource):
    """Keeps what is said and what is answered; the cursor is how much was read. An answer's key makes it one."""

    listen: timedelta = timedelta(milliseconds=10)
    posting: tuple[int, timedelta] = (100, timedelta(hours=1))
    said: list[Mention] = field(default_factory=list)
    posted: dict[str, tuple[Mention, str]] = field(default_factory=dict)
    tried: list[tuple[str, bool]] = field(default_factory=list)
    """Each try to answer: what was mentioned, and whether an earlier try was cut off."""
    outcomes: list[Answered | TryLater | Refused | Gone] = field(default_factory=list)
    """Given out first."""
    stuck: str = ""
    """``before``, ``after``: an answer hangs there for ever, before or after it was posted."""
    introductions: list[Account | TryLater | Gone | Exception] = field(default_factory=list)
    reads: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def accounts(self) -> tuple[str, ...]:
        return ("chasqui",)

    async def account(self, name: str) -> Account | TryLater | Gone:
        del name
        answer = self.introductions.pop(0) if self.introductions else US
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def mentions(self, name: str, cursor: str) -> Mentions | TryLater | Gone:
        del name
        until = len(self.said)
        async with self.news:
            self.reads += 1
            self.news.notify_all()
        told = self.said[int(cursor) : until] if cursor else ()
        return Mentions(mentions=tuple(told), cursor=str(until))

    async def answer(
        self, name: str, mention: Mention, text: str, *, key: str, again: bool
    ) -> Answered | TryLater | Refused | Gone:
        del name
        self.tried.append((mention.uri, again))
        outcome = self.outcomes.pop(0) if self.outcomes else Answered(f"answer to {mention.uri}")
        if isinstance(outcome, Answered) and self.stuck != "before":
            self.posted.setdefault(key, (mention, text))
        async with self.news:
            self.news.notify_all()
        if self.stuck:
            await asyncio.Event().wait()
        return outcome

    def texts(self) -> list[str]:
        return [text for _, text in self.posted.values()]

    async def read(self, times: int = 1) -> None:
        """Wait until the mentions were read so many times more."""
        async with self.news:
            until = self.reads + times
            await self.news.wait_for(lambda: self.reads >= until)

    async def try_to_answer(self, count: int) -> None:
        """Wait until so many answers were begun."""
        async with self.news:
            await self.news.wait_for(lambda: len(self.tried) >= count)

    async def answered(self, count: int) -> None:
        """Wait until so many answers stand there."""
        async with self.news:
            await self.news.wait_for(lambda: len(self.posted) >= count)


@dataclass
class Hanging(Mentioned):
    """Has no answer about threads of ``host`` and of hosts below it, until it is set ``free``."""

    host: str = ""
    hung: int = 0
    """How many wait."""
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch_thread(self, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
        if not f".{host_of(ref)}".endswith(f".{self.host}"):
            return await super().fetch_thread(ref)
        self.hung += 1
        async with self.news:
            self.news.notify_all()
        try:
            await self.free.wait()
        finally:
            self.hung -= 1
        return Gone("it is not there")

    async def hang(self, count: int) -> None:
        """Wait until so many wait for an answer."""
        async with self.news:
            await self.news.wait_for(lambda: self.hung >= count)
