"""What the relay notes down about a room, in its own room account data: it is there after a restart, and anywhere."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from adapters.matrix.api import Failed, Json, MatrixApi
from relay.i18n import Words, words
from relay.log import get_logger

KIND = "chasqui.room"
MOST_KEPT = 5_000
"""Rooms whose notes are remembered here; the others are asked for again."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomNote:
    """What is noted down about one room."""

    language: str = ""
    """In which the relay answers there; empty: its usual one."""
    hello: bool = False
    """It has introduced itself."""
    encrypted: bool = False
    """It has said that it does not post there, as the room is encrypted."""
    direct: bool = False
    """It was invited to talk with one person alone."""
    owed: bool = False
    """It is on its way in, and has not said anything yet: after a restart it still does."""

    @classmethod
    def read(cls, told: Mapping[str, object]) -> RoomNote:
        """What cannot be understood is as if it were not noted down."""
        language = told.get("language")
        return cls(
            language=language if isinstance(language, str) else "",
            hello=told.get("hello") is True,
            encrypted=told.get("encrypted") is True,
            direct=told.get("direct") is True,
            owed=told.get("owed") is True,
        )

    def written(self) -> Json:
        known: dict[str, str | bool] = {
            "language": self.language,
            "hello": self.hello,
            "encrypted": self.encrypted,
            "direct": self.direct,
            "owed": self.owed,
        }
        return {key: value for key, value in known.items() if value}


class RoomNotes:
    """Read once for each room, and remembered; of several processes only the one that listens writes them."""

    def __init__(self, api: MatrixApi, language: str = "en") -> None:
        """``language``: in which the relay speaks where nothing else is noted down."""
        self._api, self._language = api, language
        self._kept: OrderedDict[str, RoomNote] = OrderedDict()

    async def read(self, room: str) -> RoomNote:
        """The note about a room; an empty one where the homeserver does not tell it, until it does."""
        told = await self._told(room)
        if isinstance(told, Failed):
            log.debug("a room's note cannot be read", room=room, reason=told.reason)
            return RoomNote()
        return told

    async def words(self, room: str) -> Words:
        """How the relay speaks in a room."""
        return words((await self.read(room)).language or self._language)

    async def change(self, room: str, **changes: str | bool) -> Failed | None:
        """Note something down. What the homeserver does not take is remembered until the relay stops."""
        told = await self._told(room)
        if not isinstance(told, Failed):
            note = replace(told, **changes)  # type: ignore[arg-type]  # the caller names the fields
            self._keep(room, note)
            failed = await self._api.save_account_data(room, KIND, note.written())
        else:
            failed = told  # to write now could undo what was noted down before
        if failed is not None:
            log.warning("a note about a room could not be made", room=room, reason=failed.reason)
        return failed

    async def _told(self, room: str) -> RoomNote | Failed:
        if (kept := self._kept.get(room)) is None:
            told = await self._api.account_data(room, KIND)
            if isinstance(told, Failed) and told.code != "M_NOT_FOUND":
                return told
            kept = RoomNote() if isinstance(told, Failed) else RoomNote.read(told)
        self._keep(room, kept)
        return kept

    def _keep(self, room: str, note: RoomNote) -> None:
        self._kept[room] = note
        self._kept.move_to_end(room)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
