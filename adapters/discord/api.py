"""Discord's REST interface: one attempt per call, and every answer is a value.

discord.py is not used for this. Its sender holds back the answer of the last call of a bucket until the bucket is
full again, tries again by itself (webhooks even where that posts twice), and has one endpoint per process, as an
attribute of a class. Here the outbox owns the retries and the pace between deliveries, so that a channel that waits
holds no hand of it, and no lost answer is hidden.

Neither the bot's token nor a webhook's is in any value, log line or exception that leaves this module.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Literal

import aiohttp
from pydantic import SecretStr
from yarl import URL

from adapters.discord.pace import Busy, DiscordPace, DiscordTicket, Route, Wait, route
from relay.log import HIDDEN, get_logger, redact

log = get_logger(__name__)

PROJECT = "https://pypi.org/project/chasqui-relay/"
PATIENCE = 2.0
"""Seconds that a call waits for its turn: within one delivery there may be several; longer is the outbox's business."""
CONNECT, ANSWER = 5.0, 12.0
REFUSED_FOR = timedelta(minutes=5)
LONGEST_MESSAGE = 200

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordReply:
    """Discord answered. ``code`` and ``message`` are its own, where it refused."""

    status: int
    body: Any = field(default=None, repr=False)  # a webhook's holds its token
    code: int = 0
    message: str = ""
    retry_after: timedelta | None = None
    wait: timedelta = timedelta(0)
    """How long until the bucket of this call has room again."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class DiscordNotSent:
    """Discord surely did not do it: it was never asked."""

    reason: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class DiscordMaybeSent:
    """The request was written, the answer never came."""

    reason: str


Result = DiscordReply | DiscordNotSent | DiscordMaybeSent


class DiscordApi:
    """One session with Discord. ``refused`` says why nothing is asked any more: the token is not good."""

    def __init__(
        self,
        token: SecretStr,
        url: str,
        *,
        version: str = "",
        contact: str = "",
        pace: DiscordPace | None = None,
        clock: Callable[[], float] = time.monotonic,
        answer_within: float = ANSWER,
    ) -> None:
        self._token, self._url = token, url.rstrip("/")
        # The form that Discord asks for; whoever looks differently may be locked out.
        self._agent = f"DiscordBot ({contact if contact.startswith('http') else PROJECT}, {version or '0'})"
        self._pace, self._clock = pace or DiscordPace(), clock
        self._timeout = aiohttp.ClientTimeout(total=answer_within, connect=CONNECT)
        self._session: aiohttp.ClientSession | None = None
        self._answered = asyncio.Event()
        self._gates = {free: asyncio.Lock() for free in (False, True)}
        self.refused = ""

    async def request(
        self,
        method: Method,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        why: str = "",
    ) -> Result:
        """Ask once. ``path`` is below the version (``/channels/123``); ``why`` is written into the guild's audit log.

        A path that holds a token (a webhook's) is asked without the bot's.
        """
        ticket = await self._turn(method, path)
        if isinstance(ticket, DiscordNotSent):
            return ticket
        try:
            status, headers, text = await self._ask(ticket, method, path, body, query, why)
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError, OSError) as error:
            return _unanswered(error)
        except aiohttp.ClientError as error:
            return DiscordMaybeSent(f"no answer that can be read: {type(error).__name__}")
        return self._understood(ticket, status, headers, text)

    def refuse(self, reason: str) -> None:
        """Stop asking: the token is not good. Said once, loudly."""
        if not self.refused:
            self.refused = f"Discord refuses the bot's token ({reason}): set adapters.discord.token anew and restart"
            log.error("token refused: nothing is posted on Discord until it is replaced", reason=reason)

    def counting(self) -> aiohttp.TraceConfig:
        """Lets another client's requests with the same token wait for their place in the same budget."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._foreign_begins)
        trace.on_request_end.append(self._foreign_ends)
        trace.on_request_exception.append(self._foreign_fails)
        return trace

    async def close(self) -> None:
        """Let go of the connections. A second call does nothing."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # --- before ---

    async def _turn(self, method: Method, path: str) -> DiscordTicket | DiscordNotSent:
        """A place in the pace, or the reason why there is none soon."""
        way, latest = route(method, path), self._clock() + PATIENCE
        while True:
            if self.refused and not way.free:
                return DiscordNotSent(self.refused, REFUSED_FOR)
            async with self._gates[way.free]:  # first come, first served: or the unlucky wait beyond their patience
                if (late := await self._room(way, latest)) is not None:
                    return late
                answer = self._pace.ask(way, self._clock())
            if isinstance(answer, DiscordTicket):
                return answer
            if (late := await self._rest(answer, latest)) is not None:
                return late

    async def _room(self, way: Route, latest: float) -> DiscordNotSent | None:
        """Wait until all together have room; why not, where that takes too long."""
        while (held := self._pace.room(way, self._clock())) is not None:
            if (late := await self._rest(held, latest)) is not None:
                return late
        return None

    async def _rest(self, held: Wait | Busy, latest: float) -> DiscordNotSent | None:
        now = self._clock()
        if isinstance(held, Wait) and now + held.seconds > latest:
            return DiscordNotSent(held.reason, timedelta(seconds=held.seconds))
        if isinstance(held, Wait):
            await asyncio.sleep(held.seconds)
        elif not await self._answer_before(latest - now):
            return DiscordNotSent("another request to the same place has not been answered yet")
        return None

    async def _answer_before(self, seconds: float) -> bool:
        self._answered.clear()
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._answered.wait()
        except TimeoutError:
            return False
        return True

    # --- other clients' requests ---

    async def _foreign_begins(
        self, _session: aiohttp.ClientSession, context: SimpleNamespace, asked: aiohttp.TraceRequestStartParams
    ) -> None:
        way = route(asked.method, str(asked.url).removeprefix(self._url).partition("?")[0])
        context.ticket = None
        while context.ticket is None and not way.free:  # interactions are counted by nobody
            match self._pace.place(way, self._clock()):
                case DiscordTicket() as ticket:
                    context.ticket = ticket
                case Wait(seconds):
                    await asyncio.sleep(seconds)
                case Busy():
                    await self._answer_before(1.0)

    async def _foreign_ends(
        self, _session: aiohttp.ClientSession, context: SimpleNamespace, asked: aiohttp.TraceRequestEndParams
    ) -> None:
        if context.ticket is not None:
            self._pace.heard(context.ticket, asked.response.status, asked.response.headers, self._clock())
            self._answered.set()

    async def _foreign_fails(
        self, _session: aiohttp.ClientSession, context: SimpleNamespace, _asked: aiohttp.TraceRequestExceptionParams
    ) -> None:
        if context.ticket is not None:
            self._pace.lost(context.ticket, self._clock())
            self._answered.set()

    # --- the attempt ---

    async def _ask(
        self,
        ticket: DiscordTicket,
        method: Method,
        path: str,
        body: object,
        query: Mapping[str, str] | None,
        why: str,
    ) -> tuple[int, Mapping[str, str], str]:
        headers = {} if ticket.route.free else {"Authorization": f"Bot {self._token.get_secret_value()}"}
        if why:
            headers["X-Audit-Log-Reason"] = str(URL.build(path=why).raw_path)
        told = False
        try:
            async with self._opened().request(
                method,
                URL(self._url + path, encoded=True).with_query(query),
                json=body,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                text = await answer.text(errors="replace")
                self._pace.note_answer(ticket, answer.status, answer.headers, self._clock())
                told = True
                return answer.status, answer.headers, text
        finally:
            if not told:
                self._pace.lost(ticket, self._clock())
            self._answered.set()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"User-Agent": self._agent},
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    # --- after ---

    def _understood(
        self, ticket: DiscordTicket, status: int, headers: Mapping[str, str], text: str
    ) -> DiscordReply | DiscordMaybeSent:
        body = _json(text)
        if status < 300 and status != 204 and body is None:
            return DiscordMaybeSent("the answer cannot be read: it is no JSON")
        told: dict[str, Any] = body if isinstance(body, dict) else {}
        retry = None
        if status == 429:
            retry = _seconds(told.get("retry_after"), headers.get("Retry-After"))
            # Without a body of Discord's own it is the guard in front of Discord, who counts by address.
            everywhere = bool(told.get("global")) or headers.get("X-RateLimit-Scope") == "global" or not told
            self._pace.slowed(ticket, retry, self._clock(), everywhere=everywhere)
        message = "" if status < 400 else _message(told, status).replace(self._token.get_secret_value(), HIDDEN)
        if status == 401 and not ticket.route.free:
            self.refuse(message)
        return DiscordReply(
            status=status,
            body=body,
            code=_code(told, status),
            message=message,
            retry_after=None if retry is None else timedelta(seconds=retry),
            wait=timedelta(seconds=self._pace.wait(ticket.route, self._clock())),
        )


def _unanswered(error: BaseException) -> DiscordNotSent | DiscordMaybeSent:
    """Never the error's own text: aiohttp writes addresses into it."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return DiscordNotSent(f"Discord cannot be reached: {error.os_error.strerror or type(error.os_error).__name__}")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ConnectionTimeoutError):
        return DiscordNotSent(f"Discord cannot be reached: {type(error).__name__}")
    if isinstance(error, TimeoutError):
        return DiscordMaybeSent("Discord did not answer in time")
    return DiscordMaybeSent(f"the connection to Discord broke before the answer: {type(error).__name__}")


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def _code(told: Mapping[str, Any], status: int) -> int:
    code = told.get("code")
    return code if status >= 400 and isinstance(code, int) else 0


def _seconds(*said: object) -> float:
    for value in said:
        try:
            return max(0.0, float(value))  # type: ignore[arg-type]  # whatever it is, float() says so
        except (TypeError, ValueError):
            continue
    return 1.0


def _message(told: Mapping[str, Any], status: int) -> str:
    """Discord's own words, and of an invalid body what is wrong with which part of it."""
    parts = [str(told.get("message") or f"HTTP {status}"), *_errors(told.get("errors"), "")]
    text = redact("; ".join(parts))
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"


def _errors(node: object, where: str) -> list[str]:
    if not isinstance(node, dict):
        return []
    found = [f"{where}: {one.get('message')}" for one in node.get("_errors", ()) if isinstance(one, dict)]
    for key, inner in node.items():
        if key != "_errors":
            found += _errors(inner, f"{where}.{key}" if where else str(key))
    return found
