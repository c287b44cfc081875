"""The source that reads Bluesky: as a visitor, and as the operator's account where there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

from relay.model import Feed, Post
from relay.plugins import Host
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
from relay.sources.bluesky import check, jetstream_check, lookup, recheck, thread, timeline
from relay.sources.bluesky.hydrate import Hydrator
from relay.sources.bluesky.kept_session import SessionFile
from relay.sources.bluesky.records import SOURCE
from relay.sources.bluesky.session import Session
from relay.sources.bluesky.settings import BlueskySettings
from relay.sources.bluesky.stream import Stream
from relay.sources.bluesky.voice import Voice
from relay.sources.bluesky.xrpc import Api

_JETSTREAM = "jetstream"


class BlueskySource:
    """Hashtags by the streams or by search, accounts, and threads. It holds a session, profiles, and its settings."""

    def __init__(self, settings: BlueskySettings, host: Host) -> None:
        self.name = SOURCE
        self.interval = settings.interval
        self.sweep = settings.sweep
        self.listen = timedelta(seconds=8)
        self.posting = (1000, timedelta(hours=1))  # a server takes 1600 in an hour, and 11 000 in a day
        self._hosts = settings.jetstream
        self._http = host.http
        session = _session(settings, host)
        self._voice = Voice(session if settings.mentions else None)
        self._api = Api(host.http, settings.api_url, session, settings.directory_url)
        self._hydrator = Hydrator(self._api)

    async def resolve(self, topic: str) -> Resolved | Refused | TryLater:
        answer = await lookup.resolve(self._api, topic)
        if isinstance(answer, Resolved) and answer.tag and not self._hosts and self._api.session is None:
            return Refused("hashtags of Bluesky need a jetstream or an account (sources.bluesky)")
        return answer

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        return await timeline.poll(self._api, feed)

    async def recheck(self, posts: Sequence[Post]) -> Batch | TryLater | Gone:
        return await recheck.recheck(self._api, posts)

    async def fetch_thread(self, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
        return await thread.fetch_thread(self._api, ref)

    async def check(self) -> Sequence[Check]:
        return [*await check.check(self._api, self._voice), *await jetstream_check.check(self._hosts, self._http)]

    def streams(self) -> Sequence[str]:
        return (_JETSTREAM,) if self._hosts else ()

    def stream(self, name: str, watched: Watched, cursor: str) -> AsyncIterator[Streamed]:
        """There is one: each Jetstream tells the whole network."""
        del name
        stream = Stream(hosts=self._hosts, sockets=self._http.sockets, hydrate=self._hydrator.hydrate)
        return stream.listen(watched, cursor)

    def accounts(self) -> Sequence[str]:
        return self._voice.names()

    async def account(self, name: str) -> Account | TryLater | Gone:
        """There is one, that of the session; here and below."""
        del name
        return await self._voice.introduce()

    async def mentions(self, name: str, cursor: str) -> Mentions | TryLater | Gone:
        del name
        return await self._voice.hear(cursor)

    async def answer(
        self, name: str, mention: Mention, text: str, *, key: str, again: bool
    ) -> Answered | TryLater | Refused | Gone:
        del name
        return await self._voice.answer(mention, text, key=key, again=again)


def _session(settings: BlueskySettings, host: Host) -> Session | None:
    if not settings.handle:
        return None
    file = SessionFile(Path(settings.keep_session)) if settings.keep_session else None
    return Session(host.http, settings.pds_url, settings.handle, settings.app_password, file=file)
