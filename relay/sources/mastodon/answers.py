"""What a server's refusal means. Pure.

The documentation says 401 where a server is closed to visitors; the code of Mastodon answers 422 for timelines
(mastodon/documentation#942). Both are read as :class:`Denied`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from relay.http import HttpResponse, Reply
from relay.ports import TryLater
from relay.sources import kit
from relay.sources.kit import LONG, Denied, Failure, Missing, Ok, Unexpected, trouble_at
from relay.sources.mastodon.shapes import ErrorBody, read

CLOSED = (
    "shows this only to people with an account there; name another instance under [sources.mastodon], or ask its"
    " administrators to open it to visitors"
)
_NOT_ACCEPTED = (
    "does not accept the access token under [sources.mastodon.tokens]; make a new one there, for an account and with"
    " the scope read:statuses"
)


def judge(reply: Reply, now: datetime, *, token: bool = False) -> Ok | Failure:
    """Say what a reply means. ``token``: an access token was shown."""
    return kit.judge(reply, now, lambda answer, host, wait: _refused(answer, host, wait, token=token))


def _refused(answer: HttpResponse, host: str, wait: timedelta | None, *, token: bool) -> Failure:
    status = answer.status
    if status >= 500:
        return trouble_at(host, status, wait)
    error = read(answer.body, ErrorBody)
    if status in {404, 410}:
        return Missing(host, status, sure=status == 410 or error is not None, body=answer.body)
    if status == 401 or (status == 422 and error and "authenticated user" in error.error):
        return Denied(host, _NOT_ACCEPTED if token else CLOSED, token=token)
    if status == 403:
        return TryLater(f"{host} refuses to answer us (HTTP 403)", wait or LONG)
    return Unexpected(host, f"HTTP {status}", status=status, body=answer.body)
