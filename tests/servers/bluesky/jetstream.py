"""A Jetstream (v1, ``/subscribe``) on loopback: it replays, clamps, filters, packs, and breaks off as the real ones do.

What it tells is made here, in the shape of the network and of people who do not exist.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.test_utils import TestServer

from tests.servers.floods import pour

Json = dict[str, Any]

POSTS = "app.bsky.feed.post"
_BASE32 = "234567abcdefghijklmnopqrstuvwxyz"
_SECOND = 1_000_000


def tid(micros: int) -> str:
    """A record key or a revision: a time, written so that text sorts as time (atproto.com/specs/tid)."""
    number = micros << 10
    return "".join(_BASE32[number >> shift & 31] for shift in range(60, -1, -5))


def did(name: str) -> str:
    """The DID of an invented person."""
    digest = hashlib.sha256(name.encode()).digest()
    return "did:plc:" + "".join(_BASE32[byte & 31] for byte in digest[:24])


def cid(of: object) -> str:
    digest = hashlib.sha256(repr(of).encode()).digest() * 2
    return "bafyrei" + "".join(_BASE32[byte & 31] for byte in digest[:52]).replace("8", "2").replace("9", "3")


def stamp(micros: int) -> str:
    return datetime.fromtimestamp(micros / _SECOND, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record(text: str, micros: int, **more: Any) -> Json:
    """A post as it stands in a repository; each ``#word`` in it is a facet."""
    facets = []
    for found in re.finditer(r"#\w+", text):
        start, end = (len(text[:place].encode()) for place in found.span())
        feature = {"$type": "app.bsky.richtext.facet#tag", "tag": found[0][1:]}
        facets.append({"index": {"byteStart": start, "byteEnd": end}, "features": [feature]})
    made = {"$type": POSTS, "createdAt": stamp(micros), "langs": ["es"], "text": text}
    return made | ({"facets": facets} if facets else {}) | more


@dataclass(frozen=True, slots=True)
class Told:
    """One message, and when the server had it. ``raw`` is what is sent, sound or not."""

    time_us: int
    raw: bytes
    who: str = ""
    collection: str = ""


@dataclass
class Network:
    """What happens, in its order; every server tells the same, each by its own clock."""

    now: int
    """Microseconds of Unix time; each event is a little later than the one before."""
    step: int = 40_000
    told: list[Told] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def tick(self) -> int:
        self.now += self.step
        return self.now

    def body(self, text: str, **more: Any) -> Json:
        """The record of a post that is written now."""
        return record(text, self.now, **more)

    def post(self, name: str, text: str, **more: Any) -> str:
        """Write a post; answers its uri."""
        at = self.tick()
        return self.write(name, tid(at), record(text, at, **more))

    def write(self, name: str, rkey: str, body: object, operation: str = "create", collection: str = POSTS) -> str:
        commit: Json = {"operation": operation, "collection": collection, "rkey": rkey}
        commit |= {} if operation == "delete" else {"record": body, "cid": cid(body)}
        self._commit(name, commit)
        return f"at://{did(name)}/{collection}/{rkey}"

    def delete(self, uri: str, name: str) -> None:
        self.write(name, uri.rpartition("/")[2], None, "delete")

    def edit(self, uri: str, name: str, text: str) -> None:
        self.write(name, uri.rpartition("/")[2], record(text, self.now), "update")

    def account(self, name: str, *, active: bool, status: str = "") -> None:
        about = {"active": active, "did": did(name), "seq": len(self.told), "time": stamp(self.now)}
        self._tell(name, {"kind": "account", "account": about | ({"status": status} if status else {})})

    def identity(self, name: str) -> None:
        about = {"did": did(name), "handle": f"{name}.ayllu.example", "seq": len(self.told), "time": stamp(self.now)}
        self._tell(name, {"kind": "identity", "identity": about})

    def junk(self, raw: bytes) -> None:
        """Something that is no event."""
        self._add(Told(self.tick(), raw))

    def _commit(self, name: str, commit: Json) -> None:
        self._tell(name, {"kind": "commit", "commit": {"rev": tid(self.now + 1), **commit}}, commit["collection"])

    def _tell(self, name: str, event: Json, collection: str = "") -> None:
        at = self.tick()
        whole = {"did": did(name), "time_us": at, **event}
        self._add(
            Told(at, json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode(), did(name), collection)
        )

    def _add(self, told: Told) -> None:
        self.told.append(told)
        self.news.set()
        self.news = asyncio.Event()


@dataclass
class Wish:
    """What a connection asked for."""

    collections: Sequence[str]
    dids: frozenset[str]
    largest: int

    def wants(self, told: Told) -> bool:
        if self.largest and len(told.raw) > self.largest:
            return False
        if told.who and self.dids and told.who not in self.dids:
            return False
        return not told.collection or not self.collections or told.collection in self.collections


@dataclass
class Jetstream:
    """One server. ``cut`` says after how many messages each connection breaks off; None: it holds."""

    network: Network
    cut: Callable[[], int | None] = lambda: None
    skew: int = 0
    """How much later than the network's time this server's clock is, in microseconds."""
    floor: int = 0
    """What is older was thrown away; who asks for it silently gets what is left."""
    status: int = 0
    """What it answers instead of listening; 0: it listens."""
    mute: bool = False
    """It takes connections and tells nothing."""
    honest_about_size: bool = True
    """It leaves out what is larger than was asked for."""
    patience: float = 5.0
    """Who does not read for so many seconds is dropped."""
    flood: bytes = b""
    """What each connection is filled with, as it goes over the wire."""
    address: str = ""
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    """The query of each connection."""
    hellos: list[Json] = field(default_factory=list)
    packed: list[bool] = field(default_factory=list)
    """Whether each connection agreed on permessage-deflate."""
    agents: list[str] = field(default_factory=list)
    dropped: int = 0
    """How many read too slowly."""
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody is connected and has said what they want."""
    live: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody listens from now on."""
    dropping: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Jetstream]:
        app = web.Application()
        app.router.add_get("/subscribe", self._subscribe)
        server = TestServer(app)
        await server.start_server()
        self.address = str(server.make_url("/")).replace("http://", "ws://").rstrip("/")
        try:
            yield self
        finally:
            await server.close()

    async def _subscribe(self, request: web.Request) -> web.StreamResponse:
        query = {key: request.query.getall(key) for key in request.query}
        self.asked.append(query)
        self.agents.append(request.headers["User-Agent"])
        if self.status:
            return web.Response(status=self.status)
        socket = web.WebSocketResponse(compress=True)
        await socket.prepare(request)
        self.packed.append(bool(socket.compress))
        if self.flood:
            return await pour(request, socket, self.flood)
        wish = _wish(query)
        if query.get("requireHello") == ["true"]:
            wish = await self._hello(socket)
        if not self.honest_about_size:
            wish.largest = 0
        tasks = [
            asyncio.create_task(_hear_the_end(socket)),
            asyncio.create_task(self._tell(request, socket, wish, int(query.get("cursor", ["0"])[0]))),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return socket

    async def _hello(self, socket: web.WebSocketResponse) -> Wish:
        message = json.loads((await socket.receive()).data)
        self.hellos.append(message)
        payload = message["payload"]
        return Wish(payload["wantedCollections"], frozenset(payload["wantedDids"]), payload["maxMessageSizeBytes"])

    async def _tell(self, request: web.Request, socket: web.WebSocketResponse, wish: Wish, cursor: int) -> None:
        left = self.cut()
        place = self._first(cursor)
        self.listening.set()
        if not cursor:
            self.live.set()
        while True:
            news = self.network.news
            while place < len(self.network.told) and not self.mute:
                told = self.network.told[place]
                place += 1
                if not wish.wants(told):
                    continue
                if left is not None and left <= 0:
                    await self._break_off(request, socket)
                    return
                left = left and left - 1
                if not await self._send(socket, told):
                    return
            await news.wait()

    def _first(self, cursor: int) -> int:
        """Where to begin: what is newer than now, or no cursor, is from now on; what is too old is all that is left."""
        told, end = self.network.told, len(self.network.told)
        if not cursor or not told or cursor > told[-1].time_us + self.skew:
            return end
        return next((i for i in range(end) if told[i].time_us + self.skew >= max(cursor, self.floor)), end)

    async def _send(self, socket: web.WebSocketResponse, told: Told) -> bool:
        try:
            async with asyncio.timeout(self.patience):
                await socket.send_frame(self._by_my_clock(told), WSMsgType.TEXT)
        except TimeoutError:
            self.dropped += 1
            self.dropping.set()
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"ConsumerTooSlow", drain=False)
            return False
        except ConnectionError:
            return False
        return True

    def _by_my_clock(self, told: Told) -> bytes:
        theirs, mine = (f'"time_us":{time}'.encode() for time in (told.time_us, told.time_us + self.skew))
        return told.raw.replace(theirs, mine)

    async def _break_off(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        """Every other time without a word."""
        if len(self.asked) % 2 and request.transport is not None:
            request.transport.abort()
        else:
            with suppress(ConnectionError):
                await socket.close(code=WSCloseCode.GOING_AWAY)


def _wish(query: dict[str, list[str]]) -> Wish:
    largest = int(query.get("maxMessageSizeBytes", ["0"])[0])
    return Wish(query.get("wantedCollections", []), frozenset(query.get("wantedDids", [])), largest)


async def _hear_the_end(socket: web.WebSocketResponse) -> None:
    async for _ in socket:
        pass
