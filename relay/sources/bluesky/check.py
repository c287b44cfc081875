"""Asks whether what the settings name would work. Of the streams their own module tells."""

from __future__ import annotations

from urllib.parse import urlsplit

from relay.ports import Check, Gone, TryLater
from relay.sources.bluesky.answers import Missing, Told, Trouble
from relay.sources.bluesky.records import SOURCE
from relay.sources.bluesky.session import Session
from relay.sources.bluesky.xrpc import Api

_KNOWN = "bsky.app"


async def check(api: Api) -> list[Check]:
    """The AppView, and the account where there is one."""
    lines = [await _check_api(api)]
    if api.session:
        lines.append(await _check_session(api.session))
    return lines


async def _check_api(api: Api) -> Check:
    """That somebody is not known is as good an answer as any."""
    answer = await api.get(api.url, "app.bsky.actor.getProfile", [("actor", _KNOWN)])
    ok = isinstance(answer, Told | Missing)
    closed = "accounts and threads are read, hashtags come from the streams" if api.session is None else ""
    return Check(name=f"{SOURCE} {urlsplit(api.url).netloc}", ok=ok, note=closed if ok else _reason(answer))


async def _check_session(session: Session) -> Check:
    answer = await session.ask("com.atproto.server.getSession")
    ok = isinstance(answer, Told)
    note = f"signed in at {session.home}" if ok else _reason(answer)
    return Check(name=f"{SOURCE} {session.handle}", ok=ok, note=note)


def _reason(answer: Told | Trouble) -> str:
    match answer:
        case Told():
            return ""
        case Missing(host):
            return f"{host} does not know this question"
        case TryLater() | Gone():
            return answer.reason
        case _:
            return answer.later().reason
