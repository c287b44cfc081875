"""The homeserver's client API: one attempt a call, over mautrix; a failure is a value that holds no token.

Of mautrix these are the requests, its paths and its reading of errors; retrying, waiting and transaction ids are ours.
Paths and error codes: https://spec.matrix.org/v1.19/client-server-api/.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
from mautrix.api import HTTPAPI, MediaPath, Method, Path, PathBuilder
from mautrix.errors import MatrixConnectionError
from multidict import MultiDict
from pydantic import SecretStr
from yarl import URL

from adapters.matrix.settings import MatrixSettings

ANSWER = 15.0
"""Seconds for an answer; an attempt of the outbox has longer."""
UPLOAD = 60.0
POLL = 30.0
"""Seconds for which the homeserver holds a question for news open."""
_DIFFERENT = 600_000
"""Milliseconds for which the questions for the present differ; they are answered at once, whatever they ask."""
_LONGEST = 86_400.0
"""Seconds: nobody is left alone for longer, whatever is asked for."""
SMALLEST_UPLOAD = 1_000_000
"""Bytes that every homeserver takes, where it does not say."""

Json = dict[str, Any]
Query = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Failed:
    """The homeserver did not do it. ``code`` is Matrix's own (``M_FORBIDDEN``), empty where it has none."""

    reason: str
    """In words for people; holds no secret."""
    code: str = ""
    status: int = 0
    """Of the HTTP answer; 0: none came."""
    after: timedelta | None = None
    """How long to wait, where it says so."""
    maybe: bool = False
    """It may have been done: the request was written, and then no answer came."""

    @property
    def limited(self) -> bool:
        return self.code == "M_LIMIT_EXCEEDED" or self.status == 429

    @property
    def unauthorized(self) -> bool:
        """The token is not good."""
        return self.code in {"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"} or self.status == 401


@dataclass(frozen=True, slots=True)
class _Call:
    method: Method
    path: PathBuilder
    content: Json | bytes | None = None
    query: Query = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = ANSWER


class _FailedError(Exception):
    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.reason)
        self.failed = failed


class _Requests(HTTPAPI):
    """mautrix's own, which in addition keeps what its errors drop: how long to wait, and what may have been done."""

    async def _send(
        self, method: Method, url: URL, content: Any, query_params: dict[str, str], headers: dict[str, str]
    ) -> tuple[Any, aiohttp.ClientResponse]:
        try:
            request = self.session.request(
                str(method), url, data=content, params=query_params, headers=headers, allow_redirects=False
            )
            async with request as response:
                body = _json(await response.read())
                if not (200 <= response.status < 300):
                    raise _FailedError(refusal(response.status, response.headers, body))
                if not isinstance(body, dict | list):
                    raise _FailedError(Failed("something else answers in the homeserver's place", status=200))
                return body, response
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _FailedError(lost(error)) from None

    def _log_request(self, *args: Any, **keywords: Any) -> None:
        """What is sent is written down nowhere."""

    def _log_request_done(self, *args: Any, **keywords: Any) -> None:
        """As above: the callers tell what matters."""


class MatrixApi:
    """One account at one homeserver. Connects at the first call; with a password it logs in then."""

    def __init__(self, settings: MatrixSettings) -> None:
        self._settings = settings
        self._requests: _Requests | None = None
        self._login = asyncio.Lock()
        self.user = settings.user

    async def close(self) -> None:
        """Let go of the connections. A second call does nothing."""
        if self._requests is not None:
            await self._requests.session.close()
            self._requests = None

    # --- who we are ---

    async def whoami(self) -> tuple[str, str] | Failed:
        """The user and the device that the token belongs to."""
        told = await self.ask(Method.GET, Path.v3.account.whoami)
        if isinstance(told, Failed):
            return told
        return str(told.get("user_id", "")), str(told.get("device_id") or "")

    async def software(self) -> str:
        """What the homeserver is (``Synapse``), where it tells."""
        told = await self.ask(Method.GET, PathBuilder("_matrix/federation").v1.version)
        server = told.get("server") if isinstance(told, dict) else None
        return str(server.get("name", "")) if isinstance(server, dict) else ""

    # --- messages ---

    async def send(self, room: str, transaction: str, content: Json) -> str | Failed:
        """Post a message; the same transaction again is the same message, whose event id is answered."""
        path = Path.v3.rooms[room].send["m.room.message"][transaction]
        return _name(await self.ask(Method.PUT, path, content), "event_id")

    async def redact(self, room: str, event: str, transaction: str) -> str | Failed:
        """Take a message back."""
        return _name(await self.ask(Method.PUT, Path.v3.rooms[room].redact[event][transaction], {}), "event_id")

    async def latest(self, room: str, count: int) -> tuple[Json, ...] | Failed:
        """The latest events of a room, newest first."""
        query = {"dir": "b", "limit": str(count)}
        told = await self.ask(Method.GET, Path.v3.rooms[room].messages, query=query)
        return told if isinstance(told, Failed) else _dicts(told.get("chunk"))

    # --- media ---

    async def upload(self, data: bytes, mime: str, name: str) -> str | Failed:
        """Keep a file at the homeserver; its ``mxc`` address."""
        headers = {"Content-Type": mime}
        query = {"filename": name}
        told = await self.ask(Method.POST, MediaPath.v3.upload, data, query=query, headers=headers, seconds=UPLOAD)
        return _name(told, "content_uri")

    async def upload_limit(self) -> int:
        """Bytes that one file may have; a million where the homeserver does not say."""
        told = await self.ask(Method.GET, Path.v1.media.config)
        size = None if isinstance(told, Failed) else told.get("m.upload.size")
        return size if isinstance(size, int) and size > 0 else SMALLEST_UPLOAD

    # --- rooms ---

    async def resolve(self, alias: str) -> str | Failed:
        """The room behind an alias."""
        return _name(await self.ask(Method.GET, Path.v3.directory.room[alias]), "room_id")

    async def join(self, room: str, servers: tuple[str, ...] = ()) -> str | Failed:
        """Join a room, by its id or an alias, through servers that know it; being there already is as good."""
        query = [(key, server) for server in servers for key in ("server_name", "via")]  # before and since v1.12
        return _name(await self.ask(Method.POST, Path.v3.join[room], {}, query=query), "room_id")

    async def leave(self, room: str) -> Failed | None:
        told = await self.ask(Method.POST, Path.v3.rooms[room].leave, {})
        return told if isinstance(told, Failed) else None

    async def joined(self) -> tuple[str, ...] | Failed:
        """The rooms that we are in."""
        told = await self.ask(Method.GET, Path.v3.joined_rooms)
        rooms = () if isinstance(told, Failed) else told.get("joined_rooms")
        return told if isinstance(told, Failed) else tuple(one for one in rooms or () if isinstance(one, str))

    async def state(self, room: str, kind: str, key: str = "") -> Json | Failed:
        """The content of a room's state event."""
        return await self.ask(Method.GET, _state(room, kind, key))

    async def state_event(self, room: str, kind: str, key: str = "") -> Json | Failed:
        """The whole state event, with its sender."""
        told = await self.ask(Method.GET, _state(room, kind, key), query={"format": "event"})
        if isinstance(told, Failed) or "sender" in told:
            return told
        every = await self.ask_many(Method.GET, Path.v3.rooms[room].state)  # a server that does not know the format
        if isinstance(every, Failed):
            return every
        fits = (one for one in every if one.get("type") == kind and one.get("state_key") == key)
        return next(fits, Failed("the room has no such state", "M_NOT_FOUND", 404))

    async def members(self, room: str) -> tuple[str, ...] | Failed:
        """Who is in a room that we are in."""
        told = await self.ask(Method.GET, Path.v3.rooms[room].joined_members)
        if isinstance(told, Failed):
            return told
        joined = told.get("joined")
        return (
            tuple(joined) if isinstance(joined, dict) else Failed("the homeserver's answer has no joined", status=200)
        )

    # --- what is kept for us ---

    async def account_data(self, room: str, kind: str) -> Json | Failed:
        """What we have noted down about a room."""
        return await self.ask(Method.GET, Path.v3.user[self.user].rooms[room].account_data[kind])

    async def save_account_data(self, room: str, kind: str, content: Json) -> Failed | None:
        told = await self.ask(Method.PUT, Path.v3.user[self.user].rooms[room].account_data[kind], content)
        return told if isinstance(told, Failed) else None

    # --- news ---

    async def sync(self, since: str, sieve: Json, *, hold: float = POLL) -> Json | Failed:
        """What is new since a position; "": the present state. Held open for ``hold`` seconds where nothing is.

        Synapse answers a question that it was asked within two minutes as it did then (its ``sync_response_cache``):
        after a restart all that has happened since would come again. So no two questions for the present are the same.
        """
        wait = int(hold * 1000) if since else time.time_ns() // 1_000_000 % _DIFFERENT
        query = {"filter": json.dumps(sieve), "timeout": str(wait), "set_presence": "offline"}
        if since:
            query["since"] = since
        return await self.ask(Method.GET, Path.v3.sync, query=query, seconds=hold + ANSWER)

    # --- one call ---

    async def ask(
        self,
        method: Method,
        path: PathBuilder,
        content: Json | bytes | None = None,
        *,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
        seconds: float = ANSWER,
    ) -> Json | Failed:
        """Make a call whose answer is an object. A lapsed login is renewed once, where there is a password."""
        told = await self._ask(_Call(method, path, content, query, headers or {}, seconds))
        if isinstance(told, list):
            return Failed("the homeserver answers in a way that nobody expects", status=200)
        return told

    async def ask_many(self, method: Method, path: PathBuilder) -> tuple[Json, ...] | Failed:
        """Make a call whose answer is a list of objects."""
        told = await self._ask(_Call(method, path))
        return told if isinstance(told, Failed) else _dicts(told)

    async def _ask(self, call: _Call) -> Json | list[Any] | Failed:
        requests = self._open()
        if (failed := await self._logged_in(requests, used="")) is not None:
            return failed
        used = requests.token
        told = await _made(requests, call)
        if isinstance(told, Failed) and told.unauthorized and self._settings.password is not None:
            failed = await self._logged_in(requests, used=used)
            told = failed or await _made(requests, call)
        return told

    def _open(self) -> _Requests:
        if self._requests is None:  # not before the loop runs that it belongs to
            session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
            token = self._settings.token.get_secret_value().strip() if self._settings.token else ""
            self._requests = _Requests(self._settings.homeserver.rstrip("/"), token, client_session=session)
        return self._requests

    async def _logged_in(self, requests: _Requests, *, used: str) -> Failed | None:
        """See to it that there is a token other than the one that was ``used`` in vain."""
        password = self._settings.password
        if password is None or (requests.token and requests.token != used):
            return None
        async with self._login:
            if requests.token and requests.token != used:
                return None  # somebody has done it meanwhile
            requests.token = ""
            told = await self._log_in(requests, password)
            if isinstance(told, Failed):
                return told
            requests.token = told
            return None

    async def _log_in(self, requests: _Requests, password: SecretStr) -> str | Failed:
        content: Json = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self._settings.user},
            "password": password.get_secret_value(),
            "device_id": self._settings.device_id,
            "initial_device_display_name": "Chasqui",
        }
        return _name(await _made(requests, _Call(Method.POST, Path.v3.login, content)), "access_token")


async def _made(requests: _Requests, call: _Call) -> Json | list[Any] | Failed:
    try:
        async with asyncio.timeout(call.seconds):
            told: Json | list[Any] = await requests.request(
                call.method,
                call.path,
                call.content,
                headers=dict(call.headers),
                query_params=MultiDict(call.query),
                retry_count=0,
            )
    except _FailedError as error:
        return error.failed
    except MatrixConnectionError:
        return Failed("the homeserver cannot be reached")
    except TimeoutError:
        return Failed(f"no answer within {call.seconds:g} s", maybe=True)
    return told


# --- what an answer means ---


def refusal(status: int, headers: Mapping[str, str], body: Any) -> Failed:
    """An answer that is none; ``Retry-After`` in the header comes before the older field in the body."""
    told = body if isinstance(body, dict) else {}
    code = told.get("errcode") if isinstance(told.get("errcode"), str) else ""
    words = told.get("error") if isinstance(told.get("error"), str) else ""
    reason = " ".join(str(words).split())[:300] or f"HTTP {status}"
    return Failed(reason, str(code), status, _after(headers, told), maybe=status >= 500)


def _after(headers: Mapping[str, str], body: Mapping[str, Any]) -> timedelta | None:
    """The body's milliseconds are exact where the header, which counts whole seconds, says the same."""
    header, field = headers.get("Retry-After", "").strip(), body.get("retry_after_ms")
    exact: float | None = None
    if isinstance(field, int | float) and not isinstance(field, bool) and field >= 0:
        exact = min(field, _LONGEST * 1000) / 1000  # in this order: a number of hundreds of digits would be no float
    if not header.isascii() or not header.isdigit() or len(header) > 9:
        return None if exact is None else timedelta(seconds=exact)
    rounded = min(float(header), _LONGEST)
    return timedelta(seconds=exact if exact is not None and rounded - 1 < exact <= rounded else rounded)


def lost(error: BaseException) -> Failed:
    """No answer came; the class of the cause is all that is said, as its words may hold an address."""
    name = type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL):
        return Failed(f"the homeserver cannot be reached ({name})")
    return Failed(f"the answer was lost ({name})", maybe=True)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _name(told: Any, key: str) -> str | Failed:
    """A field that must be there: an id, an address, a token."""
    if isinstance(told, Failed):
        return told
    value = told.get(key) if isinstance(told, dict) else None
    return value if isinstance(value, str) and value else Failed(f"the homeserver's answer has no {key}", status=200)


def _dicts(told: object) -> tuple[Json, ...]:
    return tuple(one for one in told if isinstance(one, dict)) if isinstance(told, list) else ()


def _state(room: str, kind: str, key: str) -> PathBuilder:
    path = Path.v3.rooms[room].state[kind]
    return path[key] if key else path
