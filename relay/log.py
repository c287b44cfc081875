"""Logging to stderr: no secret in any line, and each trouble told once when it begins and once when it is over."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from json import dumps as json_of
from urllib.parse import quote

# structlog loads rich (5 MB) where it is installed, for tracebacks that are rendered plainly here: hide it meanwhile.
_rich_hidden = "rich" not in sys.modules
if _rich_hidden:
    sys.modules["rich"] = None  # type: ignore[assignment]  # "not installed", as the import system has it
import structlog  # noqa: E402 - after the line above
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger  # noqa: E402 - as above

if _rich_hidden:
    del sys.modules["rich"]

HIDDEN = "…"

_SECRETS = re.compile(
    r"(?P<web>\bhttps?://)[^/\s\"'<>]+@"  # user:password@ in an address
    r"|(?P<dsn>\b(?!https?:)[a-z][a-z0-9+.-]{0,30}://)[^\s\"'<>]{1,1000}@"  # a database's password may hold a slash
    r"|(?P<hook>/(?:webhooks|interactions)/\d+/)[\w-]+"  # such an address is its password
    r"|(?P<query>[?&](?:access_token|api_?key|auth|password|secret|sig|token)=)[^&\s\"'<>]+"
    r"|(?P<scheme>\b(?:bearer|bot|basic)\s+)(?=\S*\d)[\w.~+/=-]{16,}"  # an Authorization header
    r"|(?P<bot>\bbot)\d{6,}:[\w-]{30,}"  # a bot's token in the path of an address
    r"|\b\d{6,}:[\w-]{30,}"  # and alone
    r"|\b(?:syt|syr|mat|mct|mcr)_(?=\w*\d)\w{12,}"  # access tokens that say what they are
    r"|(?<![\w-])[\w-]{23,}\.[\w-]{6,}\.[\w-]{25,}",  # three-part tokens
    re.IGNORECASE,
)
_TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""They turn the rest of a line around."""
_UNPRINTABLE: dict[int, str | None] = {
    code: None for code in (*range(0x20), *range(0x7F, 0xA0), *_TURNING) if chr(code) not in "\n\t"
}
_UNPRINTABLE |= dict.fromkeys((0x2028, 0x2029), " ")  # some readers take them for the end of a line
_MULTILINE = frozenset({"exception", "stack"})
_A_MINUTE = 10
"""Lines about one thing."""
_LONGEST, _LONGEST_TRACE, _READ = 4_000, 50_000, 200_000
"""Characters of a value that are logged, and among which secrets are looked for: servers are quoted at any length."""


def get_logger(name: str) -> FilteringBoundLogger:
    """A module's own logger; the one way to get one, so that structlog is always loaded as above."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def redact(text: str) -> str:
    """Put ``…`` in the place of whatever looks like a secret: passwords in addresses, tokens, webhook addresses."""
    return _SECRETS.sub(_hide, text)


_KNOWN: list[str] = []
"""The secrets of this relay's configuration, in each form in which somebody may quote them."""
_SHORTEST, _BEGINNING = 4, 12
"""Characters of the shortest secret that is looked for, and of the beginning by which a longer one is recognised: what
quotes a server often cuts it off."""


def hide(text: str) -> str:
    """:func:`redact`, and the secrets of the configuration besides: for whatever is printed, logged or answered."""
    for secret in _KNOWN:
        text = _without(text, secret)
    return redact(text)


def _without(text: str, secret: str) -> str:
    beginning, parts, at = secret[:_BEGINNING], [], 0
    while (found := text.find(beginning, at)) >= 0:
        parts += [text[at:found], HIDDEN]
        at = found + _alike(secret, text[found : found + len(secret)])
    return "".join([*parts, text[at:]])


def _alike(one: str, other: str) -> int:
    """With how many of the same characters two texts begin."""
    differs = (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differs, min(len(one), len(other)))


def _forms(secret: str) -> set[str]:
    """As it is, in an address, and in JSON."""
    return {secret, quote(secret, safe=""), json_of(secret)[1:-1]} if len(secret) >= _SHORTEST else set()


def _hide(found: re.Match[str]) -> str:
    group = found.lastgroup or ""
    kept = found[group] if group else ""
    return f"{kept}{HIDDEN}{'@' if group in {'web', 'dsn'} else ''}"


def configure(level: str = "info", *, json: bool = False, secrets: Iterable[str] = ()) -> None:
    """Log to stderr from ``level`` up: for eyes on a terminal, else as ``key=value``, or as JSON objects where asked.

    ``secrets`` are hidden wherever they occur, besides whatever :func:`redact` knows by its looks. Libraries that use
    the standard ``logging`` are heard from WARNING up, through the same redaction.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    _KNOWN[:] = sorted(set().union(*map(_forms, secrets)), key=len, reverse=True)
    render = _hidden(_renderer(json=json))
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _clean,
    ]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _route_stdlib(shared, render)


def _renderer(*, json: bool) -> Processor:
    if json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])


def _clean(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Foreign text reaches neither the terminal's controls nor the next line of the log.

    Secrets are hidden here already: a colour code that a renderer puts before one may disguise it.
    """
    for key, value in event.items():
        if isinstance(value, str):
            longest = _LONGEST_TRACE if key in _MULTILINE else _LONGEST
            text = hide(value[:_READ].translate(_UNPRINTABLE))
            text = text if len(text) <= longest else f"{text[:longest]}{HIDDEN}"
            event[key] = text if key in _MULTILINE else text.replace("\n", " ")
    return event


def _hidden(render: Processor) -> Processor:
    """Redact the finished line as well: no value can be nested so deep that it slips by."""
    return lambda logger, method, event: hide(str(render(logger, method, event)))


_OF_VISITORS = ("aiohttp.server", "aiohttp.access", "aiohttp.web", "aiohttp.websocket")
"""What aiohttp's servers log of those who ask: their addresses, and bytes of what they sent."""


def _without_visitors(record: logging.LogRecord) -> bool:
    """Nothing is written of who opened a connection to us, whichever library tells of it."""
    if record.name.startswith(_OF_VISITORS):
        return False
    message = record.getMessage()
    if record.name == "asyncio" and "raddr=" in message:  # the representation of a socket
        record.msg, record.args = message.partition("raddr=")[0] + HIDDEN, ()
    return True


def _route_stdlib(shared: list[Processor], render: Processor) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_without_visitors)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)


class Trouble:
    """Says once when a thing breaks and once when it works again; a new reason is said again.

    Of one thing a few lines a minute are written: the reasons are often a server's own words, and one that says
    something else each time would fill the disk.
    """

    def __init__(self, log: FilteringBoundLogger | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log or get_logger(__name__)
        self._clock = clock
        self._reasons: dict[str, str] = {}
        self._minute, self._lines = 0, Counter[str]()

    def broke(self, key: str, reason: str, **context: object) -> None:
        """``key`` names the thing for people: a feed's address, a destination, the store."""
        if self._reasons.get(key) != reason and self._may_say(key):
            self._reasons[key] = reason
            self._log.warning("does not work", what=key, reason=reason, **context)

    def works(self, key: str, **context: object) -> None:
        if key in self._reasons and self._may_say(key):
            del self._reasons[key]
            self._log.info("works again", what=key, **context)

    def _may_say(self, key: str) -> bool:
        """What is not said now is said when it is still so in the next minute."""
        if (minute := int(self._clock() // 60)) != self._minute:
            self._minute, self._lines = minute, Counter()
        self._lines[key] += 1
        return self._lines[key] <= _A_MINUTE
