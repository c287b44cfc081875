"""The loops that answer who mentions the relay's accounts: with a thread's page, once for each thread and person.

A mention is kept before it is looked at, and that an answer begins is written down before it is posted. Killed in
between, the relay tries again with the same key, and the source sees to it that there is no second answer.

Stops have a loop of their own: what an author takes back is hidden whatever hangs elsewhere, and is answered later.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NamedTuple, TypeVar

from relay.core.authenticity import is_home
from relay.core.bot_words import BotAction, Request
from relay.core.consent import UNDO_FOR
from relay.core.schedule import LONGEST_WAIT, backoff
from relay.core.urls import host_of
from relay.i18n import preferred, words
from relay.log import get_logger
from relay.model import PostUri
from relay.pipeline.replies import Accounts, BotReply, Replies
from relay.pipeline.worker import Worker
from relay.ports import Account, Answered, Gone, Mention, MentionedSource, Mentions, Refused, Source, TryLater
from relay.records import Heard, PendingMention, RequestState, Share
from relay.retrying import Retrying
from relay.store import Store

log = get_logger(__name__)

T = TypeVar("T")

STOPS = 50
"""So many are read at a time; they are carried out one after the other."""
SHARE = Share(total=128, host=8, asker=1)
GIVE_UP = timedelta(hours=12)
"""An answer that comes later than this helps nobody."""
CLOSED = timedelta(minutes=15)
"""How long an account is left alone that is closed to us: only a person can change that."""
UNREACHABLE = "nobody is answered: without relay.public_url no answer could lead to a page"


@dataclass(slots=True)
class _Bell:
    """What the loops of one account tell each other."""

    urgent: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    speaking: asyncio.Lock = field(default_factory=asyncio.Lock)


class _Line(NamedTuple):
    """One account at one source."""

    source: MentionedSource
    account: str

    @property
    def name(self) -> str:
        return f"mentions {self.source.name}/{self.account}"


@dataclass(kw_only=True)
class Speaker:
    """Reads mentions and answers them, until cancelled."""

    store: Store
    sources: Mapping[str, Source]
    replies: Replies
    worker: Worker
    accounts: Accounts
    language: str = "en"
    idle: timedelta = timedelta(seconds=5)
    """How long a mention may wait at most that became due."""

    async def run(self) -> None:
        lines = [_Line(source, account) for source, account in accounts_of(self.sources)]
        if lines and not self.replies.base:
            self.worker.trouble.broke("mentions", UNREACHABLE)
            return
        async with asyncio.TaskGroup() as tasks:
            for line in lines:
                tasks.create_task(self._own(line), name=line.name)

    async def _own(self, line: _Line) -> None:
        """Every process knows the accounts; of several one answers."""
        self.accounts.known[line.name] = await self._introduced(line)
        await self.worker.while_held(self.store, line.name, lambda: self._listen(line))

    async def _introduced(self, line: _Line) -> Account:
        tries = Retrying(line.name, self.worker.trouble, asked=LONGEST_WAIT)
        while not isinstance(answer := await _told(line.source.account(line.account), line), Account):
            await tries.failed(answer.reason, CLOSED if isinstance(answer, Gone) else answer.after)
        self._heard(line, answer.note)
        return answer

    async def _listen(self, line: _Line) -> None:
        """Read, carry out stops, and answer: none of the three waits for another."""
        bell = _Bell()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_on(line, bell), name=f"{line.name} reading")
            tasks.create_task(self._carry_out_stops(line, bell), name=f"{line.name} stops")
            tasks.create_task(self._answer_all(line, bell), name=f"{line.name} answers")

    # --- reading ---

    async def _read_on(self, line: _Line, bell: _Bell) -> None:
        while True:
            rest = await self._read(line)
            bell.urgent.set()
            bell.news.set()
            await asyncio.sleep(rest.total_seconds())

    async def _read(self, line: _Line) -> timedelta:
        """Keep what was said; how long to wait until the next time."""
        source, account = line.source, line.account
        cursor = await self.worker.persist(lambda: self.store.get_mentions_cursor(source.name, account))
        told = await _told(source.mentions(account, cursor), line)
        if not isinstance(told, Mentions):
            self.worker.trouble.broke(line.name, told.reason)
            return CLOSED if isinstance(told, Gone) else max(told.after or source.listen, source.listen)
        self._heard(line, self.accounts.known[line.name].note)
        if told.mentions or told.cursor is not None:
            heard = [self._sorted(line, mention) for mention in told.mentions]
            await self.worker.persist(
                lambda: self.store.add_mentions(source.name, account, heard, told.cursor, self.worker.clock())
            )
        return timedelta(milliseconds=1) if told.more else max(told.wait or source.listen, source.listen)

    def _heard(self, line: _Line, note: str) -> None:
        if note:
            self.worker.trouble.broke(line.name, note)
        else:
            self.worker.trouble.works(line.name)

    def _sorted(self, line: _Line, mention: Mention) -> Heard:
        """The mention, with what decides when it is looked at.

        Where the account's own server is asked about every thread, its address tells nothing of who holds us up.
        """
        request, host = self._request(line, mention), host_of(mention.about)
        home = host_of(self.accounts.known[line.name].uri)
        urgent = request is not None and request.action is not BotAction.UNROLL and _is_theirs(mention)
        return Heard(mention=mention, urgent=urgent, host=host if host != home else "")

    def _request(self, line: _Line, mention: Mention) -> Request | None:
        account = self.accounts.known[line.name]
        if mention.asker.uri == account.uri:
            return None
        return self.accounts.bot_words.read(mention.text, [account.handle], mention.language)

    # --- stops ---

    async def _carry_out_stops(self, line: _Line, bell: _Bell) -> None:
        """One after the other, in the order in which they were said: an undoing follows its stop."""
        source, account = line.source.name, line.account
        while True:
            bell.urgent.clear()
            due = await self.worker.persist(lambda: self.store.list_urgent(source, account, self.worker.clock(), STOPS))
            for asked in due:
                async with self._trying_again(line, asked):
                    await self._carry_out(line, asked)
                bell.news.set()
            if not due:
                await _rung(bell.urgent, self.idle)

    async def _carry_out(self, line: _Line, asked: PendingMention) -> None:
        """Hide first: the answer may have to wait. Done once, however often it is tried to answer."""
        mention, source = asked.mention, line.source.name
        request, now = self._request(line, mention), self.worker.clock()
        if request is None or request.action is BotAction.UNROLL:  # the words were others when it was said
            await self._settle(line, mention, RequestState.IGNORED)
        elif request.action is BotAction.UNDO:
            undone = await self.worker.persist(lambda: self.store.delete_own_stop(source, mention, now))
            log.info("an author may be kept again", posts=undone.posts if undone else 0)
        else:
            until = now + UNDO_FOR
            gone = await self.worker.persist(lambda: self.store.save_own_stop(source, mention, now, until))
            log.info("an author took themselves out", posts=gone.posts, messages=gone.messages)

    @asynccontextmanager
    async def _trying_again(self, line: _Line, asked: PendingMention) -> AsyncIterator[None]:
        """A bug with one mention holds up no other."""
        try:
            yield
        except Exception:
            log.exception("a mention could not be looked at; that is tried again", mention=asked.mention.uri)
            await self._later(line, asked, None)

    # --- answering ---

    async def _answer_all(self, line: _Line, bell: _Bell) -> None:
        """Look at what is due, several at once: one that hangs delays nobody."""
        source, account = line.source.name, line.account
        running: dict[str, PendingMention] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                bell.news.clear()
                before = frozenset(running)  # what ends while the store is asked is told as it was before
                due = await self.worker.persist(
                    lambda: self.store.list_requests(source, account, self.worker.clock(), SHARE)
                )
                for asked in due:
                    if asked.mention.uri not in {*before, *running} and _has_room(asked, running.values()):
                        running[asked.mention.uri] = asked
                        tasks.create_task(self._attend(line, asked, bell, running))
                following = await self.worker.persist(
                    lambda: self.store.get_next_request(source, account, self.worker.clock())
                )
                wait = following - self.worker.clock() if following else self.idle
                await _rung(bell.news, max(min(self.idle, wait), timedelta(milliseconds=5)))

    async def _attend(
        self, line: _Line, asked: PendingMention, bell: _Bell, running: dict[str, PendingMention]
    ) -> None:
        try:
            async with self._trying_again(line, asked):
                await self._one(line, asked, bell)
        finally:
            del running[asked.mention.uri]
            bell.news.set()

    async def _one(self, line: _Line, asked: PendingMention, bell: _Bell) -> None:
        mention, request = asked.mention, self._request(line, asked.mention)
        if request and request.action is not BotAction.UNROLL and not asked.effect and _is_theirs(mention):
            await self._carry_out(line, asked)  # it was kept before it was known as a command; it is answered next
            return
        unheard = request and request.action is not BotAction.UNROLL and not asked.effect
        if request is None or unheard or mention.asker.bot:
            await self._settle(line, mention, RequestState.IGNORED)
            return
        say = words(preferred(request.language, self.language))
        asked = replace(asked, mention=replace(mention, language=say.tag))  # from now on that of the answer
        word = await self.replies.make(self.accounts.known[line.name], asked, request, say)
        if isinstance(word, BotReply):
            await self._answer(line, asked, word, bell)
        elif self.worker.clock() + (word.after or timedelta(0)) < mention.at + GIVE_UP:
            await self._later(line, asked, word.after)
        else:
            given_up = say("I can't read that thread right now. Please try again later.")
            await self._answer(line, asked, BotReply(given_up, PostUri(mention.about)), bell)

    async def _answer(self, line: _Line, asked: PendingMention, word: BotReply, bell: _Bell) -> None:
        """One answer at a time, as fast as the network lets the account speak."""
        async with bell.speaking:
            mention, source = asked.mention, line.source
            if asked.state is not RequestState.ANSWERING and (wait := await self._pause(line, asked)):
                await self._later(line, asked, wait)
                return
            now = self.worker.clock()
            if not await self.worker.persist(
                lambda: self.store.claim_answer(source.name, mention.uri, word.about, now)
            ):
                await self._settle(line, mention, RequestState.REPEATED)
                return
            again = asked.state is RequestState.ANSWERING
            outcome = await source.answer(line.account, mention, word.text, key=_key(mention), again=again)
            await self._settle_answer(line, asked, outcome)
            if isinstance(outcome, Answered):
                await asyncio.sleep(outcome.wait.total_seconds())

    async def _settle_answer(
        self, line: _Line, asked: PendingMention, outcome: Answered | TryLater | Refused | Gone
    ) -> None:
        match outcome:
            case Answered(uri):
                await self._settle(line, asked.mention, RequestState.ANSWERED, uri)
            case Refused(reason):
                log.info("a mention may not be answered", account=line.name, reason=reason)
                await self._settle(line, asked.mention, RequestState.FAILED)
            case TryLater(reason, after):
                self.worker.trouble.broke(line.name, reason)
                await self._later(line, asked, after)
            case Gone(reason):
                self.worker.trouble.broke(line.name, reason)
                await self._later(line, asked, CLOSED)

    async def _pause(self, line: _Line, asked: PendingMention) -> timedelta | None:
        """How long the account has to be silent, which answered as often as it may.

        A tenth of what it may say is kept for those who take themselves out.
        """
        most, span = line.source.posting
        most -= 0 if asked.effect else most // 10
        now = self.worker.clock()
        lately = await self.store.list_answers(line.source.name, line.account, now - span)
        return lately[-most] + span - now if len(lately) >= most else None

    async def _later(self, line: _Line, asked: PendingMention, after: timedelta | None) -> None:
        mention, now = asked.mention, self.worker.clock()
        if now > mention.at + 2 * GIVE_UP:
            log.warning("a mention was given up that could not be answered for long", mention=mention.uri)
            await self._settle(line, mention, RequestState.FAILED)
            return
        again = now + (after or backoff(asked.tries + 1, 0.0))
        await self.worker.persist(
            lambda: self.store.save_request(line.source.name, mention.uri, asked.state, again=again)
        )

    async def _settle(self, line: _Line, mention: Mention, state: RequestState, answer: str = "") -> None:
        await self.worker.persist(lambda: self.store.save_request(line.source.name, mention.uri, state, answer=answer))


def _has_room(asked: PendingMention, running: Collection[PendingMention]) -> bool:
    """Whether one more may be looked at; what could not be read before takes half of the places at most."""
    again = sum(1 for one in running if one.tries and not one.effect)
    return len(running) < SHARE.total and (asked.effect is not None or not asked.tries or again < SHARE.total // 2)


def _is_theirs(mention: Mention) -> bool:
    """Whether the mention was written where its asker is at home: else who asks is not who they say they are."""
    asker = mention.asker.uri
    return is_home(mention.uri, asker) or mention.uri.partition("://")[2].startswith(f"{asker}/")


async def _rung(bell: asyncio.Event, most: timedelta) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(most.total_seconds()):
            await bell.wait()


def accounts_of(sources: Mapping[str, Source]) -> Iterator[tuple[MentionedSource, str]]:
    """The accounts that the configuration names, with their sources."""
    for source in sources.values():
        if isinstance(source, MentionedSource):
            for account in source.accounts():
                yield source, account


async def _told(asked: Awaitable[T], line: _Line) -> T | TryLater:
    """A source's bug must not stop the relay: it is told loudly and counts as no answer."""
    try:
        return await asked
    except Exception as error:
        log.exception("a source failed in a way that it should have answered with a value", what=line.name)
        return TryLater(f"a bug in the source: {type(error).__name__}: {error}")


def _key(mention: Mention) -> str:
    """The same for each try of one answer, unlike any other's."""
    return hashlib.blake2b(mention.uri.encode(), digest_size=16).hexdigest()
