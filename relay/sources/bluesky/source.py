"""The source that reads Bluesky: as a visitor, and as the operator's account where there is one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import monotonic

from relay.model import Feed, Post, PostUri
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
from relay.sources.bluesky.account import AccountVoice
from relay.sources.bluesky.kept_session import SessionFile
from relay.sources.bluesky.labels import Withheld
from relay.sources.bluesky.records import SOURCE, RecordPost, read_bare, read_view
from relay.sources.bluesky.session import Session
from relay.sources.bluesky.settings import BlueskySettings
from relay.sources.bluesky.shapes import Raw, read
from relay.sources.bluesky.stream import JetstreamReader
from relay.sources.bluesky.xrpc import Version, XrpcApi, portions
from relay.sources.off_loop import off_loop

# --- from bare records to posts: who wrote them, what they quote, how they are labelled ---

# An AppView knows a post a moment after the firehose tells of it. It is asked again a few times; after that the
# record must do, with its author's profile, because without that nobody knows whether the author lets it leave
# Bluesky.

_PAUSES = (timedelta(milliseconds=500), timedelta(seconds=1), timedelta(seconds=3))
_PROFILES = 5_000
_PROFILE_AGE = timedelta(hours=1)


@dataclass(slots=True)
class _Profiles:
    """Profiles that were asked for lately; of many the least used are forgotten."""

    kept: OrderedDict[str, tuple[float, Raw]] = field(default_factory=OrderedDict)

    def get(self, did: str) -> Raw | None:
        until, raw = self.kept.get(did, (0.0, None))
        if raw is None or until < monotonic():
            return None
        self.kept.move_to_end(did)
        return raw

    def add(self, found: Mapping[str, Raw]) -> None:
        until = monotonic() + _PROFILE_AGE.total_seconds()
        for did, raw in found.items():
            self.kept[did] = until, Raw(bytes(raw))  # a copy: the page that it came on is not kept with it
            self.kept.move_to_end(did)
        while len(self.kept) > _PROFILES:
            self.kept.popitem(last=False)


class Hydrator:
    """Asks for posts in batches of 25. ``pauses`` are what is waited before each further time."""

    def __init__(self, api: XrpcApi, pauses: Sequence[timedelta] = _PAUSES) -> None:
        self._api = api
        self._pauses = pauses
        self._profiles = _Profiles()

    async def hydrate(self, drafts: Sequence[RecordPost]) -> dict[PostUri, Post | None]:
        """The posts by uri; None where a post is not to be shown to everybody, or is gone.

        What nobody could tell now (the AppView does not answer) is not in the answer: ask again later.
        """
        waiting = {draft.uri: draft for draft in drafts}
        posts: dict[PostUri, Post | None] = {}
        for pause in (timedelta(0), *self._pauses):
            await asyncio.sleep(pause.total_seconds())
            for uri, post in (await self._views(waiting.values())).items():
                posts[uri] = post
                waiting.pop(uri, None)
            if not waiting:
                return posts
        return posts | await self._bare(waiting.values())

    async def _views(self, drafts: Iterable[RecordPost]) -> dict[PostUri, Post | None]:
        found: dict[PostUri, Post | None] = {}
        for batch in portions([*drafts]):
            views = await self._api.get_posts([draft.uri for draft in batch])
            if not isinstance(views, dict):
                break
            for draft in batch:
                raw = views.get(draft.uri)
                if raw is not None and _is_of(raw, draft):
                    found[draft.uri] = _shown(await off_loop(len(raw), partial(read_view, raw)))
        return found

    async def _bare(self, drafts: Iterable[RecordPost]) -> dict[PostUri, Post | None]:
        """With profiles alone. Who has none has no account any more."""
        found: dict[PostUri, Post | None] = {}
        for batch in portions([*drafts]):
            unknown = {draft.did for draft in batch if self._profiles.get(draft.did) is None}
            answer = await self._api.get_profiles(sorted(unknown)) if unknown else {}
            if not isinstance(answer, dict):
                break
            self._profiles.add(answer)
            for draft in batch:
                profile = self._profiles.get(draft.did)
                found[draft.uri] = _shown(read_bare(draft, profile)) if profile is not None else None
        return found


def _is_of(raw: Raw, draft: RecordPost) -> bool:
    """A view of an older version comes from before the change that the draft is."""
    version = read(raw, Version)
    return version is not None and (not draft.cid or version.cid == draft.cid)


def _shown(answer: Post | Withheld | None) -> Post | None:
    return answer if isinstance(answer, Post) else None


# --- source ---

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
        self._voice = AccountVoice(session if settings.mentions else None)
        self._api = XrpcApi(host.http, settings.api_url, session, settings.directory_url)
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
        stream = JetstreamReader(hosts=self._hosts, sockets=self._http.sockets, hydrate=self._hydrator.hydrate)
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
