"""What the networks' packages share: what a server's answer means, as one of a few values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from relay.http import Answer, Forbidden, Reply, Unreachable, retry_after
from relay.ports import Gone, TryLater

LONG = timedelta(minutes=15)
"""How long to leave a server alone that does not want us: only a person can change that."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ok:
    """A good answer, from ``url`` in the end; ``wait`` is set where it is the last one that we get for a while."""

    body: bytes
    url: str
    wait: timedelta | None = None

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such thing there. ``sure``: the API itself says so, not some page in front of it."""

    host: str
    status: int = 404
    sure: bool = True
    body: bytes = b""

    def later(self) -> TryLater:
        return TryLater(f"{self.host} answered with HTTP {self.status}, and not as such a server does")


@dataclass(frozen=True, slots=True)
class Denied:
    """Not for us, or only for people with an account; ``why`` goes on from the host."""

    host: str
    why: str = "refuses to answer us"
    error: str = ""
    """The refusal's name, where the protocol has one."""
    token: bool = False
    """Not even with the access token that we showed."""

    def later(self) -> TryLater:
        return TryLater(f"{self.host} {self.why}", LONG)


@dataclass(frozen=True, slots=True)
class Unexpected:
    """Nothing that the protocol knows here: a page in HTML, JSON of another shape, an unknown refusal."""

    host: str
    what: str = "something that is no answer to what was asked"
    status: int = 0
    error: str = ""
    """The refusal's name, where it has one."""
    body: bytes = b""

    def later(self) -> TryLater:
        return TryLater(f"{self.host} answered with {self.what}")


Failure = Missing | Denied | Unexpected | TryLater | Gone


def judge(
    reply: Reply, now: datetime, refused: Callable[[Answer, str, timedelta | None], T]
) -> Ok | TryLater | Gone | T:
    """What a reply means. ``refused`` reads, as the protocol has it, what is neither good nor a limit.

    It is given the host besides, and for how long that one asks to be left alone. A redirect was followed before.
    """
    if not isinstance(reply, Answer):
        return unanswered(reply)
    host, wait = urlsplit(reply.url).netloc, retry_after(reply.headers, now)
    if 200 <= reply.status < 300:
        return Ok(reply.body, reply.url, wait)
    if reply.status == 429:
        return TryLater(f"{host} asks us to slow down (HTTP 429)", wait)
    return refused(reply, host, wait)


def unanswered(reply: Forbidden | Unreachable) -> TryLater | Gone:
    """What it means that no answer came."""
    if isinstance(reply, Forbidden):
        return Gone(reply.reason)
    return TryLater(reply.reason, reply.after, paced=reply.paced)


def trouble_at(host: str, status: int, wait: timedelta | None) -> TryLater:
    """An answer with a status of 5xx."""
    return TryLater(f"{host} has trouble (HTTP {status})", wait)
