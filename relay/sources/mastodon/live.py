"""Listens to one instance: one websocket for all its hashtags, opened again whenever it closes.

A stream has no memory: what happened while nobody listened is found by polls. So when a connection stands, and when it
falls, its feeds are polled at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from urllib.parse import urlencode

import aiohttp
import msgspec

from relay.core.hashtag import fold
from relay.http import FloodError, Rate
from relay.model import Deleted, Edited, Event, Post, Published
from relay.ports import Gone, Streamed, TryLater, Watched
from relay.retrying import Retrying
from relay.sources.kit import Buffer, trouble_of
from relay.sources.mastodon import tags
from relay.sources.mastodon.about import About, instance, streaming_address
from relay.sources.mastodon.address import host_of, instance_of
from relay.sources.mastodon.home import Homes
from relay.sources.mastodon.kinds import Speech, refusal
from relay.sources.mastodon.misskey.notes import read_note
from relay.sources.mastodon.parse import SOURCE, alias, read_post
from relay.sources.mastodon.shapes import Raw, read
from relay.sources.mastodon.tags import TagQuery
from relay.sources.off_loop import off_loop
from relay.text import clean

# --- what is said on Misskey's websocket: the channel ``hashtag``, which needs no account. Pure ---


class _Inner(msgspec.Struct):
    id: str | None = None
    type: str | None = None
    body: Raw = Raw()


class _Outer(msgspec.Struct):
    type: str | None = None
    body: Raw = Raw()


def connect(tag: str) -> str:
    """Listen for a hashtag; what comes is marked with it."""
    body = {"channel": "hashtag", "id": tag, "params": {"q": [[tag]]}}
    return msgspec.json.encode({"type": "connect", "body": body}).decode()


def disconnect(tag: str) -> str:
    return msgspec.json.encode({"type": "disconnect", "body": {"id": tag}}).decode()


def read_note_frame(text: str) -> tuple[str, Raw] | None:
    """The hashtag and the note in a frame; None where it holds none."""
    outer = read(text.encode("utf-8", "replace"), _Outer)
    inner = read(outer.body, _Inner) if outer and outer.type == "channel" else None
    return (inner.id, inner.body) if inner and inner.type == "note" and inner.id else None


# --- which feeds a stream serves, and what its frames mean for them. Pure ---


FeedEvent = tuple[str, Event]
"""A feed's address, or an empty one, and what happened."""


@dataclass(frozen=True, slots=True)
class WantedTags:
    """The hashtag feeds of one server."""

    base: str
    feeds: Mapping[str, TagQuery] = field(default_factory=dict)
    """By address."""
    by_tag: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The addresses, by folded hashtag."""

    @property
    def names(self) -> dict[str, str]:
        """How each hashtag is asked for, by its folded form."""
        return {folded: self.feeds[addresses[0]].tag for folded, addresses in self.by_tag.items()}

    def of_tags(self, folded: Iterable[str]) -> frozenset[str]:
        """The addresses of the feeds of these hashtags."""
        return frozenset(address for tag in folded for address in self.by_tag.get(tag, ()))

    def published(self, tag: str, post: Post) -> tuple[FeedEvent, ...]:
        """For each feed that the post is in."""
        return tuple((address, Published(post)) for address in self._meant(tag, post))

    def edited(self, tag: str, post: Post) -> tuple[FeedEvent, ...]:
        return tuple((address, Edited(post)) for address in self._meant(tag, post))

    def deleted(self, identifier: str) -> tuple[FeedEvent, ...]:
        return (("", Deleted(alias(self.base, identifier))),)

    def _meant(self, tag: str, post: Post) -> Iterator[str]:
        """Where a server says in which stream a post came, it comes once for each: those feeds alone are meant."""
        own = {fold(name, SOURCE) for name in post.tags}
        told = fold(tag, SOURCE)
        for folded in [told] if told in self.by_tag else sorted(own):
            for address in self.by_tag.get(folded, ()):
                if not post.unlisted and self.feeds[address].wants(post.tags):
                    yield address


def wanted_at(base: str, addresses: Iterable[str]) -> WantedTags:
    """Of all feeds, those of hashtags at one server."""
    feeds = {
        address: tagged
        for address in addresses
        if instance_of(address) == base and (tagged := tags.read_address(address)) is not None
    }
    by_tag: dict[str, tuple[str, ...]] = {}
    for address, tagged in feeds.items():
        folded = fold(tagged.tag, SOURCE)
        by_tag[folded] = (*by_tag.get(folded, ()), address)
    return WantedTags(base, feeds, by_tag)


# --- what is said on Mastodon's websocket (docs.joinmastodon.org/methods/streaming). Pure ---


@dataclass(frozen=True, slots=True)
class New:
    """A post appeared in the stream of ``tag``; empty where the server does not say in which."""

    tag: str
    status: bytes


@dataclass(frozen=True, slots=True)
class Changed:
    """A post was edited, as above."""

    tag: str
    status: bytes


@dataclass(frozen=True, slots=True)
class DeletedStatus:
    """A post was deleted; ``id`` is its name at that server."""

    id: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """The server does not do what it was asked."""

    reason: str


Said = New | Changed | DeletedStatus | Complaint

_EVENTS: dict[str, type[New] | type[Changed]] = {
    "update": New,
    "status.update": Changed,
    "status_update": Changed,  # as some servers have it
}


class _Frame(msgspec.Struct):
    stream: Raw = Raw()
    event: str | None = None
    payload: Raw = Raw()
    error: str | None = None


def subscribe(tag: str) -> str:
    return msgspec.json.encode({"type": "subscribe", "stream": "hashtag", "tag": tag}).decode()


def unsubscribe(tag: str) -> str:
    return msgspec.json.encode({"type": "unsubscribe", "stream": "hashtag", "tag": tag}).decode()


def read_frame(text: str) -> Said | None:
    """What a frame says; None of what is no concern of ours, whatever it is."""
    frame = read(text.encode("utf-8", "replace"), _Frame)
    if frame is None:
        return None
    if frame.error:
        return Complaint(clean(frame.error, limit=200))
    if frame.event == "delete":
        identifier = read(frame.payload, str)
        return DeletedStatus(identifier.strip()) if identifier and identifier.strip() else None
    kind = _EVENTS.get(frame.event or "")
    return kind(_tag(frame.stream), _status(frame.payload)) if kind else None


def _tag(stream: Raw) -> str:
    """``["hashtag", "foo"]``."""
    names = read(stream, list[str]) or []
    return names[1] if len(names) > 1 else ""


def _status(payload: Raw) -> bytes:
    """JSON within a string of JSON; an object where a server forgot that."""
    text = read(payload, str) if bytes(payload)[:1] == b'"' else None
    return text.encode("utf-8", "replace") if text is not None else bytes(payload)


# --- the two ways in which servers tell of hashtags on a websocket ---


@dataclass(frozen=True, slots=True)
class StreamProtocol:
    """What is sent to begin and to end with a hashtag, and what a frame means, by the servers in the settings."""

    subscribe: Callable[[str], str]
    unsubscribe: Callable[[str], str]
    hear: Callable[[str, WantedTags, Collection[str]], Sequence[FeedEvent] | Complaint]


def _mastodon(text: str, wanted: WantedTags, configured: Collection[str]) -> Sequence[FeedEvent] | Complaint:
    said = read_frame(text)
    match said:
        case New(tag, status):
            post = read_post(status, wanted.base, configured)
            return wanted.published(tag, post) if post else ()
        case Changed(tag, status):
            post = read_post(status, wanted.base, configured)
            return wanted.edited(tag, post) if post else ()
        case DeletedStatus(identifier):
            return wanted.deleted(identifier)
        case Complaint():
            return said
        case None:
            return ()


def _misskey(text: str, wanted: WantedTags, configured: Collection[str]) -> Sequence[FeedEvent] | Complaint:
    """It tells of new notes only: edits and deletions are found by re-checks."""
    del configured  # of a quote there is the link alone
    if (found := read_note_frame(text)) is None:
        return ()
    tag, raw = found
    post = read_note(raw, wanted.base)
    return wanted.published(tag, post) if post else ()


MASTODON = StreamProtocol(subscribe, unsubscribe, _mastodon)
MISSKEY = StreamProtocol(connect, disconnect, _misskey)


# --- endpoints ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A websocket that could be opened. The token is in none of what is shown or logged of it."""

    url: str
    protocol: StreamProtocol
    first: bool = False
    """The first hashtag is named in the address: the only one that servers of all kinds understand."""
    multiplexed: bool = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    protocols: tuple[str, ...] = field(default=(), repr=False)

    @property
    def host(self) -> str:
        return host_of(self.url)

    def address(self, tag: str) -> str:
        """Where to connect to hear of this hashtag first."""
        return f"{self.url}?{urlencode({'stream': 'hashtag', 'tag': tag})}" if self.first else self.url


async def find_endpoint(about: About, base: str) -> Endpoint | str | None:
    """A reason where it cannot be said now; None where this instance streams to nobody like us."""
    kind, token = await about.kind(base), about.api.token(base)
    if kind.speech is Speech.MISSKEY:
        return _allowed(about, Endpoint(url=f"ws{base.removeprefix('http')}/streaming", protocol=MISSKEY))
    if not token or not kind.streams or refusal(kind, base, token=True):
        return None
    told = await instance(about.api, base)
    if isinstance(told, TryLater | Gone):
        return told.reason
    endpoint = Endpoint(
        url=streaming_address(told, base),
        protocol=MASTODON,
        first=True,
        multiplexed=kind.multiplexed,
        headers={} if kind.protocol else {"Authorization": f"Bearer {token}"},
        protocols=(token,) if kind.protocol else (),
    )
    return _allowed(about, endpoint)


def _allowed(about: About, endpoint: Endpoint) -> Endpoint | str:
    """An instance may name another host; the guard has its say about that as about any."""
    return about.api.http.refusal(f"http{endpoint.url.removeprefix('ws')}") or endpoint


# --- live ---

Socket = aiohttp.ClientWebSocketResponse

_LARGEST = 2**20
_CAPACITY, _AT_ONCE = 2_000, 100
"""Events that wait to be told, and that are told at a time."""
_MOST = 1_000
"""Frames within a second; the whole federated network tells a tenth of it."""
_LONGEST = timedelta(minutes=5)
_UNKNOWN, _KNOWN = timedelta(minutes=10), timedelta(days=1)
"""How soon to ask an instance again whether it streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTimeouts:
    """How long is waited for what."""

    first: timedelta = timedelta(seconds=2)
    """Before the first attempt to connect again; doubled with each that fails."""
    steady: timedelta = timedelta(minutes=1)
    """A connection that stood as long as this was a good one."""
    settle: float = 10.0
    """Seconds after which a server has surely heard what it was asked for; what it told before that is looked up."""
    answer: float = 20.0
    """Seconds, to connect."""
    beat: float = 30.0
    """Seconds between two pings; whoever is silent half as long again is gone."""


@dataclass(kw_only=True)
class InstanceListener:
    """Listens to one instance for one reader. ``live`` are the feeds, of all listeners, that a stream tells of."""

    homes: Homes
    base: str
    watched: Watched
    live: set[str]
    patience: LiveTimeouts = field(default_factory=LiveTimeouts)

    def __post_init__(self) -> None:
        self._wanted = WantedTags(self.base)
        self._trouble = ""
        self._endpoint: Endpoint | None = None
        """Where a connection stood last."""

    async def listen(self) -> AsyncGenerator[Streamed]:
        """Until closed. What does not work is told, and tried again at a slower pace each time."""
        tries = Retrying(first=self.patience.first, longest=_LONGEST, steady=self.patience.steady)
        while True:
            wanted = await self._somebody_asks()
            endpoint = self._endpoint or await find_endpoint(self.homes.about, self.base)
            if endpoint is None:
                known = await self.homes.about.software(self.base)
                await asyncio.sleep((_KNOWN if known else _UNKNOWN).total_seconds())
                continue
            tries.begin()
            if isinstance(endpoint, Endpoint):
                async with aclosing(self._connected(endpoint, wanted)) as told:
                    async for streamed in told:
                        yield streamed
            else:
                self._trouble = endpoint
            yield Streamed(missed=tuple(sorted(self._fallen())), note=self._trouble)
            await tries.wait()

    async def _somebody_asks(self) -> WantedTags:
        """Wait until a hashtag is wanted of this instance."""
        while True:
            changed = await self._watching()
            try:
                wanted = wanted_at(self.base, self.watched.feeds)
                if wanted.feeds:
                    return wanted
                await changed
            finally:
                changed.cancel()

    async def _watching(self) -> asyncio.Task[None]:
        """Waits for a change from now on: what is looked at after this is not missed."""
        changed = asyncio.create_task(self.watched.changed(), name=f"watch {self.base}")
        await asyncio.sleep(0)
        return changed

    def _fallen(self) -> frozenset[str]:
        """The feeds that a stream told of until now."""
        fallen = frozenset(self._wanted.feeds)
        self.live.difference_update(fallen)
        self._wanted = WantedTags(self.base)
        return fallen

    # --- one connection ---

    async def _connected(self, endpoint: Endpoint, wanted: WantedTags) -> AsyncGenerator[Streamed]:
        """What comes over one connection, until it closes; ``_trouble`` is then why."""
        buffer: Buffer[FeedEvent] = Buffer(lambda: self._wanted.feeds, capacity=_CAPACITY, at_once=_AT_ONCE)
        talk = asyncio.create_task(self._talk(endpoint, wanted, buffer), name=f"stream {self.base}")
        try:
            while (taken := await buffer.take()) is not None:
                confirmed = await self.homes.confirm(taken.items)
                yield Streamed(events=confirmed.events, missed=taken.missed, note=taken.note)
            await talk
        finally:
            talk.cancel()
            await asyncio.gather(talk, return_exceptions=True)
            self.live.difference_update(self._wanted.feeds)

    async def _talk(self, endpoint: Endpoint, wanted: WantedTags, buffer: Buffer[FeedEvent]) -> None:
        self._endpoint, first = None, next(iter(wanted.names))
        try:
            async with self.homes.about.api.http.sockets() as session:
                async with asyncio.timeout(self.patience.answer):
                    socket = await session.ws_connect(
                        endpoint.address(wanted.names[first]),
                        headers=endpoint.headers,
                        protocols=endpoint.protocols,
                        heartbeat=self.patience.beat,
                        max_msg_size=_LARGEST,
                        timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                    )
                self._endpoint = endpoint
                async with socket:
                    await self._converse(socket, endpoint, first, buffer)
            self._trouble = f"{endpoint.host} closed the stream"
        except (aiohttp.ClientError, FloodError, OSError) as error:
            self._trouble = f"{endpoint.host} {_reason(error)}"
        finally:
            buffer.end()

    async def _converse(self, socket: Socket, endpoint: Endpoint, first: str, buffer: Buffer[FeedEvent]) -> None:
        asking = asyncio.create_task(self._ask(socket, endpoint, first, buffer), name=f"subscriptions {self.base}")
        now, rate = asyncio.get_running_loop().time, Rate(_MOST)
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.ERROR:
                    if isinstance(message.data, FloodError):
                        raise message.data
                    return
                if rate.exceeded(now()):
                    raise FloodError(f"tells more than {_MOST} things a second")
                if message.type is aiohttp.WSMsgType.TEXT:
                    await self._hear(message.data, endpoint, buffer)
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError, aiohttp.ClientError, OSError):
                await asking

    async def _ask(self, socket: Socket, endpoint: Endpoint, first: str, buffer: Buffer[FeedEvent]) -> None:
        """Keep the subscriptions as they are wanted; a feed is polled when it is asked for, and once more a bit later.

        No server says when it has understood.
        """
        names = {first: first} if endpoint.first else {}
        while True:
            changed = await self._watching()
            try:
                wanted = wanted_at(self.base, self.watched.feeds)
                for folded, name in wanted.names.items():
                    if folded not in names:
                        await socket.send_str(endpoint.protocol.subscribe(name))
                for folded in names.keys() - wanted.names.keys():
                    await socket.send_str(endpoint.protocol.unsubscribe(names[folded]))
                new = wanted.feeds.keys() - self._wanted.feeds.keys()
                self.live.difference_update(self._wanted.feeds)
                self.live.update(wanted.feeds if endpoint.multiplexed else wanted.of_tags([first]))
                self._wanted, names = wanted, wanted.names
                if new:
                    buffer.miss(new)
                    if not (await asyncio.wait([changed], timeout=self.patience.settle))[0]:
                        buffer.miss(new)
                await changed
            finally:
                changed.cancel()

    async def _hear(self, text: str, endpoint: Endpoint, buffer: Buffer[FeedEvent]) -> None:
        hear = partial(endpoint.protocol.hear, text, self._wanted, self.homes.about.api.instances)
        heard = await off_loop(len(text), hear)
        if isinstance(heard, Complaint):
            self.live.difference_update(self._wanted.feeds)  # polls are as frequent as without a stream
            buffer.remark(f"{endpoint.host} does not stream all that was asked for: {heard.reason}")
        elif buffer.is_full:
            buffer.miss()  # polls will bring the posts, and re-checks what became of them
        elif heard:
            buffer.put(heard)


def _reason(error: Exception) -> str:
    """The rest of a sentence that begins with the host."""
    match error:
        case aiohttp.WSServerHandshakeError(status=401 | 403):
            return f"does not accept the access token under [sources.mastodon.tokens] (HTTP {error.status})"
        case aiohttp.WSServerHandshakeError():
            return f"does not stream (HTTP {error.status})"
        case _:
            return trouble_of(error)
