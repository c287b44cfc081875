"""Who the account is that people mention, and its mark: Bluesky wants bots labelled as such, by themselves."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from relay.ports import Account, Gone, TryLater
from relay.sources.bluesky.address import profile_url
from relay.sources.bluesky.answers import Failure, of_account
from relay.sources.bluesky.labels import read_self_labels
from relay.sources.bluesky.session import Session
from relay.sources.bluesky.shapes import Raw, read
from relay.sources.kit import Missing, Ok, Unexpected

BOT = "bot"

_PROFILES = "app.bsky.actor.profile"
_LABELS = "com.atproto.label.defs#selfLabels"
_MOST = 10
"""Labels that a record takes of its author."""
_TRIES = 2
"""Its person may change the profile while we do."""

Fields = dict[str, Raw]


class _Who(msgspec.Struct):
    did: str
    handle: str = ""


class _Kept(msgspec.Struct):
    value: Raw
    cid: str | None = None


@dataclass(frozen=True, slots=True)
class Us:
    """The account, by the names that others know."""

    did: str
    handle: str

    @property
    def account(self) -> Account:
        named = "" if self.handle == "handle.invalid" else self.handle
        return Account(uri=self.did, handle=f"@{named}" if named else "", url=profile_url(self.did))


async def who(session: Session) -> Us | TryLater | Gone:
    """As the account's own server says."""
    answer = await session.ask("com.atproto.server.getSession")
    if not isinstance(answer, Ok):
        return of_account(answer)
    told = read(answer.body, _Who)
    return Us(told.did, told.handle) if told else Unexpected(answer.host).later()


async def is_marked(session: Session, us: Us) -> bool | TryLater | Gone:
    """Whether the account's profile says that it is a bot's."""
    profile = await _profile(session, us)
    if isinstance(profile, _Kept):
        return _is_bot(profile)
    return False if isinstance(profile, Missing) else of_account(profile)


async def mark(session: Session, us: Us) -> str | TryLater | Gone:
    """Say so in the profile, of which all else stays as it is; what a person has to do where that is not possible."""
    for _ in range(_TRIES):
        answer = await _mark(session, us)
        if not (isinstance(answer, Unexpected) and answer.error == "InvalidSwap"):
            break
    match answer:
        case str():
            return answer and _note(us, answer)
        case TryLater():
            return answer
        case _:
            return _note(us, of_account(answer).reason)


async def _mark(session: Session, us: Us) -> str | Failure:
    """One try; why it cannot be."""
    profile = await _profile(session, us)
    if not isinstance(profile, _Kept | Missing):
        return profile
    if isinstance(profile, _Kept) and _is_bot(profile):
        return ""
    marked = _marked(profile)
    if marked is None:
        return "its profile takes no more labels"
    answer = await _put(session, us, marked, profile.cid if isinstance(profile, _Kept) else None)
    return "" if isinstance(answer, Ok) else answer


def _note(us: Us, why: str) -> str:
    return f"the account {us.handle} cannot be marked as a bot's: {why}; it needs the label “{BOT}” on its profile"


async def _profile(session: Session, us: Us) -> _Kept | Failure:
    answer = await session.ask(
        "com.atproto.repo.getRecord", [("repo", us.did), ("collection", _PROFILES), ("rkey", "self")]
    )
    return (read(answer.body, _Kept) or Unexpected(answer.host)) if isinstance(answer, Ok) else answer


async def _put(session: Session, us: Us, record: Fields, cid: str | None) -> Ok | Failure:
    """In the place of the version that was read, and of no other."""
    body = {"repo": us.did, "collection": _PROFILES, "rkey": "self", "swapRecord": cid, "record": record}
    return await session.tell("com.atproto.repo.putRecord", msgspec.json.encode(body))


def _is_bot(profile: _Kept) -> bool:
    fields = read(profile.value, Fields) or {}
    return BOT in read_self_labels(fields.get("labels", Raw()))


def _marked(profile: _Kept | Missing) -> Fields | None:
    """The profile with the label; None where there is no room for it, or where it is of a shape that we do not know."""
    if isinstance(profile, Missing):
        return {"$type": _raw(_PROFILES), "labels": _raw(_labels({}, []))}
    fields = read(profile.value, Fields)
    labels = read(fields.get("labels", Raw(b"{}")), Fields) if fields else None
    if fields is None or labels is None or (labels and read(labels.get("$type", Raw()), str) != _LABELS):
        return None
    values = read(labels.get("values", Raw(b"[]")), list[Raw])
    if values is None or len(values) >= _MOST:
        return None
    return fields | {"labels": _raw(_labels(labels, values))}


def _labels(labels: Fields, values: list[Raw]) -> Fields:
    return labels | {"$type": _raw(_LABELS), "values": _raw([*values, _raw({"val": BOT})])}


def _raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))
