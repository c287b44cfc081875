"""The client for the open web, and its settings."""

from __future__ import annotations

import asyncio
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from io import BytesIO
from types import TracebackType
from typing import Annotated, Literal

import aiohttp
from aiohttp import CookieJar
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDictProxy
from pydantic import BeforeValidator, Field
from yarl import URL

from relay.http.guard import BarredError, Guard, GuardedResolver, Network
from relay.http.lanes import USUAL, CrowdedError, HostPolicy, Lanes
from relay.http.sockets import Socket
from relay.settings import Duration, Settings

# Cookies for as long as the way to one document takes: some servers send a reader around to see them come back.


_MOST = 20
_ROOM = 8_000


class Cookies:
    """What the hosts on one way have set, for themselves alone (RFC 6265); whoever asks forgets it with this."""

    def __init__(self) -> None:
        self._jar: CookieJar | None = None
        self._taken = 0
        self._room = _ROOM

    def take(self, url: URL, headers: Sequence[str]) -> None:
        """Keep what ``Set-Cookie`` says at this address: twenty of them at most, and 8,000 characters, over the way."""
        for header in headers:
            self._room -= len(header)
            if self._taken == _MOST or self._room < 0:
                return
            if header.isascii() and header.isprintable():
                self._taken += 1
                self._jar = self._jar or CookieJar(unsafe=True, quote_cookie=False)  # an IP address is a host, too
                self._jar.update_cookies_from_headers([header], url)
        if self._jar:  # nor is a whole top-level domain the host's own
            self._jar.clear(lambda cookie: "." not in cookie["domain"] and cookie["domain"] != url.raw_host)

    def header(self, url: URL | str) -> str:
        """What ``Cookie`` says to this address; empty where nothing."""
        cookies = self._jar.filter_cookies(URL(url)).values() if self._jar else ()
        return "; ".join(f"{cookie.key}={cookie.coded_value}" for cookie in cookies)


# --- unpacks the body of an answer ---

# Its bytes decide how; what ``Content-Encoding`` says of them is often wrong.
# Servers name charsets there ("UTF-8") or ways of transport ("aws-chunked"), say gzip of plain text, or nothing of
# gzip.

_GZIP = b"\x1f\x8b\x08"
_BLANK = b" \t\r\n\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
"""How a document in UTF-16 begins."""
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r"))
_UNREAD = {"br": "Brotli", "zstd": "Zstandard", "dcb": "Brotli", "dcz": "Zstandard", "compress": "compress"}
_LAYERS = 3
_MEMBERS = 100
_STEP = 2**17
"""Bytes that are unpacked, and that come out, at a time."""


class TooLargeError(Exception):
    """More comes out than is wanted."""


class PackedError(Exception):
    """It is packed in a way that nobody asked for; the text is the name of that."""


def unpack(body: bytes, said: str, limit: int) -> bytes:
    """The body before any packing, all of it. Takes time and memory in proportion to ``body`` and ``limit``.

    ``said`` is the header (RFC 9110 8.4); a name in it that means no packing counts for nothing. What is cut off is
    unpacked as far as it goes. Raises :class:`TooLargeError` where that is more than ``limit`` bytes,
    :class:`PackedError`, and ``zlib.error`` where the packing is broken.
    """
    names = {name.strip().lower().removeprefix("x-") for name in said.split(",")}
    if body[:16].lstrip(_BLANK).startswith(_GZIP):  # a script wrote an empty line first
        body = body.lstrip(_BLANK)
    layers = 0
    while body.startswith(_GZIP) and layers < _LAYERS:
        body = _gunzip(body, limit)
        layers += 1
    packed = not names.isdisjoint(("gzip", "deflate"))
    if packed and _is_zlib(body):
        return _inflate(body, limit, zlib.MAX_WBITS)
    if layers or is_plain(body):
        return body
    if unread := next((name for name in _UNREAD if name in names), ""):
        raise PackedError(f"{_UNREAD[unread]}: {unread}" if unread != "compress" else unread)
    return _inflate(body, limit, -zlib.MAX_WBITS) if packed else body


def _gunzip(body: bytes, limit: int) -> bytes:
    """One stream after the other (RFC 1952 2.2); what follows them and is none is ignored."""
    unpacked = BytesIO()
    for _ in range(_MEMBERS):
        body = _stream(body, unpacked, limit, 16 + zlib.MAX_WBITS)
        if not body.startswith(_GZIP):
            break
    return unpacked.getvalue()


def _inflate(body: bytes, limit: int, window: int) -> bytes:
    unpacked = BytesIO()
    _stream(body, unpacked, limit, window)
    return unpacked.getvalue()


def _stream(body: bytes, unpacked: BytesIO, limit: int, window: int) -> bytes:
    """Unpack the first stream of ``body``, in steps, as one long step would hold the interpreter; what follows it."""
    stream, packed = zlib.decompressobj(window), memoryview(body)
    for at in range(0, len(packed), _STEP):
        rest: bytes | memoryview = packed[at : at + _STEP]
        while True:
            most = min(_STEP, limit + 1 - unpacked.tell())
            part = stream.decompress(rest, most)
            unpacked.write(part)
            if unpacked.tell() > limit:
                raise TooLargeError
            if stream.eof:
                return stream.unused_data + packed[at + _STEP :]
            rest = stream.unconsumed_tail
            if len(part) < most and not rest:
                break
    return b""


def _is_zlib(body: bytes) -> bool:
    """The first two bytes are a header of RFC 1950 2.2."""
    return len(body) > 1 and body[0] & 15 == zlib.DEFLATED and body[0] < 128 and (body[0] << 8 | body[1]) % 31 == 0


def is_plain(body: bytes) -> bool:
    """It begins like a document, not like something packed: that has control characters among its first bytes."""
    start = body[:100]
    return start.startswith(_WIDE) or len(start.translate(None, _CONTROLS)) == len(start)


# --- client ---

_REDIRECTS = frozenset({300, 301, 302, 303, 307, 308})
_PERMANENT = frozenset({301, 308})
_SAME_METHOD = frozenset({307, 308})
_MAX_REDIRECTS = 5
_HEADER = 16_000
_SHORT = 4_000
"""Bytes that are unpacked at once: a few milliseconds, whatever comes out of them."""
_JSON = "application/json"
_USUAL_CONNECTIONS = 2
_WEB = {"ws": "http", "wss": "https"}
_KEEP_ALIVE = 75.0  # outlasts the usual one-minute poll: a TLS handshake costs ten times a kept connection

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


# --- settings ---


def _size(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.strip().lower())
    if not match or match[2] not in _UNITS:
        raise ValueError('expected a size such as "10MB" or "512KiB"')
    return round(float(match[1]) * _UNITS[match[2]])


def _size_text(value: int) -> str:
    for unit in ("GB", "MB", "kB"):
        if value >= _UNITS[unit.lower()]:
            return f"{value / _UNITS[unit.lower()]:.3g} {unit}"
    return f"{value} bytes"


class HttpSettings(Settings):
    timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=20)
    """How long one request may take, from the connection to the last byte."""
    max_body: Annotated[int, BeforeValidator(_size), Field(gt=0)] = 10_000_000
    """How much of an answer is read at most, unpacked: bytes, or a text such as ``"10MB"``."""
    pace: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(seconds=1)
    """The least time between two requests to one host."""
    connections_per_host: Annotated[int, Field(ge=1)] = _USUAL_CONNECTIONS
    """Requests to one host at the same time. Feeds are asked for one at a time, unless this is more than usual."""
    allow_private: tuple[Network, ...] = ()
    """Networks that a self-hoster trusts: their addresses may be reached, on any port."""


# --- one answer ---


class _UnusableError(Exception):
    """An answer that is given up half-way; the text continues a sentence that begins with the host."""


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, unpacked. Stops as soon as it, or its packed form, passes ``limit`` bytes."""
    try:
        return await _unpacked(response, limit)
    except TooLargeError:
        raise _UnusableError(f"sends an answer larger than {_size_text(limit)}") from None
    except PackedError as packed:
        raise _UnusableError(f"packs its answer in a way that was not asked for ({packed})") from None


async def _unpacked(response: aiohttp.ClientResponse, limit: int) -> bytes:
    if (response.content_length or 0) > limit:
        raise TooLargeError
    body = BytesIO()  # its bytes grow in place; to copy megabytes at the end would hold the loop for milliseconds
    async for chunk in response.content.iter_any():
        body.write(chunk)
        if body.tell() > limit:
            raise TooLargeError
    data = body.getvalue()
    if not data:
        return b""
    work = partial(unpack, data, ",".join(response.headers.getall("Content-Encoding", ())), limit)
    return work() if len(data) < _SHORT or is_plain(data) else await asyncio.to_thread(work)


def _reference(target: str, here: URL) -> str:
    """Where a redirect leads, as it was meant: a scheme of readers, and a host without one, are left out."""
    target = target.removeprefix("feed:")
    first = target.partition("/")[0].lower().removeprefix("www.")
    return f"//{target}" if first in {here.authority, here.authority.removeprefix("www.")} else target


def _octet(character: str) -> str:
    """A byte that is no UTF-8, as an address has it."""
    return f"%{ord(character) - 0xDC00:02X}" if "\udc80" <= character <= "\udcff" else character


def _plain_headers(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    """By their names in small letters; what stands behind the first 16 kB of a header is left out."""
    values: dict[str, list[str]] = {}
    for name, value in headers.items():
        if name.lower() == "location":  # an address: there is one, and its bytes count
            values.setdefault("location", ["".join(map(_octet, value))])
            continue
        text = value if value.isascii() else value.encode(errors="surrogateescape").decode(errors="replace")
        values.setdefault(name.lower(), []).append(text)
    return {name: ", ".join(texts)[:_HEADER] for name, texts in values.items()}


_TROUBLE: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "did not answer within {seconds:g} s"),
    (aiohttp.ClientConnectorDNSError, "is a name that could not be looked up"),
    (aiohttp.ClientConnectorCertificateError, "shows a certificate that cannot be trusted"),
    (aiohttp.ClientConnectorSSLError, "does not agree on a secure connection"),
    (aiohttp.ClientConnectorError, "cannot be reached{cause}"),
    (aiohttp.ServerDisconnectedError, "closed the connection without an answer"),
    (aiohttp.ClientPayloadError, "broke off in the middle of its answer"),
    (OSError, "broke the connection{cause}"),
    (zlib.error, "sent an answer that cannot be unpacked"),
    (Exception, "does not answer as a web server does"),
)
"""What went wrong, as the rest of a sentence that begins with the host; the first class that fits tells."""


def _trouble(error: Exception, seconds: float) -> str:
    sentence = next(text for kind, text in _TROUBLE if isinstance(error, kind))
    number = error.errno if isinstance(error, OSError) else None
    return sentence.format(seconds=seconds, cause=f": {os.strerror(number)}" if number else "")


# --- the client ---


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What is asked of each hop."""

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] | bytes | None = None
    manner: HostPolicy = USUAL
    cookies: Cookies = field(default_factory=Cookies)

    def follows(self, status: int) -> bool:
        """A redirect that would turn a POST into a GET is the answer itself."""
        return status in (_REDIRECTS if self.method == "GET" else _SAME_METHOD)

    def further(self, here: URL, there: URL) -> _Request:
        """The same of the next hop; what is for one origin is not told to another."""
        headers = self.headers
        if there.origin() != here.origin():
            headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        return replace(self, headers=headers, manner=self.manner.further(here.raw_host or "", there.raw_host or ""))


def _written(
    method: str, body: Mapping[str, str] | bytes, headers: Mapping[str, str] | None, manner: HostPolicy
) -> _Request:
    usual = {"accept": _JSON} if isinstance(body, bytes) else {}
    usual |= {"content-type": _JSON} if usual and body else {}
    said = {name.lower(): value for name, value in (headers or {}).items()}
    return _Request(method=method, headers=usual | said, body=body, manner=manner)


class Http:
    """A client for the open web: without referrer or proxy, and with no cookie but on the way to one document."""

    def __init__(self, settings: HttpSettings, *, user_agent: str, resolver: AbstractResolver | None = None) -> None:
        self._settings = settings
        self._user_agent = user_agent
        self._resolver = resolver
        self._guard = Guard(settings.allow_private)
        connections = settings.connections_per_host
        self._lanes = Lanes(connections, settings.pace, least=connections if connections > _USUAL_CONNECTIONS else 1)
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Http:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the client is of no use afterwards."""
        if self._client:
            await self._client.close()

    def refusal(self, url: str) -> str:
        """Why this address would never be fetched, as far as can be said offline; empty where it may be."""
        try:
            return self._guard.refusal(URL(url))
        except ValueError:
            return f"{url[:200]!r} is not a web address"

    async def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        manner: HostPolicy = USUAL,
        cookies: Cookies | None = None,
    ) -> Reply:
        """Fetch one address, following up to 5 redirects; ``Authorization`` is not carried to another origin.

        Each hop has the whole time-out; waiting for the host's turn is not part of it. ``cookies``: those of a way that
        this is a part of; else what a redirect sets is forgotten with the answer.
        """
        try:
            place = URL(url).extend_query(params) if params else URL(url)
        except ValueError:
            return Forbidden(f"{url[:200]!r} is not a web address")
        request = _Request(headers=headers or {}, manner=manner, cookies=cookies or Cookies())
        return await self._follow(place, request)

    async def post(
        self,
        url: str,
        body: Mapping[str, str] | bytes,
        *,
        headers: Mapping[str, str] | None = None,
        manner: HostPolicy = USUAL,
    ) -> Reply:
        """Post a form, or bytes (of JSON unless ``headers`` say otherwise), guarded as :meth:`get` is.

        A redirect is followed where it keeps method (307, 308) and origin: what is posted may be for one's ears only.
        """
        request = _written("POST", body, headers, manner)
        place = self._place(url)
        return place if isinstance(place, Forbidden) else await self._follow(place, request)

    async def write(
        self,
        method: Literal["POST", "PATCH"],
        url: str,
        body: Mapping[str, str] | bytes,
        *,
        headers: Mapping[str, str] | None = None,
        manner: HostPolicy = USUAL,
    ) -> Reply:
        """The same for what must not be done twice: one request, and a redirect is the answer itself."""
        request = _written(method, body, headers, manner)
        place = self._place(url)
        return place if isinstance(place, Forbidden) else await self._ask(place, request)

    def _place(self, url: str) -> URL | Forbidden:
        try:
            return URL(url)
        except ValueError:
            return Forbidden(f"{url[:200]!r} is not a web address")

    async def _follow(self, here: URL, request: _Request) -> Reply:
        hops: list[int] = []
        asked, start = set[tuple[URL, str]](), here
        while True:
            asked.add((here, request.cookies.header(here)))
            reply = await self._ask(here, request)
            if not isinstance(reply, HttpResponse):
                return reply
            target = reply.headers.get("location") if request.follows(reply.status) else None
            if not target:
                moved = here != start and _PERMANENT.issuperset(hops)
                return replace(reply, moved=str(here)) if moved else reply
            if len(hops) == _MAX_REDIRECTS:
                return Unreachable(f"{here.host} redirects once too often: {_MAX_REDIRECTS} redirects are followed")
            there = self._redirect(here, target)
            if isinstance(there, Forbidden):
                return there
            if (there, request.cookies.header(there)) in asked:
                return Unreachable(f"{here.host} redirects in a circle")
            if request.body is not None and there.origin() != here.origin():
                return reply
            hops.append(reply.status)
            here, request = there, request.further(here, there)

    def _redirect(self, here: URL, target: str) -> URL | Forbidden:
        try:
            there = here.join(URL(_reference(target, here))).with_fragment(None)
            reason = self._guard.refusal(there)
        except ValueError:
            reason = "that is not a web address"
        return Forbidden(f"{here.host} redirects to {target[:200]}: {reason}") if reason else there

    async def _ask(self, url: URL, request: _Request) -> Reply:
        if reason := self._guard.refusal(url):
            return Forbidden(reason)
        try:
            async with self._lanes.of(url.raw_host or "", request.manner).turn(request.manner.patience, str(url)):
                return await self._fetch(url, request)
        except CrowdedError as crowded:
            return Unreachable(f"{url.host} is not hurried: {crowded.why}", crowded.after, paced=True)
        except BarredError as barred:
            return Forbidden(str(barred))
        except _UnusableError as unusable:
            return Unreachable(f"{url.host} {unusable}")
        except (aiohttp.ClientError, OSError, zlib.error) as error:
            return Unreachable(f"{url.host} {_trouble(error, self._settings.timeout.total_seconds())}")

    async def _fetch(self, url: URL, request: _Request) -> HttpResponse:
        cookie = request.cookies.header(url)
        headers = {**request.headers, "Cookie": cookie} if cookie else request.headers
        async with self._session().request(
            request.method, url, headers=headers, data=request.body, allow_redirects=False
        ) as response:
            request.cookies.take(url, response.headers.getall("Set-Cookie", ()))
            leads_on = response.status in _REDIRECTS and response.headers.get("Location")
            try:
                body = b"" if leads_on else await _read(response, self._settings.max_body)
            except (_UnusableError, zlib.error):
                if response.status < 400:
                    raise
                body = b""  # an error says what it is without its page
            return HttpResponse(response.status, str(url), _plain_headers(response.headers), body)

    def sockets(self) -> aiohttp.ClientSession:
        """A session for websockets; the caller closes it. It reaches what the guard allows, and follows no redirect.

        No flood on one of them holds the event loop (:class:`relay.http.sockets.Socket`).

        An address that may not be reached raises :class:`BarredError`, a redirect ``WSServerHandshakeError``.
        """
        return aiohttp.ClientSession(
            connector=self._connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"User-Agent": self._user_agent},
            middlewares=(self._guarded,),
            ws_response_class=Socket,
        )

    async def _guarded(self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """``ws_connect`` follows redirects and cannot be told not to; and no resolver is asked about an IP address."""
        scheme = _WEB.get(request.url.scheme, request.url.scheme)
        if reason := self._guard.refusal(request.url.with_scheme(scheme)):
            raise BarredError(reason)
        response = await send(request)
        if response.status in _REDIRECTS:
            response.close()
            raise aiohttp.WSServerHandshakeError(
                response.request_info, response.history, status=response.status, message="a redirect is not followed"
            )
        return response

    def _connector(self) -> aiohttp.TCPConnector:
        resolver = GuardedResolver(self._guard, self._resolver or aiohttp.DefaultResolver())
        return aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE, resolver=resolver)

    def _session(self) -> aiohttp.ClientSession:
        if self._client is None:  # not before the loop runs that it belongs to
            self._client = aiohttp.ClientSession(
                connector=self._connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout.total_seconds()),
                headers={"User-Agent": self._user_agent, "Accept-Encoding": "gzip, deflate"},
                auto_decompress=False,
            )
        return self._client


# --- what may come back from a fetch, and how long a server asks to be left alone ---


_YEAR = timedelta(days=365).total_seconds()


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What a server said, whatever it was. Header names are in lower case, repeated ones joined by a comma."""

    status: int
    url: str
    """Where it was said, after redirects."""
    headers: Mapping[str, str]
    body: bytes
    moved: str = ""
    """The new address, where each redirect on the way was a permanent one (301, 308)."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No answer, or none that can be used; maybe later."""

    reason: str
    after: timedelta | None = None
    paced: bool = False
    """Nothing failed and nobody was asked: the host's turn comes ``after`` that time (:attr:`Manner.patience`)."""


@dataclass(frozen=True, slots=True)
class Forbidden:
    """An address that is never fetched: private network, scheme, port, a password in it."""

    reason: str


Reply = HttpResponse | Unreachable | Forbidden


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long a server asks to be left alone, a year at most; None where it does not say so legibly.

    Reads ``Retry-After`` (RFC 9110 10.2.3), else ``X-RateLimit-Reset`` or ``RateLimit-Reset`` (seconds, Unix time or
    ISO 8601) unless the header beside it says that some requests remain. ``headers`` have lower-case names.
    """
    if (asked := _wait(headers.get("retry-after", ""), now)) is not None:
        return asked
    for family in ("x-ratelimit", "ratelimit"):
        if headers.get(f"{family}-remaining", "0").strip() == "0":
            asked = _wait(headers.get(f"{family}-reset", ""), now)
            if asked is not None:
                return asked
    return None


def _wait(text: str, now: datetime) -> timedelta | None:
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,15}(\.[0-9]*)?", text):
        number = float(text)
        seconds = number - now.timestamp() if number > _YEAR else number
    elif (date := _date(text)) is not None:
        seconds = (date - now).total_seconds()
    else:
        return None
    return timedelta(seconds=min(max(seconds, 0), _YEAR))


def _date(text: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = read(text)
            return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
