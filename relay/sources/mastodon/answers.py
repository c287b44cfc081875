"""What a server's reply means. Pure; every reply becomes one of a few values.

The documentation says 401 where a server is closed to visitors; the code of Mastodon answers 422 for timelines
(mastodon/documentation#942). Both are read as :class:`Closed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from relay.http import Answer, Forbidden, Reply, Unreachable, retry_after
from relay.ports import Gone, TryLater
from relay.sources.mastodon.shapes import Error, read

LONG = timedelta(minutes=15)
"""How long to leave a server alone that does not want us: only a person can change that."""


@dataclass(frozen=True, slots=True)
class Told:
    """A good answer, from ``url`` in the end; ``wait`` is set where it is the last one that we get for a while."""

    body: bytes
    url: str
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such thing there (404, 410). ``sure``: the API itself says so, not some page in front of it."""

    host: str
    status: int
    sure: bool
    body: bytes = b""

    def later(self) -> TryLater:
        return TryLater(f"{self.host} answered with HTTP {self.status}, and not as a Mastodon server does")


@dataclass(frozen=True, slots=True)
class Closed:
    """Only for people with an account there; ``token``: not even with the access token that we showed."""

    host: str
    token: bool = False

    def later(self) -> TryLater:
        if self.token:
            return TryLater(
                f"{self.host} does not accept the access token under [sources.mastodon.tokens]; make a new one there,"
                " for an account and with the scope read:statuses",
                LONG,
            )
        return TryLater(
            f"{self.host} shows this only to people with an account there; name another instance under"
            " [sources.mastodon], or ask its administrators to open it to visitors",
            LONG,
        )


@dataclass(frozen=True, slots=True)
class Odd:
    """Nothing that a Mastodon server would say here: a page in HTML, JSON of another shape, an unknown refusal."""

    host: str
    what: str
    body: bytes = b""

    def later(self) -> TryLater:
        return TryLater(f"{self.host} answered with {self.what}")


Trouble = Missing | Closed | Odd | TryLater | Gone


def judge(reply: Reply, now: datetime, *, token: bool = False) -> Told | Trouble:
    """Say what a reply means. A redirect was followed before; ``token``: an access token was shown."""
    match reply:
        case Forbidden(reason):
            return Gone(reason)
        case Unreachable(reason, after):
            return TryLater(reason, after, paced=reply.paced)
        case Answer():
            return _judge_status(reply, urlsplit(reply.url).netloc, now, token=token)


def _judge_status(answer: Answer, host: str, now: datetime, *, token: bool) -> Told | Trouble:
    status, wait = answer.status, retry_after(answer.headers, now)
    if 200 <= status < 300:
        return Told(answer.body, answer.url, wait)
    if status >= 500:
        return TryLater(f"{host} has trouble (HTTP {status})", wait)
    error = read(answer.body, Error)
    if status in {404, 410}:
        return Missing(host, status, sure=status == 410 or error is not None, body=answer.body)
    if status == 401 or (status == 422 and error and "authenticated user" in error.error):
        return Closed(host, token)
    return _refused(answer, host, wait)


def _refused(answer: Answer, host: str, wait: timedelta | None) -> TryLater | Odd:
    match answer.status:
        case 403:
            return TryLater(f"{host} refuses to answer us (HTTP 403)", wait or LONG)
        case 429:
            return TryLater(f"{host} asks us to slow down (HTTP 429)", wait)
        case status:
            return Odd(host, f"HTTP {status}", answer.body)
