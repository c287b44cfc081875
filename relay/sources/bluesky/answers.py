"""What a server's reply means. Pure; every reply becomes one of a few values (atproto.com/specs/xrpc)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import msgspec

from relay.http import Answer, Forbidden, Reply, Unreachable, retry_after
from relay.ports import Gone, TryLater
from relay.sources.lenient import read
from relay.text import clean

LONG = timedelta(minutes=15)
"""How long to leave a server alone that does not want us: only a person can change that."""
_DAY = timedelta(days=1)

_MISSING = frozenset(
    {"NotFound", "RecordNotFound", "RepoNotFound", "HandleNotFound", "DidNotFound", "ActorNotFound", "AccountNotFound"}
)
_ASLEEP = frozenset(
    {"AccountDeactivated", "AccountTakedown", "AccountSuspended", "RepoDeactivated", "RepoTakendown", "RepoSuspended"}
)
_STALE = frozenset({"ExpiredToken", "InvalidToken"})


class Error(msgspec.Struct):
    error: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A good answer; ``wait`` is set where it is the last one that we get for a while."""

    body: bytes
    host: str
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such thing: the protocol itself says so, not some page in front of it."""

    host: str


@dataclass(frozen=True, slots=True)
class Asleep:
    """The account is switched off by its owner or by moderators, perhaps for a while."""

    host: str

    def later(self) -> TryLater:
        return TryLater(f"{self.host} says that the account is switched off", _DAY)


@dataclass(frozen=True, slots=True)
class Denied:
    """Not for us, or not without an account."""

    host: str
    error: str = ""

    def later(self) -> TryLater:
        return TryLater(f"{self.host} refuses to answer us{f' ({self.error})' if self.error else ''}", LONG)


@dataclass(frozen=True, slots=True)
class Stale:
    """The token that we showed is no good any more."""

    host: str

    def later(self) -> TryLater:
        return TryLater(f"{self.host} does not take our session any more")


@dataclass(frozen=True, slots=True)
class Odd:
    """Nothing that the protocol knows here: a page in HTML, JSON of another shape, an unknown refusal."""

    host: str
    what: str = "something that is no answer to what was asked"
    error: str = ""
    """The refusal's name, where it has one."""

    def later(self) -> TryLater:
        return TryLater(f"{self.host} answered with {self.what}")


Trouble = Missing | Asleep | Denied | Stale | Odd | TryLater | Gone


def settled(trouble: Trouble, missing: str) -> TryLater | Gone:
    """Trouble as the seam knows it; what is missing is gone for the reason that is given."""
    match trouble:
        case Missing():
            return Gone(missing)
        case TryLater() | Gone():
            return trouble
        case _:
            return trouble.later()


def of_account(trouble: Trouble) -> TryLater | Gone:
    """Trouble with the account that we speak for: what is closed is opened by its person alone."""
    if isinstance(trouble, Asleep):
        return Gone(f"{trouble.host} says that the account is switched off")
    return settled(trouble, f"{trouble.host} knows no such account" if isinstance(trouble, Missing) else "")


def judge(reply: Reply, now: datetime) -> Told | Trouble:
    """Say what a reply means. A redirect was followed before."""
    match reply:
        case Forbidden(reason):
            return Gone(reason)
        case Unreachable(reason, after):
            return TryLater(reason, after)
        case Answer():
            return _judge_status(reply, urlsplit(reply.url).netloc, now)


def _judge_status(answer: Answer, host: str, now: datetime) -> Told | Trouble:
    status, wait = answer.status, retry_after(answer.headers, now)
    if 200 <= status < 300:
        return Told(answer.body, host, wait)
    if status == 429:
        return TryLater(f"{host} asks us to slow down (HTTP 429)", wait)
    error = read(answer.body, Error)
    if error is not None and (told := _judge_error(error, host)):
        return told
    name = clean(error.error, limit=60) if error else ""
    if status in {401, 403}:
        return Denied(host, name or f"HTTP {status}")
    if status >= 500 and status != 501:
        return TryLater(f"{host} has trouble (HTTP {status})", wait)
    return Odd(host, f"HTTP {status} {name}".rstrip(), name)


def _judge_error(error: Error, host: str) -> Missing | Asleep | Stale | None:
    if error.error in _STALE:
        return Stale(host)
    if error.error in _ASLEEP:
        return Asleep(host)
    said = (error.message or "").lower()
    # unknown people and handles have no name of their own among the errors
    unknown = error.error == "InvalidRequest" and ("not found" in said or "unable to resolve handle" in said)
    return Missing(host) if unknown or error.error in _MISSING else None
