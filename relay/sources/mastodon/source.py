"""The source that reads Mastodon and its kin, as a visitor without an account."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from relay.http import Http
from relay.model import Feed, Post
from relay.ports import Batch, Check, Gone, Refused, Resolved, TryLater
from relay.sources.mastodon import instance, lookup, recheck, thread, timeline
from relay.sources.mastodon.api import Api
from relay.sources.mastodon.parse import SOURCE
from relay.sources.mastodon.settings import MastodonSettings


class MastodonSource:
    """Hashtags on one or more servers, accounts on any, and threads; it holds nothing but its settings."""

    def __init__(self, settings: MastodonSettings, http: Http) -> None:
        self.name = SOURCE
        self.interval = settings.interval
        self.sweep = settings.sweep
        self._api = Api(http, settings.instances)

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        return await lookup.resolve(self._api, topic)

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        return await timeline.poll(self._api, feed)

    async def recheck(self, posts: Sequence[Post]) -> Batch | TryLater | Gone:
        return await recheck.recheck(self._api, posts)

    async def fetch_thread(self, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
        return await thread.fetch_thread(self._api, ref)

    async def check(self) -> Sequence[Check]:
        return await asyncio.gather(*(instance.check(self._api, address) for address in self._api.instances))
