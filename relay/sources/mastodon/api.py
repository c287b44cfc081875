"""Asking a server: one request a call, its answer as a value, within what the server lets us ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec
from pydantic import SecretStr

from relay.core.authenticity import Verdict, of_post
from relay.http import Http, HttpResponse, Reply
from relay.log import get_logger
from relay.model import Post
from relay.ports import TryLater
from relay.sources import kit
from relay.sources.kit import LONG, Denied, Failure, Missing, Ok, Unexpected, trouble_at
from relay.sources.mastodon.address import host_of
from relay.sources.mastodon.budget import Budgets
from relay.sources.mastodon.shapes import ErrorBody, Raw, identified, read
from relay.sources.off_loop import off_loop

log = get_logger(__name__)

Params = Sequence[tuple[str, str]]

_NONE: Mapping[str, str] = MappingProxyType({})
_PAGING = frozenset({"min_id", "max_id", "since_id", "page"})


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of statuses by their ids, in the order in which they came."""

    items: Mapping[str, Raw]
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class MastodonApi:
    """The requests of this source, made by the guarded client; ``instances`` are the servers that the settings name."""

    http: Http
    instances: tuple[str, ...]
    tokens: Mapping[str, SecretStr] = field(default_factory=dict)
    budgets: Budgets = field(default_factory=Budgets)
    clock: Callable[[], datetime] = _now
    old: set[str] = field(default_factory=set)
    """What servers said of themselves that it will go away, told once each."""
    refused: set[str] = field(default_factory=set)
    """The hosts of authors whose posts were refused."""

    async def get(self, url: str, params: Params = ()) -> Ok | Failure:
        paging = any(name in _PAGING for name, _ in params)
        if wait := self._turn(url, paging=paging):
            return wait
        headers = {"accept": "application/json", **self._authorization(url)}
        answer = self._judge(url, await self.http.get(url, params=params or None, headers=headers))
        if isinstance(answer, Ok) and _path(answer.url) != _path(url):
            # a file that somebody uploaded to a server is not the server's own word, whoever redirects to it
            return Unexpected(host_of(answer.url), "something else than was asked for")
        return answer

    async def get_text(self, url: str, params: Params = (), *, accept: str = "*/*") -> Ok | Failure:
        """A document for everybody, of any kind: no token is shown."""
        if wait := self._turn(url, paging=False):
            return wait
        return self._judge(url, await self.http.get(url, params=params or None, headers={"accept": accept}))

    async def post(self, url: str, body: Mapping[str, object]) -> Ok | Failure:
        """A question in JSON, as Misskey wants it; no token is shown."""
        if wait := self._turn(url, paging="sinceId" in body):
            return wait
        return self._judge(url, await self.http.post(url, msgspec.json.encode(body)))

    async def write(
        self, method: Literal["POST", "PATCH"], url: str, body: Mapping[str, object], headers: Mapping[str, str] = _NONE
    ) -> Ok | Failure:
        """Something to be done, in JSON and with the token."""
        if wait := self._turn(url, paging=False):
            return wait
        sent = {**headers, **self._authorization(url)}
        return self._judge(url, await self.http.write(method, url, msgspec.json.encode(body), headers=sent))

    def token(self, base: str) -> str:
        """The access token for a server; empty where there is none."""
        secret = self.tokens.get(base)
        return secret.get_secret_value() if secret else ""

    def _authorization(self, url: str) -> dict[str, str]:
        token = self.token(_origin(url))
        return {"authorization": f"Bearer {token}"} if token else {}

    def _turn(self, url: str, *, paging: bool) -> TryLater | None:
        """Why a request has to wait; None: it is counted and may be made."""
        wait = self.budgets.of(_origin(url)).take(self.clock(), paging=paging)
        return TryLater(f"{host_of(url)} lets us ask only so often", wait, paced=True) if wait else None

    def _judge(self, url: str, reply: Reply) -> Ok | Failure:
        now = self.clock()
        if isinstance(reply, HttpResponse):
            self.budgets.of(_origin(url)).heed(reply.status, reply.headers, now)
            self._note(url, reply.headers)
        return judge(reply, now, token=bool(self.token(_origin(url))))

    def _note(self, url: str, headers: Mapping[str, str]) -> None:
        """Since 4.4 a server says of an address that it will go away (RFC 9745)."""
        place = url.partition("?")[0]
        if (said := headers.get("deprecation")) and len(self.old) < 100 and place not in self.old:
            self.old.add(place)
            log.info("a server says that this address will go away", url=place, deprecation=said[:100])

    def counts(self, post: Post) -> bool:
        """Whether a post counts as its origin tells it. That one was refused is logged once for each author's host."""
        match of_post(post, self.instances):
            case Verdict.COUNTS:
                return True
            case Verdict.REFUSED if len(self.refused) < 100 and host_of(post.author.uri) not in self.refused:
                self.refused.add(host_of(post.author.uri))
                log.warning(
                    "a post is refused: its uri is not of its author's server",
                    uri=post.uri,
                    author=post.author.uri,
                    told_by=post.origin,
                )
        return False

    async def get_list(self, url: str, params: Params = ()) -> Listed | Failure:
        """A list of statuses. One with no status at all in it is :class:`Unexpected`, an empty one is not."""
        return await as_list(await self.get(url, params))


async def as_list(answer: Ok | Failure) -> Listed | Failure:
    """The list in an answer."""
    if not isinstance(answer, Ok):
        return answer
    items = await off_loop(len(answer.body), lambda: identified(answer.body))
    if not items and await off_loop(len(answer.body), lambda: read(answer.body, list[Raw])) != []:
        return Unexpected(host_of(answer.url), "something that is no list of posts")
    return Listed(items, answer.wait)


def _path(url: str) -> str:
    return unquote(urlsplit(url).path).rstrip("/")


def _origin(url: str) -> str:
    """Scheme, host and port."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


# --- what a server's refusal means. Pure ---
# The documentation says 401 where a server is closed to visitors; the code of Mastodon answers 422 for timelines
# (mastodon/documentation#942). Both are read as :class:`Denied`.


CLOSED = (
    "shows this only to people with an account there; name another instance under [sources.mastodon], or ask its"
    " administrators to open it to visitors"
)
_NOT_ACCEPTED = (
    "does not accept the access token under [sources.mastodon.tokens]; make a new one there, for an account and with"
    " the scope read:statuses"
)


def judge(reply: Reply, now: datetime, *, token: bool = False) -> Ok | Failure:
    """Say what a reply means. ``token``: an access token was shown."""
    return kit.judge(reply, now, lambda answer, host, wait: _refused(answer, host, wait, token=token))


def _refused(answer: HttpResponse, host: str, wait: timedelta | None, *, token: bool) -> Failure:
    status = answer.status
    if status >= 500:
        return trouble_at(host, status, wait)
    error = read(answer.body, ErrorBody)
    if status in {404, 410}:
        return Missing(host, status, sure=status == 410 or error is not None, body=answer.body)
    if status == 401 or (status == 422 and error and "authenticated user" in error.error):
        return Denied(host, _NOT_ACCEPTED if token else CLOSED, token=token)
    if status == 403:
        return TryLater(f"{host} refuses to answer us (HTTP 403)", wait or LONG)
    return Unexpected(host, f"HTTP {status}", status=status, body=answer.body)
