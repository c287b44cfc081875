"""The account that people mention, where the operator lets it answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from relay.ports import Account, Answered, Gone, Mention, Mentions, Refused, TryLater
from relay.sources.bluesky import notices, ourselves
from relay.sources.bluesky.address import POSTS, RecordAddress
from relay.sources.bluesky.answers import of_account
from relay.sources.bluesky.ourselves import Us
from relay.sources.bluesky.reply import Below, read_below, record_key, write_record
from relay.sources.bluesky.session import Session
from relay.sources.bluesky.shapes import Raw, Record, ReplyRef, read
from relay.sources.kit import Missing, Ok, Unexpected


@dataclass(slots=True)
class AccountVoice:
    """Speaks for the account of a session; without one for nobody. It remembers who that is."""

    session: Session | None
    us: Us | None = None

    def names(self) -> Sequence[str]:
        return (self.session.handle,) if self.session else ()

    async def introduce(self) -> Account | TryLater | Gone:
        """Who the account is; its profile says that it is a bot's, or the note why not."""
        known = await self._known()
        if not isinstance(known, tuple):
            return known
        note = await ourselves.mark(*known)
        return replace(known[1].account, note=note) if isinstance(note, str) else note

    async def hear(self, cursor: str) -> Mentions | TryLater | Gone:
        known = await self._known()
        if not isinstance(known, tuple):
            return known
        session, us = known
        return await notices.read_on(session, us.did, cursor)

    async def answer(
        self, mention: Mention, text: str, *, key: str, again: bool
    ) -> Answered | TryLater | Refused | Gone:
        known = await self._known()
        if not isinstance(known, tuple):
            return known
        session, us = known
        return await answer(session, us.did, mention, text, key=key, again=again)

    async def _known(self) -> tuple[Session, Us] | TryLater | Gone:
        if self.session is None:
            return Gone("no account of Bluesky's is to answer (sources.bluesky.mentions)")
        if self.us is None:
            told = await ourselves.who(self.session)
            if not isinstance(told, Us):
                return told
            self.us = told
        return self.session, self.us


# --- answers a mention, once: below it, in the account's own repository ---
# The record's key is made of the mention, and it is written only where no such record is yet (``swapRecord``: null). A
# try of which nobody knows the end is found there by the next one.


_NEVER = frozenset({"InvalidRequest", "InvalidRecord"})
"""So a server refuses the record itself: it will do so again."""


class _Views(msgspec.Struct):
    posts: list[Raw]


class _Viewer(msgspec.Struct):
    """What the account may do with a post, or with its author."""

    closed: bool = msgspec.field(name="replyDisabled", default=False)
    blocked: bool = msgspec.field(name="blockedBy", default=False)


class _Person(msgspec.Struct):
    viewer: Raw = Raw()


class _View(msgspec.Struct):
    uri: str
    author: Raw = Raw()
    viewer: Raw = Raw()


class _Kept(msgspec.Struct):
    value: Raw


@dataclass(frozen=True, slots=True)
class _Draft:
    """An answer that is to stand at a place of ours."""

    place: RecordAddress
    below: Below


async def answer(
    session: Session, did: str, mention: Mention, text: str, *, key: str, again: bool
) -> Answered | TryLater | Refused | Gone:
    """One try. The mention is looked at before: it may be deleted, or closed to answers by now."""
    below = read_below(mention.reply)
    if below is None:
        return Refused("what was kept of the mention cannot be read")
    draft = _Draft(RecordAddress(did, record_key(mention.at, key)), below)
    if again and not isinstance(there := await _look(session, draft), Missing):
        return there
    if (closed := await _closed(session, below)) is not None:
        return closed
    return await _write(session, draft, write_record(mention, below, text, datetime.now(UTC)))


async def _look(session: Session, draft: _Draft) -> Answered | Missing | TryLater | Refused | Gone:
    """Whether the answer stands there already."""
    place = draft.place
    params = [("repo", place.who), ("collection", place.collection), ("rkey", place.rkey)]
    answer = await session.ask("com.atproto.repo.getRecord", params)
    if not isinstance(answer, Ok):
        return answer if isinstance(answer, Missing) else of_account(answer)
    kept = read(answer.body, _Kept)
    said = read(kept.value, Record) if kept else None
    reply = read(said.reply, ReplyRef) if said else None
    if reply and reply.parent.uri == draft.below.parent.uri:
        return Answered(str(place))
    return Refused("another post of the account's stands where the answer would")


async def _closed(session: Session, below: Below) -> TryLater | Refused | Gone | None:
    """Why the mention may not be answered now; None: it may."""
    uri = below.parent.uri
    answer = await session.ask("app.bsky.feed.getPosts", [("uris", uri)])
    if not isinstance(answer, Ok):
        return of_account(answer)
    views = read(answer.body, _Views)
    if views is None:
        return Unexpected(answer.host).later()
    view = next((view for raw in views.posts if (view := read(raw, _View)) and view.uri == uri), None)
    if view is None:
        return Refused("it was deleted, or its author shows it to the account no more")
    person = read(view.author, _Person) or _Person()
    if (read(person.viewer, _Viewer) or _Viewer()).blocked:
        return Refused("its author has blocked the account")
    return Refused("its thread is closed to the account") if (read(view.viewer, _Viewer) or _Viewer()).closed else None


async def _write(session: Session, draft: _Draft, record: dict[str, Any]) -> Answered | TryLater | Refused | Gone:
    place = draft.place
    body = {"repo": place.who, "collection": POSTS, "rkey": place.rkey, "swapRecord": None, "record": record}
    answer = await session.tell("com.atproto.repo.putRecord", msgspec.json.encode(body))
    match answer:
        case Ok(wait=wait):
            return Answered(str(place), wait or timedelta(0))
        case Unexpected(error="InvalidSwap"):  # an earlier try, of which nobody said so
            there = await _look(session, draft)
            return Answered(str(place)) if isinstance(there, Answered) else _unless_missing(there, answer)
        case Unexpected(error=name) if name in _NEVER:
            return Refused(f"{answer.host} does not take the answer ({name})")
        case _:
            return of_account(answer)


def _unless_missing(there: Missing | TryLater | Refused | Gone, answer: Unexpected) -> TryLater | Refused | Gone:
    return answer.later() if isinstance(there, Missing) else there
