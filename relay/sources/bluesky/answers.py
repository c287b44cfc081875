"""What a server's reply means. Pure; every reply becomes one of a few values (atproto.com/specs/xrpc)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from relay.http import HttpResponse, Reply
from relay.ports import Gone, TryLater
from relay.sources import kit
from relay.sources.kit import Denied, Missing, Ok, Unexpected, trouble_at
from relay.sources.lenient import read
from relay.text import clean

_DAY = timedelta(days=1)

_MISSING = frozenset(
    {"NotFound", "RecordNotFound", "RepoNotFound", "HandleNotFound", "DidNotFound", "ActorNotFound", "AccountNotFound"}
)
_ASLEEP = frozenset(
    {"AccountDeactivated", "AccountTakedown", "AccountSuspended", "RepoDeactivated", "RepoTakendown", "RepoSuspended"}
)
_STALE = frozenset({"ExpiredToken", "InvalidToken"})


class XrpcError(msgspec.Struct):
    error: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Asleep:
    """The account is switched off by its owner or by moderators, perhaps for a while."""

    host: str

    def later(self) -> TryLater:
        return TryLater(f"{self.host} says that the account is switched off", _DAY)


@dataclass(frozen=True, slots=True)
class Stale:
    """The token that we showed is no good any more."""

    host: str

    def later(self) -> TryLater:
        return TryLater(f"{self.host} does not take our session any more")


Failure = kit.Failure | Asleep | Stale


def settled(failure: Failure, missing: str) -> TryLater | Gone:
    """A failure as the seam knows it; what is missing is gone for the reason that is given."""
    match failure:
        case Missing():
            return Gone(missing)
        case TryLater() | Gone():
            return failure
        case _:
            return failure.later()


def of_account(failure: Failure) -> TryLater | Gone:
    """A failure with the account that we speak for: what is closed is opened by its person alone."""
    if isinstance(failure, Asleep):
        return Gone(f"{failure.host} says that the account is switched off")
    return settled(failure, f"{failure.host} knows no such account" if isinstance(failure, Missing) else "")


def judge(reply: Reply, now: datetime) -> Ok | Failure:
    """Say what a reply means."""
    return kit.judge(reply, now, _refused)


def _refused(answer: HttpResponse, host: str, wait: timedelta | None) -> Failure:
    status, error = answer.status, read(answer.body, XrpcError)
    if error is not None and (known := _judge_error(error, host)):
        return known
    name = clean(error.error, limit=60) if error else ""
    if status in {401, 403}:
        return Denied(host, f"refuses to answer us ({name or f'HTTP {status}'})", name)
    if status >= 500 and status != 501:
        return trouble_at(host, status, wait)
    return Unexpected(host, f"HTTP {status} {name}".rstrip(), status, name)


def _judge_error(error: XrpcError, host: str) -> Missing | Asleep | Stale | None:
    if error.error in _STALE:
        return Stale(host)
    if error.error in _ASLEEP:
        return Asleep(host)
    said = (error.message or "").lower()
    # unknown people and handles have no name of their own among the errors
    unknown = error.error == "InvalidRequest" and ("not found" in said or "unable to resolve handle" in said)
    return Missing(host) if unknown or error.error in _MISSING else None
