"""The library's own transport, which in addition tells apart what was surely not sent, and what may have been."""

from __future__ import annotations

import json
import logging
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx
from telegram import Bot
from telegram.error import BadRequest, InvalidToken, NetworkError, TelegramError
from telegram.request import HTTPXRequest

if TYPE_CHECKING:
    from ssl import SSLContext

    from adapters.telegram.settings import TelegramSettings

AT_ONCE = 8
"""Connections: httpx becomes slow with many of them."""
FOR_PEOPLE = 4
"""Connections besides, for those who wait for an answer."""
READ, CONNECT = 20.0, 5.0
_TALKATIVE = ("httpx", "httpcore", "telegram", "telegram.ext")
"""They write down addresses, and in Telegram's the token stands."""
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_LIBRARYS = frozenset({400, 403, 409})
"""These the library tells apart itself. A 429 it cannot, without a warning of its own deprecation."""


class TelegramNotSent(NetworkError):  # noqa: N818 - named like the library's own: for what happened
    """Surely not sent."""


class TelegramMaybeSent(NetworkError):  # noqa: N818 - named like the library's own: for what happened
    """Written, or partly so, and then no answer."""


class Broken(NetworkError):  # noqa: N818 - named like the library's own: for what happened
    """Telegram failed at it (HTTP 5xx): it may have been carried out."""


class NoSuchMethod(TelegramError):  # noqa: N818 - named like the library's own: for what happened
    """HTTP 404: the token has no such form, or this Bot API has no such method."""


class Slower(TelegramError):  # noqa: N818 - named like the library's own: for what happened
    """HTTP 429: nothing more for so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Telegram asks for a pause of {seconds:g} s")
        self.seconds = seconds


class Wire(HTTPXRequest):
    """One attempt; a failure is an exception that says what it means, and holds no address."""

    async def do_request(self, *args: Any, **keywords: Any) -> tuple[int, bytes]:
        try:
            status, payload = await super().do_request(*args, **keywords)
        except NetworkError as error:
            raise lost(error.__cause__ or error) from None
        if status >= 300 and status not in _LIBRARYS:
            raise refusal(status, payload)
        return status, payload


def lost(cause: BaseException) -> NetworkError:
    """No answer came; the class of the cause is all that is said, as its words may hold the address."""
    name = type(cause).__name__
    if isinstance(cause, _NEVER_LEFT):
        return TelegramNotSent(f"Telegram cannot be reached ({name})")
    return TelegramMaybeSent(f"the answer was lost ({name})")


def refusal(status: int, payload: bytes) -> TelegramError:
    """What the library has no name for, or names alike."""
    body = _json(payload)
    words = str(body.get("description") or f"HTTP {status}")
    if status == 429:
        parameters = body.get("parameters")
        after = parameters.get("retry_after") if isinstance(parameters, dict) else None
        return Slower(float(after) if isinstance(after, int | float) else 1.0)
    if status == 401:
        return InvalidToken(words)
    if status == 404:
        return NoSuchMethod(words)
    if status >= 500:
        return Broken(f"{words} ({status})")
    return (
        BadRequest(words) if status >= 400 else TelegramNotSent(f"something else answers in Telegram's place ({words})")
    )


def _json(payload: bytes) -> dict[str, Any]:
    try:
        body = json.loads(payload)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


@cache
def _trust() -> SSLContext:
    """Reading the certificates takes longer than anything else here."""
    return httpx.create_ssl_context()


def wire() -> Wire:
    return Wire(
        connection_pool_size=AT_ONCE + FOR_PEOPLE,
        read_timeout=READ,
        write_timeout=READ,
        connect_timeout=CONNECT,
        pool_timeout=CONNECT,
        httpx_kwargs={"verify": _trust()},
    )


def bot_of(settings: TelegramSettings, sending: Wire, polling: Wire) -> Bot:
    """The library's client. It is never initialized: it asks nothing by itself, and holds nothing but the wires."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    url = settings.api_url.rstrip("/")
    return Bot(
        settings.token.get_secret_value(),
        base_url=f"{url}/bot",
        base_file_url=f"{url}/file/bot",
        request=sending,
        get_updates_request=polling,
    )
