"""What becomes of a visitor's words: they are neither logged nor sent back. Bad requests are counted instead."""

from __future__ import annotations

import asyncio
import logging
import traceback
import unicodedata
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from relay.log import get_logger

log = get_logger(__name__)

_CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Kinds of characters that no address of ours holds, and that would end a line where they are shown."""


class VisitorLog(logging.Logger):
    """The logger that aiohttp's server is given. Its own would write a visitor's address and bytes of the request."""

    def __init__(self) -> None:
        super().__init__("relay.web.visitors", logging.DEBUG)  # what is no HTTP at all is told at this level
        self.bad_requests = 0
        """Requests since the start that were no HTTP, or more than the server takes."""

    def handle(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            self.bad_requests += 1
        elif isinstance(error, ConnectionError | TimeoutError):
            return  # somebody hung up
        elif record.levelno >= logging.ERROR:
            log.error("the web server met a bug", **described(error))


Refuse = Callable[[int], web.Response]


class Visitor(web.RequestHandler):
    """Talks HTTP with one visitor; ``refuse`` makes the answer to what is none."""

    def __init__(self, server: web.Server, refuse: Refuse, logger: VisitorLog, *, keepalive: float) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, access_log=None, logger=logger, keepalive_timeout=keepalive)  # type: ignore[arg-type]  # None: nothing is written
        self._refuse = refuse

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)  # it logs, and raises where an answer is under way
        answer = self._refuse(status)
        answer.force_close()
        return answer


def has_control_characters(path: str) -> bool:
    return any(unicodedata.category(one) in _CONTROL for one in path)


def described(error: BaseException | None) -> dict[str, str]:
    """A bug for the log, without its message: that may quote the request."""
    if error is None:
        return {}
    return {"error": type(error).__name__, "stack": "".join(traceback.format_tb(error.__traceback__))}
