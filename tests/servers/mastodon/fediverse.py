"""A Mastodon server on loopback that does what the real one does and a mock leaves out.

Hashtags are links, a context is cut at 40 ancestors, 60 descendants and 20 generations, posts arrive late with low ids,
deleted posts orphan their answers, the server closes, counts requests, streams (``tests.servers.mastodon.streams``) and
breaks off, calls itself by any name, and any path can be made to answer anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from relay.http import Http, HttpSettings
from relay.plugins import PluginStorage
from relay.sources.mastodon import MastodonSettings, MastodonSource
from relay.sources.mastodon.budget import Budgets
from relay.sources.mastodon.live import LiveTimeouts
from tests.servers.mastodon import things
from tests.servers.mastodon.entities import Json, cut_page, fold, stamp, to_number
from tests.servers.mastodon.streams import Streams
from tests.servers.mastodon.things import FIRST_ID

Headers = Mapping[str, str]
_NONE: Headers = MappingProxyType({})

_CLOSED = {"error": "This method requires an authenticated user"}
_LOST = {"error": "Record not found"}


@dataclass
class Says:
    """An answer put before the true one."""

    status: int
    body: bytes
    headers: Headers
    times: int | None


@dataclass
class Fediverse:
    """One server: its people, its posts, and its moods."""

    base: str = ""
    posts: dict[int, Json] = field(default_factory=dict)
    accounts: dict[str, Json] = field(default_factory=dict)
    closed: int = 0
    """The status that visitors get for timelines and posts; 0: it is open."""
    local_only: bool = False
    """Of a hashtag, visitors may see local posts only."""
    hidden: bool = False
    """Hashtags are switched off: an empty list."""
    knows_many: bool = True
    """``GET /api/v1/statuses?id[]=`` (4.3)."""
    domain: str = ""
    """What it says that its people's handles end in; empty: its host."""
    fingers: dict[str, Json] = field(default_factory=dict)
    """What its WebFinger says, by resource."""
    access: Json | None = field(default_factory=lambda: {"local": "public", "remote": "public"})
    ancestors: int = 40
    descendants: int = 60
    depth: int = 20
    software: str = "mastodon"
    """What NodeInfo calls it; empty: there is none."""
    tokens: set[str] = field(default_factory=set)
    """Who shows one of these is let in."""
    shown: list[str] = field(default_factory=list)
    """What was shown with each request."""
    allowance: int | None = None
    """Requests that are left; then 429 until ``reset``."""
    reset: timedelta = timedelta(minutes=5)
    rss: bool = False
    """Hashtags are open as RSS, whatever the API says."""
    streaming: str = ""
    """Where it says that it streams; empty: it says nothing."""
    streams: Streams = field(default_factory=Streams)
    asked: list[str] = field(default_factory=list)
    """Path and query of each request, in order."""
    says: list[tuple[re.Pattern[str], Says]] = field(default_factory=list)

    # --- what a test does ---

    def person(self, acct: str, **changes: Any) -> Json:
        """An account; ``acct`` with a host is somebody of another server."""
        if acct not in self.accounts:
            who, _, host = acct.partition("@")
            home = f"https://{host}" if host else self.base
            self.accounts[acct] = things.account(str(FIRST_ID + len(self.accounts)), who, acct, home)
        self.accounts[acct].update(changes)
        return self.accounts[acct]

    def post(self, text: str, by: str = "ana", *, reply_to: Json | None = None, id: int = 0, **changes: Any) -> Json:  # noqa: A002 - the API's own word
        """A post as the API tells it; its place in the order is ``id``, its hashtags come from the text."""
        number = id or max(self.posts, default=FIRST_ID) + 65536
        author = self.person(by)
        home = author["url"].rpartition("/@")[0]
        status = things.status(number, text, author, home, self.base)
        if reply_to:
            reply_to["replies_count"] += 1
            status |= {
                "in_reply_to_id": reply_to["id"],
                "in_reply_to_account_id": things.carried_over(reply_to, author),
            }
        self.posts[number] = status | changes
        self.streams.tell("update", self.posts[number])
        return self.posts[number]

    def carry(self, status: Json, **changes: Any) -> Json:
        """Tell a post of another server's person, under an id and an account of our own."""
        number = max(self.posts, default=FIRST_ID) + 65536
        home = status["account"]["url"].partition("://")[2].partition("/")[0]
        known = self.person(f"{status['account']['username']}@{home}")
        account = status["account"] | {"id": known["id"], "acct": known["acct"]}
        self.posts[number] = status | {"id": str(number), "account": account} | changes
        self.streams.tell("update", self.posts[number])
        return self.posts[number]

    def edit(self, status: Json, text: str) -> None:
        edited = datetime.fromisoformat(status["edited_at"] or status["created_at"]) + timedelta(minutes=3)
        status |= {"content": things.content(text, self.base), "edited_at": stamp(edited)}
        self.streams.tell(self.streams.edits, status)

    def delete(self, status: Json) -> None:
        """The children lose their parent, as in the real database."""
        del self.posts[int(status["id"])]
        self.streams.tell("delete", status)
        for child in self.posts.values():
            if child["in_reply_to_id"] == status["id"]:
                child["in_reply_to_id"] = None

    def say(
        self, path: str, body: object = b"", *, status: int = 200, times: int | None = None, headers: Headers = _NONE
    ) -> None:
        """Answer requests whose path and query contain a match of ``path`` with this instead."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.says.append((re.compile(path), Says(status, raw, headers, times)))

    # --- what a visitor sees ---

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._mood])
        app.add_routes(
            [
                web.get("/.well-known/nodeinfo", self._nodeinfo),
                web.get("/nodeinfo/2.1", self._nodeinfo),
                web.get("/api/v2/instance", self._instance),
                web.get("/.well-known/webfinger", self._finger),
                web.get("/api/v1/streaming", self._stream),
                web.get("/tags/{tag}.rss", self._rss),
                web.get("/api/v1/timelines/tag/{tag}", self._tag),
                web.get("/api/v1/accounts/lookup", self._lookup),
                web.get("/api/v1/accounts/{id}", self._account),
                web.get("/api/v1/accounts/{id}/statuses", self._account_statuses),
                web.get("/api/v1/statuses", self._many),
                web.get("/api/v1/statuses/{id}", self._one),
                web.get("/api/v1/statuses/{id}/context", self._context),
            ]
        )
        return app

    @web.middleware
    async def _mood(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        self.shown.append(self._token(request))
        for entry in self.says:
            pattern, says = entry
            if pattern.search(request.path_qs):
                if says.times is not None:
                    says.times -= 1
                    if says.times == 0:
                        self.says.remove(entry)
                return web.Response(status=says.status, body=says.body, headers=dict(says.headers))
        api = request.path.startswith("/api/v1/") and request.path != "/api/v1/streaming"
        if api and (self.closed or self._token(request)) and not self._enters(request):
            return web.json_response(_CLOSED, status=self.closed or 401)
        answer: web.StreamResponse = await handler(request) if self._counted() else web.Response(status=429)
        if self.allowance is not None and not answer.prepared:
            until = (datetime.now(UTC) + self.reset).isoformat().replace("+00:00", "Z")
            answer.headers["X-RateLimit-Remaining"] = str(max(self.allowance, 0))
            answer.headers["X-RateLimit-Reset"] = until
        return answer

    def _counted(self) -> bool:
        if self.allowance is None:
            return True
        self.allowance -= 1
        return self.allowance >= 0

    def _token(self, request: web.Request) -> str:
        return request.headers.get("Authorization", "").removeprefix("Bearer ")

    def _enters(self, request: web.Request) -> bool:
        return self._token(request) in self.tokens

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        return await self.streams.connect(request, self.tokens)

    async def _nodeinfo(self, request: web.Request) -> web.Response:
        if not self.software:
            return web.Response(status=404)
        if request.path == "/nodeinfo/2.1":
            return web.json_response({"version": "2.1", "software": {"name": self.software, "version": "4.6.4"}})
        rel = "http://nodeinfo.diaspora.software/ns/schema/2.1"
        return web.json_response({"links": [{"rel": rel, "href": f"{self.base}/nodeinfo/2.1"}]})

    async def _rss(self, request: web.Request) -> web.Response:
        tag = fold(request.match_info["tag"])
        found = [s for s in self._visible({"public"}) if tag in _tags(s)]
        body = things.rss(sorted(found, key=lambda s: int(s["id"]), reverse=True) if self.rss else [])
        return web.Response(body=body, content_type="application/rss+xml")

    async def _instance(self, request: web.Request) -> web.Response:
        configuration: Json = {"timelines_access": {"hashtag_feeds": self.access}} if self.access else {}
        if self.streaming:
            configuration["urls"] = {"streaming": self.streaming}
        domain = self.domain or self.base.partition("://")[2]
        return web.json_response({"domain": domain, "version": "4.6.4", "configuration": configuration})

    async def _finger(self, request: web.Request) -> web.Response:
        found = self.fingers.get(request.query.get("resource", ""))
        return web.json_response(found, content_type="application/jrd+json") if found else web.Response(status=404)

    async def _tag(self, request: web.Request) -> web.Response:
        local = request.query.get("local") == "true"
        if self.local_only and not local and not self._enters(request):
            return web.json_response(_CLOSED, status=422)
        tag = fold(request.match_info["tag"])
        found = [] if self.hidden else [s for s in self._visible({"public"}) if tag in _tags(s)]
        found = [s for s in found if _listed(s, request)]
        return self._page(request, [s for s in found if not local or "@" not in s["account"]["acct"]])

    async def _account_statuses(self, request: web.Request) -> web.Response:
        if request.match_info["id"] not in {account["id"] for account in self.accounts.values()}:
            return web.json_response(_LOST, status=404)
        found = [s for s in self._visible({"public", "unlisted"}) if s["account"]["id"] == request.match_info["id"]]
        return self._page(request, [s for s in found if not s["reblog"] or "exclude_reblogs" not in request.query])

    def _page(self, request: web.Request, statuses: Iterable[Json]) -> web.Response:
        found = {int(status["id"]): status for status in statuses}
        return web.json_response([found[number] for number in cut_page(found, request.query)])

    async def _lookup(self, request: web.Request) -> web.Response:
        own = "@" + self.base.partition("://")[2]
        account = self.accounts.get(request.query.get("acct", "").lower().removeprefix("@").removesuffix(own))
        return web.json_response(account or _LOST, status=200 if account else 404)

    async def _account(self, request: web.Request) -> web.Response:
        account = next((one for one in self.accounts.values() if one["id"] == request.match_info["id"]), None)
        return web.json_response(account or _LOST, status=200 if account else 404)

    async def _many(self, request: web.Request) -> web.Response:
        if not self.knows_many:
            return web.json_response(_LOST, status=404)
        asked = [to_number(number) for number in request.query.getall("id[]", [])]
        if len(asked) > 20:
            return web.json_response({"error": "Too many"}, status=422)
        return web.json_response([s for s in self._visible({"public", "unlisted"}) if int(s["id"]) in asked])

    async def _one(self, request: web.Request) -> web.Response:
        status = self._find(request)
        return web.json_response(status or _LOST, status=200 if status else 404)

    async def _context(self, request: web.Request) -> web.Response:
        status = self._find(request)
        if status is None:
            return web.json_response(_LOST, status=404)
        seen = {int(one["id"]) for one in self._visible({"public", "unlisted"})}
        seen = {*self.posts} if self._enters(request) else seen
        above = [one for one in [*self._above(status)][: self.ancestors] if int(one["id"]) in seen]
        below = [one for one in [*self._below(status, self.depth)][: self.descendants] if int(one["id"]) in seen]
        # The real server then moves self-replies to the front, in no order of the thread.
        below.sort(key=lambda s: s["in_reply_to_account_id"] != s["account"]["id"])
        return web.json_response({"ancestors": above[::-1], "descendants": below})

    def _find(self, request: web.Request) -> Json | None:
        """Whose private posts a token may see is not asked."""
        status = self.posts.get(to_number(request.match_info["id"]))
        seen = status and (status["visibility"] in {"public", "unlisted"} or self._enters(request))
        return status if seen else None

    def _above(self, status: Json) -> Iterable[Json]:
        """The nearest first."""
        while parent := self.posts.get(int(status["in_reply_to_id"] or 0)):
            yield parent
            status = parent

    def _below(self, status: Json, depth: int) -> Iterable[Json]:
        """Depth first, oldest child first."""
        for number in sorted(self.posts) if depth else ():
            child = self.posts[number]
            if child["in_reply_to_id"] == status["id"]:
                yield child
                yield from self._below(child, depth - 1)

    def _visible(self, visibilities: set[str]) -> list[Json]:
        return [status for status in self.posts.values() if status["visibility"] in visibilities]


def _listed(status: Json, request: web.Request) -> bool:
    """As the real server does it: of each list the first four names count."""
    has = _tags(status)
    must, must_not = ({fold(name) for name in request.query.getall(n, [])[:4]} for n in ("all[]", "none[]"))
    return must <= has and not must_not & has


def _tags(status: Json) -> set[str]:
    return {fold(tag["name"]) for tag in status["tags"]}


@asynccontextmanager
async def run(stage: Fediverse | None = None) -> AsyncIterator[Fediverse]:
    """The server on a free port of 127.0.0.1, until the block ends."""
    stage = stage or Fediverse()
    async with TestServer(stage.app(), host="127.0.0.1") as server:
        stage.base = f"http://127.0.0.1:{server.port}"
        yield stage


@asynccontextmanager
async def asking(
    *instances: str,
    tokens: Mapping[str, str] = _NONE,
    notes: PluginStorage | None = None,
    patience: LiveTimeouts | None = None,
    budgets: Budgets | None = None,
    **settings: object,
) -> AsyncIterator[MastodonSource]:
    """The source with these instances in its settings, allowed to reach loopback and in no need to dawdle."""
    web_settings = HttpSettings.model_validate({"pace": "0s", "timeout": "5s", "allow_private": ["127.0.0.0/8"]})
    secrets = {instance: SecretStr(token) for instance, token in tokens.items()}
    told = MastodonSettings.model_validate({"instances": instances, "tokens": secrets, **settings})
    async with Http(web_settings, user_agent="test") as http:
        yield MastodonSource(told, http, notes, patience=patience, budgets=budgets)


__all__ = ["FIRST_ID", "Fediverse", "Json", "asking", "cut_page", "run", "stamp"]
