"""Bluesky's servers on loopback: an AppView for visitors, the entrance for accounts, and their real home.

Visitors may not search, sessions run out and are limited, and any path can be made to answer anything.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from relay.http import Http, HttpSettings
from relay.plugins import Host
from relay.sources.bluesky import BlueskySettings, BlueskySource
from tests.servers.bluesky import account
from tests.servers.bluesky.jetstream import POSTS, cid
from tests.servers.bluesky.world import Json, World

Headers = Mapping[str, str]
_NONE: Headers = MappingProxyType({})
HTML = b"<!doctype html><title>403 Forbidden</title>"
HANDLE, PASSWORD = "chaski.ayllu.example", "abcd-efgh-ijkl-mnop"
CHASKI = "did:plc:chaski234567"


class RefusalError(Exception):
    """What the server says instead."""

    def __init__(self, error: str, message: str = "", status: int = 400) -> None:
        super().__init__(error)
        self.body = {"error": error, "message": message or error}
        self.status = status


@dataclass
class Says:
    """An answer put before the true one."""

    status: int
    body: bytes
    headers: Headers
    times: int | None


@dataclass
class Stage:
    """Three servers over one world."""

    world: World = field(default_factory=World)
    appview: str = ""
    entrance: str = ""
    home: str = ""
    sign_ins: int = 30
    """How many sessions may still be made."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Tokens in force and what each is for: ``access`` or ``renewal``."""
    issued: int = 0
    writes: int = 1000
    """How many records may still be written."""
    put: list[Json] = field(default_factory=list)
    """What was to be written, in order."""
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    closed: bool = False
    """The AppView turns visitors away."""
    asked: list[str] = field(default_factory=list)
    """The server, path and query of each request, in order."""
    says: list[tuple[re.Pattern[str], Says]] = field(default_factory=list)

    # --- what a test does ---

    def say(
        self, path: str, body: object = b"", *, status: int = 200, times: int | None = None, headers: Headers = _NONE
    ) -> None:
        """Answer requests whose server, path and query contain a match of ``path`` with this instead."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.says.append((re.compile(path), Says(status, raw, headers, times)))

    def expire(self, kind: str = "access") -> None:
        """All tokens of a kind run out."""
        self.tokens = {token: use for token, use in self.tokens.items() if use != kind}

    async def hears(self, what: str, times: int = 1) -> None:
        """Wait until it was asked for what so many times more."""
        until = self.count(what) + times
        async with self.news:
            await self.news.wait_for(lambda: self.count(what) >= until)

    def count(self, what: str) -> int:
        return sum(what in asked for asked in self.asked)

    # --- the servers ---

    def app(self, place: str) -> web.Application:
        async def handle(request: web.Request) -> web.Response:
            async with self.news:
                self.asked.append(f"{place}{request.path_qs}")
                self.news.notify_all()
            if said := self._said(self.asked[-1]):
                return web.Response(status=said.status, body=said.body, headers=dict(said.headers))
            try:
                return await self._answer(place, request)
            except RefusalError as refusal:
                return web.json_response(refusal.body, status=refusal.status)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        return app

    def _said(self, asked: str) -> Says | None:
        for entry in self.says:
            pattern, says = entry
            if pattern.search(asked):
                if says.times is not None:
                    says.times -= 1
                    if says.times == 0:
                        self.says.remove(entry)
                return says
        return None

    async def _answer(self, place: str, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if path.startswith("did:"):
            return web.json_response(self._document(path))
        method = path.removeprefix("xrpc/")
        if method.startswith("com.atproto.server."):
            if place == "appview":
                raise RefusalError("XRPCNotSupported", status=404)
            return await self._server(method.rpartition(".")[2], request)
        if place == "appview" and (self.closed or method == "app.bsky.feed.searchPosts"):
            return web.Response(status=403, body=HTML, content_type="text/html")
        if request.method == "POST":
            return self._put(place, request, await request.json())
        if place != "appview" and not method.startswith("com.atproto.repo."):
            if place == "entrance":
                raise RefusalError("UpstreamFailure", status=502)
            self._authorise(request, "access")
        read: Callable[[Any], Json] | None = getattr(self, "_" + method.rpartition(".")[2], None)
        if read is None:
            raise RefusalError("MethodNotImplemented", status=501)
        return web.json_response(read(request.query))

    # --- writing ---

    def _put(self, place: str, request: web.Request, body: Json) -> web.Response:
        self._authorise(request, "access")
        if place != "home" or not request.path.endswith("/com.atproto.repo.putRecord") or body["repo"] != CHASKI:
            raise RefusalError("MethodNotImplemented", status=501)
        if not self.writes:
            wait = {"ratelimit-remaining": "0", "ratelimit-reset": str(int(datetime.now(UTC).timestamp()) + 600)}
            return web.json_response({"error": "RateLimitExceeded"}, status=429, headers=wait)
        self.writes -= 1
        self.put.append(body)
        try:
            return web.json_response(account.put(self.world, body))
        except account.SwapError:
            raise RefusalError("InvalidSwap", "Record was at another version") from None
        except account.RecordError as error:
            raise RefusalError("InvalidRequest", f"Invalid app.bsky.feed.post record: {error}") from None

    # --- sessions ---

    async def _server(self, method: str, request: web.Request) -> web.Response:
        if method == "createSession":
            return self._create(await request.json() if request.content_type == "application/json" else {})
        if method == "refreshSession":
            token = self._authorise(request, "renewal")
            del self.tokens[token]
            return web.json_response(self._session())
        self._authorise(request, "access")
        return web.json_response({"did": CHASKI, "handle": HANDLE})

    def _create(self, body: Json) -> web.Response:
        if not self.sign_ins:
            limit = {"ratelimit-limit": "30", "ratelimit-remaining": "0", "ratelimit-policy": "30;w=300"}
            wait = {"ratelimit-reset": str(int(datetime.now(UTC).timestamp()) + 290), "retry-after": "290"}
            return web.json_response({"error": "RateLimitExceeded"}, status=429, headers=limit | wait)
        self.sign_ins -= 1
        if body != {"identifier": HANDLE, "password": PASSWORD}:
            raise RefusalError("AuthenticationRequired", "Invalid identifier or password", 401)
        return web.json_response(self._session())

    def _session(self) -> Json:
        self.issued += 1
        tokens = {"accessJwt": f"access-{self.issued}", "refreshJwt": f"renewal-{self.issued}"}
        self.tokens |= {tokens["accessJwt"]: "access", tokens["refreshJwt"]: "renewal"}
        about = {"handle": HANDLE, "did": CHASKI, "active": True}
        return tokens | about | {"didDoc": self._document(CHASKI)}

    def _document(self, who: str) -> Json:
        service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": self.home}
        return {"id": who, "alsoKnownAs": [f"at://{HANDLE}"], "service": [service]}

    def _authorise(self, request: web.Request, kind: str) -> str:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token:
            raise RefusalError("AuthMissing", "Authentication Required", 401)
        if self.tokens.get(token) != kind:
            raise RefusalError("ExpiredToken", "Token has expired")
        return token

    # --- the AppView ---

    def _resolveHandle(self, query: Any) -> Json:  # noqa: N802 - the protocol's names, here and below
        return {"did": self._person(query["handle"], "Unable to resolve handle")["did"]}

    def _getProfile(self, query: Any) -> Json:  # noqa: N802 - as above
        return self._person(query["actor"]) | {"followersCount": 0, "postsCount": 0}

    def _getProfiles(self, query: Any) -> Json:  # noqa: N802 - as above
        people = (self.world.find(who) for who in self._few(query.getall("actors")))
        return {"profiles": [person for person in people if person]}

    def _getPosts(self, query: Any) -> Json:  # noqa: N802 - as above
        views = (self.world.view(uri) for uri in self._few(query.getall("uris")))
        return {"posts": [view for view in views if view]}

    def _getAuthorFeed(self, query: Any) -> Json:  # noqa: N802 - as above
        who = self._person(query["actor"])["did"]
        before, limit = query.get("cursor", "~"), self._limit(query)
        entries = [(at, entry) for at, entry in self.world.feed(who) if at < before][:limit]
        more = {"cursor": entries[-1][0]} if len(entries) == limit else {}
        return {"feed": [entry for _, entry in entries]} | more

    def _searchPosts(self, query: Any) -> Json:  # noqa: N802 - as above
        start, limit = int(query.get("cursor", 0)), self._limit(query)
        found = self.world.search(query["tag"]) if query.get("q") else []
        more = {"cursor": str(start + limit)} if len(found) > start + limit else {}
        return {"posts": found[start : start + limit]} | more

    def _getPostThread(self, query: Any) -> Json:  # noqa: N802 - as above
        tree = self.world.tree(query["uri"], int(query.get("depth", 6)), int(query.get("parentHeight", 80)))
        if tree is None:
            raise RefusalError("NotFound", f"Post not found: {query['uri']}")
        return {"thread": tree}

    def _listNotifications(self, query: Any) -> Json:  # noqa: N802 - as above
        reasons = query.getall("reasons")
        return account.list_notifications(self.world, reasons, self._limit(query), query.get("cursor"))

    # --- a repository ---

    def _getRecord(self, query: Any) -> Json:  # noqa: N802 - as above
        uri = f"at://{query['repo']}/{query['collection']}/{query['rkey']}"
        if query["collection"] == account.PROFILE and query["repo"] != CHASKI:
            value = self.world.people[query["repo"]]
            own = {"$type": "com.atproto.label.defs#selfLabels", "values": value["labels"]}
            return {"uri": uri, "cid": cid(value), "value": {"displayName": value["displayName"], "labels": own}}
        if uri not in self.world.records:
            raise RefusalError("RecordNotFound", f"Could not locate record: {uri}")
        return self._kept(uri)

    def _listRecords(self, query: Any) -> Json:  # noqa: N802 - as above
        uris = [uri for uri in self.world.records if uri.startswith(f"at://{query['repo']}/{POSTS}/")]
        uris = sorted(uris, reverse=query.get("reverse") != "true")
        cursor, limit = query.get("cursor"), self._limit(query)
        if cursor and query.get("reverse") == "true":
            uris = [uri for uri in uris if uri.rpartition("/")[2] > cursor]
        page = uris[:limit]
        more = {"cursor": page[-1].rpartition("/")[2]} if page else {}
        return {"records": [self._kept(uri) for uri in page]} | more

    def _kept(self, uri: str) -> Json:
        return {"uri": uri, "cid": cid(self.world.records[uri]), "value": self.world.records[uri]}

    def _person(self, who: str, unknown: str = "Profile not found") -> Json:
        found = self.world.find(who)
        if found is None:
            raise RefusalError("InvalidRequest", unknown)
        return found

    def _few(self, wanted: list[str]) -> list[str]:
        if len(wanted) > 25:
            raise RefusalError("InvalidRequest", "Error: must not have more than 25 elements")
        return wanted

    def _limit(self, query: Any) -> int:
        limit = int(query.get("limit", 50))
        if limit > 100:
            raise RefusalError("InvalidRequest", "Error: limit can not be greater than 100")
        return limit


@asynccontextmanager
async def run(stage: Stage | None = None) -> AsyncIterator[Stage]:
    """The servers on free ports of 127.0.0.1, until the block ends."""
    stage = stage or Stage()
    async with (
        TestServer(stage.app("appview"), host="127.0.0.1") as appview,
        TestServer(stage.app("entrance"), host="127.0.0.1") as entrance,
        TestServer(stage.app("home"), host="127.0.0.1") as home,
    ):
        stage.appview, stage.entrance, stage.home = (
            f"http://127.0.0.1:{server.port}" for server in (appview, entrance, home)
        )
        yield stage


@asynccontextmanager
async def client() -> AsyncIterator[Http]:
    """Allowed to reach loopback and in no need to dawdle."""
    settings = HttpSettings.model_validate({"pace": "0s", "timeout": "5s", "allow_private": ["127.0.0.0/8"]})
    async with Http(settings, user_agent="test") as http:
        yield http


@asynccontextmanager
async def asking(stage: Stage, **settings: Any) -> AsyncIterator[BlueskySource]:
    """The source with these servers in its settings."""
    where = {"api_url": stage.appview, "directory_url": stage.home, "pds_url": stage.entrance, **settings}
    async with client() as http:
        yield BlueskySource(BlueskySettings.model_validate(where), Host(http=http, name="test"))


ACCOUNT: Json = {"handle": HANDLE, "app_password": PASSWORD}
