"""What the relay says to who mentions it. Whom it answers, and when, is decided in :mod:`relay.pipeline.mentions`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from relay.core.bot_words import BotAction, BotWords, Request
from relay.core.consent import UNDO_FOR
from relay.i18n import Words
from relay.model import Post, PostUri, Thread
from relay.pipeline.threads import ThreadReader
from relay.ports import Account, Gone, Mention, Refused, TryLater
from relay.records import Effect, PendingMention

HELP = PostUri("help")
"""About what those are answered, once each, who ask for a page of nothing."""


class BotReply(NamedTuple):
    """What is to be said, and about what: the thread's root, or its like."""

    text: str
    about: PostUri


@dataclass(kw_only=True)
class Accounts:
    """The relay's own accounts, as far as they said who they are, and the words by which they are asked."""

    bot_words: BotWords
    known: dict[str, Account] = field(default_factory=dict)

    def handles(self) -> Sequence[str]:
        return [account.handle for account in self.known.values() if account.handle]

    def is_request(self, post: Post) -> bool:
        """Whether a post speaks to a bot, and so belongs to no thread."""
        return self.bot_words.is_request(post, self.handles())


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """Finds out what is to be answered. ``base`` is the public address of the pages."""

    threads: ThreadReader
    accounts: Accounts
    base: str
    patience: timedelta = timedelta(seconds=20)
    """How long a thread may take to be read when it is first tried; later tries may take three times as long."""

    async def make(self, account: Account, asked: PendingMention, request: Request, say: Words) -> BotReply | TryLater:
        """What ``account`` is to answer; nobody but who asked is named."""
        mention = asked.mention
        if request.action is not BotAction.UNROLL:
            return BotReply(self._stopped(account, request.action, asked.effect, say), PostUri(mention.uri))
        if not mention.about:
            how = say("Reply to a thread, mention me and write “{word}”. I'll send you the whole thread on one page.")
            return BotReply(how.format(word=self._example(request.language)), HELP)
        return await self._unrolled(asked, say)

    def _stopped(self, account: Account, action: BotAction, effect: Effect | None, say: Words) -> str:
        if action is BotAction.STOP:
            done = say(
                "Done. Your posts are hidden here, and messages with them in chats are being deleted. In {hours}"
                " hours they will be erased for good. Until then, “{undo}” makes them readable again, but deleted"
                " messages do not come back."
            )
            undo = f"{account.handle} {self.accounts.bot_words.undoing}"
            return done.format(hours=UNDO_FOR // timedelta(hours=1), undo=undo)
        if effect is Effect.NOTHING:
            return say(
                "You have not asked me to stop, so there is nothing to undo. If your posts are hidden here, this"
                " relay's operator decided that. Please ask them."
            )
        return say(
            "Done. I may keep and share your posts again, and those not erased yet can be read again."
            " Messages already deleted in chats do not come back."
        )

    def _example(self, language: str) -> str:
        known = self.accounts.bot_words.unroll
        return next(iter(known.get(language.partition("-")[0], ())), "") or next(iter(known.values()))[0]

    async def _unrolled(self, asked: PendingMention, say: Words) -> BotReply | TryLater:
        mention = asked.mention
        try:
            async with asyncio.timeout((self.patience * (3 if asked.tries else 1)).total_seconds()):
                thread = await self._thread(mention)
        except TimeoutError:
            return TryLater("the thread could not be read in time")
        if isinstance(thread, TryLater):
            return thread
        about = PostUri(mention.about)
        if not isinstance(thread, Thread):
            return BotReply(say("I can't read that thread. It was deleted, or it is not public."), about)
        page = await self.threads.keep(thread, asker=mention.asker)
        if page is None:
            return BotReply(say("Its author asks not to be archived, so I made no page of it."), thread.root)
        posts = sum(isinstance(post, Post) for post in page.posts)
        told = say.many("This post on its own page:", "These {n} posts as one text:", posts)
        return BotReply(f"{told} {self.base}/t/{page.slug}", page.root)

    async def _thread(self, mention: Mention) -> Thread | Refused | TryLater | Gone:
        thread = await self.threads.fetch(mention.about)
        if isinstance(thread, Thread) and thread.parent and self._is_ours(thread):
            return await self.threads.fetch(thread.parent)  # below an answer of ours: what that was about
        return thread

    def _is_ours(self, thread: Thread) -> bool:
        ours = {account.uri for account in self.accounts.known.values()}
        return any(isinstance(post, Post) and post.author.uri in ours for post in thread.posts)
