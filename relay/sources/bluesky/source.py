"""The source that reads Bluesky: as a visitor, and as the operator's account where there is one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import aiohttp

from relay.core.hashtag import fold
from relay.http import FloodError, Http
from relay.model import Deleted, Edited, Event, Feed, Post, PostUri
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
from relay.sources.bluesky import ourselves, repository, thread, timeline
from relay.sources.bluesky.account import AccountVoice
from relay.sources.bluesky.address import Actor, RecordAddress, read_at, read_topic, tag_feed
from relay.sources.bluesky.answers import Failure, settled
from relay.sources.bluesky.firehose_event import read_event
from relay.sources.bluesky.jetstream_cursor import LARGEST, JetstreamQuery
from relay.sources.bluesky.jetstream_socket import address
from relay.sources.bluesky.labels import Withheld
from relay.sources.bluesky.ourselves import Us
from relay.sources.bluesky.records import SOURCE, RecordPost, read_author, read_bare, read_view
from relay.sources.bluesky.session import Session, SessionFile
from relay.sources.bluesky.settings import BlueskySettings
from relay.sources.bluesky.shapes import Raw, read
from relay.sources.bluesky.stream import JetstreamReader
from relay.sources.bluesky.xrpc import MANY, Version, XrpcApi, portions
from relay.sources.kit import Missing, Ok, Unexpected, trouble_of
from relay.sources.off_loop import off_loop
from relay.text import graphemes

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
        answer = await resolve(self._api, topic)
        if isinstance(answer, Resolved) and answer.tag and not self._hosts and self._api.session is None:
            return Refused("hashtags of Bluesky need a jetstream or an account (sources.bluesky)")
        return answer

    async def poll(self, feed: Feed) -> Batch | TryLater | Gone:
        return await timeline.poll(self._api, feed)

    async def recheck(self, posts: Sequence[Post]) -> Batch | TryLater | Gone:
        return await recheck(self._api, posts)

    async def fetch_thread(self, ref: str) -> Sequence[Post] | Refused | TryLater | Gone:
        return await thread.fetch_thread(self._api, ref)

    async def check(self) -> Sequence[Check]:
        return [*await check_appview(self._api, self._voice), *await check_streams(self._hosts, self._http)]

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


# --- says what a topic means: hashtags by their looks, accounts by asking ---


_LONGEST_TAG = 64


async def resolve(api: XrpcApi, topic: str) -> Resolved | Refused | TryLater:
    """``#tag`` needs no network; ``@who.bsky.social``, a DID and a profile's address are looked up."""
    text = topic.strip()
    if text.startswith(("#", "＃")):
        return _hashtag(text[1:])
    where = read_topic(text)
    match where:
        case Actor():
            return await _account(api, where)
        case RecordAddress():
            return Refused(f"{text} is the address of a post whose thread cannot be read")
        case None:
            return Refused(_explain(text))


def _hashtag(tag: str) -> Resolved | Refused:
    """After ``TAG_REGEX`` of the reference: no white space in it, and something in it beside digits and punctuation."""
    folded = fold(tag, SOURCE)
    if not folded or tag.split() != [tag] or tag.startswith("#") or len(graphemes(tag)) > _LONGEST_TAG:
        return Refused(f"#{tag} is no hashtag: it takes at least one letter, no spaces, and 64 characters at most")
    return Resolved(feeds=(tag_feed(tag.lower()),), tag=folded, title=f"#{tag}")


async def _account(api: XrpcApi, actor: Actor) -> Resolved | Refused | TryLater:
    """By DID, which stays when the handle changes."""
    answer = await api.ask("app.bsky.actor.getProfile", [("actor", actor.who)])
    match answer:
        case Ok():
            return _told(actor, answer)
        case Missing(host):
            return Refused(f"no such account {actor}: {host} does not know it")
        case Gone(reason):
            return Refused(reason)
        case TryLater():
            return answer
        case _:
            return answer.later()


def _told(actor: Actor, answer: Ok) -> Resolved | Refused | TryLater:
    match read_author(answer.body):
        case Withheld(reason):
            return Refused(f"{actor} cannot be followed from outside: {reason}")
        case None:
            return Unexpected(answer.host).later()
        case author:
            return Resolved(feeds=(author.uri,), title=author.handle or author.uri, account=True)


def _explain(text: str) -> str:
    if text.startswith("@") and "@" in text[1:]:
        return f"{text} is an address in the Fediverse, not on Bluesky"
    if text.startswith("@"):
        return f"{text} is no handle on Bluesky; write it in full, like @who.bsky.social"
    return f"{text} is no account or hashtag on Bluesky; write it like #tag or @who.bsky.social"


# --- asks whether what the settings name would work. Of the streams their own module tells ---


_KNOWN = "bsky.app"


async def check_appview(api: XrpcApi, voice: AccountVoice) -> list[Check]:
    """The AppView, and the account where there is one."""
    lines = [await _check_api(api)]
    if api.session:
        lines.append(await _check_session(api.session, voice))
    return lines


async def _check_api(api: XrpcApi) -> Check:
    """That somebody is not known is as good an answer as any."""
    answer = await api.get(api.url, "app.bsky.actor.getProfile", [("actor", _KNOWN)])
    ok = isinstance(answer, Ok | Missing)
    closed = "accounts and threads are read, hashtags come from the streams" if api.session is None else ""
    return Check(name=f"{SOURCE} {urlsplit(api.url).netloc}", ok=ok, note=closed if ok else _reason(answer))


async def _check_session(session: Session, voice: AccountVoice) -> Check:
    """Only asked, not marked as a bot's: a check changes nothing."""
    name = f"{SOURCE} {session.handle}"
    us = await ourselves.who(session)
    if not isinstance(us, Us):
        return Check(name=name, ok=False, note=us.reason)
    note = f"signed in at {session.home}"
    if not voice.names():
        return Check(name=name, ok=True, note=f"{note}; who mentions it is not answered (mentions = false)")
    is_marked = await ourselves.is_marked(session, us)
    if isinstance(is_marked, TryLater | Gone):
        return Check(name=name, ok=False, note=f"{note}, but its profile cannot be read: {is_marked.reason}")
    mark = "its profile says that it is a bot" if is_marked else "relay run will say on its profile that it is a bot"
    return Check(name=name, ok=True, note=f"{note}; who mentions it is answered; {mark}")


def _reason(answer: Ok | Failure) -> str:
    match answer:
        case Ok():
            return ""
        case Missing(host):
            return f"{host} does not know this question"
        case TryLater() | Gone():
            return answer.reason
        case _:
            return answer.later().reason


# --- asks whether there would be something to listen to ---


WITHIN = timedelta(seconds=10)


async def check_streams(hosts: Sequence[str], http: Http, within: timedelta = WITHIN) -> list[Check]:
    """A line for each server: it takes us, and tells something."""
    async with http.sockets() as session:
        return list(await asyncio.gather(*(_check_stream(session, host, within) for host in hosts)))


async def _check_stream(session: aiohttp.ClientSession, host: str, within: timedelta) -> Check:
    trouble = await _trouble_of_stream(session, host, within)
    return Check(name=f"{SOURCE} {urlsplit(host).netloc}", ok=not trouble, note=trouble)


async def _trouble_of_stream(session: aiohttp.ClientSession, host: str, within: timedelta) -> str:
    try:
        async with (
            asyncio.timeout(within.total_seconds()),
            session.ws_connect(
                address(host, JetstreamQuery(None, 0)), compress=15, max_msg_size=2 * LARGEST, decode_text=False
            ) as socket,
        ):
            message = await socket.receive()
    except TimeoutError:
        return f"told nothing within {within.total_seconds():g} s"
    except (aiohttp.ClientError, FloodError, OSError, ValueError) as error:
        return trouble_of(error)
    sound = isinstance(message.data, bytes) and read_event(message.data) is not None
    return "" if sound else "sends what is no event of a Jetstream"


# --- asks what became of posts: changed, deleted, or nothing at all ---


_LAG = timedelta(hours=1)
"""So long an AppView may be behind the firehose, from which we may have a post."""


async def recheck(api: XrpcApi, posts: Sequence[Post]) -> Batch | TryLater | Gone:
    """One request for all. To be absent from its answer is to be deleted, or no longer for everybody's eyes.

    When all are absent the answer itself is doubted: one of them is asked for by its name.
    """
    found = await api.get_posts([post.uri for post in posts])
    if not isinstance(found, dict):
        return settled(found, "nothing of it is there")
    if posts and not found:
        answer = await api.ask("app.bsky.feed.getPostThread", [("uri", posts[0].uri), ("depth", "0")])
        if not isinstance(answer, Missing):
            return TryLater("the AppView knows none of several posts, and yet shows one of them")
    return Batch(events=tuple([event for post in posts[:MANY] for event in await _fate(api, post, found)]))


async def _fate(api: XrpcApi, known: Post, found: Mapping[str, Raw]) -> list[Event]:
    raw = found.get(known.uri)
    if raw is None:
        return [] if await _is_ahead(api, known) else [Deleted(known.uri)]
    read = await off_loop(len(raw), lambda: read_view(raw))
    if isinstance(read, Withheld):
        return [Deleted(known.uri)]
    return [Edited(read)] if read is not None and read != known else []


async def _is_ahead(api: XrpcApi, known: Post) -> bool:
    """Whether the AppView may not know the post yet: its author's own server has it."""
    place = read_at(known.uri)
    if place is None or datetime.now(UTC) - known.published > _LAG:
        return False
    return await repository.has(api, place)
