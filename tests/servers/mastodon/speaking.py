"""What the server tells an account with a token, and takes from it (docs.joinmastodon.org/methods, 4.6)."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from tests.servers.mastodon import entities
from tests.servers.mastodon.entities import Draft, Json, Person

MOST = 80


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification of a mention."""

    id: int
    to: str
    status: int


@dataclass(slots=True)
class Speaking:
    """Tokens, notifications, and posting by program; the first five are the server's."""

    people: dict[str, Person]
    accounts: dict[str, Json]
    statuses: dict[int, Json]
    tokens: set[str]
    post: Callable[[Draft], str]
    told: Callable[[Json], Json] = dict
    """How a notification tells a post."""
    deaf: set[str] = field(default_factory=set)
    """Who may not read notifications: their token lacks the scope."""
    posted: list[str] = field(default_factory=list)
    """The ids of what was posted by program, in order."""
    silent: asyncio.Event | None = None
    """Set: what is posted stands there, and its answer waits for this."""
    asked: int = 0
    """How often somebody read notifications from a place on."""
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    """Told of all this."""
    _tokens: dict[str, str] = field(default_factory=dict)
    _keys: dict[tuple[str, str], str] = field(default_factory=dict)
    _notices: list[Notice] = field(default_factory=list)

    @property
    def bots(self) -> set[str]:
        return {username for username, account in self.accounts.items() if account["bot"]}

    def mark(self, username: str) -> None:
        """The account says of itself that it is a bot."""
        self.accounts[username]["bot"] = True

    def grant(self, username: str) -> str:
        """A token of the account."""
        token = secrets.token_urlsafe(16)
        self._tokens[token] = username
        self.tokens.add(token)
        return token

    def hear(self, status: Json, text: str) -> None:
        """Notify whom a new post mentions; people are not notified of what they write themselves."""
        for person in entities.mentioned(text, self.people):
            if person.username != status["account"]["username"]:
                self._notices.append(Notice(len(self._notices) + 1, person.username, int(status["id"])))

    async def spoken(self, count: int) -> None:
        """Return when so much was posted by program."""
        async with self.news:
            await self.news.wait_for(lambda: len(self.posted) >= count)

    async def attended(self) -> None:
        """Return when a program reads on from where notifications stood: what is said now is news to it."""
        async with self.news:
            await self.news.wait_for(lambda: bool(self.asked))

    def forget_keys(self) -> None:
        """An hour is over: keys of idempotency are not known any more."""
        self._keys.clear()

    def who(self, request: web.Request) -> str:
        """Whose token the request shows; empty where it shows none, or an unknown one."""
        return self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "), "")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/accounts/verify_credentials", self._get_own),
            web.patch("/api/v1/accounts/update_credentials", self._patch_own),
            web.get("/api/v1/notifications", self._get_notifications),
            web.post("/api/v1/statuses", self._post_status),
        ]

    def _own(self, request: web.Request) -> str:
        if username := self.who(request):
            return username
        raise web.HTTPUnauthorized(text=_error("The access token is invalid"), content_type="application/json")

    async def _get_own(self, request: web.Request) -> web.Response:
        return web.json_response(self.accounts[self._own(request)])

    async def _patch_own(self, request: web.Request) -> web.Response:
        username = self._own(request)
        if (await request.json()).get("bot"):
            self.mark(username)
        return web.json_response(self.accounts[username])

    async def _get_notifications(self, request: web.Request) -> web.Response:
        """Only mentions happen here; newest first, ``min_id`` takes the page just above it."""
        username, query = self._own(request), request.query
        if username in self.deaf:
            text = _error("This action is outside the authorized scopes")
            raise web.HTTPForbidden(text=text, content_type="application/json")
        if "min_id" in query:
            async with self.news:
                self.asked += 1
                self.news.notify_all()
        above, limit = int(query.get("min_id", 0)), min(int(query.get("limit", 40)), MOST)
        there = [one for one in self._notices if one.to == username and one.id > above and one.status in self.statuses]
        page = there[:limit] if "min_id" in query else there[-limit:]
        return web.json_response([self._notification(one) for one in reversed(page)])

    def _notification(self, notice: Notice) -> Json:
        """https://docs.joinmastodon.org/entities/Notification/"""
        status = self.statuses[notice.status]
        return {
            "id": str(notice.id),
            "type": "mention",
            "group_key": f"ungrouped-{notice.id}",
            "created_at": status["created_at"],
            "account": status["account"],
            "status": self.told(status),
        }

    async def _post_status(self, request: web.Request) -> web.Response:
        username, said = self._own(request), await request.json()
        key = username, request.headers.get("idempotency-key", "")
        if key[1] and key in self._keys:
            return web.json_response(self.statuses[int(self._keys[key])])
        parent = str(said.get("in_reply_to_id") or "")
        if parent and int(parent) not in self.statuses:
            raise web.HTTPNotFound(text=_error("Record not found"), content_type="application/json")
        draft = Draft(
            author=username, text=said["status"], reply_to=parent, visibility=said.get("visibility", "public")
        )
        self._keys[key] = self.post(draft)
        async with self.news:
            self.posted.append(self._keys[key])
            self.news.notify_all()
        if self.silent:
            await self.silent.wait()
        return web.json_response(self.statuses[int(self._keys[key])])


def _error(text: str) -> str:
    return json.dumps({"error": text})
