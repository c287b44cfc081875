"""The source that reads Mastodon and its kin: as a visitor, and with an account's token where the settings name one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from relay.http import Http
from relay.model import Feed, Post
from relay.plugins import PluginStorage
from relay.ports import (
    Account,
    Answered,
    Batch,
    Check,
    Gone,
    Mention,
    Mentions,
    Refused,
    Resolved,
    Streamed,
    TryLater,
    Watched,
)
from relay.sources.mastodon import instance, lookup, recheck, thread
from relay.sources.mastodon.about import About
from relay.sources.mastodon.api import MastodonApi
from relay.sources.mastodon.budget import Budgets
from relay.sources.mastodon.home import Homes
from relay.sources.mastodon.live import InstanceListener, LiveTimeouts
from relay.sources.mastodon.mentions import LISTEN, POSTING, TokenAccounts
from relay.sources.mastodon.parse import SOURCE
from relay.sources.mastodon.settings import MastodonSettings
from relay.sources.mastodon.timeline import Timelines


class MastodonSource:
    """Hashtags on one or more servers, accounts on any, and threads.

    It holds its settings, and what may be forgotten: what servers are, what they were asked, the last copies of posts.
    """

    def __init__(
        self,
        settings: MastodonSettings,
        http: Http,
        notes: PluginStorage | None = None,
        *,
        patience: LiveTimeouts | None = None,
        budgets: Budgets | None = None,
    ) -> None:
        self.name = SOURCE
        self.interval = settings.interval
        self.sweep = settings.sweep
        self._api = MastodonApi(http, settings.instances, settings.tokens, budgets or Budgets())
        self._about = About(self._api, notes or PluginStorage())
        self._homes = Homes(self._about)
        self._live: set[str] = set()
        self._timelines = Timelines(self._homes, settings.interval, self._live)
        self._patience = patience or LiveTimeouts()
        self.listen, self.posting = min(LISTEN, settings.interval), POSTING
        self._mentions = settings.mentions
        self._voice = TokenAccounts(self._api, self._homes.handles)

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        return await lookup.resolve(self._about, topic)

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        return await self._timelines.poll(feed)

    async def recheck(self, posts: Sequence[Post]) -> Batch | TryLater | Gone:
        return await recheck.recheck(self._homes, posts)

    async def fetch_thread(self, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
        found = await thread.fetch_thread(self._about, ref)
        return await self._homes.handles.of_posts(found) if isinstance(found, Sequence) else found

    async def check(self) -> Sequence[Check]:
        instances = (instance.check(self._about, address) for address in self._api.instances)
        return await asyncio.gather(*instances, *map(self._voice.check, self._mentions))

    def streams(self) -> Sequence[str]:
        """The instances. Those that tell visitors nothing are silent; which they are is asked when it matters."""
        return self._api.instances

    async def stream(self, name: str, watched: Watched, cursor: str) -> AsyncGenerator[Streamed]:
        """Hashtags, as they come; accounts have no stream for the public."""
        del cursor  # a stream of this kind cannot be read from a place on
        listener = InstanceListener(
            homes=self._homes,
            base=name,
            watched=watched,
            live=self._live,
            patience=self._patience,
        )
        async with aclosing(listener.listen()) as told:
            async for streamed in told:
                yield streamed

    # --- mentions ---

    def accounts(self) -> Sequence[str]:
        """The instances at which the account behind the token answers."""
        return self._mentions

    async def account(self, name: str) -> Account | TryLater | Gone:
        return await self._voice.account(name)

    async def mentions(self, name: str, cursor: str) -> Mentions | TryLater | Gone:
        return await self._voice.mentions(name, cursor)

    async def answer(
        self, name: str, mention: Mention, text: str, *, key: str, again: bool
    ) -> Answered | TryLater | Refused | Gone:
        return await self._voice.answer(name, mention, text, key=key, again=again)
