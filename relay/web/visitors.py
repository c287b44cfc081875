"""What the web server logs: nothing that a visitor sent, and not who they are. Bad requests are counted instead."""

from __future__ import annotations

import logging
import traceback

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from relay.log import get_logger

log = get_logger(__name__)


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


def described(error: BaseException | None) -> dict[str, str]:
    """A bug for the log, without its message: that may quote the request."""
    if error is None:
        return {}
    return {"error": type(error).__name__, "stack": "".join(traceback.format_tb(error.__traceback__))}
