"""What an answer to /sync means for the relay: whom it hears, and what becomes of it in which room. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from adapters.matrix.shapes import ENCRYPTION, MESSAGE, TOMBSTONE, MatrixEvent, SyncBatch, SyncRoom


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomMessage:
    """Somebody wrote in a room."""

    room: str
    event: MatrixEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """We are asked into a room. ``by`` is whoever is told to have asked: all of them must be trusted."""

    room: str
    by: tuple[str, ...]
    direct: bool = False
    """To talk with one person alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """We have come into a room. ``event`` is the id of that."""

    room: str
    event: str
    earlier: bool = False
    """Before this start, and we have said nothing since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A room is encrypted."""

    room: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """Somebody has put another room in the place of this one."""

    room: str
    by: str
    successor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """We are in a room no longer. ``by`` is who did it, ourselves perhaps; empty: nobody knows."""

    room: str
    by: str = ""
    banned: bool = False


News = RoomMessage | Invited | Entered | Sealed | Replaced | Left


def news(
    batch: SyncBatch, us: str, inside: Collection[str], since: datetime | None, met: datetime | None = None
) -> Iterator[News]:
    """What is new in the order in which it happened in each room. ``inside`` are the rooms that we were in before.

    ``since`` is when we began to listen; None: the batch is the present state, and nothing in it is said to us now. Of
    that a coming in after ``met`` about which we have said nothing is news: we may have been stopped before we could.
    """
    present = {room.id for room in batch.joined}
    invited = {room.id for room in batch.invited}
    gone = invited & set(inside) if since is not None else set(inside) - present
    for one in sorted(gone):
        yield Left(room=one)
    for room in batch.invited:
        yield _invitation(room, us)
    for room in batch.joined:
        yield from _happened(room, us, since, met, inside=room.id in inside)
    for room in batch.left:
        if room.id in inside and since is not None:
            yield _parting(room, us)


def _invitation(room: SyncRoom, us: str) -> Invited:
    """The stripped state comes from the inviter's homeserver, which may have put in more than one."""
    asking = [one for one in room.events if one.becomes(us) == "invite"]
    direct = any(one.content.get("is_direct") is True for one in asking)
    return Invited(room=room.id, by=tuple(dict.fromkeys(one.sender for one in asking)), direct=direct)


def _parting(room: SyncRoom, us: str) -> Left:
    last = next((one for one in reversed(room.events) if one.becomes(us) in {"leave", "ban"}), None)
    return Left(room=room.id) if last is None else Left(room=room.id, by=last.sender, banned=last.becomes(us) == "ban")


def _happened(room: SyncRoom, us: str, since: datetime | None, met: datetime | None, *, inside: bool) -> Iterator[News]:
    entry = _unmet(room, us, met) if since is None else _entry(room, us, inside=inside)
    if entry is not None:
        yield Entered(room=room.id, event=entry.event_id, earlier=since is None)
    if any(map(_seals, room.events)):
        yield Sealed(room=room.id)
    if since is None:
        return
    for event in _heard(room, us, entry, inside=inside):
        if event.type == MESSAGE and event.state_key is None and event.sender != us and event.when >= since:
            yield RoomMessage(room=room.id, event=event)
        elif event.type == TOMBSTONE and event.state_key == "":
            yield Replaced(room=room.id, by=event.sender, successor=event.text("replacement_room"))


def _unmet(room: SyncRoom, us: str, met: datetime | None) -> MatrixEvent | None:
    """Our coming in, not before ``met``, where nothing of ours follows it."""
    for event in reversed(room.timeline):
        if event.sender == us and event.type == MESSAGE:
            return None
        if event.becomes(us) == "join" and event.was != "join":
            return event if met is not None and event.when >= met else None
    return None


def _entry(room: SyncRoom, us: str, *, inside: bool) -> MatrixEvent | None:
    """Our coming into the room, among what is told; a change of our name is a ``join`` as well.

    Of a room in which we were, an old one stands in the state again and again, beside what we say ourselves.
    """
    told = room.timeline if inside else room.events
    joins = [one for one in told if one.becomes(us) == "join" and one.was != "join" and (one.was or not inside)]
    return joins[-1] if joins else None


def _heard(room: SyncRoom, us: str, entry: MatrixEvent | None, *, inside: bool) -> tuple[MatrixEvent, ...]:
    """What was written while we were there: in the room's history others may have put words into our way."""
    if entry is not None and entry in room.timeline:
        return room.timeline[room.timeline.index(entry) + 1 :]
    known = inside or any(one.becomes(us) == "join" for one in room.events)
    return room.timeline if known else ()


def _seals(event: MatrixEvent) -> bool:
    return event.type == ENCRYPTION and event.state_key == ""
