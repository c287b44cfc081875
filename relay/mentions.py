"""The loop that answers who mentions the relay's accounts: with a thread's page, once for each thread and person.

A mention is kept before it is looked at, and that an answer begins is written down before it is posted. Killed in
between, the relay tries again with the same key, and the source sees to it that there is no second answer.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NamedTuple, TypeVar

from relay.asking import Asking, Deed, Request
from relay.language import Words, preferred, words
from relay.lease import Tenure
from relay.log import get_logger
from relay.model import Post, PostUri, Thread
from relay.ports import (
    Account,
    Answered,
    Asked,
    Gone,
    Mention,
    MentionedSource,
    Mentions,
    Refused,
    RequestState,
    Source,
    Store,
    TryLater,
)
from relay.schedule import backoff
from relay.threads import Threads

log = get_logger(__name__)

T = TypeVar("T")

AT_ONCE = 20
GIVE_UP = timedelta(hours=12)
"""An answer that comes later than this helps nobody."""
CLOSED = timedelta(minutes=15)
"""How long an account is left alone that is closed to us: only a person can change that."""
UNREACHABLE = "nobody is answered: without relay.public_url no answer could lead to a page"
HELP = PostUri("help")
"""About what those are answered, once each, who ask for a page of nothing."""


class _Word(NamedTuple):
    """What is to be said, and about what: the thread's root, or its like."""

    text: str
    about: PostUri


class _Line(NamedTuple):
    """One account at one source."""

    source: MentionedSource
    account: str

    @property
    def name(self) -> str:
        return f"mentions {self.source.name}/{self.account}"


@dataclass(kw_only=True)
class Accounts:
    """The relay's own accounts, as far as they said who they are, and the words by which they are asked."""

    asking: Asking
    known: dict[str, Account] = field(default_factory=dict)

    def handles(self) -> Sequence[str]:
        return [account.handle for account in self.known.values() if account.handle]

    def is_request(self, post: Post) -> bool:
        """Whether a post speaks to a bot, and so belongs to no thread."""
        return self.asking.is_request(post, self.handles())


@dataclass(kw_only=True)
class Speaker:
    """Reads mentions and answers them, until cancelled.

    ``base`` is the public address of the pages; empty: nobody can be answered.
    """

    store: Store
    sources: Mapping[str, Source]
    threads: Threads
    tenure: Tenure
    accounts: Accounts
    base: str
    language: str = "en"
    idle: timedelta = timedelta(seconds=5)
    """How long a mention may wait at most that became due."""

    async def run(self) -> None:
        lines = [_Line(source, account) for source, account in accounts_of(self.sources)]
        if lines and not self.base:
            self.tenure.trouble.broke("mentions", UNREACHABLE)
            return
        async with asyncio.TaskGroup() as tasks:
            for line in lines:
                tasks.create_task(self._own(line), name=line.name)

    async def _own(self, line: _Line) -> None:
        """Every process knows the accounts; of several one answers."""
        self.accounts.known[line.name] = await self._introduced(line)
        await self.tenure.while_held(self.store, line.name, lambda: self._listen(line))

    async def _introduced(self, line: _Line) -> Account:
        failures = 0
        while True:
            answer = await _told(line.source.account(line.account), line)
            if isinstance(answer, Account):
                self._heard(line, answer.note)
                return answer
            failures += 1
            self.tenure.trouble.broke(line.name, answer.reason)
            after = CLOSED if isinstance(answer, Gone) else answer.after
            await asyncio.sleep((after or backoff(failures, 0.0)).total_seconds())

    async def _listen(self, line: _Line) -> None:
        """Read and look at what is due, in turn: by the loop's time, which nobody sets."""
        time = asyncio.get_running_loop().time
        while True:
            rest = await self._read(line)
            until = time() + rest.total_seconds()
            while (left := until - time()) > 0:
                wait = await self._work(line)
                await asyncio.sleep(min(left, wait.total_seconds()))

    # --- reading ---

    async def _read(self, line: _Line) -> timedelta:
        """Keep what was said; how long to wait until the next time."""
        source, account = line.source, line.account
        cursor = await self.tenure.persist(lambda: self.store.get_mentions_cursor(source.name, account))
        told = await _told(source.mentions(account, cursor), line)
        if not isinstance(told, Mentions):
            self.tenure.trouble.broke(line.name, told.reason)
            return CLOSED if isinstance(told, Gone) else max(told.after or source.listen, source.listen)
        self._heard(line, self.accounts.known[line.name].note)
        if told.mentions or told.cursor is not None:
            await self.tenure.persist(
                lambda: self.store.add_mentions(source.name, account, told.mentions, told.cursor, self.tenure.clock())
            )
        return timedelta(milliseconds=1) if told.more else max(told.wait or source.listen, source.listen)

    def _heard(self, line: _Line, note: str) -> None:
        if note:
            self.tenure.trouble.broke(line.name, note)
        else:
            self.tenure.trouble.works(line.name)

    # --- answering ---

    async def _work(self, line: _Line) -> timedelta:
        """Look at what is due; how long until more is."""
        source, account, now = line.source.name, line.account, self.tenure.clock()
        due = await self.tenure.persist(lambda: self.store.list_requests(source, account, now, AT_ONCE))
        for asked in sorted(due, key=lambda one: not self._is_stop(line, one.mention)):
            try:
                await self._one(line, asked)
            except Exception:
                log.exception("a mention could not be looked at; that is tried again", mention=asked.mention.uri)
                await self._later(line, asked, None)
        following = await self.tenure.persist(lambda: self.store.get_next_request(source, account))
        if following is None:
            return self.idle
        return min(self.idle, max(following - self.tenure.clock(), timedelta(milliseconds=5)))

    def _is_stop(self, line: _Line, mention: Mention) -> bool:
        request = self._request(line, mention)
        return request is not None and request.deed is Deed.STOP

    def _request(self, line: _Line, mention: Mention) -> Request | None:
        handle = self.accounts.known[line.name].handle
        return self.accounts.asking.read(mention.text, [handle], mention.language)

    async def _one(self, line: _Line, asked: Asked) -> None:
        mention = asked.mention
        request = self._request(line, mention)
        if request and request.deed is Deed.STOP:
            now = self.tenure.clock()
            gone = await self.tenure.persist(lambda: self.store.save_forgotten(mention.asker.uri, now))
            if not asked.tries:
                log.info("an author took themselves out", posts=gone.posts, messages=gone.messages)
        if (
            request is None
            or request.deed is Deed.UNDO
            or mention.asker.bot
            or mention.asker.uri == self.accounts.known[line.name].uri
        ):
            await self._settle(line, mention, RequestState.IGNORED)
            return
        say = words(preferred(request.language, self.language))
        mention = replace(mention, language=say.tag)  # from now on that of the answer
        asked = replace(asked, mention=mention)
        word = await self._word(mention, request, say)
        if isinstance(word, _Word):
            await self._answer(line, asked, word)
        elif self.tenure.clock() + (word.after or timedelta(0)) < mention.at + GIVE_UP:
            await self._later(line, asked, word.after)
        else:
            about = PostUri(mention.about)
            await self._answer(line, asked, _Word(say("I cannot read that thread just now; please ask again."), about))

    async def _word(self, mention: Mention, request: Request, say: Words) -> _Word | TryLater:
        """What is to be answered; nobody but who asked is named."""
        if request.deed is Deed.STOP:
            done = say("Done: everything of yours that was kept here is gone, and nothing of yours will be kept again.")
            return _Word(done, PostUri(mention.uri))
        if not mention.about:
            how = say("Mention me with the word “{word}” below a thread, and I answer with one page of it.")
            return _Word(how.format(word=self._example(request.language)), HELP)
        return await self._unrolled(mention, say)

    def _example(self, language: str) -> str:
        known = self.accounts.asking.unroll
        return next(iter(known.get(language.partition("-")[0], ())), "") or next(iter(known.values()))[0]

    async def _unrolled(self, mention: Mention, say: Words) -> _Word | TryLater:
        thread = await self.threads.fetch(mention.about)
        if isinstance(thread, Thread) and thread.parent and self._is_ours(thread):
            thread = await self.threads.fetch(thread.parent)  # below an answer of ours: what that was about
        if isinstance(thread, TryLater):
            return thread
        about = PostUri(mention.about)
        if not isinstance(thread, Thread):
            return _Word(say("I cannot read that thread: it is gone, or not for everybody."), about)
        page = await self.threads.keep(thread, asker=mention.asker)
        if page is None:
            return _Word(say("Its author asks not to be collected, so I make no page of it."), thread.root)
        posts = sum(isinstance(post, Post) for post in page.posts)
        told = say.many("This post on a page of its own:", "These {n} posts as one text:", posts)
        return _Word(f"{told} {self.base}/t/{page.slug}", page.root)

    def _is_ours(self, thread: Thread) -> bool:
        ours = {account.uri for account in self.accounts.known.values()}
        return any(isinstance(post, Post) and post.author.uri in ours for post in thread.posts)

    async def _answer(self, line: _Line, asked: Asked, word: _Word) -> None:
        mention, source = asked.mention, line.source
        if asked.state is not RequestState.ANSWERING and (wait := await self._pause(line)):
            await self._later(line, asked, wait)
            return
        now = self.tenure.clock()
        if not await self.tenure.persist(lambda: self.store.claim_answer(source.name, mention.uri, word.about, now)):
            await self._settle(line, mention, RequestState.REPEATED)
            return
        again = asked.state is RequestState.ANSWERING
        outcome = await source.answer(line.account, mention, word.text, key=_key(mention), again=again)
        match outcome:
            case Answered(uri, wait):
                await self._settle(line, mention, RequestState.ANSWERED, uri)
                await asyncio.sleep(wait.total_seconds())
            case Refused(reason):
                log.info("a mention may not be answered", account=line.name, reason=reason)
                await self._settle(line, mention, RequestState.FAILED)
            case TryLater(reason, after):
                self.tenure.trouble.broke(line.name, reason)
                await self._later(line, asked, after)
            case Gone(reason):
                self.tenure.trouble.broke(line.name, reason)
                await self._later(line, asked, CLOSED)

    async def _pause(self, line: _Line) -> timedelta | None:
        """How long the account has to be silent, which answered as often as it may."""
        most, span = line.source.posting
        now = self.tenure.clock()
        lately = await self.store.list_answers(line.source.name, line.account, now - span)
        return lately[-most] + span - now if len(lately) >= most else None

    async def _later(self, line: _Line, asked: Asked, after: timedelta | None) -> None:
        mention, now = asked.mention, self.tenure.clock()
        if now > mention.at + 2 * GIVE_UP:
            log.warning("a mention was given up that could not be answered for long", mention=mention.uri)
            await self._settle(line, mention, RequestState.FAILED)
            return
        again = now + (after or backoff(asked.tries + 1, 0.0))
        await self.tenure.persist(
            lambda: self.store.save_request(line.source.name, mention.uri, asked.state, again=again)
        )

    async def _settle(self, line: _Line, mention: Mention, state: RequestState, answer: str = "") -> None:
        await self.tenure.persist(lambda: self.store.save_request(line.source.name, mention.uri, state, answer=answer))


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
