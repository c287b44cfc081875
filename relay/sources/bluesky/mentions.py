"""Speaks as the account: reads who mentions it, and answers below.

See the lexicons of app.bsky.notification and com.atproto.repo.

Notifications come newest first and are paged backwards, as other lists are; what counts is not whether they were read,
but whether we know them. An answer's key in the repository is made of what it answers: there is room for one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from relay.ports import Account, Answered, Check, Gone, Mention, Mentions, Refused, TryLater
from relay.sources.bluesky import place
from relay.sources.bluesky.address import POSTS, profile_url
from relay.sources.bluesky.answers import LONG, Denied, Missing, Odd, Told, Trouble
from relay.sources.bluesky.labels import read_self_labels
from relay.sources.bluesky.place import PAGE, Item, Place, Step
from relay.sources.bluesky.records import SOURCE
from relay.sources.bluesky.session import Session
from relay.sources.bluesky.shapes import Raw, read
from relay.sources.bluesky.speech import Below, dated, read_mention, record_key, written
from relay.text import clean

LISTEN = timedelta(seconds=20)
POSTING = 1000, timedelta(hours=1)
"""Servers allow 1600 new records an hour and 11 000 a day; the rest is for who has the account."""
_PAGES = 10
_PROFILE = "app.bsky.actor.profile"
_SELF_LABELS = "com.atproto.label.defs#selfLabels"
_BOT = "bot"
_NO_BOT = "the account could not be labelled as a bot; that is tried again at the next start"


class _Own(msgspec.Struct):
    did: str
    handle: str | None = None


class _Page(msgspec.Struct):
    notifications: list[Raw]
    cursor: str | None = None


class _Kept(msgspec.Struct):
    """A record as a repository tells it."""

    value: Raw
    uri: str = ""
    cid: str | None = None


class _Labelled(msgspec.Struct):
    labels: Raw = Raw()


class _Viewer(msgspec.Struct):
    closed: bool | None = msgspec.field(name="replyDisabled", default=None)


class _View(msgspec.Struct):
    viewer: Raw = Raw()


class _Views(msgspec.Struct):
    posts: list[Raw]


@dataclass(slots=True)
class _Reading:
    """The pages of one reading."""

    onward: str
    """Where the page below begins; empty: there is none, or it was read before."""
    items: list[Item] = field(default_factory=list)
    found: dict[str, Raw] = field(default_factory=dict)
    wait: timedelta | None = None


@dataclass(slots=True)
class Voice:
    """The account of the session."""

    session: Session
    _did: str = field(default="")

    # --- who we are ---

    async def account(self) -> Account | TryLater | Gone:
        answer = await self.session.ask("com.atproto.server.getSession")
        own = read(answer.body, _Own) if isinstance(answer, Told) else None
        if not isinstance(answer, Told):
            return _later(answer)
        if own is None:
            return Odd(answer.host).later()
        self._did = own.did
        marked = await self._mark(own.did)
        handle = f"@{clean(own.handle or self.session.handle, limit=253)}"
        return Account(uri=own.did, handle=handle, url=profile_url(own.did), note="" if marked else _NO_BOT)

    async def _mark(self, did: str) -> bool:
        """Say of the account that it is a bot's, and leave the rest of its profile as it is."""
        key = [("repo", did), ("collection", _PROFILE), ("rkey", "self")]
        answer = await self.session.ask("com.atproto.repo.getRecord", key)
        kept = read(answer.body, _Kept) if isinstance(answer, Told) else None
        if not isinstance(answer, Told | Missing) or (isinstance(answer, Told) and kept is None):
            return False
        profile = (read(kept.value, dict[str, Any]) if kept else None) or {"$type": _PROFILE}
        labelled = read(kept.value, _Labelled) if kept else None
        labels = read_self_labels(labelled.labels) if labelled else ()
        if _BOT in labels:
            return True
        values = [{"val": label} for label in (*labels, _BOT)]
        put = {
            "repo": did,
            "collection": _PROFILE,
            "rkey": "self",
            "record": {**profile, "labels": {"$type": _SELF_LABELS, "values": values}},
            "swapRecord": kept.cid if kept else None,
        }
        return isinstance(await self.session.tell("com.atproto.repo.putRecord", put), Told)

    async def _own_did(self) -> str | TryLater | Gone:
        if not self._did:
            account = await self.account()
            if not isinstance(account, Account):
                return account
        return self._did

    # --- hearing ---

    async def mentions(self, cursor: str) -> Mentions | TryLater | Gone:
        own = await self._own_did()
        if not isinstance(own, str):
            return own
        kept = place.read_place(cursor)
        reading = await self._read(kept)
        if not isinstance(reading, _Reading):
            return _later(reading)
        now = datetime.now(UTC)
        if kept:
            step = place.read_pages(kept, reading.items, reading.onward, now)
        else:
            step = Step(place.begin(reading.items, now))
        heard = (read_mention(reading.found[uri], own) for uri in reversed(step.new))
        after = str(step.place)
        return Mentions(
            mentions=tuple(one for one in heard if one),
            cursor=after if after != cursor else None,
            more=bool(step.place.onward) and reading.wait is None,
            wait=reading.wait,
        )

    async def _read(self, kept: Place | None) -> _Reading | Trouble:
        """From the top down to what is known, or on from where the last reading stopped."""
        reading = _Reading(onward=kept.onward if kept else "")
        for number in range(_PAGES if kept else 1):
            answer = await self._ask_page(reading.onward)
            page = read(answer.body, _Page) if isinstance(answer, Told) else None
            if not isinstance(answer, Told):
                return reading if number and isinstance(answer, TryLater) else answer
            if page is None:
                return Odd(answer.host)
            told = list(dated(page.notifications, reading.found))
            reading.items += told
            reading.wait = answer.wait
            reading.onward = page.cursor or "" if page.notifications else ""
            if not reading.onward or kept is None or place.reaches(kept, told):
                reading.onward = ""
                break
        return reading

    async def _ask_page(self, cursor: str) -> Told | Trouble:
        reasons = [("reasons", reason) for reason in ("mention", "quote", "reply")]
        params = [*reasons, ("limit", str(PAGE)), *([("cursor", cursor)] if cursor else [])]
        return await self.session.ask("app.bsky.notification.listNotifications", params)

    # --- answering ---

    async def answer(
        self, mention: Mention, text: str, *, key: str, again: bool
    ) -> Answered | TryLater | Refused | Gone:
        own, below = await self._own_did(), read(mention.reply.encode(), Below)
        if not isinstance(own, str):
            return own
        if below is None:
            return Refused("what it takes to answer was written by another version of this program")
        rkey = record_key(mention.at, key)
        if again and (there := await self._answered(own, rkey)):
            return there
        if closed := await self._closed(below.parent.uri):
            return closed
        return await self._put(own, rkey, {**written(text, datetime.now(UTC)), "reply": below})

    async def _put(self, own: str, rkey: str, record: dict[str, Any]) -> Answered | TryLater | Refused | Gone:
        put = {"repo": own, "collection": POSTS, "rkey": rkey, "record": record}
        answer = await self.session.tell("com.atproto.repo.putRecord", put)
        match answer:
            case Told(wait=wait):
                return Answered(f"at://{own}/{POSTS}/{rkey}", wait or timedelta(0))
            case Odd(host, what):
                return Refused(f"{host} does not take the answer: {what}")
            case _:
                return _later(answer)

    async def _answered(self, own: str, rkey: str) -> Answered | TryLater | Gone | None:
        key = [("repo", own), ("collection", POSTS), ("rkey", rkey)]
        answer = await self.session.ask("com.atproto.repo.getRecord", key)
        if isinstance(answer, Missing):
            return None
        return Answered(f"at://{own}/{POSTS}/{rkey}") if isinstance(answer, Told) else _later(answer)

    async def _closed(self, uri: str) -> TryLater | Refused | Gone | None:
        """Why the mention cannot be answered: it is gone, or its author does not let us (a threadgate says who may)."""
        answer = await self.session.ask("app.bsky.feed.getPosts", [("uris", uri)])
        if not isinstance(answer, Told):
            return _later(answer)
        views = read(answer.body, _Views)
        if views is None:
            return Odd(answer.host).later()
        view = read(views.posts[0], _View) if views.posts else None
        if view is None:
            return Refused("the post is not there any more")
        viewer = read(view.viewer, _Viewer)
        return Refused("its author has closed it to replies") if viewer and viewer.closed else None

    async def check(self) -> Check:
        """Whether the account may be asked; nothing is posted to find that out."""
        name = f"{SOURCE} mentions"
        account = await self.account()
        if not isinstance(account, Account):
            return Check(name=name, ok=False, note=account.reason)
        told = await self.mentions("")
        if not isinstance(told, Mentions):
            return Check(name=name, ok=False, note=told.reason)
        return Check(name=name, ok=not account.note, note=account.note or f"answers who mentions {account.handle}")


def _later(trouble: Trouble) -> TryLater | Gone:
    match trouble:
        case TryLater() | Gone():
            return trouble
        case Denied(host, error):
            return TryLater(f"{host} does not let the account speak{f' ({error})' if error else ''}", LONG)
        case Missing(host):
            return TryLater(f"{host} does not know this question", LONG)
        case _:
            return trouble.later()
