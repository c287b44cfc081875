"""What a homeserver keeps: people, rooms with their events, media."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field

from tests.servers.matrix.refusal import Json

_KEPT = {
    "m.room.member": ("membership",),
    "m.room.join_rules": ("join_rule", "allow"),
    "m.room.history_visibility": ("history_visibility",),
    "m.room.power_levels": (
        "ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users", "users_default",
    ),
    "m.room.redaction": ("redacts",),
}  # fmt: skip
MEMBER = "m.room.member"


@dataclass(frozen=True)
class Person:
    """An account, and a device of it that is logged in."""

    id: str
    token: str
    password: str
    device: str

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True)
class Upload:
    """What lies in the media repository."""

    url: str
    data: bytes
    type: str
    name: str = ""
    by: str = ""


def id_of(thing: object) -> str:
    """The id of a person or room, which may be given as the id."""
    return thing if isinstance(thing, str) else str(getattr(thing, "id", thing))


def relation_of(event: Json) -> tuple[str, str]:
    """How an event relates to which: ``("m.thread", "$root")``; twice nothing for none."""
    told = event["content"].get("m.relates_to")
    if not isinstance(told, dict) or "rel_type" not in told:
        return "", ""
    return str(told["rel_type"]), str(told.get("event_id", ""))


def is_redacted(event: Json) -> bool:
    return "redacted_because" in event["unsigned"]


def pruned(event: Json) -> Json:
    """What a redaction leaves of the content."""
    if event["type"] == "m.room.create":
        return dict(event["content"])
    return {key: event["content"][key] for key in _KEPT.get(event["type"], ()) if key in event["content"]}


@dataclass
class Room:
    """A room: its events as clients see them, oldest first, and the state that they make."""

    id: str
    version: str
    creators: frozenset[str] = frozenset()
    events: list[Json] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """Where each event stands in the server's stream."""
    state: dict[tuple[str, str], Json] = field(default_factory=dict)
    by_id: dict[str, Json] = field(default_factory=dict)
    joined_at: dict[str, int] = field(default_factory=dict)
    changes: dict[str, list[Json]] = field(default_factory=dict)
    """The edits of each event that was edited, valid or not."""

    def __str__(self) -> str:
        return self.id

    def add(self, event: Json, place: int) -> None:
        """It happened."""
        if "state_key" in event:
            self._become(event, place)
        self.events.append(event)
        self.places.append(place)
        self.by_id[event["event_id"]] = event
        kind, target = relation_of(event)
        if kind == "m.replace":
            self.changes.setdefault(target, []).append(event)

    def _become(self, event: Json, place: int) -> None:
        key = (event["type"], event["state_key"])
        before = self.state.get(key)
        if before:
            event["unsigned"] |= {"prev_content": before["content"], "replaces_state": before["event_id"]}
        entered = event["content"].get("membership") == "join" and self.membership(event["state_key"]) != "join"
        if event["type"] == MEMBER and entered:
            self.joined_at[event["state_key"]] = place
        self.state[key] = event

    def content(self, kind: str, key: str = "") -> Json:
        """What a state says now; empty where there is none."""
        found = self.state.get((kind, key))
        return dict(found["content"]) if found else {}

    def membership(self, user: object) -> str:
        """``join``, ``invite``, ``leave``, ``ban``; empty where they never were."""
        return str(self.content(MEMBER, id_of(user)).get("membership", ""))

    @property
    def joined(self) -> list[str]:
        return [key for (kind, key) in self.state if kind == MEMBER and self.membership(key) == "join"]

    @property
    def encrypted(self) -> bool:
        return ("m.room.encryption", "") in self.state

    def place(self, event: Json) -> int:
        return self.places[self.index(event)]

    def index(self, event: Json) -> int:
        return next(number for number, one in enumerate(self.events) if one["event_id"] == event["event_id"])

    def after(self, place: int) -> int:
        """The number of the first event behind this place in the stream."""
        return bisect_right(self.places, place)

    def state_before(self, number: int) -> dict[tuple[str, str], Json]:
        """The state before the event with this number."""
        return {(one["type"], one["state_key"]): one for one in self.events[:number] if "state_key" in one}

    # --- power ---

    @property
    def sovereign(self) -> bool:
        """Since version 12 creators have infinite power and stand in no power levels (MSC4289)."""
        return self.version.isdigit() and int(self.version) >= 12

    def level(self, user: str) -> float:
        if self.sovereign and user in self.creators:
            return math.inf
        if ("m.room.power_levels", "") not in self.state:
            return 100 if user in self.creators else 0
        levels = self.content("m.room.power_levels")
        return float(levels.get("users", {}).get(user, levels.get("users_default", 0)))

    def needed(self, kind: str, *, state: bool = False) -> int:
        """The level that an event of this type takes."""
        levels = self.content("m.room.power_levels")
        usual = levels.get("state_default", 50) if state else levels.get("events_default", 0)
        return int(levels.get("events", {}).get(kind, usual))

    def needed_for(self, deed: str) -> int:
        """The level for ``redact``, ``kick``, ``ban`` or ``invite``."""
        return int(self.content("m.room.power_levels").get(deed, 0 if deed == "invite" else 50))

    # --- edits ---

    def latest(self, event: Json) -> Json | None:
        """The edit that counts: by the same sender, of the same type, of no edit, not redacted."""
        fitting = [one for one in self.changes.get(event["event_id"], ()) if self.edits(event, one)]
        return fitting[-1] if fitting and not is_redacted(event) else None

    def edits(self, event: Json, edit: Json) -> bool:
        """Whether one event is a valid edit of the other."""
        same = all(event[key] == edit[key] for key in ("sender", "type")) and "state_key" not in event
        told = isinstance(edit["content"].get("m.new_content"), dict)
        return same and told and relation_of(event)[0] != "m.replace" and not is_redacted(edit)
