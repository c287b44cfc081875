"""What the homeserver tells in /sync, in the shape in which it is read; what has another shape is left out. Pure.

https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

MESSAGE = "m.room.message"
MEMBER = "m.room.member"
ENCRYPTION = "m.room.encryption"
TOMBSTONE = "m.room.tombstone"

T = TypeVar("T")


class MatrixEvent(msgspec.Struct, frozen=True):
    """One event; the ``content`` is whatever somebody has put there."""

    type: str
    sender: str
    content: dict[str, Any] = {}
    event_id: str = ""
    """Empty in what is told of an invitation."""
    state_key: str | None = None
    """None: it is no state."""
    origin_server_ts: int = 0
    """Milliseconds, by the clock of the sender's homeserver."""
    unsigned: dict[str, Any] = {}

    @property
    def when(self) -> datetime:
        """Year 1 where the number is no time at all."""
        try:
            return datetime.fromtimestamp(self.origin_server_ts / 1000, UTC)
        except (OverflowError, ValueError, OSError):
            return datetime.min.replace(tzinfo=UTC)

    def text(self, *path: str) -> str:
        """A text in the content, at the end of a path of names; empty where there is none."""
        value: object = self.content
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, str) else ""

    def becomes(self, user: str) -> str:
        """Which membership it gives this user; empty: it says nothing of that."""
        return self.text("membership") if self.type == MEMBER and self.state_key == user else ""

    @property
    def was(self) -> str:
        """The membership before it, where that is told."""
        before = self.unsigned.get("prev_content")
        membership = before.get("membership") if isinstance(before, dict) else None
        return membership if isinstance(membership, str) else ""


@dataclass(frozen=True, slots=True)
class SyncRoom:
    """What is told of one room: its ``state`` before the ``timeline``, and that, oldest first."""

    id: str
    state: tuple[MatrixEvent, ...] = ()
    timeline: tuple[MatrixEvent, ...] = ()
    members: int | None = None
    """How many have joined it; None: as many as before."""

    @property
    def events(self) -> tuple[MatrixEvent, ...]:
        return (*self.state, *self.timeline)


@dataclass(frozen=True, slots=True)
class SyncBatch:
    """One answer; ``position`` is where the next one goes on, and empty where the answer is none."""

    position: str = ""
    joined: tuple[SyncRoom, ...] = ()
    invited: tuple[SyncRoom, ...] = ()
    left: tuple[SyncRoom, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.joined or self.invited or self.left)


class _Events(msgspec.Struct):
    events: list[Any] = []


class _Summary(msgspec.Struct):
    joined: int | None = msgspec.field(default=None, name="m.joined_member_count")


class _Room(msgspec.Struct):
    state: Any = None
    timeline: Any = None
    invite_state: Any = None
    summary: Any = None


class _Sync(msgspec.Struct):
    next_batch: str
    rooms: Any = None


def read(told: object) -> SyncBatch:
    """The answer as far as it can be understood: one strange room or event spoils none of the others."""
    sync = _as(told, _Sync)
    if sync is None:
        return SyncBatch()
    rooms = sync.rooms if isinstance(sync.rooms, dict) else {}
    joined, invited, left = (tuple(_rooms(rooms.get(kind))) for kind in ("join", "invite", "leave"))
    return SyncBatch(sync.next_batch, joined, invited, left)


def _rooms(told: object) -> Iterator[SyncRoom]:
    for key, value in told.items() if isinstance(told, dict) else ():
        room = _as(value, _Room)
        if room is not None and isinstance(key, str) and key.startswith("!"):
            summary = _as(room.summary, _Summary)
            members = summary.joined if summary else None
            yield SyncRoom(key, _events(room.state) + _events(room.invite_state), _events(room.timeline), members)


def _events(told: object) -> tuple[MatrixEvent, ...]:
    listed = _as(told, _Events)
    read_ones = (_as(one, MatrixEvent) for one in (listed.events if listed else ()))
    return tuple(one for one in read_ones if one is not None)


def _as(told: object, shape: type[T]) -> T | None:
    try:
        return msgspec.convert(told, shape)
    except (msgspec.ValidationError, RecursionError):
        return None
