"""Reads what was said to the account: its notifications, newest first, from the top down to what is known.

An AppView filters the list for us, so a page may hold anything from nothing to half as much again as was asked for;
only without a cursor it is the last. Its cursors are times, and leave out what else happened at that moment: where they
can be read as such, a page begins a millisecond above the end of the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import MAXYEAR, UTC, datetime, timedelta

import msgspec

from relay.core.authenticity import is_home
from relay.ports import Gone, Mention, Mentions, TryLater
from relay.sources.bluesky import list_cursor
from relay.sources.bluesky.address import POSTS, did_of, read_at
from relay.sources.bluesky.answers import Failure, of_account
from relay.sources.bluesky.list_cursor import ListCursor, ListItem
from relay.sources.bluesky.records import read_asker, read_languages, read_time
from relay.sources.bluesky.reply import Below, stamp
from relay.sources.bluesky.session import Session
from relay.sources.bluesky.shapes import Embed, Facet, Feature, Raw, Record, Ref, ReplyRef, read, read_all
from relay.sources.kit import Ok, Unexpected
from relay.text import scrub

_PAGES = 10
"""So many are read at most in one call."""
_LIMIT = 100
_REASONS = ("mention", "quote", "reply")
_MENTION = "app.bsky.richtext.facet#mention"


class _Page(msgspec.Struct):
    notifications: list[Raw]
    cursor: str | None = None


class _Notice(msgspec.Struct):
    """That somebody wrote something; ``indexed`` is what the list is ordered by."""

    uri: str
    cid: str
    indexed: str = msgspec.field(name="indexedAt")
    author: Raw = Raw()
    record: Raw = Raw()


@dataclass(slots=True)
class _Reading:
    """The pages of one call."""

    items: list[ListItem] = field(default_factory=list)
    notices: dict[str, _Notice] = field(default_factory=dict)
    onward: str = ""
    """Where the page below the last one begins; empty: there is none, or it was read before."""
    wait: timedelta | None = None

    def take(self, page: _Page) -> list[ListItem]:
        """What stands on a page; as the page below it is asked for, nothing that happened at its end is left out."""
        found = list(_items(page.notifications))
        is_news = any(notice.uri not in self.notices for _, notice in found)
        self.notices |= {notice.uri: notice for _, notice in found}
        self.items += (items := [item for item, _ in found])
        self.onward = (_just_above(page.cursor) if is_news else page.cursor) if page.cursor else ""
        return items

    def hold_back(self) -> None:
        """What happened at the moment at which the next call begins is left to that."""
        last = read_time(self.onward)
        later = [item for item in self.items if self._at(item) >= last] if last else []
        self.items = later or self.items

    def _at(self, item: ListItem) -> datetime:
        return read_time(self.notices[item.uri].indexed) or datetime.max.replace(tzinfo=UTC)


async def read_on(session: Session, did: str, cursor: str) -> Mentions | TryLater | Gone:
    """What was said since the cursor; without one, only where the reading stands from now on."""
    kept = list_cursor.read_place(cursor)
    reading = await _read(session, kept)
    if (
        isinstance(reading, Unexpected) and kept and kept.onward
    ):  # it may not know its own word any more: from the top again
        return Mentions(cursor=str(list_cursor.from_the_top(kept)))
    if not isinstance(reading, _Reading):
        return of_account(reading)
    now = datetime.now(UTC)
    step = list_cursor.read_pages(kept, reading.items, reading.onward, now) if kept else None
    after = step.place if step else list_cursor.begin(reading.items, now)
    new = [reading.notices[uri] for uri in reversed(step.new)] if step else []
    return Mentions(
        mentions=tuple(mention for notice in new if (mention := read_mention(notice, did))),
        cursor=str(after) if str(after) != cursor else None,
        more=bool(after.onward) and reading.wait is None,
        wait=reading.wait,
    )


async def _read(session: Session, kept: ListCursor | None) -> _Reading | Failure:
    reading = _Reading(onward=kept.onward if kept else "")
    for number in range(_PAGES if kept else 1):
        answer = await _ask(session, reading.onward)
        if isinstance(answer, TryLater) and number:
            break
        if not isinstance(answer, Ok):
            return answer
        page = read(answer.body, _Page)
        if page is None:
            return Unexpected(answer.host)
        items = reading.take(page)
        reading.wait = answer.wait
        if kept is None or list_cursor.reaches(kept, items) or _is_below(page.cursor, kept):
            reading.onward = ""
        if not reading.onward or reading.wait is not None:
            break
    reading.hold_back()
    return reading


async def _ask(session: Session, cursor: str) -> Ok | Failure:
    reasons = [("reasons", reason) for reason in _REASONS]
    more = [("cursor", cursor)] if cursor else []
    return await session.ask("app.bsky.notification.listNotifications", [*reasons, ("limit", str(_LIMIT)), *more])


def _items(page: list[Raw]) -> Iterator[tuple[ListItem, _Notice]]:
    for raw in page:
        notice = read(raw, _Notice)
        at = read_time(notice.indexed) if notice else None
        if notice and at:
            yield ListItem(int(at.timestamp()), notice.uri), notice


def _just_above(cursor: str) -> str:
    """Where a page begins that holds the last moment of the one before as well."""
    at = read_time(cursor)
    return stamp(at + timedelta(milliseconds=1)) if at and at.year < MAXYEAR else cursor


def _is_below(cursor: str | None, kept: ListCursor) -> bool:
    """Whether an AppView has searched down to what was read before, though it found nothing there."""
    at = read_time(cursor)
    return at is not None and at.timestamp() < kept.reach


# --- one of them ---


def read_mention(notice: _Notice, did: str) -> Mention | None:
    """The mention of an account in a notification; None where somebody else is spoken to, or nobody."""
    where, said, at = read_at(notice.uri), read(notice.record, Record), read_time(notice.indexed)
    asker = read_asker(notice.author)
    if where is None or where.collection != POSTS or said is None or at is None or asker is None:
        return None
    if not is_home(notice.uri, asker.uri) or asker.uri == did or not _mentions(said, did):
        return None
    this = Ref(notice.uri, notice.cid)
    reply = read(said.reply, ReplyRef)
    return Mention(
        uri=notice.uri,
        asker=asker,
        text=scrub(said.text),
        at=at,
        about=_about(said, reply),
        language="".join(read_languages(said)[:1]),
        reply=str(Below(parent=this, root=(reply.root or reply.parent) if reply else this)),
    )


def _mentions(said: Record, did: str) -> bool:
    features = (feature for facet in read_all(said.facets, Facet) for feature in read_all(facet.features, Feature))
    return any(feature.type == _MENTION and feature.did == did for feature in features)


def _about(said: Record, reply: ReplyRef | None) -> str:
    """What it answers, or else what it quotes."""
    return next((uri for uri in (reply.parent.uri if reply else "", _quoted(said.embed)) if _is_post(uri)), "")


def _quoted(raw: Raw) -> str:
    embed = read(raw, Embed)
    if embed is None:
        return ""
    ref = read(embed.record, Ref)
    return ref.uri if ref else _quoted(embed.record)  # one beside pictures or a link stands one deeper


def _is_post(uri: str) -> bool:
    where = read_at(uri)
    return where is not None and where.collection == POSTS and bool(did_of(uri))
