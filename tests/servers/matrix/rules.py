"""What a homeserver does not let happen in a room, in Synapse's words."""

from __future__ import annotations

import json
from typing import Any

from tests.servers.matrix.refusal import Json, Refusal, bad, forbidden, too_large
from tests.servers.matrix.things import Room, relation_of

MOST_BYTES = 65_536
_MOST_INT = 2**53 - 1
_HASH, _SIGNATURE = "h" * 43, "s" * 86


def canonical(value: Any) -> bytes:
    """Canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def check_values(value: Any) -> None:
    """Only what canonical JSON can hold."""
    if isinstance(value, float):
        raise bad("Bad JSON value: float", "M_BAD_JSON")
    if isinstance(value, int) and abs(value) > _MOST_INT:
        raise bad("JSON integer out of range", "M_BAD_JSON")
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            check_values(one)


def check_size(event: Json) -> None:
    """As it goes over federation: with hashes, signatures and the events that it follows."""
    more = {
        "auth_events": ["$" + _HASH] * 4, "prev_events": ["$" + _HASH], "depth": 1_000, "hashes": {"sha256": _HASH},
        "signatures": {"ayllu.example": {"ed25519:a_Relay": _SIGNATURE}},
    }  # fmt: skip
    whole = {key: value for key, value in event.items() if key not in ("event_id", "unsigned")}
    if len(canonical({**whole, **more})) > MOST_BYTES:
        raise too_large("event too large")
    for key in ("type", "state_key"):
        if len(str(event.get(key, "")).encode()) > 255:
            raise too_large(f"'{key}' too large")


def check_inside(room: Room, user: str) -> None:
    if room.membership(user) != "join":
        raise forbidden(f"User {user} not in room {room.id} ({room.membership(user) or None})")


def check_power(room: Room, user: str, kind: str, *, state: bool = False) -> None:
    has, needs = room.level(user), room.needed(kind, state=state)
    if has < needs:
        told = f"user_level ({has:g}) < send_level ({needs})"
        raise forbidden(f"You don't have permission to post that to the room. {told}")


def check_redaction(room: Room, user: str, event: Json) -> None:
    """One's own always, others' with power."""
    if event["sender"] != user and room.level(user) < room.needed_for("redact"):
        raise forbidden("You don't have permission to redact events")


def check_relation(rooms: dict[str, Room], room: Room, content: Json) -> None:
    kind, target = relation_of({"content": content})
    if not kind:
        return
    if target not in room.by_id:
        elsewhere = any(target in one.by_id for one in rooms.values())
        raise bad("Relations must be in the same room" if elsewhere else "Can't send relation to unknown event")
    if kind == "m.thread" and relation_of(room.by_id[target])[0]:
        raise bad("Cannot start threads from an event with a relation")


def check_levels(room: Room, content: Json) -> None:
    """Power levels are whole numbers, and since version 12 creators are above them."""
    users = content.get("users", {})
    if any(type(value) is not int for value in users.values()):
        raise bad("Invalid power_levels", "M_BAD_JSON")
    if room.sovereign and (set(users) & room.creators):
        raise bad("Creators must not be in the power levels", "M_BAD_JSON")


def check_state(room: Room, user: str, kind: str, key: str, content: Json) -> None:
    """What a client may set as state."""
    check_inside(room, user)
    check_power(room, user, kind, state=True)
    if key.startswith("@") and key != user:
        raise forbidden("You are not allowed to set others state")
    if kind in ("m.room.create", "m.room.member"):
        raise Refusal(403, "M_FORBIDDEN", f"strict: {kind} has calls of its own")
    if kind == "m.room.power_levels":
        check_levels(room, content)
