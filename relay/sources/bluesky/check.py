"""Asks whether what the settings name would work. Of the streams their own module tells."""

from __future__ import annotations

from urllib.parse import urlsplit

from relay.ports import Check, Gone, TryLater
from relay.sources.bluesky import ourselves
from relay.sources.bluesky.account import AccountVoice
from relay.sources.bluesky.answers import Failure
from relay.sources.bluesky.ourselves import Us
from relay.sources.bluesky.records import SOURCE
from relay.sources.bluesky.session import Session
from relay.sources.bluesky.xrpc import XrpcApi
from relay.sources.kit import Missing, Ok

_KNOWN = "bsky.app"


async def check(api: XrpcApi, voice: AccountVoice) -> list[Check]:
    """The AppView, and the account where there is one."""
    lines = [await _check_api(api)]
    if api.session:
        lines.append(await _check_session(api.session, voice))
    return lines


async def _check_api(api: XrpcApi) -> Check:
    """That somebody is not known is as good an answer as any."""
    answer = await api.get(api.url, "app.bsky.actor.getProfile", [("actor", _KNOWN)])
    ok = isinstance(answer, Ok | Missing)
    closed = "accounts and threads are read, hashtags come from the streams" if api.session is None else ""
    return Check(name=f"{SOURCE} {urlsplit(api.url).netloc}", ok=ok, note=closed if ok else _reason(answer))


async def _check_session(session: Session, voice: AccountVoice) -> Check:
    """Only asked, not marked as a bot's: a check changes nothing."""
    name = f"{SOURCE} {session.handle}"
    us = await ourselves.who(session)
    if not isinstance(us, Us):
        return Check(name=name, ok=False, note=us.reason)
    note = f"signed in at {session.home}"
    if not voice.names():
        return Check(name=name, ok=True, note=f"{note}; who mentions it is not answered (mentions = false)")
    is_marked = await ourselves.is_marked(session, us)
    if isinstance(is_marked, TryLater | Gone):
        return Check(name=name, ok=False, note=f"{note}, but its profile cannot be read: {is_marked.reason}")
    mark = "its profile says that it is a bot" if is_marked else "relay run will say on its profile that it is a bot"
    return Check(name=name, ok=True, note=f"{note}; who mentions it is answered; {mark}")


def _reason(answer: Ok | Failure) -> str:
    match answer:
        case Ok():
            return ""
        case Missing(host):
            return f"{host} does not know this question"
        case TryLater() | Gone():
            return answer.reason
        case _:
            return answer.later().reason
